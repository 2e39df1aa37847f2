"""What a panel learns from: tasks and answers paid for, grades, audits and records.

The model (`learning`), the watch for experts that turn bad (`changes`), the pool and the price of
money are brought up to date here; `panel.Panel` decides with them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.panel.budget import Budget
from swarmloom_protocols.consensus.panel.changes import ChangeWatch, trusted_evidence
from swarmloom_protocols.consensus.panel.checks import (
    call_key,
    checked_calls,
    checked_costs,
    checked_experts,
    checked_groups,
    checked_mask,
    checked_table,
)
from swarmloom_protocols.consensus.panel.confidence import (
    UNCORRECTED,
    Correction,
    fit_correction,
    likeliest,
    restated,
)
from swarmloom_protocols.consensus.panel.former import FormerExperts, with_copies
from swarmloom_protocols.consensus.panel.history import Journal, most_code, one_task
from swarmloom_protocols.consensus.panel.learning import Learner
from swarmloom_protocols.consensus.panel.likelihood import (
    ABSENT,
    EMPTY,
    Evidence,
    RateTable,
    answer_chances,
    new_evidence,
    rate_table,
)
from swarmloom_protocols.consensus.panel.pool import (
    choose_pool,
    estimated_accuracy,
    explored,
    speakers,
    undominated,
    unproved,
)
from swarmloom_protocols.consensus.panel.prices import PriceBook
from swarmloom_protocols.consensus.panel.reports import AskValues, Belief
from swarmloom_protocols.consensus.panel.settings import SHORTEST_REFIT, PanelSettings
from swarmloom_protocols.consensus.panel.survey import Survey

__all__ = ["PanelLearning"]

_NEVER = 2**62


class Decision(NamedTuple):
    """What asking is worth, and the expert to ask next (-1: stop)."""

    values: AskValues
    ask: int


class Finished(NamedTuple):
    """What a finished task's answers come to before its truth is known.

    Attributes
    ----------
    experts, answers : int64[calls]
    options : int
    verdict : (int, float)
        The likeliest answer (-1: there is none) and its stated confidence.
    evidence : float64[calls]
        That each expert has turned bad (see `changes`).
    """

    experts: IntArray
    answers: IntArray
    options: int
    verdict: tuple[int, float]
    evidence: FloatArray


class PanelLearning:
    """The learning half of a `Panel`, and its arguments."""

    def __init__(
        self,
        prices: ArrayLike,
        n_topics: int,
        settings: PanelSettings | None = None,
        *,
        rng: np.random.Generator,
        groups: ArrayLike | None = None,
    ) -> None:
        self.settings = settings or PanelSettings()
        self._book = PriceBook(prices)
        self.n_topics = whole("n_topics", n_topics, 1)
        self._groups = checked_groups(groups, self.n_experts)
        self._seed = int(rng.integers(2**62))
        self._learner = Learner.of_settings(self.prices, self.settings)
        self._rates = self._learner.start(n_topics)
        self._journal = Journal()
        self._budget = Budget.fresh(self.settings)
        self._survey = Survey.at_start(self.settings, self.prices)
        self._labels = np.zeros(self.n_experts, np.int64)
        self._calls = np.zeros(self.n_experts, np.int64)
        self._topic_calls = np.zeros((n_topics, self.n_experts), np.int64)
        self._refits = 0
        self._changed_at = 0
        self._former = FormerExperts(self._rates)
        self._studied = 0
        self._correction = UNCORRECTED
        self._next_refit = min(self.settings.first_refit, self._end_of_round(0))
        self._watch = ChangeWatch(
            self.n_experts, self.settings.change_fall, self.settings.change_limit
        )
        self._scratch = new_evidence(4, 16, self.settings.classes)
        self._everybody = np.ones(self.n_experts, np.bool_)
        self._take_up_rates()

    @property
    def prices(self) -> FloatArray:
        """Price of a call of each expert that decisions use, read-only."""
        return self._book.quoted

    @property
    def n_experts(self) -> int:
        """Number of experts."""
        return int(self.prices.shape[0])

    @property
    def _shape(self) -> tuple[int, int]:
        """Number of topics and of experts."""
        return self.n_topics, self.n_experts

    def __len__(self) -> int:
        """Return the number of finished tasks."""
        return len(self._journal)

    def study(
        self,
        topics: ArrayLike,
        n_options: ArrayLike | None,
        votes: ArrayLike,
        truths: ArrayLike | None = None,
    ) -> None:
        """Learn from recorded answers before the first task. Nothing is billed.

        Parameters
        ----------
        topics : int64[tasks]
        n_options : int64[tasks], optional
            ``None``, or 0 for a task: free text, as in `values`.
        votes : int64[tasks, experts]
            Answers by number; a number means something within its task only. -1 (`EMPTY`) for
            an expert that gave none, -2 (`ABSENT`) for one that was not asked.
        truths : int64[tasks], optional
            The right answer by the same numbers, -1 where it is not known.

        Raises
        ------
        InputError
            A task has been recorded already, or something is out of range.
        """
        if len(self._journal) > self._studied:
            raise InputError("study: must come before the first task is recorded")
        place, options, said, truth = checked_table(topics, n_options, votes, truths, self._shape)
        for task in range(said.shape[0]):
            self._study_task(int(place[task]), int(options[task]), said[task], int(truth[task]))
        self._studied = len(self._journal)
        self.refit()

    def _study_task(self, topic: int, options: int, said: IntArray, truth: int) -> None:
        asked = np.flatnonzero(said != ABSENT)
        codes = {EMPTY: EMPTY}
        given = [codes.setdefault(answer, len(codes) - 1) for answer in said[asked].tolist()]
        answers = np.array(given, np.int64)
        free = np.zeros(asked.shape[0])
        unsaid = (EMPTY, 0.0)
        count = self._options(options or None, answers)
        item = self._journal.add_task(topic, count, asked, answers, free, unsaid, True)
        _count_calls(asked, self._calls, self._topic_calls[topic])
        if truth >= 0:
            self._journal.reveal(item, codes.get(truth, len(codes) - 1))
            self._labels[asked] += 1

    def grade(self, item: int, truth: int) -> None:
        """Reveal the right answer of a finished task.

        Parameters
        ----------
        item : int
        truth : int
            Index of the right answer; the number of distinct answers given where nobody gave it.

        Raises
        ------
        InputError
            Unknown item, item graded already, or a truth out of range.
        """
        self._check_item(item)
        if self._journal["truth"][item] >= 0:
            raise InputError(f"item {item} is graded already")
        task = self._journal.task(item)
        truth = whole("truth", truth, 0, most_code(task) + 1)
        guessed = self._watch.evidence(task)
        self._journal.reveal(item, truth)
        self._labels[task.expert] += 1
        known = self._watch.evidence(task._replace(truth=np.array([truth])))
        self._suspect(item, task.expert, known - guessed)

    def audit(self, item: int, allowed: ArrayLike | None = None) -> int:
        """Return the expert whose answer to a graded item is most worth buying, or -1 for none.

        The choice is that of `next_audit`.
        """
        self._check_item(item)
        if self._journal["truth"][item] < 0:
            raise InputError(f"item {item} is not graded: only graded items are audited")
        return self.next_audit(self._journal.experts_of(item), allowed=allowed)

    def next_audit(
        self, experts: ArrayLike, owed: float = 0.0, allowed: ArrayLike | None = None
    ) -> int:
        """Return the expert whose answer to a graded task is most worth buying, or -1 for none.

        The one with the smallest ``(graded answers + 1/2) * sqrt(price)`` among those not asked,
        where the audit allowance affords it; experts outside the pool wait
        ``settings.audit_delay`` times as long, hopeless ones for ever.

        Parameters
        ----------
        experts : int64[calls]
            Who has answered the task already; it need not be recorded yet.
        owed : float
            Money spent on audits that are not recorded yet.
        allowed : bool[experts], optional
            Who may be asked; all by default.
        """
        room = self._budget.audit_room(float(self.prices.sum()), self._survey.spent) - owed
        wanted = self._auditable()
        wanted[checked_experts(experts, self.n_experts)] = False
        if allowed is not None:
            wanted &= checked_mask(allowed, self.n_experts)
        if not wanted.any():
            return -1
        # An expert dropped on bad luck gets its second chance here, and nowhere else.
        haste = np.where(self._pool, 1.0, self.settings.audit_delay)
        score = haste * (self._labels + 0.5) * np.sqrt(self.prices)
        best = int(np.argmin(np.where(wanted, score, np.inf)))
        # Where the best is too dear the allowance is saved up for it: buying the cheap ones
        # instead would starve the strong.
        return best if self.prices[best] <= room else -1

    def _auditable(self) -> BoolArray:
        return undominated(
            self._accuracy,
            self._labels,
            self.prices,
            self._budget.price,
            self.settings,
            self.settings.audit_doubt,
        )

    def add_answer(self, item: int, expert: int, answer: int, cost: float) -> None:
        """Enter an answer bought after the task was finished (an audit)."""
        self._check_item(item)
        whole("expert", expert, 0, self.n_experts - 1)
        if expert in self._journal.experts_of(item):
            raise InputError(f"expert {expert} has answered item {item} already")
        whole("answer", answer, EMPTY, most_code(self._journal.task(item)) + 1)
        paid = checked_costs([cost], 1)
        self._journal.add_later(item, expert, answer, cost)
        self._labels[expert] += self._journal["truth"][item] >= 0
        self._budget.pay_audit(cost)
        task = self._journal.task(item)
        self._count(int(task.topic[0]), task.expert[-1:], task.answer[-1:], paid)
        self._suspect(item, task.expert[-1:], self._watch.evidence(task)[-1:])

    def _count(self, topic: int, experts: IntArray, answers: IntArray, costs: FloatArray) -> None:
        """Count calls, and what they cost where there was an answer."""
        _count_calls(experts, self._calls, self._topic_calls[topic])
        # What a failure cost says nothing of what an answer will.
        if EMPTY in answers.tolist():
            answered = answers != EMPTY
            experts, costs = experts[answered], costs[answered]
        if self._book.bill(experts, costs):
            self._forget_values()

    def _suspect(self, item: int, experts: IntArray, evidence: FloatArray) -> None:
        """Count evidence against experts; forget what one did before it turned bad."""
        trusted = trusted_evidence(
            evidence,
            experts,
            self._labels,
            self._calls,
            self._topic_calls[self._journal["topic"][item]],
            self._ungraded_weight(),
            self.settings.change_answers,
            self.settings.topic_strength,
        )
        changed = self._watch.add(item, experts, trusted)
        if changed < 0:
            return
        calls = np.flatnonzero(self._journal["expert"] == changed)
        items = self._journal["item"][calls]
        items = items[items >= self._watch.since[changed]]
        self._calls[changed] = items.shape[0]
        self._former.keep(changed, self._rates)
        self._learner.doubt(changed, self.settings.change_fall)
        self._labels[changed] = (self._journal["truth"][items] >= 0).sum()
        self._changed_at = len(self._journal)
        self._budget.unsettle()
        self.refit()

    def _on_probation(self) -> BoolArray:
        """Experts that turned bad and have not proved themselves since: audits alone ask them."""
        worth = self._accuracy - self._budget.price * self.prices
        changes, tasks = self._watch.found, len(self._journal)
        return unproved(changes, tasks, self._labels, worth, self.settings)

    def _ungraded_weight(self) -> float:
        weight = self.settings.ungraded_weight
        return weight / max(weight + self._journal.graded, 1e-12)

    def changes(self) -> tuple[tuple[int, int], ...]:
        """Task number and expert of each change for the worse that was found."""
        return tuple(self._watch.found)

    def ensure_topics(self, count: int) -> None:
        """Make room for ``count`` topics; a new one starts as a topic without answers does.

        Topic 0 should be left to tasks of unknown topic, and is the model of a new one.
        """
        extra = count - self.n_topics
        if extra <= 0:
            return
        self.n_topics = count
        self._rates = self._rates._replace(
            topical=with_copies(self._rates.topical, extra),
            difficulty=with_copies(self._rates.difficulty, extra),
        )
        self._explored: FloatArray = with_copies(self._explored, extra)
        self._former.add_topics(extra)
        self._accuracy = estimated_accuracy(self._rates)
        self._topic_calls = np.pad(self._topic_calls, ((0, extra), (0, 0)))
        self._watch.take_up(self._rates)

    def refit(self) -> None:
        """Learn from all that was paid for; `record` calls this when it is due."""
        settings, tasks, since = self.settings, len(self._journal), self._watch.since
        recent = tasks - self._changed_at
        sweeps = 6 if recent < 1000 else 2
        former = self._former.numbers(self.n_experts)
        # Without grades, who is asked because of earlier answers would confirm them.
        alone = self._journal.graded == 0 and bool(self._journal["surveyed"].any())
        history = self._journal.history(settings.memory, since, former, surveyed=alone)
        weight = self._ungraded_weight()
        self._rates = self._learner.refit(self._rates, history, weight, sweeps, self._former.rates)
        self._refits += 1
        wait = min(settings.longest_refit, int(recent * settings.refit_share))
        self._next_refit = min(tasks + max(SHORTEST_REFIT, wait), self._end_of_round(tasks))
        self._budget.requote(now=True)
        self._take_up_rates()
        self._correction = self._fit_correction()

    def _end_of_round(self, tasks: int) -> int:
        """Task after which the next round of the survey is chosen; a far one after the last."""
        if not self._survey.starting(tasks):
            return _NEVER
        length = self.settings.survey_tasks
        return tasks + length - tasks % length

    def _fit_correction(self) -> Correction:
        """Compare with the grades what would be believed now; studied tasks had no verdict."""
        truth, verdict = self._journal["truth"], self._journal["verdict"]
        told = (truth >= 0) & (verdict >= 0) & (self._journal["n_options"] >= 2)
        items = np.flatnonzero(told)[-self.settings.correction_grades :]
        judged, logarithms = self._journal.judged(items), self._watch.log_rates
        best, confidence = likeliest(judged, self._rates.difficulty, *logarithms)
        return fit_correction(confidence, best == truth[items])

    def _take_up_rates(self) -> None:
        """Draw the exploration noise, choose the pool and drop what was made with old rates."""
        rng = np.random.default_rng([self._seed, self._refits])
        self._watch.take_up(self._rates)
        self._explored = explored(self._rates.topical, self._calls, self.settings.jitter, rng)
        accuracy = self._accuracy = estimated_accuracy(self._rates)
        self._pool = choose_pool(
            accuracy, self._labels, self.prices, self._budget.price, self.settings
        )
        self._speakers = speakers(self._groups, accuracy, self._labels, self.prices)
        trusted = self._pool & ~self._on_probation()
        self._pool = trusted if trusted.any() else self._pool
        self._forget_tables()

    def _forget_tables(self) -> None:
        self._accuracy = estimated_accuracy(self._rates)
        self._tables: dict[tuple[int, int], RateTable] = {}
        self._beliefs: dict[tuple[Any, ...], Belief] = {}
        self._finished: dict[tuple[Any, ...], Finished] = {}
        self._forget_values()

    def _forget_values(self) -> None:
        self._kept: dict[tuple[Any, ...], Decision] = {}
        self._call_prices: FloatArray = self._budget.quoted * self.prices

    def _finish(
        self, topic: int, n_options: int | None, experts: ArrayLike, answers: ArrayLike
    ) -> Finished:
        """Judge a task's answers; what was judged before was checked before."""
        key = call_key(topic, n_options, experts, answers)
        if key is not None and key in self._finished:
            return self._finished[key]
        asked, given = checked_calls(topic, n_options, experts, answers, self._shape)
        options = self._options(n_options, given)
        chance = restated(self._believed(topic, n_options, asked, given), self._correction).answers
        best = int(chance.argmax()) if chance.shape[0] else EMPTY
        finished = Finished(
            asked,
            given,
            options,
            (best, float(chance[best]) if best >= 0 else 0.0),
            self._watch.evidence(one_task(topic, options, asked, given)),
        )
        if key is not None:
            self._finished[key] = finished
        return finished

    def _believed(
        self, topic: int, n_options: int | None, asked: IntArray, given: IntArray
    ) -> Belief:
        key = (topic, n_options, asked.tobytes(), given.tobytes())
        if key not in self._beliefs:
            options = self._options(n_options, given)
            chance = answer_chances(
                self._rates.difficulty[topic],
                self._table_of(topic, options).log_believed,
                asked,
                given,
                self._room(given),
                float(max(options, 2)),
            )
            chance.flags.writeable = False
            self._beliefs[key] = Belief(chance, max(1.0 - float(chance.sum()), 0.0))
        return self._beliefs[key]

    def _options(self, n_options: int | None, given: IntArray) -> int:
        count = self.settings.open_options if n_options is None else n_options
        return max(count, max(given.tolist(), default=EMPTY) + 1, 1)

    def _room(self, given: IntArray) -> Evidence:
        """Scratch for the answers given and what a look-ahead may add."""
        needed = max(given.tolist(), default=EMPTY) + 4
        if needed > self._scratch.joint.shape[2]:
            self._scratch = new_evidence(4, 2 * needed, self.settings.classes)
        return self._scratch

    def _table_of(self, topic: int, options: int) -> RateTable:
        """Rates of a topic, kept until the next refit."""
        if (topic, options) not in self._tables:
            self._tables[topic, options] = rate_table(
                self._rates.difficulty[topic],
                self._explored[topic],
                self._rates.topical[topic],
                options,
            )
        return self._tables[topic, options]

    def _check_item(self, item: int) -> None:
        if not (isinstance(item, int | np.integer) and 0 <= item < len(self._journal)):
            raise InputError(f"item = {item!r}: {len(self._journal)} tasks have been recorded")


@kernel
def _count_calls(experts: IntArray, calls: IntArray, topical: IntArray) -> None:
    """Count a call of each expert, in all and on its topic."""
    for expert in experts:
        calls[expert] += 1
        topical[expert] += 1
