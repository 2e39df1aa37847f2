"""CPU kernels of the agents: sense at three places, turn, move, deposit; 256 agents at a time.

The model is that of Jones, "Characteristics of pattern formation and evolution in approximations
of Physarum transport networks", Artificial Life 16 (2010) 127-153, written from its description.
Its rule that a cell holds one agent at most is left out, for it makes the result depend on the
order of the agents.

A block of 256 agents goes through passes over small buffers: the indices of the three cells, the
values there, turn and move, deposits. All but the gathering and depositing are vector instructions.

Positions are integers, 2⁻¹⁶ cells apart, and a product is turned into an integer before it is
added to another. So no compiler can fuse a product and a sum into one rounding, and CPU, simulator
and GPU compute the same bits; steps add up exactly; a mirrored swarm does the mirrored thing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams32 import words32

__all__ = [
    "BLOCK",
    "CELL",
    "COINS",
    "FIXED_BITS",
    "FULL",
    "HEADING_ONE",
    "advance_blocks",
    "cell_at",
    "chosen_turn",
    "coin",
    "fold",
    "folded_heading",
    "new_direction",
    "rotated",
    "side_offsets",
]

BLOCK = 256
# A 64-bit block of random numbers serves the coins of this many agents.
COINS = 64
FIXED_BITS = 16
# The width of a cell in the unit of positions.
CELL = 1 << FIXED_BITS
# Components of unit vectors are multiples of 2⁻²⁴, which float32 holds exactly.
HEADING_ONE: Any = np.float32(2.0**24)
HEADING_UNIT: Any = np.float32(2.0**-24)
HEADING_HALF_UNIT: Any = np.float32(2.0**-25)
FIXED_ONE = np.int32(1 << 24)
ZERO: Any = np.float32(0.0)
ONE: Any = np.float32(1.0)
NOTHING = np.int32(0)
# Steps are the streams of the coins; new headings have the upper bit set.
HEADING_STREAM = np.uint32(1 << 31)
DIRECTION_SHIFT = np.uint32(22)
# Counts of deposits are bytes; what one cannot hold goes to a list.
FULL = 256

Fixed = Any
Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@kernel
def fold(place: Fixed, size: Fixed, mirror: Fixed) -> Fixed:
    """Bring a coordinate back onto the grid.

    Parameters
    ----------
    place : int32
        In 2⁻¹⁶ cells, at most `size` beyond either end.
    size : int32
        Length of the axis.
    mirror : int32
        -1 for reflecting ends (``place ^ -1`` is -1 - place), 0 for periodic ones.
    """
    low = np.int32(size & ~mirror)
    high = np.int32(size + size) if mirror != NOTHING else np.int32(-size)
    inside = np.int32((place ^ mirror) + low) if place < NOTHING else place
    return np.int32((inside ^ mirror) + high) if inside >= size else inside


@kernel
def folded_heading(component: Any, place: Fixed, size: Fixed, mirror: Fixed) -> Any:
    """Return a heading's component after a move to `place`: reversed by a reflecting end."""
    outside = place < NOTHING or place >= size
    return -component if outside and mirror != NOTHING else component


@kernel
def cell_at(y: Fixed, x: Fixed, frame: Ints) -> Fixed:
    """Return the flat index of the cell at a place that may be beyond the edges.

    Parameters
    ----------
    y, x : int32
        In 2⁻¹⁶ cells.
    frame : ndarray of int32, shape (5,)
        Height and width in 2⁻¹⁶ cells, their `mirror` as in `fold`, width in cells.
    """
    row = np.int32(fold(y, frame[0], frame[2]) >> FIXED_BITS)
    column = np.int32(fold(x, frame[1], frame[3]) >> FIXED_BITS)
    return np.int32(row * frame[4] + column)


@kernel
def side_offsets(heading_y: Any, heading_x: Any, along: Any, aside: Any) -> Any:
    """Return where the two sensors at the sides are, in 2⁻¹⁶ cells from the agent.

    Parameters
    ----------
    heading_y, heading_x : float32
        Unit vector.
    along, aside : float32
        Sensor distance along the heading and across it, in 2⁻¹⁶ cells.

    Returns
    -------
    tuple of four int32
        (y, x) of the left sensor, then of the right one; left is from x towards y.
    """
    along_y, aside_y = np.int32(heading_y * along), np.int32(heading_x * aside)
    along_x, aside_x = np.int32(heading_x * along), np.int32(heading_y * aside)
    left = np.int32(along_y + aside_y), np.int32(along_x - aside_x)
    right = np.int32(along_y - aside_y), np.int32(along_x + aside_x)
    return left[0], left[1], right[0], right[1]


