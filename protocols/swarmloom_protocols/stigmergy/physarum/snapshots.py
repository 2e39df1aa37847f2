"""Snapshots of a swarm: what they hold, and whether one can be gone back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import whole
from swarmloom_protocols.stigmergy.physarum.agent_kernels import CELL
from swarmloom_protocols.stigmergy.physarum.surroundings import checked_trail, outside_walls
from swarmloom_protocols.stigmergy.physarum.world import World, agents_of, in_order
from swarmloom_protocols.stigmergy.sealed_snapshots import Snapshot, SnapshotFormat

__all__ = ["MOST_STEPS", "restore", "snapshot"]

FORMAT = SnapshotFormat(
    "swarmloom.physarum-swarm",
    {
        "step": np.int64,
        "seed": np.int64,
        "places": np.int32,
        "headings": np.float32,
        "trail": np.float32,
    },
)
MOST_STEPS = 1 << 62
# What rounding makes of a length before it is put right.
LENGTH_ERROR = 1e-4


def snapshot(world: World) -> Snapshot:
    """Return what changes in a step, as copies."""
    places, headings = in_order(world)
    return FORMAT.seal(
        {
            "step": world.step,
            "seed": int(world.seed),
            "places": places,
            "headings": headings,
            "trail": world.trail,
        }
    )


def restore(world: World, state: Mapping[str, Any]) -> None:
    """Go back to a snapshot, or raise `InputError` with nothing changed."""
    parts = FORMAT.opened(state)
    step = whole("snapshot: step", parts["step"].tolist(), 0, MOST_STEPS)
    seed = whole("snapshot: seed", parts["seed"].tolist(), 0, (1 << 32) - 1)
    places = _places(parts["places"], world)
    headings = _headings(parts["headings"], world)
    trail = checked_trail(parts["trail"], world.trail.shape, world.walls)
    world.agents, world.epoch = agents_of(places, headings), -1
    world.trail[:] = trail
    world.step, world.seed = step, np.uint32(seed)


def _places(places: NDArray[Any], world: World) -> NDArray[np.int32]:
    if places.shape != (2, world.n):
        raise InputError(f"snapshot: places: shape {places.shape}; allowed: (2, {world.n})")
    ends = np.array(world.trail.shape)[:, None] * CELL
    if not ((places >= 0) & (places < ends)).all():
        raise InputError(f"snapshot: places: an agent is outside a grid of {world.trail.shape}")
    return outside_walls(places, world.walls)


def _headings(headings: NDArray[Any], world: World) -> NDArray[np.float32]:
    if headings.shape != (2, world.n):
        raise InputError(f"snapshot: headings: shape {headings.shape}; allowed: (2, {world.n})")
    if not (np.abs(np.hypot(*headings) - 1.0) <= LENGTH_ERROR).all():
        raise InputError("snapshot: headings: allowed: finite, of length 1")
    return headings
