"""Why a task went as it did: its decisions, answers and verdict, read from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from swarmloom.errors import InputError
from swarmloom.events import EventKind
from swarmloom.ledger.store import Ledger
from swarmloom.types import Event

__all__ = ["explain_task"]


def explain_task(ledger: Ledger, run: str, task: str) -> dict[str, Any]:
    """Gather what is on record about one task.

    Parameters
    ----------
    ledger : Ledger
    run : str
        The run's id.
    task : str
        The task's id.

    Returns
    -------
    dict
        JSON-ready: ``run``, ``task``, ``asked`` (what the task was), ``decisions`` (each with
        ``round``, ``solver``, ``expert``, ``protocols``, ``scores`` of the candidates, and the
        ``ballot`` that came of it, None while it has not arrived, and the ``verdict`` after it,
        None where that is the outcome's), ``audits``, ``outcome`` (None
        while there is none), ``cost`` so far. ``protocols`` holds for each protocol its ``weight``
        (times its confidence), its ``share`` in the decision and, for each candidate, what it
        ``said`` (log-odds) and what that ``weighed`` in the sum.

    Raises
    ------
    InputError
        If the run or the task is not on record; the message names the nearest.
    """
    events = list(ledger.events(run, task=task)) if task else []
    if not events:
        near = get_close_matches(task, ledger.tasks(run), n=1, cutoff=0.0)
        hint = f"; did you mean {near[0]!r}?" if near else "; it has opened none"
        raise InputError(f"run {run} has no task {task!r}{hint}")
    ballots = [event.data for event in events if event.kind == EventKind.BALLOT]
    return {
        "run": run,
        "task": task,
        "asked": _last(events, EventKind.TASK_OPENED),
        "decisions": _decisions(events),
        "audits": [dict(ballot) for ballot in ballots if ballot["audit"]],
        "outcome": _last(events, EventKind.OUTCOME),
        "cost": sum(ballot["cost"] for ballot in ballots),
    }


def _last(events: Iterable[Event], kind: EventKind) -> dict[str, Any] | None:
    found = [event.data for event in events if event.kind == kind]
    return dict(found[-1]) if found else None


def _decisions(events: Iterable[Event]) -> list[dict[str, Any]]:
    decisions: list[dict[str, Any]] = []
    for event in events:
        if event.kind == EventKind.DECISION:
            decisions.append(_decision(event.data))
        elif event.kind == EventKind.BALLOT and not event.data["audit"] and decisions:
            decisions[-1]["ballot"] = dict(event.data)
        elif event.kind == EventKind.VERDICT and decisions:
            decisions[-1]["verdict"] = dict(event.data)
    return decisions


def _decision(data: Mapping[str, Any]) -> dict[str, Any]:
    names = sorted({name for candidate in data["candidates"] for name in candidate["parts"]})
    return {
        "round": data["round"],
        "solver": data["solver"],
        "expert": data["expert"],
        "protocols": {name: _protocol(name, data) for name in names},
        "scores": {candidate["expert"]: candidate["score"] for candidate in data["candidates"]},
        "ballot": None,
        "verdict": None,
    }


def _protocol(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    weight = data["weights"].get(name, 0.0)
    weighed = {c["expert"]: c["parts"].get(name, 0.0) for c in data["candidates"]}
    return {
        "weight": weight,
        "share": data["shares"].get(name, 0.0),
        "said": {e: part / weight if weight else 0.0 for e, part in weighed.items()},
        "weighed": weighed,
    }
