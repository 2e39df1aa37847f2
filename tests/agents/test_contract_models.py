"""What `llms`, `accounting`, `executor`, `projects` and `manager` rely on in CrewAI.

A failure here means: CrewAI has changed, look at the seam that the test names.
"""

from __future__ import annotations

import contextvars
import inspect
from typing import Any

import pytest
from pydantic import BaseModel, Field

from swarmloom_agents.llms import FunctionLLM, ReplayLLM
from swarmloom_agents.seams import (
    LLM,
    LLM_TYPE_REGISTRY,
    Agent,
    BaseAgentTool,
    BaseLLM,
    Crew,
    LLMCallCompletedEvent,
    Process,
    Prompts,
    crewai_event_bus,
    llm_call_context,
)


def test_a_model_is_asked_with_these_arguments() -> None:
    expected = ["self", "messages", "tools", "callbacks", "available_functions"]
    expected += ["from_task", "from_agent", "response_model"]
    for method in (BaseLLM.call, BaseLLM.acall):
        assert list(inspect.signature(method).parameters) == expected


def test_only_call_is_abstract_and_acall_is_not_implemented() -> None:
    assert BaseLLM.__abstractmethods__ == frozenset({"call"})
    assert "NotImplementedError" in inspect.getsource(BaseLLM.acall)


def test_events_of_answered_calls_carry_usage_and_number() -> None:
    fields = LLMCallCompletedEvent.model_fields
    assert {"usage", "call_id", "response", "model"} <= set(fields)


def test_handlers_run_in_a_copy_of_the_emitters_context() -> None:
    place: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")
    seen: list[str] = []
    llm = FunctionLLM(function=lambda request: "x")
    with crewai_event_bus.scoped_handlers():
        crewai_event_bus.on(LLMCallCompletedEvent)(lambda source, event: seen.append(place.get()))
        place.set("here")
        llm.call("?")
        assert crewai_event_bus.flush(10)
    assert seen == ["here"]


def test_agents_call_their_model_in_the_callers_context(agent: Any, crew_task: Any) -> None:
    place: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")
    seen: list[str] = []
    ann = agent("Ann", lambda request: seen.append(place.get()) or "x")
    place.set("here")
    crew_task("one", ann).execute_sync(ann)
    assert seen == ["here"]


def test_calls_are_numbered_by_context() -> None:
    with llm_call_context() as one:
        pass
    with llm_call_context() as other:
        pass
    assert one != other


def test_model_names_become_models_through_the_factorys_new(monkeypatch: Any) -> None:
    model = ReplayLLM(answers={"*": "x"})
    original = LLM.__new__
    monkeypatch.setattr(
        LLM, "__new__", staticmethod(lambda cls, *a, **o: model if cls is LLM else original(cls))
    )
    assert Agent(role="A", goal="g", backstory="b", llm="anthropic/claude-3").llm is model
    assert Agent(role="A", goal="g", backstory="b").llm is model
    assert LLM(model="gemini/any") is model


def test_totals_multiply_when_agents_share_a_model(agent: Any, crew_task: Any) -> None:
    """The reason for accounting by events; when it fails, CrewAI has been repaired."""
    llm = FunctionLLM(function=lambda request: "x")
    agents = [agent(role, llm=llm) for role in "AB"]
    crew = Crew(agents=agents, tasks=[crew_task("t", agents[0])])
    total = crew.kickoff().token_usage.total_tokens
    assert total == 2 * llm.get_token_usage_summary().total_tokens


def test_dumped_models_are_rebuilt_by_their_type() -> None:
    for cls in (ReplayLLM, FunctionLLM):
        name = cls.model_fields["llm_type"].default
        assert LLM_TYPE_REGISTRY[name] == f"{cls.__module__}.{cls.__name__}"
    rebuilt = Agent(
        role="A", goal="g", backstory="b", llm=ReplayLLM(answers={"*": "x"}).model_dump()
    )
    assert rebuilt.llm.call("?") == "x"


def test_prompts_have_a_system_and_a_user_part_with_one_gap(agent: Any) -> None:
    prompt = Prompts(agent=agent("Ann"), has_tools=False, use_system_prompt=True).task_execution()
    assert prompt.system.startswith("You are Ann. b")
    assert prompt.user.count("{input}") == 1
    assert "Final Answer:" not in prompt.system + prompt.user


def test_the_stock_executor_sees_what_the_one_call_sees(agent: Any, crew_task: Any) -> None:
    from swarmloom_agents.executor import ask

    seen: list[Any] = []
    ann = agent("Ann", lambda request: seen.append(list(request.messages)) or "x")
    task = crew_task("one", ann)
    task.execute_sync(ann, context="it rains")
    ask(ann, task, "it rains")
    stock, ours = ([(m["role"], m["content"].strip()) for m in call] for call in seen)
    assert stock == ours


def test_a_hierarchical_manager_may_have_agent_tools_and_no_others(
    agent: Any, crew_task: Any
) -> None:
    from crewai.tools import tool

    class Own(BaseAgentTool):
        name: str = "own"
        description: str = "own"
        agents: list[Any] = Field(default_factory=list)

        def _run(self) -> str:
            return ""

    @tool("other")
    def other() -> str:
        """Other."""
        return ""

    def crew(tools: list[Any]) -> Crew:
        manager = agent("Boss", lambda request: "done", tools=tools)
        return Crew(
            agents=[agent("Ann")],
            tasks=[crew_task("one")],
            process=Process.hierarchical,
            manager_agent=manager,
        )

    assert crew([Own()]).kickoff().raw == "done"
    with pytest.raises(Exception, match="should not have tools"):
        crew([other]).kickoff()


def test_native_calls_of_one_turn_are_all_answered(agent: Any, crew_task: Any) -> None:
    from crewai.tools import tool

    @tool("ping")
    def ping(x: int) -> str:
        """Ping."""
        return f"pong{x}"

    def think(request: Any) -> Any:
        answers = [m for m in request.messages if m.get("role") == "tool"]
        if answers:
            return " ".join(sorted(str(m["content"]) for m in answers))
        return [
            {"id": f"c{n}", "type": "function", "function": {"name": "ping", "arguments": a}}
            for n, a in enumerate(('{"x": 1}', '{"x": 2}'))
        ]

    llm = FunctionLLM(function=think, native_tools=True)
    ann = agent("Ann", llm=llm, tools=[ping])
    assert crew_task("one", ann).execute_sync(ann).raw == "pong1 pong2"


def test_a_structured_answer_may_be_an_instance(agent: Any, crew_task: Any) -> None:
    class Point(BaseModel):
        x: int

    ann = agent("Ann", lambda request: Point(x=3))
    assert crew_task("one", ann, output_pydantic=Point).execute_sync(ann).pydantic == Point(x=3)


def test_crew_classes_are_marked_and_factories_load_yaml() -> None:
    from crewai.project import CrewBase
    from crewai.project.crew_loader import load_crew, load_crew_from_definition

    assert "is_crew_class" in inspect.getsource(inspect.getmodule(CrewBase))
    assert next(iter(inspect.signature(load_crew).parameters)) == "source"
    parameters = set(inspect.signature(load_crew_from_definition).parameters)
    assert {"definition", "source", "project_root"} <= parameters
