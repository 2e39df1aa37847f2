"""The swarm's own executor: one model call a task, for agents that only think.

CrewAI's executor is a state machine that is built anew for each agent (about 10 ms and 70 KB) and
runs tools in a loop. An agent without tools needs none of it: its prompt is rendered once, and a
task is one call. Agents with tools, memory, knowledge, planning or delegation keep CrewAI's.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import MethodType
from typing import Any

from pydantic import BaseModel

from swarmloom_agents.llms import FunctionLLM, ModelLLM
from swarmloom_agents.seams import (
    Agent,
    AgentFinish,
    BaseAgent,
    BaseLLM,
    Crew,
    Prompts,
    Task,
    format_answer,
    format_task_with_context,
    schema_prompt,
)

__all__ = [
    "NullStore",
    "OneShotAgent",
    "aask",
    "as_one_shot",
    "as_stock",
    "ask",
    "calls_asynchronously",
    "light_crew",
    "only_thinks",
]

_THREADS = 128
_HEAVY_FIELDS = (
    "tools",
    "memory",
    "knowledge_sources",
    "planning_config",
    "planning",
    "reasoning",
    "allow_delegation",
    "allow_code_execution",
    "multimodal",
    "mcps",
    "apps",
    "skills",
    "a2a",
    "step_callback",
    "guardrail",
    "max_rpm",
    "inject_date",
    "response_template",
)


@cache
def call_threads() -> ThreadPoolExecutor:
    """Give the threads for models that cannot be awaited; asyncio's own pool has too few."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="swarmloom-call")


def calls_asynchronously(llm: object) -> bool:
    """Say whether a model's ``acall`` really waits without a thread.

    Parameters
    ----------
    llm : crewai.BaseLLM

    Returns
    -------
    bool
        False for models that inherit the base's unimplemented ``acall``, for plain functions, and
        for trained models, whose prediction would hold up the loop.
    """
    if isinstance(llm, FunctionLLM):
        return inspect.iscoroutinefunction(llm.function)
    if isinstance(llm, ModelLLM):
        return False
    return isinstance(llm, BaseLLM) and type(llm).acall is not BaseLLM.acall


def only_thinks(agent: object) -> bool:
    """Say whether one model call is all that an agent does for a task.

    Parameters
    ----------
    agent : crewai.Agent
    """
    plain = type(agent) is Agent or isinstance(agent, OneShotAgent)
    # CrewAI warns of some fields when they are read as attributes.
    if not plain or any(vars(agent).get(field) for field in _HEAVY_FIELDS):
        return False
    crew = getattr(agent, "crew", None)
    shared = ("_memory", "knowledge_sources", "step_callback")
    return not any(getattr(crew, field, None) for field in shared)


class OneShotAgent(Agent):
    """A CrewAI agent that answers each task with one model call.

    Use it like `crewai.Agent`; it must have no tools. It may work on many tasks at once. LLM hooks
    of CrewAI run where the model itself dispatches them; step callbacks do not.
    """

    def create_agent_executor(self, tools: Any = None, task: Task | None = None) -> None:
        """Make none: there is nothing to run but the model."""

    def execute_task(
        self, task: Task, context: str | None = None, tools: list[Any] | None = None
    ) -> Any:
        """Ask the model once."""
        return ask(self, task, context)

    async def aexecute_task(
        self, task: Task, context: str | None = None, tools: list[Any] | None = None
    ) -> Any:
        """Ask the model once, without a thread where it can be awaited."""
        return await aask(self, task, context)


def as_one_shot(agent: BaseAgent) -> None:
    """Let an existing agent answer with one model call, until `as_stock` undoes it."""
    for name in ("create_agent_executor", "execute_task", "aexecute_task"):
        object.__setattr__(agent, name, MethodType(getattr(OneShotAgent, name), agent))


def is_one_shot(agent: BaseAgent) -> bool:
    """Say whether an agent answers with one call, so that it may work on many tasks at once."""
    return isinstance(agent, OneShotAgent) or "execute_task" in vars(agent)


