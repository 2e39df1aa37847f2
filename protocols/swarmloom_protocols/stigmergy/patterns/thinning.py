"""Skeletons of masks: Guo–Hall thinning that looks again only where something has changed.

Guo & Hall, "Parallel thinning with two-subiteration algorithms", CACM 32 (1989) 359, algorithm
A1. A cell whose neighbourhood has stayed since its last look cannot change its mind, so each
subiteration visits the neighbours of what the last two have deleted: the work grows with the area
of the mask, not with its width times the area of the frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = ["skeleton"]

UInt8Array = NDArray[np.uint8]
IntArray = NDArray[np.int64]


def _neighbourhoods() -> NDArray[np.bool_]:
    """Return the 256 neighbourhoods, bit k being the k-th neighbour clockwise from north."""
    return (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)


def _components(around: NDArray[np.bool_]) -> IntArray:
    """Count the 8-connected components of each neighbourhood (0 where all four sides are set)."""
    north, northeast, east, southeast, south, southwest, west, northwest = around.T
    arcs = (
        ~north & (northeast | east),
        ~east & (southeast | south),
        ~south & (southwest | west),
        ~west & (northwest | north),
    )
    return np.asarray(np.sum(arcs, axis=0))


def _deletion_tables() -> UInt8Array:
    """Return which neighbourhoods each subiteration deletes, and which are redundant: (3, 256)."""
    around = _neighbourhoods()
    north, northeast, east, southeast, south, southwest, west, northwest = around.T
    first = np.sum((northwest | north, northeast | east, southeast | south, southwest | west), 0)
    second = np.sum((north | northeast, east | southeast, south | southwest, west | northwest), 0)
    thickness = np.minimum(first, second)
    simple = _components(around) == 1
    border = simple & (thickness >= 2) & (thickness <= 3)
    odd = border & ~((south | southwest | ~northwest) & west)
    even = border & ~((north | northeast | ~southeast) & east)
    redundant = simple & (around.sum(axis=1) >= 2)
    return np.stack((odd, even, redundant)).astype(np.uint8)


DELETED = _deletion_tables()


@kernel
def _code(cells: UInt8Array, at: int, width: int) -> int:
    code: int = (
        cells[at - width]
        | cells[at - width + 1] << 1
        | cells[at + 1] << 2
        | cells[at + width + 1] << 3
        | cells[at + width] << 4
        | cells[at + width - 1] << 5
        | cells[at - 1] << 6
        | cells[at - width - 1] << 7
    )
    return code


@kernel
def _push_neighbours(
    cells: UInt8Array,
    width: int,
    deleted: IntArray,
    stamps: NDArray[np.int32],
    stamp: int,
    queue: IntArray,
    length: int,
) -> int:
    """Queue the set neighbours of what was deleted, each once; return the queue's length."""
    for k in range(deleted.size):
        for row in range(-width, width + 1, width):
            for at in range(deleted[k] + row - 1, deleted[k] + row + 2):
                if cells[at] and stamps[at] != stamp:
                    stamps[at] = stamp
                    queue[length] = at
                    length += 1
    return length


@kernel
def _delete(
    cells: UInt8Array, width: int, table: UInt8Array, queue: IntArray, deleted: IntArray
) -> int:
    """Delete, all at once, what the table says of the queue's cells; return how many."""
    count = 0
    for k in range(queue.size):
        if cells[queue[k]] and table[_code(cells, queue[k], width)]:
            deleted[count] = queue[k]
            count += 1
    for k in range(count):
        cells[deleted[k]] = 0
    return count


@kernel
def _thin(
    cells: UInt8Array, width: int, tables: UInt8Array, queue: IntArray, stamps: NDArray[np.int32]
) -> None:
    """Thin in place; `queue` holds all set cells at first, and the frame's rim is 0."""
    length, stamp = queue.size, 0
    # What the last two subiterations have deleted; nothing is known before them.
    before, latest = np.empty_like(queue), np.empty_like(queue)
    n_before, n_latest = 0, 0
    while length > 0:
        n_before = n_latest
        before, latest = latest, before
        n_latest = _delete(cells, width, tables[stamp % 2], queue[:length], latest)
        stamp += 1
        # Every cell is looked at in both of the first two subiterations.
        if stamp > 1:
            length = _push_neighbours(cells, width, before[:n_before], stamps, stamp, queue, 0)
            length = _push_neighbours(cells, width, latest[:n_latest], stamps, stamp, queue, length)


@kernel
def _drop_redundant(cells: UInt8Array, width: int, redundant: UInt8Array, queue: IntArray) -> None:
    """Delete one by one the cells without which the skeleton stays as connected as it is."""
    for k in range(queue.size):
        if redundant[_code(cells, queue[k], width)]:
            cells[queue[k]] = 0


def skeleton(mask: ArrayLike) -> NDArray[np.bool_]:
    """Thin a mask to lines one cell wide.

    Parameters
    ----------
    mask : array-like of bool, shape (Y, X)
        What is set.

    Returns
    -------
    ndarray of bool, shape (Y, X)
        A subset of the mask with the same 8-connected components and holes.

    Raises
    ------
    InputError
        The mask is not two-dimensional.
    """
    given = np.asarray(mask, bool)
    if given.ndim != 2:
        raise InputError(f"mask: shape {given.shape}; allowed: (Y, X)")
    padded = np.pad(given, 1).astype(np.uint8)
    cells, width = padded.reshape(-1), padded.shape[1]
    _thin(cells, width, DELETED, np.flatnonzero(cells), np.zeros(cells.size, np.int32))
    _drop_redundant(cells, width, DELETED[2], np.flatnonzero(cells))
    return padded[1:-1, 1:-1].astype(bool)
