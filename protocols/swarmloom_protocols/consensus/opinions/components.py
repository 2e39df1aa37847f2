"""Connected components of points that are joined where they are within a radius of each other."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.consensus.opinions.arguments import FloatArray

__all__ = ["joined_labels", "root_of", "unite"]

IntArray = NDArray[np.int64]

# Keys of cells are 64-bit, and neighbours' too.
MOST_CELLS = float(1 << 60)
TILE_ELEMENTS = 1 << 22
# Scalar products cancel digits: pairs this near to the radius are measured again.
TILE_MARGIN = 1e-12


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
def _touch(
    points: FloatArray, radius: float, one: int, one_end: int, other: int, other_end: int
) -> bool:
    """Tell whether a point of one cell is within the radius of a point of another."""
    reach = radius * radius
    for i in range(one, one_end):
        for j in range(other, other_end):
            total = 0.0
            for axis in range(points.shape[1]):
                away = points[i, axis] - points[j, axis]
                total += away * away
            if total <= reach:
                return True
    return False


@kernel
def _join_cells(
    points: FloatArray,
    radius: float,
    keys: IntArray,
    starts: IntArray,
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
            ends = starts[one + 1], starts[other + 1]
            if _touch(points, radius, starts[one], ends[0], starts[other], ends[1]):
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
    ones = np.ones(len(occupied), np.int64)
    _join_cells(points[order], radius, occupied, ends, nearest_first, parents, ones)
    labels = np.empty(len(points), np.int64)
    labels[order] = np.repeat(_roots(parents), np.diff(ends))
    return labels


@kernel
def _roots(parents: IntArray) -> IntArray:
    roots = np.empty_like(parents)
    for item in range(parents.size):
        roots[item] = root_of(parents, item)
    return roots


def _by_tiles(points: FloatArray, radius: float) -> IntArray:
    """Flood one component after the other; each point is measured against the rest once."""
    centred = points - points.mean(axis=0)
    labels = np.full(len(points), -1, np.int64)
    unseen = np.arange(len(points))
    waiting: list[IntArray] = []
    label = -1
    while unseen.size:
        if not waiting:
            label += 1
            waiting = [unseen[:1]]
            labels[unseen[0]] = label
            unseen = unseen[1:]
        front = waiting.pop()
        height = max(1, TILE_ELEMENTS // max(1, unseen.size))
        if len(front) > height:
            waiting.append(front[height:])
            front = front[:height]
        near = _near_any(centred, front, unseen, radius)
        reached, unseen = unseen[near], unseen[~near]
        labels[reached] = label
        if reached.size:
            waiting.append(reached)
    return labels


def _near_any(
    points: FloatArray, front: IntArray, others: IntArray, radius: float
) -> NDArray[np.bool_]:
    """Tell which of the others are within the radius of a point of the front."""
    norms = np.einsum("ij,ij->i", points, points)
    scale = norms[front, np.newaxis] + norms[others]
    excess = scale - 2.0 * (points[front] @ points[others].T) - radius * radius
    close = np.abs(excess) <= TILE_MARGIN * scale
    rows, columns = np.nonzero(close)
    away = points[front[rows]] - points[others[columns]]
    excess[rows, columns] = np.einsum("ij,ij->i", away, away) - radius * radius
    near: NDArray[np.bool_] = (excess <= 0.0).any(axis=0)
    return near
