"""How far each depositor of trails is believed, learned from whether it agrees with the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["learned_trust"]

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_PASSES = 8


def learned_trust(
    amounts: Float64Array, cells: IntArray, depositors: IntArray, fixed: Float64Array
) -> Float64Array:
    """Weigh depositors by the inverse of their squared Birge ratio.

    For each of a depositor's trails its successes are compared with what all others, weighted by
    their own trust, say about the same cell. The mean of the squared standardised differences,
    weighted by n·m/(m + 1) with n its observations and m theirs, is about 1 for an honest
    depositor. Its evidence is divided by what exceeds 1, as the variance of discrepant
    measurements is inflated by the squared Birge ratio (Birge 1932). Trust and pooled rates depend
    on each other and are found by a few passes.

    Parameters
    ----------
    amounts : ndarray of float64, shape (2, N)
        Success and failure amounts of each trail, in observations.
    cells : ndarray of int64, shape (N,)
        Topic × expert cell of each trail, 0…cells.
    depositors : ndarray of int64, shape (N,)
        Depositor of each trail.
    fixed : ndarray of float64, shape (D,)
        Trust that is given, NaN where it is to be learned.

    Returns
    -------
    ndarray of float64, shape (D,)
        `fixed` where given, else in (0, 1]; 1 for a depositor that nobody else can be compared
        with.
    """
    learned = np.isnan(fixed)
    trust = np.where(learned, 1.0, fixed)
    if not learned[depositors].any():
        return trust
    for _ in range(_PASSES):
        ratio = _squared_ratio(amounts, cells, depositors, trust)
        trust = np.where(learned, 1.0 / np.maximum(1.0, ratio), fixed)
    return trust


def _squared_ratio(
    amounts: Float64Array, cells: IntArray, depositors: IntArray, trust: Float64Array
) -> Float64Array:
    """Mean squared standardised difference of each depositor from the others."""
    size = amounts.sum(axis=0)
    others = _without_own(amounts * trust[depositors], cells)
    known = others.sum(axis=0)
    rate, miss = (others + 0.5) / (known + 1.0)
    # Beta-binomial variance: the others' rate is itself uncertain.
    variance = size * rate * miss * (known + 1.0 + size) / (known + 2.0)
    gap = (amounts[0] - size * rate) ** 2
    squared = np.divide(gap, variance, out=np.zeros_like(gap), where=size > 0.0)
    # Fading with what the others know, so that a rounding error of theirs weighs nothing.
    weight = size * known / (known + 1.0)
    total = np.bincount(depositors, weight, len(trust))
    summed = np.bincount(depositors, weight * squared, len(trust))
    # One observation of agreeing: who can hardly be compared with others is believed.
    ratio: Float64Array = (summed + 1.0) / (total + 1.0)
    return ratio


def _without_own(amounts: Float64Array, cells: IntArray) -> Float64Array:
    pooled = np.stack([np.bincount(cells, amount)[cells] for amount in amounts])
    return np.maximum(pooled - amounts, 0.0)
