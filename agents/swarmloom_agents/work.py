"""Which of the swarm's tasks the code at hand is working on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from swarmloom.types import Task

__all__ = ["current_task", "working_on"]

_TASK: ContextVar[Task | None] = ContextVar("swarmloom_task", default=None)


def current_task() -> Task | None:
    """Give the swarm's task in whose context this runs, None outside of any."""
    return _TASK.get()


@contextmanager
def working_on(task: Task) -> Iterator[None]:
    """Make a task the current one within the block and the threads started there."""
    token = _TASK.set(task)
    try:
        yield
    finally:
        _TASK.reset(token)
