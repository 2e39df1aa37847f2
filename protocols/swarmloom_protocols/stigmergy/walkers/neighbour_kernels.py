"""Centres of the walkers near each walker, by cell lists: O(walkers · neighbours)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import PERIODIC

__all__ = ["add_neighbours", "neighbour_centres"]

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]


@kernel
def _nearest_image(way: float, size: int, low: int) -> float:
    if low == PERIODIC:
        return way - size * float(np.rint(way / size))
    return way


@kernel
def _bin_beside(index: int, step: int, bins: int, low: int) -> int:
    """Return the bin a step away, or -1 where there is none or another step leads to it too."""
    beyond = index + step
    if 0 <= beyond < bins:
        return beyond
    # Of two bins round a circle both neighbours are one; a single bin is its own.
    if low != PERIODIC or bins <= 2:
        return -1
    return beyond % bins


@kernel
def add_neighbours(
    i: int,
    members: IntArray,
    positions: Float32Array,
    box: IntArray,
    radius: float,
    sums: NDArray[np.float64],
) -> int:
    """Add the ways from walker `i` to those `members` within the radius; return how many."""
    count = 0
    for j in members:
        z = _nearest_image(float(positions[0, j]) - positions[0, i], box[0, 0], box[0, 1])
        y = _nearest_image(float(positions[1, j]) - positions[1, i], box[1, 0], box[1, 1])
        x = _nearest_image(float(positions[2, j]) - positions[2, i], box[2, 0], box[2, 1])
        if z * z + y * y + x * x <= radius * radius:
            sums[0] += z
            sums[1] += y
            sums[2] += x
            count += 1
    return count


@kernel
def neighbour_centres(
    first: int,
    stop: int,
    positions: Float32Array,
    bins: IntArray,
    shape: IntArray,
    order: IntArray,
    starts: IntArray,
    box: IntArray,
    radius: float,
    centres: Float32Array,
) -> None:
    """Write the mean place of the walkers within a radius, each of which is its own neighbour.

    Parameters
    ----------
    first, stop : int
        Walkers to write.
    positions, centres : ndarray of float32, shape (3, n)
    bins : ndarray of int64, shape (3, n)
        Bin of each walker along each axis; bins are as wide as the radius or wider.
    shape : ndarray of int64, shape (3,)
        Bins of each axis.
    order : ndarray of int64, shape (n,)
        Walkers by bin.
    starts : ndarray of int64, shape (bins + 1,)
        Where in `order` each bin begins.
    box : ndarray of int64, shape (3, 3)
        Size, low and high boundary code of each axis.
    radius : float
        In cells.
    """
    for i in range(first, stop):
        sums = np.zeros(3)
        count = 0
        for turn in range(27):
            z = _bin_beside(bins[0, i], turn // 9 - 1, shape[0], box[0, 1])
            y = _bin_beside(bins[1, i], turn // 3 % 3 - 1, shape[1], box[1, 1])
            x = _bin_beside(bins[2, i], turn % 3 - 1, shape[2], box[2, 1])
            if z >= 0 and y >= 0 and x >= 0:
                place = (z * shape[1] + y) * shape[2] + x
                members = order[starts[place] : starts[place + 1]]
                count += add_neighbours(i, members, positions, box, radius, sums)
        for axis in range(3):
            centres[axis, i] = positions[axis, i] + sums[axis] / count
