"""The seven navigation strategies and their parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive
from swarmloom_protocols.stigmergy.walkers import strategy_kernels as kernels
from swarmloom_protocols.stigmergy.walkers.levy import power_law
from swarmloom_protocols.stigmergy.walkers.sensors import Sensors

__all__ = [
    "STRATEGIES",
    "BiasedRandomWalk",
    "BoundaryFollow",
    "GradientAscent",
    "GradientDescent",
    "LevyFlight",
    "SpiralSearch",
    "Strategy",
    "SwarmCentering",
]

Float32Array = NDArray[np.float32]
Along = Literal["heading", "gradient"]

# Longer moves lose the digits of a position in float32.
LONGEST = 1e6


class Strategy(ABC):
    """How walkers choose each step; one of the classes of this module.

    Attributes
    ----------
    kind : int
        Its step in `swarmloom_protocols.stigmergy.walkers.strategy_kernels`.
    sensors : Sensors or None
        What it senses the field with; None where it needs no field.
    """

    kind: ClassVar[int]
    sensors: Sensors | None = None

    @abstractmethod
    def settings(self, extent: int) -> Float32Array:
        """Return the numbers that its step reads.

        Parameters
        ----------
        extent : int
            Cells along the longest axis of the grid.
        """


@dataclass(frozen=True)
class GradientAscent(Strategy):
    """Climb: `step` cells along the slope that the sensors imply, less where the top is nearer.

    The top is that of a parabola through the sensors' mean and the reading at the walker, so that
    a walker settles on a maximum rather than jump about it. Where nothing is perceived it explores
    in a random direction.

    Parameters
    ----------
    step : float
        Cells, > 0.
    sensors : Sensors
        Readings below their threshold, 0.1 by default, are 0 to the walker: over a field of small
        values give `Sensors(thresholds=0.0)`.
    """

    kind: ClassVar[int] = kernels.CLIMB
    sign: ClassVar[float] = 1.0
    step: float = 1.0
    sensors: Sensors = field(default_factory=Sensors)

    def __post_init__(self) -> None:
        positive("step", self.step, LONGEST)

    def settings(self, extent: int) -> Float32Array:
        """Return step and sign."""
        return np.array([self.step, self.sign], np.float32)


@dataclass(frozen=True)
class GradientDescent(GradientAscent):
    """Descend: `GradientAscent` of the negative field.

    With thresholds above 0 the ground below them is not perceived: walkers wander there at random
    and are turned back where the slope begins.
    """

    sign: ClassVar[float] = -1.0


@dataclass(frozen=True)
class BiasedRandomWalk(Strategy):
    """Go drift · direction + noise · ξ steps, ξ standard normal along each axis.

    After T steps in a constant direction the mean displacement is T · step · drift along it, the
    variance along each axis T · (step · noise)².

    Parameters
    ----------
    drift, noise : float
        In steps, ≥ 0.
    step : float
        Cells, > 0.
    along : {"heading", "gradient"}
        The direction: each walker's own heading, or the field's slope (no drift where none is
        perceived).
    sensors : Sensors
        What the slope is sensed with.
    """

    kind: ClassVar[int] = kernels.DRIFT
    drift: float = 0.7
    noise: float = 0.3
    step: float = 1.0
    along: Along = "heading"
    sensors: Sensors | None = field(default_factory=Sensors)

    def __post_init__(self) -> None:
        between("drift", self.drift, 0.0, LONGEST)
        between("noise", self.noise, 0.0, LONGEST)
        positive("step", self.step, LONGEST)
        if self.along not in get_args(Along):
            raise InputError(f"along is {self.along!r}; allowed: 'heading', 'gradient'")
        if self.along == "heading":
            object.__setattr__(self, "sensors", None)

    def settings(self, extent: int) -> Float32Array:
        """Return step, drift, noise, and whether it senses."""
        senses = float(self.sensors is not None)
        return np.array([self.step, self.drift, self.noise, senses], np.float32)


@dataclass(frozen=True)
class LevyFlight(Strategy):
    """Jump in a random direction by a length of p(l) ∝ l^−exponent.

    Parameters
    ----------
    exponent : float
        μ of the density, 1.01 to 64; 1 < μ < 3 for flights that spread faster than diffusion.
    min_length, max_length : float
        Ends of the law, in cells; `max_length` is by default the longest axis of the grid, or
        twice `min_length` where that is more.
    """

    kind: ClassVar[int] = kernels.FLY
    exponent: float = 1.5
    min_length: float = 1.0
    max_length: float | None = None

    def __post_init__(self) -> None:
        positive("min_length", self.min_length, LONGEST)
        if self.max_length is not None:
            positive("max_length", self.max_length, LONGEST)
        power_law(self.exponent, self.min_length, self.max_length)

    def settings(self, extent: int) -> Float32Array:
        """Return the coefficients of the law."""
        longest = max(float(extent), 2.0 * self.min_length)
        return power_law(self.exponent, self.min_length, self.max_length or longest)


@dataclass(frozen=True)
class SpiralSearch(Strategy):
    """Go round the start on an Archimedean spiral, `step` cells of arc a step.

    In space the spiral lies in the walker's layer. Arms no farther apart than a walker sees to
    both sides leave no gap: a disc of radius R is covered after π R² / `arm_spacing` cells.

    Parameters
    ----------
    step : float
        Cells, > 0.
    arm_spacing : float
        Cells between arms, > 0.
    """

    kind: ClassVar[int] = kernels.SPIRAL
    step: float = 1.0
    arm_spacing: float = 2.0

    def __post_init__(self) -> None:
        positive("step", self.step, LONGEST)
        positive("arm_spacing", self.arm_spacing, LONGEST)

    def settings(self, extent: int) -> Float32Array:
        """Return step and spacing."""
        return np.array([self.step, self.arm_spacing], np.float32)


@dataclass(frozen=True)
class BoundaryFollow(Strategy):
    """Go to the level set of the field and along it, `step` cells a step.

    A step is split between the way to the level, as the slope foretells it, and the way along it.
    Where no slope is perceived the walker goes straight on.

    Parameters
    ----------
    level : float
        Value of the field that is followed.
    step : float
        Cells, > 0; on a curve of radius R a step leaves it by about step²/2R.
    clockwise : bool
        Sense of the way round a maximum where y points up, in the plane; in space walkers keep as
        near to their heading as the surface lets them.
    sensors : Sensors
        What the slope is sensed with; `level` should be above their threshold.
    """

    kind: ClassVar[int] = kernels.FOLLOW
    level: float = 0.5
    step: float = 0.5
    clockwise: bool = False
    sensors: Sensors = field(default_factory=Sensors)

    def __post_init__(self) -> None:
        between("level", self.level, -1e30, 1e30)
        positive("step", self.step, LONGEST)

    def settings(self, extent: int) -> Float32Array:
        """Return step, level and sense."""
        sense = 1.0 if self.clockwise else -1.0
        return np.array([self.step, self.level, sense], np.float32)


@dataclass(frozen=True)
class SwarmCentering(Strategy):
    """Go a share of the way to the centre of the swarm, or of the walkers near by.

    Distances to a centre that rests shrink as (1 − rate)^steps: that of all walkers rests unless
    some of them are stopped. Along periodic axes the centre of all is the circular mean, and ways
    are the shorter ones.

    Parameters
    ----------
    rate : float
        Share of the way a step, in (0, 1].
    radius : float, optional
        Walkers within it, itself among them, make up a walker's centre; None for all walkers.
    """

    kind: ClassVar[int] = kernels.CENTRE
    rate: float = 0.1
    radius: float | None = None

    def __post_init__(self) -> None:
        positive("rate", self.rate, 1.0)
        if self.radius is not None:
            positive("radius", self.radius, LONGEST)

    def settings(self, extent: int) -> Float32Array:
        """Return the rate."""
        return np.array([self.rate], np.float32)


STRATEGIES: dict[str, type[Strategy]] = {
    one.__name__: one
    for one in (
        GradientAscent,
        GradientDescent,
        BiasedRandomWalk,
        LevyFlight,
        SpiralSearch,
        BoundaryFollow,
        SwarmCentering,
    )
}
