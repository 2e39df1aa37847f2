"""Pheromone by topic and expert: what a dispatcher has learned, in arrays that kernels read.

Evaporation is discounting: each finished task multiplies every earlier observation by γ. Instead of
touching topics × experts numbers at each, observations are stored divided by γ to the power of the
tasks finished before them, and read times that power now; learning costs O(1) and reading a row is
a loop without powers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.choice.score_kernels import WAIT_WEIGHT

__all__ = [
    "Pheromone",
    "Store",
    "Weights",
    "default_discount",
    "evaporate",
    "expected_latency",
    "health_of",
    "learn",
    "mark_sent",
    "new_store",
    "pheromone_of",
    "reliabilities",
    "success_rate",
    "weights_of",
]

Vector = NDArray[np.float64]
Table = NDArray[np.float64]

# Places of `Pheromone.clock`.
SCALE = 0
HEALTH_SCALE = 1
FINISHED = 2
DECISIONS = 3
LATENCY_SUM = 4
LATENCIES = 5
COST_SUM = 6
COSTS = 7
LAST = 8
_CLOCK_SIZE = 9

# The health that counts in full. Of an expert that does what is expected of it h still scatters; to
# take what lies below 1 off its score costs 0.5 % of the goodput in simulated crews.
WELL_FROM = 0.8

# Stored numbers are divided by the scale; far below this their sums would overflow.
_LEAST_SCALE = 1e-100


class Weights(NamedTuple):
    """Parameters of learning and choosing, as kernels take them.

    Attributes
    ----------
    discount : float
        γ: what a finished task leaves of earlier observations.
    prior : float
        Observations that the prior success rate of 1/2 counts for.
    load_weight : float
        λ: what a wait of one mean latency costs, in units of success rate.
    cost_weight : float
        What the mean cost of a task costs, in units of success rate.
    health_step, health_memory : float
        Step of the health factor, and what a finished task leaves of illness.
    step : float
        Step of the moving averages of latency and cost.
    bonus : float
        Exploration of UCB and LinUCB, in units of success rate.
    temperature : float
        Of the soft-max over scores; 0 takes the best.
    persistence, success, swift, failure : float
        The averaged trail's rule, see `trail_rules.Reinforcement`.
    """

    discount: float
    prior: float = 2.0
    load_weight: float = WAIT_WEIGHT
    cost_weight: float = 0.0
    health_step: float = 0.1
    health_memory: float = 0.999
    step: float = 0.1
    bonus: float = 0.1
    temperature: float = 0.0
    persistence: float = 0.97
    success: float = 1.0
    swift: float = 1.0
    failure: float = 0.0


class Pheromone(NamedTuple):
    """What is known of each expert, on each topic and altogether.

    Attributes
    ----------
    right, seen : ndarray of float64, shape (topics, experts)
        Discounted successes and observations, divided by ``clock[SCALE]``.
    trail : ndarray of float64, shape (topics, experts)
        The averaged trail, as it is.
    slots : ndarray of float64, shape (experts,)
        Tasks that an expert works on at once.
    ill : ndarray of float64, shape (experts,)
        1 − h, divided by ``clock[HEALTH_SCALE]``.
    latency, freshness : ndarray of float64, shape (experts,)
        Moving average of seconds, and how fresh it is (1 when measured, divided by the scale; 0
        for never).
    cost, priced : ndarray of float64, shape (experts,)
        Moving average of costs, and 1 where one is known.
    clock : ndarray of float64, shape (9,)
        γ and the health's memory to the power of finished tasks, and sums for the means.
    """

    right: Table
    seen: Table
    trail: Table
    slots: Vector
    ill: Vector
    latency: Vector
    freshness: Vector
    cost: Vector
    priced: Vector
    clock: Vector


def default_discount(experts: int) -> float:
    """Return γ = 1 − 1/max(500, 5 · experts): memory for five tasks an expert."""
    return 1.0 - 1.0 / max(500, 5 * experts)


class Store(NamedTuple):
    """The arrays that `Pheromone` is a view of: few, for each costs a call of a kernel time.

    Attributes
    ----------
    cells : ndarray of float64, shape (3, topics, experts)
    experts : ndarray of float64, shape (6, experts)
    clock : ndarray of float64, shape (9,)
    """

    cells: NDArray[np.float64]
    experts: Table
    clock: Vector


def new_store(slots: Vector, topics: int, trail: float) -> Store:
    """Return the memory of experts of whom nothing is known, their trails at `trail`."""
    store = Store(
        np.zeros((3, topics, len(slots))), np.zeros((6, len(slots))), np.zeros(_CLOCK_SIZE)
    )
    store.cells[2] = trail
    store.experts[0] = slots
    store.clock[SCALE] = store.clock[HEALTH_SCALE] = 1.0
    store.clock[LAST] = -1.0
    return store


@kernel
def pheromone_of(cells: NDArray[np.float64], experts: Table, clock: Vector) -> Pheromone:
    """Return views of the arrays of a `Store`."""
    return Pheromone(
        cells[0],
        cells[1],
        cells[2],
        experts[0],
        experts[1],
        experts[2],
        experts[3],
        experts[4],
        experts[5],
        clock,
    )


@kernel
def weights_of(settings: Vector) -> Weights:
    """Return weights that were put into an array in their order."""
    return Weights(
        settings[0],
        settings[1],
        settings[2],
        settings[3],
        settings[4],
        settings[5],
        settings[6],
        settings[7],
        settings[8],
        settings[9],
        settings[10],
        settings[11],
        settings[12],
    )


@kernel
def success_rate(pheromone: Pheromone, weights: Weights, topic: int, expert: int) -> float:
    """Return p̂, the discounted success rate, from a prior of 1/2."""
    scale = pheromone.clock[SCALE]
    right = pheromone.right[topic, expert] * scale + 0.5 * weights.prior
    rate: float = right / (pheromone.seen[topic, expert] * scale + weights.prior)
    return rate


@kernel
def health_of(pheromone: Pheromone, expert: int) -> float:
    """Return min(1, h / 0.8): 1 for an expert that does about what is expected of it."""
    ill: float = pheromone.ill[expert] * pheromone.clock[HEALTH_SCALE]
    return max(0.0, min(1.0, (1.0 - ill) / WELL_FROM))


@kernel
def reliabilities(pheromone: Pheromone, weights: Weights) -> Table:
    """Return p̂ · min(1, h / 0.8), shape (topics, experts)."""
    topics, experts = pheromone.seen.shape
    rates = np.empty((topics, experts))
    for topic in range(topics):
        for expert in range(experts):
            rate = success_rate(pheromone, weights, topic, expert)
            rates[topic, expert] = rate * health_of(pheromone, expert)
    return rates


@kernel
def mean_of(clock: Vector, total: int, count: int) -> float:
    """Return a mean that `clock` keeps as sum and count; 0 where nothing is known."""
    mean: float = clock[total] / clock[count] if clock[count] > 0.0 else 0.0
    return mean


@kernel
def expected_latency(pheromone: Pheromone, expert: int) -> float:
    """Return the seconds of work expected; those that nobody renews return to the mean of all."""
    mean = mean_of(pheromone.clock, LATENCY_SUM, LATENCIES)
    kept = pheromone.freshness[expert] * pheromone.clock[SCALE]
    seconds: float = mean + (pheromone.latency[expert] - mean) * kept
    return seconds


@kernel
def mark_sent(load: Vector, expert: int, amount: float) -> None:
    """Deposit at the start: a task weighs on its expert from the moment it is sent."""
    load[expert] += amount


@kernel
def _rescale(pheromone: Pheromone) -> None:
    clock = pheromone.clock
    if clock[SCALE] < _LEAST_SCALE:
        for table in (pheromone.right, pheromone.seen):
            table *= clock[SCALE]
        pheromone.freshness[:] *= clock[SCALE]
        clock[SCALE] = 1.0
    if clock[HEALTH_SCALE] < _LEAST_SCALE:
        pheromone.ill[:] *= clock[HEALTH_SCALE]
        clock[HEALTH_SCALE] = 1.0


@kernel
def evaporate(pheromone: Pheromone, weights: Weights, finished: float) -> None:
    """Forget as much as this many finished tasks make forgotten."""
    clock = pheromone.clock
    clock[SCALE] *= weights.discount**finished
    clock[HEALTH_SCALE] *= weights.health_memory**finished
    clock[FINISHED] += finished
    _rescale(pheromone)


@kernel
def _learn_success(
    pheromone: Pheromone, weights: Weights, topic: int, expert: int, success: float
) -> None:
    clock = pheromone.clock
    expected = success_rate(pheromone, weights, topic, expert)
    evaporate(pheromone, weights, 1.0)
    ill = pheromone.ill[expert] * clock[HEALTH_SCALE]
    ill += weights.health_step * (1.0 - success / expected - ill)
    pheromone.ill[expert] = ill / clock[HEALTH_SCALE]
    pheromone.right[topic, expert] += success / clock[SCALE]
    pheromone.seen[topic, expert] += 1.0 / clock[SCALE]


@kernel
def _learn_latency(pheromone: Pheromone, weights: Weights, expert: int, seconds: float) -> None:
    clock = pheromone.clock
    before = pheromone.latency[expert]
    known = pheromone.freshness[expert] > 0.0
    after = before + weights.step * (seconds - before) if known else seconds
    clock[LATENCIES] += 0.0 if known else 1.0
    clock[LATENCY_SUM] += after - before
    pheromone.latency[expert] = after
    pheromone.freshness[expert] = 1.0 / clock[SCALE]


@kernel
def _learn_cost(pheromone: Pheromone, weights: Weights, expert: int, cost: float) -> None:
    clock = pheromone.clock
    before = pheromone.cost[expert]
    known = pheromone.priced[expert] > 0.0
    after = before + weights.step * (cost - before) if known else cost
    clock[COSTS] += 0.0 if known else 1.0
    clock[COST_SUM] += after - before
    pheromone.cost[expert] = after
    pheromone.priced[expert] = 1.0


@kernel
def deposit_of(pheromone: Pheromone, weights: Weights, success: float, seconds: float) -> float:
    """Return what a finished task leaves on the averaged trail.

    Successes within the crew's mean latency leave `swift`, slower ones `success`, all else
    `failure`; partial success lies between.
    """
    mean = mean_of(pheromone.clock, LATENCY_SUM, LATENCIES)
    good = weights.success if mean > 0.0 and seconds > mean else weights.swift
    return weights.failure + success * (good - weights.failure)


@kernel
def _learn_trail(
    pheromone: Pheromone, weights: Weights, topic: int, expert: int, deposit: float
) -> None:
    before = pheromone.trail[topic, expert]
    after = weights.persistence * before + (1.0 - weights.persistence) * deposit
    pheromone.trail[topic, expert] = after


@kernel
def learn(
    pheromone: Pheromone,
    weights: Weights,
    topic: int,
    expert: int,
    success: float,
    seconds: float,
    cost: float,
) -> None:
    """Deposit at the end of a task: success, latency of what was right, cost, the trail.

    Failing fast earns nothing: latency is learned from successes alone.

    Parameters
    ----------
    pheromone : Pheromone
        Changed in place, O(1).
    weights : Weights
    topic, expert : int
    success : float
        In [0, 1].
    seconds : float
        Working time, without the wait before it.
    cost : float
        In any unit; negative for not known.
    """
    _learn_success(pheromone, weights, topic, expert, success)
    deposit = deposit_of(pheromone, weights, success, seconds)
    _learn_trail(pheromone, weights, topic, expert, deposit)
    if success > 0.0:
        _learn_latency(pheromone, weights, expert, seconds)
    if cost >= 0.0:
        _learn_cost(pheromone, weights, expert, cost)
