"""The answers to one task as numbers: equal ones have the same, however they are worded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarmloom.types import Ballot, Float64Array, IntArray
from swarmloom_protocols.consensus.answers.question_vote import worded
from swarmloom_protocols.consensus.equivalences import AnswerClasses, Sameness
from swarmloom_protocols.consensus.panel import EMPTY

__all__ = ["Coder", "Said"]


@dataclass(frozen=True, slots=True)
class Said:
    """Who said what on one task.

    Attributes
    ----------
    experts, answers : ndarray of int64, shape (ballots,)
        Who was asked, and the number of the answer, −1 for a failure.
    costs : ndarray of float64, shape (ballots,)
    audit : ndarray of bool, shape (ballots,)
        Which were bought after the verdict.
    distinct : tuple of str
        The answers by number, each in its most frequent wording.
    wordings : dict of str to str
        Answers that were given in other words → the one in `distinct`.
    """

    experts: IntArray
    answers: IntArray
    costs: Float64Array
    audit: np.ndarray[tuple[int], np.dtype[np.bool_]]
    distinct: tuple[str, ...]
    wordings: dict[str, str]


class Coder:
    """Numbers answers in the order in which they appear.

    Parameters
    ----------
    same : callable, optional
        Gives each answer the number of its class, −1 for what is no answer; None: only the same
        text is the same answer.
    """

    def __init__(self, same: Sameness | None = None) -> None:
        self._classes = AnswerClasses(same)

    def said(self, ballots: Sequence[Ballot]) -> Said:
        """Give the answers of one task numbers.

        Parameters
        ----------
        ballots : sequence of Ballot

        Raises
        ------
        InputError
            If the equivalence gives not one number for each answer.
        """
        texts = [ballot.answer if ballot.succeeded else None for ballot in ballots]
        told = worded(texts, self._classes)
        return Said(
            experts=np.array([ballot.expert for ballot in ballots], dtype=np.int64),
            answers=told.codes,
            costs=np.array([ballot.cost for ballot in ballots], dtype=np.float64),
            audit=np.array([ballot.audit for ballot in ballots], dtype=np.bool_),
            distinct=told.distinct,
            wordings=dict(told.wordings),
        )

    def code(self, truth: str, said: Said) -> int:
        """Give the number of the right answer; one more than the last where nobody gave it.

        Parameters
        ----------
        truth : str
        said : Said
        """
        known = (*said.distinct, *said.wordings)
        classes = self._classes.of((*known, truth))
        for text, number in zip(known, classes, strict=False):
            if number == classes[-1] != EMPTY:
                return said.distinct.index(said.wordings.get(text, text))
        return len(said.distinct)
