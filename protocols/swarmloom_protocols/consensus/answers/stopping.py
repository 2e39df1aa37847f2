"""Whom to ask next, and when enough of a crew has answered."""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.answers.ballots import (
    NO_ANSWER,
    Groups,
    compact,
    group_ballots,
    group_rows,
    weights_of,
)
from swarmloom_protocols.consensus.answers.calibration import Calibration, posteriors
from swarmloom_protocols.consensus.answers.evidence import betting_evidence
from swarmloom_protocols.consensus.answers.foresight import best_gain
from swarmloom_protocols.consensus.answers.tally import leaders, tallies

__all__ = ["StopRule", "Stopper"]

StopRule = Literal["lead", "locked", "evalue", "worth"]

# A lead has to exceed the open weight by more than rounding, as a share of all weights.
ROUNDING = 1e-12


class Stopper:
    """Sequential weighted vote over one item: the most trusted first, until enough is known.

    Parameters
    ----------
    weights : array-like of float, shape (agents,)
        Trust, such as `Decision.weights` or `CrewTrust.weights`; finite, from 0.
    prices : array-like of float, shape (agents,), optional
        Price of an answer of each (> 0). Agents are asked by trust per price; without prices by
        trust.
    rule : {"lead", "locked", "evalue", "worth"}, optional
        "lead" stops when the leading answer is ahead by more than `share` of the weight that has
        not spoken; "locked" when nothing can change the answer of the full vote; "evalue" when the
        evidence against every rival reaches `evidence`; "worth" when no answer is worth its price.
    share : float, optional
        Of "lead", from 0 to 1; 1 stops as "locked" does where no agents share a group.
    groups : sequence of hashable, length agents, optional
        Models behind the agents. A group has one voice, of the weight of its most trusted agent.
    most : int, optional
        Calls after which it stops in any case; all agents by default.
    evidence : float, optional
        Threshold of "evalue" (> 1); 1 in `evidence` is the level of the test.
    value : float, optional
        What a right verdict is worth, in the unit of the prices (> 0).
    ahead : int, optional
        Answers that `worth` looks ahead (1 to 4).
    calibration : Calibration, optional
        From shares to probabilities, as `ShareCounts.fit` gives it.

    Raises
    ------
    InputError
        An argument is out of bounds.

    Notes
    -----
    The evidence of "evalue" is a product of bets, each at most the agent's trust relative to the
    most trusted one: a test martingale (Ville 1939; Shafer 2021) for "the rival would be preferred
    at least as often", valid at any time of stopping for agents whose answers are independent
    given the item. Agents that err together do not keep this promise.
    """

    def __init__(
        self,
        weights: ArrayLike,
        *,
        prices: ArrayLike | None = None,
        rule: StopRule = "lead",
        share: float = 0.5,
        groups: Groups | None = None,
        most: int | None = None,
        evidence: float = 5.0,
        value: float = 1.0,
        ahead: int = 3,
        calibration: Calibration | None = None,
    ) -> None:
        n_agents = int(np.asarray(weights).size)
        if n_agents == 0:
            raise InputError("weights: empty; allowed: one agent or more")
        if rule not in get_args(StopRule):
            allowed = ", ".join(map(repr, get_args(StopRule)))
            raise InputError(f"rule: {rule!r}; allowed: {allowed}")
        self._weights = weights_of(weights, n_agents)
        self._rows = group_rows(groups, n_agents)
        self._voices = np.zeros(int(self._rows.max()) + 1)
        np.maximum.at(self._voices, self._rows, self._weights)
        self._prices = _prices(prices, n_agents)
        self._order = np.argsort(-self._weights / self._prices, kind="stable")
        self._priced = prices is not None
        self._rule, self._share = rule, between("share", share, 0.0, 1.0)
        self._most = n_agents if most is None else whole("most", most, 1)
        self._evidence = positive("evidence", evidence)
        self._value = positive("value", value)
        self._ahead = whole("ahead", ahead, 1, 4)
        self._calibration = calibration or Calibration()
        self._answers = np.full((1, n_agents), NO_ANSWER)
        self._asked = np.zeros(n_agents, bool)
        self._following: int | None = None

    @property
    def calls(self) -> int:
        """How many agents have been asked."""
        return int(self._asked.sum())

    def next(self) -> int:
        """Return the agent to ask next, −1 to stop.

        Agents whose model has spoken come after all others, and under no rule but "locked".
        """
        if self._following is None:
            self._following = self._choose()
        return self._following

    def _choose(self) -> int:
        if self._enough():
            return -1
        return self._most_worth() if self._rule == "worth" else self._queue()[0]

    def update(self, agent: int, answer: int) -> bool:
        """Take an agent's answer.

        Parameters
        ----------
        agent : int
            Its row; each agent answers once.
        answer : int
            Any code from 0, equal for equal answers; −1 for none.

        Returns
        -------
        bool
            Whether to stop.

        Raises
        ------
        InputError
            There is no such agent, it has answered, or the code is below −1.
        """
        row = whole("agent", agent, 0, self._asked.size - 1)
        if self._asked[row]:
            raise InputError(f"agent: {row} has answered already; each answers once")
        self._answers[0, row] = whole("answer", answer, NO_ANSWER)
        self._asked[row] = True
        self._following = None
        return self.next() < 0

    @property
    def answer(self) -> int:
        """The leading answer's code as it was given; −1 if nobody answered."""
        codes, originals = compact(self._answers)
        voiced = group_ballots(codes, self._rows)
        leader = int(leaders(voiced, tallies(voiced, self._voices))[0])
        return int(originals[0, leader]) if leader >= 0 else NO_ANSWER

    @property
    def posterior(self) -> dict[int, float]:
        """Probability of each answer given so far, by its code; the rest is "none of them"."""
        codes, originals = compact(self._answers)
        voiced = group_ballots(codes, self._rows)
        (p,) = posteriors(voiced, self._voices, self._calibration)
        return {int(code): float(p_code) for code, p_code in zip(originals[0], p, strict=False)}

    def worth(self, agent: int) -> float:
        """Say what an agent's answer is worth, less its price.

        Parameters
        ----------
        agent : int
            An agent that has not been asked.

        Returns
        -------
        float
            Expected rise in the probability of the verdict times `value`, less the prices: of
            asking this agent and then, each time only if that is better than to stop, the next of
            the queue, `ahead` answers in all. An answer that cannot turn the verdict by itself is
            worth what it is to those after it. Without prices, answers are free.

        Raises
        ------
        InputError
            There is no such agent, or it has been asked.

        Notes
        -----
        The next answer's distribution is the posterior itself: `Calibration` is learned as the
        chance that one more agent gives an answer with such a share.
        """
        row = whole("agent", agent, 0, self._asked.size - 1)
        if self._asked[row]:
            raise InputError(f"agent: {row} has answered already")
        if self._spoken()[self._rows[row]]:
            return -self._price(row)
        return self._foresee(*self._plan(row))

    def _plan(self, row: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return weights and prices of an agent and of those to be asked after it."""
        later = [other for other in self._queue() if self._rows[other] != self._rows[row]]
        plan = [row, *_one_a_group(later, self._rows)][: self._ahead]
        weights = (float(self._voices[self._rows[agent]]) for agent in plan)
        return tuple(weights), tuple(self._price(agent) for agent in plan)

    def _foresee(self, weights: tuple[float, ...], prices: tuple[float, ...]) -> float:
        """Return what asking agents of such weights and prices one after another is worth."""
        voiced = group_ballots(compact(self._answers)[0], self._rows)
        sums = tallies(voiced, self._voices)[0, : int(voiced.max(initial=-1)) + 1]
        line = (self._calibration.intercept, self._calibration.slope)
        voice = float(self._voices.max())
        paid = np.array(prices) / self._value
        return self._value * best_gain(sums, voice, np.array(weights), paid, *line)

    def _price(self, agent: int) -> float:
        return float(self._prices[agent]) if self._priced else 0.0

    def _most_worth(self) -> int:
        # All in the queue are silent, and agents alike are worth the same: each kind counts once.
        plans = {self._plan(agent): agent for agent in reversed(self._queue())}
        worth = {agent: self._foresee(*plan) for plan, agent in plans.items()}
        best = max(sorted(worth, key=self._queue().index), key=lambda agent: worth[agent])
        return best if worth[best] > 0.0 else -1

    def _spoken(self) -> BoolArray:
        """Tell which groups have given an answer."""
        spoken = np.zeros(self._voices.size, bool)
        spoken[self._rows[self._answers[0] >= 0]] = True
        return spoken

    def _queue(self) -> list[int]:
        """Return who is left to ask, in order."""
        left = [int(agent) for agent in self._order if not self._asked[agent]]
        spoken = self._spoken()
        silent = [agent for agent in left if not spoken[self._rows[agent]]]
        if self._rule != "locked":
            return silent
        return silent + [agent for agent in left if spoken[self._rows[agent]]]

    def _enough(self) -> bool:
        if self.calls >= self._most or not self._queue():
            return True
        if not self.calls or self._rule == "worth":
            return False
        codes, _ = compact(self._answers)
        voiced = group_ballots(codes, self._rows)
        if self._rule == "evalue":
            return betting_evidence(voiced[0], self._voices) >= self._evidence
        if self._rule == "locked":
            return self._is_locked(codes[0], voiced)
        open_weight = self._open(self._spoken())
        return _lead(tallies(voiced, self._voices)) > self._share * open_weight + self._rounding()

    def _rounding(self) -> float:
        return ROUNDING * float(self._voices.sum())

    def _open(self, closed: BoolArray) -> float:
        """Return the weight of the groups that may still speak."""
        left = np.zeros(self._voices.size, bool)
        left[self._rows[~self._asked]] = True
        return float(self._voices[left & ~closed].sum())

    def _is_locked(self, codes: IntArray, voiced: IntArray) -> bool:
        """Tell whether no further answers can change the full vote's answer."""
        settled = partial(_settled, codes, self._asked, self._rows)
        closed = np.array([settled(group) for group in range(self._voices.size)])
        fixed = np.where(closed, voiced, NO_ANSWER)
        lead = _lead(tallies(fixed, self._voices))
        return lead > self._open(closed) + self._rounding()


def _prices(prices: ArrayLike | None, n_agents: int) -> FloatArray:
    if prices is None:
        return np.ones(n_agents)
    vector = np.asarray(prices, np.float64)
    if vector.shape != (n_agents,) or not (np.isfinite(vector) & (vector > 0.0)).all():
        raise InputError(f"prices: {vector}; allowed: {n_agents} finite numbers above 0")
    return vector


def _one_a_group(agents: list[int], rows: IntArray) -> list[int]:
    """Return the first agent of each group, in order."""
    first: dict[int, int] = {}
    for agent in agents:
        first.setdefault(int(rows[agent]), agent)
    return list(first.values())


def _lead(sums: FloatArray) -> float:
    """Return by how much the first answer of one item is ahead of the second."""
    ranked = np.sort(np.append(sums[0], 0.0))
    return float(ranked[-1] - ranked[-2])


def _settled(codes: IntArray, asked: BoolArray, rows: IntArray, group: int) -> bool:
    """Tell whether the plurality of a group is beyond what its silent agents could change."""
    members = rows == group
    left = int((members & ~asked).sum())
    counts = np.sort(np.append(np.bincount(codes[members & (codes >= 0)]), [0, 0]))
    return left == 0 or bool(counts[-1] - counts[-2] > left)
