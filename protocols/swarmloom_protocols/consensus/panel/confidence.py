"""Stated confidence, corrected by the grades seen.

Where experts share errors in more ways than the model knows, its confidence is too high. Platt's
(1999, "Probabilistic outputs for support vector machines") logistic fit of right verdicts on the
logit of confidence, shrunk towards no correction, is monotone: the order of answers and every
decision stay what they were.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmloom_protocols.consensus._types import BoolArray, FloatArray
from swarmloom_protocols.consensus.panel.reports import Belief

__all__ = ["UNCORRECTED", "Correction", "fit_correction", "restated"]

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
