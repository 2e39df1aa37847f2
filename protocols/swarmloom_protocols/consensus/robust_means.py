"""Means of continuous opinions that some agents lie about.

The breakdown point of an estimate is the share of agents who can move it without bound: that of
the mean is 0, one liar suffices. Below it, an estimate is still moved by a standard deviation or
two of the honest opinions when the liars collude.
"""

from __future__ import annotations

import warnings
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.consensus.distance_newton import newton
from swarmloom_protocols.consensus.real_numbers import real_array
from swarmloom_protocols.consensus.robust_frame import (
    FAR,
    centre,
    middle,
    pulled_in,
    radii,
    scale,
    weighted_median,
)
from swarmloom_protocols.consensus.robust_kernels import weight_within, weiszfeld

__all__ = [
    "RobustMethod",
    "cluster_mean",
    "coordinate_median",
    "geometric_median",
    "krum",
    "multi_krum",
    "robust_mean",
    "trimmed_mean",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RobustMethod = Literal["coordinate_median", "geometric_median", "trimmed_mean", "krum", "cluster"]

# Rounds after which agents that still move are taken as they are.
MOST_ROUNDS = 1000
# Rounds of Weiszfeld's algorithm before Newton's is tried, and dimensions up to which it is.
PATIENCE = 100
MOST_SOLVED = 512
# Where most opinions are this far from the median, as a share of the largest, one scale is enough.
WIDE = 1e-3


def robust_mean(
    opinions: ArrayLike, method: RobustMethod = "geometric_median", *, faulty: int = 0
) -> FloatArray:
    """Return a mean that liars cannot move far, by any of the methods.

    Parameters
    ----------
    opinions : array-like of float, shape (agents, dimensions)
        One opinion a row.
    method : str, optional
        "coordinate_median", "geometric_median", "trimmed_mean", "krum" (`multi_krum`) or
        "cluster" (`cluster_mean`).
    faulty : int, optional
        Liars to withstand, used by "trimmed_mean" and "krum" alone.

    Returns
    -------
    ndarray of float64, shape (dimensions,)

    Raises
    ------
    InputError
        The method is none of these, or what the method refuses.
    """
    if method == "coordinate_median":
        return coordinate_median(opinions)
    if method == "geometric_median":
        return geometric_median(opinions)
    if method == "trimmed_mean":
        return trimmed_mean(opinions, faulty)
    if method == "krum":
        return multi_krum(opinions, faulty)
    if method == "cluster":
        return cluster_mean(opinions)
    allowed = ", ".join(map(repr, get_args(RobustMethod)))
    raise InputError(f"method: {method!r} is not one of {allowed}")


def coordinate_median(opinions: ArrayLike) -> FloatArray:
    """Return the median of each coordinate.

    Breakdown point ½. Depends on the axes, and may lie outside of the opinions' convex hull from
    three dimensions on.

    Parameters
    ----------
    opinions : array-like of float, shape (agents, dimensions)
        One opinion a row, all finite.

    Returns
    -------
    ndarray of float64, shape (dimensions,)
    """
    ordered = np.sort(_checked(opinions), axis=0)
    count = len(ordered)
    return middle(ordered[(count - 1) // 2], ordered[count // 2])


def trimmed_mean(opinions: ArrayLike, faulty: int) -> FloatArray:
    """Return the mean of each coordinate without its `faulty` lowest and highest values.

    Breakdown point `faulty` of the agents (D. Yin, Y. Chen, K. Ramchandran and P. Bartlett,
    "Byzantine-robust distributed learning", ICML 2018, definition 2).

    Parameters
    ----------
    opinions : array-like of float, shape (agents, dimensions)
        One opinion a row, all finite.
    faulty : int
        Liars to withstand, fewer than half of the agents.

    Returns
    -------
    ndarray of float64, shape (dimensions,)
    """
    points = _checked(opinions)
    out = whole("faulty", faulty, 0, (len(points) - 1) // 2)
    return _mean(np.sort(points, axis=0)[out : len(points) - out])


def geometric_median(
    opinions: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    tolerance: float = 1e-10,
    most_iterations: int = 10_000,
) -> FloatArray:
    """Return the point with the least sum of distances to the opinions.

    Breakdown point ½; independent of the axes, and within the opinions' convex hull. In one
    dimension it is the median. Weiszfeld's algorithm with Vardi and Zhang's correction,
    and Newton's method where a hundred rounds of it were not enough.

    Parameters
    ----------
    opinions : array-like of float, shape (agents, dimensions)
        One opinion a row, all finite.
    weights : array-like of float, shape (agents,), optional
        Finite, ≥ 0, not all 0; 1 by default. Less than half of the weight can lie.
    tolerance : float, optional
        How far from the median the result may be, relative to the harmonic mean of its distances
        from the opinions, which far ones do not move; estimated from the last steps. What doubles
        cannot tell apart is not asked for.
    most_iterations : int, optional
        Rounds at most. A `RuntimeWarning` says that they did not suffice.

    Returns
    -------
    ndarray of float64, shape (dimensions,)
    """
    points = _checked(opinions)
    shares = _checked_weights(weights, len(points))
    positive("tolerance", tolerance)
    rounds = whole("most_iterations", most_iterations, 1)
    if points.shape[1] == 1:
        return middle(*np.array(weighted_median(points[:, 0], shares))[:, None])
    at, reached = _geometric_median(points, shares, tolerance, rounds)
    if not reached:
        warnings.warn(
            f"geometric median not within {tolerance:g} after {rounds} rounds",
            RuntimeWarning,
            stacklevel=2,
        )
    return at


def _geometric_median(
    points: FloatArray, weights: FloatArray, tolerance: float, rounds: int
) -> tuple[FloatArray, bool]:
    """Return the geometric median, and whether the tolerance was reached.

    On the scale of the largest opinion, which is cheap and starts from the mean; where most turn
    out to be much nearer to each other than that, again about their coordinate median.
    """
    size = scale(float(np.maximum(points.max(), -points.min())))
    scaled = points / size
    at = np.full(len(points), 1 / len(points)) @ scaled
    reached = _reached(scaled, weights, at, tolerance, rounds)
    if weight_within(scaled, weights, at, WIDE) < 0.5 * weights.sum():
        return at * size, reached
    middle_one = centre(points, weights)
    size = weighted_median(radii(points, middle_one), weights)[0]
    if size == 0.0:
        # Half of the weight holds it there against all others.
        return middle_one, True
    near = pulled_in(points, middle_one, scale(size))
    at = np.zeros(points.shape[1])
    reached = _reached(near, weights, at, tolerance, rounds)
    return middle_one + at * scale(size), reached


def _reached(
    points: FloatArray, weights: FloatArray, at: FloatArray, tolerance: float, rounds: int
) -> bool:
    """Move a position to the geometric median; tell whether the tolerance was reached."""
    if weiszfeld(points, weights, at, tolerance, min(rounds, PATIENCE)):
        return True
    if rounds <= PATIENCE:
        return False
    if at.size <= MOST_SOLVED and newton(points, weights, at, tolerance):
        return True
    return weiszfeld(points, weights, at, tolerance, rounds - PATIENCE)


def krum(opinions: ArrayLike, faulty: int) -> FloatArray:
    """Return the one opinion that is nearest to its nearest n − faulty − 2 others.

    Withstands `faulty` < (n − 2)/2 liars (P. Blanchard, E. M. El Mhamdi, R. Guerraoui and
    J. Stainer, "Machine learning with adversaries", NIPS 2017, section 4). One opinion has all of
    one agent's error: prefer `multi_krum` where opinions scatter.

    Parameters
    ----------
    opinions : array-like of float, shape (agents, dimensions)
        One opinion a row, all finite.
    faulty : int
        Liars to withstand; 2·faulty + 2 is less than the number of agents.

    Returns
    -------
    ndarray of float64, shape (dimensions,)
        A row of `opinions`.
    """
    return multi_krum(opinions, faulty, kept=1)


def multi_krum(opinions: ArrayLike, faulty: int, kept: int | None = None) -> FloatArray:
    """Return the mean of the opinions with the best scores of `krum`.

    Parameters
    ----------
    opinions : array-like of float, shape (agents, dimensions)
        One opinion a row, all finite.
    faulty : int
        Liars to withstand; 2·faulty + 2 is less than the number of agents.
    kept : int, optional
        Opinions to take the mean of, n − faulty − 2 by default and n − faulty at most.

    Returns
    -------
    ndarray of float64, shape (dimensions,)
    """
    points = _checked(opinions, least=3)
    count = len(points)
    liars = whole("faulty", faulty, 0, (count - 3) // 2)
    near = count - liars - 2
    best = near if kept is None else whole("kept", kept, 1, count - liars)
    at = centre(points, np.ones(count))
    reach = radii(points, at)
    size = _measured(float(np.sort(reach)[count - liars - 1]))
    # At most `liars` are left out, whose scores would be infinite beside all others'.
    rows = np.flatnonzero(reach / FAR <= size)
    inside = (points[rows] - at) / scale(size)
    squares = np.sort(cdist(inside, inside, "sqeuclidean"), axis=1)
    scores = squares[:, 1 : near + 1].sum(1)
    return _mean(points[rows[np.argsort(scores, kind="stable")[:best]]])


def cluster_mean(opinions: ArrayLike, radius: float | None = None) -> FloatArray:
    """Return the mean opinion of the agents who end up in the largest cluster.

    Agents move to the mean of all within the radius until nobody moves (R. Hegselmann and
    U. Krause, "Opinion dynamics and bounded confidence", JASSS 5 (2002) 3). No breakdown point is
    proved: liars within the radius join the cluster, and from half of the agents on they are the
    largest. In many dimensions, where honest opinions are about equally far from each other and
    liars are farther, it is the most accurate here.

    Parameters
    ----------
    opinions : array-like of float, shape (agents, dimensions)
        One opinion a row, all finite.
    radius : float, optional
        Above 0. By default the smallest around an opinion that holds more than half of them.

    Returns
    -------
    ndarray of float64, shape (dimensions,)
        The mean of the cluster's original opinions; the first of the largest where several are.
    """
    points = _checked(opinions)
    at = centre(points, np.ones(len(points)))
    reach = radii(points, at)
    half = len(points) // 2
    most = _measured(float(np.sort(reach)[half]))
    size = most if radius is None else positive("radius", radius)
    near = reach / FAR <= size
    inside = (points[near] - at) / scale(size)
    if radius is None:
        within = float(np.sort(cdist(inside, inside), axis=1)[:, half].min())
    else:
        within = size / scale(size)
    labels = np.empty(len(points), np.int64)
    labels[near] = _clusters(inside, within)
    # So far out, doubles are equal or farther apart than any radius.
    _, alike = np.unique(points[~near], axis=0, return_inverse=True)
    labels[~near] = len(points) + alike.reshape(-1)
    sizes = np.bincount(labels)[labels]
    return _mean(points[labels == labels[sizes.argmax()]])


def _clusters(points: FloatArray, radius: float) -> IntArray:
    """Return a label of each row's cluster, once nobody moves any more."""
    at = points
    for _ in range(MOST_ROUNDS):
        near = (cdist(at, at) <= radius * (1 + 1e-12)).astype(np.float64)
        following = near @ at / near.sum(1, keepdims=True)
        still = np.abs(following - at) <= np.maximum(1e-12, 1e-14 * np.abs(at))
        at = following
        if still.all():
            break
    _, labels = connected_components(cdist(at, at) <= radius / 2, directed=False)
    return np.asarray(labels, np.int64)


def _measured(length: float) -> float:
    """Return how far apart most opinions are, or refuse what is beyond all numbers."""
    if not np.isfinite(length):
        raise InputError("opinions: most are more than 1.8e308 apart; allowed: differences below")
    return length


def _mean(points: FloatArray) -> FloatArray:
    """Return the mean of rows whose sum may overflow."""
    size = scale(float(np.maximum(points.max(), -points.min())))
    return np.asarray((points / size).mean(0) * size)


def _checked(opinions: ArrayLike, least: int = 1) -> FloatArray:
    """Return finite opinions as a table."""
    points = real_array("opinions", opinions)
    if points.ndim != 2 or len(points) < least or points.shape[1] == 0:
        raise InputError(
            f"opinions: shape {points.shape}; allowed: (agents, dimensions), from ({least}, 1)"
        )
    if not np.isfinite(np.maximum(points.max(), -points.min())):
        wrong = int(np.isfinite(points).all(1).argmin())
        raise InputError(f"opinions: row {wrong} is not finite; leave such agents out")
    return points


def _checked_weights(weights: ArrayLike | None, count: int) -> FloatArray:
    if weights is None:
        return np.ones(count)
    shares = real_array("weights", weights)
    if shares.shape != (count,) or not np.all((shares >= 0) & (shares < np.inf)):
        raise InputError(f"weights: allowed: {count} finite numbers ≥ 0")
    if shares.max() == 0:
        raise InputError("weights are all 0; allowed: one above 0 at least")
    return np.asarray(shares / shares.max())
