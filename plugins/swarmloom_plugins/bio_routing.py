"""The bio-routing protocol as a plugin: experts and ways by reliability, latency and load."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from swarmloom.errors import InputError
from swarmloom.markers import hookimpl
from swarmloom.memory_plan import MemoryPlan, Region
from swarmloom.protocol import ManagerTool, ProtocolConfig, ProtocolType
from swarmloom.types import Ballot, Message, Outcome, Proposal, Round, Route
from swarmloom_plugins.learning import credit
from swarmloom_plugins.naming import BYTES_PER_NAME, Names
from swarmloom_protocols.bio_routing.choice.estimates import (
    BYTES_PER_CELL,
    BYTES_PER_EXPERT,
    Estimates,
)
from swarmloom_protocols.bio_routing.choice.router import Router, log_odds
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.path_parts import Path
from swarmloom_protocols.bio_routing.networks.paths import constrained
from swarmloom_protocols.bio_routing.no_route import NoRouteError

if TYPE_CHECKING:
    from swarmloom.swarm import Swarm

__all__ = ["BioRouting", "BioRoutingConfig", "Link"]


class Link(ProtocolConfig):
    """A one-way link between two members."""

    source: str = Field(description="Name of the member that sends.")
    target: str = Field(description="Name of the member that receives.")
    latency: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Seconds a message takes; unset: what was measured of the target.",
    )
    reliability: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Probability that a message arrives; unset: what was measured of the target.",
    )


class BioRoutingConfig(ProtocolConfig):
    """Settings of the bio-routing protocol."""

    load_weight: float = Field(
        0.4,
        ge=0,
        allow_inf_nan=False,
        description="What an expected wait of one mean latency costs, in units of success rate.",
    )
    slots: int | None = Field(
        None,
        ge=1,
        description="Calls an expert works on at the same time before the next ones wait; unset, "
        "and at most: its capacity.",
    )
    discount: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Factor by which each finished call discounts earlier ones; unset: "
        "1 - 1 / max(500, 5 × experts).",
    )
    prior: float = Field(
        2.0,
        gt=0,
        allow_inf_nan=False,
        description="Observations that the prior rates count for: 1 of answering, 1/2 of being "
        "right.",
    )
    health_step: float = Field(
        0.1, ge=0, le=1, description="How fast health follows outcomes; 0 switches it off."
    )
    health_memory: float = Field(
        0.999,
        gt=0,
        le=1,
        description="Factor by which each finished call of the crew brings health back to 1.",
    )
    latency_step: float = Field(
        0.1, gt=0, le=1, description="Step of the moving average of an expert's latency."
    )
    ungraded_weight: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Observations that an ungraded answer counts for which the verdict on several "
        "answers confirms or refutes; a graded one counts for one.",
    )
    links: tuple[Link, ...] = Field(
        (), description="Who can reach whom; empty: every member reaches every expert."
    )
    expected_topics: int = Field(
        64, ge=1, description="Topics for which memory is set aside; more topics take more."
    )


class BioRouting:
    """The router behind the hooks `navigate`, `evolve` and `route`."""

    name: ClassVar[str] = "bio_routing"
    Config: ClassVar[type[ProtocolConfig]] = BioRoutingConfig

    def __init__(self, config: BioRoutingConfig) -> None:
        self._config = config
        self._known = Estimates(
            discount=config.discount,
            prior=config.prior,
            health_step=config.health_step,
            health_memory=config.health_memory,
            latency_step=config.latency_step,
        )
        self._router = Router(self._known, load_weight=config.load_weight)
        self._topics, self._experts = Names(), Names()
        self._crew = self._experts.rows(())
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
            self._crew = self._experts.rows(expert.name for expert in swarm.experts)
            self._router.device = swarm.settings.device
            self._known.reserve(topics, len(self._experts))

    @hookimpl
    def swarmloom_navigate(self, round: Round) -> Proposal:
        """Give the log-odds form of each expert's index; tasks count ahead for those after them."""
        capacity = np.array([expert.capacity for expert in round.experts], dtype=np.float64)
        slots = np.minimum(capacity, self._config.slots or np.inf)
        with self._lock:
            topics = self._topics.rows(task.topic for task in round.tasks)
            index = self._router.scores_in_turn(
                topics, self._crew, round.in_flight, slots, round.allowed
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
            If no way keeps the limits or a member is unknown.
        """
        with self._lock:
            network = self._network(message)
        for member in (message.source, message.destination):
            if member not in network.names:
                ends = f"from {message.source!r} to {message.destination!r}"
                raise NoRouteError(f"no route {ends}: {member!r} is no member")
        return constrained(
            network,
            message.source,
            message.destination,
            max_latency=message.max_latency,
            min_reliability=message.min_reliability,
        )

    def _network(self, message: Message) -> Network:
        links = self._config.links
        if not links and self._experts.find(message.destination) is not None:
            links = (_measured_link(message.source, message.destination),)
        names = list(dict.fromkeys(end for link in links for end in (link.source, link.target)))
        # Nobody needs a link to reach oneself.
        links = tuple(link for link in links if link.source != link.target)
        measured = [self._measured(link.target) for link in links]
        pairs = list(zip(links, measured, strict=True))
        return Network(
            [names.index(link.source) for link in links],
            [names.index(link.target) for link in links],
            1.0,
            [known[0] if link.latency is None else link.latency for link, known in pairs],
            [known[1] if link.reliability is None else link.reliability for link, known in pairs],
            names,
        )

    def _measured(self, member: str) -> tuple[float, float]:
        """Latency and reliability of an expert; free and sure for one that answers no calls."""
        row = self._experts.find(member)
        if row is None:
            return 0.0, 1.0
        reliability = self._known.pooled_reliability([row]) * self._known.health([row])
        return float(self._known.latency([row])[0]), float(reliability[0])

    # -- reports --------------------------------------------------------------------------------

    def describe(self, topic: str) -> list[dict[str, Any]]:
        """Tell what is known of the crew on a topic, the most reliable expert first.

        Parameters
        ----------
        topic : str

        Returns
        -------
        list of dict
            ``expert``, ``reliability``, ``health`` and ``latency`` (seconds).
        """
        with self._lock:
            known = self._topics.find(topic)
            row = known if known is not None else len(self._topics)
            columns = (
                self._known.reliability([row], self._crew)[0],
                self._known.health(self._crew),
                self._known.latency(self._crew),
            )
            names = [self._experts.listing()[expert] for expert in self._crew.tolist()]
        keys = ("expert", "reliability", "health", "latency")
        values = zip(names, *(column.round(4).tolist() for column in columns), strict=True)
        found: list[dict[str, Any]] = [dict(zip(keys, row, strict=True)) for row in values]
        return sorted(found, key=lambda one: -one["reliability"] * one["health"])

    # -- state ----------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_snapshot(self) -> dict[str, Any]:
        """Give what the router knows, and of whom and what."""
        with self._lock:
            return {
                "topics": self._topics.listing(),
                "experts": self._experts.listing(),
                "estimates": self._known.state(),
            }

    @hookimpl
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take a snapshot back; the crew may be another one by now."""
        with self._lock:
            crew = [self._experts.listing()[row] for row in self._crew.tolist()]
            self._known.restore(state["estimates"])
            self._topics, self._experts = Names(state["topics"]), Names(state["experts"])
            self._crew = self._experts.rows(crew)


def _measured_link(source: str, target: str) -> Link:
    return Link(source=source, target=target, latency=None, reliability=None)


def _protocol(swarm: Swarm) -> BioRouting:
    protocol = swarm.host.protocols[BioRouting.name]
    assert isinstance(protocol, BioRouting)
    return protocol


def _show_trails(swarm: Swarm, topic: str) -> str:
    return json.dumps(_protocol(swarm).describe(topic))


def _find_route(
    swarm: Swarm,
    source: str,
    destination: str,
    max_latency: float | str = "",
    min_reliability: float | str = "",
) -> str:
    message = Message(
        source,
        destination,
        max_latency=_number("max_latency", max_latency),
        min_reliability=_number("min_reliability", min_reliability),
    )
    try:
        way = _protocol(swarm).find(message)
    except NoRouteError as error:
        return json.dumps({"route": None, "reason": str(error)})
    return json.dumps(
        {"route": list(way.nodes), "latency": way.latency, "reliability": way.reliability}
    )


def _number(name: str, value: float | str) -> float | None:
    if value == "":
        return None
    try:
        return float(value)
    except ValueError:
        raise InputError(f"{name} is {value!r}; allowed: a number, or nothing") from None


@hookimpl
def swarmloom_register_protocols(register: Callable[[type[ProtocolType]], None]) -> None:
    """Bring the protocol."""
    register(BioRouting)


@hookimpl
def swarmloom_register_tools(register: Callable[[ManagerTool], None]) -> None:
    """Bring what a manager can do with routes."""
    register(
        ManagerTool(
            "show_trails",
            "Show how reliable, healthy and fast each expert has been on a topic.",
            _show_trails,
            {"topic": "Topic of the tasks it is about."},
        )
    )
    register(
        ManagerTool(
            "find_route",
            "Find the fastest way from one member to another that is reliable enough.",
            _find_route,
            {
                "source": "Name of the member that sends.",
                "destination": "Name of the member that is to receive.",
                "max_latency": "Seconds the way may take at most; empty for no limit.",
                "min_reliability": "Least probability of arriving, 0 to 1; empty for no limit.",
            },
        )
    )
