"""The event loop of a simulated crew: arrivals, queues, services, feedback, one policy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.choice.pheromone import (
    Pheromone,
    Table,
    Vector,
    Weights,
    learn,
    mark_sent,
)
from swarmloom_protocols.bio_routing.choice.policy_kernels import INDEX, choose, pick

__all__ = ["GARBAGE", "HEALTHY", "SLOW", "TIME_OUT", "Log", "World", "run"]

Integers = NDArray[np.int64]

HEALTHY = 0
TIME_OUT = 1
GARBAGE = 2
SLOW = 3

# Beside the codes of `policy_kernels`: the index of true rates, latencies, outages and queues.
ORACLE = -1

# What a dispatcher knows of the load.
LIVE = 0
STALE = 1
STALE_AND_SENT = 2
STALE_AND_NET = 3

# Service times, in the expert's own mean, and how long a time-out holds a slot, in the crew's.
GARBAGE_SPEED = 0.05
SLOW_SPEED = 5.0
TIME_OUT_SECONDS = 5.0


class World(NamedTuple):
    """Everything that chance decides, drawn beforehand: every policy meets the same.

    Attributes
    ----------
    arrivals, noise, luck : ndarray of float64, shape (tasks,)
        Times of arrival, service times over their mean, uniform numbers that decide success.
    topics, dispatchers : ndarray of int64, shape (tasks,)
    slots : ndarray of float64, shape (experts,)
    changes : ndarray of float64, shape (epochs,)
        When each epoch begins; the first at 0.
    skill : ndarray of float64, shape (epochs, topics, experts)
        True success rates.
    service : ndarray of float64, shape (epochs, experts)
        Mean service times; the crew's is 1.
    begins, ends : ndarray of float64, shape (experts, outages)
        Outages in order; infinite where an expert has fewer.
    kinds : ndarray of int64, shape (experts, outages)
        `TIME_OUT`, `GARBAGE` or `SLOW`.
    """

    arrivals: Vector
    noise: Vector
    luck: Vector
    topics: Integers
    dispatchers: Integers
    slots: Vector
    changes: Vector
    skill: NDArray[np.float64]
    service: Table
    begins: Table
    ends: Table
    kinds: Integers


class Log(NamedTuple):
    """What became of each task.

    Attributes
    ----------
    experts : ndarray of int64, shape (tasks,)
    starts, finishes : ndarray of float64, shape (tasks,)
        Times.
    right : ndarray of bool, shape (tasks,)
    """

    experts: Integers
    starts: Vector
    finishes: Vector
    right: NDArray[np.bool_]


class _Queues(NamedTuple):
    """First come, first served: lists of tasks by expert, and a heap of those in service."""

    first: Integers
    last: Integers
    following: Integers
    busy: Vector
    in_flight: Vector
    times: Vector
    tasks: Integers
    size: Integers


@kernel
def _push(queues: _Queues, time: float, task: int) -> None:
    place = queues.size[0]
    queues.size[0] += 1
    while place > 0 and queues.times[(place - 1) // 2] > time:
        parent = (place - 1) // 2
        queues.times[place], queues.tasks[place] = queues.times[parent], queues.tasks[parent]
        place = parent
    queues.times[place], queues.tasks[place] = time, task


@kernel
def _pop(queues: _Queues) -> int:
    task: int = queues.tasks[0]
    queues.size[0] -= 1
    size = queues.size[0]
    time, moved = queues.times[size], queues.tasks[size]
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and queues.times[child + 1] < queues.times[child]:
            child += 1
        if queues.times[child] >= time:
            break
        queues.times[place], queues.tasks[place] = queues.times[child], queues.tasks[child]
        place = child
    queues.times[place], queues.tasks[place] = time, moved
    return task


@kernel
def condition(world: World, expert: int, time: float) -> int:
    """Return what ails an expert at a time, or `HEALTHY`."""
    for outage in range(world.begins.shape[1]):
        if world.begins[expert, outage] > time:
            break
        if time < world.ends[expert, outage]:
            ailment: int = world.kinds[expert, outage]
            return ailment
    return HEALTHY


@kernel
def epoch_of(world: World, time: float) -> int:
    """Return the epoch that a time lies in."""
    epoch = world.changes.size - 1
    while epoch > 0 and world.changes[epoch] > time:
        epoch -= 1
    return epoch


@kernel
def _serve(world: World, log: Log, queues: _Queues, expert: int, now: float) -> None:
    """Start what waits at an expert, as far as it has free slots."""
    while queues.first[expert] >= 0 and queues.busy[expert] < world.slots[expert]:
        task = queues.first[expert]
        queues.first[expert] = queues.following[task]
        queues.busy[expert] += 1.0
        epoch, state = epoch_of(world, now), condition(world, expert, now)
        seconds = world.service[epoch, expert] * world.noise[task]
        works = world.luck[task] < world.skill[epoch, world.topics[task], expert]
        if state == TIME_OUT:
            seconds = TIME_OUT_SECONDS
        elif state == GARBAGE:
            seconds *= GARBAGE_SPEED
        elif state == SLOW:
            seconds *= SLOW_SPEED
        log.starts[task] = now
        log.finishes[task] = now + seconds
        log.right[task] = works and state != TIME_OUT and state != GARBAGE
        _push(queues, now + seconds, task)


@kernel
def _enqueue(queues: _Queues, task: int, expert: int) -> None:
    queues.following[task] = -1
    if queues.first[expert] < 0:
        queues.first[expert] = task
    else:
        queues.following[queues.last[expert]] = task
    queues.last[expert] = task
    queues.in_flight[expert] += 1.0


@kernel
def _finish(
    world: World,
    log: Log,
    queues: _Queues,
    pheromone: Pheromone,
    weights: Weights,
    loads: Table,
    waits: Vector,
    view: int,
    own_weight: float,
) -> None:
    """Finish the task that ends first, learn from it, and start the next at its expert."""
    now = queues.times[0]
    task = _pop(queues)
    expert = log.experts[task]
    queues.busy[expert] -= 1.0
    queues.in_flight[expert] -= 1.0
    if view == STALE_AND_NET:
        known = loads[world.dispatchers[task]]
        known[expert] = max(0.0, known[expert] - own_weight)
    # A dispatcher sees the time since sending; the wait that it expected is taken out.
    seconds = (now - world.arrivals[task]) / (1.0 + waits[task])
    learn(
        pheromone,
        weights,
        world.topics[task],
        expert,
        1.0 if log.right[task] else 0.0,
        seconds,
        -1.0,
    )
    _serve(world, log, queues, expert, now)


@kernel
def _true_scores(
    world: World, queues: _Queues, load_weight: float, topic: int, now: float, scores: Vector
) -> None:
    """Write the index of the truth: skill, outages, latencies and queues as they are now."""
    epoch = epoch_of(world, now)
    for expert in range(scores.size):
        state = condition(world, expert, now)
        skill = world.skill[epoch, topic, expert]
        relative = world.service[epoch, expert]
        if state in (TIME_OUT, GARBAGE):
            skill = 0.0
        if state == TIME_OUT:
            relative = TIME_OUT_SECONDS
        elif state == SLOW:
            relative *= SLOW_SPEED
        slots = world.slots[expert]
        wait = max(0.0, queues.in_flight[expert] + 1.0 - slots) / slots * relative
        scores[expert] = skill - load_weight * wait


@kernel
def _new_queues(tasks: int, experts: int, slots: int) -> _Queues:
    return _Queues(
        np.full(experts, -1, dtype=np.int64),
        np.full(experts, -1, dtype=np.int64),
        np.full(tasks, -1, dtype=np.int64),
        np.zeros(experts),
        np.zeros(experts),
        np.zeros(slots),
        np.zeros(slots, dtype=np.int64),
        np.zeros(1, dtype=np.int64),
    )


@kernel
def _chosen(
    world: World,
    queues: _Queues,
    policy: int,
    pheromone: Pheromone,
    weights: Weights,
    task: int,
    load: Vector,
    rows: Table,
    allowed: NDArray[np.bool_],
    seed: np.uint64,
) -> int:
    topic = world.topics[task]
    if policy == ORACLE:
        now = world.arrivals[task]
        _true_scores(world, queues, weights.load_weight, topic, now, rows[0])
        return choose(INDEX, rows[0], allowed, 0.0, pheromone.clock, seed, rows[2])
    return pick(policy, pheromone, weights, topic, load, allowed, seed, rows[0], rows[1], rows[2])


@kernel
def _new_log(tasks: int) -> Log:
    return Log(
        np.zeros(tasks, dtype=np.int64),
        np.zeros(tasks),
        np.zeros(tasks),
        np.zeros(tasks, dtype=np.bool_),
    )


@kernel
def run(
    world: World,
    policy: int,
    pheromone: Pheromone,
    weights: Weights,
    seed: np.uint64,
    view: int,
    every: int,
    own_weight: float,
) -> Log:
    """Send every task by one policy and let the crew work until all are done.

    Parameters
    ----------
    world : World
    policy : int
        One of `policy_kernels.CODES`, or `ORACLE`.
    pheromone : Pheromone
        Learns.
    weights : Weights
    seed : uint64
        Of the policy's own draws.
    view : int
        What dispatchers know of the load: `LIVE`, or the report of every so many tasks, alone,
        with what they sent since, or less what came back of it too.
    every : int
        Tasks between reports.
    own_weight : float
        What a task that a dispatcher has sent itself counts for.

    Returns
    -------
    Log
    """
    tasks, experts = world.arrivals.size, world.slots.size
    queues = _new_queues(tasks, experts, int(world.slots.sum()))
    loads = np.zeros((world.dispatchers.max() + 1, experts))
    waits, rows = np.zeros(tasks), np.zeros((3, experts))
    allowed = np.ones(experts, dtype=np.bool_)
    log = _new_log(tasks)
    for task in range(tasks):
        now = world.arrivals[task]
        while queues.size[0] > 0 and queues.times[0] <= now:
            _finish(world, log, queues, pheromone, weights, loads, waits, view, own_weight)
        if view != LIVE and task % every == 0:
            for dispatcher in range(loads.shape[0]):
                loads[dispatcher] = queues.in_flight
        load = queues.in_flight if view == LIVE else loads[world.dispatchers[task]]
        expert = _chosen(world, queues, policy, pheromone, weights, task, load, rows, allowed, seed)
        slots = world.slots[expert]
        waits[task] = max(0.0, load[expert] + 1.0 - slots) / slots
        if view in (STALE_AND_SENT, STALE_AND_NET):
            mark_sent(load, expert, own_weight)
        log.experts[task] = expert
        _enqueue(queues, task, expert)
        _serve(world, log, queues, expert, now)
    while queues.size[0] > 0:
        _finish(world, log, queues, pheromone, weights, loads, waits, view, own_weight)
    return log
