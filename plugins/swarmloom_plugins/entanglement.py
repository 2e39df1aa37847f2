"""Entanglement: draws that the experts share, so that they spread or gather without messages.

Every round the experts share an order of themselves. Spreading, each task of a batch leans to
another expert, so that tasks with equally good experts do not all fall on one of them. Gathering,
the tasks of a topic lean to the same expert. Both are small: they settle near-ties.

The order comes from a shared seed, or from simulated GHZ or W states with the same result: the
simulation brings no quantum advantage.

The lean of a task does not depend on where the others go. With `couple` the choices of a round are
coupled as well: an expert loses or gains by the share of a topic's other tasks that it gets.

Whether it pays is measured. By a hash of its id a task belongs to a control group without any
lean, to a trial group with the purpose that is not in force, or to the rest. Credit per cost of the
groups decides which purpose is in force and how confident the proposals are; where neither pays,
the confidence falls to `MIN_CONFIDENCE`, where it settles exact ties and no more.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from swarmloom.errors import InputError, PluginError
from swarmloom.markers import hookimpl
from swarmloom.protocol import ManagerTool, ProtocolConfig, ProtocolType
from swarmloom.types import (
    BoolArray,
    Correlation,
    Expert,
    Float32Array,
    IntArray,
    Outcome,
    Proposal,
    Round,
    Task,
)
from swarmloom_protocols.entanglement.couplings import couple_groups
from swarmloom_protocols.entanglement.draws import draw_order, elect, preferences
from swarmloom_protocols.entanglement.payoff import PayoffRecord

if TYPE_CHECKING:
    from scipy import sparse

    from swarmloom.swarm import Swarm

__all__ = [
    "MIN_CONFIDENCE",
    "Entanglement",
    "EntanglementConfig",
    "swarmloom_register_protocols",
    "swarmloom_register_tools",
]

MIN_CONFIDENCE = 0.02

_PURPOSES = ("spread", "gather")
_CONTROL = 2
# Outcomes of the control group after which what was measured counts half.
_PRIOR_OUTCOMES = 25
_MIN_ELECTIONS = 64
_ATTEMPTS = 1000


class EntanglementConfig(ProtocolConfig):
    """Configuration of the entanglement protocol."""

    mode: Literal["shared_seed", "ghz", "w"] = Field(
        "shared_seed",
        description=(
            "Where the shared draws come from: a shared seed, or simulated GHZ or W states, which "
            "give the same correlations."
        ),
    )
    purpose: Literal["spread", "gather"] = Field(
        "spread",
        description=(
            "What the draws are for at first: tasks to different experts, or tasks of a topic to "
            "the same expert. Outcomes may switch it."
        ),
    )
    visibility: float = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description="Probability that an expert's share of a simulated state keeps its state.",
    )
    strength: float = Field(
        0.2, ge=0.0, description="Lean of a task to its first expert, in log-odds."
    )
    confidence: float = Field(
        0.5, ge=0.0, le=1.0, description="Confidence before anything has been measured."
    )
    couple: bool = Field(
        False,
        description=(
            "Couple the choices of a round: a penalty, or where they gather a reward, for several "
            "tasks of a topic with one expert. A solver then has to search."
        ),
    )
    max_pairs: int = Field(
        32_768, ge=1, description="Pairs of choices above which a round is not coupled."
    )
    coherence_rounds: int = Field(1, ge=1, description="Rounds after which the draws expire.")
    control: float = Field(
        0.2, gt=0.0, lt=0.5, description="Share of the tasks without any lean, to compare with."
    )
    trial: float = Field(
        0.2, ge=0.0, lt=0.5, description="Share of the tasks that try the other purpose."
    )
    memory: float = Field(
        1000.0, ge=1.0, description="Outcomes of a group over which its payoff is averaged."
    )


class Entanglement:
    """The entanglement protocol of one swarm.

    Parameters
    ----------
    config : EntanglementConfig
    """

    name: ClassVar[str] = "entanglement"
    Config: ClassVar[type[ProtocolConfig]] = EntanglementConfig

    def __init__(self, config: EntanglementConfig) -> None:
        self._config = config
        self._payoff = PayoffRecord(arms=3, memory=config.memory)
        self._purpose = _PURPOSES.index(config.purpose)
        self._order: IntArray = np.zeros(0, dtype=np.int64)
        self._drawn_at = -1
        self._drawn_for: tuple[Expert, ...] = ()
        self._group: frozenset[str] = frozenset()
        self._group_rounds = 0
        self._elections = 0
        # A manager entangles and elects from the thread that its tools run in.
        self._lock = threading.RLock()

    # -- hooks ------------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_entangle(self, round: Round) -> Correlation | None:
        """Draw the order that the experts share, or keep the last one while it is coherent."""
        with self._lock:
            if not self._coherent(round):
                self._draw(round)
            if self._group_rounds:
                self._group_rounds -= 1
                if not self._group_rounds:
                    self._drawn_at = -1
            if np.count_nonzero(self._order >= 0) < 2:
                return None
            return Correlation(self.name, self._order.astype(np.float64), self._config.mode)

    @hookimpl
    def swarmloom_navigate(self, round: Round) -> Proposal | None:
        """Lean each task to the expert that the shared order gives it."""
        with self._lock:
            mine = [c for c in round.correlations if c.protocol == self.name]
            if not mine or not round.tasks:
                return None
            arms = np.array([self._arm(task) for task in round.tasks])
            if (arms == _CONTROL).all():
                return None
            order, confidence = mine[0].draws.astype(np.int64), self.confidence
            # A search costs time; draws that settle exact ties and no more are not worth it.
            couple = self._config.couple and confidence > MIN_CONFIDENCE
            coupling = self._coupling(round, arms, order >= 0) if couple else None
            return Proposal(self._lean(round, arms, order), confidence, coupling)

    @hookimpl
    def swarmloom_evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Learn which purpose pays, if any."""
        with self._lock:
            for outcome in outcomes:
                self._payoff.learn(self._arm(outcome.task), _credit(outcome), outcome.cost)
            other = 1 - self._purpose
            if self._payoff.seen(other) > _PRIOR_OUTCOMES:
                # Three standard errors, so that chance does not switch it to and fro.
                better = self._payoff.advantage(other, self._purpose) > 3.0
                self._purpose = other if better else self._purpose

    @hookimpl
    def swarmloom_snapshot(self) -> Mapping[str, Any]:
        """Give the payoffs, the purpose in force and the group that a manager entangled."""
        with self._lock:
            return {
                "payoff": self._payoff.snapshot(),
                "purpose": self.purpose,
                "group": sorted(self._group),
                "group_rounds": self._group_rounds,
                "elections": self._elections,
            }

    @hookimpl
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take a snapshot back; the next round draws anew."""
        with self._lock:
            self._payoff.restore(state["payoff"])
            self._purpose = _PURPOSES.index(state["purpose"])
            self._group = frozenset(state["group"])
            self._group_rounds = int(state["group_rounds"])
            self._elections = int(state["elections"])
            self._drawn_at = -1

    # -- what tools and tests read ----------------------------------------------------------------

    @property
    def purpose(self) -> str:
        """The purpose in force: "spread" or "gather"."""
        return _PURPOSES[self._purpose]

    @property
    def confidence(self) -> float:
        """How far the purpose in force has paid: 1 from four standard errors, ~0 below two."""
        with self._lock:
            measured = float(
                np.clip((self._payoff.advantage(self._purpose, _CONTROL) - 2) / 2, 0, 1)
            )
            seen = min(self._payoff.seen(self._purpose), self._payoff.seen(_CONTROL))
            weight = seen / (seen + _PRIOR_OUTCOMES)
            learned = (1.0 - weight) * self._config.confidence + weight * measured
            return max(learned, MIN_CONFIDENCE)

    def entangle_group(self, names: frozenset[str], rounds: int) -> None:
        """Let only these experts share draws for the next rounds; an empty set ends that."""
        with self._lock:
            self._group = names
            self._group_rounds = rounds if names else 0
            self._drawn_at = -1

    def elect_leader(self, names: Sequence[str], seed: int) -> tuple[str, int]:
        """Elect one of the experts, again while noise leaves none or several.

        Parameters
        ----------
        names : sequence of str
            The candidates, one at least.
        seed : int
            The swarm's; every election draws anew from it.

        Returns
        -------
        leader : str
        attempts : int

        Raises
        ------
        InputError
            If there are no candidates, or if noise spoils a thousand elections.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            with self._lock:
                self._elections += 1
                number = self._elections
            rng = np.random.default_rng([_hash(self.name), abs(seed), number])
            elected = elect(self._config.mode, len(names), rng, self._config.visibility)
            if len(elected) == 1:
                return names[int(elected[0])], attempt
        raise InputError(
            f"no election of {_ATTEMPTS} had one winner; entanglement.visibility is "
            f"{self._config.visibility}, mode is {self._config.mode}"
        )

    # -- inside -----------------------------------------------------------------------------------

    def _coherent(self, round: Round) -> bool:
        age = round.number - self._drawn_at
        fresh = self._drawn_at >= 0 and 0 <= age < self._config.coherence_rounds
        return fresh and self._drawn_for is round.experts

    def _draw(self, round: Round) -> None:
        names = [expert.name for expert in round.experts]
        grouped = self._group_rounds > 0
        members = [row for row, name in enumerate(names) if not grouped or name in self._group]
        self._order = np.full(len(names), -1, dtype=np.int64)
        self._drawn_at, self._drawn_for = round.number, round.experts
        if members:
            elections = max(len(round.tasks), _MIN_ELECTIONS)
            self._order[members] = draw_order(
                self._config.mode, len(members), elections, round.rng, self._config.visibility
            )

    def _lean(self, round: Round, arms: IntArray, order: IntArray) -> Float32Array:
        index = np.arange(len(arms))
        for row in np.flatnonzero(arms == _PURPOSES.index("gather")):
            index[row] = _hash(round.tasks[row].topic) >> 1
        lean = preferences(order, index)
        lean[arms == _CONTROL] = 0.0
        return (self._config.strength * lean).astype(np.float32)

    def _coupling(
        self, round: Round, arms: IntArray, members: BoolArray
    ) -> sparse.csr_array | None:
        """Couple the tasks that share topic and purpose."""
        places: dict[tuple[int, str], int] = {}
        group = np.full(len(arms), -1, dtype=np.int64)
        for row in np.flatnonzero(arms != _CONTROL).tolist():
            key = (int(arms[row]), round.tasks[row].topic)
            group[row] = places.setdefault(key, len(places))
        sign = {_PURPOSES.index("spread"): -1.0, _PURPOSES.index("gather"): 1.0}
        value = [self._config.strength * sign[arm] for arm, _ in places]
        return couple_groups(round.allowed & members, group, value, self._config.max_pairs)

    def _arm(self, task: Task) -> int:
        """Tell a task's group by its id alone, so that a resumed run puts it where it was."""
        place = _hash(task.id) / 2.0**64
        if place < self._config.control:
            return _CONTROL
        tries = place < self._config.control + self._config.trial
        return 1 - self._purpose if tries else self._purpose


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _credit(outcome: Outcome) -> float:
    if outcome.truth is not None:
        return float(outcome.verdict.answer == outcome.truth)
    return outcome.verdict.confidence


