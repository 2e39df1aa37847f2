"""CPU kernels of the agents: sense at three places, turn, move, deposit; 256 agents at a time.

The model is that of Jones, "Characteristics of pattern formation and evolution in approximations
of Physarum transport networks", Artificial Life 16 (2010) 127-153, written from its description.
Its rule that a cell holds one agent at most is left out, for it makes the result depend on the
order of the agents.

A block of 256 agents goes through passes over small buffers: the indices of the three cells, a
block ahead so that memory can be asked for them, the values there, turn and move, deposits. All but
the gathering and depositing are vector instructions.

Positions are integers, 2⁻¹⁶ cells apart, and products become integers before they are added to
one; elsewhere `product` keeps a product and a sum from being fused into one rounding. So CPU,
simulator and GPU compute the same bits, steps add up exactly, and what an agent does depends
neither on the order of the agents nor on how they are cut into parts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams32 import words32
from swarmloom_protocols.stigmergy.field.prefetch import prefetch

__all__ = [
    "BLOCK",
    "CELL",
    "EPOCH",
    "FIXED_BITS",
    "FULL",
    "Agents",
    "Ground",
    "advance_blocks",
    "cell_at",
    "chosen_turn",
    "coin",
    "draw_coins",
    "fold",
    "folded_heading",
    "new_direction",
    "product",
    "right_headings",
    "righted",
    "rotated",
    "side_offsets",
]

BLOCK = 256
# Steps whose coins an agent draws at once, one a bit of a block of random numbers.
EPOCH = 64
FIXED_BITS = 16
# The width of a cell in the unit of positions.
CELL = 1 << FIXED_BITS
LOWEST: Any = np.float32(-np.inf)
ZERO: Any = np.float32(0.0)
HALF: Any = np.float32(0.5)
ONE: Any = np.float32(1.0)
THREE_HALVES: Any = np.float32(1.5)
NOTHING = np.int32(0)
# Epochs are the streams of the coins; new headings have a stream a step, with the upper bit set.
HEADING_STREAM = np.uint32(1 << 31)
DIRECTION_SHIFT = np.uint32(22)
# Counts of deposits are bytes; what one cannot hold goes to a list.
FULL = 256
# A trail of more cells does not fit into the second-level cache of most cores: a mebibyte.
NEAR_CELLS = 1 << 18

Fixed = Any
Ints = NDArray[np.int32]
Words = NDArray[np.uint32]
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@kernel
def product(first: Any, second: Any) -> Any:
    """Return a float32 product that no compiler fuses with the sum it goes into."""
    value = first * second
    return value if value > LOWEST else LOWEST


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
def wrap(place: Fixed, size: Fixed, _: Fixed) -> Fixed:
    """Do what `fold` does at periodic ends."""
    inside = np.int32(place + size) if place < NOTHING else place
    return np.int32(inside - size) if inside >= size else inside


@kernel
def folded_heading(component: Any, place: Fixed, size: Fixed, mirror: Fixed) -> Any:
    """Return a heading's component after a move to `place`: reversed by a reflecting end."""
    outside = place < NOTHING or place >= size
    return -component if outside and mirror != NOTHING else component


@kernel
def kept_heading(component: Any, _: Fixed, __: Fixed, ___: Fixed) -> Any:
    """Do what `folded_heading` does at periodic ends."""
    return component


@kernel
def cell_of(y: Fixed, x: Fixed, width: Fixed) -> Fixed:
    """Return the flat index of the cell at a place on the grid."""
    return np.int32(np.int32(y >> FIXED_BITS) * width + np.int32(x >> FIXED_BITS))


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
    return cell_of(fold(y, frame[0], frame[2]), fold(x, frame[1], frame[3]), frame[4])


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
    """Return a unit vector, (y, x), turned by 0 or ±the turn angle.

    Parameters
    ----------
    heading_y, heading_x : float32
    turn : float32
        -1, 0 or 1.
    cosine, sine : float32
        Of the turn angle.
    """
    along = ONE if turn == ZERO else cosine
    aside = turn * sine
    y = product(heading_y, along) + product(heading_x, aside)
    x = product(heading_x, along) - product(heading_y, aside)
    return y, x


@kernel
def righted(heading_y: Any, heading_x: Any) -> Any:
    """Return a vector close to a unit vector with its length put right (Newton's step for 1/|h|).

    Rounding would lengthen or shorten it by 10⁻⁷ a turn.
    """
    squared = product(heading_y, heading_y) + product(heading_x, heading_x)
    factor = THREE_HALVES - product(HALF, squared)
    return heading_y * factor, heading_x * factor


