"""Several processes at one list of tasks: each task is claimed, done, and recorded once."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from swarmloom.events import EventKind
from swarmloom.run import RunResult
from swarmloom.swarm import Swarm
from swarmloom.types import Event, Outcome, Task
from swarmloom_protocols.stigmergy.traces.board import WorkBoard, kept_alive
from swarmloom_protocols.stigmergy.traces.claims import Claim
from swarmloom_protocols.stigmergy.traces.store import TraceStore

__all__ = ["SharedWork", "run_shared"]

_BOARD = "tasks"
_TTL = 30.0
# As long as a run can last: claims of a process that is gone end by themselves.
_RENEWALS = 1_000_000
# Of what is left a process takes a part at a time, so that the last tasks are shared out too.
_PART = 4
_POLL = 0.2

Solve = Callable[[Sequence[Task]], Sequence[Outcome]]


def run_shared(
    swarm: Swarm,
    tasks: Sequence[Task],
    file: Path,
    *,
    truths: Mapping[str, str] | None = None,
    **options: Any,
) -> tuple[RunResult, dict[str, Any]]:
    """Run a swarm on its part of a list of tasks, until all processes together have done it.

    Parameters
    ----------
    swarm : Swarm
    tasks : sequence of Task
        The list; another process may have another one in the same file.
    file : Path
        A trace store, made when there is none.
    truths : mapping of str to str, optional
        Right answers of the tasks that are graded, by id.
    **options
        As for `Swarm.open_run`, without ``feedback``.

    Returns
    -------
    RunResult
        What this process did.
    dict of str to dict
        The results of all processes by the tasks' ids: ``answer``, ``cost`` and ``agent``.
    """
    known = dict(truths or {})
    graded = (lambda task, answer: known.get(task.id)) if known else None
    with TraceStore.open(file) as store:
        agent = f"{socket.gethostname()}-{os.getpid()}"
        work = SharedWork(tasks, store.board(_BOARD), agent=agent, truths=known)
        listener = work.listening(options.pop("on_event", None))
        with swarm.open_run(on_event=listener, feedback=graded, **options) as run:
            work.solve(run.solve_now, swarm.settings.swarm.window)
        return run.close(), work.results()


class SharedWork:
    """One process's view of a list of tasks that several processes do together.

    A task is claimed before it is worked on, and its result is recorded when its outcome is there,
    by whoever holds its claim then. The claims of a process that is gone end after `ttl` seconds;
    others then take its unfinished tasks over. A task that came to no answer is left to the other
    processes, and to those that come later: this one tries it once. When a budget leaves a task
    untried, this process takes no more.

    Parameters
    ----------
    tasks : sequence of Task
    board : WorkBoard
        A task's place on it hangs on all that is asked, so an edited task is new work.
    agent : str
        This process, for the others.
    truths : mapping of str to str
        Right answers by task id, a part of what is asked.
    ttl : float
        Seconds that a claim is good for; it is renewed in the background while the work lasts.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        board: WorkBoard,
        *,
        agent: str,
        truths: Mapping[str, str],
        ttl: float = _TTL,
    ) -> None:
        self._tasks = {_place(task, truths.get(task.id)): task for task in tasks}
        self._place_of = {task.id: place for place, task in self._tasks.items()}
        self._board, self._agent, self._ttl = board, agent, ttl
        self._held: dict[str, Claim] = {}
        self._tried: set[str] = set()
        self._unpaid = False
        board.add(self._tasks)

    def listening(self, then: Callable[[Event], None] | None) -> Callable[[Event], None]:
        """Make a listener that records each outcome at once, and passes events on."""

        def hear(event: Event) -> None:
            if event.kind == EventKind.OUTCOME:
                data = event.data
                self._conclude(event.task, data["answer"], data["cost"], data["stop_reason"])
            if then is not None:
                then(event)

        return hear

    def solve(self, solve: Solve, window: int) -> None:
        """Take tasks and do them until none is left for this process.

        Parameters
        ----------
        solve : callable
            Brings tasks to their outcomes, in their order.
        window : int
            Tasks to take at a time, at most.
        """
        while not self._unpaid and (claims := self._taken(window)):
            self._held = {self._tasks[str(claim.key)].id: claim for claim in claims}
            with kept_alive(claims, self._ttl, _RENEWALS):
                # What a resumed run has on record comes without an event.
                for outcome in solve([self._tasks[str(claim.key)] for claim in claims]):
                    self._conclude(outcome.task.id, outcome.verdict.answer, outcome.cost, "")

    def results(self) -> dict[str, Any]:
        """Give the results of all processes by the tasks' ids."""
        done = self._board.results()
        return {task.id: done[place] for place, task in self._tasks.items() if place in done}

    def _conclude(self, task: str, answer: str | None, cost: float, reason: str) -> None:
        claim = self._held.pop(task, None)
        if claim is None:
            return
        if answer is not None:
            claim.finish({"answer": answer, "cost": cost, "agent": self._agent})
            return
        self._unpaid |= reason.startswith("budget")
        self._tried.add(self._place_of[task])
        claim.release()

    def _taken(self, window: int) -> list[Claim]:
        """Claim a part of what is left; wait while others hold all of it; nothing at the end."""
        while True:
            count = max(1, min(window, self._board.waiting // _PART))
            claims = self._claimed(count)
            if claims or not self._board.held:
                return claims
            time.sleep(_POLL)

    def _claimed(self, count: int) -> list[Claim]:
        claims: list[Claim] = []
        passed: list[Claim] = []
        while len(claims) < count:
            claim = self._board.next(self._agent, self._ttl)
            if claim is None:
                break
            mine = claim.key in self._tasks and claim.key not in self._tried
            (claims if mine else passed).append(claim)
        for claim in passed:
            claim.release()
        return claims


def _place(task: Task, truth: str | None) -> str:
    asked = [
        task.prompt,
        task.topic,
        task.options,
        sorted(task.demands),
        task.deadline,
        task.quorum,
        task.payload,
        truth,
    ]
    text = json.dumps(asked, sort_keys=True, default=repr)
    return f"{task.id} {hashlib.sha256(text.encode()).hexdigest()[:16]}"
