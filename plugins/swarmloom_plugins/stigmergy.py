"""The stigmergy protocol as a plugin: the crew leaves traces of what worked and follows them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from swarmloom.errors import InputError
from swarmloom.markers import hookimpl
from swarmloom.memory_plan import MemoryPlan, Region
from swarmloom.protocol import ManagerTool, ProtocolConfig, ProtocolType
from swarmloom.types import Ballot, Outcome, Proposal, Round
from swarmloom_plugins.learning import credit
from swarmloom_plugins.naming import BYTES_PER_NAME, Names
from swarmloom_protocols.stigmergy.appointments import Standing
from swarmloom_protocols.stigmergy.success_rates import log_odds
from swarmloom_protocols.stigmergy.trails import BYTES_PER_TRAIL, TrailTable

if TYPE_CHECKING:
    from swarmloom.swarm import Swarm

__all__ = ["Stigmergy", "StigmergyConfig"]

# Depositors of the swarm itself; members that leave traces come after them.
_FEEDBACK = 0
_VERDICT = 1
_FIRST_MEMBER = 2

# Calls bring answers unless something shows that they do not.
_EXPECTED_ANSWERING = 0.999


class StigmergyConfig(ProtocolConfig):
    """Settings of the stigmergy protocol."""

    half_life: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Finished tasks after which a trace is worth half; unset: traces stay. Set it "
        "only when experts change faster than they are learned: in a steady crew decay costs.",
    )
    explore: bool = Field(
        False,
        description="Draw success rates from what is known instead of taking their mean, so that "
        "experts that are little known get tried: for long runs of crews that change.",
    )
    ungraded_weight: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Observations that an ungraded answer counts for which the verdict on several "
        "answers confirms or refutes; a graded one counts for one.",
    )
    topic_prior: float = Field(
        4.0,
        gt=0,
        allow_inf_nan=False,
        description="Observations that an expert's rate over all topics counts for on each topic.",
    )
    expert_prior: float = Field(
        4.0,
        gt=0,
        allow_inf_nan=False,
        description="Observations that the crew's rate counts for in each expert's rate.",
    )
    member_cap: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="Observations that the traces of one member about one expert on one topic "
        "count for at most.",
    )
    member_trust: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Weight of the traces that members leave, without a limit for all together; "
        "unset: learned from how well each member agrees with graded answers.",
    )
    members_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Observations that the traces of all members together, whatever their names, "
        "count for at most, as a share of what the swarm has seen itself.",
    )
    members_floor: float = Field(
        2.0,
        ge=0,
        allow_inf_nan=False,
        description="Observations that the traces of all members together may count for where the "
        "swarm has seen little or nothing itself.",
    )
    expected_topics: int = Field(
        64, ge=1, description="Topics for which memory is set aside; more topics take more."
    )


class Stigmergy:
    """Trails of success and failure behind the hooks `navigate` and `evolve`."""

    name: ClassVar[str] = "stigmergy"
    Config: ClassVar[type[ProtocolConfig]] = StigmergyConfig

    def __init__(self, config: StigmergyConfig) -> None:
        self._config = config
        # Every call shows whether an expert answers, only a judged answer whether it is right.
        self._answering = _table(config, _EXPECTED_ANSWERING)
        self._being_right = _table(config, 0.5)
        self._topics, self._experts, self._members = Names(), Names(), Names()
        self._crew = self._experts.rows(())
        # Members leave traces from the threads their tools run in.
        self._lock = threading.RLock()
        self._appoint()

    # -- the cycle ------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_plan_memory(self, plan: MemoryPlan, experts: int) -> None:
        """Plan the trails of the expected topics."""
        cells = experts * self._config.expected_topics
        shape = (1 + _FIRST_MEMBER, cells, BYTES_PER_TRAIL)
        plan.add(Region.PHEROMONE, "stigmergy trails", shape, "uint8")
        plan.add(Region.PHEROMONE, "stigmergy names", (experts, BYTES_PER_NAME), "uint8")

    @hookimpl
    def swarmloom_initialize(self, swarm: Swarm) -> None:
        """Learn who belongs to the crew; the trails of those who stay or return are kept."""
        with self._lock:
            self._crew = self._experts.rows(expert.name for expert in swarm.experts)
            cells = len(self._crew) * self._config.expected_topics
            for table, depositors in ((self._answering, 1), (self._being_right, _FIRST_MEMBER)):
                table.device = swarm.settings.device
                table.reserve(cells * depositors)

    @hookimpl
    def swarmloom_navigate(self, round: Round) -> Proposal:
        """Give the log-odds that each expert answers, and rightly, on each task's topic."""
        with self._lock:
            topics = self._topics.rows(task.topic for task in round.tasks)
            rates = self._rates(topics, round.rng if self._config.explore else None)
            # Answers that nobody judged tell no expert from another.
            known = sum(self._being_right.totals) + self._answering.totals[1]
        # Draws say little as long as little is known: they must not drown out other protocols.
        unknown = self._config.expert_prior * max(1, len(self._crew))
        return Proposal(log_odds(rates), confidence=known / (known + unknown))

    @hookimpl
    def swarmloom_evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Deposit what each call showed of its expert; time passes by one a finished task."""
        with self._lock:
            for outcome in outcomes:
                self._answering.advance()
                self._being_right.advance()
                topic = self._topics.row(outcome.task.topic)
                for ballot in outcome.ballots:
                    self._deposit(topic, outcome, ballot)

    def _deposit(self, topic: int, outcome: Outcome, ballot: Ballot) -> None:
        expert, answered = int(self._crew[ballot.expert]), float(ballot.succeeded)
        self._answering.deposit(topic, expert, _FEEDBACK, answered, 1.0 - answered)
        right = credit(outcome, ballot) if ballot.succeeded else None
        if right is not None:
            depositor = _VERDICT if outcome.truth is None else _FEEDBACK
            self._being_right.deposit(topic, expert, depositor, right, 1.0 - right)

    def _rates(
        self, topics: npt.NDArray[np.int64], rng: np.random.Generator | None
    ) -> npt.NDArray[np.float64]:
        answering = self._answering.rates(topics, self._crew)
        return answering * self._being_right.rates(topics, self._crew, rng)

    @property
    def nbytes(self) -> int:
        """Bytes of the trails, used or reserved."""
        return self._answering.nbytes + self._being_right.nbytes

    # -- traces of members ----------------------------------------------------------------------

    def leave(self, topic: str, expert: str, worked: bool, by: str, amount: float = 1.0) -> None:
        """Leave a trace about an expert.

        Parameters
        ----------
        topic, expert : str
            What it did, and who.
        worked : bool
            Whether it worked.
        by : str
            The member that says so; its word is capped and weighed, and so is that of all.
        amount : float
            In observations.

        Raises
        ------
        InputError
            If the expert is unknown or the amount is out of its range.
        """
        with self._lock:
            row = self._experts.known(expert)
            depositor = _FIRST_MEMBER + self._members.row(by)
            self._appoint()
            success, failure = (amount, 0.0) if worked else (0.0, amount)
            self._being_right.deposit(self._topics.row(topic), row, depositor, success, failure)

    def sense(self, topic: str) -> list[dict[str, Any]]:
        """Read the traces of the crew on a topic, the best expert first.

        Parameters
        ----------
        topic : str

        Returns
        -------
        list of dict
            ``expert``, ``rate`` (probability of a right answer), ``right`` and ``wrong`` (answers
            judged so), ``answered`` and ``failed`` (calls) and ``by`` (right and wrong answers by
            the word of each depositor).
        """
        with self._lock:
            names = self._experts.listing()
            row = self._topics.find(topic)
            # An unknown topic has no trails: it reads like the first row without any.
            known = row if row is not None else len(self._topics)
            rates = self._rates(np.array([known]), None)[0].tolist()
            found = [
                self._description(names[expert], known, expert, rate)
                for expert, rate in zip(self._crew.tolist(), rates, strict=True)
            ]
        return sorted(found, key=lambda trace: -trace["rate"])

    def _description(self, name: str, topic: int, expert: int, rate: float) -> dict[str, Any]:
        calls, reading = (t.sense(topic, expert) for t in (self._answering, self._being_right))
        return {
            "expert": name,
            "rate": round(rate, 4),
            "right": round(reading.success, 4),
            "wrong": round(reading.failure, 4),
            "answered": round(calls.success, 4),
            "failed": round(calls.failure, 4),
            "by": {
                self._depositor_name(who): [round(amount, 4) for amount in amounts]
                for who, amounts in reading.by_depositor.items()
            },
        }

    def _depositor_name(self, depositor: int) -> str:
        own = {_FEEDBACK: "(feedback)", _VERDICT: "(verdict)"}
        return own.get(depositor) or self._members.listing()[depositor - _FIRST_MEMBER]

    def _appoint(self) -> None:
        config, table = self._config, self._being_right
        self._answering.appoint(_FEEDBACK, trust=1.0, cap=None)
        table.appoint(_FEEDBACK, trust=1.0, cap=None, standing="reference")
        table.appoint(_VERDICT, trust=config.ungraded_weight, cap=None)
        # Anybody can leave traces under many names; whoever sets a trust vouches for them.
        standing: Standing = "guest" if config.member_trust is None else "peer"
        for who in range(_FIRST_MEMBER, _FIRST_MEMBER + len(self._members)):
            table.appoint(who, trust=config.member_trust, cap=config.member_cap, standing=standing)

    # -- state ----------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_snapshot(self) -> dict[str, Any]:
        """Give the trails and whom and what they are about."""
        with self._lock:
            return {
                "topics": self._topics.listing(),
                "experts": self._experts.listing(),
                "members": self._members.listing(),
                "answering": self._answering.state(),
                "being_right": self._being_right.state(),
            }

    @hookimpl
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take the trails back; the crew may be another one by now."""
        with self._lock:
            crew = [self._experts.listing()[row] for row in self._crew.tolist()]
            self._answering.restore(state["answering"])
            self._being_right.restore(state["being_right"])
            self._topics, self._experts = Names(state["topics"]), Names(state["experts"])
            self._members = Names(state["members"])
            self._crew = self._experts.rows(crew)
            self._appoint()


