"""The one event stream: what is recorded, shown live and replayed on resume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from swarmloom.types import Ballot, Event, Outcome, Task, Verdict

__all__ = [
    "PLUGIN_EMITTED",
    "EventKind",
    "ballot_event",
    "ballot_from",
    "outcome_event",
    "outcome_from",
    "task_event",
    "task_from",
    "verdict_event",
    "verdict_from",
]


class EventKind(StrEnum):
    """Kinds of events, in the order in which a run meets them."""

    RUN_STARTED = "run_started"
    RUN_RESUMED = "run_resumed"
    TASK_OPENED = "task_opened"
    DECISION = "decision"
    BALLOT = "ballot"
    VERDICT = "verdict"
    OUTCOME = "outcome"
    PLUGIN_FAILED = "plugin_failed"
    PLUGIN_QUARANTINED = "plugin_quarantined"
    PLUGIN_ENABLED = "plugin_enabled"
    PLUGIN_DISABLED = "plugin_disabled"
    MIXTURE_CHANGED = "mixture_changed"
    EXPERT_FAILED = "expert_failed"
    EXPERT_RESTORED = "expert_restored"
    CONSTRAINT_SET = "constraint_set"
    BUDGET_EXHAUSTED = "budget_exhausted"
    WARNING = "warning"
    WARNING_OVER = "warning_over"
    CONSENSUS_REACHED = "consensus_reached"
    OPINION_CONVERGENCE = "opinion_convergence"
    ATTRACTOR_FORMATION = "attractor_formation"
    BIFURCATION_DETECTED = "bifurcation_detected"
    CHAOTIC_REGIME_ENTERED = "chaotic_regime_entered"
    EMERGENT_ALLOCATION = "emergent_allocation"
    RUN_FINISHED = "run_finished"


PLUGIN_EMITTED = frozenset(
    {
        EventKind.EXPERT_FAILED,
        EventKind.EXPERT_RESTORED,
        EventKind.CONSTRAINT_SET,
        EventKind.WARNING,
        EventKind.WARNING_OVER,
        EventKind.CONSENSUS_REACHED,
        EventKind.OPINION_CONVERGENCE,
        EventKind.ATTRACTOR_FORMATION,
        EventKind.BIFURCATION_DETECTED,
        EventKind.CHAOTIC_REGIME_ENTERED,
        EventKind.EMERGENT_ALLOCATION,
    }
)
"""Kinds that plugins may emit, besides names of their own; the others are the kernel's."""


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


def verdict_event(verdict: Verdict, expert_names: Sequence[str]) -> Event:
    """Record a verdict that lets its task go on; a final one is in the outcome."""
    data = {
        "answer": verdict.answer,
        "posterior": _numbers(verdict.posterior),
        "stop": bool(verdict.stop),
        "ask": [expert_names[index] for index in verdict.ask],
        **_wordings(verdict),
    }
    return Event(EventKind.VERDICT, data, verdict.task)


def verdict_from(event: Event, index_of: Mapping[str, int]) -> Verdict:
    """Rebuild a verdict; experts worth asking that are gone are left out."""
    data = event.data
    ask = tuple(index_of[name] for name in data["ask"] if name in index_of)
    return Verdict(
        event.task,
        data["answer"],
        data["posterior"],
        data["stop"],
        ask,
        data.get("wordings", {}),
    )


def outcome_event(outcome: Outcome, stop_reason: str) -> Event:
    """Record what came of a task."""
    data = {
        "answer": outcome.verdict.answer,
        "posterior": _numbers(outcome.verdict.posterior),
        "truth": outcome.truth,
        "cost": outcome.cost,
        "latency": outcome.latency,
        "stop_reason": stop_reason,
        **_wordings(outcome.verdict),
    }
    return Event(EventKind.OUTCOME, data, outcome.task.id)


def outcome_from(event: Event, task: Task, ballots: Sequence[Ballot]) -> Outcome:
    """Rebuild an outcome from its event, its task and its ballots in order."""
    data: Mapping[str, Any] = event.data
    return Outcome(
        task=task,
        verdict=Verdict(
            task.id, data["answer"], data["posterior"], wordings=data.get("wordings", {})
        ),
        ballots=tuple(ballots),
        truth=data["truth"],
        cost=data["cost"],
        latency=data["latency"],
    )


def _numbers(posterior: Mapping[str, float]) -> dict[str, float]:
    # A plugin's numbers may be NumPy's, which JSON does not know.
    return {answer: float(probability) for answer, probability in posterior.items()}


def _wordings(verdict: Verdict) -> dict[str, dict[str, str]]:
    # Left out where every answer was worded alike, which is the rule.
    return {"wordings": dict(verdict.wordings)} if verdict.wordings else {}
