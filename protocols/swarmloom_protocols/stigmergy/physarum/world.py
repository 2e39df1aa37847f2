"""The arrays of a swarm, and their steps on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import BAND_ELEMENTS, bands, map_bands, thread_count
from swarmloom_protocols.stigmergy.physarum.agent_kernels import (
    EPOCH,
    FULL,
    Agents,
    Ground,
    advance_blocks,
    draw_coins,
    right_headings,
)
from swarmloom_protocols.stigmergy.physarum.agents import pack, sorted_by_tile, unpack
from swarmloom_protocols.stigmergy.physarum.step_kernels import feed, run_steps
from swarmloom_protocols.stigmergy.physarum.trail_kernels import settle, spread_rows, take_halo

__all__ = ["World", "advance", "agents_of", "epoch_word", "in_order", "step_word"]

# Fewer agents than this are moved before a second thread has started.
AGENTS_A_PART = 1 << 15
# A trail of fewer cells stays in the cache next to a core, and agents need not be sorted.
CELLS_WORTH_SORTING = 1 << 17
# Steps from one sorting to the next, a multiple of `EPOCH`; measured, for order is lost slowly.
SORTING = 256
# Agents and cells that a kernel sees to before Ctrl-C is heard: a tenth of a second.
MOST_WORK = 1 << 25


@dataclass(slots=True)
class World:
    """A swarm as its kernels see it.

    Attributes
    ----------
    n : int
        Agents.
    agents : Agents
    ground : Ground
    trail : ndarray of float32, shape (Y, X)
        That of `ground`.
    walls : ndarray of uint8, shape (Y, X) or (0, 0)
        That of `ground`.
    links : ndarray of uint8, shape (Y, X) or (0, 0)
    food_cells : ndarray of int64, shape (K,)
    food_amounts : ndarray of float32, shape (K,)
    rates : ndarray of float32, shape (3,)
    seed : uint32
    step : int
        Steps taken.
    epoch : int
        Whose coins the agents have; -1 for none.
    """

    n: int
    agents: Agents
    ground: Ground
    trail: NDArray[np.float32]
    walls: NDArray[np.uint8]
    links: NDArray[np.uint8]
    food_cells: NDArray[np.int64]
    food_amounts: NDArray[np.float32]
    rates: NDArray[np.float32]
    seed: np.uint32
    step: int = 0
    epoch: int = -1


def agents_of(places: NDArray[np.int32], headings: NDArray[np.float32]) -> Agents:
    """Return agents from arrays of shape (2, n), in their order and without coins."""
    blocks = pack(places)
    order = np.arange(blocks[:, 0].size, dtype=np.int32).reshape(blocks[:, 0].shape)
    return Agents(blocks, pack(headings), np.zeros(blocks.shape, np.uint32), order)


def in_order(world: World) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return places and headings by the numbers of the agents, of shape (2, n); copies."""
    order = world.agents.order.reshape(-1)[: world.n]
    places, headings = np.empty((2, world.n), np.int32), np.empty((2, world.n), np.float32)
    places[:, order] = unpack(world.agents.places, world.n)
    headings[:, order] = unpack(world.agents.headings, world.n)
    return places, headings


def step_word(step: int) -> np.uint32:
    """Return the stream of a step's new headings, without its upper bit."""
    return np.uint32(step & 0x7FFFFFFF)


def epoch_word(step: int) -> np.uint32:
    """Return the stream of a step's coins."""
    return np.uint32(step // EPOCH & 0x7FFFFFFF)


def advance(world: World, steps: int) -> None:
    """Take some steps on the CPU; the numbers do not depend on the threads.

    Agents are cut into a part a thread, each with its own counts of deposits: whole numbers, whose
    sum is the same however they are cut.
    """
    parts = max(1, min(thread_count(), world.n // AGENTS_A_PART))
    counts = np.zeros((parts, *world.trail.shape), np.uint8)
    overflow = np.zeros((parts, world.n // FULL + 2), np.int32)
    alone = parts == 1 and len(bands(*world.trail.shape)) == 1
    last = world.step + steps
    while world.step < last:
        _prepare(world, parts)
        if alone and _run(world, last, counts, overflow):
            continue
        if not alone:
            _move(world, counts, overflow)
            feed(world.ground.trail, world.food_cells, world.food_amounts)
        if overflow[:, 0].any():
            _settle(world, counts, overflow)
        _spread(world, counts)
        world.step += 1


def _run(world: World, last: int, counts: NDArray[np.uint8], overflow: NDArray[np.int32]) -> bool:
    """Take steps in one thread; False where a count has run over in the midst of one."""
    end = min(last, (world.step // EPOCH + 1) * EPOCH)
    steps = min(end - world.step, max(1, MOST_WORK // (world.n + world.trail.size)))
    finished = run_steps(
        world.agents,
        world.ground,
        world.n,
        world.trail,
        world.links,
        world.food_cells,
        world.food_amounts,
        world.rates,
        world.seed,
        world.step,
        steps,
        counts,
        overflow[0],
    )
    world.step += finished
    return finished == steps


def _prepare(world: World, parts: int) -> None:
    """Right the headings and sort the agents once an epoch, and see to its coins."""
    if world.step % EPOCH == 0:
        if world.trail.size >= CELLS_WORTH_SORTING and world.step % SORTING == 0:
            world.agents = sorted_by_tile(world.agents, world.n, world.ground.frame)
            world.epoch = -1
        _each_part(world, parts, lambda _, *part: right_headings(world.agents, *part))
    if world.epoch != world.step // EPOCH:
        word = epoch_word(world.step)
        _each_part(world, parts, lambda _, *part: draw_coins(world.agents, world.seed, word, *part))
        world.epoch = world.step // EPOCH


def _each_part(world: World, parts: int, function: Callable[[int, int, int], None]) -> None:
    """Call ``function(part, first block, end block)`` for each part, a thread each."""
    blocks = len(world.agents.places)

    def one_part(part: int, _: int) -> None:
        function(part, blocks * part // parts, blocks * (part + 1) // parts)

    map_bands(one_part, parts, BAND_ELEMENTS)


def _move(world: World, counts: NDArray[np.uint8], overflow: NDArray[np.int32]) -> None:
    def one_part(part: int, start: int, stop: int) -> None:
        advance_blocks(
            world.agents,
            world.ground,
            world.n,
            start,
            stop,
            world.seed,
            step_word(world.step),
            counts[part].reshape(-1),
            overflow[part],
        )

    _each_part(world, len(counts), one_part)


def _settle(world: World, counts: NDArray[np.uint8], overflow: NDArray[np.int32]) -> None:
    lists = [cells[1 : cells[0] + 1] for cells in overflow]
    cells, times = np.unique(np.concatenate(lists), return_counts=True)
    flat = counts.reshape(len(counts), -1)
    more = times.astype(np.int64) * FULL
    settle(world.ground.trail, flat, cells.astype(np.int64), more, world.rates[2])
    overflow[:, 0] = 0


def _spread(world: World, counts: NDArray[np.uint8]) -> None:
    height, width = world.trail.shape
    cut = bands(height, width)
    halos = np.empty((len(cut), 2, width + 2), np.float32)
    frame, mirror_x = world.ground.frame, world.ground.frame[3]
    for halo, (start, stop) in zip(halos, cut, strict=True):
        take_halo(world.trail, counts, world.rates[2], frame, start, stop, halo)

    def one_band(start: int, stop: int) -> None:
        halo = halos[start // cut[0][1]]
        spread_rows(world.trail, counts, world.links, world.rates, mirror_x, halo, start, stop)

    map_bands(one_band, height, width)
