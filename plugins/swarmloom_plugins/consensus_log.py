"""What the consensus protocol remembers of finished tasks, for those who ask why."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from swarmloom.errors import InputError
from swarmloom.types import Float64Array, IntArray, Outcome
from swarmloom_plugins.consensus_ballots import Said
from swarmloom_protocols.checks import whole

__all__ = ["Decided", "Decisions", "Votes"]

_DECISIONS_KEPT = 256
_VOTES_KEPT = 2000
_NONE = -1


@dataclass(frozen=True, slots=True)
class Decided:
    """Why a task was decided as it was.

    Attributes
    ----------
    outcome : Outcome
    said : Said
    voices : ndarray of float64, shape (ballots,)
        What each ballot counted for.
    """

    outcome: Outcome
    said: Said
    voices: Float64Array

    @property
    def split(self) -> bool:
        """Whether two experts gave different answers."""
        return len(self.said.distinct) > 1

    def told(self, names: Sequence[str]) -> dict[str, Any]:
        """Tell it, JSON-ready.

        Parameters
        ----------
        names : sequence of str
            The experts' names.
        """
        outcome, said = self.outcome, self.said
        return {
            "task": outcome.task.id,
            "question": outcome.task.prompt,
            "topic": outcome.task.topic,
            "verdict": outcome.verdict.answer,
            "posterior": {a: round(p, 4) for a, p in outcome.verdict.posterior.items()},
            "truth": outcome.truth,
            "ballots": [
                self._ballot(row, names) for row in range(len(said.experts)) if not said.audit[row]
            ],
        }

    def _ballot(self, row: int, names: Sequence[str]) -> dict[str, Any]:
        code, ballot = int(self.said.answers[row]), self.outcome.ballots[row]
        meant = self.said.distinct[code] if code >= 0 else None
        return {
            "expert": names[ballot.expert],
            "answer": ballot.answer,
            "weight": round(float(self.voices[row]), 4),
            "agrees": meant is not None and meant == self.outcome.verdict.answer,
            "error": ballot.error,
        }


class Decisions:
    """The last finished tasks, by id."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Decided] = OrderedDict()

    def keep(self, decided: Decided) -> None:
        """Keep one; the oldest goes."""
        self._of[decided.outcome.task.id] = decided
        if len(self._of) > _DECISIONS_KEPT:
            self._of.popitem(last=False)

    def find(self, task: str) -> Decided | None:
        """Give the decision on a task, None where it is not kept."""
        return self._of.get(task)

    def ids(self) -> list[str]:
        """List the tasks that are kept, the latest last."""
        return list(self._of)

    def splits(self, count: int) -> list[Decided]:
        """Give the latest tasks on which experts disagreed, the latest first."""
        return [one for one in reversed(self._of.values()) if one.split][:count]


class Votes:
    """The last finished tasks as a table of votes, for the audit of the crew."""

    def __init__(self) -> None:
        self._rows: deque[tuple[list[int], list[int], int, float]] = deque(maxlen=_VOTES_KEPT)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, said: Said, truth: int | None, confidence: float) -> None:
        """Add one task.

        Parameters
        ----------
        said : Said
        truth : int or None
            Number of the right answer.
        confidence : float
            Posterior of the verdict.
        """
        code = _NONE if truth is None else truth
        self._rows.append((said.experts.tolist(), said.answers.tolist(), code, confidence))

    def table(self, experts: int) -> tuple[IntArray, IntArray, Float64Array]:
        """Give the votes.

        Parameters
        ----------
        experts : int

        Returns
        -------
        votes : ndarray of int64, shape (tasks, experts)
            −1 where an expert was not asked or failed.
        truth : ndarray of int64, shape (tasks,)
            −1 where it is not known.
        confidence : ndarray of float64, shape (tasks,)
        """
        votes = np.full((len(self._rows), experts), _NONE, dtype=np.int64)
        for row, (asked, answers, _, _) in enumerate(self._rows):
            votes[row, asked] = answers
        truth = np.array([row[2] for row in self._rows], dtype=np.int64)
        return votes, truth, np.array([row[3] for row in self._rows], dtype=np.float64)

    def state(self) -> list[list[Any]]:
        """Give the table as data."""
        return [list(row) for row in self._rows]

    def restore(self, rows: Sequence[Sequence[Any]], experts: int) -> None:
        """Take back what `state` gave.

        Parameters
        ----------
        rows : sequence
        experts : int

        Raises
        ------
        InputError
            A row names an expert that there is not, or one twice, or a number of no answer.
        """
        taken = []
        for asked, answers, truth, confidence in rows:
            if len(asked) != len(answers) or not 0.0 <= float(confidence) <= 1.0:
                raise InputError(f"votes: {len(answers)} of {len(asked)} at {confidence}")
            who = [whole("votes: expert", expert, 0, experts - 1) for expert in asked]
            if len(set(who)) < len(who):
                raise InputError(f"votes: {who}; allowed: each expert once")
            said = [whole("votes: answer", answer, _NONE, len(who) - 1) for answer in answers]
            key = whole("votes: truth", truth, _NONE, len(who))
            taken.append((who, said, key, float(confidence)))
        self._rows = deque(taken, maxlen=_VOTES_KEPT)
