"""What a swarm lives in: food that gives off trail, walls that neither agents nor trail pass."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.physarum.agent_kernels import FIXED_BITS

__all__ = [
    "checked_trail",
    "checked_walls",
    "food_supply",
    "links_of",
    "open_places",
    "outside_walls",
]

LARGEST_TRAIL = 1e30


def checked_walls(walls: ArrayLike | None, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return walls as 0 and 1, of shape (0, 0) where there are none, or raise `InputError`."""
    if walls is None:
        return np.zeros((0, 0), np.uint8)
    given = np.asarray(walls)
    if given.shape != shape or given.dtype != np.bool_:
        raise InputError(f"walls: {given.dtype} of shape {given.shape}; allowed: bool of {shape}")
    if given.all():
        raise InputError("walls: no open cell is left")
    return given.astype(np.uint8) if given.any() else np.zeros((0, 0), np.uint8)


def links_of(walls: NDArray[np.uint8], mirror: tuple[int, int]) -> NDArray[np.uint8]:
    """Return what `spread_rows` calls links."""
    if not walls.size:
        return walls
    free = 1 - walls
    for axis in range(2):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (1, 1)
        wide = np.pad(free, padding, mode="edge" if mirror[axis] else "wrap")
        shifted = [np.take(wide, range(i, i + walls.shape[axis]), axis) for i in range(3)]
        free = np.sum(shifted, axis=0, dtype=np.uint8)
    return np.asarray(free * (1 - walls), np.uint8)


def food_supply(
    food: ArrayLike | None, shape: tuple[int, int], walls: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the cells with food and what each gives off in a step.

    Parameters
    ----------
    food : array_like of float, shape (K, 3), or None
        (y, x, amount) of each source: a cell, and trail given off in a step.
    shape : (int, int)
    walls : ndarray of uint8
        As `checked_walls` gives them.

    Returns
    -------
    cells : ndarray of int64
        Flat indices, rising.
    amounts : ndarray of float32
        Sources of one cell are added up.

    Raises
    ------
    InputError
        A source is outside the grid or in a wall, or its amount negative or not finite.
    """
    rows = np.zeros((0, 3)) if food is None else np.asarray(food, np.float64)
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise InputError(f"food: shape {rows.shape}; allowed: rows of (y, x, amount)")
    for y, x, amount in rows.tolist():
        _check_source(y, x, amount, shape, walls)
    y, x = rows[:, :2].T.astype(np.int64)
    cells, which = np.unique(y * shape[1] + x, return_inverse=True)
    return cells, np.bincount(which, rows[:, 2], len(cells)).astype(np.float32)


def _check_source(
    y: float, x: float, amount: float, shape: tuple[int, int], walls: NDArray[np.uint8]
) -> None:
    if not (y in range(shape[0]) and x in range(shape[1])):
        raise InputError(f"food: ({y}, {x}) is not a cell of a grid of {shape}")
    if not (math.isfinite(amount) and 0.0 <= amount <= LARGEST_TRAIL):
        raise InputError(f"food: {amount} at ({y}, {x}); allowed: 0 to {LARGEST_TRAIL:g}")
    if walls.size and walls[int(y), int(x)]:
        raise InputError(f"food: ({y}, {x}) is in a wall")


def checked_trail(
    trail: ArrayLike | None, shape: tuple[int, int], walls: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return a copy of a trail to begin with, 0 by default, or raise `InputError`."""
    if trail is None:
        return np.zeros(shape, np.float32)
    try:
        given = np.array(trail, np.float32, order="C")
    except (TypeError, ValueError):
        raise InputError(f"trail: {type(trail).__name__}; allowed: numbers") from None
    if given.shape != shape:
        raise InputError(f"trail: shape {given.shape}; allowed: {shape}")
    if not ((given >= 0.0) & (given <= LARGEST_TRAIL)).all():
        raise InputError(f"trail: allowed: finite, 0 to {LARGEST_TRAIL:g}, in every cell")
    if walls.size and given[walls == 1].any():
        raise InputError("trail: there is trail in a wall")
    return given


def open_places(
    rng: np.random.Generator, agents: int, walls: NDArray[np.uint8], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Draw positions (y, x) evenly over the open cells, shape (agents, 2)."""
    if not walls.size:
        return rng.random((agents, 2)) * shape - 0.5
    cells = np.argwhere(walls == 0)
    return cells[rng.integers(len(cells), size=agents)] + rng.random((agents, 2)) - 0.5


def outside_walls(places: NDArray[np.int32], walls: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return places, shape (2, agents), or raise `InputError` where one is in a wall."""
    if walls.size:
        y, x = places >> FIXED_BITS
        inside = np.flatnonzero(walls[y, x])
        if inside.size:
            cell = int(y[inside[0]]), int(x[inside[0]])
            raise InputError(f"positions (places): agent {inside[0]} is in a wall, at cell {cell}")
    return places
