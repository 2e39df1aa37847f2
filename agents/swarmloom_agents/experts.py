"""Agents as experts: one CrewAI agent behind the function that the kernel calls."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel

from swarmloom.types import Expert, Reply, Task
from swarmloom_agents.accounting import Meter, metered, settle
from swarmloom_agents.answers import parse_answer
from swarmloom_agents.executor import aask, ask, calls_asynchronously, is_one_shot, only_thinks
from swarmloom_agents.llms import OfflineLLM, ReplayLLM
from swarmloom_agents.offline import silence
from swarmloom_agents.seams import BaseAgent
from swarmloom_agents.seams import Task as CrewTask
from swarmloom_agents.work import working_on

__all__ = ["AgentPool", "expert_from_agent", "expert_names"]

_EXPECTED = "The answer, complete and without any introduction."
_EXPECTED_OPTION = "One of the {} options, nothing else."
DEFAULT_CAPACITY = 16


class AgentPool:
    """Copies of one agent, as many as tasks run on it at the same time.

    CrewAI refuses two tasks on one agent at once, counts an agent's errors over its whole life, and
    keeps an executor of the crew it worked in before; a leased agent has none of these troubles.

    Parameters
    ----------
    agent : crewai.Agent
        Leased first; copies are made while it is busy.
    """

    def __init__(self, agent: BaseAgent) -> None:
        self._original = agent
        self._free = [agent]
        self._lock = threading.Lock()

    @contextmanager
    def lease(self) -> Iterator[BaseAgent]:
        """Have an agent to oneself within the block.

        A call that ran out of time keeps its agent until its thread ends.
        """
        if is_one_shot(self._original):
            yield self._original
            return
        worker = self._take()
        try:
            yield worker
        except BaseException:
            worker.agent_executor = None  # It may be stuck in the middle of a turn.
            raise
        finally:
            with self._lock:
                self._free.append(worker)

    def _take(self) -> BaseAgent:
        with self._lock:
            worker: Any = self._free.pop() if self._free else self._copy()
        executor = worker.agent_executor
        if executor is not None and getattr(executor, "crew", None) is not worker.crew:
            worker.agent_executor = None
        worker._times_executed = 0
        return worker  # type: ignore[no-any-return]

    def _copy(self) -> BaseAgent:
        original = self._original
        worker = original.copy()
        worker.crew = original.crew
        worker.set_knowledge(crew_embedder=getattr(original.crew, "embedder", None))
        return worker


def expert_names(agents: Iterable[BaseAgent]) -> list[str]:
    """Name agents after their roles; the second agent of a role is "role #2", and so on.

    Parameters
    ----------
    agents : iterable of crewai.Agent

    Returns
    -------
    list of str
        Unique, in order.
    """
    used: dict[str, int] = {}
    names = []
    for agent in agents:
        role = " ".join(agent.role.split()) or "agent"
        used[role] = used.get(role, 0) + 1
        names.append(role if used[role] == 1 else f"{role} #{used[role]}")
    return names


def expert_from_agent(
    agent: BaseAgent,
    *,
    name: str | None = None,
    price: float | None = None,
    token_price: float | None = None,
    skills: Iterable[str] = (),
    capacity: int | None = None,
    timeout: float | None = None,
) -> Expert:
    """Make a CrewAI agent an expert of the swarm.

    Parameters
    ----------
    agent : crewai.Agent
        An agent that only thinks answers with one model call, also many at once; one with tools,
        memory or delegation runs in CrewAI's own executor, on copies of it where several tasks
        run at once.
    name : str, optional
        Defaults to the role.
    price : float, optional
        Declared price of a call; defaults to an offline model's `cost_per_call`, else 1.
    token_price : float, optional
        Cost of one token, for models that report tokens; then each call costs what it used.
    skills : iterable of str
        What it can do; empty means anything.
    capacity : int, optional
        Calls at the same time.
    timeout : float, optional
        Seconds after which a call counts as failed; defaults to the agent's
        `max_execution_time`, else the swarm's.

    Returns
    -------
    Expert
        An empty answer, and one that is no option of a task with options, count as failures.
    """
    thinks = only_thinks(agent)
    called = name or expert_names([agent])[0]
    limit = timeout if timeout is not None else getattr(agent, "max_execution_time", None)
    return Expert(
        name=called,
        answer=(_thinker if thinks else _worker)(agent, called, token_price),
        price=declared_price(agent, price),
        capacity=capacity or (1_000_000 if thinks else DEFAULT_CAPACITY),
        skills=frozenset(skills),
        model=model_name(agent),
        inline=thinks and isinstance(agent.llm, ReplayLLM),
        timeout=limit,
    )


def declared_price(agent: BaseAgent, price: float | None) -> float:
    """Give the price of a call: as declared, else the offline model's own, else 1."""
    if price is not None:
        return price
    llm = agent.llm
    return llm.cost_per_call if isinstance(llm, OfflineLLM) and llm.cost_per_call else 1.0


