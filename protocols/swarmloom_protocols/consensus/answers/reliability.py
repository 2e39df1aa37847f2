"""Whether a stated confidence can be relied on: calibration and discrimination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from swarmloom_protocols.consensus._types import BoolArray, FloatArray

__all__ = ["Reliability", "auroc2", "reliability", "right_at_coverage"]

N_BINS = 10


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability diagram of ten bins of equal width.

    Attributes
    ----------
    error : float
        Expected calibration error: mean |accuracy − confidence| of the bins, by their items.
    over_confidence : float
        Mean confidence less accuracy.
    confidence, accuracy : tuple of float
        Means of the bins that hold an item.
    items : tuple of int
        How many they hold.
    """

    error: float
    over_confidence: float
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    items: tuple[int, ...]


def reliability(confidence: FloatArray, right: BoolArray) -> Reliability:
    """Compare confidence with accuracy.

    Parameters
    ----------
    confidence : ndarray of float64, shape (items,)
        0 to 1.
    right : ndarray of bool, shape (items,)
        Whether each verdict was right.

    Returns
    -------
    Reliability
        Of 0 errors and no bins where there are no items.
    """
    bins = np.minimum((confidence * N_BINS).astype(np.int64), N_BINS - 1)
    items = np.bincount(bins, minlength=N_BINS)
    held = items > 0
    stated = np.bincount(bins, confidence, N_BINS)[held] / items[held]
    reached = np.bincount(bins, right, N_BINS)[held] / items[held]
    count = max(1, confidence.size)
    error = float(np.abs(stated - reached) @ items[held]) / count
    over = float(confidence.sum() - right.sum()) / count
    return Reliability(error, over, *(tuple(x.tolist()) for x in (stated, reached, items[held])))


def auroc2(confidence: FloatArray, right: BoolArray) -> float:
    """Return the chance that a right verdict has more confidence than a wrong one.

    Ties count half (Mann & Whitney 1947); NaN where all are right, or all wrong.
    """
    hits = int(right.sum())
    misses = right.size - hits
    if not hits or not misses:
        return float("nan")
    ranks = rankdata(confidence)[right].sum()
    return float((ranks - hits * (hits + 1) / 2) / (hits * misses))


def right_at_coverage(confidence: FloatArray, right: BoolArray, coverage: float) -> float:
    """Return the accuracy on the most confident share of the items; NaN of none.

    Items that tie at the edge count by the share of them that is kept.
    """
    kept = round(coverage * right.size)
    if not kept:
        return float("nan")
    edge = np.sort(confidence)[right.size - kept]
    above, level = confidence > edge, confidence == edge
    rest = (kept - int(above.sum())) * float(right[level].mean())
    return (float(right[above].sum()) + rest) / kept
