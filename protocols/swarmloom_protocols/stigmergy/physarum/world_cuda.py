"""The CUDA kernels of a swarm: a thread an agent, a thread a cell; and their steps.

The numbers are those of `agent_kernels` and `trail_kernels` to the bit: the same functions in the
same order, deposits counted in whole numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom import jit
from swarmloom.cuda import kernel, numba_cuda
from swarmloom.random_streams32 import words32
from swarmloom_protocols.stigmergy.physarum.agent_kernels import (
    BLOCK,
    EPOCH,
    cell_at,
    chosen_turn,
    coin,
    fold,
    folded_heading,
    new_direction,
    product,
    righted,
    rotated,
    side_offsets,
)
from swarmloom_protocols.stigmergy.physarum.trail_kernels import (
    next_trail,
    open_flow,
    walled_flow,
)
from swarmloom_protocols.stigmergy.physarum.world import World, epoch_word, step_word

__all__ = ["advance_on_gpu", "draw", "feed", "move", "right", "spread"]

cuda = numba_cuda()

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]


@jit.kernel
def turn_at(
    places: Ints,
    headings: Floats,
    agent: int,
    trail: Floats,
    motion: Floats,
    frame: Ints,
    side: Any,
) -> Any:
    """Return which way an agent turns."""
    block, i = agent // BLOCK, agent % BLOCK
    y, x = places[block, 0, i], places[block, 1, i]
    heading_y, heading_x = headings[block, 0, i], headings[block, 1, i]
    left_y, left_x, right_y, right_x = side_offsets(heading_y, heading_x, motion[1], motion[2])
    front_y = np.int32(y + np.int32(heading_y * motion[0]))
    front_x = np.int32(x + np.int32(heading_x * motion[0]))
    front = trail[cell_at(front_y, front_x, frame)]
    left = trail[cell_at(np.int32(y + left_y), np.int32(x + left_x), frame)]
    right = trail[cell_at(np.int32(y + right_y), np.int32(x + right_x), frame)]
    return chosen_turn(front, left, right, side)


@kernel("void(int64, int32[:,::1], uint32, uint32, uint32[:,:,::1])")
def draw(agents: int, order: Ints, seed: Any, epoch: Any, coins: NDArray[np.uint32]) -> None:
    """Draw an agent's coins of an epoch."""
    agent = cuda.grid(1)
    if agent < agents:
        block, i = agent // BLOCK, agent % BLOCK
        low, high = words32(seed, epoch, np.uint32(order[block, i]))
        coins[block, 0, i], coins[block, 1, i] = low, high


@kernel("void(int64, float32[:,:,::1])")
def right(agents: int, headings: Floats) -> None:
    """Put the length of an agent's heading right."""
    agent = cuda.grid(1)
    if agent < agents:
        block, i = agent // BLOCK, agent % BLOCK
        y, x = righted(headings[block, 0, i], headings[block, 1, i])
        headings[block, 0, i], headings[block, 1, i] = y, x


@kernel(
    "void(int64, float32[::1], uint8[::1], float32[:,::1], float32[::1], int32[::1], uint32,"
    " uint32, int32[:,::1], uint32[:,:,::1], int32[:,:,::1], float32[:,:,::1], int32[::1])"
)
def move(
    agents: int,
    trail: Floats,
    walls: Bytes,
    directions: Floats,
    motion: Floats,
    frame: Ints,
    seed: Any,
    step: Any,
    order: Ints,
    coins: NDArray[np.uint32],
    places: Ints,
    headings: Floats,
    counts: Ints,
) -> None:
    """Let an agent sense, turn, move and deposit."""
    agent = cuda.grid(1)
    if agent < agents:
        block, i = agent // BLOCK, agent % BLOCK
        side = coin(coins[block, 0, i], coins[block, 1, i], step)
        turn = turn_at(places, headings, agent, trail, motion, frame, side)
        heading_y, heading_x = rotated(
            headings[block, 0, i], headings[block, 1, i], turn, motion[4], motion[5]
        )
        y = np.int32(places[block, 0, i] + np.int32(heading_y * motion[3]))
        x = np.int32(places[block, 1, i] + np.int32(heading_x * motion[3]))
        cell = cell_at(y, x, frame)
        if walls.size > 0 and walls[cell] > 0:
            direction = new_direction(seed, step, order[block, i])
            headings[block, 0, i] = directions[0, direction]
            headings[block, 1, i] = directions[1, direction]
        else:
            headings[block, 0, i] = folded_heading(heading_y, y, frame[0], frame[2])
            headings[block, 1, i] = folded_heading(heading_x, x, frame[1], frame[3])
            places[block, 0, i] = fold(y, frame[0], frame[2])
            places[block, 1, i] = fold(x, frame[1], frame[3])
            cuda.atomic.add(counts, cell, 1)


