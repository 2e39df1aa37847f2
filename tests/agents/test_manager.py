"""The manager and its built-in policy."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from swarmloom import Expert, ManagerTool, Proposal, Task, hookimpl
from swarmloom_agents.experts import expert_from_agent
from swarmloom_agents.llms import FunctionLLM, LLMRequest
from swarmloom_agents.manager import SwarmManager, manager_tools
from swarmloom_agents.seams import Agent, BaseAgentTool, Crew, Process


class Fixed:
    """A protocol that always wants one expert."""

    def __init__(self, expert: int, *, breaks: bool = False) -> None:
        self.expert, self.breaks = expert, breaks

    @hookimpl
    def swarmloom_navigate(self, round: Any) -> Proposal:
        import numpy as np

        if self.breaks:
            raise RuntimeError("broken")
        affinity = np.zeros(round.allowed.shape, dtype=np.float32)
        affinity[:, self.expert] = 1.0
        return Proposal(affinity)


def _two_minds(make_swarm: Any, **settings: Any) -> Any:
    """A swarm where the protocol "good" wants the right expert and "bad" the wrong one."""
    swarm = make_swarm(swarm={"quorum": 1, "window": 4, **settings})
    swarm.host.add(Fixed(0), "good")
    swarm.host.add(Fixed(1), "bad")
    swarm.adopt(
        [
            Expert("right", lambda task: "yes", inline=True),
            Expert("wrong", lambda task: "no", inline=True),
        ]
    )
    return swarm


def _truth(task: Task, answer: str | None) -> str:
    return "yes"


def test_every_tool_of_the_swarm_becomes_an_agent_tool(make_swarm: Any) -> None:
    swarm = make_swarm()
    tools = {tool.name: tool for tool in manager_tools(swarm)}
    assert set(tools) == set(swarm.tools())
    assert all(isinstance(tool, BaseAgentTool) for tool in tools.values())
    assert tools["switch_pattern"].args_schema.model_json_schema()["required"] == ["pattern"]
    assert "required" not in tools["list_patterns"].args_schema.model_json_schema()
    tools["switch_pattern"].run(pattern="crew")
    assert swarm.pattern == "crew"


def test_a_tool_tells_the_model_what_it_did_wrong(make_swarm: Any) -> None:
    tools = {tool.name: tool for tool in manager_tools(make_swarm())}
    said = tools["switch_pattern"].run(pattern="pannel")
    assert said.startswith("Error:")
    assert "'panel'" in said


def _signed(swarm: Any) -> list[str]:
    """Add a tool that says who calls it; returns the names heard."""
    heard: list[str] = []

    def sign(swarm: Any, text: str, by: str) -> str:
        heard.append(by)
        return f"signed by {by}"

    class Signing:
        @hookimpl
        def swarmloom_register_tools(self, register: Any) -> None:
            register(ManagerTool("sign", "Sign.", sign, {"text": "What.", "by": "Who."}))

    swarm.host.add(Signing(), "signing")
    return heard


def test_a_manager_signs_with_its_own_role(make_swarm: Any) -> None:
    swarm = make_swarm()
    heard = _signed(swarm)
    manager = SwarmManager(swarm, role="Chief")
    [tool] = [tool for tool in manager.tools if tool.name == "sign"]
    assert tool.args_schema.model_json_schema()["required"] == ["text"]
    tool.run(text="x", by="somebody else")
    assert heard == ["Chief"]


def test_an_agent_at_work_signs_with_its_own_name(make_swarm: Any) -> None:
    swarm = make_swarm()
    heard = _signed(swarm)
    [tool] = [tool for tool in manager_tools(swarm) if tool.name == "sign"]

    def think(request: LLMRequest) -> str:
        if any("signed by" in str(m.get("content")) for m in request.messages[1:]):
            return "Thought: done\nFinal Answer: yes"
        return 'Thought: go\nAction: sign\nAction Input: {"text": "x", "by": "invented"}'

    agent = Agent(
        role="Ann", goal="g", backstory="b", llm=FunctionLLM(function=think), tools=[tool]
    )
    swarm.adopt([expert_from_agent(agent)])
    assert swarm.run([Task("t", "Do it", quorum=1)]).answers == {"t": "yes"}
    assert heard == ["Ann"]


def test_outside_of_any_agent_the_argument_says_who_signs(make_swarm: Any) -> None:
    swarm = make_swarm()
    heard = _signed(swarm)
    [tool] = [tool for tool in manager_tools(swarm) if tool.name == "sign"]
    tool.run(text="x", by="Bob")
    assert heard == ["Bob"]
    assert tool.run(text="x").startswith("Error:")


@pytest.mark.row("O10")
def test_any_model_can_drive_the_tools(make_swarm: Any) -> None:
    def think(request: LLMRequest) -> str:
        if any("in_force" in str(m.get("content")) for m in request.messages[1:]):
            return "Thought: done\nFinal Answer: switched"
        return 'Thought: go\nAction: switch_pattern\nAction Input: {"pattern": "crew"}'

    swarm = make_swarm()
    assert SwarmManager(swarm, FunctionLLM(function=think)).review() == "switched"
    assert swarm.pattern == "crew"


def test_the_policy_disables_a_failing_plugin(make_swarm: Any) -> None:
    swarm = _two_minds(make_swarm)
    swarm.host.add(Fixed(0, breaks=True), "broken")
    manager = SwarmManager(swarm)
    swarm.run([Task("a")])
    swarm.run([Task("b")])
    said = manager.review()
    assert "disable_plugin" in said
    assert "broken" not in swarm.host.protocols
    assert {"good", "bad"} <= set(swarm.host.protocols)


def test_the_policy_raises_who_decides_well_and_lowers_who_does_not(make_swarm: Any) -> None:
    swarm = _two_minds(make_swarm, weights={})
    swarm.set_weights({"good": 1.0, "bad": 1.0, "crewai": 0.0})
    manager = SwarmManager(swarm)
    for name, other in (("good", "bad"), ("bad", "good")):
        swarm.set_weights({name: 1.0, other: 0.5})
        swarm.run([Task(f"{name}-{n}") for n in range(8)], feedback=_truth)
    swarm.set_weights({"good": 1.0, "bad": 1.0})
    manager.review()
    assert swarm.weights["good"] > 1.0 > swarm.weights["bad"]


def test_the_policy_leaves_a_good_swarm_alone(make_swarm: Any) -> None:
    swarm = _two_minds(make_swarm)
    before = swarm.weights
    assert SwarmManager(swarm).review() == "Nothing needs to be changed."
    assert swarm.weights == before


@pytest.mark.row("O10")
@pytest.mark.row("H7")
def test_the_policy_acts_while_the_swarm_works(make_swarm: Any) -> None:
    swarm = _two_minds(make_swarm)
    swarm.set_weights({"good": 1.0, "bad": 1.2, "crewai": 0.0})
    tasks = [Task(str(n)) for n in range(40)]
    assert set(swarm.run(tasks, feedback=_truth).answers.values()) == {"no"}
    with SwarmManager(swarm).attending(every=5):
        result = swarm.run(tasks, feedback=_truth)
    assert result.answers["39"] == "yes"
    assert swarm.weights["good"] > swarm.weights["bad"]
    assert "swarm_manager" not in {record.name for record in swarm.host.report()}


def test_a_manager_with_another_model_reviews_beside_the_run(make_swarm: Any) -> None:
    reviewed = threading.Event()

    def think(request: LLMRequest) -> str:
        reviewed.set()
        return "Thought: x\nFinal Answer: fine"

    swarm = _two_minds(make_swarm)
    with SwarmManager(swarm, FunctionLLM(function=think)).attending(every=2):
        swarm.run([Task(str(n)) for n in range(4)])
    assert reviewed.is_set()


@pytest.mark.parametrize("process", [Process.sequential, Process.hierarchical])
def test_a_manager_works_in_a_crew(
    process: Process, make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    swarm = make_swarm()
    offered: list[str] = []

    def think(request: LLMRequest) -> str:
        offered.extend(str(m.get("content")) for m in request.messages)
        return "Thought: x\nFinal Answer: managed"

    manager = SwarmManager(swarm, FunctionLLM(function=think))
    if process == Process.hierarchical:
        worker = agent("Ann")
        crew = Crew(
            agents=[worker], tasks=[crew_task("one")], process=process, manager_agent=manager
        )
    else:
        crew = Crew(agents=[manager], tasks=[crew_task("one", manager)])
    assert crew.kickoff().raw == "managed"
    assert "set_weight" in " ".join(offered)


def test_a_copied_manager_manages_the_same_swarm(make_swarm: Any) -> None:
    swarm = make_swarm()
    copy = SwarmManager(swarm, role="Boss").copy()
    assert copy.role == "Boss"
    next(tool for tool in copy.tools if tool.name == "switch_pattern").run(pattern="crew")
    assert swarm.pattern == "crew"


def test_credit_is_the_share_weighted_part_of_right_decisions(make_swarm: Any) -> None:
    swarm = _two_minds(make_swarm)
    SwarmManager(swarm)
    swarm.set_weights({"good": 1.0, "bad": 0.0, "crewai": 0.0})
    swarm.run([Task(str(n)) for n in range(3)], feedback=_truth)
    read = json.loads(swarm.tools()["read_credit"](swarm))
    assert read["credit"]["good"]["rate"] == 1.0
    assert read["credit"]["good"]["share"] == pytest.approx(3.0)


def test_tools_with_whole_defaults_run_without_a_warning(recwarn):
    from swarmloom import Expert, Settings, Swarm

    plugins = {"enable": ["consensus", "patterns"]}
    experts = [Expert(f"e{n}", lambda task: "x", inline=True) for n in range(3)]
    with Swarm(experts, Settings(plugins=plugins)) as swarm:
        tools = {tool.name: tool for tool in manager_tools(swarm)}
        recwarn.clear()
        assert '"verdict": "x"' in tools["ask_crew"].run(question="q?", answers=2)
        assert '"decided": []' in tools["show_disagreement"].run()
    assert not [w for w in recwarn if "serializer" in str(w.message)]