def _of(swarm: Swarm) -> Entanglement:
    protocol = swarm.host.protocols.get(Entanglement.name)
    if not isinstance(protocol, Entanglement):
        raise PluginError(f"{Entanglement.name} is not active; enable the plugin first")
    return protocol


def _named(swarm: Swarm, experts: str) -> list[str]:
    known = [expert.name for expert in swarm.experts]
    names = [name.strip() for name in experts.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"no expert is called {unknown[0]!r}; there are: {', '.join(known)}")
    return names


def _entangle_group(swarm: Swarm, experts: str, rounds: int | str = 10) -> str:
    names, count = _named(swarm, experts), int(rounds)
    if count < 1:
        raise InputError(f"rounds is {count}; at least 1")
    _of(swarm).entangle_group(frozenset(names), count)
    return json.dumps({"entangled": names or "all", "rounds": count if names else 0})


def _elect_leader(swarm: Swarm, experts: str = "") -> str:
    names = _named(swarm, experts) or [expert.name for expert in swarm.experts]
    leader, attempts = _of(swarm).elect_leader(names, swarm.settings.swarm.seed)
    return json.dumps({"leader": leader, "attempts": attempts})


@hookimpl
def swarmloom_register_protocols(register: Callable[[type[ProtocolType]], None]) -> None:
    """Bring the entanglement protocol."""
    register(Entanglement)


@hookimpl
def swarmloom_register_tools(register: Callable[[ManagerTool], None]) -> None:
    """Bring the manager's tools for groups and elections."""
    register(
        ManagerTool(
            "entangle_group",
            "Let only the named experts share draws, so that tasks spread or gather among them.",
            _entangle_group,
            {
                "experts": "names, separated by commas; empty for all experts again",
                "rounds": "for how many rounds, 10 unless given",
            },
        )
    )
    register(
        ManagerTool(
            "elect_leader",
            "Elect one expert by a shared draw: all know the result, nobody sends a message.",
            _elect_leader,
            {"experts": "candidates, separated by commas; empty for all"},
        )
    )
