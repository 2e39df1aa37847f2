"""Fractal dimension of trails by counting the boxes that they touch.

Boxes of side 2^k nest, so each level is made from the one below: the work is that of one pass over
the grid and a seventh (3-D) or a third (2-D) more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = ["BoxDimension", "box_counts", "box_dimension", "halved", "holds_any"]

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
def holds_any(cells: UInt8Array, box: int, depth: int, height: int, width: int) -> bool:
    """Return whether a box of 2 × 2 × 2 cells holds a set one.

    Parameters
    ----------
    cells : ndarray of uint8, shape (depth · height · width,)
        The finer level.
    box : int
        Index into the coarser level, whose sides are half, rounded up.
    depth, height, width : int
        Of the finer level.
    """
    rows, columns = (height + 1) // 2, (width + 1) // 2
    x = 2 * (box % columns)
    y = 2 * (box // columns % rows)
    z = 2 * (box // (columns * rows))
    for k in range(z, min(z + 2, depth)):
        for j in range(y, min(y + 2, height)):
            for i in range(x, min(x + 2, width)):
                if cells[(k * height + j) * width + i]:
                    return True
    return False


@kernel
def _coarsen(
    cells: UInt8Array, depth: int, height: int, width: int, boxes: UInt8Array, start: int, stop: int
) -> int:
    """Write the boxes from `start` to `stop`; return how many are set."""
    count = 0
    for box in range(start, stop):
        boxes[box] = holds_any(cells, box, depth, height, width)
        count += boxes[box]
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
    cells = np.ascontiguousarray(given).view(np.uint8).reshape(-1)
    if resolve(device, size=cells.size) == "cuda":
        from swarmloom_protocols.stigmergy.patterns.box_counting_cuda import counts
    else:
        counts = _counts
    return np.array([np.count_nonzero(cells), *counts(cells, shape)], np.int64)


def halved(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the next coarser level."""
    return tuple((side + 1) // 2 for side in shape)


def _counts(cells: UInt8Array, shape: tuple[int, ...]) -> Iterator[int]:
    """Return how many boxes are set at each coarser level."""
    while max(shape) > 1:
        boxes = np.empty(math.prod(halved(shape)), np.uint8)
        one_band = partial(_coarsen, cells, *shape, boxes)
        yield sum(map_bands(one_band, boxes.size, row_elements=8))
        cells, shape = boxes, halved(shape)


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