@kernel("void(int64[::1], float32[::1], float32[::1])")
def feed(cells: NDArray[np.int64], amounts: Floats, trail: Floats) -> None:
    """Let a source of food give off trail."""
    i = cuda.grid(1)
    if i < cells.size:
        trail[cells[i]] += amounts[i]


@jit.kernel
def beside(index: int, size: int, mirror: Any) -> int:
    """Return the index of a cell that may be one beyond an end."""
    if 0 <= index < size:
        return index
    if mirror != 0:
        return 0 if index < 0 else size - 1
    return size - 1 if index < 0 else 0


@jit.kernel
def fresh(trail: Floats, counts: Ints, y: int, x: int, amount: Any) -> Any:
    """Return the trail of a cell with its deposits."""
    return trail[y, x] + product(amount, np.float32(counts[y, x]))


@jit.kernel
def across(trail: Floats, counts: Ints, y: int, x: int, frame: Ints, amount: Any) -> Any:
    """Return the sum of three cells of a row."""
    height, width = trail.shape
    row = beside(y, height, frame[2])
    left = fresh(trail, counts, row, beside(x - 1, width, frame[3]), amount)
    right = fresh(trail, counts, row, beside(x + 1, width, frame[3]), amount)
    return left + right + fresh(trail, counts, row, x, amount)


@kernel(
    "void(float32[:,::1], float32[:,::1], int32[:,::1], int32[:,::1], uint8[:,::1],"
    " float32[::1], int32[::1])"
)
def spread(
    trail: Floats,
    after: Floats,
    counts: Ints,
    next_counts: Ints,
    links: Bytes,
    rates: Floats,
    frame: Ints,
) -> None:
    """Write a cell's next trail, and 0 to the counts of the next step."""
    i = cuda.grid(1)
    if i < trail.size:
        y, x = i // trail.shape[1], i % trail.shape[1]
        loss, share, amount = rates[0], rates[1], rates[2]
        own = fresh(trail, counts, y, x, amount)
        before = across(trail, counts, y - 1, x, frame, amount)
        behind = across(trail, counts, y + 1, x, frame, amount)
        around = before + behind + across(trail, counts, y, x, frame, amount)
        if links.size > 0:
            flow = walled_flow(own, around, share, links[y, x])
        else:
            flow = open_flow(own, around, share)
        after[y, x] = next_trail(own, flow, loss)
        next_counts[y, x] = 0


def advance_on_gpu(world: World, steps: int) -> None:
    """Take the steps of `swarmloom_protocols.stigmergy.physarum.world.advance` on the GPU."""
    up = numba_cuda().to_device
    agents, ground = [up(array) for array in world.agents], [up(array) for array in world.ground]
    # The trail before and after a step, and its counts and those of the next, change places.
    trails = [up(world.trail), up(np.zeros_like(world.trail))]
    tallies = [up(np.zeros(world.trail.shape, np.int32)) for _ in range(2)]
    links, rates = up(world.links), up(world.rates)
    cells, amounts = up(world.food_cells), up(world.food_amounts)
    for _ in range(steps):
        ground[0] = trails[0].reshape(world.trail.size)
        _prepare_on_gpu(world, agents)
        _move_on_gpu(world, agents, ground, tallies[0].reshape(world.trail.size))
        feed.launch(world.food_cells.size, cells, amounts, ground[0])
        spread.launch(world.trail.size, *trails, *tallies, links, rates, ground[-1])
        trails.reverse()
        tallies.reverse()
        world.step += 1
    for array, on_gpu in zip(world.agents, agents, strict=True):
        on_gpu.copy_to_host(array)
    trails[0].copy_to_host(world.trail)


def _prepare_on_gpu(world: World, agents: list[Any]) -> None:
    _, headings, coins, order = agents
    if world.step % EPOCH == 0:
        right.launch(world.n, world.n, headings)
    if world.epoch != world.step // EPOCH:
        draw.launch(world.n, world.n, order, world.seed, epoch_word(world.step), coins)
        world.epoch = world.step // EPOCH


def _move_on_gpu(world: World, agents: list[Any], ground: list[Any], counts: Any) -> None:
    places, headings, coins, order = agents
    chance = world.seed, step_word(world.step), order, coins
    move.launch(world.n, world.n, *ground, *chance, places, headings, counts)
