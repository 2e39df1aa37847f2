"""Latent-difficulty panel: whom to ask next, when to stop, and what to believe.

One model of experts, tasks and shared mistakes (`panel_likelihood`) is learned from the answers
paid for and the few that are graded (`panel_learning`); looking a few calls ahead in it
(`panel_lookahead`) says whether another answer is worth its price. A price of money, lambda,
holds the mean cost of a task at the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.panel_history import Journal
from swarmloom_protocols.consensus.panel_learning import Learner, Rates, shifted
from swarmloom_protocols.consensus.panel_likelihood import (
    EMPTY,
    RIGHT,
    Evidence,
    marginals,
    new_evidence,
    option_rates,
    weigh_answers,
)
from swarmloom_protocols.consensus.panel_lookahead import Menu, ask_values, current_value

__all__ = ["EMPTY", "Panel", "PanelSettings"]


@dataclass(frozen=True)
class PanelSettings:
    """Settings of a `Panel`; the defaults are those measured on the public answer tables."""

    target_cost: float = 1.0
    classes: int = 5
    slope: float = 3.0
    prior_strength: float = 15.0
    ability_spread: float = 0.7
    price_lean: float = 0.4
    topic_strength: float = 60.0
    difficulty_strength: float = 400.0
    ungraded_weight: float = 20.0
    first_refit: int = 10
    refit_share: float = 0.2
    longest_refit: int = 500
    max_asks: int = 8
    depth: int = 2
    opening_depth: int = 3
    opening_asks: int = 2
    width: int = 8
    open_options: int = 1000
    audit_share: float = 0.05
    audit_root: float = 2.0
    audit_labels: int = 8
    jitter: float = 0.3
    price_start: float = 0.03
    price_step: float = 0.004
    price_floor: float = 3e-4
    price_ceiling: float = 0.2
    prune_error: float = 0.5
    prune_price: float = 0.25


class Panel:
    def __init__(self, prices, n_topics, settings, rng):
        self.prices = np.array(prices, np.float64)
        self.settings = settings
        self.n_topics = n_topics
        self._seed = int(rng.integers(2**62))
        n = self.prices.shape[0]
        log_price = np.log(np.maximum(self.prices, 1e-9))
        sd = log_price.std()
        lean = settings.price_lean * (log_price - log_price.mean()) / (sd if sd > 0 else 1.0)
        s = settings
        self._learner = Learner(lean, s.classes, s.slope, s.prior_strength, s.ability_spread,
                                s.topic_strength, s.difficulty_strength)
        self.journal = Journal()
        self.rates = self._learner.start(n_topics)
        self.price = s.price_start
        self._frozen_price = self.price
        self.spent = 0.0
        self.audit_spent = 0.0
        self.labels = np.zeros(n, np.int64)
        self.calls = np.zeros(n)
        self.grades = 0
        self.refits = 0
        self.next_refit = s.first_refit
        self._asked = {}
        self.scratch = new_evidence(5, 8 + n, s.classes)
        self._after_refit()

    def _after_refit(self):
        s = self.settings
        rng = np.random.Generator(np.random.PCG64([self._seed, self.refits]))
        noise = rng.standard_normal(self.prices.shape[0]) * s.jitter / np.sqrt(1 + self.calls)
        out = np.stack([shifted(t, noise[None])[0] for t in self.rates.topical])
        self.optimistic = out
        self.pool = self._make_pool()
        self._tables = {}
        self._cache = {}

    def estimates(self):
        pi = self.rates.difficulty.mean(0)
        return self.rates.outcome[..., RIGHT] @ pi

    def dominated(self):
        s = self.settings
        est = self.estimates()
        err = s.prune_error / np.sqrt(self.labels + 2)
        c = self.prices
        lead = (est[:, None] - est[None, :] + self.price * (c[None, :] - c[:, None]) * s.prune_price)
        both = np.hypot(err[:, None], err[None, :])
        beats = (lead > both) & (c[:, None] <= c[None, :])
        np.fill_diagonal(beats, False)
        return beats.sum(0) >= 2

    def _make_pool(self):
        return ~self.dominated()

    def table(self, topic, n):
        got = self._tables.get((topic, n))
        if got is None:
            r = option_rates(self.optimistic[topic], n)
            l = np.log(option_rates(self.rates.topical[topic], n))
            got = self._tables[topic, n] = (r, np.log(r), l)
        return got

    def options(self, n_options, answers):
        n = n_options if n_options > 0 else self.settings.open_options
        return max(n, int(answers.max(initial=-1)) + 1)

    def values(self, topic, n_options, experts, answers, allowed=None):
        s = self.settings
        experts = np.asarray(experts, np.int64); answers = np.asarray(answers, np.int64)
        n = self.options(n_options, answers)
        key = None
        if len(experts) < s.opening_asks and allowed is None:
            key = (topic, n, tuple(experts.tolist()), tuple(answers.tolist()))
            got = self._cache.get(key)
            if got is not None:
                return got
        r, lr, _ = self.table(topic, n)
        pool = self.pool if allowed is None else self.pool & allowed
        taken = np.zeros(len(self.prices), np.bool_)
        taken[experts] = True
        ev = self.scratch
        weigh_answers(self.rates.difficulty[topic], lr, experts, answers, ev)
        cand = np.flatnonzero(pool & ~taken)
        vals = np.full(len(self.prices), -np.inf)
        menu = Menu(r, self._frozen_price * self.prices, cand, taken, float(n))
        depth = s.opening_depth if len(experts) < s.opening_asks else s.depth
        now = ask_values(ev, menu, depth, s.width, vals)
        if key is not None:
            self._cache[key] = (now, vals)
        return now, vals

    def next(self, topic, n_options, experts, answers, allowed=None):
        if len(experts) >= self.settings.max_asks:
            return -1
        now, vals = self.values(topic, n_options, experts, answers, allowed)
        j = int(np.argmax(vals))
        if vals[j] == -np.inf or (vals[j] <= now and len(experts)):
            return -1
        return j

    def posterior(self, topic, n_options, experts, answers):
        experts = np.asarray(experts, np.int64); answers = np.asarray(answers, np.int64)
        n = self.options(n_options, answers)
        _, _, lp = self.table(topic, n)
        ev = self.scratch
        weigh_answers(self.rates.difficulty[topic], lp, experts, answers, ev)
        total = marginals(ev, 0, float(n))
        m = ev.named[0]
        p = ev.truth[0, 1:m + 1].sum(-1) / total
        return p

    def record(self, topic, n_options, experts, answers, costs):
        s = self.settings
        answers = np.asarray(answers, np.int64)
        p = self.posterior(topic, n_options, experts, answers)
        v = int(np.argmax(p)) if len(p) else -1
        n = self.options(n_options, answers)
        item = self.journal.add_task(topic, n, v, float(p[v]) if v >= 0 else 0.0)
        total = 0.0
        for e, a, c in zip(experts, answers.tolist(), costs):
            self.journal.add_call(item, e, a, c)
            self.calls[e] += 1
            total += c
        self._asked[item] = list(experts)
        self.spend(total)
        if len(self.journal) >= self.next_refit:
            self.refit()
        return item

    def spend(self, cost):
        s = self.settings
        self.spent += cost
        b = s.target_cost
        self.price = float(np.clip(self.price * np.exp(s.price_step * min(3.0, (cost - b) / b)),
                             s.price_floor, s.price_ceiling))
        if abs(np.log(self.price / self._frozen_price)) > 0.05:
            self._frozen_price = self.price
            self._cache = {}

    def refit(self):
        s = self.settings
        t = len(self.journal)
        w = s.ungraded_weight / (s.ungraded_weight + self.grades)
        sweeps = 6 if t < 1000 else 2
        self.rates = self._learner.refit(self.rates, self.journal.history(), w, sweeps)
        self.refits += 1
        self.next_refit = t + max(20, min(s.longest_refit, int(t * s.refit_share)))
        self._frozen_price = self.price
        self._after_refit()

    def grade(self, item, truth):
        self.journal["truth"][item] = truth
        self.grades += 1
        for e in self._asked[item]:
            self.labels[e] += 1

    def audit(self, item):
        s = self.settings
        room = s.audit_share * self.spent + s.audit_root * np.sqrt(self.spent * self.prices.sum()) - self.audit_spent
        score = (self.labels + 0.5) * np.sqrt(self.prices)
        open_ = np.ones(len(self.prices), bool)
        open_[self._asked[item]] = False
        open_ &= (self.labels < s.audit_labels) | self.pool
        open_ &= self.prices <= room
        if not open_.any():
            return -1
        return int(np.argmin(np.where(open_, score, np.inf)))

    def add_answer(self, item, expert, answer, cost):
        self.journal.add_call(item, expert, answer, cost)
        self._asked[item].append(expert)
        self.labels[expert] += 1
        self.calls[expert] += 1
        self.audit_spent += cost
        self.spent += cost
        s = self.settings
        self.price = float(np.clip(self.price * np.exp(s.price_step * cost / s.target_cost),
                             s.price_floor, s.price_ceiling))
