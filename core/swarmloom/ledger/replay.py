"""What a run had come to when it stopped, rebuilt from its events."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from swarmloom.errors import InputError
from swarmloom.events import EventKind, ballot_from, outcome_from, task_from, verdict_from
from swarmloom.types import Ballot, Event, Outcome, Task, Verdict

__all__ = ["ReplayState", "replay"]


@dataclass(slots=True)
class ReplayState:
    """Where a run stands.

    Attributes
    ----------
    opened : dict of str to Task
        Tasks opened, by id; payloads are not on record.
    batches : list of list of Outcome
        Finished tasks in order, those that were learned from together in one list.
    ballots : list of Ballot
        All answers bought, in order of arrival.
    open_ballots : dict of str to list of Ballot
        Answers to tasks without an outcome, in order of arrival.
    pending : dict of str to int
        For tasks without an outcome: the expert that the last decision chose and whose answer has
        not arrived.
    verdicts : dict of str to Verdict
        For tasks without an outcome: the last verdict.
    unjudged : set of str
        Tasks whose last decision was followed by no verdict: their round was interrupted.
    next_round : int
        Number of the next round.
    share_totals : dict of str to float
        Sum of each protocol's shares over the decisions.
    decisions : int
        Decisions with shares.
    changes : dict of int to list of Event
        What was switched while the run was on, by the number of batches before it.
    elapsed : float
        Seconds that its parts have taken so far.
    """

    opened: dict[str, Task] = field(default_factory=dict)
    batches: list[list[Outcome]] = field(default_factory=list)
    ballots: list[Ballot] = field(default_factory=list)
    open_ballots: dict[str, list[Ballot]] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    unjudged: set[str] = field(default_factory=set)
    next_round: int = 0
    share_totals: dict[str, float] = field(default_factory=dict)
    decisions: int = 0
    changes: dict[int, list[Event]] = field(default_factory=dict)
    elapsed: float = 0.0

    @property
    def outcomes(self) -> list[Outcome]:
        """Finished tasks, in order."""
        return [outcome for batch in self.batches for outcome in batch]

    @property
    def finished(self) -> frozenset[str]:
        """Ids of the finished tasks."""
        return frozenset(outcome.task.id for outcome in self.outcomes)

    @property
    def calls(self) -> int:
        """Answers bought, failed ones included."""
        return len(self.ballots)

    @property
    def cost(self) -> float:
        """What they cost."""
        return sum(ballot.cost for ballot in self.ballots)


_STARTS = (EventKind.RUN_STARTED, EventKind.RUN_RESUMED)
_CHANGES = (
    EventKind.MIXTURE_CHANGED,
    EventKind.PLUGIN_ENABLED,
    EventKind.PLUGIN_DISABLED,
    EventKind.EXPERT_FAILED,
    EventKind.EXPERT_RESTORED,
    EventKind.CONSTRAINT_SET,
)


def replay(events: Iterable[Event], index_of: Mapping[str, int]) -> ReplayState:
    """Rebuild where a run stands.

    Parameters
    ----------
    events : iterable of Event
        All events of the run, in order.
    index_of : mapping of str to int
        Index of each expert of the swarm that goes on with the run, by name.

    Returns
    -------
    ReplayState

    Raises
    ------
    InputError
        If the run has asked an expert that the swarm lacks.
    """
    state = ReplayState()
    last_kind, last_time = "", math.inf
    for event in events:
        if event.kind not in _STARTS:
            state.elapsed += max(0.0, event.time - last_time)
        last_time = event.time
        if event.kind in _CHANGES:
            state.changes.setdefault(len(state.batches), []).append(event)
        elif event.kind == EventKind.OUTCOME:
            _take_outcome(state, event, same_batch=last_kind == EventKind.OUTCOME)
        elif event.kind == EventKind.TASK_OPENED:
            state.opened[event.task] = task_from(event)
        elif event.kind == EventKind.DECISION:
            _take_decision(state, event, index_of)
        elif event.kind == EventKind.BALLOT:
            _take_ballot(state, event, index_of)
        elif event.kind == EventKind.VERDICT:
            state.verdicts[event.task] = verdict_from(event, index_of)
            state.unjudged.discard(event.task)
        last_kind = event.kind
    return state


def _take_decision(state: ReplayState, event: Event, index_of: Mapping[str, int]) -> None:
    state.pending[event.task] = _index(event, index_of)
    state.unjudged.add(event.task)
    state.next_round = max(state.next_round, event.data["round"] + 1)
    for name, share in event.data["shares"].items():
        state.share_totals[name] = state.share_totals.get(name, 0.0) + share
    state.decisions += bool(event.data["shares"])


def _take_ballot(state: ReplayState, event: Event, index_of: Mapping[str, int]) -> None:
    _index(event, index_of)
    ballot = ballot_from(event, index_of)
    state.ballots.append(ballot)
    state.open_ballots.setdefault(event.task, []).append(ballot)
    if not ballot.audit:
        state.pending.pop(event.task, None)


def _take_outcome(state: ReplayState, event: Event, *, same_batch: bool) -> None:
    ballots = state.open_ballots.pop(event.task, [])
    state.pending.pop(event.task, None)
    state.verdicts.pop(event.task, None)
    state.unjudged.discard(event.task)
    outcome = outcome_from(event, state.opened[event.task], ballots)
    if same_batch:
        state.batches[-1].append(outcome)
    else:
        state.batches.append([outcome])


def _index(event: Event, index_of: Mapping[str, int]) -> int:
    name = event.data["expert"]
    if name not in index_of:
        raise InputError(
            f"the run has asked expert {name!r}, which this swarm lacks; "
            f"it has: {', '.join(index_of) or 'none'}"
        )
    return index_of[name]
