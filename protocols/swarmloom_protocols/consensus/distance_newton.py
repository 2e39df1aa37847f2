"""Newton's method for the geometric median, where Weiszfeld's rounds creep.

They do where the median is beside a point without being that point: its weight over its distance
outweighs all others, and each round moves by a little of what is left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

__all__ = ["newton"]

FloatArray = NDArray[np.float64]

MOST_STEPS = 100
# Halvings of a step before it counts as none, and the share of the promised descent it must make.
MOST_HALVINGS = 60
SUFFICIENT = 1e-4
# Of the curvature: points on a line leave none along it.
RIDGE = 1e-13
# Of a sum of distances or of forces.
ROUNDING = 1e-12
# Distance below which a point counts as being at the position.
SMALLEST = 1e-300


class Sum(NamedTuple):
    """The weighted sum of distances at a position.

    Attributes
    ----------
    value : float
        The sum, less that at the origin: far points would drown what changes.
    size : float
        The sum of what `value` is the sum of, without signs.
    gradient : ndarray of float64, shape (dimensions,)
        Its gradient.
    directions : ndarray of float64, shape (points, dimensions)
        From the points to the position, of length 1.
    pulls : ndarray of float64, shape (points,)
        Weights over distances.
    """

    value: float
    size: float
    gradient: FloatArray
    directions: FloatArray
    pulls: FloatArray


def newton(points: FloatArray, weights: FloatArray, at: FloatArray, tolerance: float) -> bool:
    """Move a position to the geometric median.

    Parameters
    ----------
    points : ndarray of float64, shape (points, dimensions)
        The points, none of which is the median.
    weights : ndarray of float64, shape (points,)
        Their weights, ≥ 0.
    at : ndarray of float64, shape (dimensions,)
        Where to start; overwritten by what is nearer to the median.
    tolerance : float
        The last step at most, relative to the harmonic mean of the distances.

    Returns
    -------
    bool
        Whether the tolerance was reached.
    """
    here = _sum(points, weights, at)
    for _ in range(MOST_STEPS):
        step = _step(points, weights, at, here)
        share, there = _descent(points, weights, at, step, here)
        at += share * step
        length = share * np.linalg.norm(step)
        if share > 0 and length <= tolerance * weights.sum() / there.pulls.sum():
            return True
        if length <= np.finfo(np.float64).eps:
            return False
        here = there
    return False


def _step(points: FloatArray, weights: FloatArray, at: FloatArray, here: Sum) -> FloatArray:
    """Return the step to the least sum of the nearest distance and a quadratic for all others.

    The nearest distance has an edge within reach, where no quadratic fits: it is kept as it is.
    """
    nearest = points[np.argmin(np.linalg.norm(points - at, axis=1))]
    same = (points == nearest).all(1)
    pulls = np.where(same, 0.0, here.pulls)
    curvature = -(here.directions * pulls[:, None]).T @ here.directions
    curvature[np.diag_indices(at.size)] += pulls.sum()
    values, vectors = np.linalg.eigh(curvature)
    values = np.maximum(values, RIDGE * pulls.sum())
    slope = here.gradient - weights[same] @ here.directions[same]
    pushed = vectors.T @ (slope + curvature @ (nearest - at))
    away = vectors @ _away(values, pushed, float(weights[same].sum()))
    return np.asarray(nearest + away - at)


def _away(values: FloatArray, pushed: FloatArray, weight: float) -> FloatArray:
    """Minimise weight·|y| + pushed·y + Σ values·y²/2.

    The minimum is −pushed/(values + μ) with μ·|y| = weight, and μ·|y| grows with μ.
    """
    force = float(np.linalg.norm(pushed))
    if force <= weight * (1 + ROUNDING):
        return np.zeros_like(pushed)
    highest = weight * values.max() / (force - weight) * 2
    pull = brentq(
        lambda mu: mu * np.linalg.norm(pushed / (values + mu)) - weight, 0.0, highest, xtol=1e-300
    )
    return -pushed / (values + pull)


def _sum(points: FloatArray, weights: FloatArray, at: FloatArray) -> Sum:
    distances = np.linalg.norm(points - at, axis=1)
    # A point at the position itself draws it nowhere.
    safe = np.maximum(distances, SMALLEST)
    directions = (at - points) / safe[:, None]
    lengths = np.linalg.norm(points, axis=1)
    # |p − x| − |p| without cancellation, as a difference of squares over a sum.
    gained = (at @ at - 2.0 * (points @ at)) / np.maximum(distances + lengths, SMALLEST)
    value, size = float(weights @ gained), float(weights @ np.abs(gained))
    return Sum(value, size, weights @ directions, directions, weights / safe)


def _descent(
    points: FloatArray, weights: FloatArray, at: FloatArray, step: FloatArray, here: Sum
) -> tuple[float, Sum]:
    """Return the share of a step that descends enough, and the sum there; 0 where none does.

    Near the median the sums of two positions differ by rounding alone, and the slope decides.
    """
    share, promised = 1.0, SUFFICIENT * float(here.gradient @ step)
    for _ in range(MOST_HALVINGS):
        there = _sum(points, weights, at + share * step)
        flatter = np.linalg.norm(there.gradient) < 0.5 * np.linalg.norm(here.gradient)
        level = there.value <= here.value + ROUNDING * there.size
        if there.value <= here.value + share * promised or (flatter and level):
            return share, there
        share /= 2
    return 0.0, here