def _table(config: StigmergyConfig, prior_rate: float) -> TrailTable:
    return TrailTable(
        half_life=config.half_life,
        topic_prior=config.topic_prior,
        expert_prior=config.expert_prior,
        prior_rate=prior_rate,
        guest_share=config.members_share,
        guest_floor=config.members_floor,
    )


def _protocol(swarm: Swarm) -> Stigmergy:
    protocol = swarm.host.protocols[Stigmergy.name]
    assert isinstance(protocol, Stigmergy)
    return protocol


def _leave_trace(
    swarm: Swarm, topic: str, expert: str, worked: str, by: str, amount: float | str = 1.0
) -> str:
    if worked not in ("yes", "no"):
        raise InputError(f"worked is {worked!r}; allowed: 'yes', 'no'")
    _protocol(swarm).leave(topic, expert, worked == "yes", by, float(amount))
    return _what_worked(swarm, topic)


def _sense_traces(swarm: Swarm, topic: str) -> str:
    return json.dumps(_protocol(swarm).sense(topic))


def _what_worked(swarm: Swarm, topic: str, count: int | str = 3) -> str:
    best = _protocol(swarm).sense(topic)[: int(count)]
    keys = ("expert", "rate", "right", "wrong")
    return json.dumps({"topic": topic, "best": [{key: one[key] for key in keys} for one in best]})


@hookimpl
def swarmloom_register_protocols(register: Callable[[type[ProtocolType]], None]) -> None:
    """Bring the protocol."""
    register(Stigmergy)


@hookimpl
def swarmloom_register_tools(register: Callable[[ManagerTool], None]) -> None:
    """Bring what a manager can do with traces."""
    topic = {"topic": "Topic of the tasks it is about."}
    register(
        ManagerTool(
            "leave_trace",
            "Leave a trace for the crew: whether an expert's work on a topic was good.",
            _leave_trace,
            {
                **topic,
                "expert": "Name of the expert.",
                "worked": "yes or no.",
                "by": "Name of the one who says so.",
                "amount": "How many observations this stands for, 1 by default.",
            },
        )
    )
    register(
        ManagerTool(
            "sense_traces",
            "Read all traces on a topic: each expert's expected success, and who left what.",
            _sense_traces,
            topic,
        )
    )
    register(
        ManagerTool(
            "what_worked",
            "Name the experts whose work on a topic has been best so far.",
            _what_worked,
            {**topic, "count": "How many experts to name, 3 by default."},
        )
    )
