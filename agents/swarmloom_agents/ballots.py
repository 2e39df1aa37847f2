"""Ballots of agents on one task, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CrewBallot", "CrewVerdict", "Vote"]

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
        if self.answer is None:
            failures = "; ".join(f"{b.agent}: {b.error or 'no answer'}" for b in self.ballots)
            return f"Nobody gave an answer ({failures})."
        ranked = sorted(self.posterior.items(), key=lambda item: -item[1])
        said = "; ".join(f"{_short(answer)} with {chance:.2f}" for answer, chance in ranked)
        others = len(self.ballots)
        return f"The crew is not certain enough. Answers of {others} agents by probability: {said}."


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote as it stands.

    Attributes
    ----------
    answer : str or None
    posterior : dict of str to float
        By the wording that stands for each class of equal answers.
    weights : dict of int to float
        Of those who were asked.
    certain, enough : bool
        Whether the wanted certainty is reached; whether to stop asking.
    next : int
        Whom to ask next, −1 for nobody.
    """

    answer: str | None
    posterior: dict[str, float]
    weights: dict[int, float]
    certain: bool
    next: int

    @property
    def enough(self) -> bool:
        """Whether to stop asking."""
        return self.answer is not None and self.certain

    @classmethod
    def of(
        cls,
        *,
        said: Mapping[int, str | None],
        codes: Mapping[int, int],
        posterior: Mapping[int, float],
        weights: dict[int, float],
        author: int,
        certainty: float | None,
        following: int,
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
        weights : dict of int to float
        author : int
            Whose wording is kept where it agrees with the verdict.
        certainty : float or None
            Wanted; None: certain as soon as nobody is to be asked next.
        following : int
            Whom to ask next, −1 for nobody.
        """
        wording = _wordings(said, codes, author)
        by_text = {wording[code]: chance for code, chance in posterior.items()}
        best = max(by_text, key=lambda text: by_text[text], default=None)
        chance = 0.0 if best is None else by_text[best]
        certain = following < 0 if certainty is None else chance >= certainty
        return cls(best, by_text, weights, certain, following)


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
