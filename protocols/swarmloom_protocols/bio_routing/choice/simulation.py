"""Policies at work in simulated crews, beside an oracle that knows the truth.

What counts is goodput: the share of tasks that are done right and in time, a sojourn of at most
five mean services. Success alone would praise a policy that sends everything to the best expert
and lets it wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice import simulation_kernels as kernels
from swarmloom_protocols.bio_routing.choice.pheromone import (
    Weights,
    default_discount,
    new_store,
    pheromone_of,
)
from swarmloom_protocols.bio_routing.choice.policy_kernels import CODES
from swarmloom_protocols.bio_routing.choice.simulation_kernels import Log, World
from swarmloom_protocols.checks import positive, seeded, whole

__all__ = ["ORACLE_LOAD_WEIGHTS", "Knowledge", "Played", "oracle", "play"]

Knowledge = Literal["live", "reports", "reports_and_sent", "reports_and_own"]

PATIENCE = 5.0
# Of these the oracle's best is taken, a world each.
ORACLE_LOAD_WEIGHTS = (0.2, 0.4, 0.8)

_VIEWS = {
    "live": kernels.LIVE,
    "reports": kernels.STALE,
    "reports_and_sent": kernels.STALE_AND_SENT,
    "reports_and_own": kernels.STALE_AND_NET,
}


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a world's tasks under a policy.

    Attributes
    ----------
    world : World
    log : Log
    """

    world: World
    log: Log

    @property
    def sojourns(self) -> NDArray[np.float64]:
        """Time from arrival to answer, shape (tasks,), in mean services."""
        return self.log.finishes - self.world.arrivals

    def goodput(self, patience: float = PATIENCE) -> float:
        """Return the share of tasks done right within `patience` mean services."""
        return float((self.log.right & (self.sojourns <= patience)).mean())

    def busiest(self, share: float, first: int, last: int) -> NDArray[np.int64]:
        """Return the experts, at least one, that most of the tasks from `first` to `last` went to.

        Parameters
        ----------
        share : float
            Of all experts, in (0, 1].
        first, last : int
        """
        count = max(1, int(positive("share", share, 1.0) * self.world.slots.size))
        sent = np.bincount(self.log.experts[first:last], minlength=self.world.slots.size)
        return np.argsort(-sent, kind="stable")[:count]

    def tasks_until(
        self, experts: ArrayLike, first: int, share: float, *, rises: bool, window: int = 50
    ) -> int | None:
        """Return how many tasks pass until the share that some experts get falls, or rises.

        Parameters
        ----------
        experts : array-like of int
        first : int
            Task from which on is counted.
        share : float
            Of the tasks in a window.
        rises : bool
            Until it is at least `share`; otherwise until it is below.
        window : int
            Tasks, the counted ones' last, over which the share is taken.

        Returns
        -------
        int or None
            At least `window`; None for never.
        """
        theirs = np.isin(self.log.experts[first:], experts)
        shares = np.convolve(theirs, np.full(window, 1.0 / window), "valid")
        reached = np.flatnonzero(shares >= share if rises else shares < share)
        return int(reached[0]) + window if reached.size else None


def play(
    world: World,
    policy: str = "auto",
    *,
    rng: int | np.random.Generator = 0,
    knowledge: Knowledge = "live",
    report_every: int = 100,
    own_weight: float = 1.0,
    **weights: Any,
) -> Played:
    """Let a policy send all tasks of a world.

    Parameters
    ----------
    world : World
        Of `Crew.draw`.
    policy : str
        One of `policies.POLICIES`, or "oracle": the index of true success rates, outages,
        latencies and queues.
    rng : int or numpy.random.Generator
        Seed of the policy's own draws.
    knowledge : str
        Of the load. "live": every queue as it is. "reports": as it was every so many tasks;
        "reports_and_sent": and what the dispatcher has sent since; "reports_and_own": and less
        what came back of its own. All dispatchers share what is learned of experts.
    report_every : int
        Tasks (≥ 1) from report to report.
    own_weight : float
        What one own task counts for (> 0).
    **weights
        Of `pheromone.Weights`.

    Returns
    -------
    Played

    Raises
    ------
    InputError
        There is no such policy or knowledge, or a number is out of its range.
    """
    if policy != "oracle" and policy not in ("auto", *CODES):
        raise InputError(f"policy is {policy!r}; allowed: oracle, auto, {', '.join(CODES)}")
    if knowledge not in _VIEWS:
        raise InputError(f"knowledge is {knowledge!r}; allowed: {', '.join(_VIEWS)}")
    unknown = set(weights) - set(Weights._fields)
    if unknown:
        raise InputError(f"weights {sorted(unknown)}; allowed: {', '.join(Weights._fields)}")
    topics, experts = world.skill.shape[1:]
    chosen = Weights(**{"discount": default_discount(experts), **weights})
    log = kernels.run(
        world,
        kernels.ORACLE if policy == "oracle" else CODES["index" if policy == "auto" else policy],
        pheromone_of(*new_store(world.slots, topics, (chosen.failure + chosen.swift) / 2.0)),
        chosen,
        np.uint64(seeded("rng", rng).integers(2**53)),
        _VIEWS[knowledge],
        whole("report_every", report_every, 1),
        positive("own_weight", own_weight),
    )
    return Played(world, log)


def oracle(world: World) -> Played:
    """Return the best run of the index that knows the truth, over its load weights."""
    runs = [play(world, "oracle", load_weight=weight) for weight in ORACLE_LOAD_WEIGHTS]
    return max(runs, key=Played.goodput)