@kernel
def coin(low: Any, high: Any, step: Any) -> Fixed:
    """Return an agent's random bit of a step.

    Parameters
    ----------
    low, high : uint32
        ``words32(seed, step // 64, agent)``.
    step : uint32
    """
    place = np.uint32(step) & np.uint32(31)
    word = low if np.uint32(step) & np.uint32(32) == np.uint32(0) else high
    return np.int32((word >> place) & np.uint32(1))


@kernel
def new_direction(seed: Any, step: Any, agent: Any) -> Any:
    """Return which of the 1024 directions an agent takes whose way a wall has blocked."""
    word, _ = words32(seed, HEADING_STREAM | np.uint32(step), np.uint32(agent))
    return word >> DIRECTION_SHIFT


class Agents(NamedTuple):
    """Agents in blocks of 256; the last block is filled up with some that do not count.

    Attributes
    ----------
    places : ndarray of int32, shape (blocks, 2, 256)
        (y, x) in 2⁻¹⁶ cells.
    headings : ndarray of float32, shape (blocks, 2, 256)
        Unit vectors (y, x).
    coins : ndarray of uint32, shape (blocks, 2, 256)
        Random bits of 64 steps.
    order : ndarray of int32, shape (blocks, 256)
        Number of each agent.
    """

    places: Ints
    headings: Floats
    coins: Words
    order: Ints


class Ground(NamedTuple):
    """What agents move on.

    Attributes
    ----------
    trail : ndarray of float32, shape (cells,)
    walls : ndarray of uint8, shape (cells,) or (0,)
        1 where no agent can go; empty where there are no walls.
    directions : ndarray of float32, shape (2, 1024)
        Unit vectors (y, x) for agents that a wall has stopped.
    motion : ndarray of float32, shape (6,)
        Sensor distance ahead, along and across, step, all in 2⁻¹⁶ cells; cosine and sine of the
        turn.
    frame : ndarray of int32, shape (5,)
        As in `cell_at`.
    """

    trail: Floats
    walls: Bytes
    directions: Floats
    motion: Floats
    frame: Ints


@kernel
def draw_coins(agents: Agents, seed: Any, epoch: Any, start: int, stop: int) -> None:
    """Draw the coins of an epoch for some blocks."""
    for block in range(start, stop):
        for i in range(BLOCK):
            low, high = words32(seed, epoch, np.uint32(agents.order[block, i]))
            agents.coins[block, 0, i], agents.coins[block, 1, i] = low, high


@kernel
def right_headings(agents: Agents, start: int, stop: int) -> None:
    """Put the lengths of the headings of some blocks right."""
    headings = agents.headings
    for block in range(start, stop):
        for i in range(BLOCK):
            y, x = righted(headings[block, 0, i], headings[block, 1, i])
            headings[block, 0, i], headings[block, 1, i] = y, x


@kernel
def _find_cells(agents: Agents, block: int, ground: Ground, bring: Any, cells: Ints) -> None:
    """Write the flat indices of the cells in front, left and right of a block's agents."""
    places, headings = agents.places, agents.headings
    ahead, along, aside = ground.motion[0], ground.motion[1], ground.motion[2]
    tall, wide, mirror_y, mirror_x, width = _frame(ground.frame)
    for i in range(BLOCK):
        y, x = places[block, 0, i], places[block, 1, i]
        heading_y, heading_x = headings[block, 0, i], headings[block, 1, i]
        left_y, left_x, right_y, right_x = side_offsets(heading_y, heading_x, along, aside)
        front_y = bring(np.int32(y + np.int32(heading_y * ahead)), tall, mirror_y)
        front_x = bring(np.int32(x + np.int32(heading_x * ahead)), wide, mirror_x)
        left_y = bring(np.int32(y + left_y), tall, mirror_y)
        left_x = bring(np.int32(x + left_x), wide, mirror_x)
        right_y = bring(np.int32(y + right_y), tall, mirror_y)
        right_x = bring(np.int32(x + right_x), wide, mirror_x)
        cells[0, i] = cell_of(front_y, front_x, width)
        cells[1, i] = cell_of(left_y, left_x, width)
        cells[2, i] = cell_of(right_y, right_x, width)


