"""Drop-in coordination: an unmodified CrewAI crew whose tasks the kernel hands out."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from swarmloom.events import EventKind
from swarmloom.run import Run, RunResult
from swarmloom.swarm import Swarm
from swarmloom.types import Event, Expert, Outcome
from swarmloom.types import Task as SwarmTask
from swarmloom_agents.assignment import CrewConfig, unknown_names
from swarmloom_agents.crew_call import (
    CrewCall,
    CrewPayload,
    CrewTeam,
    deliver,
    deliver_later,
    own_tools,
)
from swarmloom_agents.executor import NullStore, as_one_shot, as_stock, only_thinks
from swarmloom_agents.experts import (
    declared_price,
    expert_from_agent,
    expert_names,
    model_name,
)
from swarmloom_agents.seams import (
    BaseAgent,
    BaseTool,
    Crew,
    HookAborted,
    InterceptionPoint,
    Process,
    Task,
    TaskOutput,
    register_hook,
    unregister_hook,
)

if TYPE_CHECKING:
    from swarmloom_agents.memory import TrailMemory

__all__ = ["CrewSession", "coordinate"]

_logger = logging.getLogger("swarmloom.crewai")

_TOPIC_LENGTH = 60
_SECONDS_A_DAY = 86400.0
# A kickoff does not stand still because another program keeps the memory's file locked.
_MEMORY_TIMEOUT = 1.0


def coordinate(
    swarm: Swarm,
    crew: object,
    config: CrewConfig | None = None,
    *,
    job: Mapping[str, Any] | None = None,
    resume: str | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> CrewSession:
    """Coordinate a crew within a ``with`` block.

    Parameters
    ----------
    swarm : Swarm
        Decides; its experts are replaced by the crew's agents.
    crew : crewai.Crew
        Stays as it is; after the block nothing of it has changed.
    config : CrewConfig, optional
        Defaults to the configuration of the swarm's ``crewai`` plugin.
    job, resume, on_event
        As for `Swarm.open_run`.
    """
    if not isinstance(crew, Crew):
        raise TypeError(f"a crewai.Crew is needed, got {type(crew).__name__}")
    return CrewSession(swarm, crew, config, job=job, resume=resume, on_event=on_event)


class CrewSession:
    """Coordinates one crew, and the copies that CrewAI makes of it, while its block is open.

    Attributes
    ----------
    run : Run
        The kernel's run, within the block.
    result : RunResult or None
        What the run came to, after the block.
    memory : TrailMemory or None
        The memory that the configuration names, within the block.
    """

    run: Run

    def __init__(
        self,
        swarm: Swarm,
        crew: Crew,
        config: CrewConfig | None = None,
        *,
        job: Mapping[str, Any] | None = None,
        resume: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.config = config or _configured(swarm)
        self.result: RunResult | None = None
        self._swarm, self._crew = swarm, crew
        self._job, self._resume, self._listener = job, resume, on_event
        self._kickoffs = 0
        self._attached: dict[int, _Attachment] = {}
        # Copies by id: kept by whoever kicks them off, not by the session.
        self._copies: weakref.WeakValueDictionary[int, Crew] = weakref.WeakValueDictionary()
        self._reasons: dict[str, str] = {}
        self._lock = threading.Lock()
        self.memory: TrailMemory | None = None

    def __enter__(self) -> Self:
        self.memory = _configured_memory(self.config)
        attachment = self._attach(self._crew)
        self._swarm.adopt(self._expert(name, a) for name, a in attachment.team.agents.items())
        self.run = self._swarm.open_run(on_event=self._hear, job=self._job, resume=self._resume)
        self._warn_of_names()
        register_hook(InterceptionPoint.EXECUTION_START, self._on_start)
        register_hook(InterceptionPoint.EXECUTION_END, self._on_end)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        unregister_hook(InterceptionPoint.EXECUTION_START, self._on_start)
        unregister_hook(InterceptionPoint.EXECUTION_END, self._on_end)
        while self._attached:
            self._attached.popitem()[1].detach()
        if self.memory is not None:
            self.memory.close()
        self.result = self.run.close("finished" if kind is None else "interrupted")

    def _warn_of_names(self) -> None:
        for text in unknown_names(self.config, [task.name for task in self._crew.tasks]):
            _logger.warning("crewai: %s", text)
            self.run.emit(EventKind.WARNING, {"plugin": "crewai", "message": text})

    # -- experts --------------------------------------------------------------------------------

    def _expert(self, name: str, agent: BaseAgent) -> Expert:
        return Expert(
            name=name,
            answer=self._answer(name, agent),
            price=declared_price(agent, None),
            capacity=self.config.capacity,
            skills=frozenset({_skill(name)}),
            model=model_name(agent),
            timeout=getattr(agent, "max_execution_time", None),
        )

    def _answer(self, name: str, agent: BaseAgent) -> Callable[[SwarmTask], Any]:
        alone = expert_from_agent(agent, name=name, token_price=self.config.token_price).answer

        def answer(task: SwarmTask) -> Any:
            if isinstance(task.payload, CrewPayload):
                return task.payload.perform(name, task)
            assert alone is not None
            return alone(task)

        return answer

    # -- crews ----------------------------------------------------------------------------------

    def _attach(self, crew: Crew, kickoff: int | None = None) -> _Attachment:
        attachment = _Attachment(self, crew, kickoff)
        self._attached[id(crew)] = attachment
        return attachment

    def follow(self, clone: Crew) -> Crew:
        """Coordinate a copy too; its number among the kickoffs is drawn now, in order."""
        self._attach(clone, self.next_kickoff())
        self._copies[id(clone)] = clone
        return clone

    def next_kickoff(self) -> int:
        """Draw the number of the next kickoff of this session."""
        with self._lock:
            self._kickoffs += 1
            return self._kickoffs

    def _on_start(self, context: Any) -> None:
        key = id(context.crew)
        if key not in self._attached and key not in self._copies:
            return
        try:
            attachment = self._attached.get(key) or self._attach(context.crew)
            attachment.start()
        except Exception as error:
            # CrewAI swallows what its hooks raise; an uncoordinated run would go unnoticed.
            raise HookAborted(f"swarmloom: {error}", source="swarmloom") from error

    def _on_end(self, context: Any) -> None:
        key = id(context.crew)
        if key in self._copies and key in self._attached:
            # Most copies are kicked off once; another kickoff attaches them anew.
            self._attached.pop(key).detach()
        elif key in self._attached:
            self._attached[key].finish()

    # -- tasks ----------------------------------------------------------------------------------

    def open_id(self, task_id: str) -> str:
        """Give a task that failed with everybody in an earlier part of the run a new id."""
        recorded = self.run.finished.get(task_id)
        if recorded is None or recorded.verdict.answer is not None:
            return task_id
        return self.open_id(f"{task_id}+")

    def kernel_task(self, task_id: str, call: CrewCall) -> SwarmTask:
        """Write a crew's task as one of the kernel: work for one agent, or a question to all."""
        fixed = self.config.respect_assigned == "fixed" and call.assigned
        return SwarmTask(
            id=task_id,
            prompt=call.task.description,
            topic=topic_of(call.task),
            demands=frozenset({_skill(call.assigned)}) if fixed else frozenset(),
            quorum=_answers_wanted(self.config, call),
            payload=call.payload,
        )

    def conclude(self, call: CrewCall, outcome: Outcome) -> TaskOutput:
        """Turn an outcome into CrewAI's output, or raise."""
        return call.conclude(outcome, self._reasons.get(outcome.task.id, ""))

    def _hear(self, event: Event) -> None:
        if event.kind == EventKind.OUTCOME:
            self._reasons[event.task] = event.data["stop_reason"]
        if self._listener is not None:
            self._listener(event)


