"""What a swarm does: its checked parameters, and the numbers that the kernels read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.stigmergy.field.boundaries import (
    ABSORBING,
    REFLECTING,
    Sides,
    boundary_codes,
)
from swarmloom_protocols.stigmergy.physarum.agent_kernels import CELL

__all__ = ["LONGEST_SIDE", "Settings", "checked_shape", "mirrors"]

# Twice the length of a side still is a 32-bit number of 2⁻¹⁶ cells.
LONGEST_SIDE = (1 << 14) - 1
# Of the shorter side: what is beyond an edge is brought back once, and headings are unit vectors to
# rounding only.
REACH = 0.999
LARGEST_DEPOSIT = 1e20


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the agents and of the trail; see `PhysarumSwarm` for what they mean.

    Attributes
    ----------
    sensor_angle, turn_angle : float
        In radians.
    sensor_distance, step_size : float
        In cells.
    deposit : float
        Trail that an agent leaves in a step.
    decay : float
        Share of the trail lost in a step.
    diffusion : float
        Share of the 3 × 3 mean filter applied in a step.

    Raises
    ------
    InputError
        A parameter is not finite or out of its range.
    """

    sensor_angle: float
    sensor_distance: float
    turn_angle: float
    step_size: float
    deposit: float
    decay: float
    diffusion: float

    def __post_init__(self) -> None:
        between("sensor_angle", self.sensor_angle, 0.0, math.pi)
        between("turn_angle", self.turn_angle, 0.0, math.pi)
        between("sensor_distance", self.sensor_distance, 0.0, LONGEST_SIDE)
        between("step_size", self.step_size, 0.0, LONGEST_SIDE)
        between("deposit", self.deposit, 0.0, LARGEST_DEPOSIT)
        between("decay", self.decay, 0.0, 1.0)
        between("diffusion", self.diffusion, 0.0, 1.0)

    def check_reach(self, shape: tuple[int, int]) -> None:
        """Raise `InputError` where sensors or steps reach around the grid."""
        for name in ("sensor_distance", "step_size"):
            between(name, getattr(self, name), 0.0, REACH * min(shape))

    def motion(self) -> NDArray[np.float32]:
        """Return what `advance_blocks` calls motion."""
        reach = self.sensor_distance * CELL
        along, aside = math.cos(self.sensor_angle), math.sin(self.sensor_angle)
        turn = math.cos(self.turn_angle), math.sin(self.turn_angle)
        lengths = [reach, reach * along, reach * aside, self.step_size * CELL]
        return np.array([*lengths, *turn], np.float32)

    def rates(self) -> NDArray[np.float32]:
        """Return what `spread_rows` calls rates."""
        return np.array([self.decay, self.diffusion / 9.0, self.deposit], np.float32)


def checked_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Return (height, width) of a grid in cells, or raise `InputError`."""
    try:
        height, width = shape
    except (TypeError, ValueError):
        raise InputError(f"shape: {shape!r} is not (height, width)") from None
    return (
        whole("shape (height)", height, 1, LONGEST_SIDE),
        whole("shape (width)", width, 1, LONGEST_SIDE),
    )


def mirrors(boundaries: Sides | Mapping[str, Sides]) -> tuple[int, int]:
    """Return -1 for reflecting ends and 0 for periodic ones, of y and x.

    Raises
    ------
    InputError
        A boundary is unknown or absorbing, or differs between the two ends of an axis.
    """
    codes = boundary_codes(boundaries)[1:]
    if (codes == ABSORBING).any():
        raise InputError("boundaries: 'absorbing' would lose agents; allowed: periodic, reflecting")
    y, x = (-int(low == REFLECTING) for low in codes[:, 0])
    return y, x
