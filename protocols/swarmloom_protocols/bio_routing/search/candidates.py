"""Candidate lists: the few neighbours that an ant or a local search looks at first.

Nearest neighbours come from SciPy's k-d tree. In clustered sets of points all of them lie in the
point's own cluster; quadrant lists, with neighbours on every side, then lead out of it (Johnson,
McGeoch, "The traveling salesman problem: a case study in local optimization", 1997, section 3.3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from swarmloom.device import map_bands
from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["cheapest", "nearest", "quadrants"]

POINTS_PER_CELL = 2
QUADRANTS = 4

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]


def nearest(points: ArrayLike, k: int = 20) -> IndexArray:
    """List the nearest neighbours of every point.

    Parameters
    ----------
    points : array-like of float, shape (n, d)
        Finite coordinates; points may coincide.
    k : int, optional
        Neighbours wanted, at least 1.

    Returns
    -------
    ndarray of int32, shape (n, min(k, n - 1))
        By Euclidean distance, those at the same distance by index; never the point itself.

    Raises
    ------
    InputError
        A coordinate is not finite (its point is named), or an argument is out of range.

    Notes
    -----
    The lists are not symmetric: a point need not be in the lists of those in its own.
    """
    places = _points(points)
    n = len(places)
    count = min(whole("k", k, 1), n - 1)
    if count < 1:
        return np.empty((n, 0), np.int32)
    answer = cKDTree(places).query(places, count + 1)
    distances, found = np.asarray(answer[0], np.float64), np.asarray(answer[1], np.int64)
    # Where more points than are asked for coincide, the point itself may not be among them.
    distances[found == np.arange(n)[:, None]] = np.inf
    order = np.lexsort((found, distances), axis=1)[:, :count]
    return np.ascontiguousarray(np.take_along_axis(found, order, 1), np.int32)


def cheapest(costs: ArrayLike, k: int = 20) -> IndexArray:
    """List the neighbours of lowest cost of every node, from a matrix of costs.

    Parameters
    ----------
    costs : array-like of float, shape (n, n)
        From row to column, symmetric or not; without NaN. The diagonal is not read.
    k : int, optional
        Neighbours wanted, at least 1.

    Returns
    -------
    ndarray of int32, shape (n, min(k, n - 1))
        By cost, those of the same cost by index.

    Raises
    ------
    InputError
        The matrix is not square, has a NaN (its entry is named), or `k` is out of range.
    """
    matrix = real_array("costs", costs)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"costs has shape {matrix.shape}; allowed: n rows of n")
    _refuse_nan("costs", np.argwhere(np.isnan(matrix) & ~np.eye(len(matrix), dtype=bool)))
    count = min(whole("k", k, 1), len(matrix) - 1)
    lists = np.empty((len(matrix), max(count, 0)), np.int32)
    for node in range(len(matrix) if count > 0 else 0):
        order = np.argsort(matrix[node], kind="stable")
        lists[node] = order[order != node][:count]
    return lists


def quadrants(points: ArrayLike, k: int = 20) -> IndexArray:
    """List neighbours on every side: the nearest k // 4 of each quadrant, filled up with nearest.

    Parameters
    ----------
    points : array-like of float, shape (n, 2)
        Finite coordinates; points may coincide.
    k : int, optional
        Neighbours wanted, at least 4.

    Returns
    -------
    ndarray of int32, shape (n, min(k, n - 1))
        As those of `nearest`. The first quadrant holds its axes and all points that coincide with
        the point; the others follow anticlockwise, each without the axis that it ends at.

    Raises
    ------
    InputError
        As `nearest`, or the points are not in the plane.
    """
    places = _points(points)
    if places.shape[1] != 2:
        raise InputError(f"points has shape {places.shape}; quadrants are of the plane: (n, 2)")
    fill = nearest(places, whole("k", k, QUADRANTS))
    if len(places) < 2:
        return fill
    cells = _grid(places)
    share = k // QUADRANTS
    lists = np.empty_like(fill)

    def band(start: int, stop: int) -> None:
        _list_quadrants(start, stop, places, *cells, share, fill, lists)

    map_bands(band, len(places), 64 * k)
    return lists


def _points(points: ArrayLike) -> FloatArray:
    places = real_array("points", points)
    if places.ndim != 2 or places.shape[1] < 1:
        raise InputError(f"points has shape {places.shape}; allowed: (n, dimensions)")
    _refuse_nan("points", np.argwhere(~np.isfinite(places)))
    return places


def _refuse_nan(name: str, wrong: NDArray[np.intp]) -> None:
    if len(wrong):
        at = ", ".join(map(str, wrong[0]))
        raise InputError(f"{name}[{at}] is not a finite number")


def _grid(
    places: FloatArray,
) -> tuple[NDArray[np.int64], IndexArray, IndexArray, tuple[int, int], float]:
    """Return starts of the cells, points by cell, cell of each point, columns and rows, side."""
    low = places.min(axis=0)
    extent = float((places.max(axis=0) - low).max())
    side = extent / np.sqrt(len(places) / POINTS_PER_CELL) or 1.0
    cell_of = np.ascontiguousarray((places - low) // side, np.int32)
    columns, rows = (int(last) + 1 for last in cell_of.max(axis=0))
    flat = cell_of[:, 1].astype(np.int64) * columns + cell_of[:, 0]
    starts = np.zeros(columns * rows + 1, np.int64)
    np.cumsum(np.bincount(flat, minlength=columns * rows), out=starts[1:])
    members = np.argsort(flat, kind="stable").astype(np.int32)
    return starts, members, cell_of, (columns, rows), side


@kernel
def _list_quadrants(
    start: int,
    stop: int,
    places: FloatArray,
    starts: NDArray[np.int64],
    members: IndexArray,
    cell_of: IndexArray,
    shape: tuple[int, int],
    side: float,
    share: int,
    fill: IndexArray,
    lists: IndexArray,
) -> None:
    """Fill rows `start` to `stop` of `lists`; see `quadrants`."""
    best = np.empty(share)
    who = np.empty(share, np.int32)
    for node in range(start, stop):
        listed = 0
        for right, up in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
            best[:] = np.inf
            who[:] = -1
            _search(node, right, up, places, starts, members, cell_of[node], shape, side, best, who)
            for rank in range(share):
                if who[rank] >= 0:
                    lists[node, listed] = who[rank]
                    listed += 1
        _fill_up(fill[node], lists[node], listed)
        _sort(node, places, lists[node])


@kernel
def _search(
    node: int,
    right: int,
    up: int,
    places: FloatArray,
    starts: NDArray[np.int64],
    members: IndexArray,
    cell: IndexArray,
    shape: tuple[int, int],
    side: float,
    best: FloatArray,
    who: IndexArray,
) -> None:
    """Find the nearest points of one quadrant, ring of cells by ring."""
    for ring in range(max(shape[0], shape[1])):
        column, row = cell[0] + right * ring, cell[1] + up * ring
        has_column, has_row = 0 <= column < shape[0], 0 <= row < shape[1]
        # Whatever lies in this ring is at least ring - 1 cells away.
        nearest_left = side * max(ring - 1, 0)
        if not (has_column or has_row) or best[-1] < nearest_left * nearest_left:
            break
        for step in range(ring + 1):
            across, along = cell[1] + up * step, cell[0] + right * step
            if has_column and 0 <= across < shape[1]:
                at = across * shape[0] + column
                for index in range(starts[at], starts[at + 1]):
                    _offer(node, members[index], right, up, places, best, who)
            if has_row and step < ring and 0 <= along < shape[0]:
                at = row * shape[0] + along
                for index in range(starts[at], starts[at + 1]):
                    _offer(node, members[index], right, up, places, best, who)


@kernel
def _offer(
    node: int,
    other: int,
    right: int,
    up: int,
    places: FloatArray,
    best: FloatArray,
    who: IndexArray,
) -> None:
    """Take a point into the list of a quadrant where it lies in it and is near enough."""
    x, y = places[other, 0] - places[node, 0], places[other, 1] - places[node, 1]
    if other == node or (x >= 0.0) != (right > 0) or (y >= 0.0) != (up > 0):
        return
    distance = x * x + y * y
    rank = best.size
    while rank > 0 and (
        distance < best[rank - 1] or (distance == best[rank - 1] and other < who[rank - 1])
    ):
        rank -= 1
        if rank + 1 < best.size:
            best[rank + 1], who[rank + 1] = best[rank], who[rank]
    if rank < best.size:
        best[rank], who[rank] = distance, other


@kernel
def _fill_up(fill: IndexArray, chosen: IndexArray, listed: int) -> None:
    """Complete a list with the nearest that are not in it."""
    for other in fill:
        if listed == chosen.size:
            break
        known = False
        for rank in range(listed):
            known |= chosen[rank] == other
        if not known:
            chosen[listed] = other
            listed += 1


@kernel
def _sort(node: int, places: FloatArray, chosen: IndexArray) -> None:
    """Sort a list by distance, then index."""
    x, y = places[chosen, 0] - places[node, 0], places[chosen, 1] - places[node, 1]
    distances = x * x + y * y
    for rank in range(1, chosen.size):
        other, distance, place = chosen[rank], distances[rank], rank
        while place > 0 and (
            distance < distances[place - 1]
            or (distance == distances[place - 1] and other < chosen[place - 1])
        ):
            chosen[place], distances[place] = chosen[place - 1], distances[place - 1]
            place -= 1
        chosen[place], distances[place] = other, distance
