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

PLAIN, LURED = 0, 1
VALUE, BEST, CARRY = 0, 1, 2

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

    Few arrays: to take one out of a tuple costs as much as a sum over all candidates.

    Attributes
    ----------
    rates : float64[blocks, 4, classes / CLASSES, CLASSES * LANES]
        Rates of the candidates, `LANES` of them side by side; 0 beyond the last.
    weight : float64[2, classes]
        Joint weight of an option being true and the expert's answer not the popular wrong one
        (`PLAIN`), and being so (`LURED`). 0 at the padding.
    lane : float64[3, LANES]
        Sum over the answers (`VALUE`), the best verdict of the one at hand (`BEST`), and the sums
        of products of all classes but the last group (`CARRY`), 0 in between.
    one_step : float64[levels, n]
        Net one-step value of every candidate.
    """

    rates: FloatArray
    weight: FloatArray
    lane: FloatArray
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
def _set_out(evidence: Evidence, menu: Menu) -> _Bench:
    n, classes = menu.candidates.shape[0], evidence.base.shape[1]
    groups = (classes + CLASSES - 1) // CLASSES
    rates = np.zeros(((n + LANES - 1) // LANES, 4, groups, CLASSES * LANES))
    for place in range(n):
        rate = menu.rates[menu.candidates[place]]
        into, lane = rates[place // LANES], place % LANES
        for kind in range(4):
            for z in range(classes):
                into[kind, z // CLASSES, z % CLASSES * LANES + lane] = rate[z, kind]
    weight, lane = np.zeros((2, groups * CLASSES)), np.zeros((3, LANES))
    return _Bench(rates, weight, lane, np.empty((evidence.base.shape[0], n)))


@kernel(fastmath=FUSED)
def _raise_to_one(
    lane: FloatArray, rates: FloatArray, weight: FloatArray, block: int, kind: int, n: int
) -> None:
    """Raise the best verdicts to sums over the classes of rate times plain weight."""
    rate, best, carry = rates[block, kind], lane[BEST], lane[CARRY]
    last = rate.shape[0] - 1
    for group in range(last):
        for z in range(CLASSES):
            for i in range(n):
                carry[i] += rate[group, z * LANES + i] * weight[PLAIN, group * CLASSES + z]
    at = last * CLASSES
    a, b, c = weight[PLAIN, at], weight[PLAIN, at + 1], weight[PLAIN, at + 2]
    d, e = weight[PLAIN, at + 3], weight[PLAIN, at + 4]
    for i in range(n):
        verdict = carry[i] + rate[last, i] * a
        verdict += rate[last, i + LANES] * b
        verdict += rate[last, i + 2 * LANES] * c
        verdict += rate[last, i + 3 * LANES] * d
        verdict += rate[last, i + 4 * LANES] * e
        best[i] = verdict if verdict > best[i] else best[i]
        carry[i] = 0.0


@kernel(fastmath=FUSED)
def _raise_to_two(
    lane: FloatArray, rates: FloatArray, weight: FloatArray, block: int, n: int
) -> None:
    """Raise the best verdicts to the weight of an option other than the answer."""
    other, lure = rates[block, OTHER], rates[block, POPULAR]
    best, carry = lane[BEST], lane[CARRY]
    last = other.shape[0] - 1
    for group in range(last):
        for z in range(CLASSES):
            k = group * CLASSES + z
            for i in range(n):
                at = z * LANES + i
                carry[i] += other[group, at] * weight[PLAIN, k] + lure[group, at] * weight[LURED, k]
    at = last * CLASSES
    a, b, c = weight[PLAIN, at], weight[PLAIN, at + 1], weight[PLAIN, at + 2]
    d, e = weight[PLAIN, at + 3], weight[PLAIN, at + 4]
    f, g, h = weight[LURED, at], weight[LURED, at + 1], weight[LURED, at + 2]
    j, k = weight[LURED, at + 3], weight[LURED, at + 4]
    for i in range(n):
        verdict = carry[i] + other[last, i] * a + lure[last, i] * f
        verdict += other[last, i + LANES] * b + lure[last, i + LANES] * g
        verdict += other[last, i + 2 * LANES] * c + lure[last, i + 2 * LANES] * h
        verdict += other[last, i + 3 * LANES] * d + lure[last, i + 3 * LANES] * j
        verdict += other[last, i + 4 * LANES] * e + lure[last, i + 4 * LANES] * k
        best[i] = verdict if verdict > best[i] else best[i]
        carry[i] = 0.0


@kernel
def _weigh_block(
    evidence: Evidence, level: int, n_options: float, bench: _Bench, block: int, n: int
) -> None:
    """Fill the expected weight of the verdict after asking each candidate of a block.

    Summed over the answers that it may give: none, a new one, or one of those named already.
    """
    base, right, popular, truth = evidence.base, evidence.right, evidence.popular, evidence.truth
    named, classes = evidence.named[level], base.shape[1]
    rates, weight, lane = bench.rates, bench.weight, bench.lane
    lane[VALUE, :n] = 0.0
    for answer in range(EMPTY, named + 1):
        count = n_options - named if answer == 0 else 1.0
        if count <= 0.0:
            continue
        lane[BEST, :n] = 0.0
        if answer >= 0:
            for z in range(classes):
                weight[PLAIN, z] = truth[level, answer, z]
            _raise_to_one(lane, rates, weight, block, RIGHT, n)
        for option in range(1, named + 1):
            if option == answer:
                continue
            for z in range(classes):
                weight[PLAIN, z] = truth[level, option, z]
            if answer == EMPTY:
                _raise_to_one(lane, rates, weight, block, NOTHING, n)
                continue
            for z in range(classes):
                lured = base[level, z] * right[level, option, z] * popular[level, answer, z]
                weight[LURED, z] = lured
                weight[PLAIN, z] -= lured
            _raise_to_two(lane, rates, weight, block, n)
        for i in range(n):
            lane[VALUE, i] += count * lane[BEST, i]


@kernel
def _survey(evidence: Evidence, level: int, menu: Menu, bench: _Bench) -> tuple[float, float]:
    """Fill the net one-step value of every candidate; return total weight and largest value."""
    total = marginals(evidence, level, menu.n_options)
    largest = -np.inf
    candidates, price, taken = menu.candidates, menu.price, menu.taken
    lane, one_step = bench.lane, bench.one_step
    for block in range(bench.rates.shape[0]):
        start = block * LANES
        n = min(LANES, candidates.shape[0] - start)
        # Without a remainder there is no scalar loop behind the vectors.
        _weigh_block(evidence, level, menu.n_options, bench, block, (n + 7) // 8 * 8)
        for i in range(n):
            expert = candidates[start + i]
            net = lane[VALUE, i] - total * price[expert]
            net = -np.inf if taken[expert] else net
            one_step[level, start + i] = net
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
    bench = _set_out(evidence, menu)
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
