"""One task of a coordinated crew on its way through the kernel."""

from __future__ import annotations

import asyncio
import copy
import datetime
import inspect
import json
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from swarmloom.errors import BudgetExceededError, ExpertError, NoExpertError
from swarmloom.types import Outcome, Reply
from swarmloom.types import Task as SwarmTask
from swarmloom_agents.accounting import metered
from swarmloom_agents.experts import AgentPool, metered_reply
from swarmloom_agents.seams import BaseAgent, BaseTool, Crew, HookAborted, Task, TaskOutput
from swarmloom_agents.work import working_on

__all__ = ["CrewCall", "CrewPayload", "CrewTeam", "deliver", "deliver_later", "own_tools"]

# Characters of an answer that an error quotes.
_SHOWN = 80


@dataclass(slots=True)
class CrewTeam:
    """The agents of one crew, by the names of the experts they are.

    Attributes
    ----------
    crew : crewai.Crew
    agents : mapping of str to crewai.Agent
    pools : mapping of str to AgentPool
    token_price : float or None
    """

    crew: Crew
    agents: Mapping[str, BaseAgent]
    token_price: float | None
    pools: dict[str, AgentPool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pools = {name: AgentPool(agent) for name, agent in self.agents.items()}


@dataclass(slots=True, eq=False, weakref_slot=True)
class CrewCall:
    """A crew's task, its context and its author's assignment.

    Attributes
    ----------
    team : CrewTeam
    task : crewai.Task
        The crew's own object; attempts run on shadows of it.
    assigned : str
        Expert whom the crew's author gave the task to, "" for none.
    context : str or None
        Outputs of earlier tasks, as CrewAI passes them.
    tools : mapping of str to list
        Tools that CrewAI has prepared already, by expert.
    extra_tools : list or None
        The task's own tools where its author gave it some.
    """

    team: CrewTeam
    task: Task
    assigned: str
    context: str | None
    tools: dict[str, list[BaseTool]]
    extra_tools: list[BaseTool] | None
    abort: HookAborted | None = None

    @property
    def payload(self) -> CrewPayload:
        """What the kernel's task carries; it does not keep this call alive."""
        return CrewPayload(self.assigned, weakref.ref(self))

    def perform(self, expert: str, kernel_task: SwarmTask) -> Reply:
        """Let one agent do the task, guardrails and structured output included.

        Parameters
        ----------
        expert : str
            Name of the expert the kernel has chosen.
        kernel_task : swarmloom.Task
            The kernel's task that carries this call.

        Raises
        ------
        Exception
            Whatever CrewAI raises: the kernel counts it as the agent's failure.
        """
        if self.abort is not None:
            raise self.abort
        pool, price = self.team.pools[expert], self.team.token_price
        with (
            working_on(kernel_task, expert),
            metered(price) as meter,
            pool.lease() as worker,
        ):
            output = self._attempt(worker, self._tools_for(expert, worker))
            return metered_reply(recordable(output), meter, worker, (output, expert))

    def _attempt(self, worker: BaseAgent, tools: list[BaseTool]) -> TaskOutput:
        shadow = self._shadow(worker, tools)
        try:
            output = type(self.task)._execute_core(shadow, worker, self.context, tools)
        except HookAborted as abort:
            self.abort = abort  # A hook stops the run, not one agent.
            raise
        for counter in ("used_tools", "tools_errors", "delegations", "retry_count"):
            setattr(self.task, counter, getattr(shadow, counter))
        return output

    def _shadow(self, worker: BaseAgent, tools: list[BaseTool]) -> Task:
        """Copy the task so that a late or failed attempt leaves no trace on it."""
        shadow = copy.copy(self.task)
        for name in _DELIVERED:
            shadow.__dict__[name] = None
        shadow.agent, shadow.tools = worker, tools
        shadow.retry_count = 0
        shadow._guardrail_retry_counts = {}
        return shadow

    def _tools_for(self, expert: str, worker: BaseAgent) -> list[BaseTool]:
        prepared = self.tools.get(expert)
        if prepared is not None and worker is self.team.agents[expert]:
            return prepared
        tools = self.extra_tools if self.extra_tools is not None else list(worker.tools or [])
        shadow = self._shadow(worker, tools)
        return self.team.crew._prepare_tools(worker, shadow, tools)

    def conclude(self, outcome: Outcome, reason: str) -> TaskOutput:
        """Turn the kernel's outcome into CrewAI's output.

        Parameters
        ----------
        outcome : Outcome
        reason : str
            Why the kernel stopped asking.

        Raises
        ------
        HookAborted
            If one of the crew's hooks stopped the run.
        ExpertError, BudgetExceededError, NoExpertError
            If no agent did the task; the message names each agent and its failure.
        """
        if self.abort is not None:
            raise self.abort
        answer = outcome.verdict.answer
        for ballot in outcome.ballots:
            if ballot.succeeded and ballot.answer == answer and ballot.raw is not None:
                output, expert = ballot.raw
                self.task.agent = self.team.agents[expert]
                return output  # type: ignore[no-any-return]
        if answer is None:
            raise self._failure(outcome, reason)
        return self._recorded(outcome, answer)

    def _failure(self, outcome: Outcome, reason: str) -> Exception:
        name = self.task.name or self.task.description[:80]
        if reason.startswith("budget"):
            return BudgetExceededError(f"task {name!r} was not done: {reason}")
        if not outcome.ballots:
            return NoExpertError(f"no agent may take task {name!r}: {reason or 'none is able'}")
        names = list(self.team.agents)
        if given := [b for b in outcome.ballots if b.succeeded]:
            said = "; ".join(f"{names[b.expert]}: {_short(str(b.answer))}" for b in given)
            return ExpertError(
                f"task {name!r} has no verdict: none of its {len(given)} answers is taken for one, "
                f"which is the setting `equivalence` of the consensus protocol ({said})"
            )
        failures = "; ".join(f"{names[b.expert]}: {b.error}" for b in outcome.ballots if b.error)
        return ExpertError(f"task {name!r} failed with every agent asked: {failures}")

    def _recorded(self, outcome: Outcome, answer: str) -> TaskOutput:
        """Rebuild the output of a task that an earlier part of a resumed run has finished."""
        winner = next(b.expert for b in outcome.ballots if b.succeeded and b.answer == answer)
        self.task.agent = list(self.team.agents.values())[winner]
        structure = self.task.output_pydantic or self.task.output_json
        parsed = structure.model_validate_json(answer) if structure is not None else None
        as_json = self.task.output_pydantic is None and parsed is not None
        return TaskOutput(
            name=self.task.name or self.task.description,
            description=self.task.description,
            expected_output=self.task.expected_output,
            raw=answer,
            pydantic=None if as_json else parsed,
            json_dict=parsed.model_dump() if as_json and parsed is not None else None,
            agent=self.task.agent.role,
            output_format=self.task._get_output_format(),
        )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…")


@dataclass(frozen=True, slots=True, eq=False)
class CrewPayload:
    """The payload of a kernel task.

    A run keeps the tasks of all its outcomes; were a call among them, every copy of a crew that
    was ever kicked off would stay with its agents.

    Attributes
    ----------
    assigned : str
        Expert whom the crew's author gave the task to, "" for none.
    call : weak reference to CrewCall
        Whoever waits for the outcome holds the call.
    """

    assigned: str
    call: weakref.ref[CrewCall]

    def perform(self, expert: str, kernel_task: SwarmTask) -> Reply:
        """Let one agent do the task, as `CrewCall.perform` does.

        Raises
        ------
        ExpertError
            If nobody waits for the task any more.
        """
        call = self.call()
        if call is None:
            raise ExpertError(f"task {kernel_task.id!r}: its crew does not wait for it any more")
        return call.perform(expert, kernel_task)


# Fields whose effects come once, from `deliver`, and never from an attempt.
_DELIVERED = ("callback", "output_file")


def recordable(output: TaskOutput) -> str | None:
    """Give the text that stands for an output in the ledger; structured ones as JSON."""
    structure = output.pydantic
    if isinstance(structure, BaseModel):
        return structure.model_dump_json()
    if output.json_dict is not None:
        return json.dumps(output.json_dict)
    return (output.raw.strip() and output.raw) or None


def own_tools(task: Task) -> list[BaseTool] | None:
    """Give the tools that a task's author gave the task itself; None for the agent's own.

    CrewAI copies the agent's tools to the task when the task is built.
    """
    copied = [id(tool) for tool in (task.agent.tools if task.agent else None) or []]
    mine = list(task.tools or [])
    return None if [id(tool) for tool in mine] == copied or not mine else mine


def deliver(task: Task, output: TaskOutput, crew_callback: Any) -> TaskOutput:
    """Do what CrewAI does once with a task's output: keep it, call back, write the file.

    Parameters
    ----------
    task : crewai.Task
    output : crewai.TaskOutput
    crew_callback : callable or None
        The crew's `task_callback`.
    """
    for result in _called_back(task, output, crew_callback):
        if inspect.iscoroutine(result):
            asyncio.run(result)
    return _saved(task, output)


async def deliver_later(task: Task, output: TaskOutput, crew_callback: Any) -> TaskOutput:
    """Do what `deliver` does and await callbacks that want it."""
    for result in _called_back(task, output, crew_callback):
        if inspect.isawaitable(result):
            await result
    return _saved(task, output)


def _called_back(task: Task, output: TaskOutput, crew_callback: Any) -> Any:
    task.output = output
    task.end_time = datetime.datetime.now()
    if output.agent:
        task.processed_by_agents.add(output.agent)
    if task.callback:
        yield task.callback(output)
    if crew_callback and crew_callback != task.callback:
        yield crew_callback(output)


def _saved(task: Task, output: TaskOutput) -> TaskOutput:
    if task.output_file:
        structured = output.pydantic.model_dump_json() if output.pydantic else output.raw
        task._save_file(output.json_dict or structured)
    return output
