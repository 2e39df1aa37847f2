"""Allocation by opinion clusters: experts near a task form groups, and a group takes the task.

A local rule without prices: candidates of a task are the experts whose direction is near the
task's (cosine similarity above 0.7) and who have what it requires; among them, the opinion cluster
(`opinions.clusters`) that is nearest as a whole takes the task, its nearest members first.
Nobody looks at other tasks, so the sum is below that of an auction; see the guide for how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.consensus.allocation.arguments import matrix_of, units_of
from swarmloom_protocols.consensus.opinions.clusters import opinion_clusters

__all__ = ["EmergentAllocation", "cosine_similarity", "emergent_allocation"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SIMILARITY = 0.7


@dataclass(frozen=True, slots=True)
class EmergentAllocation:
    """Which experts take which tasks.

    Attributes
    ----------
    experts : tuple of ndarray of int64
        Experts of each task, the nearest first; none where too few were found.
    similarity : ndarray of float64, shape (tasks, experts)
        Cosine similarity of every pair.
    value : float
        Sum of the similarities allocated.
    load : ndarray of int64, shape (experts,)
        Tasks of each expert.
    """

    experts: tuple[IntArray, ...]
    similarity: FloatArray
    value: float
    load: IntArray


def cosine_similarity(tasks: ArrayLike, experts: ArrayLike) -> FloatArray:
    """Return the cosine of the angle between each task and each expert.

    Parameters
    ----------
    tasks : float64[t, d]
    experts : float64[e, d]
        No row of either may be 0.

    Returns
    -------
    float64[t, e]
    """
    similarity: FloatArray = _directions("tasks", tasks) @ _directions("experts", experts).T
    return similarity


def emergent_allocation(
    tasks: ArrayLike,
    experts: ArrayLike,
    capacity: ArrayLike,
    *,
    able: ArrayLike | None = None,
    least: int = 1,
    most: int = 1,
    threshold: float = SIMILARITY,
) -> EmergentAllocation:
    """Let clusters of near and able experts take tasks.

    Parameters
    ----------
    tasks : float64[t, d]
    experts : float64[e, d]
        What tasks and experts are about, as vectors of any length above 0.
    capacity : int64[e]
        Most tasks of each expert.
    able : bool[t, e], optional
        Whether each expert has the expertise that each task requires; all by default.
    least, most : int
        Experts of a task: fewer than `least`, and it waits.
    threshold : float
        Cosine similarity that candidates exceed, and that joins experts to a cluster; −1 to 1.

    Returns
    -------
    EmergentAllocation

    Raises
    ------
    InputError
        Shapes that do not fit, a vector that is 0 or not finite, a negative capacity.

    Notes
    -----
    Tasks with the fewest candidates choose first.
    """
    similarity = cosine_similarity(tasks, experts)
    room = units_of("capacity", capacity)
    if room.shape != similarity.shape[1:]:
        raise InputError(f"capacity of shape {room.shape}: want {similarity.shape[1:]}")
    places = room.copy()
    between("threshold", threshold, -1.0, 1.0)
    bounds = whole("least", least, 1), whole("most", most, least)
    near = (similarity > threshold) & _checked_able(able, similarity.shape)
    directions = _directions("experts", experts)
    chosen = [np.empty(0, np.int64)] * len(similarity)
    for task in np.argsort(near.sum(axis=1), kind="stable"):
        candidates = np.flatnonzero(near[task] & (room > 0))
        chosen[task] = _taken(candidates, similarity[task], directions, threshold, bounds)
        room[chosen[task]] -= 1
    value = sum(float(similarity[task, who].sum()) for task, who in enumerate(chosen))
    return EmergentAllocation(tuple(chosen), similarity, value, places - room)


def _taken(
    candidates: IntArray,
    similarity: FloatArray,
    directions: FloatArray,
    threshold: float,
    bounds: tuple[int, int],
) -> IntArray:
    """Return the nearest members of the cluster that is worth most, or nobody."""
    least, most = bounds
    best, worth = np.empty(0, np.int64), -np.inf
    if len(candidates) < least:
        return best
    # Of unit vectors, the distance says the angle.
    radius = max(float(np.sqrt(2.0 - 2.0 * threshold)), 1e-9)
    labels = opinion_clusters(directions[candidates], radius).labels
    for label in range(labels.max() + 1):
        members = candidates[labels == label]
        members = members[np.argsort(-similarity[members], kind="stable")][:most]
        total = similarity[members].sum()
        if len(members) >= least and total > worth:
            best, worth = members, total
    return best


def _directions(name: str, vectors: ArrayLike) -> FloatArray:
    rows = matrix_of(name, vectors)
    if not np.isfinite(rows).all():
        raise InputError(f"{name} of shape {rows.shape}: must be a matrix of finite numbers")
    scaled = rows / np.maximum(np.abs(rows).max(axis=1, initial=0.0, keepdims=True), 1e-300)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    if (length == 0.0).any():
        raise InputError(f"{name}: a vector is 0 and has no direction")
    directions: FloatArray = scaled / length
    return directions


def _checked_able(able: ArrayLike | None, shape: tuple[int, ...]) -> BoolArray:
    mask = np.ones(shape, np.bool_) if able is None else np.asarray(able, np.bool_)
    if mask.shape != shape:
        raise InputError(f"able of shape {mask.shape}: must be {shape}")
    return mask
