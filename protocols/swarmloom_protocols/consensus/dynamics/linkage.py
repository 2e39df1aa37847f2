"""Single linkage of averages, each with the scatter that chance gives it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["linked_labels", "nearest_linked"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Deviations of the smaller scatter within which two averages may be of one thing.
SCATTERS = 4.0


@kernel
def _distance(
    place: FloatArray,
    scatter: FloatArray,
    other: FloatArray,
    other_scatter: FloatArray,
    tolerance: float,
) -> float:
    """Return the largest difference of two ends as a share of what is allowed, inf beyond 1."""
    worst = 0.0
    for i in range(place.size):
        # By the smaller scatter: a start on its way from one attractor to another joins neither.
        allowed = max(tolerance, SCATTERS * min(scatter[i], other_scatter[i]))
        share = abs(place[i] - other[i]) / allowed
        # Written so that NaN is beyond too.
        if not share <= 1.0:
            return np.inf
        worst = max(worst, share)
    return worst


@kernel
def linked_labels(places: FloatArray, scatters: FloatArray, tolerance: float) -> IntArray:
    """Label averages by the chain of neighbours that they belong to.

    Two are neighbours where each component differs by at most `tolerance`, or four times the
    smaller scatter if that is more.

    Parameters
    ----------
    places, scatters : float64[N, features]
        Finite.
    tolerance : float
        Above 0.

    Returns
    -------
    int64[N]
        0, 1, … in the order in which sets appear.
    """
    count = places.shape[0]
    labels, label = np.full(count, -1), -1
    # Rows from `filled` on are in no chain yet, those before `read` have been compared with them.
    rows, read, filled = np.arange(count), 0, 0
    while read < count:
        if read == filled:
            label += 1
            filled += 1
            labels[rows[read]] = label
        row = rows[read]
        read += 1
        for k in range(filled, count):
            other = rows[k]
            near = (places[row], scatters[row], places[other], scatters[other], tolerance)
            if _distance(*near) <= 1.0:
                rows[k], rows[filled] = rows[filled], other
                labels[other] = label
                filled += 1
    return labels


@kernel
def nearest_linked(
    places: FloatArray,
    scatters: FloatArray,
    known_places: FloatArray,
    known_scatters: FloatArray,
    tolerance: float,
) -> IntArray:
    """Return the row of the nearest known neighbour of each average, −1 where there is none.

    Parameters
    ----------
    places, scatters : float64[N, features]
        NaN has no neighbour.
    known_places, known_scatters : float64[M, features]
        Likewise.
    tolerance : float
        As in `linked_labels`.

    Returns
    -------
    int64[N]
    """
    nearest = np.full(places.shape[0], -1)
    for row in range(places.shape[0]):
        best = np.inf
        for k in range(known_places.shape[0]):
            pair = (places[row], scatters[row], known_places[k], known_scatters[k], tolerance)
            distance = _distance(*pair)
            if distance < best:
                best, nearest[row] = distance, k
    return nearest
