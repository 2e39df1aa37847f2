"""Several processes at one list of tasks: each task is claimed, done, and recorded once."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from swarmloom.errors import StoreError
from swarmloom.events import EventKind
from swarmloom.run import RunResult
from swarmloom.swarm import Swarm
from swarmloom.types import Event, Outcome, Task
from swarmloom_protocols.stigmergy.traces.board import WorkBoard
from swarmloom_protocols.stigmergy.traces.claims import Claim
from swarmloom_protocols.stigmergy.traces.store import TraceStore

__all__ = ["board_name", "run_shared", "solve_shared"]

# A claim is renewed when a third of its time is over, so that two attempts may fail.
_RENEWALS_PER_TTL = 3.0
# Of what is left a process takes a part at a time, so that the last tasks are shared out too.
_PART = 4
_POLL = 0.2


def solve_shared(
    solve: Callable[[Sequence[Task]], Sequence[Outcome]],
    tasks: Sequence[Task],
    board: WorkBoard,
    *,
    agent: str,
    window: int,
    ttl: float = 30.0,
    gave_up: Callable[[Outcome], bool] = lambda outcome: False,
) -> dict[Hashable, Any]:
    """Do tasks together with the other processes at the same board, until all are done.

    A task is claimed before it is worked on. The claims of a process that is gone end after `ttl`
    seconds; then its unfinished tasks are taken over. A result is recorded by whoever holds the
    task's claim, so each task has one result, however processes end.

    Parameters
    ----------
    solve : callable
        Brings some of the tasks to their outcomes, in their order.
    tasks : sequence of Task
        The same list in every process; ids are what the board knows.
    board : WorkBoard
    agent : str
        This process, for the others.
    window : int
        Tasks to take at a time, at most.
    ttl : float
        Seconds that a claim is good for; it is renewed in the background while the work lasts.
    gave_up : callable
        Whether a task was left without having been tried, as when a budget ran out: it is given
        back for the others, and this process takes no more.

    Returns
    -------
    dict of str to dict
        The result of every task that is done, by its id: ``answer``, ``cost``, ``agent``.
    """
    known = {task.id: task for task in tasks}
    board.add(known)
    while claims := _taken(board, agent, ttl, window):
        with _kept_alive(claims, ttl):
            outcomes = solve([known[str(claim.key)] for claim in claims])
            over = [
                _concluded(claim, outcome, gave_up)
                for claim, outcome in zip(claims, outcomes, strict=True)
            ]
        if any(over):
            break
    return board.results()


def run_shared(
    swarm: Swarm, tasks: Sequence[Task], file: Path, **options: Any
) -> tuple[RunResult, dict[Hashable, Any]]:
    """Run a swarm on its part of the tasks of a board in a file.

    Parameters
    ----------
    swarm : Swarm
    tasks : sequence of Task
        The same list in every process.
    file : Path
        A trace store, made when there is none.
    **options
        As for `Swarm.open_run`.

    Returns
    -------
    RunResult
        What this process did.
    dict of str to dict
        The results of all, as `solve_shared` gives them.
    """
    reasons: dict[str, str] = {}
    listen = options.pop("on_event", None)

    def hear(event: Event) -> None:
        if event.kind == EventKind.OUTCOME:
            reasons[event.task] = str(event.data["stop_reason"])
        if listen is not None:
            listen(event)

    def unpaid(outcome: Outcome) -> bool:
        return outcome.verdict.answer is None and reasons[outcome.task.id].startswith("budget")

    with TraceStore.open(file) as store:
        with swarm.open_run(on_event=hear, **options) as run:
            done = solve_shared(
                run.solve_now,
                tasks,
                store.board(board_name(tasks)),
                agent=f"{socket.gethostname()}-{os.getpid()}",
                window=swarm.settings.swarm.window,
                gave_up=unpaid,
            )
        return run.close(), done


def board_name(tasks: Sequence[Task]) -> str:
    """Name the board of a list of tasks: another list is other work, whatever file it shares."""
    text = "\n".join(f"{task.id}\t{task.prompt}" for task in tasks)
    return f"tasks-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _taken(board: WorkBoard, agent: str, ttl: float, window: int) -> list[Claim]:
    """Claim a part of what is left; wait while others hold all of it; nothing when it is done."""
    while True:
        waiting = board.waiting
        count = max(1, min(window, waiting // _PART))
        claims = list(islice(iter(lambda: board.next(agent, ttl), None), count))
        if claims or not waiting + board.held:
            return [claim for claim in claims if claim is not None]
        time.sleep(_POLL)


def _concluded(claim: Claim, outcome: Outcome, gave_up: Callable[[Outcome], bool]) -> bool:
    if gave_up(outcome):
        claim.release()
        return True
    claim.finish(_result(claim.agent, outcome))
    return False


def _result(agent: str, outcome: Outcome) -> Mapping[str, Any]:
    return {"answer": outcome.verdict.answer, "cost": outcome.cost, "agent": agent}


@contextmanager
def _kept_alive(claims: Sequence[Claim], ttl: float) -> Iterator[None]:
    """Renew claims in the background until the block ends; give back what was not finished."""
    stop = threading.Event()
    keeper = threading.Thread(target=_renew, args=(claims, ttl, stop), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()
        for claim in claims:
            claim.release()


def _renew(claims: Sequence[Claim], ttl: float, stop: threading.Event) -> None:
    while not stop.wait(ttl / _RENEWALS_PER_TTL):
        for claim in claims:
            # A store that cannot be reached now may be the next time.
            with suppress(StoreError):
                claim.renew(ttl)
