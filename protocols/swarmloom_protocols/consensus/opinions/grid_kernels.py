"""Bounded confidence in the plane and in space: rows of cells are summed without looking inside.

Opinions are sorted by cells. For each opinion and each row of cells near it, the cells that lie
within reach as a whole are a run, whose sum is a difference of the row's running sums; only the
opinions of cells that the ball's surface cuts are measured one by one. With about two opinions a
cell the work is O(n · (r n^(1/D))^(D−1)) rather than the O(n²) of all pairs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["cell_sums", "grid_means"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Cells that rounding might put to either side are measured one by one.
MARGIN = 1e-9


@kernel
def _add(sums: FloatArray, axis: int, number: float) -> None:
    """Add to a number that is kept as a pair (TwoSum, as in `line_kernels`)."""
    high = sums[axis, 0]
    total = high + number
    part = total - high
    sums[axis, 1] += (high - (total - part)) + (number - part)
    sums[axis, 0] = total


@kernel
def cell_sums(
    opinions: FloatArray, weights: FloatArray, starts: IntArray, width: int, sums: FloatArray
) -> None:
    """Write the running sums of each row of cells, weights last, as pairs.

    Parameters
    ----------
    opinions : ndarray of float64, shape (3, n)
        Sorted by cells.
    weights : ndarray of float64, shape (n,)
        How much each counts.
    starts : ndarray of int64, shape (rows · width + 1,)
        First opinion of each cell.
    width : int
        Cells in a row.
    sums : ndarray of float64, shape (rows, width + 1, 4, 2)
        Overwritten: the sums of the cells before, of weight × opinion and of weights.
    """
    for row in range(sums.shape[0]):
        sums[row, 0] = 0.0
        for x in range(width):
            sums[row, x + 1] = sums[row, x]
            for j in range(starts[row * width + x], starts[row * width + x + 1]):
                for axis in range(3):
                    _add(sums[row, x + 1], axis, weights[j] * opinions[axis, j])
                _add(sums[row, x + 1], 3, weights[j])


@kernel
def _span(place: float, low: float, side: float, cell: int) -> tuple[float, float]:
    """Return the least and greatest distance from a place to a cell along one axis."""
    left = low + cell * side
    near = max(0.0, left - place, place - (left + side))
    far = max(abs(place - left), abs(place - (left + side)))
    return near, far


@kernel
def _distance2(z: float, y: float, x: float) -> float:
    # Of its own, so that the additions of the caller may be regrouped but not these.
    return z * z + y * y + x * x


@kernel(fastmath=frozenset({"reassoc", "nsz"}))
def _measured(
    here: FloatArray,
    reach: float,
    opinions: FloatArray,
    weights: FloatArray,
    first: int,
    end: int,
    total: FloatArray,
) -> None:
    """Add those of the opinions from `first` to `end` that are within reach."""
    z_here, y_here, x_here = here[0], here[1], here[2]
    z_sum, y_sum, x_sum, count = 0.0, 0.0, 0.0, 0.0
    # Slices, whose indices are known to be from 0: only then do compilers make vector instructions.
    zs, ys, xs = opinions[0, first:end], opinions[1, first:end], opinions[2, first:end]
    counts = weights[first:end]
    for j in range(counts.size):
        z, y, x, weight = zs[j], ys[j], xs[j], counts[j]
        heard = _distance2(z - z_here, y - y_here, x - x_here) <= reach
        weight = weight if heard else 0.0
        z_sum += weight * z
        y_sum += weight * y
        x_sum += weight * x
        count += weight
    total[0] += z_sum
    total[1] += y_sum
    total[2] += x_sum
    total[3] += count


@kernel
def _row(
    here: FloatArray,
    place: float,
    reach: float,
    near: float,
    far: float,
    row: int,
    low: float,
    side: float,
    opinions: FloatArray,
    weights: FloatArray,
    starts: IntArray,
    sums: FloatArray,
    total: FloatArray,
) -> None:
    """Add a row of cells, `near` and `far` (squared) from the opinion across its direction.

    `place` is where the opinion is along it, in the grid.
    """
    width = sums.shape[1] - 1
    outer = math.sqrt(max(0.0, reach * (1.0 + MARGIN) - near)) + MARGIN * side
    begin = max(0, math.floor((place - outer - low) / side))
    stop = min(width, math.floor((place + outer - low) / side) + 1)
    base, full, full_stop = row * width, stop, stop
    if far < reach:
        inner = math.sqrt(reach - far) - MARGIN * side
        full = min(max(begin, math.ceil((place - inner - low) / side)), stop)
        full_stop = min(max(full, math.floor((place + inner - low) / side)), stop)
        if full < full_stop:
            upper, lower = sums[row, full_stop], sums[row, full]
            for axis in range(4):
                total[axis] += (upper[axis, 0] - lower[axis, 0]) + (upper[axis, 1] - lower[axis, 1])
    _measured(here, reach, opinions, weights, starts[base + begin], starts[base + full], total)
    if full_stop < stop:
        first, end = starts[base + full_stop], starts[base + stop]
        _measured(here, reach, opinions, weights, first, end, total)


@kernel
def grid_means(
    opinions: FloatArray,
    places: FloatArray,
    radii: FloatArray,
    weights: FloatArray,
    starts: IntArray,
    sums: FloatArray,
    shape: IntArray,
    lows: FloatArray,
    side: float,
    first: int,
    end: int,
    means: FloatArray,
) -> None:
    """Write the means of the opinions from `first` to `end`.

    Parameters
    ----------
    opinions : ndarray of float64, shape (3, n)
        Sorted by cells; a plane has z = 0.
    places : ndarray of float64, shape (3, n)
        Where they are in the grid: as far apart as the opinions where anybody hears the other,
        further than anybody hears otherwise.
    radii, weights : ndarray of float64, shape (n,)
        How far each listens, and how much each counts.
    starts, sums : ndarray
        As `cell_sums` takes and writes them.
    shape : ndarray of int64, shape (3,)
        Cells along z, y and x.
    lows : ndarray of float64, shape (3,)
        Corner of the first cell.
    side : float
        Of a cell.
    first, end : int
        Which opinions.
    means : ndarray of float64, shape (3, n)
        Written from `first` to `end`.
    """
    total, here, place = np.empty(4), np.empty(3), np.empty(3)
    for i in range(first, end):
        here[:], place[:] = opinions[:, i], places[:, i]
        radius = radii[i]
        reach = radius * radius
        total[:] = 0.0
        low_z = max(0, math.floor((place[0] - radius - lows[0]) / side - MARGIN))
        low_y = max(0, math.floor((place[1] - radius - lows[1]) / side - MARGIN))
        high_z = min(shape[0], math.floor((place[0] + radius - lows[0]) / side + MARGIN) + 1)
        high_y = min(shape[1], math.floor((place[1] + radius - lows[1]) / side + MARGIN) + 1)
        for z in range(low_z, high_z):
            near_z, far_z = _span(place[0], lows[0], side, z)
            for y in range(low_y, high_y):
                near_y, far_y = _span(place[1], lows[1], side, y)
                near, far = near_z * near_z + near_y * near_y, far_z * far_z + far_y * far_y
                if near <= reach * (1.0 + MARGIN):
                    _row(
                        here, place[2], reach, near, far, z * shape[1] + y, lows[2], side,
                        opinions, weights, starts, sums, total,
                    )  # fmt: skip
        for axis in range(3):
            means[axis, i] = total[axis] / total[3]
