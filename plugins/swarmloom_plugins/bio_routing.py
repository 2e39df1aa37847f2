"""The bio-routing protocol as a plugin: experts and ways by reliability, latency and load."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
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
    Message,
    Outcome,
    Proposal,
    Round,
    Route,
)
from swarmloom_plugins.bio_routing_admission import Constraint, Told, admitted, unmet_topics
from swarmloom_plugins.bio_routing_config import BioRoutingConfig, Link
from swarmloom_plugins.bio_routing_messages import fastest_path
from swarmloom_plugins.bio_routing_tools import swarmloom_register_tools
from swarmloom_plugins.learning import credit
from swarmloom_plugins.naming import BYTES_PER_NAME, Names
from swarmloom_protocols.bio_routing.choice.estimates import (
    BYTES_PER_CELL,
    BYTES_PER_EXPERT,
    Estimates,
)
from swarmloom_protocols.bio_routing.choice.router import Router, log_odds
from swarmloom_protocols.bio_routing.networks.path_parts import Path
from swarmloom_protocols.bio_routing.no_route import NoRouteError

if TYPE_CHECKING:
    from swarmloom.swarm import Swarm

__all__ = [
    "BioRouting",
    "BioRoutingConfig",
    "Link",
    "swarmloom_register_protocols",
    "swarmloom_register_tools",
]


class BioRouting:
    """The router behind the hooks `admit`, `navigate`, `evolve` and `route`."""

    name: ClassVar[str] = "bio_routing"
    Config: ClassVar[type[ProtocolConfig]] = BioRoutingConfig

    def __init__(self, config: BioRoutingConfig) -> None:
        self._config = config
        self._known = _nothing_known(config)
        self._router = Router(self._known, load_weight=config.load_weight)
        self._topics, self._experts = Names(), Names()
        self._crew = self._experts.rows(())
        self._away: set[str] = set()
        self._constraint = _configured(config)
        self._told = Told()
        self._swarm: Swarm | None = None
        # Tools read from the threads they run in.
        self._lock = threading.RLock()

    # -- the cycle ------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_plan_memory(self, plan: MemoryPlan, experts: int) -> None:
        """Plan what is kept of each expert, and of each on the expected topics."""
        cells = (self._config.expected_topics, experts, BYTES_PER_CELL)
        plan.add(Region.TRAILS, "bio-routing cells", cells, "uint8")
        plan.add(Region.TRAILS, "bio-routing experts", (experts, BYTES_PER_EXPERT), "uint8")
        plan.add(Region.TRAILS, "bio-routing names", (experts, BYTES_PER_NAME), "uint8")

    @hookimpl
    def swarmloom_initialize(self, swarm: Swarm) -> None:
        """Learn who belongs to the crew; what is known of those who stay or return is kept."""
        topics = self._config.expected_topics
        with self._lock:
            self._swarm = swarm
            self._crew = self._experts.rows(expert.name for expert in swarm.experts)
            self._router.device = swarm.settings.device
            self._known.reserve(topics, len(self._experts))

    @hookimpl
    def swarmloom_admit(self, round: Round) -> BoolArray | None:
        """Leave out experts that were taken out, and those that do not keep the limits."""
        with self._lock:
            if not (self._away or self._constraint.limits):
                self._say([], self._told.forget())
                return None
            in_service = np.array([expert.name not in self._away for expert in round.experts])
            believable, seconds = self._promises(round)
            keeps = self._constraint.kept(believable, seconds)
            refusal = self._refusal(round.experts, believable, seconds)
            unmet = unmet_topics(round, in_service, keeps, refusal)
            news = self._told.news([task.topic for task in round.tasks], unmet)
            allowed = admitted(round, in_service, keeps, self._constraint.strict)
        self._say(*news)
        return allowed

    @hookimpl
    def swarmloom_navigate(self, round: Round) -> Proposal:
        """Give the log-odds form of each expert's index; tasks count ahead for those after them."""
        with self._lock:
            index = self._router.scores_in_turn(
                self._topics.rows(task.topic for task in round.tasks),
                self._crew,
                self._load(round),
                self._slots(round),
                round.allowed,
                prices=self._prices(round),
                sends=self._sends,
            )
        return Proposal(log_odds(index))

    @hookimpl
    def swarmloom_evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Learn answering, being right, health and latency from each finished call."""
        with self._lock:
            for outcome in outcomes:
                topic = self._topics.row(outcome.task.topic)
                for ballot in outcome.ballots:
                    self._learn(topic, outcome, ballot)

    def _learn(self, topic: int, outcome: Outcome, ballot: Ballot) -> None:
        expert = int(self._crew[ballot.expert])
        if not ballot.succeeded:
            self._known.failed(expert)
            return
        right = credit(outcome, ballot)
        weight = 1.0 if outcome.truth is not None else self._config.ungraded_weight
        self._known.answered(topic, expert, ballot.latency, right, weight)

    @hookimpl
    def swarmloom_observe(self, event: Event) -> None:
        """Do again what a resumed run says was switched by hand; warn each run anew."""
        own = event.data.get("plugin") == self.name
        with self._lock:
            if event.kind == EventKind.RUN_STARTED:
                self._told.forget()
            elif not own:
                return
            elif event.kind == EventKind.EXPERT_FAILED:
                self._away.add(event.data["expert"])
            elif event.kind == EventKind.EXPERT_RESTORED:
                self._return(event.data["expert"])
            elif event.kind == EventKind.CONSTRAINT_SET:
                self._constraint = Constraint(**event.data["constraint"])

    @property
    def nbytes(self) -> int:
        """Bytes of the estimates, used or reserved."""
        return self._known.nbytes

    # -- messages -------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_route(self, message: Message) -> Route | None:
        """Find the fastest way that keeps the message's limits; None when there is none."""
        try:
            way = self.find(message)
        except NoRouteError:
            return None
        return Route(way.nodes, way.latency, way.reliability)

    def find(self, message: Message) -> Path:
        """Find the fastest way that keeps the message's limits.

        Without configured links everybody reaches every expert directly. A link then costs what
        was measured of its receiver, so that no relay could be faster or more reliable.

        Parameters
        ----------
        message : Message

        Returns
        -------
        Path

        Raises
        ------
        NoRouteError
            If no way keeps the limits, or a member is unknown or was taken out.
        """
        with self._lock:
            links = self._config.links
            if not links and self._experts.find(message.destination) is not None:
                links = (_measured_link(message.source, message.destination),)
            return fastest_path(message, links, self._measured, self._away)

    def _measured(self, member: str) -> tuple[float, float]:
        """Latency and reliability of an expert; free and sure for one that answers no calls."""
        row = self._experts.find(member)
        if row is None:
            return 0.0, 1.0
        reliability = self._known.pooled_reliability([row]) * self._known.health([row])
        return float(self._known.latency([row])[0]), float(reliability[0])

    # -- switches -------------------------------------------------------------------------------

    @property
    def away(self) -> list[str]:
        """Members that were taken out, by name."""
        with self._lock:
            return sorted(self._away)

    def take_out(self, member: str, *, reason: str = "", by: str = "") -> None:
        """Give an expert no more tasks, and let no message pass it.

        Parameters
        ----------
        member : str
            An expert, or another member that a link names.
        reason, by : str
            Why and by whom, for the record.

        Raises
        ------
        InputError
            There is no such member, it was taken out before, or it is the last expert in service.
        """
        with self._lock:
            crew = self._members()
            if member not in crew and member not in self._linked():
                known = sorted({*crew, *self._linked()})
                near = get_close_matches(member, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise InputError(f"expert {member!r} is unknown; allowed: {', '.join(known)}{hint}")
            if member in self._away:
                raise InputError(f"{member!r} was taken out before; restore_expert brings it back")
            if set(crew) - self._away == {member}:
                raise InputError(f"{member!r} is the last expert in service; restore another first")
            self._away.add(member)
        self._emit(EventKind.EXPERT_FAILED, {"expert": member, "reason": reason, "by": by})

    def bring_back(self, member: str, *, by: str = "") -> None:
        """Let a member that was taken out work again; its failures are forgotten.

        Raises
        ------
        InputError
            It was not taken out.
        """
        with self._lock:
            if member not in self._away:
                out = ", ".join(self.away) or "nobody"
                raise InputError(f"{member!r} was not taken out; taken out: {out}")
            self._return(member)
        self._emit(EventKind.EXPERT_RESTORED, {"expert": member, "by": by})

    def set_constraint(self, constraint: Constraint, *, by: str = "") -> None:
        """Set what experts have to keep to be asked, from the next round on."""
        with self._lock:
            self._constraint = constraint
            over = self._told.forget()
        self._say([], over)
        self._emit(EventKind.CONSTRAINT_SET, {"constraint": constraint.told(), "by": by})

    def unmet(self) -> dict[str, str]:
        """Tell for which known topics no expert in service keeps the limits, and why."""
        with self._lock:
            members = self._members()
            names = [name for name in members if name not in self._away]
            crew = self._experts.rows(names)
            topics = self._topics.listing()
            believable = self._known.believable_reliability(range(len(topics)), crew)
            seconds = self._known.measured_latency(crew)
            kept = self._constraint.kept(believable, seconds)
            return {
                topic: self._constraint.refusal(names, believable[row], seconds)
                for row, topic in enumerate(topics)
                if not kept[row].any()
            }

    def _return(self, member: str) -> None:
        if member in self._away:
            self._away.discard(member)
            row = self._experts.find(member)
            if row is not None:
                self._known.repaired(row)

    def _members(self) -> list[str]:
        names = self._experts.listing()
        return [names[row] for row in self._crew.tolist()]

    def _linked(self) -> set[str]:
        return {end for link in self._config.links for end in (link.source, link.target)}

    # -- limits ---------------------------------------------------------------------------------

    @property
    def _sends(self) -> float:
        return max(1.0, self._config.dispatchers / 2)

    def _load(self, round: Round) -> Float64Array:
        load: Float64Array = self._sends * round.in_flight.astype(np.float64)
        return load

    def _slots(self, round: Round) -> Float64Array:
        capacity = np.array([expert.capacity for expert in round.experts], dtype=np.float64)
        return capacity if self._config.slots is None else capacity.clip(max=self._config.slots)

    def _prices(self, round: Round) -> Float64Array:
        """Give what the price of a call takes off its expert, in units of success rate."""
        mean = round.prices.mean() if round.prices.size else 0.0
        if mean == 0.0:
            return np.zeros(len(round.prices))
        prices: Float64Array = self._config.cost_weight * (round.prices / mean - 1.0)
        return prices

    def _promises(self, round: Round) -> tuple[Float64Array, Float64Array]:
        """Believable reliability for each task, and expected seconds with the wait, by expert."""
        topics = self._topics.rows(task.topic for task in round.tasks)
        known, back = np.unique(topics, return_inverse=True)
        believable = self._known.believable_reliability(known, self._crew)[back]
        slots = self._slots(round)
        wait = np.maximum(0.0, self._load(round) + 1.0 - slots) / slots
        return believable, self._known.measured_latency(self._crew) * (1.0 + wait)

    def _refusal(
        self, experts: Sequence[Expert], believable: Float64Array, seconds: Float64Array
    ) -> Callable[[int, BoolArray], str]:
        fate = "refused" if self._constraint.strict else "given to the best that is left"

        def refusal(task: int, who: BoolArray) -> str:
            names = [experts[row].name for row in np.flatnonzero(who).tolist()]
            limit = self._constraint.refusal(names, believable[task, who], seconds[who])
            return f"no expert in service keeps {limit}; they are {fate}"

        return refusal

    def _say(self, fresh: Iterable[str], over: Iterable[str]) -> None:
        for text in over:
            self._emit(EventKind.WARNING_OVER, {"message": text})
        for text in fresh:
            self._emit(EventKind.WARNING, {"message": text})

    def _emit(self, kind: EventKind, data: Mapping[str, Any]) -> None:
        if self._swarm is not None:
            self._swarm.emit(kind, {"plugin": self.name, **data})

    # -- reports --------------------------------------------------------------------------------

    def describe(self, topic: str) -> list[dict[str, Any]]:
        """Tell what is known of the crew on a topic, the most reliable expert first.

        Parameters
        ----------
        topic : str

        Returns
        -------
        list of dict
            ``expert``, ``in_service`` (not taken out), ``reliability``, ``health`` and
            ``latency`` (seconds).
        """
        with self._lock:
            known = self._topics.find(topic)
            row = known if known is not None else len(self._topics)
            columns = (
                self._known.reliability([row], self._crew)[0],
                self._known.health(self._crew),
                self._known.latency(self._crew),
            )
            names = self._members()
            present = [name not in self._away for name in names]
        keys = ("expert", "in_service", "reliability", "health", "latency")
        figures = (column.round(4).tolist() for column in columns)
        values = zip(names, present, *figures, strict=True)
        found: list[dict[str, Any]] = [dict(zip(keys, row, strict=True)) for row in values]
        return sorted(found, key=lambda one: -one["reliability"] * one["health"])

    # -- state ----------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_snapshot(self) -> dict[str, Any]:
        """Give what the router knows, of whom and what, and what was switched by hand."""
        with self._lock:
            changed = self._constraint != _configured(self._config)
            return {
                "topics": self._topics.listing(),
                "experts": self._experts.listing(),
                "estimates": self._known.state(),
                "away": self.away,
                "constraint": [self._constraint.told()] if changed else [],
            }

    @hookimpl
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take a snapshot back; the crew may be another one by now.

        The configured limits stay, unless the snapshot's were set while the crew ran.

        Raises
        ------
        InputError
            If the state is damaged; nothing of it is taken then.
        """
        try:
            known = _nothing_known(self._config)
            known.restore(state["estimates"])
            topics, experts = Names(state["topics"]), Names(state["experts"])
            away = {str(name) for name in state["away"]}
            constraints = [Constraint(**told) for told in state["constraint"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"a damaged snapshot of bio_routing, of which nothing is taken: {error!r}"
            ) from error
        with self._lock:
            crew = self._members()
            self._known.restore(known.state())
            self._topics, self._experts = topics, experts
            self._crew = self._experts.rows(crew)
            self._away = away
            self._constraint = constraints[0] if constraints else _configured(self._config)


def _nothing_known(config: BioRoutingConfig) -> Estimates:
    return Estimates(
        discount=config.discount,
        prior=config.prior,
        health_step=config.health_step,
        health_memory=config.health_memory,
        latency_step=config.latency_step,
    )


def _configured(config: BioRoutingConfig) -> Constraint:
    return Constraint(config.max_latency, config.min_reliability, config.strict)


def _measured_link(source: str, target: str) -> Link:
    return Link(source=source, target=target, latency=None, reliability=None)


@hookimpl
def swarmloom_register_protocols(register: Callable[[type[ProtocolType]], None]) -> None:
    """Bring the protocol."""
    register(BioRouting)
