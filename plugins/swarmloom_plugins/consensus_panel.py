"""The method "panel": the latent-difficulty panel behind the consensus protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from swarmloom.backtest.answers import AnswerTable
from swarmloom.errors import InputError
from swarmloom.types import BoolArray, Float64Array, IntArray
from swarmloom_plugins.consensus_config import ConsensusConfig
from swarmloom_plugins.consensus_grades import Grades
from swarmloom_plugins.consensus_methods import Crew, Question, clipped
from swarmloom_plugins.consensus_notices import Notice, notice_of
from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus.panel import EMPTY, AskValues, Panel, PanelSettings

__all__ = ["PanelMethod"]


class PanelMethod:
    """Whom to ask at which price, learned from grades and agreement.

    Parameters
    ----------
    config : ConsensusConfig
    crew : Crew
    """

    def __init__(self, config: ConsensusConfig, crew: Crew) -> None:
        self._config, self._crew = config, crew
        prices = np.array(crew.prices, dtype=np.float64)
        self._settings = _settings(config, prices)
        rng = np.random.default_rng([crew.seed, len(prices)])
        self._panel = Panel(prices, 1, self._settings, rng=rng, groups=crew.groups)
        # Row 0 of the panel is left to topics without an outcome; numbers are given in the order
        # of the outcomes, so that a resumed run gives the same ones.
        self._topics: dict[str, int] = {}
        self._grades = Grades(crew.groups)

    # -- deciding -------------------------------------------------------------------------------

    def affinity(self, question: Question, allowed: BoolArray) -> Float64Array:
        """Give the value of asking each expert next, as log-odds, shape (experts,)."""
        values = self._values(question, allowed).ask / self._config.sharpness
        return clipped(values, self._config.reach)

    def posterior(self, question: Question) -> Float64Array:
        """Give the probability of each distinct answer, shape (answers,)."""
        said = question.said
        belief = self._panel.posterior(
            self._topic(question.topic), question.options, said.experts, said.answers
        )
        return belief.answers

    def enough(
        self, question: Question, allowed: BoolArray, chance: float, certainty: float | None
    ) -> bool:
        """Say whether it is certain enough; without a certainty, whether no ask is worth it."""
        if certainty is not None:
            return chance >= certainty
        stop, ask = self._values(question, allowed)
        return bool(ask.max(initial=-np.inf) <= stop)

    def silent(self, question: Question) -> BoolArray:
        """Tell whose model has not answered yet, shape (experts,)."""
        groups, said = self._crew.groups, question.said
        return ~np.isin(groups, groups[said.experts[said.answers >= 0]])

    def is_survey(self, question: Question) -> bool:
        """Say no: the panel's surveys weigh what an answer teaches, and end by value."""
        return False

    def _values(self, question: Question, allowed: BoolArray) -> AskValues:
        said = question.said
        topic = self._topic(question.topic)
        return self._panel.values(topic, question.options, said.experts, said.answers, allowed)

    def _topic(self, name: str) -> int:
        return self._topics.get(name, 0)

    # -- learning -------------------------------------------------------------------------------

    def next_audit(self, asked: IntArray, owed: float) -> int:
        """Name the expert whose answer to a graded task teaches most, −1 for none."""
        return self._panel.next_audit(asked, owed)

    def learn(self, question: Question, truth: int | None) -> None:
        """Learn from a finished task; the truth is the number of the right answer."""
        said, audit = question.said, question.said.audit
        topic = self._topics.setdefault(question.topic, len(self._topics) + 1)
        self._panel.ensure_topics(topic + 1)
        # The panel takes numbers in the order in which it hears of them: the truth before audits.
        codes = {EMPTY: EMPTY}
        given = [codes.setdefault(code, len(codes) - 1) for code in said.answers[~audit].tolist()]
        item = self._panel.record(
            topic, question.options, said.experts[~audit], given, said.costs[~audit]
        )
        if truth is not None:
            self._panel.grade(item, codes.setdefault(truth, len(codes) - 1))
            self._grades.add(said, truth)
        for row in np.flatnonzero(audit).tolist():
            answer = codes.setdefault(int(said.answers[row]), len(codes) - 1)
            self._panel.add_answer(item, int(said.experts[row]), answer, float(said.costs[row]))

    def study(self, table: AnswerTable) -> None:
        """Learn from recorded answers beforehand; the table's columns are the experts."""
        topics = [self._topics.setdefault(t, len(self._topics) + 1) for t in table.topics]
        self._panel.ensure_topics(len(self._topics) + 1)
        options = np.array([count or 0 for count in table.options], dtype=np.int64)
        self._panel.study(np.array(topics, dtype=np.int64), options, table.codes, table.gold)

    # -- telling --------------------------------------------------------------------------------

    def voices(self, question: Question) -> Float64Array:
        """Give the posterior of each ballot's answer had it been the only one, shape (ballots,)."""
        topic = self._topic(question.topic)
        alone = np.zeros(question.asked)
        for row, (expert, answer) in enumerate(
            zip(question.said.experts.tolist(), question.said.answers.tolist(), strict=True)
        ):
            if answer >= 0:
                belief = self._panel.posterior(topic, question.options, [expert], [0])
                alone[row] = belief.answers[0]
        return alone

    def landscape(self) -> Float64Array:
        """Give the probability of each expert to be right by topic, shape (experts, topics)."""
        known = self._panel.report().topic_accuracy[1:]
        return np.ascontiguousarray(known.T) if len(known) else np.empty((0, 0))

    def rows(self) -> list[dict[str, Any]]:
        """Tell what is known of each expert, JSON-ready."""
        report, prices = self._panel.report(), self._panel.prices
        return [
            {
                "accuracy": round(float(report.accuracy[index]), 4),
                "price": round(float(prices[index]), 4),
                "calls": int(report.calls[index]),
                "graded": int(report.labels[index]),
                "in_pool": bool(report.pool[index]),
            }
            for index in range(len(prices))
        ]

    def totals(self) -> dict[str, Any]:
        """Tell what is known of the crew as a whole, JSON-ready."""
        report = self._panel.report()
        return {
            "price_of_money": report.price_of_money,
            "mean_cost": report.mean_cost,
            "audit_cost": report.audit_cost,
        }

    def warnings(self) -> list[Notice]:
        """Tell what the verdicts may suffer from."""
        names, grades = self._crew.names, self._grades
        found = [notice_of(one, names) for one in self._panel.findings()]
        if grades.contradicted:
            found.append(Notice("grades", grades.told(), count=grades.contradicted))
        found += [
            Notice(
                "turned bad",
                f"expert {names[expert]!r} has turned bad: what it did before task {task} counts "
                "no more",
                names[expert],
            )
            for task, expert in self._panel.changes()
        ]
        return found

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Give all that was learned."""
        return {
            "topics": dict(self._topics),
            "panel": self._panel.state(),
            "grades": self._grades.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        panel = Panel.from_state(state["panel"], self._settings)
        if panel.n_experts != len(self._crew.names):
            raise InputError(f"a panel of {panel.n_experts} experts, not {len(self._crew.names)}")
        self._panel = panel
        topics = {str(name): whole(name, number) for name, number in state["topics"].items()}
        if sorted(topics.values()) != list(range(1, panel.n_topics)):
            raise InputError(f"topics: {topics}; allowed: 1 to {panel.n_topics - 1}, each once")
        self._topics = topics
        self._grades.restore(state["grades"])

    def unlike(self) -> str:
        """Name what the crew has otherwise than the one that was learned of."""
        if not np.array_equal(self._panel.groups, self._crew.groups):
            return "models"
        same = np.array_equal(self._panel.declared_prices, np.array(self._crew.prices))
        return "" if same else "prices"


def _settings(config: ConsensusConfig, prices: Float64Array) -> PanelSettings:
    two_cheapest = float(np.sort(prices)[:2].sum()) or 1.0
    return PanelSettings(
        target_cost=config.target_cost or two_cheapest,
        max_asks=config.max_answers,
        survey_asks=min(PanelSettings.survey_asks, config.max_answers),
        audit_share=config.audit_share,
    )
