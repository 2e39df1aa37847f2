"""The swarm's manager: a CrewAI agent whose tools change how the swarm coordinates."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, Field, PrivateAttr, create_model

from swarmloom.errors import SwarmloomError
from swarmloom.events import EventKind
from swarmloom.markers import hookimpl
from swarmloom.protocol import ManagerTool
from swarmloom.swarm import Swarm
from swarmloom.types import Event
from swarmloom_agents.credit import CreditBook
from swarmloom_agents.offline import silence
from swarmloom_agents.policy import PolicyLLM
from swarmloom_agents.seams import Agent, BaseAgent, BaseAgentTool
from swarmloom_agents.work import current_expert

__all__ = ["SwarmManager", "SwarmTool", "manager_tools"]

# The argument of a tool that says who calls it.
_SIGNATURE = "by"

_ROLE = "Swarm manager"
_GOAL = "Keep the swarm's work right, cheap and steady by choosing how it coordinates"
_BACKSTORY = (
    "You lead a crew whose tasks are handed out by coordination protocols. You do none of the "
    "tasks yourself: you read the swarm's state and change its pattern, weights and plugins."
)
_REVIEW = (
    "Review the swarm: read its state, its plugins and the credit of its protocols. Disable what "
    "fails, weigh what decides well more. Change nothing without a reason in what you read."
)


class SwarmTool(BaseAgentTool):
    """One tool of the manager, of the only kind that CrewAI lets a hierarchical manager have."""

    agents: list[BaseAgent] = Field(default_factory=list)
    swarm: Any = Field(exclude=True)
    manager_tool: Any = Field(exclude=True)
    caller: str = Field(default="", exclude=True)

    def _run(self, **arguments: Any) -> str:
        if _SIGNATURE in self.manager_tool.arguments:
            self._sign(arguments)
        try:
            return str(self.manager_tool(self.swarm, **arguments))
        except (SwarmloomError, ValueError, TypeError) as error:
            return f"Error: {error}"  # A language model reads it and tries something else.

    def _sign(self, arguments: dict[str, Any]) -> None:
        """Put in who calls, where that is known: an agent signs with no name but its own."""
        signature = self.caller or current_expert() or arguments.pop(_SIGNATURE, None)
        if signature is not None:
            arguments[_SIGNATURE] = signature


def manager_tools(swarm: Swarm, caller: str = "") -> list[SwarmTool]:
    """Wrap all of a swarm's manager tools, the kernel's and the plugins', for CrewAI.

    A tool's argument ``by`` is filled in with who calls it: the caller, else the expert that does
    the swarm's task at hand. Only outside of both the argument counts.

    Parameters
    ----------
    swarm : Swarm
        On which the tools act.
    caller : str, optional
        Name of the agent that gets the tools.
    """
    return [
        SwarmTool(
            name=tool.name,
            description=tool.description,
            args_schema=_arguments(tool),
            swarm=swarm,
            manager_tool=tool,
            caller=caller,
        )
        for tool in swarm.tools().values()
    ]


def _arguments(tool: ManagerTool) -> type[BaseModel]:
    parameters = inspect.signature(tool.function).parameters
    fields: dict[str, Any] = {}
    for name, description in tool.arguments.items():
        default = parameters[name].default if name in parameters else inspect.Parameter.empty
        if name == _SIGNATURE and default is inspect.Parameter.empty:
            default = None  # An agent's name is filled in.
        required = default is inspect.Parameter.empty
        fields[name] = (
            str | int | float,
            Field(... if required else default, description=description),
        )
    return create_model(f"{tool.name}_arguments", **fields)


class SwarmManager(Agent):
    """A CrewAI agent that manages a swarm while it works.

    Use it in a crew like any agent, as ``manager_agent`` of a hierarchical crew, on its own with
    `review`, or let it review now and then with `attending`.

    Parameters
    ----------
    swarm : Swarm
        What it manages.
    llm : str or crewai.BaseLLM, optional
        Any model CrewAI accepts; without one the built-in policy decides by rules, offline.
    **options
        As for `crewai.Agent`; they replace role, goal, backstory.
    """

    _swarm: Swarm = PrivateAttr()
    _review_lock: Any = PrivateAttr(default_factory=threading.Lock)

    def __init__(self, swarm: Swarm, llm: Any = None, **options: Any) -> None:
        _keep_credit(swarm)
        data = {"role": _ROLE, "goal": _GOAL, "backstory": _BACKSTORY, **options}
        data.setdefault("tools", manager_tools(swarm, data["role"]))
        super().__init__(llm=PolicyLLM() if llm is None else llm, **data)
        self._swarm = swarm
        if not self.verbose:
            silence()

    def copy(self) -> SwarmManager:  # type: ignore[override]
        """Make another manager of the same swarm."""
        identity = {"role": self.role, "goal": self.goal, "backstory": self.backstory}
        return SwarmManager(self._swarm, self.llm, **identity)

    def review(self) -> str:
        """Read the swarm's state once and change what should be changed.

        Returns
        -------
        str
            What the manager says it did.
        """
        with self._review_lock:
            self.tools = list(
                manager_tools(self._swarm, self.role)
            )  # Plugins may have come or gone.
            output = self.kickoff(_REVIEW)
        return str(getattr(output, "raw", output))

    @contextmanager
    def attending(self, every: int = 20) -> Iterator[SwarmManager]:
        """Review after every so many finished tasks while the block is open.

        Reviews run in a thread of their own, one at a time; when one takes longer than `every`
        tasks, the next is left out. The built-in policy reviews at once, so that a run with it
        stays reproducible.

        Parameters
        ----------
        every : int
            Finished tasks between two reviews.
        """
        attendant = _Attendant(self, every, at_once=isinstance(self.llm, PolicyLLM))
        self._swarm.host.add(attendant, _ATTENDANT, source="manager")
        try:
            yield self
        finally:
            self._swarm.host.remove(_ATTENDANT)
            attendant.close()


_ATTENDANT = "swarm_manager"
_CREDIT = "credit_book"


def _keep_credit(swarm: Swarm) -> None:
    if not any(record.name == _CREDIT for record in swarm.host.report()):
        swarm.host.add(CreditBook(), _CREDIT, source="manager")


class _Attendant:
    """Counts finished tasks and calls the manager."""

    def __init__(self, manager: SwarmManager, every: int, *, at_once: bool) -> None:
        self._manager, self._every, self._finished = manager, every, 0
        self._busy = threading.Lock()
        self._at_once = at_once
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="swarmloom-manager")

    @hookimpl
    def swarmloom_observe(self, event: Event) -> None:
        """Review when enough tasks have finished."""
        if event.kind != EventKind.OUTCOME:
            return
        self._finished += 1
        if self._finished % self._every == 0 and self._busy.acquire(blocking=False):
            review = self._thread.submit(self._review)
            if self._at_once:
                review.result()

    def _review(self) -> None:
        try:
            self._manager.review()
        finally:
            self._busy.release()

    def close(self) -> None:
        """Wait for a review that is under way."""
        self._thread.shutdown(wait=True)
