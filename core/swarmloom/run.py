"""A run: tasks in, rounds until each has its verdict, outcomes out, everything on record."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from swarmloom.budget import Budget
from swarmloom.cycle import Cycle, Phase, round_generator
from swarmloom.errors import InputError
from swarmloom.events import EventKind, ballot_event, outcome_event, task_event, verdict_event
from swarmloom.explanations import decision_event
from swarmloom.loop_thread import LoopThread
from swarmloom.types import (
    Assignment,
    Ballot,
    BoolArray,
    Event,
    Float64Array,
    IntArray,
    Mixture,
    Outcome,
    Round,
    Task,
    Verdict,
)

if TYPE_CHECKING:
    from swarmloom.host import PluginRecord
    from swarmloom.ledger.replay import ReplayState
    from swarmloom.swarm import Swarm

__all__ = ["Feedback", "Run", "RunResult"]

Feedback = Callable[[Task, str | None], str | None]

_WAIT_FOR_CAPACITY = 0.005


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


@dataclass(slots=True, eq=False)
class _OpenTask:
    """A task on its way to a verdict."""

    task: Task
    able: BoolArray
    asked: BoolArray
    ballots: list[Ballot] = field(default_factory=list)
    verdict: Verdict | None = None
    failures: int = 0
    stop_reason: str = ""
    pending: int = -1
    unjudged: bool = False

    def take(self, ballot: Ballot) -> None:
        self.ballots.append(ballot)
        self.asked[ballot.expert] = True
        self.failures += not ballot.succeeded

    @property
    def votes(self) -> tuple[Ballot, ...]:
        return tuple(ballot for ballot in self.ballots if not ballot.audit)

    @property
    def candidates(self) -> BoolArray:
        free = self.able & ~self.asked
        if self.verdict is not None and self.verdict.ask:
            preferred = np.zeros_like(free)
            preferred[list(self.verdict.ask)] = True
            return free & preferred if (free & preferred).any() else free
        return free


class Run:
    """Takes tasks and gives outcomes until it is closed; `Swarm.open_run` makes one.

    It is a context manager. `solve` may be called many times, also at the same time; `solve_now`
    is the same for callers without an event loop, from any thread.
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
        settings = swarm.settings
        self._swarm = swarm
        self._feedback = feedback
        self._on_event = on_event
        self._cycle = Cycle(swarm.host, swarm.executor)
        self._budget = Budget(settings.budget.calls, settings.budget.cost, settings.budget.seconds)
        self._prices: Float64Array = np.array([e.price for e in swarm.experts], dtype=np.float64)
        self._billed: IntArray = np.zeros(len(swarm.experts), dtype=np.int64)
        self._in_flight: IntArray = np.zeros(len(swarm.experts), dtype=np.int64)
        self._round = 0
        self._known: dict[str, Outcome] = {}
        self._restored: ReplayState | None = None
        self._shares: dict[str, float] = {}
        self._decisions = 0
        self._loop = LoopThread()
        self._closed: RunResult | None = None
        if settings.budget.seconds is not None:
            swarm.executor.deadline = time.monotonic() + settings.budget.seconds
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
        """
        ordered = list(tasks)
        self._check_ids(ordered)
        done = {task.id: self._known[task.id] for task in ordered if task.id in self._known}
        waiting = deque(self._open(task) for task in ordered if task.id not in done)
        in_work: list[_OpenTask] = []
        while waiting or in_work:
            self._admit(waiting, in_work)
            for outcome in await self._turn(in_work):
                done[outcome.task.id] = outcome
            in_work = [state for state in in_work if state.task.id not in done]
        return [done[task.id] for task in ordered]

    def solve_now(self, tasks: Iterable[Task]) -> list[Outcome]:
        """Do what `solve` does, from a caller without an event loop, in any thread."""
        return self._loop.run(self.solve(tasks))

    def close(self, status: str = "finished") -> RunResult:
        """End the run; what it came to is returned, also by later calls."""
        if self._closed is None:
            self.emit(EventKind.RUN_FINISHED, {"status": status})
            self._swarm.ledger.finish(self.id, status)
            self._loop.close()
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
        return self._in_flight.copy()

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

        index_of = {expert.name: index for index, expert in enumerate(self._swarm.experts)}
        # Claimed before it is read: nobody else can add to it in between.
        self._swarm.ledger.resume(run_id)
        state = replay(self._swarm.ledger.events(run_id), index_of)
        self._restored = state
        self._round = state.next_round
        self._shares, self._decisions = state.share_totals, state.decisions
        for batch in state.batches:
            self._known.update((outcome.task.id, outcome) for outcome in batch)
            self._cycle.evolve(batch)
        for ballot in state.ballots:
            self._book(ballot)
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

    def _check_ids(self, tasks: Sequence[Task]) -> None:
        if self._closed is not None:
            raise InputError("the run is closed; open a new one")
        seen: set[str] = set()
        for task in tasks:
            if task.id in seen:
                raise InputError(f"two tasks have the id {task.id!r}; ids must be unique in a run")
            seen.add(task.id)

    def _open(self, task: Task) -> _OpenTask:
        experts = self._swarm.experts
        able = np.array([task.demands <= e.skills or not e.skills for e in experts], dtype=np.bool_)
        state = _OpenTask(task, able, np.zeros(len(experts), dtype=np.bool_))
        if self._restored is not None:
            for ballot in self._restored.open_ballots.get(task.id, ()):
                state.take(ballot)
            state.pending = self._restored.pending.get(task.id, -1)
            state.verdict = self._restored.verdicts.get(task.id)
            state.unjudged = task.id in self._restored.unjudged
        return state

    def _admit(self, waiting: deque[_OpenTask], in_work: list[_OpenTask]) -> None:
        admitted = []
        while waiting and len(in_work) < self._swarm.settings.swarm.window:
            in_work.append(waiting.popleft())
            if self._restored is None or in_work[-1].task.id not in self._restored.opened:
                admitted.append(task_event(in_work[-1].task))
        self._record(admitted)

    # -- one round ----------------------------------------------------------------------------

    async def _turn(self, states: list[_OpenTask]) -> list[Outcome]:
        if any(state.unjudged for state in states):
            return await self._complete(states)
        number, self._round = self._round, self._round + 1
        round = self._round_of(states, number, Phase.DECIDE)
        round = self._cycle.entangle(round)
        mixture = self._cycle.navigate(round, self._swarm.weights)
        assignment = self._affordable(self._cycle.decide(round, mixture))
        self._record_decisions(round, mixture, assignment)
        if not (assignment.expert >= 0).any():
            return await self._nobody(states, round)
        await self._execute(states, round, assignment)
        asked = [s for s, e in zip(states, assignment.expert.tolist(), strict=True) if e >= 0]
        unable = [s for s, row in zip(states, round.allowed, strict=True) if not row.any()]
        return await self._judge(asked, number, unable)

    async def _complete(self, states: list[_OpenTask]) -> list[Outcome]:
        """Finish the round in which an earlier part of the run was interrupted."""
        number = self._round - 1
        round = self._round_of(states, number, Phase.DECIDE)
        assignment = Assignment(np.array([s.pending for s in states], dtype=np.int64), "resumed")
        asked = [state for state in states if state.unjudged]
        for state in asked:
            state.pending, state.unjudged = -1, False
        await self._execute(states, round, assignment)
        idle = [(s, row) for s, row in zip(states, round.allowed, strict=True) if s not in asked]
        return await self._judge(asked, number, [s for s, row in idle if not row.any()])

    def _round_of(self, states: Sequence[_OpenTask], number: int, phase: Phase) -> Round:
        affordable = self._budget.affordable(self._prices)
        shape = (len(states), len(self._prices))
        allowed = np.array([s.candidates & affordable for s in states]).reshape(shape)
        return Round(
            number=number,
            tasks=tuple(state.task for state in states),
            experts=self._swarm.experts,
            allowed=allowed,
            ballots=tuple(state.votes for state in states),
            in_flight=self._in_flight.copy(),
            prices=self._prices.copy(),
            elapsed=self._budget.elapsed,
            rng=round_generator(self._swarm.settings.swarm.seed, number, phase),
        )

    def _affordable(self, assignment: Assignment) -> Assignment:
        fitting = self._budget.fitting(assignment.expert, self._prices)
        return replace(assignment, expert=fitting)

    def _record_decisions(self, round: Round, mixture: Mixture, assignment: Assignment) -> None:
        events = []
        for row in np.flatnonzero(assignment.expert >= 0).tolist():
            event = decision_event(round, mixture, assignment, row)
            for name, share in event.data["shares"].items():
                self._shares[name] = self._shares.get(name, 0.0) + share
            self._decisions += bool(event.data["shares"])
            events.append(event)
        self._record(events)

    async def _execute(
        self, states: Sequence[_OpenTask], round: Round, assignment: Assignment
    ) -> None:
        state_of = {state.task.id: state for state in states}
        sent = assignment.expert[assignment.expert >= 0]
        np.add.at(self._in_flight, sent, 1)
        outstanding = self._in_flight_counter(sent)
        try:
            async for ballot in self._cycle.execute(round, assignment):
                outstanding[ballot.expert] -= 1
                self._in_flight[ballot.expert] -= 1
                self._take(state_of[ballot.task], ballot)
        finally:
            self._in_flight -= outstanding

    def _in_flight_counter(self, sent: IntArray) -> IntArray:
        return np.bincount(sent, minlength=len(self._prices)).astype(np.int64)

    def _take(self, state: _OpenTask, ballot: Ballot) -> None:
        self._record([ballot_event(ballot, self._swarm.experts[ballot.expert].name)])
        self._book(ballot)
        state.take(ballot)

    def _book(self, ballot: Ballot) -> None:
        self._budget.book(ballot.cost)
        self._billed[ballot.expert] += 1
        if ballot.error is None:
            step = (ballot.cost - self._prices[ballot.expert]) / self._billed[ballot.expert]
            self._prices[ballot.expert] += step

    # -- verdicts and outcomes ------------------------------------------------------------------

    async def _judge(
        self, states: list[_OpenTask], number: int, unable: list[_OpenTask]
    ) -> list[Outcome]:
        round = self._round_of(states, number, Phase.JUDGE)
        for state, verdict in zip(states, self._cycle.judge(round), strict=True):
            state.verdict = verdict
            state.stop_reason = self._reason_to_stop(state, verdict)
        for state in unable:
            state.stop_reason = state.stop_reason or self._reason_for_nobody(state)
        ended = [state for state in (*states, *unable) if state.stop_reason]
        return await self._conclude(
            ended, [s.verdict for s in states if s.verdict and not s.stop_reason]
        )

    def _reason_to_stop(self, state: _OpenTask, verdict: Verdict) -> str:
        answered = sum(ballot.succeeded for ballot in state.ballots)
        quorum, deadline = state.task.quorum, state.task.deadline
        if answered and verdict.stop:
            return "judged"
        if quorum is not None and answered >= quorum:
            return "quorum"
        if deadline is not None and self._budget.elapsed > deadline:
            return "deadline"
        if state.failures > self._swarm.settings.swarm.retries:
            return "failures"
        return "" if state.candidates.any() else "everybody asked"

    def _reason_for_nobody(self, state: _OpenTask) -> str:
        if self._budget.exhausted:
            return f"budget: {self._budget.exhausted}"
        if (state.candidates & ~self._budget.affordable(self._prices)).any():
            return "budget: cost"
        return "everybody asked" if state.ballots else "no able expert"

    async def _nobody(self, states: list[_OpenTask], round: Round) -> list[Outcome]:
        if self._in_flight.any() and round.allowed.any():
            await self._loop.sleep(_WAIT_FOR_CAPACITY)
            return []
        for state in states:
            state.stop_reason = self._reason_for_nobody(state)
        if self._budget.exhausted:
            self.emit(EventKind.BUDGET_EXHAUSTED, {"limit": self._budget.exhausted})
        return await self._conclude(states)

    async def _conclude(
        self, states: Sequence[_OpenTask], others: Sequence[Verdict] = ()
    ) -> list[Outcome]:
        """Record the outcomes of these tasks, with the verdicts of the others, and learn.

        A resumed run could not judge the others again as they were: it has learned since.
        """
        outcomes = [self._outcome(state) for state in states]
        await self._audit(states, outcomes)
        names = [expert.name for expert in self._swarm.experts]
        ended = [outcome_event(o, s.stop_reason) for o, s in zip(outcomes, states, strict=True)]
        self._record([*ended, *(verdict_event(verdict, names) for verdict in others)])
        self._known.update((outcome.task.id, outcome) for outcome in outcomes)
        if outcomes:
            self._cycle.evolve(outcomes)
        return outcomes

    def _outcome(self, state: _OpenTask, truth: str | None = None) -> Outcome:
        verdict = state.verdict or Verdict(state.task.id, None)
        if truth is None and self._feedback is not None and state.ballots:
            truth = self._feedback(state.task, verdict.answer)
        return Outcome(
            task=state.task,
            verdict=verdict,
            ballots=tuple(state.ballots),
            truth=truth,
            cost=sum(ballot.cost for ballot in state.ballots),
            latency=sum(ballot.latency for ballot in state.votes),
        )

    async def _audit(self, states: Sequence[_OpenTask], outcomes: list[Outcome]) -> None:
        """Buy further answers to graded tasks for as long as the judge names experts."""
        graded = [row for row, outcome in enumerate(outcomes) if outcome.truth is not None]
        while graded:
            wanted = self._cycle.audit([outcomes[row] for row in graded])
            bought = []
            for row, experts in zip(graded, wanted, strict=True):
                if await self._buy_audits(states[row], experts):
                    outcomes[row] = self._outcome(states[row], outcomes[row].truth)
                    bought.append(row)
            graded = bought

    async def _buy_audits(self, state: _OpenTask, experts: Sequence[int]) -> bool:
        affordable = self._budget.affordable(self._prices)
        chosen = [e for e in experts if affordable[e] and not state.asked[e] and state.able[e]]
        for expert in chosen:
            round = self._round_of([state], self._round, Phase.JUDGE)
            assignment = Assignment(np.array([expert], dtype=np.int64), "audit")
            async for ballot in self._cycle.execute(round, assignment):
                self._take(state, replace(ballot, audit=True))
        return bool(chosen)

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
