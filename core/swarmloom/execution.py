"""Local execution: calling the experts' own functions, many at a time, each with a time limit."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
import time
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from swarmloom.types import Assignment, Ballot, Expert, Reply, Round, Task

__all__ = ["Executor"]


class Executor:
    """Calls experts: inline functions at once, coroutines on the loop, others in own threads.

    Parameters
    ----------
    concurrency : int
        Calls in flight at most.
    timeout : float or None
        Seconds after which a call counts as failed, for experts without a limit of their own.

    Notes
    -----
    A coroutine that runs out of time is cancelled. A thread cannot be: the call counts as failed
    and its late result is dropped.
    """

    def __init__(self, concurrency: int, timeout: float | None) -> None:
        self.concurrency = concurrency
        self.timeout = timeout
        self.deadline = math.inf

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.concurrency, thread_name_prefix="swarmloom-expert")

    def close(self) -> None:
        """Let the threads go; calls that still run are not waited for."""
        if "_pool" in self.__dict__:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def execute(self, round: Round, assignment: Assignment) -> AsyncIterator[Ballot]:
        """Run the assigned calls of a round.

        Parameters
        ----------
        round : Round
        assignment : Assignment

        Yields
        ------
        Ballot
            In order of arrival; inline experts first, in the order of the tasks.
        """
        slow: list[tuple[Task, int]] = []
        for task, index in zip(round.tasks, assignment.expert.tolist(), strict=True):
            if index >= 0 and round.experts[index].inline:
                yield await self.call(round.experts[index], index, task)
            elif index >= 0:
                slow.append((task, index))
        if not slow:
            return
        places = asyncio.Semaphore(self.concurrency)
        calls = [
            asyncio.ensure_future(self._placed(places, round.experts[index], index, task))
            for task, index in slow
        ]
        try:
            for call in asyncio.as_completed(calls):
                yield await call
        finally:
            for call in calls:
                call.cancel()

    async def _placed(
        self, places: asyncio.Semaphore, expert: Expert, index: int, task: Task
    ) -> Ballot:
        async with places:
            return await self.call(expert, index, task)

    async def call(self, expert: Expert, index: int, task: Task) -> Ballot:
        """Call one expert on one task; whatever goes wrong becomes the ballot's error."""
        started = time.perf_counter()
        failure: str | None
        try:
            reply = _as_reply(await self._answer(expert, task))
        except Exception as error:  # An expert may raise anything; the run goes on elsewhere.
            reply, failure = Reply(None, cost=expert.price), describe(error, self._limit(expert))
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

    async def _answer(self, expert: Expert, task: Task) -> str | Reply | None:
        if expert.answer is None:
            raise TypeError(f"expert {expert.name!r} has no function and no executor took it")
        if expert.inline:
            result = expert.answer(task)
            return await result if inspect.isawaitable(result) else result
        return await asyncio.wait_for(self._slow_answer(expert, task), self._limit(expert))

    async def _slow_answer(self, expert: Expert, task: Task) -> str | Reply | None:
        assert expert.answer is not None
        result: str | Reply | Awaitable[str | Reply | None] | None
        if inspect.iscoroutinefunction(expert.answer):
            result = expert.answer(task)
        else:
            context = contextvars.copy_context()
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._pool, context.run, expert.answer, task)
        return await result if inspect.isawaitable(result) else result

    def _limit(self, expert: Expert) -> float | None:
        own = self.timeout if expert.timeout is None else expert.timeout
        limit = min(math.inf if own is None else own, self.deadline - time.monotonic())
        return None if math.isinf(limit) else max(limit, 0.0)


def describe(error: BaseException, limit: float | None) -> str:
    """Say in one line why a call failed."""
    if isinstance(error, TimeoutError):
        return f"timed out after {limit:.3g} s" if limit else "timed out"
    return f"{type(error).__name__}: {error}"


def _as_reply(answer: str | Reply | None) -> Reply:
    return answer if isinstance(answer, Reply) else Reply(answer)
