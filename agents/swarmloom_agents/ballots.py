"""Ballots of agents on one task, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FEWEST_VOICES", "CrewBallot", "CrewVerdict", "Vote"]

# The posterior of a single answer says what is thought of its agent, not of the answer.
FEWEST_VOICES = 2
_ROUNDING = 1e-9
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


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote as it stands.

    Attributes
    ----------
    answer : str or None
    posterior : dict of str to float
        By the wording that stands for each class of equal answers.
    given : int
        How many agents gave an answer.
    voices : int
        How many models they are.
    """

    answer: str | None
    posterior: dict[str, float]
    given: int
    voices: int

    @classmethod
    def of(
        cls,
        said: Mapping[int, str | None],
        codes: Mapping[int, int],
        posterior: Mapping[int, float],
        groups: Mapping[int, int],
        author: int,
    ) -> Vote:
        """Put a vote into words.

        Parameters
        ----------
        said : mapping of int to str or None
            What each agent said, by row.
        codes : mapping of int to int
            Class of each answer, −1 for none.
        posterior : mapping of int to float
            By class.
        groups : mapping of int to int
            Each agent's model.
        author : int
            Whose wording is kept where it agrees with the verdict.
        """
        wording = _wordings(said, codes, author)
        by_text = {wording[code]: chance for code, chance in posterior.items()}
        best = max(by_text, key=lambda text: by_text[text], default=None)
        answered = [row for row, code in codes.items() if code >= 0]
        return cls(best, by_text, len(answered), len({groups[row] for row in answered}))

    def reaches(self, certainty: float | None) -> bool:
        """Say whether the best answer is certain: two models spoke, it is ahead and likely enough.

        Parameters
        ----------
        certainty : float or None
            The probability from which it is.
        """
        if self.answer is None or self.voices < FEWEST_VOICES:
            return False
        first, second = sorted((*self.posterior.values(), 0.0), reverse=True)[:2]
        return first > second + _ROUNDING and (certainty is None or first >= certainty)


def _wordings(
    said: Mapping[int, str | None], codes: Mapping[int, int], author: int
) -> dict[int, str]:
    """Choose each class's most frequent wording, the author's own where it is of the class."""
    counts: dict[int, Counter[str]] = {}
    for row, text in said.items():
        if text is not None and codes[row] >= 0:
            counts.setdefault(codes[row], Counter())[text] += 1
    chosen = {code: texts.most_common(1)[0][0] for code, texts in counts.items()}
    own = said.get(author)
    if own is not None and codes[author] >= 0:
        chosen[codes[author]] = own
    return chosen


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…")
