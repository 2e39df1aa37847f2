"""Look-ahead of the latent-difficulty panel: what asking one more expert is worth.

With ``V(S)`` the probability that the best answer given so far is right,

    Q1(j) = E_a V(S + a) - price[j]
    Qk(j) = E_a max(V(S + a), max_i Q(k-1)(i | S + a)) - price[j],    prices times lambda.

One step has a closed form over the outcomes {each named answer, a new answer, none}; deeper steps
branch over them. All values below are unnormalised, that is multiplied by the total weight of the
evidence, so that expectations are plain sums over the branches.

One step is computed for all candidates at once, a few of them side by side: what does not depend
on the candidate is summed up once a branch, and the rest are short sums of products.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.panel.likelihood import (
    EMPTY,
    NOTHING,
    OTHER,
    POPULAR,
    RIGHT,
    Evidence,
    marginals,
    weigh_answers,
)

__all__ = ["Menu", "Question", "ask_values", "value_asks"]


LANES = 32
"""Candidates valued side by side: a constant, so that the compiler can use vector instructions."""

CLASSES = 5
"""Difficulty classes in one sum of products, for the same reason."""

FUSED = frozenset({"contract", "nnan", "nsz"})


class Menu(NamedTuple):
    """What can be asked on a task.

    Attributes
    ----------
    rates : float64[experts, classes, 4]
        `option_rates` of every expert.
    price : float64[experts]
        Price of a call in units of utility (lambda times cost).
    candidates : int64[n]
        Experts that may be asked.
    taken : bool[experts]
        Experts asked already, or assumed to be asked further up the branch.
    n_options : float
    """

    rates: FloatArray
    price: FloatArray
    candidates: IntArray
    taken: BoolArray
    n_options: float


class Question(NamedTuple):
    """A task as it stands, and who may be asked on it.

    Attributes
    ----------
    prior : float64[classes]
        Probability of each difficulty class.
    rates, log_rates : float64[experts, classes, 4]
        `option_rates` of every expert, and their logarithms.
    experts, answers : int64[calls]
        Who was asked and the answer given: 0, 1, ... or ``EMPTY``.
    pool, free : bool[experts]
        Who is considered, and who may be asked at all.
    price : float64[experts]
        Price of a call in units of utility (lambda times cost).
    n_options : float
    """

    prior: FloatArray
    rates: FloatArray
    log_rates: FloatArray
    experts: IntArray
    answers: IntArray
    pool: BoolArray
    free: BoolArray
    price: FloatArray
    n_options: float


class _Bench(NamedTuple):
    """Room for valuing all candidates at once; classes padded to a multiple of `CLASSES`.

    Attributes
    ----------
    rates : float64[blocks, 4, classes / CLASSES, CLASSES * LANES]
        Rates of the candidates, `LANES` of them side by side; 0 beyond the last.
    plain, lured : float64[classes]
        Joint weight of an option being true and the expert's answer not the popular wrong one,
        and being so. 0 at the padding.
    value, best : float64[LANES]
        Sum over the answers, and the best verdict of the one at hand.
    carry : float64[LANES]
        Sums of products of all classes but the last group; 0 in between.
    one_step : float64[levels, n]
        Net one-step value of every candidate.
    """

    rates: FloatArray
    plain: FloatArray
    lured: FloatArray
    value: FloatArray
    best: FloatArray
    carry: FloatArray
    one_step: FloatArray


@kernel
def current_value(evidence: Evidence, level: int) -> float:
    """Weight of the likeliest answer given so far; 0 where none was given."""
    best, truth = 0.0, evidence.truth[level]
    for option in range(1, evidence.named[level] + 1):
        weight = 0.0
        for z in range(truth.shape[1]):
            weight += truth[option, z]
        best = max(best, weight)
    return best


@kernel
def _bench_of(evidence: Evidence, menu: Menu) -> _Bench:
    n, classes = menu.candidates.shape[0], evidence.base.shape[1]
    groups = (classes + CLASSES - 1) // CLASSES
    rates = np.zeros(((n + LANES - 1) // LANES, 4, groups, CLASSES * LANES))
    for place in range(n):
        rate = menu.rates[menu.candidates[place]]
        into, lane = rates[place // LANES], place % LANES
        for kind in range(4):
            for z in range(classes):
                into[kind, z // CLASSES, z % CLASSES * LANES + lane] = rate[z, kind]
    return _Bench(
        rates,
        np.zeros(groups * CLASSES),
        np.zeros(groups * CLASSES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.empty((evidence.base.shape[0], n)),
    )


@kernel(fastmath=FUSED)
def _raise_to_one(
    best: FloatArray, carry: FloatArray, rates: FloatArray, weight: FloatArray, n: int
) -> None:
    """Raise the best verdicts to sums over the classes of rate times weight."""
    last = rates.shape[0] - 1
    for group in range(last):
        for i in range(n):
            for z in range(CLASSES):
                carry[i] += rates[group, z * LANES + i] * weight[group * CLASSES + z]
    at = last * CLASSES
    a, b, c, d, e = weight[at], weight[at + 1], weight[at + 2], weight[at + 3], weight[at + 4]
    for i in range(n):
        verdict = carry[i] + rates[last, i] * a
        verdict += rates[last, i + LANES] * b
        verdict += rates[last, i + 2 * LANES] * c
        verdict += rates[last, i + 3 * LANES] * d
        verdict += rates[last, i + 4 * LANES] * e
        best[i] = verdict if verdict > best[i] else best[i]
    if last > 0:
        carry[:] = 0.0


@kernel(fastmath=FUSED)
def _raise_to_two(
    best: FloatArray,
    carry: FloatArray,
    first: FloatArray,
    second: FloatArray,
    plain: FloatArray,
    lured: FloatArray,
    n: int,
) -> None:
    """Raise the best verdicts to sums of ``first * plain + second * lured``."""
    last = first.shape[0] - 1
    for group in range(last):
        for i in range(n):
            for z in range(CLASSES):
                at, k = z * LANES + i, group * CLASSES + z
                carry[i] += first[group, at] * plain[k] + second[group, at] * lured[k]
    at = last * CLASSES
    a, b, c, d, e = plain[at], plain[at + 1], plain[at + 2], plain[at + 3], plain[at + 4]
    f, g, h, k, m = lured[at], lured[at + 1], lured[at + 2], lured[at + 3], lured[at + 4]
    for i in range(n):
        verdict = carry[i] + first[last, i] * a + second[last, i] * f
        verdict += first[last, i + LANES] * b + second[last, i + LANES] * g
        verdict += first[last, i + 2 * LANES] * c + second[last, i + 2 * LANES] * h
        verdict += first[last, i + 3 * LANES] * d + second[last, i + 3 * LANES] * k
        verdict += first[last, i + 4 * LANES] * e + second[last, i + 4 * LANES] * m
        best[i] = verdict if verdict > best[i] else best[i]
    if last > 0:
        carry[:] = 0.0


@kernel
def _settle(value: FloatArray, best: FloatArray, count: float, n: int) -> None:
    """Add the best verdicts to the values, and clear them."""
    for i in range(n):
        value[i] += count * best[i]
        best[i] = 0.0


@kernel
def _weigh_block(
    evidence: Evidence, level: int, n_options: float, bench: _Bench, rates: FloatArray, n: int
) -> None:
    """Fill the expected weight of the verdict after asking each candidate of a block.

    Summed over the answers that it may give: none, a new one, or one of those named already.
    """
    # Taken out of their tuples once: every access to an array in one counts its references.
    base, right, popular = evidence.base, evidence.right, evidence.popular
    truth, named, classes = evidence.truth, evidence.named[level], evidence.base.shape[1]
    value, best, carry = bench.value, bench.best, bench.carry
    plain, lured = bench.plain, bench.lured
    rate_right, rate_nothing = rates[RIGHT], rates[NOTHING]
    rate_popular, rate_other = rates[POPULAR], rates[OTHER]
    value[:n] = 0.0
    for answer in range(EMPTY, named + 1):
        count = n_options - named if answer == 0 else 1.0
        if count <= 0.0:
            continue
        if answer >= 0:
            for z in range(classes):
                plain[z] = truth[level, answer, z]
            _raise_to_one(best, carry, rate_right, plain, n)
        for option in range(1, named + 1):
            if option == answer:
                continue
            for z in range(classes):
                plain[z] = truth[level, option, z]
            if answer == EMPTY:
                _raise_to_one(best, carry, rate_nothing, plain, n)
            else:
                for z in range(classes):
                    lured[z] = base[level, z] * right[level, option, z] * popular[level, answer, z]
                    plain[z] -= lured[z]
                _raise_to_two(best, carry, rate_other, rate_popular, plain, lured, n)
        _settle(value, best, count, n)


@kernel
def _survey(evidence: Evidence, level: int, menu: Menu, bench: _Bench) -> tuple[float, float]:
    """Fill the net one-step value of every candidate; return total weight and largest value."""
    total = marginals(evidence, level, menu.n_options)
    largest = -np.inf
    candidates, price, taken = menu.candidates, menu.price, menu.taken
    value, one_step = bench.value, bench.one_step
    for block in range(bench.rates.shape[0]):
        start = block * LANES
        n = min(LANES, candidates.shape[0] - start)
        _weigh_block(evidence, level, menu.n_options, bench, bench.rates[block], (n + 7) // 8 * 8)
        for lane in range(n):
            expert = candidates[start + lane]
            net = value[lane] - total * price[expert]
            net = -np.inf if taken[expert] else net
            one_step[level, start + lane] = net
            largest = max(largest, net)
    return total, largest


@kernel
def _best_of_one(evidence: Evidence, level: int, menu: Menu, bench: _Bench) -> float:
    """Weight of the best policy that asks at most one more expert."""
    _, largest = _survey(evidence, level, menu, bench)
    return max(current_value(evidence, level), largest)


@kernel
def _absorb(evidence: Evidence, level: int, rate: FloatArray, answer: int) -> None:
    """Write the evidence after one more answer (``EMPTY``, 0 for new, or 1...) to ``level + 1``."""
    named = evidence.named[level]
    base, right, popular = evidence.base, evidence.right, evidence.popular
    evidence.named[level + 1] = named + 1 if answer == 0 else named
    slot = named + 1 if answer == 0 else answer
    for option in range(named + 1):
        for z in range(base.shape[1]):
            right[level + 1, option, z] = right[level, option, z]
            popular[level + 1, option, z] = popular[level, option, z]
    for z in range(base.shape[1]):
        if answer == EMPTY:
            base[level + 1, z] = base[level, z] * rate[z, NOTHING]
            continue
        base[level + 1, z] = base[level, z] * rate[z, OTHER]
        right[level + 1, slot, z] = right[level, answer, z] * rate[z, RIGHT] / rate[z, OTHER]
        popular[level + 1, slot, z] = popular[level, answer, z] * rate[z, POPULAR] / rate[z, OTHER]


@kernel
def _branches_to_one(
    evidence: Evidence,
    level: int,
    menu: Menu,
    expert: int,
    bench: _Bench,
) -> float:
    """Return the expected weight after asking ``expert`` and going on with at most one more."""
    menu.taken[expert] = True
    value = 0.0
    for answer in range(EMPTY, evidence.named[level] + 1):
        count = menu.n_options - evidence.named[level] if answer == 0 else 1.0
        if count > 0.0:
            _absorb(evidence, level, menu.rates[expert], answer)
            value += count * _best_of_one(evidence, level + 1, menu, bench)
    menu.taken[expert] = False
    return value


@kernel
def _best_of_two(
    evidence: Evidence,
    level: int,
    menu: Menu,
    width: int,
    bench: _Bench,
) -> float:
    """Weight of the best policy that asks at most two more, the first of the ``width`` best."""
    total, largest = _survey(evidence, level, menu, bench)
    best = max(current_value(evidence, level), largest)
    one_step = bench.one_step[level]
    for _ in range(min(width, one_step.shape[0])):
        position = np.argmax(one_step)
        if one_step[position] == -np.inf:
            break
        one_step[position] = -np.inf
        expert = menu.candidates[position]
        value = _branches_to_one(evidence, level, menu, expert, bench)
        best = max(best, value - total * menu.price[expert])
    return best


@kernel
def _branches_to_two(
    evidence: Evidence,
    level: int,
    menu: Menu,
    expert: int,
    width: int,
    bench: _Bench,
) -> float:
    """Return the expected weight after asking ``expert`` and going on with at most two more."""
    menu.taken[expert] = True
    value = 0.0
    for answer in range(EMPTY, evidence.named[level] + 1):
        count = menu.n_options - evidence.named[level] if answer == 0 else 1.0
        if count > 0.0:
            _absorb(evidence, level, menu.rates[expert], answer)
            value += count * _best_of_two(evidence, level + 1, menu, width, bench)
    menu.taken[expert] = False
    return value


@kernel
def ask_values(evidence: Evidence, menu: Menu, depth: int, width: int, values: FloatArray) -> float:
    """Value of asking each candidate, and of stopping.

    Parameters
    ----------
    evidence : Evidence
        Level 0 holds the answers so far; needs ``depth`` levels, and room for ``depth - 1`` more
        options.
    menu : Menu
    depth : int
        Number of calls looked ahead: 1, 2 or 3.
    width : int
        Below the first call only the ``width`` best candidates of one step are followed deeper.
    values : float64[experts]
        Overwritten at the candidates not yet taken: probability of a right verdict after asking
        them, less the price of all calls expected. Other entries are left alone.

    Returns
    -------
    float
        Probability that the best answer given so far is right.
    """
    bench = _bench_of(evidence, menu)
    total, _ = _survey(evidence, 0, menu, bench)
    for place in range(menu.candidates.shape[0]):
        expert = menu.candidates[place]
        if menu.taken[expert]:
            continue
        if depth == 1:
            value = bench.one_step[0, place] + total * menu.price[expert]
        elif depth == 2:
            value = _branches_to_one(evidence, 0, menu, expert, bench)
        else:
            value = _branches_to_two(evidence, 0, menu, expert, width, bench)
        values[expert] = value / total - menu.price[expert]
    return current_value(evidence, 0) / total


@kernel
def _candidates(question: Question, taken: BoolArray, limit: int) -> IntArray:
    """List whom to consider: the pool, or the first of all where nobody of it can answer."""
    found, count, given = np.empty(taken.shape[0], np.int64), 0, False
    for expert in range(taken.shape[0]):
        if question.pool[expert] and question.free[expert] and not taken[expert]:
            found[count] = expert
            count += 1
    for answer in question.answers:
        given |= answer >= 0
    if count == 0 and not given:
        for expert in range(taken.shape[0]):
            if question.free[expert] and not taken[expert] and count < limit:
                found[count] = expert
                count += 1
    return found[:count]


@kernel
def value_asks(
    question: Question, evidence: Evidence, depth: int, width: int, limit: int, values: FloatArray
) -> float:
    """Weigh the answers so far and fill what asking is worth: all of a decision in one call.

    Parameters
    ----------
    question : Question
    evidence : Evidence
        Overwritten; room for the answers given and what the look-ahead may add.
    depth, width
        As for `ask_values`.
    limit : int
        Most experts considered where nobody of the pool can be asked and no answer was given.
    values : float64[experts]
        Overwritten as by `ask_values`, −inf for everybody not considered.

    Returns
    -------
    float
        Probability that the best answer given so far is right.
    """
    values[:] = -np.inf
    weigh_answers(question.prior, question.log_rates, question.experts, question.answers, evidence)
    taken = np.zeros(values.shape[0], np.bool_)
    for expert in question.experts:
        taken[expert] = True
    candidates = _candidates(question, taken, limit)
    menu = Menu(question.rates, question.price, candidates, taken, question.n_options)
    return ask_values(evidence, menu, depth, width, values)
