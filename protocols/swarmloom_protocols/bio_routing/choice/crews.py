"""Simulated crews: what they are like, and the world that chance draws for them.

A world holds everything random beforehand (arrivals, service times, luck, outages, changes), so
that every policy meets the same one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice.simulation_kernels import (
    GARBAGE,
    SLOW,
    TIME_OUT,
    World,
)
from swarmloom_protocols.checks import between, generator, positive, whole

__all__ = ["Ailment", "Crew", "Scenario", "with_outage"]

Scenario = Literal["stationary", "failures", "drift"]
Ailment = Literal["time_out", "garbage", "slow"]

AILMENTS: dict[str, int] = {"time_out": TIME_OUT, "garbage": GARBAGE, "slow": SLOW}

# True success rates, an expert and topic each.
SKILLS = (0.2, 0.95)
# σ of the logarithm of experts' speeds.
SPEED_SPREAD = 0.5
# Of an expert's time in the scenario "failures", and the mean length of an outage as a share of the
# run.
IMPAIRED = 0.11
OUTAGE = 0.1
# Of the scenario "drift": epochs, between which half of the experts are redrawn.
EPOCHS = 5

_OUTAGES = 8


@dataclass(frozen=True, slots=True)
class Crew:
    """A crew and the work that comes to it.

    Attributes
    ----------
    experts, slots, topics, tasks : int
        Each at least 1; slots are those of each expert.
    load : float
        Work that comes, as a share (> 0) of what the whole crew can do.
    scenario : {"stationary", "failures", "drift"}
        Failures impair each expert for 11 % of its time: it times out, answers garbage at once, or
        is five times as slow. In a drift half of the experts are redrawn four times.
    spread : float
        σ (≥ 0) of the log-normal service times.
    dispatchers : int
        Among whom tasks fall at random.

    Raises
    ------
    InputError
        A value is out of its range.
    """

    experts: int = 8
    slots: int = 4
    topics: int = 5
    tasks: int = 10_000
    load: float = 0.85
    scenario: Scenario = "stationary"
    spread: float = 0.8
    dispatchers: int = 1

    def __post_init__(self) -> None:
        for name in ("experts", "slots", "topics", "tasks", "dispatchers"):
            whole(name, getattr(self, name), 1)
        positive("load", self.load)
        between("spread", self.spread, 0.0)
        if self.scenario not in get_args(Scenario):
            allowed = ", ".join(get_args(Scenario))
            raise InputError(f"scenario is {self.scenario!r}; allowed: {allowed}")

    def draw(self, rng: np.random.Generator) -> World:
        """Draw a world; its unit of time is the mean service of the crew at full work."""
        generator("rng", rng)
        rate = self.load * self.experts * self.slots
        changes, skill, service = self._abilities(rng, self.tasks / rate)
        return World(
            np.cumsum(rng.exponential(1.0 / rate, self.tasks)),
            rng.lognormal(-(self.spread**2) / 2.0, self.spread, self.tasks),
            rng.random(self.tasks),
            rng.integers(self.topics, size=self.tasks),
            rng.integers(self.dispatchers, size=self.tasks),
            np.full(self.experts, float(self.slots)),
            changes,
            skill,
            service,
            *self._outages(rng, self.tasks / rate),
        )

    def _abilities(
        self, rng: np.random.Generator, horizon: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the beginnings of epochs, success rates and mean service times in each."""
        epochs = EPOCHS if self.scenario == "drift" else 1
        skill = np.empty((epochs, self.topics, self.experts))
        service = np.empty((epochs, self.experts))
        skill[0] = rng.uniform(*SKILLS, skill[0].shape)
        seconds = rng.lognormal(0.0, SPEED_SPREAD, self.experts)
        service[0] = seconds * (1.0 / seconds).mean()
        for epoch in range(1, epochs):
            skill[epoch], service[epoch] = skill[epoch - 1], service[epoch - 1]
            redrawn = rng.permutation(self.experts)[: (self.experts + 1) // 2]
            skill[epoch][:, redrawn] = rng.uniform(*SKILLS, (self.topics, redrawn.size))
            # Speeds change hands, so that the crew can still do as much.
            service[epoch][redrawn] = service[epoch][rng.permutation(redrawn)]
        return np.arange(epochs) * horizon / epochs, skill, service

    def _outages(
        self, rng: np.random.Generator, horizon: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Return beginnings, ends and kinds of outages: well and ill by turns, exponentially."""
        if self.scenario != "failures":
            never = np.full((self.experts, 1), math.inf)
            return never, never.copy(), np.zeros((self.experts, 1), dtype=np.int64)
        shape = (self.experts, _OUTAGES)
        ill = rng.exponential(OUTAGE * horizon, shape)
        well = rng.exponential(OUTAGE * horizon * (1.0 / IMPAIRED - 1.0), shape)
        ends = np.cumsum(well + ill, axis=1)
        return ends - ill, ends, rng.integers(TIME_OUT, SLOW + 1, shape)


def with_outage(world: World, experts: ArrayLike, ailment: Ailment, first: int, last: int) -> World:
    """Return a world in which some experts, and no others, are impaired for a stretch of tasks.

    Parameters
    ----------
    world : World
        Its own outages are left out.
    experts : array-like of int
        Their rows.
    ailment : {"time_out", "garbage", "slow"}
    first, last : int
        Tasks whose arrivals begin and end the outage.

    Returns
    -------
    World

    Raises
    ------
    InputError
        There is no such ailment, expert or task.
    """
    if ailment not in AILMENTS:
        raise InputError(f"ailment is {ailment!r}; allowed: {', '.join(AILMENTS)}")
    tasks, crew = world.arrivals.size, world.slots.size
    first, last = whole("first", first, 0, tasks - 1), whole("last", last, 0, tasks - 1)
    begins, ends = np.full((crew, 1), math.inf), np.full((crew, 1), math.inf)
    for expert in np.ravel(experts).tolist():
        row = whole("expert", expert, 0, crew - 1)
        begins[row], ends[row] = world.arrivals[first], world.arrivals[last]
    kinds = np.full((crew, 1), AILMENTS[ailment], dtype=np.int64)
    return world._replace(begins=begins, ends=ends, kinds=kinds)