def as_stock(agent: BaseAgent) -> None:
    """Undo `as_one_shot`."""
    for name in ("create_agent_executor", "execute_task", "aexecute_task"):
        agent.__dict__.pop(name, None)


def ask(agent: BaseAgent, task: Task, context: str | None = None) -> Any:
    """Have an agent do a task with one call of its model.

    Parameters
    ----------
    agent : crewai.Agent
    task : crewai.Task
    context : str, optional
        Outputs of other tasks, as CrewAI passes them.

    Returns
    -------
    str or pydantic.BaseModel
        The final answer; an instance where the task has a structured output and the model gave it.
    """
    llm: Any = agent.llm
    messages, model = _messages(agent, task, context), _response_model(task)
    answer = llm.call(messages, from_task=task, from_agent=agent, response_model=model)
    return _final(answer)


async def aask(agent: BaseAgent, task: Task, context: str | None = None) -> Any:
    """Do what `ask` does within an event loop."""
    llm: Any = agent.llm
    if not calls_asynchronously(llm):
        run = contextvars.copy_context().run
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(call_threads(), run, ask, agent, task, context)
    messages, model = _messages(agent, task, context), _response_model(task)
    answer = await llm.acall(messages, from_task=task, from_agent=agent, response_model=model)
    return _final(answer)


def _messages(agent: BaseAgent, task: Task, context: str | None) -> list[dict[str, str]]:
    system, user = _prompts(agent)
    request = format_task_with_context(schema_prompt(task, task.prompt()), context)
    question = {"role": "user", "content": user.replace("{input}", request)}
    return [{"role": "system", "content": system}, question] if system else [question]


def _prompts(agent: BaseAgent) -> tuple[str, str]:
    """Render the system and the user prompt of an agent, once for each identity."""
    identity = (agent.role, agent.goal, agent.backstory)
    known = agent.__dict__.get("_swarmloom_prompts")
    if known is None or known[0] != identity:
        known = (identity, *_rendered(agent))
        agent.__dict__["_swarmloom_prompts"] = known
    return known[1], known[2]


def _rendered(agent: BaseAgent) -> tuple[str, str]:
    prompt = Prompts(
        agent=agent,
        has_tools=False,
        use_system_prompt=getattr(agent, "use_system_prompt", True),
        system_template=getattr(agent, "system_template", None),
        prompt_template=getattr(agent, "prompt_template", None),
    ).task_execution()
    return getattr(prompt, "system", ""), getattr(prompt, "user", "") or prompt.prompt


def _response_model(task: Task) -> type[BaseModel] | None:
    return task.response_model or task.output_pydantic or task.output_json


def _final(answer: Any) -> Any:
    if isinstance(answer, BaseModel):
        return answer
    parsed = format_answer(str(answer or ""))
    return parsed.output if isinstance(parsed, AgentFinish) else parsed.text


class NullStore:
    """Stands in for CrewAI's log of task outputs, which rereads its whole table at every task.

    A crew with it cannot ``replay``; the swarm's ledger has the record.
    """

    def update(self, *args: Any, **options: Any) -> None:
        """Keep nothing."""

    def reset(self) -> None:
        """There is nothing to forget."""

    def load(self) -> list[Any]:
        """Give nothing back."""
        return []


def light_crew(agents: Sequence[BaseAgent], tasks: Iterable[Task], **options: Any) -> Crew:
    """Build a crew for many tasks: no task log, and no output copied into all later prompts.

    Parameters
    ----------
    agents : sequence of crewai.Agent
    tasks : iterable of crewai.Task
        Tasks whose context was not set get an empty one.
    **options
        As for `crewai.Crew`.
    """
    listed = list(tasks)
    for task in listed:
        if "context" not in task.model_fields_set:
            task.context = []
    crew = Crew(agents=list(agents), tasks=listed, **options)
    crew._task_output_handler = NullStore()  # type: ignore[assignment]
    return crew
