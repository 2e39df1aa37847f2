"""Stated confidence, corrected by the grades seen.

Where experts share errors in more ways than the model knows, its confidence is too high. Platt's
(1999, "Probabilistic outputs for support vector machines") logistic fit of right verdicts on the
logit of confidence, shrunk towards no correction, is monotone: the order of answers and every
decision stay what they were.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.panel.learning import History, responsibilities, weigh_task
from swarmloom_protocols.consensus.panel.reports import Belief

__all__ = ["UNCORRECTED", "Correction", "fit_correction", "likeliest", "restated"]

_SPREAD = np.array([0.5, 0.3])
"""Prior standard deviation of the bias and of the slope around 0 and 1."""

_LEAST_SLOPE = 0.1


class Correction(NamedTuple):
    """Stated logit = ``bias + slope * logit``.

    Attributes
    ----------
    bias, slope : float
        ``slope`` is positive.
    """

    bias: float
    slope: float


UNCORRECTED = Correction(0.0, 1.0)


@kernel
def likeliest(
    history: History, difficulty: FloatArray, log_rates: FloatArray, log_pairs: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Judge tasks of unknown truth by their answers.

    Parameters
    ----------
    history : History
        Tasks of two options or more, ``truth`` -1.
    difficulty, log_rates, log_pairs
        As for `share_out`.

    Returns
    -------
    int64[tasks]
        The likeliest answer, -1 where none was given.
    float64[tasks]
        Its probability.
    """
    tasks, classes = history.topic.shape[0], difficulty.shape[1]
    best, chance = np.full(tasks, -1), np.zeros(tasks)
    options = 2 + np.append(history.answer, -1).max()
    right, popular = np.empty((options, classes)), np.empty((options, classes))
    for task in range(tasks):
        topic = history.topic[task]
        base = np.log(difficulty[topic])
        named = weigh_task(history, task, log_rates[topic], log_pairs[topic], base, right, popular)
        total, n_options = right[: named + 1], history.n_options[task]
        responsibilities(base, total, popular[: named + 1], n_options, -1)
        for option in range(named):
            belief = total[option + 1].sum()
            if belief > chance[task]:
                best[task], chance[task] = option, belief
    return best, chance


def fit_correction(confidence: FloatArray, right: BoolArray) -> Correction:
    """Fit by Newton's method (logistic likelihood, normal prior).

    Parameters
    ----------
    confidence : float64[graded]
        As the model gave it, 0 to 1.
    right : bool[graded]
        Whether the verdict was right.
    """
    rows = np.column_stack([np.ones(confidence.shape[0]), _logit(confidence)])
    mean = np.array(UNCORRECTED)
    precision = np.diag(_SPREAD**-2.0)
    found = mean
    for _ in range(20):
        chance = _sigmoid(rows @ found)
        slope = rows.T @ (right - chance) - precision @ (found - mean)
        curvature = (rows * (chance * (1.0 - chance))[:, None]).T @ rows + precision
        found = found + np.clip(np.linalg.solve(curvature, slope), -1.0, 1.0)
    return Correction(float(found[0]), max(float(found[1]), _LEAST_SLOPE))


def restated(belief: Belief, correction: Correction) -> Belief:
    """Lower the likeliest answer's chance; the others keep their proportions.

    It is never raised: that verdicts so far were better than stated says nothing of an answer
    by experts that hardly gave any of them. No answer rises above the likeliest: what would goes
    to `Belief.other`.
    """
    chance = belief.answers
    if chance.shape[0] == 0 or correction == UNCORRECTED:
        return belief
    best = int(np.argmax(chance))
    stated = float(_sigmoid(correction.bias + correction.slope * _logit(chance[best])))
    top = min(stated, float(chance[best]))
    rest = 1.0 - float(chance[best])
    share = (1.0 - top) / rest if rest > 0.0 else 0.0
    moved = np.minimum(chance * share, top)
    moved[best] = top
    return Belief(moved, max(1.0 - float(moved.sum()), 0.0))


def _sigmoid(logit: FloatArray) -> FloatArray:
    return 1.0 / (1.0 + np.exp(-logit))


def _logit(chance: FloatArray) -> FloatArray:
    within = np.clip(chance, 1e-4, 1.0 - 1e-4)
    return np.log(within) - np.log1p(-within)
