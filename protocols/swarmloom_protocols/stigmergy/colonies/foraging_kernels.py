"""Kernels of foraging ants: one ant's step, what it settles with its cell, one step of the trail.

All of a step's ants read the trail as the step before left it. Marks are counted in integers, and
a cell gives one item a step, to its claimant of the lowest number: the result depends neither on
the order of the ants nor on the device.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.denormals import flush_float32
from swarmloom.jit import kernel
from swarmloom.random_streams32 import SPARE_BITS, UNIT, uniform32, words32
from swarmloom_protocols.stigmergy.walkers.levy_kernels import flight_length

__all__ = [
    "CORRELATED",
    "FULL_TURN",
    "LEVY",
    "NOBODY",
    "TRAIL",
    "forage",
    "move_ant",
    "settle_ant",
    "spread_cell",
]

Ints = NDArray[np.int32]
Float32s = NDArray[np.float32]

CORRELATED, LEVY, TRAIL = 0, 1, 2
# Headings are numbers of a table of unit vectors: the same on every device, without trigonometry.
FULL_TURN = 256
HEADING_MASK = FULL_TURN - 1
HALF_TURN = FULL_TURN // 2
# 45°, where NetLogo's ants sniff and sense the nest.
LOOK_ASIDE = FULL_TURN // 8
SECOND_HALF = 1 << 31
NOBODY = np.iinfo(np.int32).max
# Columns of the ants' integers.
HEADING, CARRYING, FLIGHT = 0, 1, 2
HALF_CELL: Any = np.float32(0.5)
FOUR: Any = np.float32(4.0)
ZERO: Any = np.float32(0.0)


@kernel
def _cell_of(position: float) -> int:
    return int(np.int64(math.floor(position + HALF_CELL)))


@kernel
def _smell(trail: Float32s, y: float, x: float) -> Any:
    row, column = _cell_of(y), _cell_of(x)
    if 0 <= row < trail.shape[0] and 0 <= column < trail.shape[1]:
        return trail[row, column]
    return ZERO


@kernel
def _uphill(trail: Float32s, y: float, x: float, heading: int, table: Float32s) -> int:
    """Return the heading of the strongest trail ahead or 45° aside; ahead where all are equal."""
    best, strongest = heading, ZERO
    for turn in (0, LOOK_ASIDE, -LOOK_ASIDE):
        toward = (heading + turn) & HEADING_MASK
        found = _smell(trail, y + table[toward, 2], x + table[toward, 3])
        if found > strongest:
            best, strongest = toward, found
    return best


@kernel
def _homeward(y: float, x: float, nest: Float32s, heading: int, table: Float32s) -> int:
    """Return which of ahead and 45° aside comes nearest to the nest."""
    best, nearest = heading, np.inf
    for turn in (0, LOOK_ASIDE, -LOOK_ASIDE):
        toward = (heading + turn) & HEADING_MASK
        # In float64 these squares are exact, whether or not a device fuses product and sum.
        dy, dx = float(y + table[toward, 0] - nest[0]), float(x + table[toward, 1] - nest[1])
        if dy * dy + dx * dx < nearest:
            best, nearest = toward, dy * dy + dx * dx
    return best


@kernel
def _wiggled(heading: int, chance: float, wiggle: Any) -> int:
    turn = int(np.int64(math.floor((2.0 * float(chance) - 1.0) * float(wiggle) + 0.5)))
    return (heading + turn) & HEADING_MASK


@kernel
def _uniform(word: Any) -> Any:
    return np.float32(word >> SPARE_BITS) * UNIT


@kernel
def _searching_heading(
    ants: Ints,
    i: int,
    y: float,
    x: float,
    strategy: int,
    trail: Float32s,
    table: Float32s,
    numbers: Float32s,
    law: Float32s,
    chance: Any,
    word: Any,
) -> int:
    """Choose where to search; `numbers` are wiggle and faintest trail followed."""
    heading = int(ants[i, HEADING])
    if strategy == LEVY:
        if ants[i, FLIGHT] > 0:
            ants[i, FLIGHT] -= 1
            return heading
        ants[i, FLIGHT] = int(flight_length(word, law)) - 1
        return int(chance * np.float32(FULL_TURN)) & HEADING_MASK
    if strategy == TRAIL and _smell(trail, y, x) >= numbers[1]:
        heading = _uphill(trail, y, x, heading, table)
    return _wiggled(heading, chance, numbers[0])


@kernel
def move_ant(
    i: int,
    places: Float32s,
    ants: Ints,
    strategy: int,
    trail: Float32s,
    nest: Float32s,
    table: Float32s,
    numbers: Float32s,
    law: Float32s,
    first: Any,
    second: Any,
) -> int:
    """Turn and move one ant; return the flat index of its cell.

    Parameters
    ----------
    i : int
        Number of the ant.
    places : ndarray of float32, shape (ants, 2)
        (y, x), overwritten.
    ants : ndarray of int32, shape (ants, 3)
        Heading, 1 for carrying, steps left of the flight; overwritten.
    strategy : int
        `CORRELATED`, `LEVY` or `TRAIL`.
    trail : ndarray of float32, shape (height, width)
        As the step before left it.
    nest : ndarray of float32, shape (3,)
        (y, x, radius).
    table : ndarray of float32, shape (FULL_TURN, 4)
        (y, x) of a step in each heading, and of where an ant sniffs.
    numbers : ndarray of float32, shape (2,)
        Largest turn of a wiggle, in headings, and faintest trail followed.
    law : ndarray of float32, shape (6,)
        Of the lengths of Lévy flights, as `flight_length` reads it.
    first, second : uint32
        Random words.
    """
    chance = _uniform(first)
    y, x = places[i, 0], places[i, 1]
    if ants[i, CARRYING]:
        homeward = _homeward(y, x, nest, int(ants[i, HEADING]), table)
        heading = _wiggled(homeward, chance, numbers[0])
    else:
        heading = _searching_heading(
            ants, i, y, x, strategy, trail, table, numbers, law, chance, second
        )
    y, x = y + table[heading, 0], x + table[heading, 1]
    row, column = _cell_of(y), _cell_of(x)
    if 0 <= row < trail.shape[0] and 0 <= column < trail.shape[1]:
        places[i, 0], places[i, 1] = y, x
    else:
        # At the edge of the world an ant turns round, loses the step and ends its flight.
        heading = (heading + HALF_TURN) & HEADING_MASK
        ants[i, FLIGHT] = 0
        row, column = _cell_of(places[i, 0]), _cell_of(places[i, 1])
    ants[i, HEADING] = heading
    return int(row * trail.shape[1] + column)


@kernel
def settle_ant(
    i: int,
    places: Float32s,
    ants: Ints,
    cell: int,
    food: Ints,
    claims: Ints,
    nest: Float32s,
    seed: int,
    stream: int,
    step: int,
) -> int:
    """Let an ant take what it claimed, or leave what it carries in the nest; return items left.

    Parameters
    ----------
    i : int
        Number of the ant.
    places, ants, nest
        As for `move_ant`.
    cell : int
        Flat index of its cell.
    food, claims : ndarray of int32, shape (cells,)
        Items of each cell; lowest number of the ants that want one.
    seed, stream, step : int
        Of the random heading in which an ant leaves the nest.
    """
    if not ants[i, CARRYING]:
        if claims[cell] == i:
            food[cell] -= 1
            ants[i, CARRYING] = 1
            ants[i, HEADING] = (ants[i, HEADING] + HALF_TURN) & HEADING_MASK
        return 0
    dy, dx = places[i, 0] - nest[0], places[i, 1] - nest[1]
    if dy * dy + dx * dx > nest[2] * nest[2]:
        return 0
    ants[i, CARRYING] = 0
    ants[i, FLIGHT] = 0
    # The upper half of the counters; the lower one is for moves.
    chance = uniform32(seed, stream, step + SECOND_HALF)
    ants[i, HEADING] = int(chance * np.float32(FULL_TURN)) & HEADING_MASK
    return 1


@kernel
def spread_cell(trail: Float32s, row: int, column: int, chemistry: Float32s) -> Any:
    """Return a cell's trail after diffusion and evaporation.

    Parameters
    ----------
    trail : ndarray of float32, shape (height, width)
        Before; nothing flows over its edges.
    row, column : int
        Which cell.
    chemistry : ndarray of float32, shape (3,)
        Diffusion, share kept in a step, and amount of a mark.
    """
    height, width = trail.shape
    here = trail[row, column]
    north = trail[row - 1 if row > 0 else row, column]
    south = trail[row + 1 if row < height - 1 else row, column]
    west = trail[row, column - 1 if column > 0 else column]
    east = trail[row, column + 1 if column < width - 1 else column]
    around = north + south + west + east
    return flush_float32(chemistry[1] * (here + chemistry[0] * (around - FOUR * here)))


@kernel
def _spread_row(
    above: Float32s, here: Float32s, below: Float32s, chemistry: Float32s, out: Float32s
) -> None:
    """Write the trail without marks of a row's cells but for the two at the edges."""
    diffusion, kept = chemistry[0], chemistry[1]
    # Views rather than indices that could be negative: the loop becomes vector code.
    north, south, middle = above[1:-1], below[1:-1], here[1:-1]
    west, east, inner = here[:-2], here[2:], out[1:-1]
    for i in range(inner.size):
        around = north[i] + south[i] + west[i] + east[i]
        value = kept * (middle[i] + diffusion * (around - FOUR * middle[i]))
        inner[i] = flush_float32(value)


