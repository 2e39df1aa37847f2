"""Look-ahead of the latent-difficulty panel: what asking one more expert is worth.

With ``V(S)`` the probability that the best answer given so far is right,

    Q1(j) = E_a V(S + a) - price[j]
    Qk(j) = E_a max(V(S + a), max_i Q(k-1)(i | S + a)) - price[j],    prices times lambda.

One step has a closed form over the outcomes {each named answer, a new answer, none}; deeper steps
branch over them. All values below are unnormalised, that is multiplied by the total weight of the
evidence, so that expectations are plain sums over the branches.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.panel.likelihood import (
    BASE,
    EMPTY,
    NOTHING,
    OTHER,
    POPULAR,
    POPULARS,
    RIGHT,
    RIGHTS,
    TRUTHS,
    Evidence,
    marginals,
    weigh_answers,
)

__all__ = ["Menu", "Question", "ask_values", "choice", "decide", "unheard"]

LANES, CLASSES = 32, 5
"""Candidates valued side by side, and classes in one sum: constants, for vector instructions."""

_TIE = 1e-9
"""Values this close are the same."""

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
    pool, free, speakers : bool[experts]
        Who is considered, who may be asked at all, and who speaks for a group.
    groups : int64[experts]
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
    speakers: BoolArray
    groups: IntArray
    price: FloatArray
    n_options: float


class _Bench(NamedTuple):
    """Room for valuing all candidates at once; classes padded to a multiple of `CLASSES`.

    Attributes
    ----------
    lanes : float64[blocks, 4, classes / CLASSES, CLASSES * LANES]
        Rates of the candidates, `LANES` of them side by side; 0 beyond the last.
    price : float64[n]
        Price of each candidate in units of utility; infinite while it is assumed to be asked.
    weights : float64[rows, 2 * classes + 1]
        What `_plan` writes: weights of two rates in every class, and a count.
    kinds : int64[rows]
        The first of the two rates; the second is that of the popular wrong answer.
    sums : float64[3 * LANES]
        Sum over the answers, best verdict of the one at hand, and sums of products of all classes
        but the last group (0 in between).
    one_step : float64[levels, n]
        Net one-step value of every candidate.
    """

    lanes: FloatArray
    price: FloatArray
    weights: FloatArray
    kinds: IntArray
    sums: FloatArray
    one_step: FloatArray


@kernel
def _bench_of(evidence: Evidence, menu: Menu, depth: int) -> _Bench:
    candidates, rates, classes = menu.candidates, menu.rates, evidence.joint.shape[3]
    n, groups = candidates.shape[0], (classes + CLASSES - 1) // CLASSES
    lanes = np.zeros(((n + LANES - 1) // LANES, 4, groups, CLASSES * LANES))
    price = np.empty(n)
    for place in range(n):
        block, lane, expert = place // LANES, place % LANES, candidates[place]
        price[place] = np.inf if menu.taken[expert] else menu.price[expert]
        for kind in range(4):
            for z in range(classes):
                at = z % CLASSES * LANES + lane
                lanes[block, kind, z // CLASSES, at] = rates[expert, z, kind]
    most = evidence.named[0] + depth
    rows = (most + 2) * (most + 1)
    return _Bench(
        lanes,
        price,
        np.zeros((rows, 2 * groups * CLASSES + 1)),
        np.zeros(rows, np.int64),
        np.zeros(3 * LANES),
        np.empty((depth + 1, n)),
    )


@kernel
def current_value(joint: FloatArray, level: int, named: int) -> float:
    """Weight of the likeliest answer given so far; 0 where none was given."""
    best = 0.0
    for option in range(1, named + 1):
        weight = 0.0
        for z in range(joint.shape[3]):
            weight += joint[level, TRUTHS, option, z]
        best = max(best, weight)
    return best


@kernel
def _plan(
    joint: FloatArray,
    level: int,
    named: int,
    n_options: float,
    weights: FloatArray,
    kinds: IntArray,
) -> int:
    """List the sums of products that a candidate's value is made of; return their number.

    One row for each answer that it may give (none, a new one, or one of those named already) and
    each verdict then possible. The count at the end of ``weights`` is that of the answers where
    the row is the last of one, and 0 elsewhere.
    """
    row, half = 0, weights.shape[1] // 2
    for answer in range(EMPTY, named + 1):
        count = n_options - named if answer == 0 else 1.0
        if count <= 0.0 or (answer == EMPTY and named == 0):
            continue
        for option in range(0 if answer == 0 else 1, named + 1):
            shared = answer not in (option, EMPTY)
            kinds[row] = NOTHING if answer == EMPTY else OTHER if shared else RIGHT
            for z in range(joint.shape[3]):
                lured = 0.0
                if shared:
                    lured = joint[level, BASE, 0, z] * joint[level, RIGHTS, option, z]
                    lured *= joint[level, POPULARS, answer, z]
                weights[row, z] = joint[level, TRUTHS, option, z] - lured
                weights[row, half + z] = lured
            weights[row, 2 * half] = count if option == named else 0.0
            row += 1
    return row


@kernel(fastmath=FUSED)
def _value_block(
    lanes: FloatArray,
    block: int,
    rows: int,
    weights: FloatArray,
    kinds: IntArray,
    sums: FloatArray,
    n: int,
) -> None:
    """Sum a plan's rows into the expected weight of the verdict after asking each of ``n``."""
    last, half = lanes.shape[2] - 1, weights.shape[1] // 2
    at = last * CLASSES
    for i in range(n):
        sums[i] = 0.0
        sums[i + LANES] = 0.0
    for row in range(rows):
        kind = kinds[row]
        for z in range(at):
            group, off = z // CLASSES, z % CLASSES * LANES
            plain, lured = weights[row, z], weights[row, half + z]
            for i in range(n):
                product = lanes[block, kind, group, off + i] * plain
                product += lanes[block, POPULAR, group, off + i] * lured
                sums[i + 2 * LANES] += product
        count = weights[row, 2 * half]
        for i in range(n):
            verdict = sums[i + 2 * LANES]
            for z in range(CLASSES):
                own, lure = weights[row, at + z], weights[row, half + at + z]
                verdict += lanes[block, kind, last, z * LANES + i] * own
                verdict += lanes[block, POPULAR, last, z * LANES + i] * lure
            best = max(verdict, sums[i + LANES])
            sums[i] += count * best
            sums[i + LANES] = 0.0 if count > 0.0 else best
            sums[i + 2 * LANES] = 0.0


