"""How far each depositor of trails is believed, learned from whether it agrees with others.

Peers are compared with one another. Guests, who may come under any number of names, are compared
with references alone, and together they count for no more than a share of what others know.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["guest_trust", "learned_trust", "pool_shares"]

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_PASSES = 8

# A guest that nothing is known of counts a quarter; ten observations in agreement halve what is
# missing to full trust.
_FIRST_TRUST = 0.25
_TRUST_PRIOR = 10.0


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
    others = _without_own(amounts * trust[depositors], cells)
    size, known = amounts.sum(axis=0), others.sum(axis=0)
    squared = _squared_differences(amounts, others)
    # Fading with what the others know, so that a rounding error of theirs weighs nothing.
    weight = size * known / (known + 1.0)
    total = np.bincount(depositors, weight, len(trust))
    summed = np.bincount(depositors, weight * squared, len(trust))
    # One observation of agreeing: who can hardly be compared with others is believed.
    ratio: Float64Array = (summed + 1.0) / (total + 1.0)
    return ratio


def _squared_differences(amounts: Float64Array, others: Float64Array) -> Float64Array:
    """Squared standardised difference of each trail's successes from what others expect."""
    size, known = amounts.sum(axis=0), others.sum(axis=0)
    rate, miss = (others + 0.5) / (known + 1.0)
    # Beta-binomial variance: the others' rate is itself uncertain.
    variance = size * rate * miss * (known + 1.0 + size) / (known + 2.0)
    gap = (amounts[0] - size * rate) ** 2
    squared: Float64Array = np.divide(gap, variance, out=np.zeros_like(gap), where=size > 0.0)
    return squared


def guest_trust(
    amounts: Float64Array, cells: IntArray, depositors: IntArray, references: BoolArray
) -> Float64Array:
    """Weigh depositors by how far references have borne them out.

    A depositor starts at 1/4 and comes nearer to 1 with n·m/(n + m) for each of its n observations
    of a cell of which references have made m: what the two can tell of each other. It is divided
    by its squared Birge ratio (Birge 1932) as in `learned_trust`. What others than references say
    plays no part, so that depositors cannot vouch for one another.

    Parameters
    ----------
    amounts : ndarray of float64, shape (2, N)
        Success and failure amounts of each trail, in observations, capped.
    cells, depositors : ndarray of int64, shape (N,)
    references : ndarray of bool, shape (D,)
        Which depositors are references.

    Returns
    -------
    ndarray of float64, shape (D,)
        In (0, 1]; of no meaning for references.
    """
    by_reference = amounts * references[depositors]
    known = _by_cell(by_reference, cells)
    size, compared = amounts.sum(axis=0), known.sum(axis=0)
    both = size + compared
    weight = np.divide(size * compared, both, out=np.zeros_like(both), where=both > 0.0)
    total = np.bincount(depositors, weight, len(references))
    summed = np.bincount(depositors, weight * _squared_differences(amounts, known), len(references))
    risen = (_TRUST_PRIOR * _FIRST_TRUST + total) / (_TRUST_PRIOR + total)
    trust: Float64Array = risen / np.maximum(1.0, (summed + 1.0) / (total + 1.0))
    return trust


def pool_shares(
    size: Float64Array, places: IntArray, guests: BoolArray, share: float, floor: float
) -> Float64Array:
    """Hold what all guests together say of a place to a share of what others say of it.

    Parameters
    ----------
    size : ndarray of float64, shape (N,)
        Observations of each trail, weighted.
    places : ndarray of int64, shape (N,)
        Cell or expert that each trail is about.
    guests : ndarray of bool, shape (N,)
        Which trails are guests'.
    share, floor : float
        All guests count for at most ``max(floor, share · others)`` observations of a place.

    Returns
    -------
    ndarray of float64, shape (N,)
        Factor of each trail, in (0, 1]; 1 for those of others.
    """
    pooled = np.bincount(places, size * guests)
    others = np.bincount(places, size * ~guests)
    limit = np.maximum(floor, share * others)
    factor = np.minimum(1.0, limit / np.maximum(pooled, 1e-300))
    return np.where(guests, factor[places], 1.0)


def _without_own(amounts: Float64Array, cells: IntArray) -> Float64Array:
    return np.maximum(_by_cell(amounts, cells) - amounts, 0.0)


def _by_cell(amounts: Float64Array, cells: IntArray) -> Float64Array:
    """Sum of both amounts over each trail's cell."""
    pooled = [np.bincount(cells, amount)[cells] for amount in amounts]
    # Without any amount bincount would count, in integers.
    return np.stack(pooled).astype(np.float64, copy=False)
