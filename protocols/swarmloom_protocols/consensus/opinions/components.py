"""Connected components of points that are joined where they are within a radius of each other."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.consensus.opinions.arguments import FloatArray
from swarmloom_protocols.consensus.opinions.distances import (
    TILE_ELEMENTS,
    TILE_MARGIN,
    squared_distance,
)

__all__ = ["joined_labels", "root_of", "unite"]

IntArray = NDArray[np.int64]

# Keys of cells are 64-bit, and neighbours' too.
MOST_CELLS = float(1 << 60)


def joined_labels(points: FloatArray, radius: float) -> IntArray:
    """Return a label for each point; two are equal where a chain with gaps ≤ radius joins them.

    Parameters
    ----------
    points : ndarray of float64, shape (n, D)
        Finite, at least one.
    radius : float
        Widest gap, above 0.

    Returns
    -------
    ndarray of int64, shape (n,)
        Arbitrary numbers.
    """
    dimensions = points.shape[1]
    if dimensions == 1:
        return _on_a_line(points[:, 0], radius)
    # Slightly less than radius/√D, so that rounding cannot part what shares a cell.
    side = radius / math.sqrt(dimensions) * (1.0 - 1e-9)
    extents = np.floor(np.ptp(points, axis=0) / side) + 1.0
    if dimensions <= 3 and float(np.log2(extents + 8.0).sum()) < math.log2(MOST_CELLS):
        return _by_cells(points, radius, side)
    return _by_tiles(points, radius)


def _on_a_line(points: FloatArray, radius: float) -> IntArray:
    order = np.argsort(points, kind="stable")
    labels = np.empty(len(points), np.int64)
    labels[order] = np.concatenate([[0], np.cumsum(np.diff(points[order]) > radius)])
    return labels


@kernel
def root_of(parents: IntArray, item: int) -> int:
    """Return the root of an item's tree, halving its path on the way."""
    while parents[item] != item:
        parents[item] = parents[parents[item]]
        item = parents[item]
    return item


@kernel
def unite(parents: IntArray, sizes: IntArray, one: int, other: int) -> int:
    """Join two trees, the smaller below the larger; return the root.

    Union–find with union by size and path halving (Tarjan and van Leeuwen, Journal of the ACM 31,
    1984). Roots hold the sizes.
    """
    one, other = root_of(parents, one), root_of(parents, other)
    if one == other:
        return one
    if sizes[one] < sizes[other]:
        one, other = other, one
    parents[other] = one
    sizes[one] += sizes[other]
    return one


@kernel
def _beyond(point: FloatArray, box: FloatArray) -> float:
    """Return the squared distance from a point to a box, given as least and greatest corner."""
    total = 0.0
    for axis in range(point.size):
        away = max(0.0, box[0, axis] - point[axis], point[axis] - box[1, axis])
        total += away * away
    return total


@kernel
def _touch(
    points: FloatArray,
    reach: float,
    one: int,
    one_end: int,
    other: int,
    other_end: int,
    box: FloatArray,
) -> bool:
    """Tell whether a point of one cell reaches one of another, whose points lie in the box."""
    for i in range(one, one_end):
        # Most points of crowded cells are told apart without looking at the others.
        if _beyond(points[i], box) <= reach:
            for j in range(other, other_end):
                if squared_distance(points, i, j) <= reach:
                    return True
    return False


@kernel
def _join_cells(
    points: FloatArray,
    reach: float,
    keys: IntArray,
    starts: IntArray,
    boxes: FloatArray,
    shifts: IntArray,
    parents: IntArray,
    sizes: IntArray,
) -> None:
    """Unite the occupied cells that touch; `keys` ascend, `shifts` lead to half the neighbours."""
    for shift in shifts:
        other = 0
        for one in range(keys.size):
            while other < keys.size and keys[other] < keys[one] + shift:
                other += 1
            if other == keys.size:
                break
            if keys[other] != keys[one] + shift:
                continue
            if root_of(parents, one) == root_of(parents, other):
                continue
            first, second = starts[one : one + 2], starts[other : other + 2]
            near = boxes[other]
            if _touch(points, reach, first[0], first[1], second[0], second[1], near):
                unite(parents, sizes, one, other)


def _by_cells(points: FloatArray, radius: float, side: float) -> IntArray:
    cells = np.floor((points - points.min(axis=0)) / side).astype(np.int64)
    # Room at the edges, so that a shifted key is never that of a cell at the other side.
    spans = cells.max(axis=0) + 5
    strides = np.concatenate([np.cumprod(spans[:0:-1])[::-1], [1]]).astype(np.int64)
    keys = cells @ strides
    order = np.argsort(keys, kind="stable")
    occupied, starts = np.unique(keys[order], return_index=True)
    around = itertools.product(range(-2, 3), repeat=points.shape[1])
    shifts = sorted(
        (np.dot(way, way), int(np.dot(way, strides)))
        for way in map(np.array, around)
        if np.dot(way, strides) > 0
    )
    parents = np.arange(len(occupied))
    ends = np.append(starts, len(points))
    nearest_first = np.array([shift for _, shift in shifts], np.int64)
    placed, ones = points[order], np.ones(len(occupied), np.int64)
    corners = np.minimum.reduceat(placed, starts), np.maximum.reduceat(placed, starts)
    boxes = np.ascontiguousarray(np.stack(corners, axis=1))
    _join_cells(placed, radius * radius, occupied, ends, boxes, nearest_first, parents, ones)
    labels = np.empty(len(points), np.int64)
    labels[order] = np.repeat(_roots(parents), np.diff(ends))
    return labels


@kernel
def _roots(parents: IntArray) -> IntArray:
    roots = np.empty_like(parents)
    for item in range(parents.size):
        roots[item] = root_of(parents, item)
    return roots


@kernel
def _join_tile(
    products: FloatArray,
    points: FloatArray,
    norms: FloatArray,
    reach: float,
    first: int,
    parents: IntArray,
    sizes: IntArray,
) -> None:
    """Unite what is near, by the scalar products of rows from `first` on with all from there."""
    for row in range(products.shape[0]):
        for column in range(row + 1, products.shape[1]):
            i, j = first + row, first + column
            scale = norms[i] + norms[j]
            distance2 = scale - 2.0 * products[row, column]
            if abs(distance2 - reach) <= TILE_MARGIN * scale:
                distance2 = squared_distance(points, i, j)
            if distance2 <= reach:
                unite(parents, sizes, i, j)


def _by_tiles(points: FloatArray, radius: float) -> IntArray:
    n = len(points)
    centred = points - points.mean(axis=0)
    norms = np.einsum("ij,ij->i", centred, centred)
    parents, sizes = np.arange(n), np.ones(n, np.int64)
    height = max(1, TILE_ELEMENTS // n)
    for first in range(0, n, height):
        tile = centred[first : first + height] @ centred[first:].T
        _join_tile(tile, points, norms, radius * radius, first, parents, sizes)
    return _roots(parents)