@kernel
def chosen_turn(front: Any, left: Any, right: Any, side: Fixed) -> Any:
    """Return 1 to turn left, -1 right, 0 to go on, as float32 (Jones 2010, sensory stage).

    Parameters
    ----------
    front, left, right : float32
        Trail at the sensors.
    side : int32
        `coin`, which decides where both sides are better than the front.
    """
    tossed = ONE if side != NOTHING else -ONE
    stronger = ONE if left > right else (-ONE if right > left else ZERO)
    ahead_best = (front > left) & (front > right)
    ahead_worst = (front < left) & (front < right)
    return tossed if ahead_worst else (ZERO if ahead_best else stronger)


@kernel
def rotated(heading_y: Any, heading_x: Any, turn: Any, cosine: Any, sine: Any) -> Any:
    """Return a unit vector turned by 0 or ±the turn angle, its length put right to 2⁻²³.

    Parameters
    ----------
    heading_y, heading_x : float32
        Multiples of 2⁻²⁴.
    turn : float32
        -1, 0 or 1.
    cosine, sine : float32
        Of the turn angle, times 2²⁴.

    Returns
    -------
    (float32, float32)
        (y, x); the same as before where `turn` is 0.
    """
    along = HEADING_ONE if turn == ZERO else cosine
    aside = turn * sine
    y = np.int32(np.int32(heading_y * along) + np.int32(heading_x * aside))
    x = np.int32(np.int32(heading_x * along) - np.int32(heading_y * aside))
    tall, wide = np.float32(y), np.float32(x)
    squared = np.int32(np.int32(tall * tall * HEADING_UNIT) + np.int32(wide * wide * HEADING_UNIT))
    # One step of Newton's iteration for 1/|h| from 1.
    lacking = np.float32(np.int32(FIXED_ONE - squared)) * HEADING_HALF_UNIT
    share = ZERO if turn == ZERO else lacking
    y = np.int32(y + np.int32(tall * share))
    x = np.int32(x + np.int32(wide * share))
    return np.float32(y) * HEADING_UNIT, np.float32(x) * HEADING_UNIT


@kernel
def coin(low: Any, high: Any, agent: Any) -> Fixed:
    """Return an agent's random bit of a step.

    Parameters
    ----------
    low, high : uint32
        ``words32(seed, step, agent // 64)``.
    agent : int
        Its place in the order of the agents.
    """
    word = low if agent & 32 == 0 else high
    return np.int32((word >> np.uint32(agent & 31)) & np.uint32(1))


@kernel
def new_direction(seed: Any, step: Any, agent: Any) -> Any:
    """Return which of the 1024 directions an agent takes whose way a wall has blocked."""
    word, _ = words32(seed, HEADING_STREAM | np.uint32(step), np.uint32(agent))
    return word >> DIRECTION_SHIFT


