"""How certain and how dear the answer to a task may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from swarmloom.errors import InputError
from swarmloom.events import EventKind
from swarmloom.types import Ballot, BoolArray, Event, Float64Array

__all__ = ["AskLimits", "Asked", "Limits"]

# Prices are means of measured costs.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class AskLimits:
    """Limits of one task.

    Attributes
    ----------
    certainty : float or None
        Posterior at which it is done; None: as for all tasks.
    cost : float or None
        What its answers may cost together, by the experts' prices.
    """

    certainty: float | None = None
    cost: float | None = None


@dataclass(slots=True)
class Asked:
    """What came of a task so far.

    Attributes
    ----------
    ballots : list of dict
        As their events hold them.
    answer : str or None
        Of the last verdict.
    posterior : dict of str to float
        Of the last verdict.
    stop_reason : str
        Why it ended; "" while it is open.
    skipped : tuple of str
        Experts that a survey did not wait for, because they were at work.
    """

    ballots: list[dict[str, Any]] = field(default_factory=list)
    answer: str | None = None
    posterior: dict[str, float] = field(default_factory=dict)
    stop_reason: str = ""
    skipped: tuple[str, ...] = ()


class Limits:
    """Limits of all tasks and of single ones.

    Parameters
    ----------
    certainty : float or None
        Posterior at which a task is done; None: by the value of another answer.

    Attributes
    ----------
    changed : bool
        Whether the certainty was changed since.
    """

    def __init__(self, certainty: float | None) -> None:
        self.certainty = certainty
        self.changed = False
        self._of: dict[str, AskLimits] = {}
        self._asked: dict[str, Asked] = {}

    def change(self, certainty: float | None) -> None:
        """Want another certainty of all tasks than the configured one.

        Raises
        ------
        InputError
            If it is neither None nor from 0 to 1.
        """
        if certainty is not None and (isinstance(certainty, bool) or not 0.0 <= certainty <= 1.0):
            raise InputError(f"certainty is {certainty}; allowed: 0 to 1, or none")
        self.certainty, self.changed = certainty, True

    @contextmanager
    def limited(self, task: str, limits: AskLimits) -> Iterator[Asked]:
        """Set limits to one task while the block is open, and note what comes of it."""
        self._of[task], self._asked[task] = limits, Asked()
        try:
            yield self._asked[task]
        finally:
            del self._of[task], self._asked[task]

    def hear(self, event: Event) -> None:
        """Note an event where it is about a task with limits of its own."""
        asked = self._asked.get(event.task)
        if asked is None:
            return
        if event.kind == EventKind.BALLOT:
            asked.ballots.append(dict(event.data))
        elif event.kind in (EventKind.VERDICT, EventKind.OUTCOME):
            asked.answer, asked.posterior = event.data["answer"], dict(event.data["posterior"])
            asked.stop_reason = event.data.get("stop_reason", "")

    def is_own(self, task: str) -> bool:
        """Say whether the task has limits of its own, for which somebody waits."""
        return task in self._of

    def skip(self, task: str, experts: Iterable[str]) -> None:
        """Note whom a task with limits of its own did not wait for."""
        self._asked[task].skipped = tuple(experts)

    def certainty_of(self, task: str) -> float | None:
        """Give the certainty wanted of a task; None by value."""
        own = self._of.get(task)
        return self.certainty if own is None or own.certainty is None else own.certainty

    def affordable(
        self, task: str, ballots: Sequence[Ballot], allowed: BoolArray, prices: Float64Array
    ) -> BoolArray:
        """Tell whose answer the task's own limit on cost allows, shape (experts,).

        Parameters
        ----------
        task : str
        ballots : sequence of Ballot
            What was spent already.
        allowed : ndarray of bool, shape (experts,)
            Returned itself where the task has no such limit.
        prices : ndarray of float64, shape (experts,)
        """
        own = self._of.get(task)
        if own is None or own.cost is None:
            return allowed
        left = own.cost - sum(ballot.cost for ballot in ballots)
        free: BoolArray = allowed & (prices <= left + _ROUNDING)
        return free
