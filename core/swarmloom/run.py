"""A run: tasks in, rounds until each has its verdict, outcomes out, everything on record."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from swarmloom.budget import Budget
from swarmloom.cycle import Cycle, Phase, round_generator
from swarmloom.errors import InputError
from swarmloom.events import EventKind, ballot_event, outcome_event, task_event, verdict_event
from swarmloom.explanations import decision_event
from swarmloom.open_tasks import OpenTask
from swarmloom.types import Assignment, Ballot, Event, IntArray, Mixture, Outcome, Round, Task

if TYPE_CHECKING:
    from swarmloom.host import PluginRecord
    from swarmloom.ledger.replay import ReplayState
    from swarmloom.swarm import Swarm

__all__ = ["Feedback", "Run", "RunResult"]

Feedback = Callable[[Task, str | None], str | None]

# Questions are opened as fast as outcomes teach whom to ask, over all topics and on each: one more
# at a time for every two.
_OUTCOMES_A_PLACE = 2


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to.

    Attributes
    ----------
    run_id : str
        Its name in the ledger.
    outcomes : tuple of Outcome
        In the order the tasks finished; those of the first part of a resumed run included.
    calls, cost, seconds
        Spent in all.
    shares : mapping of str to float
        Each protocol's mean share in the decisions.
    plugins : tuple of PluginRecord
        The host's report at the end: who was quarantined, and why.
    """

    run_id: str
    outcomes: tuple[Outcome, ...]
    calls: int
    cost: float
    seconds: float
    shares: Mapping[str, float]
    plugins: tuple[PluginRecord, ...]

    @property
    def answers(self) -> dict[str, str | None]:
        """The swarm's answer to each task, by the task's id."""
        return {outcome.task.id: outcome.verdict.answer for outcome in self.outcomes}