@kernel
def _look_out(agents: Agents, block: int, ground: Ground, periodic: bool, cells: Ints) -> None:
    """Find the cells that a block will sense, a block ahead, and have far ones brought closer."""
    if periodic:
        _find_cells(agents, block, ground, wrap, cells)
    else:
        _find_cells(agents, block, ground, fold, cells)
    if ground.trail.size <= NEAR_CELLS:
        return
    for sensor in range(3):
        for i in range(BLOCK):
            prefetch(ground.trail, cells[sensor, i])


@kernel
def _frame(frame: Ints) -> Any:
    return frame[0], frame[1], frame[2], frame[3], frame[4]


@kernel
def _gather(trail: Floats, cells: Ints, sensed: Floats) -> None:
    for sensor in range(3):
        for i in range(BLOCK):
            sensed[sensor, i] = trail[np.uint32(cells[sensor, i])]


@kernel
def _turn_and_move(
    agents: Agents,
    block: int,
    ground: Ground,
    step: Any,
    bring: Any,
    bounce: Any,
    seen: Floats,
    cells: Ints,
) -> None:
    """Turn towards the strongest trail and take a step; the cell entered goes to ``cells[3]``."""
    places, headings = agents.places, agents.headings
    stride, cosine, sine = ground.motion[3], ground.motion[4], ground.motion[5]
    tall, wide, mirror_y, mirror_x, width = _frame(ground.frame)
    for i in range(BLOCK):
        side = coin(agents.coins[block, 0, i], agents.coins[block, 1, i], step)
        turn = chosen_turn(seen[0, i], seen[1, i], seen[2, i], side)
        heading_y, heading_x = rotated(
            headings[block, 0, i], headings[block, 1, i], turn, cosine, sine
        )
        y = np.int32(places[block, 0, i] + np.int32(heading_y * stride))
        x = np.int32(places[block, 1, i] + np.int32(heading_x * stride))
        headings[block, 0, i] = bounce(heading_y, y, tall, mirror_y)
        headings[block, 1, i] = bounce(heading_x, x, wide, mirror_x)
        y, x = bring(y, tall, mirror_y), bring(x, wide, mirror_x)
        places[block, 0, i], places[block, 1, i] = y, x
        cells[3, i] = cell_of(y, x, width)


@kernel
def _keep(places: Ints, block: int, before: Ints) -> None:
    for axis in range(2):
        for i in range(BLOCK):
            before[axis, i] = places[block, axis, i]


@kernel
def _step_back(
    agents: Agents, block: int, ground: Ground, seed: Any, step: Any, before: Ints, cells: Ints
) -> None:
    """Put agents that entered a wall back, in a new direction; their cell becomes -1."""
    for i in range(BLOCK):
        if ground.walls[np.uint32(cells[3, i])]:
            direction = new_direction(seed, step, agents.order[block, i])
            for axis in range(2):
                agents.places[block, axis, i] = before[axis, i]
                agents.headings[block, axis, i] = ground.directions[axis, direction]
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
    agents: Agents,
    ground: Ground,
    number: int,
    start: int,
    stop: int,
    seed: Any,
    step: Any,
    counts: Bytes,
    overflow: Ints,
) -> None:
    """Let the agents of some blocks sense, turn, move and deposit, once.

    Parameters
    ----------
    agents : Agents
        With the coins of the step's epoch.
    ground : Ground
    number : int
        Agents that count.
    start, stop : int
        Blocks.
    seed, step : uint32
        Which random numbers.
    counts : ndarray of uint8, shape (cells,)
        Deposits modulo 256 are added.
    overflow : ndarray of int32, shape (agents / 256 + 2,)
        A length, then a cell for each 256 deposits that left its count at 0.
    """
    buffers, sensed = np.empty((2, 4, BLOCK), np.int32), np.empty((3, BLOCK), np.float32)
    before = np.empty((2, BLOCK), np.int32)
    walled, periodic = ground.walls.size > 0, ground.frame[2] == 0 and ground.frame[3] == 0
    if start < stop:
        _look_out(agents, start, ground, periodic, buffers[start & 1])
    for block in range(start, stop):
        cells = buffers[block & 1]
        if block + 1 < stop:
            _look_out(agents, block + 1, ground, periodic, buffers[(block + 1) & 1])
        _gather(ground.trail, cells, sensed)
        if walled:
            _keep(agents.places, block, before)
        if periodic:
            _turn_and_move(agents, block, ground, step, wrap, kept_heading, sensed, cells)
        else:
            _turn_and_move(agents, block, ground, step, fold, folded_heading, sensed, cells)
        if walled:
            _step_back(agents, block, ground, seed, step, before, cells)
        _deposit(cells, min(BLOCK, number - block * BLOCK), counts, overflow)
