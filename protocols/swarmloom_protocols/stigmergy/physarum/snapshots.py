"""Snapshots of a swarm: what they hold, and whether one can be gone back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.physarum.agent_kernels import CELL
from swarmloom_protocols.stigmergy.physarum.surroundings import checked_trail, outside_walls
from swarmloom_protocols.stigmergy.physarum.world import World, agents_of, in_order

__all__ = ["restore", "snapshot"]

VERSION = 1
KEYS = {"step", "seed", "places", "headings", "trail"}
# What rounding makes of a length before it is put right.
LENGTH_ERROR = 1e-4


def snapshot(world: World) -> dict[str, Any]:
    """Return what changes in a step, as copies."""
    places, headings = in_order(world)
    return {
        "version": VERSION,
        "step": world.step,
        "seed": int(world.seed),
        "places": places,
        "headings": headings,
        "trail": world.trail.copy(),
    }


def restore(world: World, state: Mapping[str, Any]) -> None:
    """Go back to a snapshot, or raise `InputError` with nothing changed."""
    if not isinstance(state, Mapping) or state.get("version") != VERSION:
        raise InputError(f"snapshot: allowed: a mapping of version {VERSION}, as `snapshot` gives")
    missing = KEYS - set(state)
    if missing:
        raise InputError(f"snapshot: {', '.join(sorted(missing))} missing")
    step, seed = _whole("step", state["step"], 1 << 62), _whole("seed", state["seed"], 1 << 32)
    places = _places(np.asarray(state["places"]), world)
    headings = _headings(np.asarray(state["headings"]), world)
    trail = checked_trail(np.asarray(state["trail"]), world.trail.shape, world.walls)
    world.agents, world.epoch = agents_of(places, headings), -1
    world.trail[:] = trail
    world.step, world.seed = step, np.uint32(seed)


def _whole(name: str, value: Any, end: int) -> int:
    if not (isinstance(value, (int, np.integer)) and 0 <= value < end):
        raise InputError(f"snapshot: {name}: {value!r}; allowed: whole numbers from 0, below {end}")
    return int(value)


def _places(places: NDArray[Any], world: World) -> NDArray[np.int32]:
    if places.shape != (2, world.n) or places.dtype != np.int32:
        kind = f"{places.dtype} of shape {places.shape}"
        raise InputError(f"snapshot: places: {kind}; allowed: int32 of (2, {world.n})")
    ends = np.array(world.trail.shape)[:, None] * CELL
    if not ((places >= 0) & (places < ends)).all():
        raise InputError(f"snapshot: places: an agent is outside a grid of {world.trail.shape}")
    return outside_walls(places, world.walls)


def _headings(headings: NDArray[Any], world: World) -> NDArray[np.float32]:
    if headings.shape != (2, world.n) or headings.dtype != np.float32:
        kind = f"{headings.dtype} of shape {headings.shape}"
        raise InputError(f"snapshot: headings: {kind}; allowed: float32 of (2, {world.n})")
    if not (np.abs(np.hypot(*headings) - 1.0) <= LENGTH_ERROR).all():
        raise InputError("snapshot: headings: allowed: finite, of length 1")
    return headings
