"""What both methods of the consensus protocol can do, and what they are told of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from swarmloom.backtest.answers import AnswerTable
from swarmloom.types import BoolArray, Float64Array, IntArray
from swarmloom_plugins.consensus_ballots import Said
from swarmloom_plugins.consensus_notices import Notice

__all__ = ["Crew", "Method", "Question", "clipped"]


@dataclass(frozen=True, slots=True)
class Crew:
    """The experts as a method sees them.

    Attributes
    ----------
    names : tuple of str
    prices : tuple of float
        As declared.
    groups : ndarray of int64, shape (experts,)
        Experts of one model have the same number.
    seed : int
    skills : tuple of frozenset of str
        What each can do; an empty set for anything.
    retries : int
        Failures of one task beyond which the kernel gives it up.
    """

    names: tuple[str, ...]
    prices: tuple[float, ...]
    groups: IntArray
    seed: int
    skills: tuple[frozenset[str], ...] = ()
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """A task and what was said on it.

    Attributes
    ----------
    task : str
        The task's id.
    topic : str
    options : int or None
    said : Said
    demands : frozenset of str
        Skills that it takes.
    quorum : int or None
        Answers that it ends at.
    """

    task: str
    topic: str
    options: int | None
    said: Said
    demands: frozenset[str] = frozenset()
    quorum: int | None = None

    @property
    def asked(self) -> int:
        """How many were asked, failures included."""
        return len(self.said.experts)


class Method(Protocol):
    """One way to weigh answers, to choose whom to ask, and to learn."""

    def affinity(self, question: Question, allowed: BoolArray) -> Float64Array:
        """Give the log-odds that each expert should be asked next, shape (experts,)."""

    def posterior(self, question: Question) -> Float64Array:
        """Give the probability of each distinct answer, shape (answers,)."""

    def enough(
        self, question: Question, allowed: BoolArray, chance: float, certainty: float | None
    ) -> bool:
        """Say whether the best answer, right with this chance, is certain enough.

        Without a certainty: whether no further answer is worth its price.
        """

    def silent(self, question: Question) -> BoolArray:
        """Tell whose model has not answered yet, shape (experts,)."""

    def is_survey(self, question: Question) -> bool:
        """Say whether all are to answer, however certain the first ones are."""

    def next_audit(self, asked: IntArray, owed: float) -> int:
        """Name the expert whose answer to a graded task teaches most, −1 for none."""

    def learn(self, question: Question, truth: int | None) -> None:
        """Learn from a finished task; the truth is the number of the right answer."""

    def study(self, table: AnswerTable) -> None:
        """Learn from recorded answers beforehand; the table's columns are the experts."""

    def voices(self, question: Question) -> Float64Array:
        """Give what each ballot counts for on its own, shape (ballots,); 0 for failures."""

    def landscape(self) -> Float64Array:
        """Give the trust in each expert by topic, shape (experts, topics)."""

    def rows(self) -> list[dict[str, Any]]:
        """Tell what is known of each expert, JSON-ready."""

    def totals(self) -> dict[str, Any]:
        """Tell what is known of the crew as a whole, JSON-ready."""

    def warnings(self) -> list[Notice]:
        """Tell what the verdicts may suffer from."""

    def state(self) -> dict[str, Any]:
        """Give all that was learned."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave; a method that fails at it is not used any more."""

    def unlike(self) -> str:
        """Name what the crew has otherwise than the one whose state was restored; "" for nothing.

        A method that says so is not used any more.
        """


def clipped(log_odds: Float64Array, reach: float) -> Float64Array:
    """Put the best at 0 and the others behind it, by `reach` at most.

    Parameters
    ----------
    log_odds : ndarray of float64, shape (experts,)
        −inf for those who should not be asked.
    reach : float

    Returns
    -------
    ndarray of float64, shape (experts,)
        All 0 where nobody is to be preferred.
    """
    best = log_odds.max(initial=-np.inf)
    if not np.isfinite(best):
        return np.zeros(len(log_odds))
    behind: Float64Array = np.maximum(log_odds - best, -reach)
    return behind
