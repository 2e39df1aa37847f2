"""The swarm's own event loop, in a thread of its own: every round of every run happens there."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from swarmloom.errors import InputError

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """Runs coroutine functions for callers in other threads and loops; starts with the first.

    It ends with `close`, with the object, or with the interpreter.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._portal: BlockingPortal | None = None
        self._end: Callable[[], object] = bool
        self._thread = 0

    @property
    def is_current(self) -> bool:
        """Whether the caller is on the loop."""
        return threading.get_ident() == self._thread

    def submit(self, function: Callable[[], Awaitable[T]]) -> Future[T]:
        """Start a coroutine function on the loop, in the caller's context variables."""
        with self._lock:
            portal = self._portal or self._start()
        return portal.start_task_soon(function)

    def run(self, function: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        """Run a coroutine function on the loop and wait for its result.

        Parameters
        ----------
        function : callable
        seconds : float, optional
            How long to wait; then it is cancelled.

        Raises
        ------
        InputError
            If called on the loop itself, where waiting would never end.
        TimeoutError
            If it takes longer.
        """
        if self.is_current:
            raise InputError("solve_now was called from within the swarm's own loop: await solve")
        future = self.submit(function)
        try:
            return future.result(seconds)
        except (KeyboardInterrupt, TimeoutError):
            future.cancel()
            raise

    async def within(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine function on the loop and await its result on the caller's own."""
        if self.is_current:
            return await function()
        return await asyncio.wrap_future(self.submit(function))

    @contextmanager
    def noting(self, running: set[asyncio.Task[Any]]) -> Iterator[None]:
        """Keep the current task in a set while the block runs, for `cancel`."""
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            yield
        finally:
            running.discard(task)

    def cancel(self, running: set[asyncio.Task[Any]]) -> None:
        """Cancel tasks that `noting` has noted, and wait for their end."""
        if running and not self.is_current:
            self.run(lambda: _cancelled(running))

    def close(self) -> None:
        """Cancel what is running, and end the loop and its thread."""
        with self._lock:
            self._end()
            self._portal, self._end, self._thread = None, bool, 0

    def _start(self) -> BlockingPortal:
        context = start_blocking_portal()
        self._portal = portal = context.__enter__()
        self._thread = portal.call(threading.get_ident)
        # Before the interpreter ends, too: then the loop's thread would no longer answer.
        self._end = weakref.finalize(self, _stop, portal, context)
        return portal


async def _cancelled(running: set[asyncio.Task[Any]]) -> None:
    tasks = list(running)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def _stop(portal: BlockingPortal, context: AbstractContextManager[BlockingPortal]) -> None:
    # Where the loop itself lets go of its last owner, it cannot wait for its own end.
    with contextlib.suppress(RuntimeError):
        portal.call(portal.stop, True)
    with contextlib.suppress(RuntimeError):
        context.__exit__(None, None, None)
