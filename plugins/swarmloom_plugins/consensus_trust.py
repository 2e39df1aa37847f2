"""The method "trust": agreement says whom to believe; those are asked until the lead is safe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any
from zlib import crc32

import numpy as np

from swarmloom.backtest.answers import AnswerTable
from swarmloom.types import BoolArray, Float64Array, IntArray
from swarmloom_plugins.consensus_config import ConsensusConfig
from swarmloom_plugins.consensus_methods import Crew, Question, clipped
from swarmloom_plugins.consensus_recorded import ABSENT
from swarmloom_protocols.consensus.answers.calibration import Calibration
from swarmloom_protocols.consensus.answers.crew_trust import CrewTrust
from swarmloom_protocols.consensus.answers.stopping import Stopper

__all__ = ["TrustMethod"]

# Trust from agreement needs some twenty tasks that all have answered, and gains from more.
_WARM_UP = 30
_SURVEY_EVERY = 10
_REFIT_SHARE = 20


class TrustMethod:
    """Trust from agreement, and from grades where there are any; no prices, no topics.

    Parameters
    ----------
    config : ConsensusConfig
    crew : Crew
    """

    def __init__(self, config: ConsensusConfig, crew: Crew) -> None:
        self._config = config
        self._crew = crew
        self._trust = CrewTrust(len(crew.names), groups=crew.groups)
        self._calls = np.zeros(len(crew.names), dtype=np.int64)
        self._graded = np.zeros(len(crew.names), dtype=np.int64)
        self._finished = 0
        self._learned = 0
        # Fitting takes longer than deciding, and changes less and less: see `_take`.
        self._calibration = Calibration()
        self._next_fit = 1

    # -- deciding -------------------------------------------------------------------------------

    def affinity(self, question: Question, allowed: BoolArray) -> Float64Array:
        """Give the trust in each expert as log-odds, shape (experts,).

        Experts whose model has spoken are no new voice: they come last.
        """
        if self._is_survey(question.task):
            return np.zeros(len(allowed))
        weights = np.where(allowed & self._silent(question), self._trust.weights, 0.0)
        with np.errstate(divide="ignore"):
            return clipped(np.log(weights), self._config.reach)

    def posterior(self, question: Question) -> Float64Array:
        """Give the probability of each distinct answer, shape (answers,)."""
        given = self._stopper(question).posterior
        return np.array([given.get(code, 0.0) for code in range(len(question.said.distinct))])

    def enough(
        self, question: Question, allowed: BoolArray, chance: float, certainty: float | None
    ) -> bool:
        """Say whether it is certain enough; without a certainty, whether the lead is safe."""
        if not (allowed & self._silent(question)).any():
            return True
        if certainty is not None:
            return chance >= certainty
        return not self._is_survey(question.task) and self._stopper(question).next() < 0

    def _is_survey(self, task: str) -> bool:
        """Say whether all are to answer: those who are asked last are else seen on hard tasks only.

        It hangs on the task's name, so that a resumed run surveys the same ones.
        """
        return self._finished < _WARM_UP or crc32(task.encode()) % _SURVEY_EVERY == 0

    def _silent(self, question: Question) -> BoolArray:
        """Tell whose model has not answered yet, shape (experts,)."""
        groups, said = self._crew.groups, question.said
        return ~np.isin(groups, groups[said.experts[said.answers >= 0]])

    def _stopper(self, question: Question) -> Stopper:
        stopper = Stopper(
            self._trust.weights,
            groups=self._crew.groups,
            most=self._config.max_answers,
            calibration=self._calibration,
        )
        said = question.said
        for expert, answer in zip(said.experts.tolist(), said.answers.tolist(), strict=True):
            stopper.update(expert, answer)
        return stopper

    # -- learning -------------------------------------------------------------------------------

    def next_audit(self, asked: IntArray, owed: float) -> int:
        """Name nobody: this method buys no audits."""
        return -1

    def learn(self, question: Question, truth: int | None) -> None:
        """Learn from a finished task; the truth is the number of the right answer."""
        said = question.said
        np.add.at(self._calls, said.experts, 1)
        # Agreement on tasks that went on until somebody agreed says nothing of those asked first.
        if truth is not None or self._is_survey(question.task):
            self._take(said.experts, said.answers, truth)
        self._finished += 1

    def study(self, table: AnswerTable) -> None:
        """Learn from recorded answers beforehand; the table's columns are the experts."""
        for codes, gold in zip(table.codes, table.gold.tolist(), strict=True):
            experts = np.flatnonzero(codes != ABSENT)
            self._take(experts, codes[experts], gold)
        self._finished = len(table)

    def _take(self, experts: IntArray, answers: IntArray, truth: int | None) -> None:
        self._learned += 1
        if truth is None:
            self._trust.record(experts, answers)
        else:
            self._trust.grade(experts, answers, truth)
            np.add.at(self._graded, experts, 1)
        if self._learned >= self._next_fit:
            self._calibration = self._trust.calibration
            self._next_fit = self._learned + 1 + self._learned // _REFIT_SHARE

    # -- telling --------------------------------------------------------------------------------

    def voices(self, question: Question) -> Float64Array:
        """Give the weight of each ballot, shape (ballots,); 0 for failures."""
        weights = self._trust.weights[question.said.experts]
        return np.where(question.said.answers >= 0, weights, 0.0)

    def landscape(self) -> Float64Array:
        """Give the trust in each expert relative to the most trusted one, shape (experts, 1)."""
        weights = self._trust.weights
        return (weights / (weights.max(initial=0.0) or 1.0))[:, None]

    def rows(self) -> list[dict[str, Any]]:
        """Tell what is known of each expert, JSON-ready."""
        weights = self._trust.weights
        return [
            {
                "trust": round(float(weights[index]), 4),
                "price": self._crew.prices[index],
                "calls": int(self._calls[index]),
                "graded": int(self._graded[index]),
                "group": int(self._crew.groups[index]),
            }
            for index in range(len(weights))
        ]

    def totals(self) -> dict[str, Any]:
        """Tell what is known of the crew as a whole, JSON-ready."""
        return {}

    def warnings(self) -> tuple[str, ...]:
        """Tell what the verdicts may suffer from."""
        return self._trust.warnings()

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Give all that was learned."""
        return {
            "trust": self._trust.state(),
            "finished": self._finished,
            "learned": self._learned,
            "next_fit": self._next_fit,
            "calibration": list(astuple(self._calibration)),
            "calls": self._calls.tolist(),
            "graded": self._graded.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self._trust = CrewTrust.from_state(state["trust"])
        self._calibration = Calibration(*state["calibration"])
        self._finished, self._learned = int(state["finished"]), int(state["learned"])
        self._next_fit = int(state["next_fit"])
        self._calls = np.array(state["calls"], dtype=np.int64)
        self._graded = np.array(state["graded"], dtype=np.int64)
