"""Grades that the experts contradict: wrong ones teach whom not to believe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from swarmloom.errors import InputError
from swarmloom.types import IntArray
from swarmloom_plugins.consensus_ballots import Said

__all__ = ["Grades"]

_FEWEST_VOICES = 2
_MOST_ALIKE = 0.8
_FEWEST_DOUBTS = 3
# Experts that err alike contradict right grades too: of nine answers to MMLU-Pro, one task in ten.
_DOUBTED_SHARE = 0.2


class Grades:
    """Counts graded tasks on which those heard agree on another answer than the grade.

    Parameters
    ----------
    groups : ndarray of int64, shape (experts,)
        Experts of one model have the same number, and one voice.
    """

    def __init__(self, groups: IntArray) -> None:
        self._groups = groups
        self._compared, self._contradicted = 0, 0

    def add(self, said: Said, truth: int) -> None:
        """Compare the answers to one graded task with its grade.

        Parameters
        ----------
        said : Said
        truth : int
            Number of the right answer.
        """
        voices = {
            int(self._groups[expert]): int(answer)
            for expert, answer in zip(said.experts, said.answers, strict=True)
            if answer >= 0
        }
        if len(voices) < _FEWEST_VOICES:
            return
        counts = np.bincount(list(voices.values()))
        leader = int(np.argmax(counts))
        self._compared += 1
        self._contradicted += leader != truth and counts[leader] >= _MOST_ALIKE * len(voices)

    @property
    def contradicted(self) -> int:
        """Tasks on which they do, where these are too many to be chance; else 0."""
        many = self._contradicted >= max(_FEWEST_DOUBTS, _DOUBTED_SHARE * self._compared)
        return int(self._contradicted) if many else 0

    def told(self) -> str:
        """Say it in words."""
        return (
            f"{self._contradicted} of {self._compared} graded tasks with wrong keys suspected: "
            "the experts agree on another answer; else they err alike"
        )

    def state(self) -> list[int]:
        """Give the counts."""
        return [int(self._compared), int(self._contradicted)]

    def restore(self, state: Sequence[Any]) -> None:
        """Take back what `state` gave."""
        compared, contradicted = (int(count) for count in state)
        if not 0 <= contradicted <= compared:
            raise InputError(f"grades: {contradicted} of {compared}; allowed: a part of them")
        self._compared, self._contradicted = compared, contradicted
