"""Tasks on their way to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from swarmloom.types import Ballot, BoolArray, Expert, Outcome, Task, Verdict

__all__ = ["OpenTask"]


@dataclass(slots=True, eq=False)
class OpenTask:
    """One task, its answers so far, and who may still be asked.

    Attributes
    ----------
    task : Task
    able, asked : ndarray of bool, shape (experts,)
        Who has the skills; who was asked already.
    ballots : list of Ballot
        In order of arrival, audits included.
    verdict : Verdict or None
        The last one.
    stop_reason : str
        Why it ended; "" while it is open.
    pending : int
        In a resumed run the expert whose answer had not arrived; −1 for none.
    unjudged : bool
        In a resumed run whether its last round has yet to be judged.
    """

    task: Task
    able: BoolArray
    asked: BoolArray
    ballots: list[Ballot] = field(default_factory=list)
    verdict: Verdict | None = None
    stop_reason: str = ""
    pending: int = -1
    unjudged: bool = False

    @classmethod
    def of(cls, task: Task, experts: Sequence[Expert]) -> OpenTask:
        """Open a task for these experts."""
        able = [not expert.skills or task.demands <= expert.skills for expert in experts]
        return cls(task, np.array(able, dtype=np.bool_), np.zeros(len(experts), dtype=np.bool_))

    def take(self, ballot: Ballot) -> None:
        """Add an answer."""
        self.ballots.append(ballot)
        self.asked[ballot.expert] = True

    @property
    def votes(self) -> tuple[Ballot, ...]:
        """Answers that count for the verdict: all but audits."""
        return tuple(ballot for ballot in self.ballots if not ballot.audit)

    @property
    def candidates(self) -> BoolArray:
        """Who may be asked next, shape (experts,)."""
        free = self.able & ~self.asked
        if self.verdict is not None and self.verdict.ask:
            preferred = np.zeros_like(free)
            preferred[list(self.verdict.ask)] = True
            return free & preferred if (free & preferred).any() else free
        return free

    def reason_to_stop(self, verdict: Verdict, elapsed: float, retries: int) -> str:
        """Say why the task ends with this verdict, "" where it goes on."""
        votes = self.votes
        answered = sum(ballot.succeeded for ballot in votes)
        if answered and verdict.stop:
            return "judged"
        if self.task.quorum is not None and answered >= self.task.quorum:
            return "quorum"
        if self.is_late(elapsed):
            return "deadline"
        if len(votes) - answered > retries:
            return "failures"
        return "" if self.candidates.any() else "everybody asked"

    def is_late(self, elapsed: float) -> bool:
        """Whether its deadline has passed."""
        return self.task.deadline is not None and elapsed >= self.task.deadline

    def outcome(self, truth: str | None) -> Outcome:
        """Give what came of it."""
        return Outcome(
            task=self.task,
            verdict=self.verdict or Verdict(self.task.id, None),
            ballots=tuple(self.ballots),
            truth=truth,
            cost=sum(ballot.cost for ballot in self.ballots),
            latency=sum(ballot.latency for ballot in self.votes),
        )
