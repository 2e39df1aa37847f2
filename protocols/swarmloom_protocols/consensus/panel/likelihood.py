"""Likelihood of the latent-difficulty panel: what a set of answers says about the truth.

A task has a hidden difficulty class ``z``, a true option ``o`` and one *popular* wrong option
``d``. Given the three, experts answer independently: expert ``j`` is right with probability
``c[j, z]``, gives no answer with ``e[j, z]``, falls for the popular wrong option with ``w[j, z]``
and spreads ``u[j, z]`` evenly over the other ``n - 2`` options. Sharing ``z`` and ``d`` is what
makes two weak experts that agree count for little. The model is Dawid and Skene's (1979) with
item difficulty and a common distractor added.

For one class the joint weight factorises,

    P(z, o, d, answers) = base[z] * right[z, o] * popular[z, d],    o != d,

where ``right`` and ``popular`` are likelihood ratios against the "any other option" rate, and all
options nobody has named share one entry, index 0. Named answers have the indices 1, 2, ...
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import FloatArray, IntArray

__all__ = [
    "ABSENT",
    "BASE",
    "EMPTY",
    "POPULARS",
    "RIGHTS",
    "TRUTHS",
    "Evidence",
    "RateTable",
    "marginals",
    "new_evidence",
    "option_rates",
    "rate_table",
    "weigh_answers",
]

EMPTY = -1
"""The answer of an expert that gave none: a failure, a timeout, nothing readable."""

ABSENT = -2
"""In a table of recorded answers: the expert was not asked."""

RIGHT, NOTHING, POPULAR, OTHER = 0, 1, 2, 3

_IMPOSSIBLE = 1e-12
"""Rate of a wrong answer where there is none to give; positive, for the ratios' sake."""


BASE, RIGHTS, POPULARS, TRUTHS = 0, 1, 2, 3
"""Parts of the joint weights of a task, see `Evidence`."""


class Evidence(NamedTuple):
    """Joint weights of a task, one slice a level of the look-ahead (level 0 is the task itself).

    Attributes
    ----------
    joint : float64[levels, 4, options, classes]
        By part, in one array, for kernels count the references of each one that they are given:
        ``BASE`` (row 0 alone), ``RIGHTS`` and ``POPULARS``, the likelihood ratios of an option
        being the truth, or the popular wrong one (entry 0 stands for each single option that
        nobody has named), and ``TRUTHS``, ``P(z, o)`` up to a constant, which `marginals` fills.
    named : int64[levels]
        How many distinct answers have been given.
    """

    joint: FloatArray
    named: IntArray


class RateTable(NamedTuple):
    """Rates of all experts on tasks of a topic and of a number of options.

    Attributes
    ----------
    rates : float64[experts, classes, 4]
        `option_rates` with the noise of exploration, for decisions.
    log_rates : float64[experts, classes, 4]
        Their logarithms.
    log_believed : float64[experts, classes, 4]
        Logarithms of `option_rates` as learned, for verdicts.
    prior : float64[classes]
        Probability of each difficulty class.
    """

    rates: FloatArray
    log_rates: FloatArray
    log_believed: FloatArray
    prior: FloatArray


def new_evidence(levels: int, options: int, classes: int) -> Evidence:
    """Scratch room for tasks of at most ``options`` distinct answers."""
    return Evidence(np.zeros((levels, 4, options + 1, classes)), np.zeros(levels, np.int64))


def option_rates(rates: FloatArray, n_options: int) -> FloatArray:
    """Turn class rates into the likelihood of one given option.

    Parameters
    ----------
    rates : float64[..., 4]
        Probabilities of {right, empty, popular wrong, other wrong}.
    n_options : int
        Number of options of the task, at least 1.

    Returns
    -------
    float64[..., 4]
        The last column divided over the ``n_options - 2`` other options. With two options every
        wrong answer is the popular one. A task of one option is one of two that nobody gets
        wrong: count two options for it everywhere else.
    """
    single = rates.copy()
    if n_options > 2:
        single[..., OTHER] /= n_options - 2
        return single
    single[..., POPULAR] += single[..., OTHER]
    if n_options == 1:
        single[..., RIGHT] += single[..., POPULAR]
        single[..., POPULAR] = _IMPOSSIBLE
    # No third option exists, so this rate cancels out; it only has to be positive.
    single[..., OTHER] = single[..., POPULAR]
    return single


