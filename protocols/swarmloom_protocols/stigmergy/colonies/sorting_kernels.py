"""The kernel of sorting ants: one world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams32 import uniform_pair32

__all__ = ["EMPTY", "sort_world"]

Ints = NDArray[np.int32]

EMPTY = 0
# Columns of the ants' integers.
ROW, COLUMN, LOAD = 0, 1, 2
DIRECTIONS = 4
COIN = 0.5


@kernel
def _density(items: Ints, row: int, column: int, kind: int, radius: int) -> float:
    """Return the share of items of a kind among the cells around one, over the edges too."""
    height, width = items.shape
    found = 0
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            there = items[(row + dy) % height, (column + dx) % width]
            if there == kind and not (dy == 0 and dx == 0):
                found += 1
    side = 2 * radius + 1
    return found / (side * side - 1)


@kernel
def _handle(
    items: Ints,
    ants: Ints,
    i: int,
    radius: int,
    pick: float,
    drop: float,
    heed: float,
    chance: float,
) -> None:
    """Let an ant pick up what lies under it, or drop what it carries, by what lies around."""
    row, column, load = ants[i, ROW], ants[i, COLUMN], ants[i, LOAD]
    here = items[row, column]
    if load == EMPTY and here != EMPTY:
        density = _density(items, row, column, here, radius)
        share = pick / (pick + density)
        if chance < heed * share * share + (1.0 - heed) * COIN:
            ants[i, LOAD] = here
            items[row, column] = EMPTY
    elif load != EMPTY and here == EMPTY:
        density = _density(items, row, column, load, radius)
        share = density / (drop + density)
        if chance < heed * share * share + (1.0 - heed) * COIN:
            ants[i, LOAD] = EMPTY
            items[row, column] = load


@kernel
def _walk(items: Ints, ants: Ints, i: int, chance: float) -> None:
    """Move an ant to one of its 4 neighbours, over the edges too."""
    direction = int(chance * DIRECTIONS)
    step = 1 if direction % 2 else -1
    if direction < DIRECTIONS // 2:
        ants[i, ROW] = (ants[i, ROW] + step) % items.shape[0]
    else:
        ants[i, COLUMN] = (ants[i, COLUMN] + step) % items.shape[1]


@kernel
def sort_world(
    items: Ints,
    ants: Ints,
    radius: int,
    pick: float,
    drop: float,
    heed: float,
    seed: int,
    first_stream: int,
    first_step: int,
    steps: int,
) -> None:
    """Let the ants of one world walk and handle items, one after the other.

    Parameters
    ----------
    items : ndarray of int32, shape (height, width)
        Kind of the item on each cell, 0 for none; overwritten.
    ants : ndarray of int32, shape (ants, 3)
        Row, column and kind of what it carries; overwritten.
    radius : int
        Cells that an ant sees in each direction.
    pick, drop : float
        k₊ and k₋ of the response functions.
    heed : float
        Share of decisions that follow them; a coin is tossed for the others.
    seed, first_stream, first_step : int
        Of the random numbers: ant i has stream `first_stream` + i.
    steps : int
        To run.
    """
    for step in range(first_step, first_step + steps):
        for i in range(len(ants)):
            first, second = uniform_pair32(seed, first_stream + i, step)
            _walk(items, ants, i, float(first))
            _handle(items, ants, i, radius, pick, drop, heed, float(second))
