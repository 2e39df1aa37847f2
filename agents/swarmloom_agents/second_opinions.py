"""Asking an agent a task without any effect but its answer."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from swarmloom_agents.executor import ask, only_thinks
from swarmloom_agents.experts import AgentPool
from swarmloom_agents.seams import BaseAgent, HookAborted, Task, TaskOutput

__all__ = ["SecondOpinion", "Wanted"]

_EXPECTED = "The answer, complete and without any introduction."
# What an agent would do beside answering.
_EFFECTS = ("step_callback", "memory", "callbacks", "guardrail")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked.

    Attributes
    ----------
    description : str
    expected_output : str
    context : str or None
        Outputs of earlier tasks, as CrewAI passes them.
    structure : type of pydantic.BaseModel, optional
        What the answer must be an instance of.
    """

    description: str
    expected_output: str = _EXPECTED
    context: str | None = None
    structure: type[BaseModel] | None = None

    @classmethod
    def of(cls, output: TaskOutput, task: Task | None) -> Wanted:
        """Read from a task's output what the task was.

        Parameters
        ----------
        output : crewai.TaskOutput
        task : crewai.Task or None
            Whose output it is, where that is known.
        """
        expected = output.expected_output or _EXPECTED
        if task is None:
            return cls(output.description, expected)
        structure = task.output_pydantic or task.output_json
        return cls(output.description, expected, task.prompt_context, structure)

    def task_for(self, worker: BaseAgent) -> Task:
        """Write it as a task of CrewAI that has no callback, no guardrail and no file."""
        return Task(
            description=self.description,
            expected_output=self.expected_output,
            agent=worker,
            output_pydantic=self.structure,
        )


class SecondOpinion:
    """Copies of an agent outside of its crew.

    Parameters
    ----------
    agent : crewai.Agent
        Stays as it is.
    tools : bool
        Whether the copies have its tools.
    timeout : float or None
        Seconds after which an answer is no longer waited for, None for no limit; the agent's own
        `max_execution_time` goes before it.
    """

    def __init__(self, agent: BaseAgent, *, tools: bool, timeout: float | None) -> None:
        own = getattr(agent, "max_execution_time", None)
        self._agent, self._tools = agent, tools
        self._timeout = timeout if own is None else float(own)
        self._pool: AgentPool | None = None
        self._lock = threading.Lock()

    def ask(self, wanted: Wanted) -> tuple[str | None, str | None]:
        """Ask a copy.

        Parameters
        ----------
        wanted : Wanted

        Returns
        -------
        tuple of (str or None, str or None)
            The answer, or None and why there is none.

        Raises
        ------
        HookAborted
            If one of CrewAI's hooks stops the run.
        """
        # In a thread: CrewAI's executor gives back a coroutine where a loop is running.
        coming = _in_own_thread(contextvars.copy_context().run, self._answer, wanted)
        if not wait([coming], self._timeout).done:
            return None, f"no answer within {self._timeout:g} s"
        try:
            said = coming.result()
        except HookAborted:
            raise  # A hook stops the run, not one agent.
        except Exception as error:  # An agent may raise anything.
            return None, f"{type(error).__name__}: {error}"
        return (said, None) if said.strip() else (None, "no answer")

    def _answer(self, wanted: Wanted) -> str:
        with self._copies().lease() as worker:
            task = wanted.task_for(worker)
            if only_thinks(worker):
                said = ask(worker, task, wanted.context)
            else:
                said = worker.execute_task(task, wanted.context, list(worker.tools or []))
        return said.model_dump_json() if isinstance(said, BaseModel) else str(said or "")

    def _copies(self) -> AgentPool:
        with self._lock:
            if self._pool is None:
                self._pool = AgentPool(_outside(self._agent, self._tools))
            return self._pool


def _outside(agent: BaseAgent, tools: bool) -> BaseAgent:
    """Copy an agent, without its crew and without what it would do beside answering."""
    copy: Any = agent.copy()
    copy.crew = None
    for name in _EFFECTS:
        if vars(copy).get(name):
            setattr(copy, name, None if name != "callbacks" else [])
    if hasattr(copy, "allow_delegation"):
        copy.allow_delegation = False
    if getattr(copy, "max_execution_time", None) is not None:
        copy.max_execution_time = None  # CrewAI's own limit would wait for the answer all the same.
    if not tools:
        copy.tools = []
    return copy  # type: ignore[no-any-return]


def _in_own_thread(function: Callable[..., str], *arguments: object) -> Future[str]:
    """Call in a daemon thread: one that hangs keeps no place in a pool, and no program from ending.

    Parameters
    ----------
    function : callable
    *arguments
        Of the function.
    """
    coming: Future[str] = Future()

    def run() -> None:
        try:
            coming.set_result(function(*arguments))
        except BaseException as error:
            coming.set_exception(error)

    threading.Thread(target=run, name="swarmloom-opinion", daemon=True).start()
    return coming
