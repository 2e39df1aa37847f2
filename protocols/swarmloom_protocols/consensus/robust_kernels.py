"""The CPU kernel of a round of Weiszfeld's algorithm, with Vardi and Zhang's correction."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["pull", "weight_within", "weiszfeld"]

FloatArray = NDArray[np.float64]

# Sums in any order: their vectors are what makes a round fast.
REORDERED = frozenset({"contract", "reassoc"})
# Points that are read twice while they are in the first-level cache.
BLOCK = 16
# Distances between positions within ±2, where most of the weight is, that rounding may make.
SMALLEST = 1e-15


@kernel(fastmath=REORDERED)
def squared_distance(one: FloatArray, other: FloatArray) -> float:
    """Return the squared distance of two points."""
    total = 0.0
    for c in range(one.size):
        apart = one[c] - other[c]
        total += apart * apart
    return total


@kernel
def weight_within(points: FloatArray, weights: FloatArray, at: FloatArray, radius: float) -> float:
    """Return the weight of the points nearer to a position than a radius."""
    total = 0.0
    for i in range(weights.size):
        if squared_distance(points[i], at) < radius * radius:
            total += weights[i]
    return total


@kernel(fastmath=REORDERED)
def _add(points: FloatArray, weights: FloatArray, total: FloatArray) -> None:
    """Add weighted points, four at a time while they last: the sum is read and written once."""
    count = points.shape[0]
    for i in range(0, count - 3, 4):
        a, b, c, d = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for k in range(total.size):
            some = a * points[i, k] + b * points[i + 1, k]
            total[k] += some + c * points[i + 2, k] + d * points[i + 3, k]
    for i in range(count - count % 4, count):
        for k in range(total.size):
            total[k] += weights[i] * points[i, k]


@kernel
def pull(
    points: FloatArray, weights: FloatArray, at: FloatArray, total: FloatArray
) -> tuple[float, float, int]:
    """Sum up how the points draw a position towards them.

    Parameters
    ----------
    points : ndarray of float64, shape (points, dimensions)
        The points.
    weights : ndarray of float64, shape (points,)
        Their weights.
    at : ndarray of float64, shape (dimensions,)
        The position.
    total : ndarray of float64, shape (dimensions,)
        Overwritten by Σ weight·point/distance over the points elsewhere.

    Returns
    -------
    float
        Σ weight/distance over the points elsewhere.
    float
        The weight of the points at the position itself.
    int
        The nearest point elsewhere, −1 where there is none.
    """
    total[:] = 0.0
    strengths = np.zeros(BLOCK)
    inverse, here, least, nearest = 0.0, 0.0, math.inf, -1
    for first in range(0, weights.size, BLOCK):
        end = min(first + BLOCK, weights.size)
        for i in range(first, end):
            distance = math.sqrt(squared_distance(points[i], at))
            away = distance > SMALLEST
            here += 0.0 if away else weights[i]
            strengths[i - first] = weights[i] / distance if away else 0.0
            inverse += strengths[i - first]
            if away and weights[i] > 0.0 and distance < least:
                least, nearest = distance, i
        _add(points[first:end], strengths, total)
    return inverse, here, nearest


@kernel
def _strength(at: FloatArray, inverse: float, total: FloatArray) -> float:
    """Return the length of Σ weight·(point − position)/distance."""
    square = 0.0
    for c in range(at.size):
        square += (total[c] - inverse * at[c]) ** 2
    return math.sqrt(square)


@kernel
def weiszfeld(
    points: FloatArray,
    weights: FloatArray,
    at: FloatArray,
    tolerance: float,
    most_iterations: int,
) -> bool:
    """Move a position to the geometric median.

    Y. Vardi and C.-H. Zhang, "The multivariate L1-median and associated data depth", PNAS 97
    (2000), 1423–1426, equation 2.6. Their condition for a point to be the median (equation 2.7)
    is tried at the nearest point whenever that is another one than before, for there the rounds
    would creep.

    Parameters
    ----------
    points : ndarray of float64, shape (points, dimensions)
        The points, at least half of their weight at distances of about 1 from the median.
    weights : ndarray of float64, shape (points,)
        Their weights, ≥ 0 and not all 0.
    at : ndarray of float64, shape (dimensions,)
        Where to start; overwritten by the median.
    tolerance : float
        How far from the median it may end, as the last two steps foretell, relative to the
        harmonic mean of the distances.
    most_iterations : int
        Rounds at most.

    Returns
    -------
    bool
        Whether the tolerance was reached.
    """
    total, tried, before, weight = np.empty_like(at), -1, math.inf, weights.sum()
    for _ in range(most_iterations):
        inverse, here, nearest = pull(points, weights, at, total)
        strength = _strength(at, inverse, total)
        share = 1.0 - here / strength if strength > here else 0.0
        step = share * strength / inverse if share > 0.0 else 0.0
        if step <= SMALLEST:
            return True
        if nearest != tried:
            tried = nearest
            beside, settled, _ = pull(points, weights, points[nearest], total)
            if _strength(points[nearest], beside, total) <= settled:
                at[:] = points[nearest]
                return True
            pull(points, weights, at, total)
        for c in range(at.size):
            at[c] += share * (total[c] / inverse - at[c])
        # Steps shrink by a constant ratio in the end: what is left is a geometric series.
        ratio = step / before
        enough = tolerance * weight / inverse * (1.0 - ratio)
        if 0.0 < ratio < 1.0 and step * ratio <= enough:
            return True
        before = step
    return False