class _Attachment:
    """What is changed on one crew while it is coordinated, and how it is changed back."""

    def __init__(self, session: CrewSession, crew: Crew, kickoff: int | None) -> None:
        agents = _agents_of(crew)
        names = expert_names(agents)
        self.team = CrewTeam(
            crew, dict(zip(names, agents, strict=True)), session.config.token_price
        )
        self._session, self._crew = session, crew
        self._memory = session.memory if crew._memory is None else None
        self._reserved = kickoff
        self._name_of = {id(agent): name for name, agent in self.team.agents.items()}
        self._assigned = {id(task): task.agent for task in crew.tasks}
        self._extra_tools = {id(task): own_tools(task) for task in crew.tasks}
        self._tasks: dict[int, Task] = {id(task): task for task in crew.tasks}
        self._prefix, self._position = "", 0
        self._crew_callback: Any = None
        self._process: Process | None = None
        self._undo = ExitStack()
        self._change()

    # -- attaching and detaching ----------------------------------------------------------------

    def _change(self) -> None:
        self._override(self._crew, "_get_agent_to_use", self._agent_to_use)
        self._override(self._crew, "copy", self._copy)
        if not self._session.config.task_log:
            self._set(self._crew, "_task_output_handler", NullStore())
        if self._memory is not None:
            self._lend_memory(self._memory)
        alone = len(self.team.agents) == 1
        for agent in self.team.agents.values():
            self._prepare(agent, alone)

    def _lend_memory(self, memory: TrailMemory) -> None:
        # Not as the crew's own: CrewAI's executors would save answers that a guardrail refuses
        # then, and it would add tools and tell agents to use them, a loop of calls in place of one.
        for agent in self.team.agents.values():
            if not getattr(agent, "memory", None):
                self._override(agent, "_retrieve_memory_context", memory.in_prompt)
                self._override(agent, "copy", _copy_with_memory(agent, memory))

    def _prepare(self, agent: BaseAgent, alone: bool) -> None:
        self._set(agent, "agent_executor", None)
        self._undo.callback(setattr, agent, "agent_executor", None)
        if not alone and hasattr(agent, "max_retry_limit"):
            self._set(agent, "max_retry_limit", 0)  # The kernel asks another agent instead.
        fast = self._session.config.executor == "fast" and self._memory is None
        if fast and only_thinks(agent):
            as_one_shot(agent)
            self._undo.callback(as_stock, agent)
        else:
            self._override(agent, "create_agent_executor", _lazily(agent))

    def _copy(self) -> Crew:
        return self._session.follow(type(self._crew).copy(self._crew))

    def start(self) -> None:
        """Get ready for one kickoff: no manager, a number for its tasks."""
        number = self._reserved or self._session.next_kickoff()
        self._reserved = None
        self._prefix, self._position = f"k{number}", 0
        if self._crew.process == Process.hierarchical:
            self._process, self._crew.process = self._crew.process, Process.sequential
            self._place_somebody()

    def _place_somebody(self) -> None:
        """Name an agent for each task without one: CrewAI checks a sequential crew for that."""
        somebody = next(iter(self.team.agents.values()))
        for task in self._crew.tasks:
            self._tasks[id(task)] = task
            self._assigned.setdefault(id(task), task.agent)
            if task.agent is None:
                self._set(task, "tools", task.tools)
                task.agent = somebody

    def finish(self) -> None:
        """Give back after one kickoff what the crew lent for it."""
        if self._process is not None:
            self._crew.process, self._process = self._process, None
        if self._crew_callback is not None:
            self._crew.task_callback, self._crew_callback = self._crew_callback, None

    def detach(self) -> None:
        """Leave the crew as it was found."""
        self.finish()
        for task in self._tasks.values():
            task.__dict__.pop("_execute_core", None)
            task.__dict__.pop("_aexecute_core", None)
            if id(task) in self._assigned:
                task.agent = self._assigned[id(task)]
        self._undo.close()

    def _override(self, owner: Any, name: str, function: Callable[..., Any]) -> None:
        object.__setattr__(owner, name, function)
        self._undo.callback(owner.__dict__.pop, name, None)

    def _set(self, owner: Any, name: str, value: Any) -> None:
        self._undo.callback(setattr, owner, name, getattr(owner, name))
        setattr(owner, name, value)

    # -- one task -------------------------------------------------------------------------------

    def _agent_to_use(self, task: Task) -> BaseAgent | None:
        """Take the place of CrewAI's choice: route the task, name an agent to prepare it for."""
        if self._crew.task_callback is not None:
            # CrewAI would call it after every attempt; `deliver` calls it once.
            self._crew_callback, self._crew.task_callback = self._crew.task_callback, None
        self._tasks[id(task)] = task
        agent = self._assigned.setdefault(id(task), task.agent)
        self._position += 1
        task_id = self._session.open_id(f"{self._prefix}.{self._position}-{_digest(task)}")
        self._route(task, task_id)
        return agent or next(iter(self.team.agents.values()), None)

    def _route(self, task: Task, task_id: str) -> None:
        session, memory = self._session, self._memory

        def execute(
            agent: BaseAgent | None, context: str | None, tools: list[BaseTool] | None
        ) -> TaskOutput:
            call = self._call(task, agent, context, tools)
            [outcome] = session.run.solve_now([session.kernel_task(task_id, call)])
            output = session.conclude(call, outcome)
            if memory is not None and _is_new(outcome):
                memory.keep(task, output.raw)
            return deliver(task, output, self._crew_callback)

        async def execute_later(
            agent: BaseAgent | None, context: str | None, tools: list[BaseTool] | None
        ) -> TaskOutput:
            call = self._call(task, agent, context, tools)
            [outcome] = await session.run.solve([session.kernel_task(task_id, call)])
            output = session.conclude(call, outcome)
            if memory is not None and _is_new(outcome):
                await asyncio.to_thread(memory.keep, task, output.raw)
            return await deliver_later(task, output, self._crew_callback)

        object.__setattr__(task, "_execute_core", execute)
        object.__setattr__(task, "_aexecute_core", execute_later)

    def _call(
        self, task: Task, agent: BaseAgent | None, context: str | None, tools: Any
    ) -> CrewCall:
        task.prompt_context = context
        author = self._assigned.get(id(task))
        known = {} if agent is None else {self._name_of.get(id(agent), ""): list(tools or [])}
        assigned = "" if author is None else self._name_of.get(id(author), "")
        return CrewCall(
            team=self.team,
            task=task,
            assigned="" if self._session.config.respect_assigned == "ignore" else assigned,
            context=context,
            tools=known,
            extra_tools=self._extra_tools.get(id(task)),
        )


