"""Ballots of agents on one task, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CrewBallot", "CrewVerdict"]

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class CrewBallot:
    """What one agent said.

    Attributes
    ----------
    agent : str
    answer : str or None
        None where it failed or said nothing.
    weight : float
        Trust in the agent.
    error : str or None
        Why it failed.
    """

    agent: str
    answer: str | None
    weight: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CrewVerdict:
    """What a vote came to.

    Attributes
    ----------
    answer : str or None
        The best answer; None where nobody gave one.
    posterior : mapping of str to float
        Probability of each answer; what is missing to 1 is "none of them".
    ballots : tuple of CrewBallot
        In the order in which they were asked, the task's own agent first.
    certain : bool
        Whether the wanted certainty was reached.
    """

    answer: str | None
    posterior: Mapping[str, float]
    ballots: tuple[CrewBallot, ...]
    certain: bool

    @property
    def confidence(self) -> float:
        """Probability of the answer, 0 where there is none."""
        return 0.0 if self.answer is None else self.posterior[self.answer]

    def split(self) -> str:
        """Say how the crew is split, for the agent that is to do the task again."""
        given = [ballot.answer for ballot in self.ballots if ballot.answer is not None]
        failures = "; ".join(
            f"{ballot.agent}: {ballot.error or 'no answer'}"
            for ballot in self.ballots
            if ballot.answer is None
        )
        if self.answer is not None:
            return self._ranking(len(given)) + (f" No answer of {failures}." if failures else "")
        if not given:
            return f"Nobody gave an answer ({failures})."
        said = "; ".join(map(_short, given))
        return f"The equivalence takes none of the {len(given)} answers for one: {said}."

    def _ranking(self, count: int) -> str:
        ranked = sorted(self.posterior.items(), key=lambda item: -item[1])
        said = "; ".join(f"{_short(answer)} with {chance:.2f}" for answer, chance in ranked)
        agents = "1 agent" if count == 1 else f"{count} agents"
        return f"The crew is not certain enough. Answers of {agents} by probability: {said}."


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…")
