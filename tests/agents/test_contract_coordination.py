"""What `coordination` and `crew_call` rely on in CrewAI beyond its public interface.

A failure here means: CrewAI has changed, look at the seam that the test names.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

import pytest
from crewai.agents.agent_builder.base_agent_executor import BaseAgentExecutor

from swarmloom_agents.seams import (
    Agent,
    Crew,
    HookAborted,
    InterceptionPoint,
    Memory,
    Process,
    Task,
    register_hook,
    unregister_hook,
)


@pytest.fixture
def crew(agent: Any, crew_task: Any) -> Crew:
    ann = agent("Ann")
    return Crew(agents=[ann], tasks=[crew_task("one", ann)])


def test_execution_start_comes_before_the_process_and_the_choice_of_agents(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    start = lambda context: order.append("start") if context.crew is crew else None  # noqa: E731
    end = lambda context: order.append("end") if context.crew is crew else None  # noqa: E731
    run, choose = Crew._run_sequential_process, Crew._get_agent_to_use

    def sequential(self: Crew) -> Any:
        order.append("process")
        return run(self)

    def chosen(self: Crew, task: Task) -> Any:
        order.append("agent")
        return choose(self, task)

    monkeypatch.setattr(Crew, "_run_sequential_process", sequential)
    monkeypatch.setattr(Crew, "_get_agent_to_use", chosen)
    register_hook(InterceptionPoint.EXECUTION_START, start)
    register_hook(InterceptionPoint.EXECUTION_END, end)
    try:
        crew.kickoff()
    finally:
        assert unregister_hook(InterceptionPoint.EXECUTION_START, start)
        assert unregister_hook(InterceptionPoint.EXECUTION_END, end)
    assert order == ["start", "process", "agent", "end"]


def test_a_hook_aborts_a_kickoff_and_other_errors_are_swallowed(crew: Crew) -> None:
    def broken(context: Any) -> None:
        raise ValueError("a bug")

    def abort(context: Any) -> None:
        raise HookAborted("stop", source="test")

    register_hook(InterceptionPoint.EXECUTION_START, broken)
    try:
        assert crew.kickoff().raw == "Ann did one"
    finally:
        unregister_hook(InterceptionPoint.EXECUTION_START, broken)
    register_hook(InterceptionPoint.EXECUTION_START, abort)
    try:
        with pytest.raises(HookAborted, match="stop"):
            crew.kickoff()
    finally:
        unregister_hook(InterceptionPoint.EXECUTION_START, abort)


def test_the_process_may_be_flipped_at_execution_start(agent: Any, crew_task: Any) -> None:
    ann = agent("Ann")
    crew = Crew(
        agents=[ann],
        tasks=[crew_task("one", ann)],
        process=Process.hierarchical,
        manager_llm=ann.llm,
    )

    def flip(context: Any) -> None:
        context.crew.process = Process.sequential

    register_hook(InterceptionPoint.EXECUTION_START, flip)
    try:
        assert crew.kickoff().tasks_output[0].agent == "Ann"
    finally:
        unregister_hook(InterceptionPoint.EXECUTION_START, flip)
    assert crew.manager_agent is None


def test_methods_may_be_overridden_on_instances(crew: Crew) -> None:
    asked: list[str] = []
    task = crew.tasks[0]
    core = type(task)._execute_core

    def choose(task: Task) -> Any:
        asked.append("agent")
        return crew.agents[0]

    def execute(agent: Any, context: Any, tools: Any) -> Any:
        asked.append("core")
        return core(task, agent, context, tools)

    object.__setattr__(crew, "_get_agent_to_use", choose)
    object.__setattr__(task, "_execute_core", execute)
    try:
        crew.kickoff()
    finally:
        crew.__dict__.pop("_get_agent_to_use")
        task.__dict__.pop("_execute_core")
    assert asked == ["agent", "core"]
    assert "_get_agent_to_use" not in crew.model_dump(include=set(Crew.model_fields))


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (Crew._get_agent_to_use, ["self", "task"]),
        (Crew._prepare_tools, ["self", "agent", "task", "tools"]),
        (Task._execute_core, ["self", "agent", "context", "tools"]),
        (Task._aexecute_core, ["self", "agent", "context", "tools"]),
        (Task._save_file, ["self", "result"]),
        (Task._get_output_format, ["self"]),
        (Agent.create_agent_executor, ["self", "tools", "task"]),
        (Agent.execute_task, ["self", "task", "context", "tools"]),
        (Agent.aexecute_task, ["self", "task", "context", "tools"]),
        (Agent.set_knowledge, ["self", "crew_embedder"]),
        (Crew.copy, ["self"]),
    ],
)
def test_signatures(function: Any, parameters: list[str]) -> None:
    assert list(inspect.signature(function).parameters) == parameters


def test_both_task_paths_end_in_the_core() -> None:
    for name, core in (
        ("execute_sync", "_execute_core"),
        ("_execute_task_async", "_execute_core"),
        ("aexecute_sync", "_aexecute_core"),
    ):
        assert f"self.{core}(agent, context, tools)" in inspect.getsource(getattr(Task, name))


def test_a_shallow_copy_of_a_task_is_independent_where_it_matters(
    agent: Any, crew_task: Any
) -> None:
    task = crew_task("one", agent("Ann"), callback=print, output_file="x.txt")
    shadow = copy.copy(task)
    shadow.__dict__["callback"] = None
    shadow.__dict__["output_file"] = None
    shadow.agent = None
    shadow._guardrail_retry_counts = {0: 3}
    assert (shadow.id, shadow.key) == (task.id, task.key)
    assert task.callback is print
    assert task.output_file == "x.txt"
    assert task.agent is not None
    assert task._guardrail_retry_counts == {}


def test_fields_that_are_carried_over_exist() -> None:
    fields = {"used_tools", "tools_errors", "delegations", "retry_count", "callback", "output_file"}
    assert fields <= set(Task.model_fields)
    assert {"task_callback", "process", "manager_llm", "manager_agent"} <= set(Crew.model_fields)
    assert {"agent_executor", "max_retry_limit", "max_execution_time"} <= set(Agent.model_fields)


def test_the_retry_counter_counts_a_lifetime(agent: Any) -> None:
    assert agent("Ann")._times_executed == 0
    source = inspect.getsource(Agent._check_execution_error)
    assert "self._times_executed += 1" in source
    assert "self._times_executed > self.max_retry_limit" in source


def test_the_crews_callback_is_set_on_its_tasks_and_called_by_the_core(crew: Crew) -> None:
    heard: list[Any] = []
    crew.task_callback = heard.append
    crew.kickoff()
    assert crew.tasks[0].callback == heard.append
    assert len(heard) == 1


def test_the_log_of_task_outputs_can_be_replaced(crew: Crew) -> None:
    from swarmloom_agents.executor import NullStore

    crew._task_output_handler = NullStore()
    assert crew.kickoff().raw == "Ann did one"


def test_kickoff_for_each_copies_through_the_instance(crew: Crew) -> None:
    clones: list[Crew] = []

    def clone() -> Crew:
        clones.append(Crew.copy(crew))
        return clones[-1]

    object.__setattr__(crew, "copy", clone)
    crew.kickoff_for_each([{}, {}])
    assert len(clones) == 2
    assert all("copy" not in vars(one) for one in clones)


def test_a_crews_memory_is_found_and_its_tools_are_added_by_name(crew: Crew) -> None:
    assert crew._memory is None
    assert list(inspect.signature(Crew._add_memory_tools).parameters) == ["self", "tools", "memory"]


def test_what_a_memory_is_told_of_a_task() -> None:
    source = inspect.getsource(BaseAgentExecutor._save_to_memory)
    parts = ["Task: {", "Agent: {", "Expected result: {", "Result: {", "extract_memories(raw)"]
    places = [source.index(part) for part in parts]
    assert places == sorted(places)


def test_all_that_a_memory_keeps_goes_through_one_method() -> None:
    assert list(inspect.signature(Memory._encode_batch).parameters)[1:] == [
        "contents",
        "scope",
        "categories",
        "metadata",
        "importance",
        "source",
        "private",
        "root_scope",
    ]
    for method in (Memory.remember, Memory._background_encode_batch):
        assert "_encode_batch" in inspect.getsource(method)