class Run:
    """Takes tasks and gives outcomes until it is closed; `Swarm.open_run` makes one.

    It is a context manager. `solve` may be called many times, also at the same time, from any
    loop; `solve_now` is the same for callers without one, from any thread. All rounds happen on
    the swarm's own loop, one after another.
    """

    def __init__(
        self,
        swarm: Swarm,
        *,
        feedback: Feedback | None = None,
        on_event: Callable[[Event], None] | None = None,
        job: Mapping[str, Any] | None = None,
        resume: str | None = None,
    ) -> None:
        self._swarm = swarm
        self._experts = swarm.experts
        self._feedback = feedback
        self._on_event = on_event
        self._cycle = Cycle(swarm.host, swarm.executor)
        limits = swarm.settings.budget
        self._budget = Budget(swarm.experts, limits.calls, limits.cost, limits.seconds)
        self._round = 0
        self._known: dict[str, Outcome] = {}
        self._finished_of: Counter[str] = Counter()
        self._taken: set[str] = set()
        self._restored: ReplayState | None = None
        self._shares: dict[str, float] = {}
        self._decisions = 0
        self._answered = asyncio.Event()
        self._solving: set[asyncio.Task[Any]] = set()
        self._closed: RunResult | None = None
        self.id = self._begin(job) if resume is None else self._replay(resume)

    # -- the public face --------------------------------------------------------------------

    async def solve(self, tasks: Iterable[Task]) -> list[Outcome]:
        """Bring tasks to their outcomes.

        Parameters
        ----------
        tasks : iterable of Task
            Ids must be new to the run; a task that an earlier part of a resumed run has finished
            gives its recorded outcome.

        Returns
        -------
        list of Outcome
            In the order of the tasks.

        Raises
        ------
        InputError
            If an id is not new, or the run is closed.
        """
        ordered = list(tasks)
        return await self._swarm.loop.within(lambda: self._solve(ordered))

    def solve_now(self, tasks: Iterable[Task]) -> list[Outcome]:
        """Do what `solve` does, from a caller without an event loop, in any thread."""
        ordered = list(tasks)
        return self._swarm.loop.run(lambda: self._solve(ordered))

    def close(self, status: str = "finished") -> RunResult:
        """End the run, giving up what is still being solved; later calls return the same.

        Parameters
        ----------
        status : str
            "finished", or "interrupted" for a run that may be resumed.
        """
        if self._closed is None:
            self._swarm.loop.cancel(self._solving)
            self.emit(EventKind.RUN_FINISHED, {"status": status})
            self._swarm.ledger.finish(self.id, status)
            self._closed = self._result()
            self._swarm.detach(self)
        return self._closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close("finished" if kind is None else "interrupted")

    @property
    def finished(self) -> Mapping[str, Outcome]:
        """Outcomes so far by task id."""
        return self._known

    @property
    def in_flight(self) -> IntArray:
        """Calls sent and not answered yet, shape (experts,)."""
        return self._budget.in_flight.copy()

    @property
    def spent(self) -> tuple[int, float]:
        """Calls and cost so far."""
        return self._budget.spent_calls, self._budget.spent_cost

    @property
    def shares(self) -> dict[str, float]:
        """Each protocol's mean share in the decisions so far."""
        return {name: total / self._decisions for name, total in sorted(self._shares.items())}

    def emit(self, kind: str, data: Mapping[str, Any], task: str = "") -> None:
        """Record one event and show it to those who watch."""
        self._record([Event(kind, data, task)])

    # -- start, resume, end -----------------------------------------------------------------

    def _begin(self, job: Mapping[str, Any] | None) -> str:
        swarm = self._swarm
        data = {
            "job": dict(job or {}),
            "seed": swarm.settings.swarm.seed,
            "pattern": swarm.pattern,
            "experts": [
                {"name": e.name, "price": e.price, "model": e.model, "skills": sorted(e.skills)}
                for e in swarm.experts
            ],
            "settings": swarm.settings.model_dump(mode="json"),
        }
        run_id = swarm.ledger.begin(data)
        self._show([Event(EventKind.RUN_STARTED, data)])
        return run_id

    def _replay(self, run_id: str) -> str:
        from swarmloom.ledger.replay import replay

        index_of = {expert.name: index for index, expert in enumerate(self._experts)}
        # Claimed before it is read: nobody else can add to it in between.
        self._swarm.ledger.resume(run_id)
        state = replay(self._swarm.ledger.events(run_id), index_of)
        self._restored = state
        self._round = state.next_round
        self._shares, self._decisions = state.share_totals, state.decisions
        for number, batch in enumerate([*state.batches, []]):
            for change in state.changes.get(number, ()):
                self._swarm.replay_change(change)
            self._finish(batch)
        for ballot in state.ballots:
            self._budget.book(ballot)
        self._budget.resume(state.elapsed)
        return run_id

    def _result(self) -> RunResult:
        calls, cost = self.spent
        return RunResult(
            run_id=self.id,
            outcomes=tuple(self._known.values()),
            calls=calls,
            cost=cost,
            seconds=self._budget.elapsed,
            shares=self.shares,
            plugins=tuple(self._swarm.host.report()),
        )

    # -- tasks ----------------------------------------------------------------------------------

    async def _solve(self, tasks: Sequence[Task]) -> list[Outcome]:
        self._reserve_ids(tasks)
        done = {task.id: self._known[task.id] for task in tasks if task.id in self._known}
        waiting = deque(task for task in tasks if task.id not in done)
        in_work: list[OpenTask] = []
        with self._swarm.loop.noting(self._solving):
            while waiting or in_work:
                self._admit(waiting, in_work)
                done.update((o.task.id, o) for o in await self._turn(in_work))
                in_work = [state for state in in_work if state.task.id not in done]
                # Experts that answer at once would never let a cancellation through.
                await asyncio.sleep(0)
        return [done[task.id] for task in tasks]

    def _reserve_ids(self, tasks: Sequence[Task]) -> None:
        if self._closed is not None:
            raise InputError("the run is closed; open a new one")
        ids: set[str] = set()
        for task in tasks:
            if task.id in self._taken or task.id in ids:
                raise InputError(f"two tasks have the id {task.id!r}; ids must be new to a run")
            ids.add(task.id)
        self._taken |= ids

    def _open(self, task: Task) -> OpenTask:
        state = OpenTask.of(task, self._experts)
        if self._restored is not None:
            for ballot in self._restored.open_ballots.get(task.id, ()):
                state.take(ballot)
            state.pending = self._restored.pending.get(task.id, -1)
            state.verdict = self._restored.verdicts.get(task.id)
            state.unjudged = task.id in self._restored.unjudged
        return state

    def _admit(self, waiting: deque[Task], in_work: list[OpenTask]) -> None:
        admitted = []
        while waiting and self._may_open(waiting[0], in_work):
            task = waiting.popleft()
            in_work.append(self._open(task))
            if self._restored is None or task.id not in self._restored.opened:
                admitted.append(task_event(task))
        self._record(admitted)

    def _may_open(self, task: Task, in_work: Sequence[OpenTask]) -> bool:
        settings = self._swarm.settings.swarm
        if len(in_work) >= settings.window:
            return False
        if (task.quorum or settings.quorum) == 1:
            return True
        same_topic = sum(state.task.topic == task.topic for state in in_work)
        finished = self._finished_of[task.topic]
        return (
            len(in_work) <= len(self._known) // _OUTCOMES_A_PLACE
            and same_topic <= finished // _OUTCOMES_A_PLACE
        )

    def _finish(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes that are on record, and let every protocol learn from them."""
        if outcomes:
            self._known.update((outcome.task.id, outcome) for outcome in outcomes)
            self._finished_of.update(outcome.task.topic for outcome in outcomes)
            self._cycle.evolve(outcomes)

    # -- one round ----------------------------------------------------------------------------

    async def _turn(self, states: list[OpenTask]) -> list[Outcome]:
        if any(state.unjudged for state in states):
            return await self._complete(states)
        late = [state for state in states if state.is_late(self._budget.elapsed)]
        if late:
            return await self._give_up(late, "deadline")
        number, self._round = self._round, self._round + 1
        round = self._cycle.entangle(self._round_of(states, number, Phase.DECIDE))
        mixture = self._cycle.navigate(round, self._swarm.weights)
        assignment = self._cycle.decide(round, mixture)
        assignment = replace(assignment, expert=self._budget.fitting(assignment.expert))
        if not (assignment.expert >= 0).any():
            return await self._nobody(states, round)
        # Reserved before anything is awaited: no other solve can take the same money.
        prices = self._reserve(assignment)
        self._record_decisions(round, mixture, assignment)
        await self._execute(states, round, assignment, prices)
        asked = [s for s, e in zip(states, assignment.expert.tolist(), strict=True) if e >= 0]
        unable = [s for s, row in zip(states, round.allowed, strict=True) if not row.any()]
        return await self._judge(asked, number, unable)

    async def _complete(self, states: list[OpenTask]) -> list[Outcome]:
        """Finish the round in which an earlier part of the run was interrupted."""
        number = self._round - 1
        round = self._round_of(states, number, Phase.DECIDE)
        assignment = Assignment(np.array([s.pending for s in states], dtype=np.int64), "resumed")
        asked = [state for state in states if state.unjudged]
        for state in asked:
            state.pending, state.unjudged = -1, False
        await self._execute(states, round, assignment, self._reserve(assignment))
        idle = [(s, row) for s, row in zip(states, round.allowed, strict=True) if s not in asked]
        return await self._judge(asked, number, [s for s, row in idle if not row.any()])

    def _round_of(self, states: Sequence[OpenTask], number: int, phase: Phase) -> Round:
        affordable = self._budget.affordable()
        shape = (len(states), len(self._experts))
        allowed = np.array([s.candidates & affordable for s in states]).reshape(shape)
        in_flight, prices = self._budget.in_flight.copy(), self._budget.prices.copy()
        for array in (allowed, in_flight, prices):
            array.setflags(write=False)
        round = Round(
            number=number,
            tasks=tuple(state.task for state in states),
            experts=self._experts,
            allowed=allowed,
            ballots=tuple(state.votes for state in states),
            in_flight=in_flight,
            prices=prices,
            elapsed=self._budget.elapsed,
            seconds_left=self._budget.seconds_left,
            rng=round_generator(self._swarm.settings.swarm.seed, number, phase),
        )
        return self._cycle.admit(round)

    def _record_decisions(self, round: Round, mixture: Mixture, assignment: Assignment) -> None:
        events = []
        for row in np.flatnonzero(assignment.expert >= 0).tolist():
            event = decision_event(round, mixture, assignment, row)
            for name, share in event.data["shares"].items():
                self._shares[name] = self._shares.get(name, 0.0) + share
            self._decisions += bool(event.data["shares"])
            events.append(event)
        self._record(events)

    def _reserve(self, assignment: Assignment) -> dict[int, float]:
        rows = np.flatnonzero(assignment.expert >= 0)
        prices = self._budget.reserve(assignment.expert[rows])
        return dict(zip(rows.tolist(), prices.tolist(), strict=True))

    async def _execute(
        self,
        states: Sequence[OpenTask],
        round: Round,
        assignment: Assignment,
        reserved: dict[int, float],
        *,
        audit: bool = False,
    ) -> None:
        row_of = {state.task.id: row for row, state in enumerate(states)}
        try:
            async for ballot in self._cycle.execute(round, assignment):
                row = row_of[ballot.task]
                self._budget.release(ballot.expert, reserved.pop(row))
                self._take(states[row], replace(ballot, audit=audit))
        finally:
            for row, price in reserved.items():
                self._budget.release(int(assignment.expert[row]), price)
            self._answered.set()

    def _take(self, state: OpenTask, ballot: Ballot) -> None:
        self._record([ballot_event(ballot, self._experts[ballot.expert].name)])
        self._budget.book(ballot)
        state.take(ballot)
        self._answered.set()

    # -- verdicts and outcomes ------------------------------------------------------------------

    async def _judge(
        self, states: list[OpenTask], number: int, unable: list[OpenTask]
    ) -> list[Outcome]:
        round = self._round_of(states, number, Phase.JUDGE)
        elapsed, retries = self._budget.elapsed, self._swarm.settings.swarm.retries
        for state, verdict in zip(states, self._cycle.judge(round), strict=True):
            state.verdict = verdict
            state.stop_reason = state.reason_to_stop(verdict, elapsed, retries)
        for state in unable:
            state.stop_reason = state.stop_reason or self._reason_for_nobody(state)
        return await self._conclude(
            [state for state in (*states, *unable) if state.stop_reason],
            going_on=[state for state in states if not state.stop_reason],
        )

    def _reason_for_nobody(self, state: OpenTask) -> str:
        if self._budget.exhausted:
            return f"budget: {self._budget.exhausted}"
        if (state.candidates & (self._budget.prices > self._budget.cost_left)).any():
            return "budget: cost"
        if (state.candidates & self._budget.affordable()).any():
            return "nobody admitted"
        return "everybody asked" if state.ballots else "no able expert"

    async def _nobody(self, states: list[OpenTask], round: Round) -> list[Outcome]:
        if self._budget.in_flight.any() and not self._budget.seconds_left <= 0:
            self._answered.clear()
            await self._answered.wait()
            return []
        if self._budget.exhausted:
            self.emit(EventKind.BUDGET_EXHAUSTED, {"limit": self._budget.exhausted})
        for state in states:
            state.stop_reason = self._reason_for_nobody(state)
        return await self._conclude(states)

    async def _give_up(self, states: list[OpenTask], reason: str) -> list[Outcome]:
        for state in states:
            state.stop_reason = reason
        return await self._conclude(states)

    async def _conclude(
        self, states: Sequence[OpenTask], going_on: Sequence[OpenTask] = ()
    ) -> list[Outcome]:
        """Record the outcomes of these tasks, with the verdicts of those going on, and learn.

        A resumed run could not judge the others again as they were: it has learned since.
        """
        outcomes = [state.outcome(self._truth(state)) for state in states]
        await self._audit(states, outcomes)
        names = [expert.name for expert in self._experts]
        ended = [outcome_event(o, s.stop_reason) for o, s in zip(outcomes, states, strict=True)]
        verdicts = [state.verdict for state in going_on if state.verdict is not None]
        self._record([*ended, *(verdict_event(verdict, names) for verdict in verdicts)])
        self._finish(outcomes)
        return outcomes

    def _truth(self, state: OpenTask) -> str | None:
        if self._feedback is None or not state.ballots:
            return None
        truth = self._feedback(state.task, state.verdict.answer if state.verdict else None)
        if truth is not None and not isinstance(truth, str):
            raise InputError(
                f"feedback on task {state.task.id!r} is {truth!r}; allowed: a string or None"
            )
        return truth

    async def _audit(self, states: Sequence[OpenTask], outcomes: list[Outcome]) -> None:
        """Buy further answers to graded tasks for as long as the judge names experts."""
        graded = [row for row, outcome in enumerate(outcomes) if outcome.truth is not None]
        while graded:
            wanted = self._cycle.audit([outcomes[row] for row in graded], len(self._experts))
            bought = []
            for row, experts in zip(graded, wanted, strict=True):
                if await self._buy_audits(states[row], experts):
                    outcomes[row] = states[row].outcome(outcomes[row].truth)
                    bought.append(row)
            graded = bought

    async def _buy_audits(self, state: OpenTask, experts: Sequence[int]) -> bool:
        before = len(state.ballots)
        for expert in experts:
            free = (state.able & ~state.asked & self._budget.affordable())[np.newaxis]
            round = self._round_of([state], self._round, Phase.JUDGE)
            round = self._cycle.admit(replace(round, allowed=free))
            if not round.allowed[0, expert]:
                continue
            assignment = Assignment(np.array([expert], dtype=np.int64), "audit")
            await self._execute([state], round, assignment, self._reserve(assignment), audit=True)
        return len(state.ballots) > before

    # -- events -------------------------------------------------------------------------------

    def _record(self, events: Sequence[Event]) -> None:
        if events:
            self._swarm.ledger.append(self.id, events)
            self._show(events)

    def _show(self, events: Sequence[Event]) -> None:
        for event in events:
            self._swarm.host.hook.swarmloom_observe(event=event)
            if self._on_event is not None:
                self._on_event(event)
