"""The arrays of a swarm, and their steps on the CPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import BAND_ELEMENTS, bands, map_bands, thread_count
from swarmloom_protocols.stigmergy.physarum.agent_kernels import FULL, advance_blocks
from swarmloom_protocols.stigmergy.physarum.trail_kernels import settle, spread_rows, take_row

__all__ = ["World", "advance", "step_word"]

# Fewer agents than this are moved before a second thread has started.
AGENTS_A_PART = 1 << 15


@dataclass(slots=True)
class World:
    """A swarm as its kernels see it.

    Attributes
    ----------
    agents : int
    places : ndarray of int32, shape (blocks, 2, 256)
    headings : ndarray of float32, shape (blocks, 2, 256)
    trail : ndarray of float32, shape (Y, X)
    walls, links : ndarray of uint8, shape (Y, X) or (0, 0)
    food_cells : ndarray of int64, shape (K,)
    food_amounts : ndarray of float32, shape (K,)
    motion, rates : ndarray of float32
    frame : ndarray of int32, shape (5,)
    directions : ndarray of float32, shape (2, 1024)
    seed : uint32
    step : int
        Steps taken.
    """

    agents: int
    places: NDArray[np.int32]
    headings: NDArray[np.float32]
    trail: NDArray[np.float32]
    walls: NDArray[np.uint8]
    links: NDArray[np.uint8]
    food_cells: NDArray[np.int64]
    food_amounts: NDArray[np.float32]
    motion: NDArray[np.float32]
    rates: NDArray[np.float32]
    frame: NDArray[np.int32]
    directions: NDArray[np.float32]
    seed: np.uint32
    step: int


def advance(world: World, steps: int) -> None:
    """Take some steps on the CPU; the numbers do not depend on the threads.

    Agents are cut into a part a thread, each with its own counts of deposits: whole numbers, whose
    sum is the same however they are cut.
    """
    parts = max(1, min(thread_count(), world.agents // AGENTS_A_PART))
    counts = np.zeros((parts, *world.trail.shape), np.uint8)
    overflow = np.zeros((parts, world.agents // FULL + 2), np.int32)
    for _ in range(steps):
        _move(world, counts, overflow)
        world.trail.reshape(-1)[world.food_cells] += world.food_amounts
        if overflow[:, 0].any():
            _settle(world, counts, overflow)
        _spread(world, counts)
        world.step += 1


def step_word(step: int) -> np.uint32:
    """Return the stream of a step's coins; `HEADING_STREAM` is the upper bit."""
    return np.uint32(step & 0x7FFFFFFF)


def _move(world: World, counts: NDArray[np.uint8], overflow: NDArray[np.int32]) -> None:
    blocks, parts = len(world.places), len(counts)
    trail, walls = world.trail.reshape(-1), world.walls.reshape(-1)
    step = step_word(world.step)

    def one_part(part: int, _: int) -> None:
        advance_blocks(
            world.places,
            world.headings,
            blocks * part // parts,
            blocks * (part + 1) // parts,
            world.agents,
            trail,
            walls,
            world.directions,
            world.motion,
            world.frame,
            world.seed,
            step,
            counts[part].reshape(-1),
            overflow[part],
        )

    map_bands(one_part, parts, BAND_ELEMENTS)


def _settle(world: World, counts: NDArray[np.uint8], overflow: NDArray[np.int32]) -> None:
    lists = [cells[1 : cells[0] + 1] for cells in overflow]
    cells, times = np.unique(np.concatenate(lists), return_counts=True)
    flat = counts.reshape(len(counts), -1)
    more = times.astype(np.int64) * FULL
    settle(world.trail.reshape(-1), flat, cells.astype(np.int64), more, world.rates[2])
    overflow[:, 0] = 0


def _spread(world: World, counts: NDArray[np.uint8]) -> None:
    height, width = world.trail.shape
    cut = bands(height, width)
    halos = np.empty((len(cut), 2, width + 2), np.float32)
    mirror_y, mirror_x = world.frame[2], world.frame[3]
    for halo, (start, stop) in zip(halos, cut, strict=True):
        for row, y in zip(halo, (start - 1, stop), strict=True):
            inside = min(max(y, 0), height - 1) if mirror_y else y % height
            take_row(world.trail, counts, inside, world.rates[2], mirror_x, row)

    def one_band(start: int, stop: int) -> None:
        halo = halos[start // cut[0][1]]
        spread_rows(world.trail, counts, world.links, world.rates, mirror_x, halo, start, stop)

    map_bands(one_band, height, width)
