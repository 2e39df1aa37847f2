"""Orchestration: who takes what, exactly; what scarce experts are worth; who can do what.

It decides. Where no expert is short of places each task gets its best expert; where one is, the
assignment is exact; where protocols have coupled choices, it is annealed. It also has an opinion of
its own, from two things that it sees and the others do not:

- Scarcity. A call that is given to an expert keeps the tasks of later rounds from it. The price of
  a place is the share of rounds in which the expert was full times the mean value of what it had to
  turn away then: the displacement cost of revenue management (K. Talluri and G. van Ryzin, "An
  analysis of bid-price controls for network revenue management", Management Science 44, 1998). Easy
  tasks so leave an expert free whom others need more.
- Skills. Experts with the same skills share one record by demanded skill, so what a newcomer can
  do is known before its first call.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from swarmloom.errors import PluginError
from swarmloom.markers import hookimpl
from swarmloom.protocol import ManagerTool, ProtocolConfig, ProtocolType
from swarmloom.types import (
    Assignment,
    Expert,
    Float64Array,
    IntArray,
    Mixture,
    Outcome,
    Proposal,
    Round,
)
from swarmloom_protocols.orchestration.assignment import PricedAssignment, solve_priced
from swarmloom_protocols.orchestration.coupled import solve_coupled
from swarmloom_protocols.orchestration.skills import SkillRecord

if TYPE_CHECKING:
    from scipy import sparse

    from swarmloom.swarm import Swarm

__all__ = [
    "Orchestration",
    "OrchestrationConfig",
    "swarmloom_register_protocols",
    "swarmloom_register_tools",
]

# Far below any difference in log-odds that could mean something.
_TIE = 1e-9


class OrchestrationConfig(ProtocolConfig):
    """Configuration of the orchestration protocol."""

    pricing: bool = Field(
        True, description="Keep experts that are often full for the tasks that need them most."
    )
    price_memory: int = Field(
        50, ge=1, description="Rounds over which load and turned-away value are averaged."
    )
    max_price: float = Field(
        4.0, ge=0.0, description="Highest price of an expert's place, in log-odds."
    )
    skill_prior: float = Field(
        4.0,
        gt=0.0,
        description="Answers a set of skills must have given before its own record counts half.",
    )
    sweeps: int = Field(
        100, ge=1, description="Annealing steps for each allowed pair when choices are coupled."
    )
    max_steps: int = Field(
        1_000_000, ge=1, description="Upper limit of the annealing steps in a round."
    )
    seconds: float = Field(
        1.0,
        gt=0.0,
        description=(
            "Ceiling for the annealing in a round; a run that reaches it is not reproducible."
        ),
    )


class Orchestration:
    """The orchestration protocol of one swarm.

    Parameters
    ----------
    config : OrchestrationConfig
    """

    name: ClassVar[str] = "orchestration"
    Config: ClassVar[type[ProtocolConfig]] = OrchestrationConfig

    def __init__(self, config: OrchestrationConfig) -> None:
        self._config = config
        self._skills = SkillRecord(config.skill_prior)
        self._experts: tuple[Expert, ...] = ()
        self._busy = np.zeros(0)
        self._turned_away = np.zeros(0)
        self._calls = np.zeros(0, dtype=np.int64)
        # A manager reads from the thread that its tools run in.
        self._lock = threading.RLock()

    # -- hooks ------------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_initialize(self, swarm: Swarm) -> None:
        """Make room for the experts; those that stay keep their load."""
        with self._lock:
            self._adopt(swarm.experts)

    @hookimpl
    def swarmloom_navigate(self, round: Round) -> Proposal | None:
        """Say how the experts' skills fit the demands, less the price of their places."""
        with self._lock:
            self._adopt(round.experts)
            affinity = self._skills.affinity([task.demands for task in round.tasks])
            price = self.prices if self._config.pricing else np.zeros(len(round.experts))
            if not affinity.any() and not price.any():
                return None
            return Proposal((affinity - price).astype(np.float32))

    @hookimpl
    def swarmloom_decide(self, round: Round, mixture: Mixture) -> Assignment:
        """Assign as many tasks as possible and, among those, reach the largest mixture."""
        with self._lock:
            self._adopt(round.experts)
            scores = _scores(round, mixture)
            room = np.array([expert.capacity for expert in round.experts], dtype=np.int64)
            room = np.maximum(room - round.in_flight, 0)
            plan = solve_priced(scores, room)
            expert, solver = plan.expert, "assignment" if plan.binding else "argmax"
            if mixture.coupling is not None and mixture.coupling.nnz:
                expert, solver = self._decide_coupled(round, mixture.coupling, scores, room)
            self._watch(round, mixture, room, plan, expert)
            return Assignment(expert, solver)

    @hookimpl
    def swarmloom_evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Learn which skills meet which demands."""
        with self._lock:
            for outcome in outcomes:
                for ballot in outcome.ballots:
                    if ballot.expert < len(self._experts):
                        self._skills.learn(
                            outcome.task.demands, ballot.expert, outcome.credit(ballot)
                        )

    @hookimpl
    def swarmloom_snapshot(self) -> Mapping[str, Any]:
        """Give the skill record and, by expert, load and value turned away."""
        with self._lock:
            return {
                "skills": self._skills.snapshot(),
                "experts": [expert.name for expert in self._experts],
                "busy": self._busy.copy(),
                "turned_away": self._turned_away.copy(),
                "calls": self._calls.copy(),
            }

    @hookimpl
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take a snapshot back; experts that are not here any more are left out."""
        with self._lock:
            self._skills.restore(state["skills"])
            row = {name: index for index, name in enumerate(state["experts"])}
            for index, expert in enumerate(self._experts):
                if expert.name in row:
                    self._busy[index] = state["busy"][row[expert.name]]
                    self._turned_away[index] = state["turned_away"][row[expert.name]]
                    self._calls[index] = state["calls"][row[expert.name]]

    # -- what tools and tests read ----------------------------------------------------------------

    @property
    def prices(self) -> Float64Array:
        """Price of a place with each expert, log-odds, shape (experts,)."""
        with self._lock:
            return np.minimum(self._busy * self._turned_away, self._config.max_price)

    def load(self) -> list[dict[str, Any]]:
        """Give each expert's capacity, calls so far and the share of rounds when it was full."""
        with self._lock:
            return [
                {
                    "expert": expert.name,
                    "capacity": expert.capacity,
                    "calls": int(self._calls[index]),
                    "full": round(float(self._busy[index]), 3),
                }
                for index, expert in enumerate(self._experts)
            ]

    # -- inside -----------------------------------------------------------------------------------

    def _adopt(self, experts: tuple[Expert, ...]) -> None:
        if experts is self._experts:
            return
        old = {expert.name: index for index, expert in enumerate(self._experts)}
        kept = np.array([old.get(expert.name, -1) for expert in experts], dtype=np.int64)
        self._busy = _carried(self._busy, kept)
        self._turned_away = _carried(self._turned_away, kept)
        self._calls = _carried(self._calls, kept)
        self._experts = experts
        self._skills.adopt([expert.skills for expert in experts])

    def _decide_coupled(
        self, round: Round, coupling: sparse.csr_array, scores: Float64Array, room: IntArray
    ) -> tuple[IntArray, str]:
        found = solve_coupled(
            scores,
            room,
            coupling,
            round.rng,
            sweeps=self._config.sweeps,
            max_steps=self._config.max_steps,
            seconds=self._config.seconds,
        )
        return found.expert, "enumeration" if found.exact else "annealing"

    def _watch(
        self,
        round: Round,
        mixture: Mixture,
        room: IntArray,
        plan: PricedAssignment,
        expert: IntArray,
    ) -> None:
        """Follow load and scarcity; a round that gave no call is a wait and tells nothing new."""
        given = np.bincount(expert[expert >= 0], minlength=len(room))
        self._calls += given
        if not given.any():
            return
        rate = 1.0 / self._config.price_memory
        full = room == 0
        self._busy += rate * (full - self._busy)
        wanted = full & (plan.price > _TIE * len(round.tasks))
        # The mixture held back what the price had already taken off.
        worth = plan.price + mixture.weights.get(self.name, 0.0) * self.prices
        worth = np.minimum(worth, self._config.max_price)
        self._turned_away[wanted] += rate * (worth - self._turned_away)[wanted]