@kernel
def _spread(
    trail: Float32s, cells: NDArray[np.int64], marks: Ints, chemistry: Float32s, spread: Float32s
) -> None:
    """Write `spread_cell` of all cells, add the marks and clear them."""
    height, width = trail.shape
    for row in range(height):
        above = trail[row - 1 if row > 0 else row]
        below = trail[row + 1 if row < height - 1 else row]
        _spread_row(above, trail[row], below, chemistry, spread[row])
        for column in (0, width - 1):
            spread[row, column] = spread_cell(trail, row, column, chemistry)
    for cell in cells:
        spread[cell // width, cell % width] += np.float32(marks[cell]) * chemistry[2]
        marks[cell] = 0


@kernel
def _step(
    places: Float32s,
    ants: Ints,
    cells: NDArray[np.int64],
    words: NDArray[np.uint32],
    strategy: int,
    trail: Float32s,
    food: Ints,
    marks: Ints,
    claims: Ints,
    nest: Float32s,
    table: Float32s,
    numbers: Float32s,
    law: Float32s,
    seed: int,
    first_stream: int,
    step: int,
) -> int:
    """Move all ants of one world, then let them settle; return the items delivered."""
    # By themselves, as vector instructions.
    for i in range(len(ants)):
        words[i, 0], words[i, 1] = words32(seed, first_stream + i, step)
    for i in range(len(ants)):
        cell = move_ant(
            i,
            places,
            ants,
            strategy,
            trail,
            nest,
            table,
            numbers,
            law,
            words[i, 0],
            words[i, 1],
        )
        cells[i] = cell
        if ants[i, CARRYING]:
            marks[cell] += 1
        elif food[cell] > 0:
            claims[cell] = min(claims[cell], i)
    delivered = 0
    for i in range(len(ants)):
        stream = first_stream + i
        delivered += settle_ant(i, places, ants, cells[i], food, claims, nest, seed, stream, step)
    for i in range(len(ants)):
        claims[cells[i]] = NOBODY
        if strategy != TRAIL:
            marks[cells[i]] = 0
    return delivered


@kernel
def forage(
    places: Float32s,
    ants: Ints,
    cells: NDArray[np.int64],
    words: NDArray[np.uint32],
    strategy: int,
    trails: Float32s,
    food: Ints,
    marks: Ints,
    claims: Ints,
    nest: Float32s,
    table: Float32s,
    numbers: Float32s,
    chemistry: Float32s,
    law: Float32s,
    seed: int,
    first_stream: int,
    first_step: int,
    delivered: Ints,
) -> None:
    """Run one world for as many steps as `delivered` has room.

    Parameters
    ----------
    places : ndarray of float32, shape (ants, 2)
        As for `move_ant`, like `ants`, `nest`, `table` and `numbers`.
    cells : ndarray of int64, shape (ants,)
        Scratch, like `words` of uint32, shape (ants, 2).
    strategy : int
        `CORRELATED`, `LEVY` or `TRAIL`; only `TRAIL` leaves a trail.
    trails : ndarray of float32, shape (2, height, width)
        The trail and room for the next one; the trail is in the first again at the end.
    food, marks, claims : ndarray of int32, shape (cells,)
        Items; zeros; `NOBODY`.
    chemistry : ndarray of float32, shape (3,)
        As for `spread_cell`.
    law : ndarray of float32, shape (6,)
        Of the lengths of Lévy flights, as `flight_length` reads it.
    seed, first_stream, first_step : int
        Of the random numbers.
    delivered : ndarray of int32, shape (steps,)
        Items brought to the nest in each step.
    """
    here, there = trails[0], trails[1]
    for i in range(delivered.size):
        delivered[i] = _step(
            places,
            ants,
            cells,
            words,
            strategy,
            here,
            food,
            marks,
            claims,
            nest,
            table,
            numbers,
            law,
            seed,
            first_stream,
            first_step + i,
        )
        if strategy == TRAIL:
            _spread(here, cells, marks, chemistry, there)
            here, there = there, here
    if strategy == TRAIL and delivered.size % 2:
        trails[0, :, :] = trails[1]