def rate_table(
    prior: FloatArray, explored: FloatArray, learned: FloatArray, n_options: int
) -> RateTable:
    """Tabulate a topic's rates for tasks of a number of options.

    Parameters
    ----------
    prior : float64[classes]
    explored, learned : float64[experts, classes, 4]
        Rates as decisions and as verdicts use them.
    n_options : int
    """
    rates = option_rates(explored, n_options)
    return RateTable(rates, np.log(rates), np.log(option_rates(learned, n_options)), prior)


@kernel
def weigh_answers(
    prior: FloatArray,
    log_rates: FloatArray,
    experts: IntArray,
    answers: IntArray,
    evidence: Evidence,
) -> None:
    """Fill level 0 of ``evidence`` from the answers given.

    Parameters
    ----------
    prior : float64[classes]
        Probability of each difficulty class.
    log_rates : float64[experts, classes, 4]
        Logarithm of `option_rates`.
    experts, answers : int64[calls]
        Who was asked and the answer given: 0, 1, ... or ``EMPTY``.
    evidence : Evidence
        Overwritten at level 0.
    """
    classes = prior.shape[0]
    named = 0
    for call in range(answers.shape[0]):
        named = max(named, answers[call] + 1)
    evidence.named[0] = named
    joint = evidence.joint
    base, right, popular = joint[0, BASE, 0], joint[0, RIGHTS], joint[0, POPULARS]
    right[: named + 1] = 0.0
    popular[: named + 1] = 0.0
    for z in range(classes):
        base[z] = np.log(prior[z])
    for call in range(answers.shape[0]):
        rate, option = log_rates[experts[call]], answers[call] + 1
        for z in range(classes):
            if option == 0:
                base[z] += rate[z, NOTHING]
            else:
                base[z] += rate[z, OTHER]
                right[option, z] += rate[z, RIGHT] - rate[z, OTHER]
                popular[option, z] += rate[z, POPULAR] - rate[z, OTHER]
    _leave_logarithms(base, right[: named + 1], popular[: named + 1])


@kernel
def _leave_logarithms(base: FloatArray, right: FloatArray, popular: FloatArray) -> None:
    """Exponentiate in place, every factor scaled so that its largest value is 1."""
    for z in range(base.shape[0]):
        top_right, top_popular = right[:, z].max(), popular[:, z].max()
        base[z] += top_right + top_popular
        for option in range(right.shape[0]):
            right[option, z] = np.exp(right[option, z] - top_right)
            popular[option, z] = np.exp(popular[option, z] - top_popular)
    top = base.max()
    for z in range(base.shape[0]):
        base[z] = np.exp(base[z] - top)


@kernel
def marginals(joint: FloatArray, level: int, named: int, n_options: float) -> float:
    """Fill ``joint[level, TRUTHS]`` with ``P(z, o)`` and return the total weight.

    Entry 0 is the weight of one single unnamed option; there are ``n_options - named`` of them.
    """
    unnamed = n_options - named
    total = 0.0
    for option in range(named + 1):
        count = 1.0 if option else unnamed
        for z in range(joint.shape[3]):
            rest = joint[level, POPULARS, 0, z] * (unnamed if option else max(unnamed - 1.0, 0.0))
            # A direct sum: subtracting from a common total cancels when one answer dominates.
            for other in range(1, named + 1):
                if other != option:
                    rest += joint[level, POPULARS, other, z]
            weight = joint[level, BASE, 0, z] * joint[level, RIGHTS, option, z] * rest
            joint[level, TRUTHS, option, z] = weight
            total += count * weight
    return total


@kernel
def answer_chances(
    prior: FloatArray,
    log_rates: FloatArray,
    experts: IntArray,
    answers: IntArray,
    evidence: Evidence,
    n_options: float,
) -> FloatArray:
    """Return the probability that each distinct answer given is right.

    Parameters
    ----------
    prior, log_rates, experts, answers, evidence
        As for `weigh_answers`.
    n_options : float
        As for `marginals`.

    Returns
    -------
    float64[answers]
        What is missing to 1 is the probability of the options that nobody has named.
    """
    weigh_answers(prior, log_rates, experts, answers, evidence)
    total = marginals(evidence.joint, 0, evidence.named[0], n_options)
    chances = np.zeros(evidence.named[0])
    for option in range(chances.shape[0]):
        for z in range(prior.shape[0]):
            chances[option] += evidence.joint[0, TRUTHS, option + 1, z]
        chances[option] /= total
    return chances
