"""Which of the swarm's tasks the code at hand is working on, and for which expert."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from swarmloom.types import Task

__all__ = ["current_expert", "current_task", "working_on"]

_TASK: ContextVar[Task | None] = ContextVar("swarmloom_task", default=None)
_EXPERT: ContextVar[str] = ContextVar("swarmloom_expert", default="")


def current_task() -> Task | None:
    """Give the swarm's task in whose context this runs, None outside of any."""
    return _TASK.get()


def current_expert() -> str:
    """Give the name of the expert that does the current task, "" outside of any."""
    return _EXPERT.get()


@contextmanager
def working_on(task: Task, expert: str = "") -> Iterator[None]:
    """Make a task the current one within the block and the threads started there."""
    tokens = _TASK.set(task), _EXPERT.set(expert)
    try:
        yield
    finally:
        _TASK.reset(tokens[0])
        _EXPERT.reset(tokens[1])
