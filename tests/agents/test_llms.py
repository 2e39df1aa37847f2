"""Models without a key are complete CrewAI models."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from swarmloom import Task as SwarmTask
from swarmloom.errors import ConfigurationError, ExpertError, InputError
from swarmloom_agents.accounting import metered
from swarmloom_agents.llms import FunctionLLM, LLMRequest, ModelLLM, ReplayLLM
from swarmloom_agents.seams import Crew, LLMCallCompletedEvent, crewai_event_bus
from swarmloom_agents.work import working_on


class Point(BaseModel):
    x: int


REACT = [{"role": "user", "content": "Use the form Final Answer: ..."}]


def test_replay_finds_answers_by_task_and_role(agent: Any, crew_task: Any) -> None:
    llm = ReplayLLM(answers={"research": {"Ann": "by Ann", "*": "by anybody"}, "*": "whatever"})
    ann, bob = agent("ann\n", llm=llm), agent("Bob", llm=llm)
    assert llm.call("?", from_task=crew_task("Research"), from_agent=ann) == "by Ann"
    assert llm.call("?", from_task=crew_task("research"), from_agent=bob) == "by anybody"
    assert llm.call("?", from_task=crew_task("other"), from_agent=bob) == "whatever"
    unnamed = crew_task("")
    unnamed.name, unnamed.description = None, "Research"
    assert llm.call("?", from_task=unnamed, from_agent=ann) == "by Ann"


def test_replay_gives_lists_call_by_call_and_repeats_the_last(crew_task: Any) -> None:
    llm = ReplayLLM(answers={"t": ["one", "two"]})
    assert [llm.call("?", from_task=crew_task("t")) for _ in range(3)] == ["one", "two", "two"]


def test_replay_fails_where_nothing_or_a_failure_is_recorded(crew_task: Any) -> None:
    llm = ReplayLLM(answers={"t": None}, source="answers.yaml")
    with pytest.raises(ExpertError, match=r"'t' in answers\.yaml"):
        llm.call("?", from_task=crew_task("t"))
    with pytest.raises(ExpertError, match="'u'"):
        llm.call("?", from_task=crew_task("u"))


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_replay_reads_files(tmp_path: Path, suffix: str, crew_task: Any) -> None:
    file = tmp_path / f"answers.{suffix}"
    file.write_text(json.dumps({"t": "recorded"}))
    assert ReplayLLM.from_file(file).call("?", from_task=crew_task("t")) == "recorded"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "holds a list"),
        ("{a: [", "neither YAML nor JSON"),
        ("t: {Ann: 3}", "'Ann'.* is 3"),
    ],
)
def test_replay_says_what_is_wrong_with_a_file(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        ReplayLLM.from_file(file)
    with pytest.raises(ConfigurationError, match="missing"):
        ReplayLLM.from_file(tmp_path / "missing.yaml")


def test_react_form_is_kept_when_the_conversation_asks_for_it() -> None:
    llm = FunctionLLM(function=lambda request: "ants")
    assert llm.call(REACT).endswith("Final Answer: ants")
    assert llm.call("plain?") == "ants"
    acting = FunctionLLM(function=lambda request: "Thought: x\nAction: ping\nAction Input: {}")
    assert acting.call(REACT).startswith("Thought: x\nAction")


def test_structured_answers_are_validated() -> None:
    llm = FunctionLLM(function=lambda request: '{"x": 3}')
    assert llm.call("?", response_model=Point) == Point(x=3)
    given = FunctionLLM(function=lambda request: Point(x=4))
    assert given.call("?", response_model=Point) == Point(x=4)
    wrong = FunctionLLM(function=lambda request: "no")
    with pytest.raises(ValueError, match="Point"):
        wrong.call("?", response_model=Point)


def test_call_and_acall_agree_and_coroutines_work_in_both() -> None:
    async def answer(request: LLMRequest) -> str:
        await asyncio.sleep(0)
        return request.prompt.upper()

    llm = FunctionLLM(function=answer)
    assert llm.call("ants") == asyncio.run(llm.acall("ants")) == "ANTS"


def test_every_call_is_an_event_with_its_usage(crew_task: Any, agent: Any) -> None:
    seen = []
    llm = FunctionLLM(function=lambda request: "x" * 40, cost_per_call=2.0, cost_per_token=0.5)
    with crewai_event_bus.scoped_handlers():
        crewai_event_bus.on(LLMCallCompletedEvent)(lambda source, event: seen.append(event))
        llm.call("y" * 80, from_task=crew_task("t"), from_agent=agent("Ann"))
        crewai_event_bus.flush()
    [event] = seen
    assert (event.usage["prompt_tokens"], event.usage["completion_tokens"]) == (20, 10)
    assert event.usage["cost"] == 2.0 + 0.5 * 30
    assert (event.task_name, event.agent_role) == ("t", "Ann")
    assert llm.get_token_usage_summary().total_tokens == 30


def test_a_meter_counts_each_call_once() -> None:
    llm = FunctionLLM(function=lambda request: "x" * 4, cost_per_call=3.0)
    with metered() as meter:
        llm.call("y" * 8)
        llm.call("y" * 8)
        crewai_event_bus.flush()
    assert (meter.calls, meter.tokens, meter.cost, meter.priced) == (2, 6, 6.0, True)


def test_models_predict_from_features_or_payload(crew_task: Any) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    estimator = KNeighborsClassifier(1).fit([[0.0, 0.0], [1.0, 1.0]], ["low", "high"])
    llm = ModelLLM(estimator=estimator, features={"t": np.array([0.9, 0.8])})
    assert llm.call("?", from_task=crew_task("t")) == "high"
    with pytest.raises(InputError, match="'u'"):
        llm.call("?", from_task=crew_task("u"))
    by_payload = ModelLLM(estimator=estimator)
    with working_on(SwarmTask("t", payload=[0.1, 0.0])):
        assert by_payload.call("?", from_task=crew_task("t")) == "low"
    with pytest.raises(InputError, match="payload"):
        by_payload.call("?", from_task=crew_task("t"))


def test_a_crew_runs_on_recorded_answers(agent: Any, crew_task: Any) -> None:
    llm = ReplayLLM(answers={"t": "first", "u": '{"x": 7}'})
    ann, bob = agent("Ann", llm=llm), agent("Bob", llm=llm)
    tasks = [crew_task("t", ann), crew_task("u", bob, output_pydantic=Point)]
    output = Crew(agents=[ann, bob], tasks=tasks).kickoff()
    assert [task.raw for task in output.tasks_output] == ["first", '{"x":7}']
    assert output.pydantic == Point(x=7)


@pytest.mark.parametrize("native", [True, False])
def test_tools_are_called_natively_and_as_react(native: bool, agent: Any, crew_task: Any) -> None:
    from crewai.tools import tool

    called = []

    @tool("ping")
    def ping(x: int) -> str:
        """Ping."""
        called.append(x)
        return f"pong{x}"

    def think(request: LLMRequest) -> Any:
        if any("pong3" in str(m.get("content")) for m in request.messages):
            return "got pong3"
        if native:
            function = {"name": "ping", "arguments": '{"x": 3}'}
            return [{"id": "c1", "type": "function", "function": function}]
        return 'Thought: go\nAction: ping\nAction Input: {"x": 3}'

    llm = FunctionLLM(function=think, native_tools=native)
    worker = agent("Ann", llm=llm, tools=[ping])
    output = Crew(agents=[worker], tasks=[crew_task("t", worker)]).kickoff()
    assert (output.raw, called) == ("got pong3", [3])
