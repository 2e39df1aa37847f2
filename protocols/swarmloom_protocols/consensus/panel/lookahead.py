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
    EMPTY,
    NOTHING,
    OTHER,
    POPULAR,
    RIGHT,
    Evidence,
    marginals,
)

__all__ = ["Menu", "ask_values", "current_value"]


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


@kernel
def current_value(evidence: Evidence, level: int) -> float:
    """Weight of the likeliest answer given so far; 0 where none was given."""
    best = 0.0
    for option in range(1, evidence.named[level] + 1):
        best = max(best, evidence.truth[level, option].sum())
    return best


@kernel
def _value_of_naming(evidence: Evidence, level: int, rate: FloatArray, answer: int) -> float:
    """Weight of the best verdict once the expert has given ``answer`` (0: one new option)."""
    base, right = evidence.base[level], evidence.right[level]
    popular, truth = evidence.popular[level], evidence.truth[level]
    classes = base.shape[0]
    best = 0.0
    for z in range(classes):
        best += rate[z, RIGHT] * truth[answer, z]
    for option in range(1, evidence.named[level] + 1):
        if option == answer:
            continue
        value = 0.0
        for z in range(classes):
            lured = base[z] * right[option, z] * popular[answer, z]
            value += rate[z, OTHER] * truth[option, z]
            value += (rate[z, POPULAR] - rate[z, OTHER]) * lured
        best = max(best, value)
    return best


@kernel
def _value_of_nothing(evidence: Evidence, level: int, rate: FloatArray) -> float:
    """Weight of the best verdict once the expert has given no answer."""
    best = 0.0
    for option in range(1, evidence.named[level] + 1):
        value = 0.0
        for z in range(rate.shape[0]):
            value += rate[z, NOTHING] * evidence.truth[level, option, z]
        best = max(best, value)
    return best


@kernel
def _one_step(evidence: Evidence, level: int, menu: Menu, expert: int) -> float:
    """Return the expected weight of the verdict after asking ``expert``, price not deducted."""
    rate = menu.rates[expert]
    value = _value_of_nothing(evidence, level, rate)
    unnamed = menu.n_options - evidence.named[level]
    if unnamed > 0:
        value += unnamed * _value_of_naming(evidence, level, rate, 0)
    for answer in range(1, evidence.named[level] + 1):
        value += _value_of_naming(evidence, level, rate, answer)
    return value


@kernel
def _absorb(evidence: Evidence, level: int, rate: FloatArray, answer: int) -> None:
    """Write the evidence after one more answer (``EMPTY``, 0 for new, or 1...) to ``level + 1``."""
    named = evidence.named[level]
    base, right, popular = evidence.base, evidence.right, evidence.popular
    evidence.named[level + 1] = named + 1 if answer == 0 else named
    slot = named + 1 if answer == 0 else answer
    for z in range(base.shape[1]):
        for option in range(named + 1):
            right[level + 1, option, z] = right[level, option, z]
            popular[level + 1, option, z] = popular[level, option, z]
        if answer == EMPTY:
            base[level + 1, z] = base[level, z] * rate[z, NOTHING]
            continue
        base[level + 1, z] = base[level, z] * rate[z, OTHER]
        right[level + 1, slot, z] = right[level, answer, z] * rate[z, RIGHT] / rate[z, OTHER]
        popular[level + 1, slot, z] = popular[level, answer, z] * rate[z, POPULAR] / rate[z, OTHER]


@kernel
def _survey(evidence: Evidence, level: int, menu: Menu, one_step: FloatArray) -> float:
    """Fill the net one-step value of every candidate; return the total weight."""
    total = marginals(evidence, level, menu.n_options)
    for position in range(menu.candidates.shape[0]):
        expert = menu.candidates[position]
        one_step[position] = -np.inf
        if not menu.taken[expert]:
            value = _one_step(evidence, level, menu, expert)
            one_step[position] = value - total * menu.price[expert]
    return total


@kernel
def _best_of_one(evidence: Evidence, level: int, menu: Menu, one_step: FloatArray) -> float:
    """Weight of the best policy that asks at most one more expert."""
    _survey(evidence, level, menu, one_step)
    return max(current_value(evidence, level), float(one_step.max()))


@kernel
def _branches_to_one(
    evidence: Evidence, level: int, menu: Menu, expert: int, one_step: FloatArray
) -> float:
    """Return the expected weight after asking ``expert`` and going on with at most one more."""
    menu.taken[expert] = True
    value = 0.0
    for answer in range(EMPTY, evidence.named[level] + 1):
        count = menu.n_options - evidence.named[level] if answer == 0 else 1.0
        if count > 0.0:
            _absorb(evidence, level, menu.rates[expert], answer)
            value += count * _best_of_one(evidence, level + 1, menu, one_step)
    menu.taken[expert] = False
    return value


@kernel
def _best_of_two(
    evidence: Evidence, level: int, menu: Menu, width: int, one_step: FloatArray
) -> float:
    """Weight of the best policy that asks at most two more, the first of the ``width`` best."""
    deeper = np.empty_like(one_step)
    total = _survey(evidence, level, menu, one_step)
    best = max(current_value(evidence, level), float(one_step.max()))
    for _ in range(min(width, one_step.shape[0])):
        position = np.argmax(one_step)
        if one_step[position] == -np.inf:
            break
        one_step[position] = -np.inf
        expert = menu.candidates[position]
        value = _branches_to_one(evidence, level, menu, expert, deeper)
        best = max(best, value - total * menu.price[expert])
    return best


@kernel
def _branches_to_two(
    evidence: Evidence, level: int, menu: Menu, expert: int, width: int, one_step: FloatArray
) -> float:
    """Return the expected weight after asking ``expert`` and going on with at most two more."""
    menu.taken[expert] = True
    value = 0.0
    for answer in range(EMPTY, evidence.named[level] + 1):
        count = menu.n_options - evidence.named[level] if answer == 0 else 1.0
        if count > 0.0:
            _absorb(evidence, level, menu.rates[expert], answer)
            value += count * _best_of_two(evidence, level + 1, menu, width, one_step)
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
    one_step = np.empty(menu.candidates.shape[0])
    total = marginals(evidence, 0, menu.n_options)
    for expert in menu.candidates:
        if menu.taken[expert]:
            continue
        if depth == 1:
            value = _one_step(evidence, 0, menu, expert)
        elif depth == 2:
            value = _branches_to_one(evidence, 0, menu, expert, one_step)
        else:
            value = _branches_to_two(evidence, 0, menu, expert, width, one_step)
        values[expert] = value / total - menu.price[expert]
    return current_value(evidence, 0) / total