@kernel
def _survey(
    joint: FloatArray,
    level: int,
    named: int,
    n_options: float,
    lanes: FloatArray,
    price: FloatArray,
    weights: FloatArray,
    kinds: IntArray,
    sums: FloatArray,
    one_step: FloatArray,
) -> tuple[float, float]:
    """Fill the net one-step value of every candidate; return total weight and largest value."""
    total = marginals(joint, level, named, n_options)
    rows = _plan(joint, level, named, n_options, weights, kinds)
    largest = -np.inf
    for block in range(lanes.shape[0]):
        start = block * LANES
        n = min(LANES, price.shape[0] - start)
        _value_block(lanes, block, rows, weights, kinds, sums, (n + 7) // 8 * 8)
        for lane in range(n):
            cost = price[start + lane]
            net = -np.inf if cost == np.inf else sums[lane] - total * cost
            one_step[level, start + lane] = net
            largest = max(largest, net)
    return total, largest


@kernel
def _absorb(
    joint: FloatArray, level: int, named: int, lanes: FloatArray, place: int, answer: int
) -> None:
    """Write the evidence after one more answer (``EMPTY``, 0 for new, or 1...) to ``level + 1``."""
    slot = named + 1 if answer == 0 else answer
    block, lane = place // LANES, place % LANES
    for option in range(named + 1):
        for z in range(joint.shape[3]):
            joint[level + 1, RIGHTS, option, z] = joint[level, RIGHTS, option, z]
            joint[level + 1, POPULARS, option, z] = joint[level, POPULARS, option, z]
    for z in range(joint.shape[3]):
        group, at = z // CLASSES, z % CLASSES * LANES + lane
        base, other = joint[level, BASE, 0, z], lanes[block, OTHER, group, at]
        if answer == EMPTY:
            joint[level + 1, BASE, 0, z] = base * lanes[block, NOTHING, group, at]
            continue
        joint[level + 1, BASE, 0, z] = base * other
        right = joint[level, RIGHTS, answer, z] * lanes[block, RIGHT, group, at]
        joint[level + 1, RIGHTS, slot, z] = right / other
        popular = joint[level, POPULARS, answer, z] * lanes[block, POPULAR, group, at]
        joint[level + 1, POPULARS, slot, z] = popular / other


@kernel
def _branches_to_one(
    joint: FloatArray, level: int, named: int, n_options: float, place: int, bench: _Bench
) -> float:
    """Return the expected weight after asking a candidate and going on with at most one more."""
    lanes, price, weights, kinds, sums, one_step = bench
    own, value = price[place], 0.0
    price[place] = np.inf
    for answer in range(EMPTY, named + 1):
        count = n_options - named if answer == 0 else 1.0
        if count > 0.0:
            _absorb(joint, level, named, lanes, place, answer)
            after = named + 1 if answer == 0 else named
            _, largest = _survey(
                joint, level + 1, after, n_options, lanes, price, weights, kinds, sums, one_step
            )
            value += count * max(current_value(joint, level + 1, after), largest)
    price[place] = own
    return value


@kernel
def _best_place(one_step: FloatArray, level: int, tie: float) -> int:
    """Return the place of the largest value, the first of those that are the same."""
    place = 0
    for other in range(one_step.shape[1]):
        best = one_step[level, place]
        if one_step[level, other] > best + tie or best == -np.inf:
            place = other
    return place


@kernel
def _best_of_two(
    joint: FloatArray, level: int, named: int, n_options: float, width: int, bench: _Bench
) -> float:
    """Weight of the best policy that asks at most two more, the first of the ``width`` best."""
    lanes, price, weights, kinds, sums, one_step = bench
    total, largest = _survey(
        joint, level, named, n_options, lanes, price, weights, kinds, sums, one_step
    )
    best = max(current_value(joint, level, named), largest)
    for _ in range(min(width, price.shape[0])):
        place = _best_place(one_step, level, _TIE * total)
        if one_step[level, place] == -np.inf:
            break
        one_step[level, place] = -np.inf
        value = _branches_to_one(joint, level, named, n_options, place, bench)
        best = max(best, value - total * price[place])
    return best


@kernel
def _branches_to_two(
    joint: FloatArray,
    level: int,
    named: int,
    n_options: float,
    place: int,
    width: int,
    bench: _Bench,
) -> float:
    """Return the expected weight after asking a candidate and going on with at most two more."""
    own, value = bench.price[place], 0.0
    bench.price[place] = np.inf
    for answer in range(EMPTY, named + 1):
        count = n_options - named if answer == 0 else 1.0
        if count > 0.0:
            _absorb(joint, level, named, bench.lanes, place, answer)
            after = named + 1 if answer == 0 else named
            value += count * _best_of_two(joint, level + 1, after, n_options, width, bench)
    bench.price[place] = own
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
    joint, named, n_options = evidence.joint, evidence.named[0], menu.n_options
    bench = _bench_of(evidence, menu, depth)
    lanes, price, weights, kinds, sums, one_step = bench
    total, _ = _survey(joint, 0, named, n_options, lanes, price, weights, kinds, sums, one_step)
    for place in range(price.shape[0]):
        cost = price[place]
        if cost == np.inf:
            continue
        if depth == 1:
            value = one_step[0, place] + total * cost
        elif depth == 2:
            value = _branches_to_one(joint, 0, named, n_options, place, bench)
        else:
            value = _branches_to_two(joint, 0, named, n_options, place, width, bench)
        values[menu.candidates[place]] = value / total - cost
    return current_value(joint, 0, named) / total


@kernel
def _candidates(
    pool: BoolArray, free: BoolArray, taken: BoolArray, answers: IntArray, limit: int
) -> IntArray:
    """List whom to consider: the pool, or the first of all where nobody of it can answer."""
    found, count, given = np.empty(taken.shape[0], np.int64), 0, False
    for expert in range(taken.shape[0]):
        if pool[expert] and free[expert] and not taken[expert]:
            found[count] = expert
            count += 1
    for answer in answers:
        given |= answer >= 0
    if count == 0 and not given:
        for expert in range(taken.shape[0]):
            if free[expert] and not taken[expert] and count < limit:
                found[count] = expert
                count += 1
    return found[:count]


@kernel
def choice(stop: float, values: FloatArray) -> int:
    """Return the expert to ask next, or -1 where stopping is worth as much.

    Two experts who would both be asked are worth the same in either order: the first of those
    that come within `_TIE` of the best is chosen, for rounding, which differs between
    processors, must not choose.
    """
    top = values.max()
    best = int(np.argmax(values >= top - _TIE))
    return -1 if top == -np.inf or 0.0 < stop >= values[best] else best


@kernel
def unheard(asked: IntArray, free: BoolArray, groups: IntArray, speakers: BoolArray) -> BoolArray:
    """One voice a group: leave out those whose like has answered, where others are left.

    Parameters
    ----------
    asked : int64[calls]
    free, speakers : bool[experts]
        Who may be asked; who speaks for a group.
    groups : int64[experts]

    Returns
    -------
    bool[experts]
    """
    others = free.copy()
    for expert in range(others.shape[0]):
        for heard in asked:
            others[expert] &= groups[expert] != groups[heard]
    speaking = others & speakers
    if speaking.any():
        return speaking
    return others if others.any() else free


@kernel
def decide(
    question: Question, evidence: Evidence, depth: int, width: int, limit: int, values: FloatArray
) -> tuple[float, int]:
    """Weigh the answers so far and fill what asking is worth: all of a decision in one call.

    Parameters
    ----------
    question : Question
    evidence, depth, width
        As for `ask_values`, level 0 overwritten.
    limit : int
        Most experts considered where nobody of the pool can be asked and no answer was given.
    values : float64[experts]
        Overwritten as by `ask_values`, −inf for everybody not considered.

    Returns
    -------
    float
        Probability that the best answer given so far is right.
    int
        As `choice` makes it.
    """
    values[:] = -np.inf
    weigh_answers(question.prior, question.log_rates, question.experts, question.answers, evidence)
    taken = np.zeros(values.shape[0], np.bool_)
    for expert in question.experts:
        taken[expert] = True
    free = unheard(question.experts, question.free, question.groups, question.speakers)
    candidates = _candidates(question.pool, free, taken, question.answers, limit)
    menu = Menu(question.rates, question.price, candidates, taken, question.n_options)
    stop = ask_values(evidence, menu, depth, width, values)
    return stop, choice(stop, values)
