"""Where the walkers of a swarm have their centre: all of them, or those near each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import map_bands
from swarmloom_protocols.stigmergy.field.boundaries import PERIODIC
from swarmloom_protocols.stigmergy.walkers.neighbour_kernels import neighbour_centres

__all__ = ["centre_of_all", "centres_near"]

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]

# Shorter resultants of the circle's mean are rounding: the swarm has no centre along that axis.
NO_CENTRE = 1e-6
# More bins than this a walker would mostly be empty.
BINS_A_WALKER = 4
# Neighbours that a walker is taken to have, for cutting the work into bands.
TYPICAL_NEIGHBOURS = 64


def centre_of_all(positions: Float32Array, box: IntArray) -> Float32Array:
    """Return the mean place of all walkers, for each of them.

    Parameters
    ----------
    positions : ndarray of float32, shape (3, n)
    box : ndarray of int64, shape (3, 3)
        Size, low and high boundary code of each axis.

    Returns
    -------
    ndarray of float32, shape (3, n)
        Circular means along periodic axes; a walker's own place where they are undefined.
    """
    centres = positions.copy()
    for axis, (size, low, _) in enumerate(box.tolist()):
        places = positions[axis].astype(np.float64)
        if low != PERIODIC:
            centres[axis] = places.mean()
            continue
        resultant = np.exp(2j * np.pi * places / size).mean()
        if abs(resultant) > NO_CENTRE:
            centres[axis] = np.angle(resultant) / (2.0 * np.pi) * size
    return centres


def centres_near(positions: Float32Array, box: IntArray, radius: float) -> Float32Array:
    """Return the mean place of the walkers within a radius of each, itself among them.

    Parameters
    ----------
    positions : ndarray of float32, shape (3, n)
    box : ndarray of int64, shape (3, 3)
    radius : float
        In cells.

    Returns
    -------
    ndarray of float32, shape (3, n)
        Along periodic axes next to the walker, maybe beyond the edge.
    """
    count = positions.shape[1]
    sizes = box[:, 0]
    axes = max(1, int(np.count_nonzero(sizes > 1)))
    most = max(1, int((BINS_A_WALKER * count) ** (1.0 / axes)))
    shape = np.clip((sizes / radius).astype(np.int64), 1, most)
    bins = ((positions.T + 0.5) / (sizes / shape)).astype(np.int64).T
    bins = np.ascontiguousarray(np.clip(bins, 0, shape[:, np.newaxis] - 1))
    flat = np.ravel_multi_index(tuple(bins), tuple(shape))
    order = np.argsort(flat, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=int(shape.prod())))])
    centres = np.empty_like(positions)
    map_bands(
        lambda first, stop: neighbour_centres(
            first, stop, positions, bins, shape, order, starts, box, float(radius), centres
        ),
        count,
        TYPICAL_NEIGHBOURS,
    )
    return centres
