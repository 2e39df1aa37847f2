"""Which CrewAI task a guardrail is called for: CrewAI hands it the output alone."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from swarmloom_agents.crew_call import CrewPayload
from swarmloom_agents.seams import BaseAgent, InterceptionPoint, Task, register_hook
from swarmloom_agents.work import current_expert, current_task

__all__ = ["Step", "current_execution", "current_step", "follow_steps"]


@dataclass(slots=True, eq=False, weakref_slot=True)
class Step:
    """One execution of a CrewAI task; doing it again after a guardrail's no belongs to it.

    Attributes
    ----------
    task : crewai.Task
    agent : crewai.Agent or None
        Who does it.
    """

    task: Task
    agent: BaseAgent | None

    @property
    def doer(self) -> BaseAgent | None:
        """The crew's own agent that does it, also where a copy works in its place."""
        task = current_task()
        call = task.payload.call() if task and isinstance(task.payload, CrewPayload) else None
        return self.agent if call is None else call.team.agents.get(current_expert(), self.agent)


_STEP: ContextVar[Step | None] = ContextVar("swarmloom_step", default=None)
_REGISTERING = threading.Lock()
_registered: list[InterceptionPoint] = []


def current_step() -> Step | None:
    """Give the step that is being executed in this context, None outside of any."""
    return _STEP.get()


def current_execution() -> object | None:
    """Give what lives exactly as long as the task at hand is being executed, None outside of any.

    A task that the swarm hands out may be tried by several agents, one step each, and is one.
    """
    task = current_task()
    call = task.payload.call() if task and isinstance(task.payload, CrewPayload) else None
    return _STEP.get() if call is None else call


def follow_steps() -> None:
    """Have CrewAI tell which task it begins; telling it again changes nothing."""
    with _REGISTERING:
        if not _registered:
            register_hook(InterceptionPoint.PRE_STEP, _begin)
            _registered.append(InterceptionPoint.PRE_STEP)


def _begin(context: Any) -> None:
    if isinstance(context.task, Task):
        _STEP.set(Step(context.task, context.agent))
