"""The method "trust": agreement says whom to believe; those are asked until the lead is safe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any
from zlib import crc32

import numpy as np

from swarmloom.backtest.answers import AnswerTable
from swarmloom.errors import InputError
from swarmloom.types import BoolArray, Float64Array, IntArray
from swarmloom_plugins.consensus_config import ConsensusConfig
from swarmloom_plugins.consensus_methods import Crew, Question, clipped
from swarmloom_plugins.consensus_notices import Notice, notice_of
from swarmloom_plugins.consensus_recorded import ABSENT
from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus.answers.calibration import Calibration
from swarmloom_protocols.consensus.answers.crew_trust import CrewTrust
from swarmloom_protocols.consensus.answers.question_vote import QuestionVote

__all__ = ["TrustMethod"]

# Trust from agreement needs some twenty tasks that all have answered, and gains from more.
_WARM_UP = 30
_FEWEST_TOLD = 20
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
        self._groups = crew.groups.tolist()
        self._calls = np.zeros(len(crew.names), dtype=np.int64)
        self._graded = np.zeros(len(crew.names), dtype=np.int64)
        voices = len(np.unique(crew.groups))
        # With more voices than a task may have answers, each is asked as often in more tasks.
        self._warm_up = -(-_WARM_UP * voices // min(voices, config.max_answers))
        self._finished = 0
        self._learned = 0
        # Fitting takes longer than deciding, and changes less and less: see `_take`.
        self._calibration = Calibration()
        self._next_fit = 1

    # -- deciding -------------------------------------------------------------------------------

    def affinity(self, question: Question, allowed: BoolArray) -> Float64Array:
        """Give the trust in each expert as log-odds, by lot in a survey, shape (experts,).

        Experts whose model has spoken are no new voice: they come last.
        """
        free = allowed & self.silent(question)
        if self.is_survey(question):
            lots = self._config.reach * (self._lots(question.task) - 1.0)
            return clipped(np.where(free, lots, -np.inf), self._config.reach)
        with np.errstate(divide="ignore"):
            return clipped(np.log(np.where(free, self._trust.weights, 0.0)), self._config.reach)

    def posterior(self, question: Question) -> Float64Array:
        """Give the probability of each distinct answer, shape (answers,)."""
        return self._vote(question).posterior

    def enough(
        self, question: Question, allowed: BoolArray, chance: float, certainty: float | None
    ) -> bool:
        """Say whether it is certain enough; without a certainty, whether the lead is safe."""
        vote = self._vote(question)
        if not (allowed & vote.silent).any():
            return True
        if self.is_survey(question):
            return False
        return vote.is_settled if certainty is None else vote.reaches(certainty)

    def silent(self, question: Question) -> BoolArray:
        """Tell whose model has not answered yet, shape (experts,)."""
        return self._vote(question).silent

    def is_survey(self, question: Question) -> bool:
        """Say whether all are to answer: those who are asked last are else seen on hard tasks only.

        It hangs on the task's name, so that a resumed run surveys the same ones.
        """
        drawn = crc32(question.task.encode()) % _SURVEY_EVERY == 0
        return self._finished < self._warm_up or drawn

    def _lots(self, task: str) -> Float64Array:
        """Draw the order of a survey, which must not hang on answers, prices or other protocols."""
        seed = [abs(self._crew.seed), crc32(task.encode())]
        return np.random.default_rng(seed).random(len(self._crew.names))

    def _vote(self, question: Question) -> QuestionVote:
        return QuestionVote(
            self._trust.weights,
            groups=self._crew.groups,
            experts=question.said.experts,
            codes=question.said.answers,
            most=self._config.max_answers,
            calibration=self._calibration,
        )

    # -- learning -------------------------------------------------------------------------------

    def next_audit(self, asked: IntArray, owed: float) -> int:
        """Name nobody: this method buys no audits."""
        return -1

    def learn(self, question: Question, truth: int | None) -> None:
        """Learn from a finished task; the truth is the number of the right answer."""
        said = question.said
        np.add.at(self._calls, said.experts, 1)
        # Agreement on tasks that went on until somebody agreed says nothing of those asked first.
        if truth is not None or (self.is_survey(question) and self._was_whole(question)):
            self._take(said.experts, said.answers, truth)
        self._finished += 1

    def _was_whole(self, question: Question) -> bool:
        """Say whether a survey asked all whom it was to ask, failures included.

        Where experts failed so often that the kernel gave the task up, those asked were still drawn
        by lot.
        """
        said, crew = question.said, self._crew
        able = [not skills or question.demands <= skills for skills in crew.skills]
        voices = len(np.unique(crew.groups[np.array(able, dtype=np.bool_)]))
        wanted = min(voices, self._config.max_answers, question.quorum or voices)
        asked = len(np.unique(crew.groups[said.experts]))
        return asked >= wanted or int((said.answers < 0).sum()) > crew.retries

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

    def warnings(self) -> list[Notice]:
        """Tell what the verdicts may suffer from; of agreement, once there is some to speak of.

        That there is none yet is no warning: every run begins so.
        """
        voices = np.unique(self._crew.groups, return_index=True)[1]
        names = [self._crew.names[first] for first in voices.tolist()]
        found = [notice_of(one, names) for one in self._trust.findings()]
        enough = self._learned >= _FEWEST_TOLD
        return [one for one in found if not (one.early or (one.label_free and not enough))]

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
        self._groups = list(state["trust"]["groups"])
        self._trust = CrewTrust.from_state(state["trust"])
        intercept, slope = map(float, state["calibration"])
        if not (math.isfinite(intercept) and 0.0 <= slope < math.inf):
            raise InputError(f"calibration: {intercept}, {slope}; allowed: finite, slope from 0")
        self._calibration = Calibration(intercept, slope)
        self._finished, self._learned, self._next_fit = (
            whole(name, state[name], 0) for name in ("finished", "learned", "next_fit")
        )
        self._calls = self._counts("calls", state["calls"])
        self._graded = self._counts("graded", state["graded"])

    def unlike(self) -> str:
        """Name what the crew has otherwise than the one that was learned of."""
        return "" if self._groups == self._crew.groups.tolist() else "models"

    def _counts(self, name: str, values: Sequence[int]) -> IntArray:
        if len(values) != len(self._crew.names):
            raise InputError(f"{name}: {len(values)} counts of {len(self._crew.names)} experts")
        return np.array([whole(name, value, 0) for value in values], dtype=np.int64)
