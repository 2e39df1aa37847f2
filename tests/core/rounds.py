"""Hand-made rounds for tests that need no swarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from swarmloom.types import Ballot, Expert, Round, Task


def make_experts(count: int, **options: Any) -> tuple[Expert, ...]:
    return tuple(Expert(f"expert{index}", **options) for index in range(count))


def make_round(
    tasks: int | Sequence[Task] = 1,
    experts: int | Sequence[Expert] = 2,
    *,
    allowed: Any = None,
    ballots: Sequence[Sequence[Ballot]] | None = None,
    in_flight: Any = None,
    seed: int = 0,
    number: int = 0,
) -> Round:
    task_list = (
        tuple(Task(f"task{i}") for i in range(tasks)) if isinstance(tasks, int) else tuple(tasks)
    )
    expert_list = make_experts(experts) if isinstance(experts, int) else tuple(experts)
    shape = (len(task_list), len(expert_list))
    return Round(
        number=number,
        tasks=task_list,
        experts=expert_list,
        allowed=np.ones(shape, bool) if allowed is None else np.asarray(allowed, bool),
        ballots=tuple(map(tuple, ballots)) if ballots is not None else ((),) * shape[0],
        in_flight=np.zeros(shape[1], np.int64) if in_flight is None else np.asarray(in_flight),
        prices=np.array([expert.price for expert in expert_list], np.float64),
        elapsed=0.0,
        rng=np.random.default_rng(seed),
    )
