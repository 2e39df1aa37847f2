"""The vote on one question: answers told apart, weighed by trust, and whether they are enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.errors import InputError
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.answers.ballots import NO_ANSWER, weights_of
from swarmloom_protocols.consensus.answers.calibration import Calibration
from swarmloom_protocols.consensus.answers.stopping import Stopper
from swarmloom_protocols.consensus.equivalences import AnswerClasses

__all__ = ["FEWEST_VOICES", "QuestionVote", "Worded", "worded"]

# The posterior of a single voice says what is thought of its expert, not of the answer.
FEWEST_VOICES = 2
# By how much an answer is ahead where it is no tie.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Worded:
    """Answers as numbers, and how each number is worded.

    Attributes
    ----------
    codes : ndarray of int64, shape (ballots,)
        0, 1, … in the order in which the answers appear, equal for equal ones; −1 for none.
    distinct : tuple of str
        By code, the wording that stands for it.
    wordings : mapping of str to str
        Answers that were given in other words → the one in `distinct`.
    """

    codes: IntArray
    distinct: tuple[str, ...]
    wordings: Mapping[str, str]


def worded(texts: Sequence[str | None], classes: AnswerClasses, *, kept: int = -1) -> Worded:
    """Tell answers apart, and choose a wording of each.

    Parameters
    ----------
    texts : sequence of str or None
        The ballots; None for a failure.
    classes : AnswerClasses
        Which answers are the same.
    kept : int, optional
        The ballot whose own wording stands for its answer; −1 for none. Of the others it is the
        most frequent wording, of equally frequent ones the first.

    Returns
    -------
    Worded

    Raises
    ------
    InputError
        The equivalence gives not one whole number for each answer.
    """
    counts = Counter(text for text in texts if text is not None)
    class_of = dict(zip(counts, classes.of(counts), strict=True))
    chosen = _chosen(counts, class_of, None if kept < 0 else texts[kept])
    codes = [NO_ANSWER if text is None else class_of[text] for text in texts]
    others = {text: chosen[code] for text, code in class_of.items() if code != NO_ANSWER}
    return Worded(
        np.array(codes, np.int64),
        tuple(chosen[code] for code in sorted(chosen)),
        {text: other for text, other in others.items() if text != other},
    )


def _chosen(counts: Counter[str], class_of: Mapping[str, int], own: str | None) -> dict[int, str]:
    """Choose the wording of each class."""
    best: dict[int, str] = {}
    for text, count in counts.items():
        code = class_of[text]
        if code != NO_ANSWER and (code not in best or count > counts[best[code]]):
            best[code] = text
    if own is not None and class_of[own] != NO_ANSWER:
        best[class_of[own]] = own
    return best


class QuestionVote:
    """What the ballots on one question come to.

    Parameters
    ----------
    weights : array-like of float, shape (experts,)
        Trust, finite, from 0.
    groups : sequence of int, length experts
        Numbers of the models behind the experts: a model has one voice.
    experts, codes : sequence of int, length ballots
        Who was asked, each once, and the code of the answer, as `worded` gives it; −1 for none.
    voters : sequence of int, optional
        Rows of those who have a voice at all, the experts of the ballots among them; by default
        all.
    most : int, optional
        Answers after which the vote is settled in any case; all voters by default.
    calibration : Calibration, optional
        From shares of trust to probabilities.

    Raises
    ------
    InputError
        Weights are malformed, groups or codes of another length, or an expert has no voice or
        more than one ballot.
    """

    def __init__(
        self,
        weights: ArrayLike,
        *,
        groups: Sequence[int] | IntArray,
        experts: Sequence[int] | IntArray,
        codes: Sequence[int] | IntArray,
        voters: Sequence[int] | None = None,
        most: int | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self._groups = np.asarray(groups, np.int64)
        self._weights = weights_of(weights, self._groups.size)
        self._experts, self._codes = np.asarray(experts, np.int64), np.asarray(codes, np.int64)
        if self._experts.shape != self._codes.shape:
            count = self._codes.size
            raise InputError(f"codes: {count} of {self._experts.size} ballots; allowed: one each")
        self._voters = list(range(self._groups.size) if voters is None else voters)
        strangers = set(self._experts.tolist()) - set(self._voters)
        if strangers:
            raise InputError(f"experts: {sorted(strangers)} have no voice; allowed: voters")
        self._most, self._calibration = most, calibration

    @cached_property
    def _stopper(self) -> Stopper:
        place = {row: index for index, row in enumerate(self._voters)}
        stopper = Stopper(
            self._weights[self._voters],
            groups=self._groups[self._voters],
            most=self._most,
            calibration=self._calibration,
        )
        for expert, code in zip(self._experts.tolist(), self._codes.tolist(), strict=True):
            stopper.update(place[expert], code)
        return stopper

    @property
    def given(self) -> int:
        """How many experts gave an answer."""
        return int((self._codes >= 0).sum())

    @property
    def voices(self) -> int:
        """How many models gave an answer."""
        return int(np.unique(self._spoken).size)

    @property
    def _spoken(self) -> IntArray:
        spoken: IntArray = self._groups[self._experts[self._codes >= 0]]
        return spoken

    @property
    def silent(self) -> BoolArray:
        """Whose model has not answered yet, bool of shape (experts,)."""
        return ~np.isin(self._groups, self._spoken)

    @cached_property
    def posterior(self) -> FloatArray:
        """Probability of each answer by its code; what is missing to 1 is "none of them".

        0 for an answer that is no model's voice, because it is outvoted within each that gave it
        and comes after all others.
        """
        chances = self._stopper.posterior
        answers = int(self._codes.max(initial=NO_ANSWER)) + 1
        return np.array([chances.get(code, 0.0) for code in range(answers)], np.float64)

    @property
    def best(self) -> int:
        """Code of the most probable answer, of equally probable ones the first; −1 for none."""
        return int(self.posterior.argmax()) if self.posterior.size else NO_ANSWER

    @property
    def is_settled(self) -> bool:
        """Whether the lead is safe enough that nobody else need be asked."""
        return self._stopper.next() < 0

    @property
    def is_ahead(self) -> bool:
        """Whether one answer is more probable than all others: it is no tie."""
        first, second = np.sort(np.append(self.posterior, [0.0, 0.0]))[:-3:-1].tolist()
        return bool(first > second + _ROUNDING)

    def reaches(self, certainty: float) -> bool:
        """Say whether two voices were heard and the best answer is certain enough.

        Parameters
        ----------
        certainty : float
            Posterior from which it is.
        """
        return self.voices >= FEWEST_VOICES and bool(self.posterior.max() >= certainty)

    def following(self, order: Iterable[int]) -> int:
        """Name whom to ask next: the most trusted who was not asked and would be a new voice.

        Parameters
        ----------
        order : iterable of int
            Who can be asked, in the order in which those trusted alike are.

        Returns
        -------
        int
            The expert's row, −1 for nobody.
        """
        silent, asked = self.silent, set(self._experts.tolist())
        left = [row for row in order if silent[row] and row not in asked]
        return max(left, key=lambda row: self._weights[row], default=-1)

    def worth(self, expert: int) -> float:
        """Say by how much an expert's answer is expected to raise the best answer's probability.

        Parameters
        ----------
        expert : int
            A voter that was not asked, see `Stopper.worth`.

        Raises
        ------
        InputError
            There is no such voter, or it was asked.
        """
        if expert not in self._voters:
            raise InputError(f"expert: {expert} has no voice; allowed: voters")
        return self._stopper.worth(self._voters.index(expert))
