"""Fractal dimension of trails by counting the boxes that they touch.

Boxes of side 2^k nest, so each level is made from the one below: the work is that of one pass over
the grid and a seventh (3-D) or a third (2-D) more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = ["BoxDimension", "box_counts", "box_dimension", "box_holds", "halved"]

UInt8Array = NDArray[np.uint8]

FEWEST_SCALES = 3
# Boxes of a quarter of the grid or more are too few to tell a slope.
LARGEST_SHARE = 4


@dataclass(frozen=True, slots=True)
class BoxDimension:
    """A box-counting dimension.

    Attributes
    ----------
    dimension : float
        Slope of log N against log 1/side.
    standard_error : float
        Of the slope, from the scatter about the line; the counts of nested boxes are not
        independent, so that it is a measure of straightness rather than a confidence interval.
    smallest, largest : int
        Sides of the boxes between which the slope was taken, in cells.
    scales : int
        How many sides there were.
    """

    dimension: float
    standard_error: float
    smallest: int
    largest: int
    scales: int


@kernel
def box_holds(cells: UInt8Array, z: int, y: int, x: int) -> int:
    """Return 1 if the box (z, y, x) of 2 × 2 × 2 cells holds a set one, else 0.

    Cells are those of the finer level, shape (Z, Y, X); a side that is odd ends in half a box.
    """
    # The second cell of a half box is its first again.
    back = min(2 * z + 1, cells.shape[0] - 1)
    low = min(2 * y + 1, cells.shape[1] - 1)
    right = min(2 * x + 1, cells.shape[2] - 1)
    front = cells[2 * z, 2 * y, 2 * x] | cells[2 * z, 2 * y, right]
    front |= cells[2 * z, low, 2 * x] | cells[2 * z, low, right]
    front |= cells[back, 2 * y, 2 * x] | cells[back, 2 * y, right]
    front |= cells[back, low, 2 * x] | cells[back, low, right]
    return int(front)


@kernel
def _coarsen(cells: UInt8Array, boxes: UInt8Array, start: int, stop: int) -> int:
    """Write the rows of boxes from `start` to `stop`, over all z; return how many are set."""
    count, height, width = 0, boxes.shape[1], boxes.shape[2]
    for row in range(start, stop):
        z, y = row // height, row % height
        for x in range(width):
            holds = box_holds(cells, z, y, x)
            boxes[z, y, x] = holds
            count += holds
    return count


def box_counts(mask: ArrayLike, *, device: Device = "auto") -> NDArray[np.int64]:
    """Count the boxes of side 1, 2, 4, … that hold a set cell.

    Parameters
    ----------
    mask : array-like of bool, shape (Y, X) or (Z, Y, X)
        What is set.
    device : {"auto", "cpu", "cuda"}, optional
        Where to count.

    Returns
    -------
    ndarray of int64, shape (K,)
        Up to the side at which one box covers the grid.

    Raises
    ------
    InputError
        The mask has neither two nor three dimensions.
    """
    given = np.asarray(mask, bool)
    if given.ndim not in (2, 3):
        raise InputError(f"mask: shape {given.shape}; allowed: (Y, X) or (Z, Y, X)")
    shape = (1,) * (3 - given.ndim) + given.shape
    cells = np.ascontiguousarray(given).view(np.uint8).reshape(shape)
    if resolve(device, size=cells.size) == "cuda":
        from swarmloom_protocols.stigmergy.patterns.box_counting_cuda import counts
    else:
        counts = _counts
    return np.array([np.count_nonzero(cells), *counts(cells)], np.int64)


def halved(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the next coarser level."""
    return tuple((side + 1) // 2 for side in shape)


def _counts(cells: UInt8Array) -> Iterator[int]:
    """Return how many boxes are set at each coarser level."""
    while max(cells.shape) > 1:
        depth, height, width = halved(cells.shape)
        boxes = np.empty((depth, height, width), np.uint8)
        yield sum(map_bands(partial(_coarsen, cells, boxes), depth * height, row_elements=width))
        cells = boxes


def box_dimension(
    mask: ArrayLike,
    *,
    smallest: int = 1,
    largest: int | None = None,
    device: Device = "auto",
) -> BoxDimension:
    """Measure the box-counting dimension of a trail in the plane or in space.

    Parameters
    ----------
    mask : array-like of bool, shape (Y, X) or (Z, Y, X)
        Cells of the trail. Take its skeleton, or a `smallest` above its width: below its width any
        trail is a filled body.
    smallest : int, optional
        Side of the smallest boxes, in cells (≥ 1); rounded up to a power of two.
    largest : int, optional
        Side of the largest boxes; a quarter of the grid's longest side by default.
    device : {"auto", "cpu", "cuda"}, optional
        Where to count.

    Returns
    -------
    BoxDimension

    Raises
    ------
    InputError
        The mask is empty or has another shape, or fewer than three sides lie in the range.

    Notes
    -----
    Least squares of log₂ N(s) on −log₂ s over s = 2^k. Known values: a line 1, the Sierpiński
    triangle log₂ 3 = 1.585, a filled square 2, a filled cube 3.
    """
    counts = box_counts(mask, device=device)
    if not counts[0]:
        raise InputError("mask: no cell is set; an empty trail has no dimension")
    limit = max(np.shape(mask)) // LARGEST_SHARE if largest is None else largest
    sides = 2.0 ** np.arange(counts.size)
    used = (sides >= smallest) & (sides <= limit)
    if used.sum() < FEWEST_SCALES:
        within = f"between smallest = {smallest} and largest = {limit}"
        raise InputError(f"mask: {used.sum()} powers of two lie {within}; {FEWEST_SCALES} needed")
    slope, error = _slope(-np.log2(sides[used]), np.log2(counts[used]))
    return BoxDimension(slope, error, int(sides[used][0]), int(sides[used][-1]), int(used.sum()))


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return the least-squares slope and its standard error."""
    away = x - x.mean()
    squares = float(away @ away)
    slope = float(away @ y) / squares
    rest = y - y.mean() - slope * away
    return slope, float(np.sqrt(rest @ rest / ((x.size - 2) * squares)))
