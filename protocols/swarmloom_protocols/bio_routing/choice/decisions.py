"""One decision: who keeps the limits, who is chosen, what is noted of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.choice.limits import Bounds, keep_within
from swarmloom_protocols.bio_routing.choice.pheromone import (
    DECISIONS,
    Pheromone,
    Table,
    Vector,
    Weights,
    expected_latency,
    health_of,
    learn,
    mark_sent,
    pheromone_of,
    success_rate,
    weights_of,
)
from swarmloom_protocols.bio_routing.choice.policy_kernels import pick, scores_of

__all__ = ["FIELDS", "Explanation", "conclude", "decide", "score_rows"]

Mask = NDArray[np.bool_]

# Of a record: number, wait, topic, expert, allowed, runner-up, two scores,
# reliability, health, load, slots, latency, price.
FIELDS = 14


@kernel
def _runner_up(scores: Vector, allowed: Mask, chosen: int) -> int:
    best = -1
    for expert in range(scores.size):
        if allowed[expert] and expert != chosen and (best < 0 or scores[expert] > scores[best]):
            best = expert
    return best


@kernel
def _note(
    pheromone: Pheromone,
    weights: Weights,
    topic: int,
    expert: int,
    load: Vector,
    allowed: Mask,
    rows: Table,
    record: Vector,
) -> None:
    scores, slots = rows[1], pheromone.slots[expert]
    second = _runner_up(scores, allowed, expert)
    record[1] = max(0.0, load[expert] + 1.0 - slots) / slots
    record[2] = topic
    record[3] = expert
    record[4] = allowed.sum()
    record[5] = second
    record[6] = scores[expert]
    record[7] = scores[second] if second >= 0 else np.nan
    record[8] = success_rate(pheromone, weights, topic, expert)
    record[9] = health_of(pheromone, expert)
    record[10] = load[expert]
    record[11] = slots
    record[12] = expected_latency(pheromone, expert)
    record[13] = rows[2, expert]


@kernel
def decide(
    policy: int,
    cells: NDArray[np.float64],
    experts: Table,
    clock: Vector,
    settings: Vector,
    topic: int,
    given: Mask,
    masks: NDArray[np.bool_],
    rows: Table,
    history: Table,
) -> int:
    """Choose among those who keep the bounds, count the task as sent, and note why.

    Every argument of a compiled function costs time at each call; hence the few arrays.

    Parameters
    ----------
    policy : int
        One of `policy_kernels.CODES`.
    cells, experts, clock : ndarray of float64
        Of a `pheromone.Store`.
    settings : ndarray of float64, shape (18,)
        `Weights`, `Bounds`, what a task counts for in the load, and the seed (a whole number).
    topic : int
    given : ndarray of bool, shape (experts,)
        Who may take the task.
    masks : ndarray of bool, shape (2, experts)
        Who is present; written: who is present, given and within the bounds.
    rows : ndarray of float64, shape (4, experts)
        The load, in which the chosen rises; written: scores, what is taken off, scratch.
    history : ndarray of float64, shape (any, FIELDS)
        Written: the row of this decision, for `Explanation.read`.

    Returns
    -------
    int
        Row of the expert; -1 where nobody is allowed.
    """
    pheromone, weights = pheromone_of(cells, experts, clock), weights_of(settings)
    load, scores, prices, allowed = rows[0], rows[1], rows[2], masks[1]
    bounds = Bounds(settings[13], settings[14], settings[15])
    for expert in range(allowed.size):
        allowed[expert] = given[expert] and masks[0, expert]
    if bounds.seconds < np.inf or bounds.reliability > 0.0 or bounds.cost < np.inf:
        keep_within(pheromone, weights, topic, load, bounds, allowed)
    prices[:] = 0.0
    seed, number = np.uint64(settings[17]), clock[DECISIONS]
    expert = pick(policy, pheromone, weights, topic, load, allowed, seed, scores, prices, rows[3])
    if expert >= 0:
        record = history[int(number) % history.shape[0]]
        record[0] = number
        _note(pheromone, weights, topic, expert, load, allowed, rows, record)
        mark_sent(load, expert, settings[16])
    return expert


@kernel
def score_rows(
    policy: int,
    cells: NDArray[np.float64],
    experts: Table,
    clock: Vector,
    settings: Vector,
    topics: NDArray[np.int64],
    in_turn: bool,
    masks: NDArray[np.bool_],
    rows: Table,
    table: Table,
) -> None:
    """Write the scores of many tasks; -inf for experts that are away or beyond the bounds.

    Parameters
    ----------
    policy, cells, experts, clock, settings, masks, rows
        As for `decide`; the load stays as it is.
    topics : ndarray of int64, shape (tasks,)
    in_turn : bool
        Each task counts in the load of its best expert before the next is scored.
    table : ndarray of float64, shape (tasks, experts)
        Written.
    """
    pheromone, weights = pheromone_of(cells, experts, clock), weights_of(settings)
    bounds = Bounds(settings[13], settings[14], settings[15])
    load, seed, allowed = rows[3], np.uint64(settings[17]), masks[1]
    load[:] = rows[0]
    for task in range(topics.size):
        topic, scores = topics[task], table[task]
        allowed[:] = masks[0]
        keep_within(pheromone, weights, topic, load, bounds, allowed)
        scores_of(policy, pheromone, weights, topic, load, seed, scores, rows[2])
        clock[DECISIONS] += 1.0
        for expert in range(scores.size):
            if not allowed[expert]:
                scores[expert] = -np.inf
        best = _runner_up(scores, allowed, -1)
        if in_turn and best >= 0:
            load[best] += settings[16]


@kernel
def conclude(
    cells: NDArray[np.float64],
    experts: Table,
    clock: Vector,
    settings: Vector,
    topic: int,
    expert: int,
    success: float,
    seconds: float,
    cost: float,
    load: Vector,
) -> None:
    """Learn from a finished task (see `pheromone.learn`) and take it out of the load."""
    load[expert] = max(0.0, load[expert] - settings[16])
    pheromone, weights = pheromone_of(cells, experts, clock), weights_of(settings)
    learn(pheromone, weights, topic, expert, success, seconds, cost)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a task went to its expert, as things stood when it was sent.

    Attributes
    ----------
    ticket : int
        Its number.
    policy : str
    topic, expert : Any
        As the caller names them.
    candidates : int
        Experts that were allowed and kept the limits.
    score : float
        What the policy compared (0 for "round_robin" and "random", which compare nothing).
    runner_up : Any or None
        The best of the others by score, None where there was no other. It may have the better
        score where the policy draws ("power_of_two", a soft-max).
    runner_up_score : float
        NaN where there was no other.
    reliability : float
        p̂, the discounted success rate on the topic.
    health : float
        min(1, h / 0.8).
    load : float
        Tasks taken to be under way at the expert, this one not counted.
    slots : int
    wait : float
        Expected wait, in services of the expert.
    seconds : float
        Expected latency of the work itself; 0 where none has been measured.
    price : float
        What wait and cost took off, in units of success rate; 0 for policies without.
    """

    ticket: int
    policy: str
    topic: Any
    expert: Any
    candidates: int
    score: float
    runner_up: Any
    runner_up_score: float
    reliability: float
    health: float
    load: float
    slots: int
    wait: float
    seconds: float
    price: float

    @classmethod
    def read(
        cls, record: Vector, policy: str, topics: Sequence[Any], experts: Sequence[Any]
    ) -> Explanation:
        """Return the explanation that `decide` has noted."""
        number, wait, topic, expert, candidates, second, score, other = record[:8].tolist()
        reliability, health, load, slots, seconds, price = record[8:].tolist()
        return cls(
            ticket=int(number),
            policy=policy,
            topic=topics[int(topic)],
            expert=experts[int(expert)],
            candidates=int(candidates),
            score=score,
            runner_up=experts[int(second)] if second >= 0 else None,
            runner_up_score=other,
            reliability=reliability,
            health=health,
            load=load,
            slots=int(slots),
            wait=wait,
            seconds=seconds,
            price=price,
        )

    def __str__(self) -> str:
        """One line for logs."""
        beaten = (
            ""
            if self.runner_up is None
            else (f"; next {self.runner_up!r} at {self.runner_up_score:.3f}")
        )
        return (
            f"task {self.ticket} on {self.topic!r} to {self.expert!r} by {self.policy}: score "
            f"{self.score:.3f} (success {self.reliability:.3f}, health {self.health:.3f}, load "
            f"{self.load:g} of {self.slots}, wait and cost {self.price:.3f}){beaten}"
        )
