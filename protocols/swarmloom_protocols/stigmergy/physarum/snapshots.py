"""Snapshots of a swarm: what they hold, and whether one can be gone back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between
from swarmloom_protocols.stigmergy.physarum.agent_kernels import CELL
from swarmloom_protocols.stigmergy.physarum.agents import pack, unpack
from swarmloom_protocols.stigmergy.physarum.surroundings import checked_trail, outside_walls
from swarmloom_protocols.stigmergy.physarum.world import World

__all__ = ["restore", "snapshot"]

VERSION = 1
LONGEST = 1.0 + 1e-5


def snapshot(world: World) -> dict[str, Any]:
    """Return what changes in a step, as copies."""
    return {
        "version": VERSION,
        "step": world.step,
        "seed": int(world.seed),
        "places": unpack(world.places, world.agents).copy(),
        "headings": unpack(world.headings, world.agents).copy(),
        "trail": world.trail.copy(),
    }


def restore(world: World, state: Mapping[str, Any]) -> None:
    """Go back to a snapshot, or raise `InputError` with nothing changed."""
    if not isinstance(state, Mapping) or state.get("version") != VERSION:
        raise InputError(f"snapshot: allowed: a mapping of version {VERSION}, as `snapshot` gives")
    try:
        step = int(between("snapshot: step", state["step"], 0, 1 << 62))
        seed = int(between("snapshot: seed", state["seed"], 0, (1 << 32) - 1))
        places = _places(np.asarray(state["places"]), world)
        headings = _headings(np.asarray(state["headings"]), world)
        trail = checked_trail(state["trail"], world.trail.shape, world.walls)
    except KeyError as error:
        raise InputError(f"snapshot: {error} is missing") from None
    except TypeError as error:
        raise InputError(f"snapshot: {error}") from None
    world.places, world.headings, world.trail = pack(places), pack(headings), trail
    world.step, world.seed = step, np.uint32(seed)


def _places(places: NDArray[Any], world: World) -> NDArray[np.int32]:
    if places.shape != (2, world.agents) or places.dtype != np.int32:
        kind = f"{places.dtype} of shape {places.shape}"
        raise InputError(f"snapshot: places: {kind}; allowed: int32 of (2, {world.agents})")
    ends = np.array(world.trail.shape)[:, None] * CELL
    if not ((places >= 0) & (places < ends)).all():
        raise InputError(f"snapshot: places: an agent is outside a grid of {world.trail.shape}")
    return outside_walls(places, world.walls)


def _headings(headings: NDArray[Any], world: World) -> NDArray[np.float32]:
    if headings.shape != (2, world.agents) or headings.dtype != np.float32:
        kind = f"{headings.dtype} of shape {headings.shape}"
        raise InputError(f"snapshot: headings: {kind}; allowed: float32 of (2, {world.agents})")
    if not (np.hypot(*headings) <= LONGEST).all():
        raise InputError("snapshot: headings: allowed: finite, of length 1")
    return headings
