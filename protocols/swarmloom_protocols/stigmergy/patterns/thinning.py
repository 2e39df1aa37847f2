"""Skeletons of masks: Guo–Hall thinning that looks again only where something has changed.

Guo & Hall, "Parallel thinning with two-subiteration algorithms", CACM 32 (1989) 359, algorithm
A1. Each cell carries the code of its neighbourhood, which changes where a neighbour is deleted.
A cell whose neighbourhood has stayed since its last look cannot change its mind, so each
subiteration visits neighbours of what the last two have deleted, and those alone whose code one of
the two tables deletes: the work grows with the area of the mask, not with its width times the area
of the frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = ["skeleton"]

UInt8Array = NDArray[np.uint8]
UInt16Array = NDArray[np.uint16]
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
CHANGING = DELETED[0] | DELETED[1]
# A cell's state: its neighbourhood in the low byte, whether it is set, whether it is queued.
SET, QUEUED = 256, 512


@kernel
def _write_states(cells: UInt8Array, states: UInt16Array) -> None:
    """Write the states of all cells but the rim, shapes (Y, X)."""
    for y in range(1, cells.shape[0] - 1):
        above, row, below = cells[y - 1], cells[y], cells[y + 1]
        for x in range(1, cells.shape[1] - 1):
            states[y, x] = (
                above[x]
                | above[x + 1] << 1
                | row[x + 1] << 2
                | below[x + 1] << 3
                | below[x] << 4
                | below[x - 1] << 5
                | row[x - 1] << 6
                | above[x - 1] << 7
                | row[x] << 8
            )


@kernel
def _find_changing(states: UInt16Array, changing: UInt8Array, queue: IntArray) -> int:
    """Queue the set cells that either subiteration would delete; return how many."""
    length = 0
    for at in range(states.size):
        if states[at] >= SET and changing[states[at] & 255]:
            queue[length] = at
            length += 1
    return length


@kernel
def _mark(
    states: UInt16Array, table: UInt8Array, queue: IntArray, marked: IntArray, count: int
) -> int:
    """Take cells from the queue, and append those that the table deletes to the marked ones."""
    for k in range(queue.size):
        state = states[queue[k]] & ~QUEUED
        states[queue[k]] = state
        if state >= SET and table[state & 255]:
            marked[count] = queue[k]
            count += 1
    return count


@kernel
def _delete(
    states: UInt16Array, steps: IntArray, changing: UInt8Array, marked: IntArray, queue: IntArray
) -> int:
    """Delete the marked cells, and queue, each once, the neighbours that may be next."""
    length = 0
    for k in range(marked.size):
        # A cell that was in both queues is marked twice.
        if not states[marked[k]] & SET:
            continue
        states[marked[k]] &= ~SET
        for side in range(8):
            at = marked[k] + steps[side]
            # The neighbour sees the cell on the opposite side.
            state = states[at] & ~(1 << ((side + 4) & 7))
            if state & (SET | QUEUED) == SET and changing[state & 255]:
                state |= QUEUED
                queue[length] = at
                length += 1
            states[at] = state
    return length


@kernel
def _thin(
    states: UInt16Array, steps: IntArray, tables: UInt8Array, changing: UInt8Array, count: int
) -> None:
    """Thin in place `count` set cells within a rim of unset ones."""
    before, latest = np.empty(count, np.int64), np.empty(count, np.int64)
    marked = np.empty(2 * count, np.int64)
    n_before, n_latest = 0, _find_changing(states, changing, latest)
    parity = 0
    while n_before + n_latest > 0:
        n_marked = _mark(states, tables[parity], before[:n_before], marked, 0)
        n_marked = _mark(states, tables[parity], latest[:n_latest], marked, n_marked)
        before, latest = latest, before
        n_before = n_latest
        n_latest = _delete(states, steps, changing, marked[:n_marked], latest)
        parity = 1 - parity


@kernel
def _drop_redundant(states: UInt16Array, steps: IntArray, redundant: UInt8Array) -> None:
    """Delete one by one the cells without which the skeleton stays as connected as it is."""
    for at in range(states.size):
        if states[at] >= SET and redundant[states[at] & 255]:
            states[at] &= ~SET
            for side in range(8):
                states[at + steps[side]] &= ~(1 << ((side + 4) & 7))


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
    given = np.asarray(mask, bool, order="C")
    if given.ndim != 2:
        raise InputError(f"mask: shape {given.shape}; allowed: (Y, X)")
    padded = np.pad(given, 1).astype(np.uint8)
    states, width = np.zeros(padded.shape, np.uint16), padded.shape[1]
    _write_states(padded, states)
    # From north clockwise, as the bits of a neighbourhood.
    steps = np.array((-width, 1 - width, 1, width + 1, width, width - 1, -1, -width - 1))
    _thin(states.reshape(-1), steps, DELETED, CHANGING, int(np.count_nonzero(given)))
    _drop_redundant(states.reshape(-1), steps, DELETED[2])
    return states[1:-1, 1:-1] >= SET
