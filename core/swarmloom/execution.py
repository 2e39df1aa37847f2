"""Local execution: calling the experts' own functions, many at a time, each with a time limit."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from swarmloom.errors import ExpertError
from swarmloom.types import Assignment, Ballot, Expert, Reply, Round, Task

__all__ = ["Executor"]


class Executor:
    """Calls experts: inline functions at once, coroutines on the loop, others in own threads.

    Parameters
    ----------
    concurrency : int
        Calls in flight at most, over all rounds and runs of a swarm.
    timeout : float or None
        Seconds after which a call counts as failed, for experts without a limit of their own.

    Notes
    -----
    A coroutine that runs out of time is cancelled. A thread cannot be: the call counts as failed,
    its late result is dropped, and it keeps its place until it ends. An inline function cannot be
    interrupted at all. A call that would start after its task's deadline or the run's limit is not
    sent.
    """

    def __init__(self, concurrency: int, timeout: float | None) -> None:
        self.concurrency = concurrency
        self.timeout = timeout
        self._places: asyncio.Semaphore | None = None

    async def execute(self, round: Round, assignment: Assignment) -> AsyncIterator[Ballot]:
        """Run the assigned calls of a round.

        Parameters
        ----------
        round : Round
        assignment : Assignment

        Yields
        ------
        Ballot
            In order of arrival; inline experts first, in the order of the tasks. None for a call
            that was not sent because time was over.
        """
        limits = _Limits(round, self.timeout)
        slow: list[tuple[Task, int]] = []
        for task, index in zip(round.tasks, assignment.expert.tolist(), strict=True):
            if index >= 0 and not round.experts[index].inline:
                slow.append((task, index))
            elif index >= 0 and limits.of(task, round.experts[index]) > 0:
                yield await self._call(round.experts[index], index, task, limits)
        async for ballot in self._together(round, slow, limits):
            yield ballot

    async def _together(
        self, round: Round, calls: list[tuple[Task, int]], limits: _Limits
    ) -> AsyncIterator[Ballot]:
        running = [
            asyncio.ensure_future(self._placed(round.experts[index], index, task, limits))
            for task, index in calls
        ]
        try:
            for call in asyncio.as_completed(running):
                ballot = await call
                if ballot is not None:
                    yield ballot
        finally:
            for one in running:
                one.cancel()

    async def _placed(
        self, expert: Expert, index: int, task: Task, limits: _Limits
    ) -> Ballot | None:
        if self._places is None:
            self._places = asyncio.Semaphore(self.concurrency)
        try:
            await asyncio.wait_for(self._places.acquire(), _finite(limits.end_of(task)))
        except TimeoutError:
            return None
        place = _Place(self._places)
        try:
            return await self._call(expert, index, task, limits, place)
        finally:
            place.leave()

    async def _call(
        self,
        expert: Expert,
        index: int,
        task: Task,
        limits: _Limits,
        place: _Place | None = None,
    ) -> Ballot:
        """Call one expert on one task; whatever goes wrong becomes the ballot's error."""
        started = time.perf_counter()
        limit = _finite(limits.of(task, expert))
        failure: str | None
        try:
            reply = _checked(await self._answer(expert, task, limit, place))
        except (Exception, SystemExit) as error:  # An expert may raise anything.
            reply, failure = Reply(None, cost=expert.price), _described(error, limit)
        else:
            failure = None if reply.answer else "no answer"
        measured = 0.0 if expert.inline else time.perf_counter() - started
        return Ballot(
            task=task.id,
            expert=index,
            answer=None if failure else reply.answer,
            cost=expert.price if reply.cost is None else reply.cost,
            latency=measured if reply.latency is None else reply.latency,
            tokens=reply.tokens,
            error=failure,
            raw=reply.raw,
        )

    async def _answer(
        self, expert: Expert, task: Task, limit: float | None, place: _Place | None
    ) -> object:
        if expert.answer is None:
            raise ExpertError(f"expert {expert.name!r} has no function and no executor took it")
        if place is None:
            result: object = expert.answer(task)
            return await result if inspect.isawaitable(result) else result
        return await asyncio.wait_for(_slow_answer(expert.answer, task, place), limit)


class _Limits:
    """Until when the calls of a round may run."""

    def __init__(self, round: Round, timeout: float | None) -> None:
        self._now = time.monotonic() - round.elapsed
        self._end = round.elapsed + round.seconds_left
        self._timeout = math.inf if timeout is None else timeout

    def end_of(self, task: Task) -> float:
        """Seconds until the task or the run has to end."""
        deadline = math.inf if task.deadline is None else task.deadline
        return max(0.0, min(deadline, self._end) - (time.monotonic() - self._now))

    def of(self, task: Task, expert: Expert) -> float:
        """Seconds that a call sent now may take; 0 for none."""
        own = self._timeout if expert.timeout is None else expert.timeout
        return min(own, self.end_of(task))


class _Place:
    """A place among the calls in flight; a thread that outlives its limit keeps it."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._thread: asyncio.Future[Any] | None = None

    def held_by(self, thread: asyncio.Future[Any]) -> None:
        self._thread = thread

    def leave(self) -> None:
        if self._thread is None or self._thread.done():
            self._places.release()
        else:
            self._thread.add_done_callback(lambda _: self._places.release())


async def _slow_answer(answer: Callable[[Task], Any], task: Task, place: _Place) -> object:
    if inspect.iscoroutinefunction(answer):
        result: Any = answer(task)
    else:
        thread = _in_thread(answer, task)
        place.held_by(thread)
        result = await asyncio.shield(thread)
    return await result if isinstance(result, Awaitable) else result


def _in_thread(answer: Callable[[Task], Any], task: Task) -> asyncio.Future[Any]:
    """Run a function in a daemon thread, so that one that hangs cannot keep the process alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        result, error = None, None
        try:
            result = context.run(answer, task)
        except BaseException as raised:
            # A future cannot carry StopIteration, and SystemExit would end the loop.
            error = raised if isinstance(raised, Exception) else ExpertError(repr(raised))
            error = ExpertError(repr(raised)) if isinstance(raised, StopIteration) else error
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="swarmloom-expert", daemon=True).start()
    return future


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds


def _described(error: BaseException, limit: float | None) -> str:
    """Say in one line why a call failed."""
    if isinstance(error, TimeoutError):
        return f"timed out after {limit:.3g} s" if limit else "timed out"
    return f"{type(error).__name__}: {error}"


def _checked(answer: object) -> Reply:
    """Refuse what is no answer: garbage is a failure, and goes to another expert."""
    reply = answer if isinstance(answer, Reply) else Reply(answer)  # type: ignore[arg-type]
    if reply.answer is not None and not isinstance(reply.answer, str):
        raise ExpertError(f"the answer is {type(reply.answer).__name__}, not a string")
    for name in ("cost", "latency"):
        value = getattr(reply, name)
        if value is not None and not (_is_number(value) and value >= 0 and math.isfinite(value)):
            raise ExpertError(f"the reply's {name} is {value!r}, not a number ≥ 0")
    return reply


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