@kernel
def _toss(seed: Any, step: Any, block: int, cells: Ints) -> None:
    """Write the coins of a block's agents to ``cells[4]``."""
    for group in range(BLOCK // COINS):
        low, high = words32(seed, step, np.uint32(block * (BLOCK // COINS) + group))
        for i in range(COINS):
            cells[4, group * COINS + i] = coin(low, high, i)


@kernel
def _find_cells(
    places: Ints, headings: Floats, block: int, motion: Floats, frame: Ints, cells: Ints
) -> None:
    """Write the flat indices of the cells in front, left and right of a block's agents."""
    ahead, along, aside = motion[0], motion[1], motion[2]
    for i in range(BLOCK):
        y, x = places[block, 0, i], places[block, 1, i]
        heading_y, heading_x = headings[block, 0, i], headings[block, 1, i]
        left_y, left_x, right_y, right_x = side_offsets(heading_y, heading_x, along, aside)
        front_y = np.int32(y + np.int32(heading_y * ahead))
        front_x = np.int32(x + np.int32(heading_x * ahead))
        cells[0, i] = cell_at(front_y, front_x, frame)
        cells[1, i] = cell_at(np.int32(y + left_y), np.int32(x + left_x), frame)
        cells[2, i] = cell_at(np.int32(y + right_y), np.int32(x + right_x), frame)


@kernel
def _gather(trail: Floats, cells: Ints, sensed: Floats) -> None:
    for sensor in range(3):
        for i in range(BLOCK):
            sensed[sensor, i] = trail[np.uint32(cells[sensor, i])]


@kernel
def _turn_and_move(
    places: Ints, headings: Floats, block: int, motion: Floats, frame: Ints, seen: Floats, new: Ints
) -> None:
    """Turn towards the strongest trail and take a step; the cell entered goes to ``new[3]``."""
    stride, cosine, sine = motion[3], motion[4], motion[5]
    tall, wide, mirror_y, mirror_x = frame[0], frame[1], frame[2], frame[3]
    for i in range(BLOCK):
        turn = chosen_turn(seen[0, i], seen[1, i], seen[2, i], new[4, i])
        heading_y, heading_x = rotated(
            headings[block, 0, i], headings[block, 1, i], turn, cosine, sine
        )
        y = np.int32(places[block, 0, i] + np.int32(heading_y * stride))
        x = np.int32(places[block, 1, i] + np.int32(heading_x * stride))
        headings[block, 0, i] = folded_heading(heading_y, y, tall, mirror_y)
        headings[block, 1, i] = folded_heading(heading_x, x, wide, mirror_x)
        places[block, 0, i] = fold(y, tall, mirror_y)
        places[block, 1, i] = fold(x, wide, mirror_x)
        new[3, i] = cell_at(y, x, frame)


@kernel
def _keep(places: Ints, block: int, before: Ints) -> None:
    for axis in range(2):
        for i in range(BLOCK):
            before[axis, i] = places[block, axis, i]


@kernel
def _step_back(
    places: Ints,
    headings: Floats,
    block: int,
    walls: Bytes,
    directions: Floats,
    seed: Any,
    step: Any,
    before: Ints,
    cells: Ints,
) -> None:
    """Put agents that entered a wall back, in a new direction; their cell becomes -1."""
    for i in range(BLOCK):
        if walls[np.uint32(cells[3, i])]:
            direction = new_direction(seed, step, block * BLOCK + i)
            for axis in range(2):
                places[block, axis, i] = before[axis, i]
                headings[block, axis, i] = directions[axis, direction]
            cells[3, i] = -1


@kernel
def _deposit(cells: Ints, agents: int, counts: Bytes, overflow: Ints) -> None:
    """Count one deposit for each cell entered; ``overflow[0]`` is the length of its list."""
    for i in range(agents):
        if cells[3, i] >= 0:
            cell = np.uint32(cells[3, i])
            count = counts[cell] + 1
            counts[cell] = count
            if count == FULL:
                overflow[0] += 1
                overflow[overflow[0]] = cell


@kernel
def advance_blocks(
    places: Ints,
    headings: Floats,
    start: int,
    stop: int,
    agents: int,
    trail: Floats,
    walls: Bytes,
    directions: Floats,
    motion: Floats,
    frame: Ints,
    seed: Any,
    step: Any,
    counts: Bytes,
    overflow: Ints,
) -> None:
    """Let the agents of some blocks sense, turn, move and deposit, once.

    Parameters
    ----------
    places : ndarray of int32, shape (blocks, 2, 256)
        (y, x) in 2⁻¹⁶ cells; the last block is filled up with agents that do not count.
    headings : ndarray of float32, shape (blocks, 2, 256)
        Unit vectors (y, x).
    start, stop : int
        Blocks.
    agents : int
        All that count.
    trail : ndarray of float32, shape (cells,)
    walls : ndarray of uint8, shape (cells,) or (0,)
        Where no agent can go; empty where there are no walls.
    directions : ndarray of float32, shape (2, 1024)
        Unit vectors (y, x) for agents that a wall has stopped.
    motion : ndarray of float32, shape (6,)
        Sensor distance ahead, along and across, step, all in 2⁻¹⁶ cells; cosine and sine of the
        turn times 2²⁴.
    frame : ndarray of int32, shape (5,)
        As in `cell_at`.
    seed, step : uint32
        Which random numbers.
    counts : ndarray of uint8, shape (cells,)
        Deposits modulo 256 are added.
    overflow : ndarray of int32, shape (agents / 256 + 2,)
        A length, then a cell for each 256 deposits that left its count at 0.
    """
    cells, sensed = np.empty((5, BLOCK), np.int32), np.empty((3, BLOCK), np.float32)
    before = np.empty((2, BLOCK), np.int32)
    for block in range(start, stop):
        _toss(seed, step, block, cells)
        _find_cells(places, headings, block, motion, frame, cells)
        _gather(trail, cells, sensed)
        if walls.size:
            _keep(places, block, before)
        _turn_and_move(places, headings, block, motion, frame, sensed, cells)
        if walls.size:
            _step_back(places, headings, block, walls, directions, seed, step, before, cells)
        _deposit(cells, min(BLOCK, agents - block * BLOCK), counts, overflow)
