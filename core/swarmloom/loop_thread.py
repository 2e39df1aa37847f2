"""An event loop in a thread of its own, so that synchronous callers can wait for coroutines."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from swarmloom.errors import InputError

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers in other threads; the thread starts with the first one."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the caller's context variables and wait for its result.

        Raises
        ------
        InputError
            If called from the loop's own thread, where waiting would never end.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise InputError("solve_now was called from within the swarm's own loop: await solve")
        result: Future[T] = Future()
        context = contextvars.copy_context()
        loop = self._started()
        loop.call_soon_threadsafe(self._start_task, loop, coroutine, context, result)
        try:
            return result.result()
        except KeyboardInterrupt:
            result.cancel()
            raise

    @staticmethod
    async def sleep(seconds: float) -> None:
        """Let others go on for a while."""
        await asyncio.sleep(seconds)

    def close(self) -> None:
        """Stop the loop and its thread."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            if threading.current_thread() is not self._thread:
                self._thread.join(timeout=5)
            self._loop = self._thread = None

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="swarmloom-loop", daemon=True
                )
                self._thread.start()
            return self._loop

    @staticmethod
    def _start_task(
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, T],
        context: contextvars.Context,
        result: Future[T],
    ) -> None:
        task = loop.create_task(coroutine, context=context)

        def finish(done: asyncio.Task[T]) -> None:
            if done.cancelled():
                result.cancel()
            elif (error := done.exception()) is not None:
                result.set_exception(error)
            elif not result.cancelled():
                result.set_result(done.result())

        task.add_done_callback(finish)
        result.add_done_callback(
            lambda future: loop.call_soon_threadsafe(task.cancel) if future.cancelled() else None
        )
