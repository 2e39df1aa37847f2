"""The consensus protocol as a plugin: verdict, posterior, whom to ask next and when to stop.

All four come from one model: the latent-difficulty panel of
`swarmloom_protocols.consensus.panel`, or trust learned from agreement of
`swarmloom_protocols.consensus.answers`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from swarmloom.errors import InputError
from swarmloom.events import EventKind
from swarmloom.markers import hookimpl
from swarmloom.memory_plan import MemoryPlan, Region
from swarmloom.protocol import ProtocolConfig, ProtocolType
from swarmloom.types import (
    Ballot,
    BoolArray,
    Event,
    Expert,
    Float64Array,
    IntArray,
    Outcome,
    Proposal,
    Round,
    Task,
    Verdict,
)
from swarmloom_plugins.consensus_ballots import Coder
from swarmloom_plugins.consensus_config import ConsensusConfig, sameness_of
from swarmloom_plugins.consensus_limits import Asked, AskLimits, Limits
from swarmloom_plugins.consensus_log import Decided, Decisions, Votes
from swarmloom_plugins.consensus_methods import Crew, Method, Question
from swarmloom_plugins.consensus_notices import Warnings
from swarmloom_plugins.consensus_panel import PanelMethod
from swarmloom_plugins.consensus_recorded import of_crew, read_recorded, unrecorded
from swarmloom_plugins.consensus_tools import swarmloom_register_tools
from swarmloom_plugins.consensus_trust import TrustMethod
from swarmloom_protocols.consensus.panel import PanelSettings

if TYPE_CHECKING:
    from swarmloom.swarm import Swarm
    from swarmloom_plugins.consensus_landscape import Landscape

__all__ = [
    "Consensus",
    "ConsensusConfig",
    "swarmloom_register_protocols",
    "swarmloom_register_tools",
]

_logger = logging.getLogger("swarmloom.plugins")

# What reading a state that is none runs into.
_DAMAGE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)
# Right, nothing, the popular wrong answer, another wrong one.
_ANSWER_KINDS = 4
_METHODS: Mapping[str, Callable[[ConsensusConfig, Crew], Method]] = {
    "panel": PanelMethod,
    "trust": TrustMethod,
}


class Consensus:
    """Weighted verdicts behind the hooks `navigate`, `judge`, `audit` and `evolve`."""

    name: ClassVar[str] = "consensus"
    Config: ClassVar[type[ProtocolConfig]] = ConsensusConfig

    def __init__(self, config: ConsensusConfig) -> None:
        self._config = config
        self._coder = Coder(sameness_of(config))
        self._recorded = None if config.recorded is None else read_recorded(config.recorded)
        self._limits = Limits(config.certainty)
        self._method: Method | None = None
        self._crew = Crew((), (), np.empty(0, dtype=np.int64), 0)
        self._decisions, self._votes = Decisions(), Votes()
        self._warnings = Warnings()
        self._finished = 0
        self._landscape = _landscape() if config.landscape else None
        self._swarm: Swarm | None = None
        # A manager reads from the thread that its tools run in.
        self._lock = threading.RLock()

    # -- the cycle ------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_plan_memory(self, plan: MemoryPlan, experts: int) -> None:
        """Plan the rates over all topics and, as learned and as explored, of the first.

        The watch for experts that turn bad keeps their logarithms and three more a class.
        """
        panel = self._config.method == "panel"
        classes = PanelSettings.classes if panel else experts
        plan.add(Region.OPINION, "consensus rates", (3, experts, classes, _ANSWER_KINDS), "float64")
        plan.add(Region.OPINION, "consensus experts", (14, experts), "float64")
        if panel:
            watched = (_ANSWER_KINDS + 3, experts, classes)
            plan.add(Region.OPINION, "consensus watch", watched, "float64")

    @hookimpl
    def swarmloom_initialize(self, swarm: Swarm) -> None:
        """Begin anew with the swarm's experts; the same ones at the same prices are still known."""
        crew = _crew_of(swarm, self._config.group_by_model)
        with self._lock:
            self._swarm = swarm
            same = (crew.names, crew.prices) == (self._crew.names, self._crew.prices)
            if crew.names and not (same and np.array_equal(crew.groups, self._crew.groups)):
                self._begin(crew)

    @hookimpl
    def swarmloom_navigate(self, round: Round) -> Proposal | None:
        """Say which experts are worth asking next, as log-odds."""
        with self._lock:
            if self._method is None:
                return None
            affinity = np.zeros(round.allowed.shape, dtype=np.float32)
            for row, task in enumerate(round.tasks):
                if task.quorum != 1:
                    question = self._question(task, round.ballots[row])
                    free = self._limits.affordable(
                        task.id, round.ballots[row], round.allowed[row], round.prices
                    )
                    affinity[row] = self._method.affinity(question, free)
            return Proposal(affinity)

    @hookimpl
    def swarmloom_judge(self, round: Round) -> list[Verdict] | None:
        """Weigh the answers, and stop when they are certain enough or another is not worth it."""
        with self._lock:
            if self._method is None:
                return None
            return [self._verdict(self._method, round, row) for row in range(len(round.tasks))]

    @hookimpl
    def swarmloom_audit(self, outcomes: Sequence[Outcome]) -> list[tuple[int, ...]] | None:
        """Name for each graded task the expert whose answer teaches most for its price."""
        with self._lock:
            if self._method is None:
                return None
            return [_audited(self._method, outcome) for outcome in outcomes]

    @hookimpl
    def swarmloom_evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from what was paid for, and from the truth where there is one."""
        with self._lock:
            for outcome in outcomes:
                if outcome.ballots and outcome.task.quorum != 1 and self._method is not None:
                    self._learn(self._method, outcome)
            news = self._news()
        # Whoever hears an event may ask for the trust, from another thread: not under the lock.
        for kind, data in news:
            if self._swarm is not None:
                self._swarm.emit(kind, data)

    @hookimpl
    def swarmloom_observe(self, event: Event) -> None:
        """Let a new run hear of what still holds, and note what comes of tasks with limits."""
        self._limits.hear(event)
        if event.kind == EventKind.RUN_STARTED:
            with self._lock:
                self._warnings.forget()

    @hookimpl
    def swarmloom_snapshot(self) -> dict[str, Any] | None:
        """Give what was learned, of whom, by which method."""
        with self._lock:
            if self._method is None:
                return None
            return {
                "experts": list(self._crew.names),
                "method": self._config.method,
                "learned": self._method.state(),
                "votes": self._votes.state(),
                "certainty": [self._limits.certainty] if self._limits.changed else [],
                "landscape": None if self._landscape is None else self._landscape.state(),
            }

    @hookimpl
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take a snapshot back if it is about the same experts, models and, by panel, prices.

        The configured certainty stays, unless the snapshot's was set while the crew ran.

        Raises
        ------
        InputError
            If it was taken under the other method, or is damaged; nothing of it is taken then.
        """
        if not isinstance(state, Mapping):
            raise InputError(f"a snapshot of consensus is {type(state).__name__}; allowed: mapping")
        method = state.get("method")
        if method != self._config.method:
            raise InputError(
                f"a snapshot of consensus by method {method!r}; allowed: {self._config.method!r}"
            )
        with self._lock:
            try:
                self._restore(state)
            except (*_DAMAGE, InputError) as error:
                raise InputError(
                    f"a damaged snapshot of consensus, of which nothing is taken: {error!r}"
                ) from error

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Build all of it before any of it counts."""
        if self._method is None or tuple(state["experts"]) != self._crew.names:
            _logger.warning("consensus: a snapshot of other experts is left out")
            return
        method = _METHODS[self._config.method](self._config, self._crew)
        votes, limits = Votes(), Limits(self._config.certainty)
        method.restore(state["learned"])
        if other := method.unlike():
            _logger.warning("consensus: a snapshot of the experts with other %s is left out", other)
            return
        # What cannot be told of was not whole.
        method.rows(), method.warnings()
        votes.restore(state["votes"], len(self._crew.names))
        for certainty in state["certainty"]:
            limits.change(certainty)
        landscape = self._landscape
        if landscape is not None and state["landscape"] is not None:
            landscape = _landscape()
            landscape.restore(state["landscape"])
        self._method, self._votes, self._landscape = method, votes, landscape
        if limits.changed:
            self._limits.change(limits.certainty)

    # -- what tools ask -------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """Tell what is known of each expert and of the crew."""
        with self._lock:
            if self._method is None:
                return {}
            rows = dict(zip(self._crew.names, self._method.rows(), strict=True))
            return {**self._method.totals(), "method": self._config.method, "experts": rows}

    def why(self, task: str = "", count: int = 5) -> list[dict[str, Any]]:
        """Tell how tasks were decided: ballots, what each counted for, posterior.

        Parameters
        ----------
        task : str
            A finished task; without one the latest on which experts disagreed.
        count : int
            How many of these at most.

        Raises
        ------
        InputError
            If the task is not among the last finished ones.
        """
        with self._lock:
            if not task:
                return [one.told(self._crew.names) for one in self._decisions.splits(count)]
            found = self._decisions.find(task)
            if found is None:
                kept = ", ".join(self._decisions.ids()[-5:]) or "none"
                raise InputError(f"no decision on task {task!r} is kept; the latest: {kept}")
            return [found.told(self._crew.names)]

    @property
    def certainty(self) -> float | None:
        """Posterior at which tasks are done; None by value."""
        return self._limits.certainty

    @certainty.setter
    def certainty(self, wanted: float | None) -> None:
        with self._lock:
            self._limits.change(wanted)

    def limited(self, task: str, limits: AskLimits) -> AbstractContextManager[Asked]:
        """Set limits to one task while a block is open, which gets what comes of the task.

        Parameters
        ----------
        task : str
            Its id.
        limits : AskLimits
        """
        return self._limits.limited(task, limits)

    def audit_crew(self) -> dict[str, Any] | None:
        """Report what the crew is worth, from the last finished tasks; None before the first.

        Returns
        -------
        dict or None
            As `swarmloom_plugins.consensus_audit.audit` gives it.
        """
        from swarmloom_plugins.consensus_audit import audit

        with self._lock:
            if not len(self._votes):
                return None
            votes, truth, confidence = self._votes.table(len(self._crew.names))
            crew = self._crew
        return audit(votes, truth, confidence, crew.names, crew.groups)

    # -- one task -------------------------------------------------------------------------------

    def _begin(self, crew: Crew) -> None:
        self._crew = crew
        self._method = _METHODS[self._config.method](self._config, crew)
        self._decisions, self._votes = Decisions(), Votes()
        self._warnings, self._finished = Warnings(), 0
        if self._landscape is not None:
            self._landscape = _landscape()
        if self._recorded is not None:
            self._warnings.standing = unrecorded(self._recorded, crew.names, self._config.recorded)
            table = of_crew(self._recorded, crew.names)
            if table is not None:
                self._method.study(table)

    def _question(self, task: Task, ballots: Sequence[Ballot]) -> Question:
        said = self._coder.said(ballots)
        return Question(task.id, task.topic, task.options, said, task.demands, task.quorum)

    def _verdict(self, method: Method, round: Round, row: int) -> Verdict:
        task, ballots, allowed = round.tasks[row], round.ballots[row], round.allowed[row]
        question = self._question(task, ballots)
        if not question.said.distinct:
            return Verdict(task.id, None, {}, stop=False)
        chances = np.clip(method.posterior(question), 0.0, 1.0)
        free = self._limits.affordable(task.id, ballots, allowed, round.prices)
        said = question.said
        return Verdict(
            task.id,
            said.distinct[int(np.argmax(chances))],
            dict(zip(said.distinct, chances.tolist(), strict=True)),
            stop=(
                task.quorum == 1
                or (free is not allowed and not free.any())
                or self._stops(method, task, question, chances, free)
                or self._waits_for_the_busy(method, question, chances, free, round)
            ),
            ask=() if free is allowed else tuple(np.flatnonzero(free).tolist()),
            wordings=said.wordings,
        )

    def _stops(
        self,
        method: Method,
        task: Task,
        question: Question,
        chances: Float64Array,
        free: BoolArray,
    ) -> bool:
        if question.asked >= self._config.max_answers:
            return True
        certainty = self._limits.certainty_of(task.id)
        return method.enough(question, free, float(chances.max()), certainty)

    def _waits_for_the_busy(
        self,
        method: Method,
        question: Question,
        chances: Float64Array,
        free: BoolArray,
        round: Round,
    ) -> bool:
        """Say whether a survey that somebody waits for could go on with busy experts alone.

        One of them may be who asks, and has no place free before it is answered.
        """
        if not (self._limits.is_own(question.task) and method.is_survey(question)):
            return False
        capacity = np.array([expert.capacity for expert in round.experts])
        idle = free & (capacity > round.in_flight)
        certainty = self._limits.certainty_of(question.task)
        if not method.enough(question, idle, float(chances.max()), certainty):
            return False
        left = np.flatnonzero(free & ~idle & method.silent(question))
        self._limits.skip(question.task, [self._crew.names[row] for row in left.tolist()])
        return True

    # -- learning -------------------------------------------------------------------------------

    def _learn(self, method: Method, outcome: Outcome) -> None:
        question = self._question(outcome.task, outcome.ballots)
        said = question.said
        truth = None if outcome.truth is None else self._coder.code(outcome.truth, said)
        self._decisions.keep(Decided(outcome, said, method.voices(question)))
        self._votes.add(said, truth, outcome.verdict.confidence)
        method.learn(question, truth)
        self._finished += 1
        if self._landscape is not None:
            self._landscape.watch(method.landscape())

    def _news(self) -> list[tuple[str, dict[str, Any]]]:
        if self._method is None:
            return []
        found = self._warned(self._method) if self._warnings.due(self._finished) else []
        return found if self._landscape is None else found + self._landscape.news()

    def _warned(self, method: Method) -> list[tuple[str, dict[str, Any]]]:
        fresh, over = self._warnings.news(method.warnings())
        for one in fresh:
            if self._warnings.is_first(one):
                _logger.warning("consensus: %s", one.text)
        changes = [(EventKind.WARNING_OVER, one) for one in over]
        changes += [(EventKind.WARNING, one) for one in fresh]
        return [
            (str(event), {"plugin": self.name, "message": one.text, "kind": one.kind})
            for event, one in changes
        ]


def _landscape() -> Landscape:
    from swarmloom_plugins.consensus_landscape import Landscape

    return Landscape()


def _audited(method: Method, outcome: Outcome) -> tuple[int, ...]:
    asked = np.array([ballot.expert for ballot in outcome.ballots], dtype=np.int64)
    bought = sum(ballot.cost for ballot in outcome.ballots if ballot.audit)
    expert = method.next_audit(asked, bought)
    return () if expert < 0 else (expert,)


def _crew_of(swarm: Swarm, by_model: bool) -> Crew:
    experts = swarm.experts
    return Crew(
        names=tuple(expert.name for expert in experts),
        prices=tuple(expert.price for expert in experts),
        groups=_groups(experts, by_model),
        seed=swarm.settings.swarm.seed,
        skills=tuple(expert.skills for expert in experts),
        retries=swarm.settings.swarm.retries,
    )


def _groups(experts: Sequence[Expert], by_model: bool) -> IntArray:
    """Give each model a number; an expert of no known model is one of its own."""
    numbers: dict[object, int] = {}
    keys = [(e.model if by_model and e.model else (e.name,)) for e in experts]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


@hookimpl
def swarmloom_register_protocols(register: Callable[[type[ProtocolType]], None]) -> None:
    """Bring the consensus protocol."""
    register(Consensus)
