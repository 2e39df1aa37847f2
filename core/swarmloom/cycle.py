"""One round of the coordination cycle: each phase asks its hook and checks what comes back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from swarmloom.errors import InputError
from swarmloom.execution import Executor
from swarmloom.mixing import check_proposal, mix
from swarmloom.types import (
    Assignment,
    Ballot,
    Correlation,
    IntArray,
    Mixture,
    Outcome,
    Round,
    Verdict,
)

if TYPE_CHECKING:
    from swarmloom.host import PluginHost

__all__ = ["Cycle", "Phase", "round_generator", "validators"]

_GRACE = 0.25
_LOW_64_BITS = (1 << 64) - 1


class Phase(IntEnum):
    """Phases that draw random numbers; each has its own stream in every round."""

    DECIDE = 0
    JUDGE = 1


def round_generator(seed: int, number: int, phase: Phase) -> np.random.Generator:
    """Make the generator of one phase of one round.

    It depends on nothing but its arguments, so a resumed run draws what the first one would have.

    Parameters
    ----------
    seed : int
        The run's seed; its low 64 bits count.
    number : int
        The round's number.
    phase : Phase

    Returns
    -------
    numpy.random.Generator
        Philox under the key (seed, number, phase).
    """
    key = ((seed & _LOW_64_BITS) << 64) | (number << 4) | phase
    return np.random.Generator(np.random.Philox(key=key))


class Cycle:
    """Asks the hooks of one round, phase by phase.

    Parameters
    ----------
    host : PluginHost
        Whose hooks are asked.
    executor : Executor
        Takes over the calls that a plugin's executor left without an answer.
    """

    def __init__(self, host: PluginHost, executor: Executor) -> None:
        self._host = host
        self._executor = executor

    def admit(self, round: Round) -> Round:
        """Leave those whom every plugin admits."""
        answers = self._host.hook.swarmloom_admit(round=round)
        if not answers:
            return round
        allowed = np.logical_and.reduce([round.allowed, *(answer.value for answer in answers)])
        allowed.setflags(write=False)
        return replace(round, allowed=allowed)

    def entangle(self, round: Round) -> Round:
        """Add what the experts share in this round."""
        answers = self._host.hook.swarmloom_entangle(round=round)
        return replace(round, correlations=tuple(answer.value for answer in answers))

    def navigate(self, round: Round, weights: Mapping[str, float]) -> Mixture:
        """Ask for proposals and mix them."""
        answers = self._host.hook.swarmloom_navigate(round=round)
        proposals = [(answer.plugin, answer.value) for answer in answers]
        return mix(proposals, weights, round.allowed)

    def decide(self, round: Round, mixture: Mixture) -> Assignment:
        """Ask who takes which task; the kernel's greedy decision always answers."""
        answer = self._host.hook.swarmloom_decide(round=round, mixture=mixture)
        assignment: Assignment = answer.value
        return assignment

    async def execute(self, round: Round, assignment: Assignment) -> AsyncIterator[Ballot]:
        """Run the calls; what a failing executor leaves open goes to the local one."""
        answer = self._host.hook.swarmloom_execute(round=round, assignment=assignment)
        open_calls = assignment.expert.copy()
        row_of = {task.id: row for row, task in enumerate(round.tasks)}
        # The local executor keeps to the limit itself, and says which calls it has cost.
        limit = None if math.isinf(round.seconds_left) else round.seconds_left + _GRACE
        failed = False
        try:
            async with asyncio.timeout(limit):
                async for ballot in answer.value:
                    _check_ballot(ballot, row_of, open_calls)
                    open_calls[row_of[ballot.task]] = -1
                    yield ballot
        except TimeoutError:
            return
        except Exception as error:  # A third party's executor may raise anything.
            self._host.fail(answer.plugin, "swarmloom_execute", error)
            failed = True
        if failed and (open_calls >= 0).any():
            async for ballot in self._executor.execute(round, Assignment(open_calls)):
                yield ballot

    def judge(self, round: Round) -> Sequence[Verdict]:
        """Ask for the verdicts; the kernel's majority always answers."""
        answer = self._host.hook.swarmloom_judge(round=round)
        verdicts: Sequence[Verdict] = answer.value
        return verdicts

    def audit(self, outcomes: Sequence[Outcome], experts: int) -> Sequence[Sequence[int]]:
        """Ask whose further answers to graded tasks are worth buying."""
        answer = self._host.hook.swarmloom_audit(outcomes=outcomes)
        if answer is None:
            return [()] * len(outcomes)
        wanted: Sequence[Sequence[int]] = answer.value
        if all(0 <= expert < experts for named in wanted for expert in named):
            return wanted
        error = InputError(f"audit names experts outside 0…{experts - 1}: {wanted}")
        self._host.fail(answer.plugin, "swarmloom_audit", error)
        return [()] * len(outcomes)

    def evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Let every protocol learn."""
        self._host.hook.swarmloom_evolve(outcomes=outcomes)


def _check_admitted(value: Any, arguments: Mapping[str, Any]) -> None:
    shape = arguments["round"].allowed.shape
    if not isinstance(value, np.ndarray) or value.dtype != np.bool_ or value.shape != shape:
        raise InputError(f"admit must return bool of shape {shape} (tasks × experts), or None")


def _check_correlation(value: Correlation, arguments: Mapping[str, Any]) -> None:
    experts = len(arguments["round"].experts)
    if np.shape(value.draws) != (experts,) or not np.isfinite(value.draws).all():
        raise InputError(f"draws must be {experts} finite numbers, one an expert")


def _check_navigation(value: Any, arguments: Mapping[str, Any]) -> None:
    check_proposal(value, arguments["round"].allowed.shape)


def _check_assignment(value: Assignment, arguments: Mapping[str, Any]) -> None:
    round: Round = arguments["round"]
    n_tasks, n_experts = round.allowed.shape
    chosen = value.expert
    if not isinstance(chosen, np.ndarray):
        raise InputError(f"an assignment needs an array, not {type(chosen).__name__}")
    if chosen.shape != (n_tasks,) or chosen.dtype.kind != "i":
        raise InputError(
            f"an assignment needs {n_tasks} integers, got {chosen.dtype}{chosen.shape}"
        )
    if chosen.size and (chosen.min() < -1 or chosen.max() >= n_experts):
        raise InputError(f"expert indices must lie in −1…{n_experts - 1}")
    rows = np.flatnonzero(chosen >= 0)
    if not round.allowed[rows, chosen[rows]].all():
        raise InputError("the assignment gives a task to an expert that is not allowed to take it")
    load = np.bincount(chosen[rows], minlength=n_experts) + round.in_flight
    capacity = np.array([expert.capacity for expert in round.experts])
    if (load > capacity).any():
        name = round.experts[int(np.argmax(load - capacity))].name
        raise InputError(f"the assignment gives expert {name!r} more calls than its capacity")
    if not len(rows) and (round.allowed & (capacity > round.in_flight)).any():
        raise InputError("the assignment gives nobody anything, though there are experts to ask")


def _check_verdicts(value: Sequence[Verdict], arguments: Mapping[str, Any]) -> None:
    tasks = arguments["round"].tasks
    if [verdict.task for verdict in value] != [task.id for task in tasks]:
        raise InputError("judge must return one verdict for each task of the round, in order")
    experts = len(arguments["round"].experts)
    for verdict in value:
        if verdict.answer is not None and not isinstance(verdict.answer, str):
            raise InputError(f"the answer to task {verdict.task!r} is no string")
        if not all(0 <= expert < experts for expert in verdict.ask):
            raise InputError(f"the verdict on task {verdict.task!r} asks experts {verdict.ask}")
        probabilities = list(verdict.posterior.values())
        if not all(0.0 <= p <= 1.0 for p in probabilities) or sum(probabilities) > 1.0 + 1e-6:
            raise InputError(f"the posterior of task {verdict.task!r} is no distribution")


def _check_audit(value: Sequence[Sequence[int]], arguments: Mapping[str, Any]) -> None:
    if len(value) != len(arguments["outcomes"]):
        raise InputError("audit must return one list of experts for each outcome")
    if not all(isinstance(expert, (int, np.integer)) for named in value for expert in named):
        raise InputError("audit must name experts by their indices")


def _check_ballot(ballot: Ballot, row_of: Mapping[str, int], open_calls: IntArray) -> None:
    row = row_of.get(ballot.task, -1)
    if row < 0 or open_calls[row] != ballot.expert:
        raise InputError(
            f"a ballot of expert {ballot.expert} on task {ballot.task!r} was not asked for"
        )
    if not all(math.isfinite(value) and value >= 0 for value in (ballot.cost, ballot.latency)):
        raise InputError(f"a ballot on task {ballot.task!r} has no finite cost and latency ≥ 0")
    if ballot.answer is not None and not isinstance(ballot.answer, str):
        raise InputError(f"a ballot on task {ballot.task!r} has an answer that is no string")


def validators() -> dict[str, Callable[[Any, Mapping[str, Any]], None]]:
    """Give the check of each hook's result; a result that fails counts as the plugin's failure."""
    return {
        "swarmloom_admit": _check_admitted,
        "swarmloom_entangle": _check_correlation,
        "swarmloom_navigate": _check_navigation,
        "swarmloom_decide": _check_assignment,
        "swarmloom_judge": _check_verdicts,
        "swarmloom_audit": _check_audit,
    }
