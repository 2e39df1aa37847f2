"""The one event stream: what is recorded, shown live and replayed on resume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from swarmloom.types import Ballot, Event, Outcome, Task, Verdict

__all__ = [
    "EventKind",
    "ballot_event",
    "ballot_from",
    "outcome_event",
    "outcome_from",
    "task_event",
    "task_from",
]


class EventKind(StrEnum):
    """Kinds of events, in the order in which a run meets them."""

    RUN_STARTED = "run_started"
    RUN_RESUMED = "run_resumed"
    TASK_OPENED = "task_opened"
    DECISION = "decision"
    BALLOT = "ballot"
    OUTCOME = "outcome"
    PLUGIN_FAILED = "plugin_failed"
    PLUGIN_QUARANTINED = "plugin_quarantined"
    PLUGIN_ENABLED = "plugin_enabled"
    PLUGIN_DISABLED = "plugin_disabled"
    MIXTURE_CHANGED = "mixture_changed"
    BUDGET_EXHAUSTED = "budget_exhausted"
    RUN_FINISHED = "run_finished"


def task_event(task: Task) -> Event:
    """Record what a task asks."""
    data = {
        "prompt": task.prompt,
        "topic": task.topic,
        "options": task.options,
        "demands": sorted(task.demands),
        "deadline": task.deadline,
        "quorum": task.quorum,
    }
    return Event(EventKind.TASK_OPENED, data, task.id)


def task_from(event: Event) -> Task:
    """Rebuild the recorded part of a task; its payload is not recorded."""
    data = dict(event.data)
    return Task(id=event.task, demands=frozenset(data.pop("demands")), **data)


def ballot_event(ballot: Ballot, expert_name: str) -> Event:
    """Record one answer, or one failure."""
    data = {
        "expert": expert_name,
        "index": ballot.expert,
        "answer": ballot.answer,
        "cost": ballot.cost,
        "latency": ballot.latency,
        "tokens": ballot.tokens,
        "error": ballot.error,
        "audit": ballot.audit,
    }
    return Event(EventKind.BALLOT, data, ballot.task)


def ballot_from(event: Event, index_of: Mapping[str, int]) -> Ballot:
    """Rebuild a ballot; its expert is found by name, so experts may have moved."""
    data = {key: value for key, value in event.data.items() if key not in ("expert", "index")}
    return Ballot(task=event.task, expert=index_of[event.data["expert"]], **data)


def outcome_event(outcome: Outcome, stop_reason: str) -> Event:
    """Record what came of a task."""
    data = {
        "answer": outcome.verdict.answer,
        "posterior": dict(outcome.verdict.posterior),
        "truth": outcome.truth,
        "cost": outcome.cost,
        "latency": outcome.latency,
        "stop_reason": stop_reason,
    }
    return Event(EventKind.OUTCOME, data, outcome.task.id)


def outcome_from(event: Event, task: Task, ballots: Sequence[Ballot]) -> Outcome:
    """Rebuild an outcome from its event, its task and its ballots in order."""
    data: Mapping[str, Any] = event.data
    return Outcome(
        task=task,
        verdict=Verdict(task.id, data["answer"], data["posterior"]),
        ballots=tuple(ballots),
        truth=data["truth"],
        cost=data["cost"],
        latency=data["latency"],
    )
