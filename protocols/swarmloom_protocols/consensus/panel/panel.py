"""Latent-difficulty panel: whom to ask next, when to stop, and what to believe.

One model of experts, tasks and shared mistakes (`likelihood`) is learned from the answers
paid for and from the few that are graded (`learning`); looking a few calls ahead in it
(`lookahead`) says whether another answer is worth its price. A price of money
(`budget`) holds the mean cost of a task at the target. Nothing here knows an answer or a
truth that it was not given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.findings import Finding, texts_of
from swarmloom_protocols.consensus.panel.bookkeeping import Decision, PanelLearning
from swarmloom_protocols.consensus.panel.budget import Budget
from swarmloom_protocols.consensus.panel.checks import (
    call_key,
    checked_calls,
    checked_costs,
    checked_mask,
)
from swarmloom_protocols.consensus.panel.confidence import Correction, restated
from swarmloom_protocols.consensus.panel.history import Journal
from swarmloom_protocols.consensus.panel.learning import Rates
from swarmloom_protocols.consensus.panel.lookahead import Question, choice, decide
from swarmloom_protocols.consensus.panel.pool import estimated_accuracy
from swarmloom_protocols.consensus.panel.prices import PriceBook
from swarmloom_protocols.consensus.panel.reports import AskValues, Belief, PanelReport, calibration
from swarmloom_protocols.consensus.panel.settings import PanelSettings
from swarmloom_protocols.consensus.panel.snapshots import check_snapshot
from swarmloom_protocols.consensus.panel.warnings import panel_findings

__all__ = ["Panel"]


class Panel(PanelLearning):
    """Online choice among priced experts, after the latent-difficulty panel rule.

    Answers of a task are integers: 0, 1, ... for its distinct answers in order of appearance, -1
    (`EMPTY`) for an expert that failed or said nothing readable. The class is not thread-safe.

    Parameters
    ----------
    prices : float64[experts]
        Declared price of a call of each expert, at least 0. Once an expert has answered, its
        price is the mean of what its answers really cost.
    n_topics : int
        Number of topics, at least 1.
    settings : PanelSettings, optional
    rng : numpy.random.Generator
        One number is drawn from it, the seed of the panel's exploration.
    groups : int64[experts], optional
        Experts with the same number share a model. One of them speaks for all (see
        `pool.speakers`), and others are asked only where no other group is left, as in a crew of
        one model.

    Raises
    ------
    InputError
        Prices that are not finite or negative, no expert, no topic, groups of another length.
    """

    @property
    def groups(self) -> IntArray:
        """Group of each expert, int64 of shape (experts,), a copy."""
        return self._groups.copy()

    @property
    def declared_prices(self) -> FloatArray:
        """Price of a call of each expert as declared, float64 of shape (experts,), read-only."""
        return self._book.declared

    def values(
        self,
        topic: int,
        n_options: int | None,
        experts: ArrayLike,
        answers: ArrayLike,
        allowed: ArrayLike | None = None,
    ) -> AskValues:
        """Value stopping now and asking each expert next.

        Parameters
        ----------
        topic : int
        n_options : int or None
            Number of options of the task; ``None`` for free text, where agreement by chance is
            next to impossible (``settings.open_options`` are assumed). A number below that of
            the distinct answers given counts as the latter.
        experts, answers : int64[calls]
            Who was asked so far and what they answered.
        allowed : bool[experts], optional
            Who may be asked; all by default. Where nobody of the pool may be asked and there is
            no answer yet, everybody allowed is valued.

        Returns
        -------
        AskValues

        Raises
        ------
        InputError
            Topic, experts or answers out of range, or an expert named twice.
        """
        surveying = self._surveying()
        return self._decision(topic, n_options, experts, answers, allowed, surveying).values

    def _decision(
        self,
        topic: int,
        n_options: int | None,
        experts: ArrayLike,
        answers: ArrayLike,
        allowed: ArrayLike | None,
        surveying: bool,
    ) -> Decision:
        """Take a decision, or take up what was decided, and checked, before."""
        fixed = surveying or allowed is not None
        key = None if fixed else call_key(topic, n_options, experts, answers)
        if key is not None and key in self._kept:
            return self._kept[key]
        asked, given = checked_calls(topic, n_options, experts, answers, self._shape)
        free = self._everybody if allowed is None else checked_mask(allowed, self.n_experts)
        if surveying:
            wanted = self._wanted(free)
            if wanted.max() > -np.inf:
                wanted[asked] = -np.inf
                chance = self._believed(topic, n_options, asked, given).answers
                values = AskValues(float(chance.max(initial=0.0)), wanted)
                return Decision(values, choice(*values))
        decision = self._look_ahead(topic, n_options, asked, given, free)
        if key is not None:
            self._kept[key] = decision
        return decision

    def _wanted(self, free: BoolArray) -> FloatArray:
        """Rank whom a task of the survey asks: one voice a group, nobody on probation."""
        return self._survey.values(
            len(self._journal),
            estimated_accuracy(self._rates),
            self._calls,
            self.prices,
            free & self._speakers & ~self._on_probation(),
        )

    def _surveying(self) -> bool:
        """Say whether the next task belongs to the survey."""
        return self._survey.running(len(self._journal), self._journal.graded, self._budget.spent)

    def _fewest_surveyed(self) -> int:
        """How many answers a task of the survey has, if nobody is out of reach."""
        return int(np.isfinite(self._wanted(self._everybody)).sum())

    def next(
        self,
        topic: int,
        n_options: int | None,
        experts: ArrayLike,
        answers: ArrayLike,
        allowed: ArrayLike | None = None,
    ) -> int:
        """Return the expert to ask next, or -1 to stop. Arguments as in `values`.

        Stops after ``settings.max_asks`` calls, where nobody may be asked, and where no ask is
        worth its price; with no answer at all so far it asks on while it can.
        """
        surveying = self._surveying()
        most = self.settings.survey_asks if surveying else self.settings.max_asks
        asked = len(experts) if isinstance(experts, list) else np.size(experts)
        if asked >= most:
            return -1
        return self._decision(topic, n_options, experts, answers, allowed, surveying).ask

    def posterior(
        self, topic: int, n_options: int | None, experts: ArrayLike, answers: ArrayLike
    ) -> Belief:
        """Return the probability of each distinct answer given. Arguments as in `values`.

        It is corrected by the grades of earlier verdicts (`confidence`); `values` is not.
        """
        asked, given = checked_calls(topic, n_options, experts, answers, self._shape)
        return restated(self._believed(topic, n_options, asked, given), self._correction)

    def _look_ahead(
        self, topic: int, n_options: int | None, asked: IntArray, given: IntArray, free: BoolArray
    ) -> Decision:
        options = self._options(n_options, given)
        table, settings = self._table_of(topic, options), self.settings
        question = Question(
            table.prior,
            table.rates,
            table.log_rates,
            asked,
            given,
            self._pool,
            free,
            self._speakers,
            self._groups,
            self._call_prices,
            float(max(options, 2)),
        )
        depth = settings.depth if asked.shape[0] else settings.opening_depth
        values = np.empty(self.n_experts)
        stop, ask = decide(
            question, self._room(given), depth, settings.width, settings.pool_limit, values
        )
        values.flags.writeable = False
        return Decision(AskValues(stop, values), ask)

    def record(
        self,
        topic: int,
        n_options: int | None,
        experts: ArrayLike,
        answers: ArrayLike,
        costs: ArrayLike,
    ) -> int:
        """Enter a finished task, and refit when that is due.

        Parameters
        ----------
        topic, n_options, experts, answers
            As in `values`.
        costs : float64[calls]
            What each call really cost.

        Returns
        -------
        int
            Item number, for `grade`, `audit` and `add_answer`.
        """
        finished = self._finish(topic, n_options, experts, answers)
        asked, given, options, verdict, evidence = finished
        paid = checked_costs(costs, asked.shape[0])
        cost, surveying = sum(paid.tolist()), self._surveying()
        surveyed = surveying and asked.shape[0] >= self._fewest_surveyed()
        if surveying:
            self._survey.pay(cost)
        item = self._journal.add_task(topic, options, asked, given, paid, verdict, surveyed)
        self._budget.pay_task(cost)
        self._count(topic, asked, given, paid)
        self._suspect(item, asked, evidence)
        if len(self._journal) >= self._next_refit:
            self.refit()
        elif self._budget.requote():
            self._forget_values()
        return item

    def verdict(self, item: int) -> tuple[int, float]:
        """Return a finished task's verdict (-1: no answer) and stated confidence."""
        self._check_item(item)
        return int(self._journal["verdict"][item]), float(self._journal["confidence"][item])

    def findings(self) -> tuple[Finding, ...]:
        """Name what the verdicts may suffer from.

        No grades, and then also low agreement; groups that are more than a third of the experts;
        near-clones that no group names. One pass over the latest 1,000 tasks a call.
        """
        return panel_findings(self._journal, self.n_experts, self._groups)

    def warnings(self) -> tuple[str, ...]:
        """Say what `findings` gives in words, with experts by their numbers."""
        return texts_of(self.findings())

    def report(self) -> PanelReport:
        """Return what the panel believes of its experts and of itself, and what it has spent."""
        journal = self._journal
        right = self._rates.topical[..., 0]
        return PanelReport(
            accuracy=estimated_accuracy(self._rates),
            topic_accuracy=np.einsum("kjz,kz->kj", right, self._rates.difficulty),
            labels=self._labels.copy(),
            calls=self._calls.copy(),
            pool=self._pool.copy(),
            price_of_money=self._budget.price,
            mean_cost=self._budget.spent / max(len(journal), 1),
            audit_cost=self._budget.audit_spent / max(len(journal), 1),
            calibration=calibration(
                *(journal[name][self._studied :] for name in ("confidence", "verdict", "truth"))
            ),
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything `from_state` needs, as arrays (copies)."""
        budget = self._budget
        whole = [self.n_topics, self._seed, self._refits, self._next_refit, budget.tasks]
        whole += [self._changed_at, self._studied]
        real = [budget.price, budget.quoted, budget.spent, budget.audit_spent]
        real += self._correction
        real += [self._survey.spent]
        return {
            **{f"prices.{name}": array for name, array in self._book.arrays().items()},
            "whole": np.array(whole, np.int64),
            "real": np.array(real, np.float64),
            "groups": self._groups.copy(),
            "labels": self._labels.copy(),
            "calls": self._calls.copy(),
            "topic_calls": self._topic_calls.copy(),
            "pool": self._pool.copy(),
            "speakers": self._speakers.copy(),
            "explored": self._explored.copy(),
            **{f"rates.{name}": array.copy() for name, array in self._rates._asdict().items()},
            **{f"journal.{name}": array for name, array in self._journal.arrays().items()},
            **{f"watch.{name}": array for name, array in self._watch.arrays().items()},
            **{f"former.{name}": array for name, array in self._former.arrays().items()},
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, NDArray[Any]], settings: PanelSettings | None = None
    ) -> Panel:
        """Return a panel that goes on exactly where `state` was taken, under ``settings``.

        Raises
        ------
        InputError
            The state is damaged, or of another number of difficulty classes.
        """
        settings = settings or PanelSettings()
        check_snapshot(state, settings.classes)
        n_topics, seed, refits, next_refit, *counts = (int(v) for v in state["whole"])
        book = _part("prices.", state)
        panel = cls(
            book["declared"],
            n_topics,
            settings,
            rng=np.random.default_rng(0),
            groups=state["groups"],
        )
        panel._book = PriceBook(**book)
        panel._seed, panel._refits = seed, refits
        tasks, panel._changed_at, panel._studied = counts
        price, quoted, spent, audit_spent, bias, slope, surveyed = (float(v) for v in state["real"])
        panel._survey.spent = surveyed
        panel._correction = Correction(bias, slope)
        panel._budget = Budget(panel.settings, price, quoted, spent, audit_spent, tasks)
        panel._labels, panel._calls = state["labels"].copy(), state["calls"].copy()
        panel._topic_calls = state["topic_calls"].copy()
        panel._speakers = state["speakers"].copy()
        panel._pool, panel._explored = state["pool"].copy(), state["explored"].copy()
        panel._rates = Rates(*(state[f"rates.{name}"].copy() for name in Rates._fields))
        panel._former.resume(_part("former.", state))
        panel._journal = Journal(_part("journal.", state))
        panel._next_refit = min(next_refit, len(panel._journal) + settings.longest_wait)
        panel._watch.resume(_part("watch.", state))
        if panel._watch.found:
            panel._budget.changed_at = panel._changed_at - panel._studied
        panel._watch.take_up(panel._rates)
        for _, expert in panel._watch.found:
            panel._learner.doubt(expert, panel.settings.change_fall)
        panel._forget_tables()
        return panel


def _part(prefix: str, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Take the entries whose names begin with the prefix, without it."""
    return {name[len(prefix) :]: state[name] for name in state if name.startswith(prefix)}
