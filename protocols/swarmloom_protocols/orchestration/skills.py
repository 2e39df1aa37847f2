"""What a set of skills is worth for a demand, learned from answers and shared by its holders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom_protocols.orchestration._types import FloatArray

__all__ = ["SkillRecord"]

Skills = frozenset[str]


class SkillRecord:
    """Success by demanded skill and by set of skills offered.

    An expert's chance at a demand is that of all experts with its set of skills, shrunk towards
    the demand's own mean: ``(credit + prior · mean) / (answers + prior)``, the posterior mean under
    a beta prior. The affinity is its log-odds less the mean's, averaged over a task's demands.

    Parameters
    ----------
    prior : float
        Weight of the mean, in answers (> 0).

    Raises
    ------
    InputError
        If the prior is not positive.
    """

    def __init__(self, prior: float) -> None:
        if not prior > 0.0:
            raise InputError(f"prior is {prior}; allowed: > 0")
        self._prior = prior
        self._demand: dict[str, int] = {}
        self._offer: dict[Skills, int] = {}
        self._holder: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._credit = np.zeros((0, 0))
        self._answers = np.zeros((0, 0))

    def adopt(self, offers: Sequence[Skills]) -> None:
        """Make these the experts, each by its set of skills; the record is kept."""
        rows = [self._offer.setdefault(offer, len(self._offer)) for offer in offers]
        self._holder = np.array(rows, dtype=np.int64)
        self._grow()

    def learn(self, demands: Skills, expert: int, credit: float) -> None:
        """Count one answer.

        Parameters
        ----------
        demands : frozenset of str
            What the task demanded; an empty set teaches nothing.
        expert : int
            Who answered.
        credit : float
            Probability that the answer was right.
        """
        for demand in demands:
            row = self._demand.setdefault(demand, len(self._demand))
            self._grow()
            self._credit[row, self._holder[expert]] += credit
            self._answers[row, self._holder[expert]] += 1.0

    def affinity(self, demands: Sequence[Skills]) -> FloatArray:
        """Say how the experts fit.

        Parameters
        ----------
        demands : sequence of frozenset of str
            For each task.

        Returns
        -------
        ndarray of float64, shape (tasks, experts)
            Log-odds beside the mean; 0 where nothing is known.
        """
        weights = np.zeros((len(demands), len(self._demand)))
        for task, wanted in enumerate(demands):
            known = [self._demand[demand] for demand in wanted if demand in self._demand]
            if known:
                weights[task, known] = 1.0 / len(wanted)
        if not weights.any():
            return np.zeros((len(demands), len(self._holder)))
        return (weights @ self._log_odds())[:, self._holder]

    def _log_odds(self) -> FloatArray:
        mean = (self._credit.sum(axis=1) + 1.0) / (self._answers.sum(axis=1) + 2.0)
        prior = self._prior * mean[:, None]
        chance = (self._credit + prior) / (self._answers + self._prior)
        return _logit(chance) - _logit(mean)[:, None]

    def _grow(self) -> None:
        missing = [
            (0, needed - have)
            for needed, have in zip(
                (len(self._demand), len(self._offer)), self._credit.shape, strict=True
            )
        ]
        if any(after for _, after in missing):
            self._credit = np.pad(self._credit, missing)
            self._answers = np.pad(self._answers, missing)

    def snapshot(self) -> dict[str, Any]:
        """Give the record as names and arrays."""
        return {
            "demands": list(self._demand),
            "offers": [sorted(offer) for offer in self._offer],
            "credit": self._credit.copy(),
            "answers": self._answers.copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take a snapshot back; the present experts find their rows in it."""
        offers = list(self._offer)
        holders = [offers[row] for row in self._holder]
        self._demand = {demand: row for row, demand in enumerate(state["demands"])}
        self._offer = {frozenset(offer): row for row, offer in enumerate(state["offers"])}
        shape = len(self._demand), len(self._offer)
        self._credit = np.array(state["credit"], dtype=np.float64).reshape(shape)
        self._answers = np.array(state["answers"], dtype=np.float64).reshape(shape)
        self.adopt(holders)


def _logit(chance: FloatArray) -> FloatArray:
    return np.log(chance) - np.log1p(-chance)
