"""Places and headings of agents: between arrays of numbers and the blocks that kernels read."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.physarum.agent_kernels import (
    BLOCK,
    CELL,
    FIXED_BITS,
    Agents,
)

__all__ = [
    "DIRECTIONS",
    "directions",
    "pack",
    "places_of",
    "positions_of",
    "unit_vectors",
    "unpack",
]

# Sensors of the agents of a tile of this many cells squared reach what the nearest cache holds.
TILE_BITS = FIXED_BITS + 5
Number = TypeVar("Number", np.int32, np.float32)

DIRECTIONS = 1024
FREE_LENGTH = 1e-6


def pack(rows: NDArray[Number]) -> NDArray[Number]:
    """Return numbers of shape (2, agents) as blocks of shape (blocks, 2, 256), filled up with 0."""
    agents = rows.shape[1]
    blocks = -(-agents // BLOCK)
    filled = np.zeros((2, blocks * BLOCK), rows.dtype)
    filled[:, :agents] = rows
    return np.ascontiguousarray(filled.reshape(2, blocks, BLOCK).swapaxes(0, 1))


def unpack(blocks: NDArray[Number], agents: int) -> NDArray[Number]:
    """Return what `pack` was given."""
    return blocks.swapaxes(0, 1).reshape(2, -1)[:, :agents]


def places_of(positions: ArrayLike, agents: int, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Turn positions into places.

    Parameters
    ----------
    positions : array_like of float, shape (agents, 2)
        (y, x) in cells; cell i covers [i - ½, i + ½).
    agents : int
    shape : (int, int)

    Returns
    -------
    ndarray of int32, shape (2, agents)
        In 2⁻¹⁶ cells from the low corner of the grid.

    Raises
    ------
    InputError
        Positions are of another shape, not finite or outside the grid.
    """
    given = np.asarray(positions, np.float64)
    if given.shape != (agents, 2):
        raise InputError(f"positions: shape {given.shape}; allowed: ({agents}, 2)")
    places = np.floor((given.T + 0.5) * CELL)
    outside = ~((places >= 0) & (places < np.array(shape)[:, None] * CELL)).all(axis=0)
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"positions: agent {first} is at {tuple(given[first].tolist())}; allowed: finite, "
            f"y in [-0.5, {shape[0] - 0.5}), x in [-0.5, {shape[1] - 0.5})"
        )
    return places.astype(np.int32)


def positions_of(places: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the positions, shape (agents, 2), in the middle of their places."""
    return np.ascontiguousarray(((places + 0.5) / CELL - 0.5).T)


def unit_vectors(headings: ArrayLike, agents: int) -> NDArray[np.float32]:
    """Turn headings into unit vectors.

    Parameters
    ----------
    headings : array_like of float, shape (agents, 2)
        (y, x), of any length above 1e-6.
    agents : int

    Returns
    -------
    ndarray of float32, shape (2, agents)

    Raises
    ------
    InputError
        Headings are of another shape, not finite or of no length.
    """
    given = np.asarray(headings, np.float64)
    if given.shape != (agents, 2):
        raise InputError(f"headings: shape {given.shape}; allowed: ({agents}, 2)")
    lengths = np.hypot(*given.T)
    wrong = ~(np.isfinite(lengths) & (lengths > FREE_LENGTH))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"headings: agent {first} has {tuple(given[first].tolist())}; allowed: finite, longer "
            f"than {FREE_LENGTH:g}"
        )
    return np.asarray(given.T / lengths, np.float32)


def directions(count: int = DIRECTIONS) -> NDArray[np.float32]:
    """Return unit vectors (y, x) all around, shape (2, count)."""
    angles = 2.0 * np.pi * np.arange(count) / count
    return np.asarray([np.sin(angles), np.cos(angles)], np.float32)


@kernel
def _tile(places: NDArray[np.int32], slot: int, tiles_across: int) -> int:
    block, i = slot // BLOCK, slot % BLOCK
    row, column = places[block, 0, i] >> TILE_BITS, places[block, 1, i] >> TILE_BITS
    return int(row * tiles_across + column)


@kernel
def _sort(
    agents: Agents, number: int, tiles_across: int, ends: NDArray[np.int64], target: Agents
) -> None:
    """Sort by counting; `ends`, zeros at first, has an element more than there are tiles."""
    for slot in range(number):
        ends[_tile(agents.places, slot, tiles_across) + 1] += 1
    for tile in range(1, ends.size):
        ends[tile] += ends[tile - 1]
    for slot in range(number):
        tile = _tile(agents.places, slot, tiles_across)
        block, i = slot // BLOCK, slot % BLOCK
        to_block, to = ends[tile] // BLOCK, ends[tile] % BLOCK
        ends[tile] += 1
        target.order[to_block, to] = agents.order[block, i]
        for axis in range(2):
            target.places[to_block, axis, to] = agents.places[block, axis, i]
            target.headings[to_block, axis, to] = agents.headings[block, axis, i]


def sorted_by_tile(agents: Agents, number: int, frame: NDArray[np.int32]) -> Agents:
    """Return the agents with neighbours on the grid close to each other, without coins.

    Parameters
    ----------
    agents : Agents
    number : int
        How many count.
    frame : ndarray of int32
        As in `cell_at`.
    """
    down, across = ((int(side) >> TILE_BITS) + 1 for side in frame[:2])
    target = Agents(
        np.zeros_like(agents.places),
        np.zeros_like(agents.headings),
        np.zeros_like(agents.coins),
        np.zeros_like(agents.order),
    )
    _sort(agents, number, across, np.zeros(down * across + 1, np.int64), target)
    return target