def topic_of(task: Task) -> str:
    """Name what tasks have in common: the task's name, else how its description begins.

    Parameters
    ----------
    task : crewai.Task

    Returns
    -------
    str
        The same for all inputs that are filled into one description.
    """
    text = task.name or task._original_description or task.description
    return " ".join(text.split()).casefold()[:_TOPIC_LENGTH]


def _answers_wanted(config: CrewConfig, call: CrewCall) -> int:
    """Say how many agents are to answer a task at most."""
    task = call.task
    if task.name in config.alone or task.human_input:
        return 1
    acting = call.extra_tools or any(agent.tools for agent in call.team.agents.values())
    return 1 if acting and config.alone_with_tools else config.answers


def _agents_of(crew: Crew) -> list[BaseAgent]:
    """List the crew's agents and those that only its tasks name; the manager is no worker."""
    agents = {id(agent): agent for agent in crew.agents}
    for task in crew.tasks:
        if task.agent is not None and task.agent is not crew.manager_agent:
            agents.setdefault(id(task.agent), task.agent)
    return list(agents.values())


def _lazily(agent: BaseAgent) -> Callable[..., None]:
    """Build an agent's executor with its first task; at kickoff CrewAI would build all."""

    def create(tools: Any = None, task: Task | None = None) -> None:
        if task is not None:
            kind: Any = type(agent)
            kind.create_agent_executor(agent, tools=tools, task=task)

    return create


