"""Groups of experts who agree, how close they are, how long they last, and when that is consensus.

A group is a connected component: two opinions belong together where a chain of opinions joins them
with no gap wider than the radius (DBSCAN of Ester and others, KDD 1996, with one point for a core).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive
from swarmloom_protocols.consensus.opinions.arguments import FloatArray, opinions_of
from swarmloom_protocols.consensus.opinions.components import joined_labels

__all__ = [
    "Clusters",
    "ConsensusDetector",
    "ConsensusResult",
    "adjusted_rand_index",
    "cluster_stability",
    "detect_consensus",
    "opinion_clusters",
]

IntArray = NDArray[np.int64]

PARTICIPATION = 0.8
COHESION = 0.9


@dataclass(frozen=True)
class Clusters:
    """Groups of opinions, numbered from the largest; equal ones by their first member.

    Attributes
    ----------
    labels : ndarray of int64, shape (n,)
        Group of each expert.
    sizes : ndarray of int64, shape (K,)
        Experts in each, descending.
    centroids : ndarray of float64, shape (K, D)
        Mean opinion of each.
    cohesion : ndarray of float64, shape (K,)
        1 − mean distance from the centroid / radius, not below 0: 1 where all members say the
        same. Chains longer than the radius have little.
    widest : float
        Extent of the widest group along an axis.
    """

    labels: IntArray
    sizes: IntArray
    centroids: FloatArray
    cohesion: FloatArray
    widest: float


def opinion_clusters(opinions: ArrayLike, radius: float) -> Clusters:
    """Find the groups of experts who are joined by gaps up to a radius.

    Parameters
    ----------
    opinions : array-like of float, shape (n,) or (n, D)
        Where everybody stands.
    radius : float
        Widest gap (Euclidean distance, itself allowed) within a group, above 0.

    Returns
    -------
    Clusters

    Raises
    ------
    InputError
        An opinion is not finite, there is none, or the radius is not above 0.

    Notes
    -----
    O(n log n) on a line; in the plane and in space by cells, of which those that hold a group's
    middle are joined without looking at their members; O(n²) above, in tiles.
    """
    values = opinions_of("opinions", opinions)
    labels = _by_size(joined_labels(values, positive("radius", radius)))
    sizes = np.bincount(labels)
    centroids = _sums(labels, values) / sizes[:, np.newaxis]
    away = np.linalg.norm(values - centroids[labels], axis=1)
    cohesion = np.maximum(0.0, 1.0 - np.bincount(labels, away) / sizes / radius)
    return Clusters(labels, sizes, centroids, cohesion, _widest(labels, values))


def _by_size(labels: IntArray) -> IntArray:
    """Give groups new numbers: the largest first, equal ones by their first member."""
    _, first, members, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    ranks = np.empty(len(sizes), np.int64)
    ranks[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    ranked: IntArray = ranks[members]
    return ranked


def _sums(labels: IntArray, values: FloatArray) -> FloatArray:
    return np.column_stack([np.bincount(labels, column) for column in values.T])


def _widest(labels: IntArray, values: FloatArray) -> float:
    order = np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels))[:-1]])
    sorted_values = values[order]
    extents = np.maximum.reduceat(sorted_values, starts) - np.minimum.reduceat(
        sorted_values, starts
    )
    return float(extents.max())


def adjusted_rand_index(one: ArrayLike, other: ArrayLike) -> float:
    """Compare two divisions into groups: 1 for the same one, about 0 for unrelated ones.

    Parameters
    ----------
    one, other : array-like of int, shape (n,)
        Group of each, in any numbering.

    Returns
    -------
    float
        Hubert and Arabie, Journal of Classification 2, 1985; 1 where both are trivial alike.

    Raises
    ------
    InputError
        The shapes differ.
    """
    first, second = np.asarray(one), np.asarray(other)
    if first.shape != second.shape or first.ndim != 1:
        raise InputError(f"one and other: shapes {first.shape}, {second.shape}; allowed: both (n,)")
    rows, columns = (np.unique(labels, return_inverse=True)[1] for labels in (first, second))
    cells = np.unique(rows * (columns.max(initial=0) + 1) + columns, return_counts=True)[1]
    together = _pairs(cells)
    in_rows, in_columns = _pairs(np.bincount(rows)), _pairs(np.bincount(columns))
    expected = in_rows * in_columns / max(1.0, _pairs(np.array([first.size])))
    most = (in_rows + in_columns) / 2.0
    return 1.0 if most == expected else (together - expected) / (most - expected)


def _pairs(sizes: IntArray) -> float:
    counts = sizes.astype(np.float64)
    return float((counts * (counts - 1.0) / 2.0).sum())


def cluster_stability(frames: Iterable[ArrayLike], radius: float) -> FloatArray:
    """Compare the groups at each time with those before.

    Parameters
    ----------
    frames : iterable of array-like of float, shape (n,) or (n, D)
        Opinions at T times, such as `Trajectory.values`.
    radius : float
        Widest gap within a group.

    Returns
    -------
    ndarray of float64, shape (max(T − 1, 0),)
        `adjusted_rand_index` of each time with the one before.

    Raises
    ------
    InputError
        What `opinion_clusters` raises, or the number of experts changes.
    """
    labels = [opinion_clusters(frame, radius).labels for frame in frames]
    return np.array([adjusted_rand_index(*pair) for pair in itertools.pairwise(labels)])


@dataclass(frozen=True)
class ConsensusResult:
    """A group that is large and close enough to speak for all.

    Attributes
    ----------
    opinion : ndarray of float64, shape (D,)
        Its mean.
    members : ndarray of int64, shape (m,)
        Its experts, ascending.
    participation : float
        Its share of all experts.
    cohesion : float
        As in `Clusters`.
    """

    opinion: FloatArray
    members: IntArray
    participation: float
    cohesion: float


def detect_consensus(
    opinions: ArrayLike,
    radius: float,
    *,
    participation: float = PARTICIPATION,
    cohesion: float = COHESION,
) -> ConsensusResult | None:
    """Return the largest group if it is a consensus.

    Parameters
    ----------
    opinions : array-like of float, shape (n,) or (n, D)
        Where everybody stands.
    radius : float
        Widest gap within a group, and the measure of its cohesion.
    participation, cohesion : float, optional
        What has to be exceeded, 0 to 1; meeting it is not enough.

    Returns
    -------
    ConsensusResult or None

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    least = between("participation", participation, 0.0, 1.0)
    closest = between("cohesion", cohesion, 0.0, 1.0)
    return _agreed(_largest(opinions, radius), least, closest)


