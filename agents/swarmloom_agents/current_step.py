"""Which CrewAI task a guardrail is called for: CrewAI hands it the output alone."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

from swarmloom_agents.seams import InterceptionPoint, Task, register_hook

__all__ = ["current_step", "follow_steps"]

_STEP: ContextVar[Task | None] = ContextVar("swarmloom_step", default=None)
_REGISTERING = threading.Lock()
_registered: list[InterceptionPoint] = []


def current_step() -> Task | None:
    """Give the CrewAI task that is being executed in this context, None outside of any."""
    return _STEP.get()


def follow_steps() -> None:
    """Have CrewAI tell which task it begins; telling it again changes nothing."""
    with _REGISTERING:
        if not _registered:
            register_hook(InterceptionPoint.PRE_STEP, _begin)
            _registered.append(InterceptionPoint.PRE_STEP)


def _begin(context: Any) -> None:
    if isinstance(context.task, Task):
        _STEP.set(context.task)
