"""A round tour as an array, changed by reversals alone, so that each change can be taken back.

Every exchange of edges is a list of reversals of stretches, the shorter side of each. A reversal of
the same positions is its own inverse: what was noted is undone backwards and redone forwards.

The state of a tour is one array of int32, shape (5, n), n at least 8, whose rows are named below:
the city at each position (ORDER), the position of each city (AT), the ring of cities whose edges
local search has yet to look at (QUEUE), which cities are in it (QUEUED), and the head of the ring,
the cities in it and the reversals noted (COUNTS). Rows of one array cost kernels no counting of
references, which fields of a tuple do at each use. The notes, int32 of shape (NOTES, 2), hold first
and last position of each reversal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = [
    "AT",
    "COUNTS",
    "HEAD",
    "NOTED",
    "NOTES",
    "ORDER",
    "QUEUE",
    "QUEUED",
    "WAITING",
    "exchange",
    "flip",
    "lay",
    "new_notes",
    "new_state",
    "redo",
    "reverse",
    "swap",
    "undo",
]

IndexArray = NDArray[np.int32]

ORDER, AT, QUEUE, QUEUED, COUNTS = range(5)
HEAD, WAITING, NOTED = range(3)

# Reversals that are noted before a change must be kept or undone.
NOTES = 1 << 14


def new_state(order: IndexArray) -> IndexArray:
    """Return the state of a tour in a given order, with an empty queue."""
    state = np.zeros((5, order.size), np.int32)
    lay(state, order)
    return state


def new_notes() -> IndexArray:
    """Return room for the notes of one tour."""
    return np.empty((NOTES, 2), np.int32)


@kernel
def lay(state: IndexArray, order: IndexArray) -> None:
    """Take over an order of all cities; the notes are forgotten."""
    for position in range(order.size):
        state[ORDER, position] = order[position]
        state[AT, order[position]] = position
    state[COUNTS, NOTED] = 0


@kernel
def reverse(state: IndexArray, first: int, last: int) -> None:
    """Reverse the positions from `first` on to `last`, past the end of the array if need be."""
    n = state.shape[1]
    length = last - first + 1
    if length <= 0:
        length += n
    for _ in range(length // 2):
        a, b = state[ORDER, first], state[ORDER, last]
        state[ORDER, first], state[ORDER, last] = b, a
        state[AT, b], state[AT, a] = first, last
        first = first + 1 if first + 1 < n else 0
        last = last - 1 if last > 0 else n - 1


@kernel
def flip(state: IndexArray, notes: IndexArray, first: int, last: int) -> None:
    """Reverse a stretch of positions, or all others where they are fewer, and note it."""
    n = state.shape[1]
    length = last - first + 1
    if length <= 0:
        length += n
    if 2 * length > n:
        first, last = last + 1 if last + 1 < n else 0, first - 1 if first > 0 else n - 1
    reverse(state, first, last)
    noted = state[COUNTS, NOTED]
    notes[noted, 0] = first
    notes[noted, 1] = last
    state[COUNTS, NOTED] = noted + 1


@kernel
def exchange(state: IndexArray, notes: IndexArray, a: int, b: int, c: int, d: int) -> None:
    """Replace the edges a-b and c-d by b-c and d-a.

    The ends are cities, not positions, as a flip may turn the direction of the whole tour: b
    follows a and c follows d, or the other way about.
    """
    after = state[AT, a] + 1
    if state[ORDER, after if after < state.shape[1] else 0] == b:
        flip(state, notes, state[AT, b], state[AT, d])
    else:
        flip(state, notes, state[AT, d], state[AT, b])


@kernel
def swap(
    state: IndexArray, notes: IndexArray, a: int, b: int, c: int, d: int, e: int, f: int
) -> None:
    """Let the stretches b to c and d to e change places, unreversed.

    In one direction the tour reads a b ... c d ... e f; afterwards a d ... e b ... c f. Of the
    three stretches between the edges, the longest stays where it is: any two make the same tour.
    """
    n = state.shape[1]
    after = state[AT, a] + 1
    sign = 1 if state[ORDER, after if after < n else 0] == b else -1
    first = (sign * (state[AT, c] - state[AT, b])) % n
    second = (sign * (state[AT, e] - state[AT, d])) % n
    third = (sign * (state[AT, a] - state[AT, f])) % n
    if first > second and first > third:
        a, b, c, d, e, f = c, d, e, f, a, b
    elif second > third:
        a, b, c, d, e, f = e, f, a, b, c, d
    exchange(state, notes, a, b, f, e)
    exchange(state, notes, a, e, c, d)
    exchange(state, notes, e, c, f, b)


@kernel
def undo(state: IndexArray, notes: IndexArray) -> None:
    """Take back all reversals noted."""
    for step in range(state[COUNTS, NOTED] - 1, -1, -1):
        reverse(state, notes[step, 0], notes[step, 1])
    state[COUNTS, NOTED] = 0


@kernel
def redo(state: IndexArray, notes: IndexArray, count: int) -> None:
    """Do `count` noted reversals again, from the tour that they began with."""
    for step in range(count):
        reverse(state, notes[step, 0], notes[step, 1])