def _carried(values: Any, kept: IntArray) -> Any:
    """Take over the entries of those that stay; newcomers start with 0."""
    carried = np.zeros(len(kept), dtype=values.dtype)
    carried[kept >= 0] = values[kept[kept >= 0]]
    return carried


def _scores(round: Round, mixture: Mixture) -> Float64Array:
    """Give the mixture with ties broken: the cheaper expert first, then by lot."""
    scores = np.where(round.allowed, mixture.affinity, -np.inf).astype(np.float64)
    if scores.size == 0:
        return scores
    rank = np.unique(round.prices, return_inverse=True)[1].reshape(-1)
    scores += _TIE * (round.rng.random(scores.shape) - rank) / (rank.max() + 1)
    return scores


def _of(swarm: Swarm) -> Orchestration:
    protocol = swarm.host.protocols.get(Orchestration.name)
    if not isinstance(protocol, Orchestration):
        raise PluginError(f"{Orchestration.name} is not active; enable the plugin first")
    return protocol


def _show_load(swarm: Swarm) -> str:
    in_flight = {row["name"]: row["in_flight"] for row in swarm.state()["experts"]}
    rows = [{**row, "in_flight": in_flight[row["expert"]]} for row in _of(swarm).load()]
    return json.dumps(rows)


def _show_prices(swarm: Swarm) -> str:
    prices = _of(swarm).prices
    rows = [
        {"expert": expert.name, "price": round(float(price), 3)}
        for expert, price in zip(swarm.experts, prices, strict=True)
        if price > 0
    ]
    return json.dumps(sorted(rows, key=lambda row: -row["price"]))


@hookimpl
def swarmloom_register_protocols(register: Callable[[type[ProtocolType]], None]) -> None:
    """Bring the orchestration protocol."""
    register(Orchestration)


@hookimpl
def swarmloom_register_tools(register: Callable[[ManagerTool], None]) -> None:
    """Bring the manager's tools for load and prices."""
    register(
        ManagerTool(
            "show_load",
            "Show each expert's capacity, calls in flight, calls so far, and how often it is full.",
            _show_load,
        )
    )
    register(
        ManagerTool(
            "show_prices",
            "Show the experts that are scarce, dearest first, with the price of a place in "
            "log-odds: how much better than the next one they must be to get a task.",
            _show_prices,
        )
    )