def _configured(swarm: Swarm) -> CrewConfig:
    protocol = swarm.host.protocols.get("crewai")
    config = getattr(protocol, "config", None)
    return config if isinstance(config, CrewConfig) else CrewConfig()


def _configured_memory(config: CrewConfig) -> TrailMemory | None:
    if config.memory is None:
        return None
    from swarmloom_agents.memory import TrailMemory

    days = config.memory_half_life
    half_life = None if days is None else days * _SECONDS_A_DAY
    memory = TrailMemory(config.memory, half_life=half_life, timeout=_MEMORY_TIMEOUT)
    try:
        memory.check_embedder()
    except BaseException:
        memory.close()
        raise
    return memory


def _copy_with_memory(agent: BaseAgent, memory: TrailMemory) -> Callable[[], BaseAgent]:
    """Let an agent's copies, which work while it is busy, have the memory too."""

    def copy() -> BaseAgent:
        worker = type(agent).copy(agent)
        object.__setattr__(worker, "_retrieve_memory_context", memory.in_prompt)
        return worker

    return copy


def _is_new(outcome: Outcome) -> bool:
    """Say whether somebody worked for an outcome now; a resumed run repeats those it has."""
    return any(ballot.raw is not None for ballot in outcome.ballots)


def _digest(task: Task) -> str:
    return hashlib.sha256(f"{task.name}\n{task.description}".encode()).hexdigest()[:10]


def _skill(expert: str) -> str:
    return f"agent:{expert}"
