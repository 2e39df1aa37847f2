"""What a task demands of whoever takes it: in time, reliable enough, not too dear.

An expert is left out only where evidence speaks against it. Of its success rate the optimistic end
counts (two standard deviations above the mean), of its latency what has not evaporated. So experts
of whom little is known are tried, and those left out are tried again: whoever was repaired returns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.choice.pheromone import (
    SCALE,
    Pheromone,
    Vector,
    Weights,
    health_of,
    success_rate,
)
from swarmloom_protocols.bio_routing.no_route import NoRouteError
from swarmloom_protocols.checks import between, positive

__all__ = ["Limits"]

Mask = NDArray[np.bool_]

_DEVIATIONS = 2.0


class Bounds(NamedTuple):
    """Limits as kernels take them; infinite, or 0 for the reliability, where there is none."""

    seconds: float
    reliability: float
    cost: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Demands of a task; None for no demand.

    Attributes
    ----------
    max_seconds : float or None
        Expected seconds (> 0) from sending to answer, wait included.
    min_reliability : float or None
        Success rate in [0, 1] that is still believable: p̂ · health and two standard deviations.
    max_cost : float or None
        Expected cost (≥ 0).

    Raises
    ------
    InputError
        A limit is out of its range.
    """

    max_seconds: float | None = None
    min_reliability: float | None = None
    max_cost: float | None = None

    def __post_init__(self) -> None:
        if self.max_seconds is not None:
            positive("max_seconds", self.max_seconds)
        if self.min_reliability is not None:
            between("min_reliability", self.min_reliability, 0.0, 1.0)
        if self.max_cost is not None:
            between("max_cost", self.max_cost, 0.0)

    @property
    def bounds(self) -> Bounds:
        """The limits as kernels take them."""
        return Bounds(
            math.inf if self.max_seconds is None else float(self.max_seconds),
            float(self.min_reliability or 0.0),
            math.inf if self.max_cost is None else float(self.max_cost),
        )


@kernel
def believable_reliability(
    pheromone: Pheromone, weights: Weights, topic: int, expert: int
) -> float:
    """Return the optimistic end of p̂ · health."""
    rate = success_rate(pheromone, weights, topic, expert)
    count = pheromone.seen[topic, expert] * pheromone.clock[SCALE] + weights.prior
    return health_of(pheromone, expert) * (
        rate + _DEVIATIONS * math.sqrt(rate * (1.0 - rate) / count)
    )


@kernel
def expected_seconds(pheromone: Pheromone, load: Vector, expert: int) -> float:
    """Return wait and work in seconds; of what was measured, what has not evaporated."""
    slots = pheromone.slots[expert]
    wait = max(0.0, load[expert] + 1.0 - slots) / slots
    kept = pheromone.freshness[expert] * pheromone.clock[SCALE]
    seconds: float = pheromone.latency[expert] * kept * (1.0 + wait)
    return seconds


@kernel
def keep_within(
    pheromone: Pheromone,
    weights: Weights,
    topic: int,
    load: Vector,
    bounds: Bounds,
    allowed: Mask,
) -> None:
    """Take those out of `allowed` who do not keep the bounds."""
    for expert in range(allowed.size):
        if not allowed[expert]:
            continue
        keeps = believable_reliability(pheromone, weights, topic, expert) >= bounds.reliability
        keeps = keeps and expected_seconds(pheromone, load, expert) <= bounds.seconds
        keeps = keeps and pheromone.cost[expert] * pheromone.priced[expert] <= bounds.cost
        allowed[expert] = keeps


def refusal(
    pheromone: Pheromone,
    weights: Weights,
    topic: int,
    load: Vector,
    bounds: Bounds,
    allowed: Mask,
    names: Sequence[Any],
) -> NoRouteError:
    """Return the error that names the limits which no allowed expert keeps."""
    experts = [int(expert) for expert in np.flatnonzero(allowed)]
    if not experts:
        return NoRouteError("no expert is allowed to take the task")
    seconds = {e: expected_seconds(pheromone, load, e) for e in experts}
    chances = {e: believable_reliability(pheromone, weights, topic, e) for e in experts}
    costs = {e: float(pheromone.cost[e] * pheromone.priced[e]) for e in experts}
    best = max(chances, key=chances.__getitem__)
    quick, cheap = min(seconds, key=seconds.__getitem__), min(costs, key=costs.__getitem__)
    unmet = []
    if chances[best] < bounds.reliability:
        found = f"{names[best]!r} is the most reliable, at most {chances[best]:.3g}"
        unmet.append(f"min_reliability {bounds.reliability:g} ({found})")
    if seconds[quick] > bounds.seconds:
        found = f"{names[quick]!r} is the soonest, after {seconds[quick]:.3g} s"
        unmet.append(f"max_seconds {bounds.seconds:g} ({found})")
    if costs[cheap] > bounds.cost:
        found = f"{names[cheap]!r} is the cheapest, at {costs[cheap]:.3g}"
        unmet.append(f"max_cost {bounds.cost:g} ({found})")
    who = f"none of {len(experts)} allowed experts keeps"
    return NoRouteError(f"{who} {' or '.join(unmet)}" if unmet else f"{who} {_together(bounds)}")


def _together(bounds: Bounds) -> str:
    """Name limits that each somebody keeps, and nobody all."""
    given = []
    if bounds.reliability > 0.0:
        given.append(f"min_reliability {bounds.reliability:g}")
    if bounds.seconds < math.inf:
        given.append(f"max_seconds {bounds.seconds:g}")
    if bounds.cost < math.inf:
        given.append(f"max_cost {bounds.cost:g}")
    return " together with ".join(given)
