"""What a crew has learned from finished tasks: the trails behind the stigmergy protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from swarmloom.device import Device
from swarmloom.types import Ballot, Outcome
from swarmloom_plugins.learning import credit
from swarmloom_plugins.naming import Names
from swarmloom_plugins.stigmergy_config import StigmergyConfig, embedder_of
from swarmloom_protocols.stigmergy.appointments import Standing
from swarmloom_protocols.stigmergy.topic_map import TopicMap
from swarmloom_protocols.stigmergy.topic_pooling import TopicPooling
from swarmloom_protocols.stigmergy.trails import TrailTable

__all__ = ["ANSWERED", "DEPOSITORS", "FAIL", "KINDS", "OK", "UNANSWERED", "CrewTrails", "Lesson"]

Float64Array = npt.NDArray[np.float64]

# Calls bring answers unless something shows that they do not.
_EXPECTED_ANSWERING = 0.999

# Depositors of the swarm itself; members and other swarms come after them.
_FEEDBACK = 0
_VERDICT = 1
_FIRST_OTHER = 2
_MEMBER, _SWARM = "member:", "swarm:"

DEPOSITORS = 1 + _FIRST_OTHER
"""For how many depositors memory is set aside: answering by one, being right by two."""

OK, FAIL, ANSWERED, UNANSWERED = KINDS = ("ok", "fail", "answered", "unanswered")
"""What an observation says: the answer was right, wrong; the call brought one, or none."""


class Lesson(NamedTuple):
    """Observations of one kind about one expert on one topic, as they are shared."""

    topic: str
    expert: str
    kind: str
    amount: float


class CrewTrails:
    """Success and failure of each expert on each topic, by who says so.

    Not safe for concurrent use: the protocol holds the lock.

    Parameters
    ----------
    config : StigmergyConfig

    Attributes
    ----------
    crew : tuple of str
        Names of the experts, in the crew's order.
    topics : Names
        Topics by row.

    Raises
    ------
    ConfigurationError
        If the embedder cannot be imported or used.
    """

    def __init__(self, config: StigmergyConfig) -> None:
        self._config = config
        self._embed = embedder_of(config)
        self.topics, self._experts, self._others = Names(), Names(), Names()
        # Every call shows whether an expert answers, only a judged answer whether it is right.
        self._answering = self._table(_EXPECTED_ANSWERING)
        self._being_right = self._table(0.5)
        self._pooling = self._new_pooling()
        self.crew: tuple[str, ...] = ()
        self._crew = self._experts.rows(())
        self._appoint()

    def _table(self, prior_rate: float) -> TrailTable:
        config = self._config
        return TrailTable(
            half_life=config.half_life,
            topic_prior=config.topic_prior,
            expert_prior=config.expert_prior,
            prior_rate=prior_rate,
            guest_share=config.members_share,
            guest_floor=config.members_floor,
        )

    def _new_pooling(self) -> TopicPooling | None:
        config = self._config
        if not config.near_topics:
            return None
        return TopicPooling(
            TopicMap(self._embed, neighbours=config.near_topics),
            # Members and other swarms have no say in what is near: they could forge it.
            {_FEEDBACK: 1.0, _VERDICT: config.ungraded_weight},
            half_life=config.half_life,
            topic_prior=config.topic_prior,
            expert_prior=config.expert_prior,
        )

    # -- the crew -------------------------------------------------------------------------------

    def enlist(self, names: Iterable[str], device: Device, expected_topics: int) -> None:
        """Make these the crew; what is known of those who stay or return is kept."""
        self.crew = tuple(names)
        self._crew = self._experts.rows(self.crew)
        cells = len(self.crew) * expected_topics
        for table, depositors in ((self._answering, 1), (self._being_right, _FIRST_OTHER)):
            table.device = device
            table.reserve(cells * depositors)

    @property
    def known(self) -> float:
        """Observations that tell experts apart; answers that nobody judged do not."""
        return sum(self._being_right.totals) + self._answering.totals[1]

    @property
    def nbytes(self) -> int:
        """Bytes of the trails, used or reserved."""
        return self._answering.nbytes + self._being_right.nbytes

    # -- reading --------------------------------------------------------------------------------

    def rates(self, topics: Sequence[str], rng: np.random.Generator | None) -> Float64Array:
        """Give the probability that each of the crew answers rightly, shape (topics, crew)."""
        # A topic gets its row when something is learned of it: rows then hang on the order of
        # outcomes alone, in a resumed run too. Until then it reads like the first row without any.
        unknown = len(self.topics)
        rows = np.array([self._row(topic, unknown) for topic in topics], dtype=np.int64)
        answering = self._answering.rates(rows, self._crew)
        prior = None
        if self._pooling is not None:
            prior = self._pooling.prior(self._being_right, topics, self._crew)
        return answering * self._being_right.rates(rows, self._crew, rng, prior)

    def _row(self, topic: str, unknown: int) -> int:
        row = self.topics.find(topic)
        return unknown if row is None else row

    def know(self, topics: Iterable[str]) -> None:
        """Give topics their rows and places; if the embedder fails, none of them has one."""
        new = [topic for topic in dict.fromkeys(topics) if self.topics.find(topic) is None]
        if self._pooling is not None:
            self._pooling.topics.extend(new)
        self.topics.rows(new)

    def _new_row(self, topic: str) -> int:
        self.know([topic])
        return self.topics.row(topic)

    def sense(self, topic: str) -> list[dict[str, Any]]:
        """Read the trails of the crew on a topic, the best expert first."""
        row = self._row(topic, len(self.topics))
        rates = self.rates([topic], None)[0].tolist()
        found = [
            self._description(name, row, int(expert), rate)
            for name, expert, rate in zip(self.crew, self._crew, rates, strict=True)
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

    def near(self, topic: str) -> dict[str, float]:
        """Give the topics near one with their cosines, the nearest first."""
        if self._pooling is None:
            return {}
        rows, cosines = self._pooling.topics.near(topic)
        listing = self.topics.listing()
        order = np.argsort(-cosines, kind="stable")
        return {listing[rows[one]]: round(float(cosines[one]), 4) for one in order.tolist()}

    @property
    def pooled(self) -> float:
        """How far near topics have proved alike: 0 not at all, 1 beyond doubt."""
        return 0.0 if self._pooling is None else 1.0 - float(self._pooling.weights[-1])

    # -- learning -------------------------------------------------------------------------------

    def advance(self, finished: float) -> None:
        """Let the time of so many finished tasks pass."""
        for table in (self._answering, self._being_right):
            table.advance(finished)

    def learn(self, outcome: Outcome) -> list[Lesson]:
        """Deposit what each call of a finished task showed of its expert.

        Parameters
        ----------
        outcome : Outcome

        Returns
        -------
        list of Lesson
            What there is to share with other swarms.
        """
        self.advance(1.0)
        topic = self._new_row(outcome.task.topic)
        return [lesson for b in outcome.ballots for lesson in self._learned(topic, outcome, b)]

    def _learned(self, topic: int, outcome: Outcome, ballot: Ballot) -> Iterator[Lesson]:
        expert, answered = int(self._crew[ballot.expert]), float(ballot.succeeded)
        about = outcome.task.topic, self.crew[ballot.expert]
        self._answering.deposit(topic, expert, _FEEDBACK, answered, 1.0 - answered)
        yield Lesson(*about, ANSWERED if ballot.succeeded else UNANSWERED, 1.0)
        right = credit(outcome, ballot) if ballot.succeeded else None
        if right is None:
            return
        graded = outcome.truth is not None
        weight = 1.0 if graded else self._config.ungraded_weight
        if self._pooling is not None:
            self._pooling.observe(self._being_right, about[0], expert, right, weight)
        depositor = _FEEDBACK if graded else _VERDICT
        self._being_right.deposit(topic, expert, depositor, right, 1.0 - right)
        for kind, amount in ((OK, right * weight), (FAIL, (1.0 - right) * weight)):
            if amount > 0.0:
                yield Lesson(*about, kind, amount)

    def leave(self, lesson: Lesson, by: str) -> None:
        """Take a member's word about an expert's being right; it is capped and weighed.

        Raises
        ------
        InputError
            If the expert is unknown or the amount is out of its range.
        """
        self._experts.known(lesson.expert)
        self.hear(lesson, by)

    def hear(self, lesson: Lesson, by: str) -> None:
        """Take a member's word as `leave` does, about experts of other crews too."""
        self._told(f"{_MEMBER}{by}", lesson)

    def take(self, lesson: Lesson, swarm: str) -> None:
        """Take what another swarm has seen; it is weighed by how well it agrees with others."""
        self._told(f"{_SWARM}{swarm}", lesson)

    def _told(self, who: str, lesson: Lesson) -> None:
        table = self._being_right if lesson.kind in (OK, FAIL) else self._answering
        good = lesson.kind in (OK, ANSWERED)
        topic, expert = self._new_row(lesson.topic), self._experts.row(lesson.expert)
        known = len(self._others)
        depositor = _FIRST_OTHER + self._others.row(who)
        if len(self._others) > known:
            self._appoint()
        success, failure = (lesson.amount, 0.0) if good else (0.0, lesson.amount)
        table.deposit(topic, expert, depositor, success, failure)

    def _appoint(self) -> None:
        config, table = self._config, self._being_right
        self._answering.appoint(_FEEDBACK, trust=1.0, cap=None)
        table.appoint(_FEEDBACK, trust=1.0, cap=None, standing="reference")
        table.appoint(_VERDICT, trust=config.ungraded_weight, cap=None)
        # Anybody can leave traces under many names; whoever sets a trust vouches for them.
        standing: Standing = "guest" if config.member_trust is None else "peer"
        for who, name in enumerate(self._others.listing(), _FIRST_OTHER):
            if name.startswith(_MEMBER):
                trust, cap = config.member_trust, config.member_cap
                table.appoint(who, trust=trust, cap=cap, standing=standing)

    def _depositor_name(self, depositor: int) -> str:
        own = {_FEEDBACK: "(feedback)", _VERDICT: "(verdict)"}
        if depositor in own:
            return own[depositor]
        name = self._others.listing()[depositor - _FIRST_OTHER]
        if name.startswith(_MEMBER):
            return name.removeprefix(_MEMBER)
        return f"(swarm {name.removeprefix(_SWARM)})"

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Give everything that was learned, for `restore`."""
        return {
            "topics": self.topics.listing(),
            "experts": self._experts.listing(),
            "others": self._others.listing(),
            "answering": self._answering.state(),
            "being_right": self._being_right.state(),
            "pooling": None if self._pooling is None else self._pooling.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace what was learned by what `state` gave; the crew may be another one by now.

        Raises
        ------
        InputError
            If the state is damaged; nothing has changed.
        """
        answering, being_right = self._table(_EXPECTED_ANSWERING), self._table(0.5)
        answering.restore(state["answering"])
        being_right.restore(state["being_right"])
        pooling = self._new_pooling()
        if pooling is not None and state["pooling"] is not None:
            pooling.restore(state["pooling"])
        if pooling is not None:
            pooling.topics.extend(state["topics"])
        answering.device = being_right.device = self._being_right.device
        self._answering, self._being_right, self._pooling = answering, being_right, pooling
        self.topics, self._experts = Names(state["topics"]), Names(state["experts"])
        self._others = Names(state["others"])
        self._crew = self._experts.rows(self.crew)
        self._appoint()