def model_name(agent: BaseAgent) -> str:
    """Name the model that agents may share; "" for offline models, unless they were named."""
    llm = agent.llm
    if llm is None or (isinstance(llm, OfflineLLM) and not llm.is_named):
        return ""
    return str(getattr(llm, "model", llm))


def _thinker(agent: BaseAgent, name: str, token_price: float | None) -> Any:
    def answer(task: Task) -> Reply:
        with working_on(task, name), metered(token_price) as meter:
            said = ask(agent, crew_task(task, agent), _context(task))
            return _reply(task, said, meter, agent)

    async def answer_later(task: Task) -> Reply:
        with working_on(task, name), metered(token_price) as meter:
            said = await aask(agent, crew_task(task, agent), _context(task))
            return _reply(task, said, meter, agent)

    return answer_later if calls_asynchronously(agent.llm) else answer


def _worker(agent: BaseAgent, name: str, token_price: float | None) -> Any:
    pool = AgentPool(agent)
    if not agent.verbose:
        silence()

    def answer(task: Task) -> Reply:
        with (
            working_on(task, name),
            metered(token_price) as meter,
            pool.lease() as worker,
        ):
            work = crew_task(task, worker)
            said = work.execute_sync(worker, _context(task), list(worker.tools or [])).raw
            return _reply(task, said, meter, worker)

    return answer


def crew_task(task: Task, agent: BaseAgent) -> CrewTask:
    """Write a task of the swarm as one of CrewAI.

    Parameters
    ----------
    task : Task
        A payload mapping may hold ``expected_output`` and ``context``.
    agent : crewai.Agent
    """
    expected = _payload(task).get("expected_output")
    if expected is None:
        expected = _EXPECTED if task.options is None else _EXPECTED_OPTION.format(task.options)
    return CrewTask(
        name=task.id, description=task.prompt or task.id, expected_output=expected, agent=agent
    )


def _payload(task: Task) -> Mapping[str, Any]:
    return task.payload if isinstance(task.payload, Mapping) else {}


def _context(task: Task) -> str | None:
    context = _payload(task).get("context")
    return None if context is None else str(context)


def _reply(task: Task, said: Any, meter: Meter, agent: BaseAgent) -> Reply:
    text = said.model_dump_json() if isinstance(said, BaseModel) else str(said or "")
    return metered_reply(parse_answer(task, text), meter, agent)


def metered_reply(
    answer: str | None, meter: Meter, agent: BaseAgent, raw: object | None = None
) -> Reply:
    """Put an answer together with what its calls cost.

    Parameters
    ----------
    answer : str or None
    meter : Meter
        Counted the calls.
    agent : crewai.Agent
        Who answered.
    raw : object, optional
        What the caller wants back unchanged.
    """
    if not (only_thinks(agent) and isinstance(agent.llm, OfflineLLM)):
        settle()  # Offline models book their own calls at once; others report through events.
    cost = meter.cost if meter.priced else None
    return Reply(answer, cost=cost, tokens=meter.tokens, raw=raw)
