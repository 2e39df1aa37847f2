"""What the ledger tells about a run: one line of `swarmloom runs`, or the whole of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from swarmloom.events import PLUGIN_EMITTED, EventKind, task_from
from swarmloom.types import Event, Task

__all__ = ["RunRecord", "RunView", "budget_limit", "solver_counts", "view_of", "warning_texts"]

_PLUGIN_KINDS = frozenset(
    {
        EventKind.PLUGIN_FAILED,
        EventKind.PLUGIN_QUARANTINED,
        EventKind.PLUGIN_ENABLED,
        EventKind.PLUGIN_DISABLED,
    }
)

# What else plugins emit are notices; their warnings are told apart.
_NO_NOTICES = frozenset(EventKind) - PLUGIN_EMITTED | {EventKind.WARNING, EventKind.WARNING_OVER}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run in one line.

    Attributes
    ----------
    id : str
        Its name in the ledger.
    started : float
        Seconds since the epoch.
    status : str
        "running" (a living process works on it), "interrupted" (it can be resumed) or "finished".
    tasks, finished : int
        Tasks opened so far, and those with an outcome.
    calls : int
        Answers bought, failed ones included.
    cost : float
        What they cost, in the unit of the experts' prices.
    job : mapping
        The command that started it (``argv``, ``cwd``); empty when none did.
    """

    id: str
    started: float
    status: str
    tasks: int
    finished: int
    calls: int
    cost: float
    job: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as a whole, read from its events.

    Attributes
    ----------
    record : RunRecord
        The run in one line; `id`, `calls` and `cost` are its.
    seed : int
        The run's seed.
    pattern : str
        The pattern it started with.
    settings : mapping
        The effective settings it started with.
    experts : tuple of mapping
        ``name``, ``price``, ``model``, ``skills`` of each, in the swarm's order.
    tasks : mapping of str to Task
        Tasks opened so far by id, payloads left out.
    decisions, ballots, outcomes : tuple of Event
        In the order of recording; `swarmloom.events` says what each holds.
    shares : mapping of str to float
        Each protocol's mean share in the decisions.
    seconds : float
        Time spent on it, breaks between its parts left out.
    plugins : tuple of Event
        Plugins that failed, were quarantined, enabled or disabled.
    mixtures : tuple of Event
        Changes of the mixture.
    warnings : tuple of Event
        What plugins warned of, once each, and have not taken back since.
    notices : tuple of Event
        Events of the kinds that plugins emit: those of landscapes, and third parties' own.
    """

    record: RunRecord
    seed: int
    pattern: str
    settings: Mapping[str, Any]
    experts: tuple[Mapping[str, Any], ...]
    tasks: Mapping[str, Task]
    decisions: tuple[Event, ...]
    ballots: tuple[Event, ...]
    outcomes: tuple[Event, ...]
    shares: Mapping[str, float]
    seconds: float
    plugins: tuple[Event, ...]
    mixtures: tuple[Event, ...]
    warnings: tuple[Event, ...] = ()
    notices: tuple[Event, ...] = ()

    @property
    def id(self) -> str:
        """The run's name in the ledger."""
        return self.record.id

    @property
    def calls(self) -> int:
        """Answers bought, failed ones included."""
        return self.record.calls

    @property
    def cost(self) -> float:
        """What they cost, in the unit of the experts' prices."""
        return self.record.cost


def view_of(record: RunRecord, events: Iterable[Event]) -> RunView:
    """Gather a run's events.

    Parameters
    ----------
    record : RunRecord
    events : iterable of Event
        All events of the run, in order.

    Returns
    -------
    RunView
    """
    ordered = list(events)
    start = next((e.data for e in ordered if e.kind == EventKind.RUN_STARTED), {})
    decisions = _only(ordered, EventKind.DECISION)
    return RunView(
        record=record,
        seed=start.get("seed", 0),
        pattern=start.get("pattern", ""),
        settings=start.get("settings", {}),
        experts=tuple(start.get("experts", ())),
        tasks={e.task: task_from(e) for e in _only(ordered, EventKind.TASK_OPENED)},
        decisions=decisions,
        ballots=_only(ordered, EventKind.BALLOT),
        outcomes=_only(ordered, EventKind.OUTCOME),
        shares=_mean_shares(decisions),
        seconds=_seconds(ordered),
        plugins=tuple(e for e in ordered if e.kind in _PLUGIN_KINDS),
        mixtures=_only(ordered, EventKind.MIXTURE_CHANGED),
        warnings=_standing_warnings(ordered),
        notices=tuple(e for e in ordered if e.kind not in _NO_NOTICES),
    )


def solver_counts(decisions: Iterable[Event]) -> dict[str, int]:
    """Count the decisions of each solver, the busiest first.

    Parameters
    ----------
    decisions : iterable of Event
        Of the kind ``decision``.
    """
    return dict(Counter(event.data["solver"] for event in decisions).most_common())


def budget_limit(outcomes: Iterable[Event]) -> str:
    """Name the limit of the budget that ended a task: "calls", "cost" or "seconds"; "" for none.

    Parameters
    ----------
    outcomes : iterable of Event
        Of the kind ``outcome``.
    """
    reasons = (str(event.data["stop_reason"]).partition("budget: ") for event in outcomes)
    return next((limit for _, found, limit in reasons if found), "")


def warning_texts(events: Iterable[Event]) -> list[str]:
    """Write each warning as a line that says who warns.

    Parameters
    ----------
    events : iterable of Event
        Of the kind ``warning``; where there are some of the kind ``warning_over``, what they take
        back is left out.
    """
    return [": ".join(_warning_key(event)) for event in _standing_warnings(events)]


def _standing_warnings(events: Iterable[Event]) -> tuple[Event, ...]:
    standing: list[Event] = []
    for event in events:
        if event.kind == EventKind.WARNING:
            standing.append(event)
        elif event.kind == EventKind.WARNING_OVER:
            standing = [one for one in standing if _warning_key(one) != _warning_key(event)]
    return tuple(standing)


def _warning_key(event: Event) -> tuple[str, str]:
    return str(event.data.get("plugin", "")), str(event.data.get("message", ""))


def _only(events: Iterable[Event], kind: EventKind) -> tuple[Event, ...]:
    return tuple(event for event in events if event.kind == kind)


def _mean_shares(decisions: Iterable[Event]) -> dict[str, float]:
    given = [event.data["shares"] for event in decisions if event.data["shares"]]
    names = sorted({name for shares in given for name in shares})
    return {name: sum(s.get(name, 0.0) for s in given) / len(given) for name in names}


def _seconds(events: Iterable[Event]) -> float:
    """Sum the time from event to event; a part that resumes the run starts the clock anew."""
    total, last = 0.0, None
    for event in events:
        if last is not None and event.kind != EventKind.RUN_RESUMED:
            total += max(event.time - last, 0.0)
        last = event.time
    return total