def _largest(opinions: ArrayLike, radius: float) -> ConsensusResult:
    clusters = opinion_clusters(opinions, radius)
    members = np.flatnonzero(clusters.labels == 0)
    share = len(members) / len(clusters.labels)
    return ConsensusResult(clusters.centroids[0], members, share, float(clusters.cohesion[0]))


def _agreed(largest: ConsensusResult, least: float, closest: float) -> ConsensusResult | None:
    agreed = largest.participation > least and largest.cohesion > closest
    return largest if agreed else None


class ConsensusDetector:
    """Watches opinions over time: consensus begins above one pair of limits, ends at a lower one.

    Parameters
    ----------
    radius : float
        Widest gap within a group, and the measure of its cohesion.
    participation, cohesion : float, optional
        A consensus begins where both are exceeded.
    slack : float, optional
        How far below either may sink before it ends: it lasts while both exceed their limit
        − slack, so that noise about a limit does not switch it on and off.

    Raises
    ------
    InputError
        An argument is out of its range.
    """

    def __init__(
        self,
        radius: float,
        *,
        participation: float = PARTICIPATION,
        cohesion: float = COHESION,
        slack: float = 0.1,
    ) -> None:
        self._radius = positive("radius", radius)
        self._participation = between("participation", participation, 0.0, 1.0)
        self._cohesion = between("cohesion", cohesion, 0.0, 1.0)
        self._slack = between("slack", slack, 0.0, min(participation, cohesion))
        self._reached = False

    @property
    def reached(self) -> bool:
        """Whether there is a consensus now."""
        return self._reached

    def update(self, opinions: ArrayLike) -> ConsensusResult | None:
        """Look at the opinions of now.

        Parameters
        ----------
        opinions : array-like of float, shape (n,) or (n, D)
            Where everybody stands.

        Returns
        -------
        ConsensusResult or None
            The consensus that has begun or goes on.

        Raises
        ------
        InputError
            An opinion is not finite, or there is none; the detector is unchanged.
        """
        slack = self._slack if self._reached else 0.0
        largest = _largest(opinions, self._radius)
        found = _agreed(largest, self._participation - slack, self._cohesion - slack)
        self._reached = found is not None
        return found
