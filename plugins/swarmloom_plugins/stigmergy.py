"""The stigmergy protocol as a plugin: the crew leaves traces of what worked and follows them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError, SwarmloomError
from swarmloom.events import EventKind
from swarmloom.markers import hookimpl
from swarmloom.memory_plan import MemoryPlan, Region
from swarmloom.protocol import ProtocolConfig, ProtocolType
from swarmloom.types import Event, Expert, Outcome, Proposal, Round
from swarmloom_plugins.naming import BYTES_PER_NAME
from swarmloom_plugins.stigmergy_advice import advice_on
from swarmloom_plugins.stigmergy_config import StigmergyConfig
from swarmloom_plugins.stigmergy_tools import swarmloom_register_tools
from swarmloom_plugins.stigmergy_traces import CrewTraces, Note
from swarmloom_plugins.stigmergy_trails import DEPOSITORS, FAIL, OK, CrewTrails, Lesson
from swarmloom_protocols.bio_routing.choice.router import log_odds as index_log_odds
from swarmloom_protocols.stigmergy.success_rates import log_odds
from swarmloom_protocols.stigmergy.traces.claims import Claim
from swarmloom_protocols.stigmergy.trails import BYTES_PER_TRAIL

if TYPE_CHECKING:
    from swarmloom.swarm import Swarm

__all__ = [
    "Stigmergy",
    "StigmergyConfig",
    "swarmloom_register_protocols",
    "swarmloom_register_tools",
]

_STATE_VERSION = 2

# An expert whose capacity was never stated is not filled by other processes' calls.
_UNLIMITED = Expert("").capacity


class Stigmergy:
    """Trails of success and failure behind the hooks `navigate` and `evolve`."""

    name: ClassVar[str] = "stigmergy"
    Config: ClassVar[type[ProtocolConfig]] = StigmergyConfig

    def __init__(self, config: StigmergyConfig) -> None:
        self._config = config
        self._trails = CrewTrails(config)
        store = None if config.store is None else str(config.store)
        self._traces = CrewTraces(store, config.load_half_life)
        self._swarm: Swarm | None = None
        self._limited: frozenset[str] = frozenset()
        self._concluded: set[str] = set()
        # Members leave traces from the threads their tools run in.
        self._lock = threading.RLock()

    # -- the cycle ------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_plan_memory(self, plan: MemoryPlan, experts: int) -> None:
        """Plan the trails of the expected topics."""
        cells = experts * self._config.expected_topics
        shape = (DEPOSITORS, cells, BYTES_PER_TRAIL)
        plan.add(Region.PHEROMONE, "stigmergy trails", shape, "uint8")
        plan.add(Region.PHEROMONE, "stigmergy names", (experts, BYTES_PER_NAME), "uint8")

    @hookimpl
    def swarmloom_initialize(self, swarm: Swarm) -> None:
        """Learn who belongs to the crew; the trails of those who stay or return are kept."""
        with self._lock:
            self._swarm = swarm
            self._limited = frozenset(e.name for e in swarm.experts if e.capacity < _UNLIMITED)
            names = [expert.name for expert in swarm.experts]
            self._trails.enlist(names, swarm.settings.device, self._config.expected_topics)

    @hookimpl
    def swarmloom_navigate(self, round: Round) -> Proposal:
        """Give the log-odds that each expert answers, and rightly, on each task's topic."""
        with self._lock:
            failure = self._catch_up() if self._traces.shared else None
            rng = round.rng if self._config.explore else None
            rates = self._trails.rates([task.topic for task in round.tasks], rng)
            known = self._trails.known
            wait = self._wait_for_others(round)
        if failure is not None:
            self._report(failure, "swarmloom_navigate")
        # Draws say little as long as little is known: they must not drown out other protocols.
        unknown = self._config.expert_prior * max(1, len(round.experts))
        confidence = known / (known + unknown)
        if not wait.any():
            return Proposal(log_odds(rates), confidence)
        # Other processes' load is known, however little is known of the experts.
        moved = index_log_odds(rates - wait) - index_log_odds(rates)
        return Proposal((confidence * log_odds(rates) + moved).astype(np.float32), 1.0)

    def _wait_for_others(self, round: Round) -> npt.NDArray[np.float64]:
        """Cost of waiting for other processes' calls, in success rate, shape (experts,).

        What waits for this process's own calls is left to the kernel and to bio-routing.
        """
        if not (self._traces.shared and self._limited):
            return np.zeros(len(round.experts))
        others = self._traces.load([expert.name for expert in round.experts])
        places = np.array([expert.capacity for expert in round.experts], dtype=np.float64)
        own = np.maximum(0.0, round.in_flight + 1.0 - places)
        together = np.maximum(0.0, round.in_flight + others + 1.0 - places)
        cost: npt.NDArray[np.float64] = self._config.load_weight * (together - own) / places
        return cost

    @hookimpl
    def swarmloom_evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Deposit what each call showed of its expert; time passes by one a finished task."""
        with self._lock:
            lessons: list[Lesson] = []
            new = 0
            for outcome in outcomes:
                taught = self._trails.learn(outcome)
                # A resumed run replays what it has shared before.
                if outcome.task.id in self._concluded:
                    self._concluded.discard(outcome.task.id)
                    lessons += taught
                    new += 1
            run = self._run()
            if run:
                self._traces.begin(run)
            if new:
                self._traces.teach(run, lessons, new)

    @hookimpl
    def swarmloom_observe(self, event: Event) -> None:
        """Keep count of the calls that are out, and of tasks that have just been finished."""
        if event.kind == EventKind.DECISION:
            expert = event.data["expert"]
            with self._lock:
                self._traces.started(event.task, expert, expert in self._limited)
        elif event.kind in (EventKind.BALLOT, EventKind.OUTCOME):
            with self._lock:
                if event.kind == EventKind.OUTCOME and self._traces.shared:
                    self._concluded.add(event.task)
                self._traces.ended(event.task, self._limited)
        elif event.kind == EventKind.RUN_FINISHED:
            with self._lock:
                self._traces.idle(self._limited)

    @hookimpl
    def swarmloom_close(self) -> None:
        """Write what is still to be shared and close the store."""
        with self._lock:
            self._traces.close()

    def _run(self) -> str:
        return self._swarm.ledger.latest if self._swarm is not None and self._traces.shared else ""

    def _catch_up(self) -> SwarmloomError | None:
        """Learn what others have shared; give the failure instead of raising it.

        A store that fails must not take away what the crew knows by itself.
        """
        if run := self._run():
            self._traces.begin(run)
        try:
            news = self._traces.follow()
        except SwarmloomError as error:
            return error
        # Only placing new topics can fail, in the embedder: then all is told again.
        self._trails.know(told.lesson.topic for told in news.told)
        self._trails.advance(news.finished)
        for told in news.told:
            (self._trails.hear if told.member else self._trails.take)(told.lesson, told.who)
        self._traces.took(news)
        return None

    def _report(self, failure: SwarmloomError, hook: str) -> None:
        assert self._swarm is not None
        self._swarm.host.fail(self.name, hook, failure)

    @property
    def nbytes(self) -> int:
        """Bytes of the trails, used or reserved."""
        return self._trails.nbytes

    # -- traces of members ----------------------------------------------------------------------

    def leave(
        self,
        topic: str,
        expert: str,
        worked: bool,
        by: str,
        amount: float = 1.0,
        note: str = "",
    ) -> None:
        """Leave a trace about an expert.

        Parameters
        ----------
        topic, expert : str
            What it did, in up to 500 characters, and who.
        worked : bool
            Whether it worked.
        by : str
            The member that says so, in 1 to 200 characters; its word is capped and weighed, and so
            is that of all.
        amount : float
            In observations.
        note : str
            What else there is to say, up to 500 characters; replaces the member's last note about
            this expert on this topic. Nothing in it counts for a decision.

        Raises
        ------
        InputError
            If the expert is unknown, the amount out of its range, or a text too long or no Unicode.
            Nothing has changed.
        StoreError
            If the shared store cannot be written. What was said counts here, and is shared later.
        """
        lesson = Lesson(topic, expert, OK if worked else FAIL, amount)
        with self._lock:
            self._traces.check(topic, by, note)
            self._trails.leave(lesson, by)
            self._traces.tell(lesson, by, note)

    def sense(self, topic: str) -> list[dict[str, Any]]:
        """Read the traces of the crew on a topic, the best expert first.

        Parameters
        ----------
        topic : str

        Returns
        -------
        list of dict
            ``expert``, ``rate`` (probability of a right answer), ``right`` and ``wrong`` (answers
            judged so), ``answered`` and ``failed`` (calls), ``by`` (right and wrong answers by
            the word of each depositor) and ``in_flight`` (calls that are out, those of other
            processes fading with the age of their word).
        """
        with self._lock:
            found = self._trails.sense(topic)
            others = self._traces.load([one["expert"] for one in found]).tolist()
            for one, elsewhere in zip(found, others, strict=True):
                load = self._traces.own_load(one["expert"]) + elsewhere
                one["in_flight"] = round(load, 2)
        return found

    def near(self, topic: str) -> dict[str, float]:
        """Give the topics near one with their cosines, the nearest first.

        Parameters
        ----------
        topic : str
        """
        with self._lock:
            return self._trails.near(topic)

    def notes(self, topic: str) -> list[Note]:
        """Give the members' notes on a topic, the last one first.

        Parameters
        ----------
        topic : str

        Raises
        ------
        StoreError
            If the shared store cannot be read.
        """
        with self._lock:
            failure = self._catch_up()
            if failure is not None:
                raise failure
            return self._traces.notes(topic)

    def advise(self, topic: str, tokens: int = 200) -> str:
        """Write what worked on a topic and on near ones as lines for a prompt.

        Parameters
        ----------
        topic : str
        tokens : int
            Tokens at most, by an estimate that is rather too high (≥ 1).

        Returns
        -------
        str
            Empty if nothing is known or nothing fits.
        """
        if tokens < 1:
            raise InputError(f"tokens is {tokens}; at least 1")
        with self._lock:
            notes = self.notes(topic)
            return advice_on(topic, self._trails, notes, tokens)

    # -- claims ---------------------------------------------------------------------------------

    def claim(self, task: str, by: str, ttl: float = 600.0) -> Claim | None:
        """Claim a task for some time, so that nobody does it twice.

        Parameters
        ----------
        task : str
            Any name that all use for it, of up to 500 characters.
        by : str
            Who is to do it, in 1 to 200 characters.
        ttl : float
            Seconds (> 0) after which somebody else may take it over.

        Returns
        -------
        Claim or None
            None if somebody holds it, or it is done.
        """
        with self._lock:
            return self._traces.claim(task, by, ttl)

    def claimed(self, task: str, token: int, by: str) -> Claim:
        """Give a claim that was made with `claim`.

        Raises
        ------
        InputError
            If this agent has no such claim.
        """
        with self._lock:
            return self._traces.claimed(task, token, by)

    def result(self, task: str) -> Any:
        """Give what was recorded when a claimed task was finished, None before that.

        Parameters
        ----------
        task : str
        """
        with self._lock:
            return self._traces.result(task)

    # -- state ----------------------------------------------------------------------------------

    @hookimpl
    def swarmloom_snapshot(self) -> dict[str, Any]:
        """Give the trails, notes and claims; what a shared store holds stays there."""
        with self._lock:
            return {
                "version": _STATE_VERSION,
                "trails": self._trails.state(),
                "traces": self._traces.state(),
            }

    @hookimpl
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take a snapshot back; the crew may be another one by now."""
        if state.get("version") != _STATE_VERSION:
            raise InputError(
                f"a snapshot of stigmergy of version {state.get('version')}; allowed: "
                f"{_STATE_VERSION}"
            )
        with self._lock:
            before = self._trails.state()
            try:
                self._trails.restore(state["trails"])
                self._traces.restore(state["traces"])
            except (KeyError, TypeError, ValueError) as error:
                self._trails.restore(before)
                raise InputError(f"a damaged snapshot of stigmergy: {error}") from error


@hookimpl
def swarmloom_register_protocols(register: Callable[[type[ProtocolType]], None]) -> None:
    """Bring the protocol."""
    register(Stigmergy)
