"""Where honest opinions are, and how wide apart, whatever the size of the liars' numbers.

Dividing by the largest opinion is what lets a single liar decide: at 10²⁰ all others are one point
to a double. Centre and size here are medians, which fewer than half cannot move without bound.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAR", "centre", "middle", "pulled_in", "radii", "scale", "weighted_median"]

FloatArray = NDArray[np.float64]

# Sizes of the honest beyond which two doubles are equal or too far apart to matter, and from where
# the direction to any honest position is the same to rounding.
FAR = 2.0**50


def scale(length: float) -> float:
    """Return the power of two at or below a length, which divides without rounding; 1 for 0."""
    return math.ldexp(1.0, math.frexp(length)[1] - 1) if length > 0.0 else 1.0


def weighted_median(values: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Return the lower and the upper of the values that split the weight in halves.

    Parameters
    ----------
    values, weights : ndarray of float64, shape (values,)
        Weights ≥ 0, not all 0.
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    half = 0.5 * reached[-1]
    low = int(np.searchsorted(reached, half, side="left"))
    high = int(np.searchsorted(reached, half, side="right"))
    return float(values[order[low]]), float(values[order[high]])


def middle(low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the means of pairs, low ≤ high, without overflow."""
    with np.errstate(over="ignore"):
        apart = high - low
    return np.asarray(np.where(np.isfinite(apart), low + 0.5 * apart, 0.5 * low + 0.5 * high))


def centre(points: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the lower weighted median of each coordinate, shape (dimensions,)."""
    return np.array([weighted_median(column, weights)[0] for column in points.T])


def radii(points: FloatArray, at: FloatArray) -> FloatArray:
    """Return each point's largest difference from a position in a coordinate; perhaps infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(np.abs(points - at).max(axis=1))


def pulled_in(points: FloatArray, at: FloatArray, size: float) -> FloatArray:
    """Return points relative to a position, in units of a size, the far ones nearer on their ray.

    Parameters
    ----------
    points : ndarray of float64, shape (points, dimensions)
        The points, finite.
    at : ndarray of float64, shape (dimensions,)
        The position.
    size : float
        A power of two.

    Returns
    -------
    ndarray of float64, shape (points, dimensions)
        Within ±`FAR` in every coordinate; where a point was farther, in the same direction.
    """
    far = radii(points, at) / FAR > size
    near = np.where(far[:, None], at, points)
    inside = (near - at) / size
    # Quarters: their difference is finite, and what is far has digits to lose.
    rays = 0.25 * points[far] - 0.25 * at
    inside[far] = rays * (FAR / np.abs(rays).max(axis=1, keepdims=True))
    return inside
