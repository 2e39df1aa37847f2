"""The consensus protocol as a plugin: verdict, posterior, whom to ask next and when to stop.

All four come from one model, the latent-difficulty panel of `swarmloom_protocols.consensus.panel`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from swarmloom.markers import hookimpl
from swarmloom.memory_plan import MemoryPlan, Region
from swarmloom.protocol import ManagerTool, ProtocolConfig, ProtocolType
from swarmloom.types import Ballot, Outcome, Proposal, Round, Task, Verdict
from swarmloom_protocols.consensus.panel import EMPTY, AskValues, Panel, PanelSettings

if TYPE_CHECKING:
    from swarmloom.swarm import Swarm

__all__ = ["Consensus", "ConsensusConfig"]

# Right, nothing, the popular wrong answer, another wrong one.
_ANSWER_KINDS = 4


class ConsensusConfig(ProtocolConfig):
    """Settings of the consensus protocol."""

    target_cost: float | None = Field(
        None,
        gt=0,
        description="Mean cost of a task that the panel steers to, audits included, in the unit of "
        "the experts' prices; unset: the price of the two cheapest experts together.",
    )
    max_answers: int = Field(8, ge=1, description="Answers bought for one task at most.")
    audit_share: float = Field(
        PanelSettings.audit_share,
        ge=0,
        le=1,
        description="Share of the spending that may go into audits: further answers to graded "
        "tasks, bought to learn about the experts that were not asked.",
    )
    sharpness: float = Field(
        0.01,
        gt=0,
        description="Expected gain (probability of a right answer, net of the price) that counts "
        "as one unit of log-odds in the mixture.",
    )
    reach: float = Field(
        12.0,
        gt=0,
        description="Log-odds by which an expert outside the panel's pool is behind its best one.",
    )


class Consensus:
    """The panel rule behind the hooks `navigate`, `judge`, `audit` and `evolve`."""

    name: ClassVar[str] = "consensus"
    Config: ClassVar[type[ProtocolConfig]] = ConsensusConfig

    def __init__(self, config: ConsensusConfig) -> None:
        self._config = config
        self._panel: Panel | None = None
        self._names: tuple[str, ...] = ()
        self._declared: tuple[float, ...] = ()
        self._settings = PanelSettings()
        # Row 0 of the panel is left to topics without an outcome; numbers are given in the order
        # of the outcomes, so that a resumed run gives the same ones.
        self._topics: dict[str, int] = {}
        # A manager reads from the thread that its tools run in.
        self._lock = threading.RLock()

    @hookimpl
    def swarmloom_plan_memory(self, plan: MemoryPlan, experts: int) -> None:
        """Plan the panel's rates over all topics and, as learned and as explored, of the first."""
        classes = self._settings.classes
        plan.add(Region.OPINION, "consensus rates", (3, experts, classes, _ANSWER_KINDS), "float64")
        plan.add(Region.OPINION, "consensus experts", (8, experts), "float64")

    @hookimpl
    def swarmloom_initialize(self, swarm: Swarm) -> None:
        """Make a panel for the swarm's experts; the same ones at the same prices keep theirs."""
        names = tuple(expert.name for expert in swarm.experts)
        declared = tuple(expert.price for expert in swarm.experts)
        with self._lock:
            if names and (names, declared) != (self._names, self._declared):
                self._begin(names, declared, swarm.settings.swarm.seed)

    @hookimpl
    def swarmloom_navigate(self, round: Round) -> Proposal | None:
        """Give the value of asking each expert next, as log-odds."""
        with self._lock:
            if self._panel is None:
                return None
            affinity = np.zeros(round.allowed.shape, dtype=np.float32)
            for row, task in enumerate(round.tasks):
                if task.quorum != 1:
                    affinity[row] = self._affinity(task, round.ballots[row], round.allowed[row])
            return Proposal(affinity)

    @hookimpl
    def swarmloom_judge(self, round: Round) -> list[Verdict] | None:
        """Weigh the answers, and stop when no further one is worth its price."""
        with self._lock:
            if self._panel is None:
                return None
            return [
                self._verdict(task, ballots, allowed)
                for task, ballots, allowed in zip(
                    round.tasks, round.ballots, round.allowed, strict=True
                )
            ]

    @hookimpl
    def swarmloom_audit(self, outcomes: Sequence[Outcome]) -> list[tuple[int, ...]] | None:
        """Name for each graded task the expert whose answer teaches most for its price."""
        with self._lock:
            if self._panel is None:
                return None
            return [self._audit(outcome) for outcome in outcomes]

    @hookimpl
    def swarmloom_evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from what was paid for, and from the truth where there is one."""
        with self._lock:
            for outcome in outcomes:
                if outcome.ballots and outcome.task.quorum != 1:
                    self._learn(outcome)

    @hookimpl
    def swarmloom_snapshot(self) -> dict[str, Any] | None:
        """Give the panel's state, its experts and topics."""
        with self._lock:
            if self._panel is None:
                return None
            return {
                "experts": list(self._names),
                "topics": dict(self._topics),
                "panel": self._panel.state(),
            }

    @hookimpl
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take a snapshot back if it is about the same experts."""
        with self._lock:
            if tuple(state["experts"]) == self._names:
                self._panel = Panel.from_state(state["panel"], self._settings)
                self._topics = dict(state["topics"])

    def report(self) -> dict[str, Any]:
        """Tell what the panel believes of each expert, and what money is worth to it."""
        with self._lock:
            if self._panel is None:
                return {}
            report = self._panel.report()
            return {
                "price_of_money": report.price_of_money,
                "mean_cost": report.mean_cost,
                "audit_cost": report.audit_cost,
                "experts": {
                    name: {
                        "accuracy": round(float(report.accuracy[index]), 4),
                        "price": round(float(self._panel.prices[index]), 4),
                        "calls": int(report.calls[index]),
                        "graded": int(report.labels[index]),
                        "in_pool": bool(report.pool[index]),
                    }
                    for index, name in enumerate(self._names)
                },
            }

    def _begin(self, names: tuple[str, ...], declared: tuple[float, ...], seed: int) -> None:
        prices = np.array(declared, dtype=np.float64)
        self._settings = self._panel_settings(prices)
        rng = np.random.default_rng([seed, len(names)])
        self._panel = Panel(prices, 1, self._settings, rng=rng)
        self._names, self._declared, self._topics = names, declared, {}

    # -- one task -------------------------------------------------------------------------------

    def _panel_settings(self, prices: np.ndarray[Any, np.dtype[np.float64]]) -> PanelSettings:
        two_cheapest = float(np.sort(prices)[:2].sum()) or 1.0
        return PanelSettings(
            target_cost=self._config.target_cost or two_cheapest,
            max_asks=self._config.max_answers,
            audit_share=self._config.audit_share,
        )

    def _values(
        self, task: Task, ballots: Sequence[Ballot], allowed: np.ndarray[Any, Any]
    ) -> AskValues:
        assert self._panel is not None
        experts, answers, _ = encoded(ballots)
        topic = self._topics.get(task.topic, 0)
        return self._panel.values(topic, task.options, experts, answers, allowed)

    def _affinity(
        self, task: Task, ballots: Sequence[Ballot], allowed: np.ndarray[Any, Any]
    ) -> np.ndarray[Any, Any]:
        values = self._values(task, ballots, allowed).ask
        best = values.max(initial=-np.inf)
        if not np.isfinite(best):
            return np.zeros(len(values))
        affinity: np.ndarray[Any, Any] = np.maximum(
            (values - best) / self._config.sharpness, -self._config.reach
        )
        return affinity

    def _verdict(
        self, task: Task, ballots: Sequence[Ballot], allowed: np.ndarray[Any, Any]
    ) -> Verdict:
        assert self._panel is not None
        experts, answers, distinct = encoded(ballots)
        if not distinct:
            return Verdict(task.id, None, {}, stop=False)
        topic = self._topics.get(task.topic, 0)
        belief = self._panel.posterior(topic, task.options, experts, answers)
        posterior = dict(zip(distinct, np.clip(belief.answers, 0.0, 1.0).tolist(), strict=True))
        return Verdict(
            task.id,
            max(posterior, key=lambda answer: posterior[answer]),
            posterior,
            stop=task.quorum == 1 or self._enough(task, ballots, allowed),
        )

    def _enough(self, task: Task, ballots: Sequence[Ballot], allowed: np.ndarray[Any, Any]) -> bool:
        if len(ballots) >= self._config.max_answers:
            return True
        stop, ask = self._values(task, ballots, allowed)
        return bool(ask.max(initial=-np.inf) <= stop)

    # -- learning -------------------------------------------------------------------------------

    def _audit(self, outcome: Outcome) -> tuple[int, ...]:
        assert self._panel is not None
        asked = [ballot.expert for ballot in outcome.ballots]
        bought = sum(ballot.cost for ballot in outcome.ballots if ballot.audit)
        expert = self._panel.next_audit(asked, bought)
        return () if expert < 0 else (expert,)

    def _learn(self, outcome: Outcome) -> None:
        assert self._panel is not None
        task = outcome.task
        topic = self._topics.setdefault(task.topic, len(self._topics) + 1)
        self._panel.ensure_topics(topic + 1)
        experts, answers, distinct = encoded(outcome.ballots)
        costs = np.array([ballot.cost for ballot in outcome.ballots])
        audit = np.array([ballot.audit for ballot in outcome.ballots])
        item = self._panel.record(
            topic, task.options, experts[~audit], answers[~audit], costs[~audit]
        )
        if outcome.truth is not None:
            self._panel.grade(item, _code(outcome.truth, distinct))
        for expert, answer, cost in zip(
            experts[audit].tolist(), answers[audit].tolist(), costs[audit].tolist(), strict=True
        ):
            self._panel.add_answer(item, expert, answer, cost)


def encoded(
    ballots: Sequence[Ballot],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[str]]:
    """Give the answers of one task numbers, in order of appearance.

    Parameters
    ----------
    ballots : sequence of Ballot

    Returns
    -------
    experts : ndarray of int64
    answers : ndarray of int64
        `EMPTY` for a failure.
    distinct : list of str
        The answers by number.
    """
    numbers: dict[str, int] = {}
    answers = [
        numbers.setdefault(ballot.answer or "", len(numbers)) if ballot.succeeded else EMPTY
        for ballot in ballots
    ]
    experts = np.array([ballot.expert for ballot in ballots], dtype=np.int64)
    return experts, np.array(answers, dtype=np.int64), list(numbers)


def _code(truth: str, distinct: Sequence[str]) -> int:
    return distinct.index(truth) if truth in distinct else len(distinct)


def _show_trust(swarm: Swarm) -> str:
    consensus = swarm.host.protocols.get(Consensus.name)
    return json.dumps(consensus.report() if isinstance(consensus, Consensus) else {})


@hookimpl
def swarmloom_register_protocols(register: Callable[[type[ProtocolType]], None]) -> None:
    """Bring the consensus protocol."""
    register(Consensus)


@hookimpl
def swarmloom_register_tools(register: Callable[[ManagerTool], None]) -> None:
    """Bring the manager's view of the panel."""
    register(
        ManagerTool(
            "show_trust",
            "Show what the panel knows of each expert: accuracy, price, calls, graded answers.",
            _show_trust,
        )
    )
