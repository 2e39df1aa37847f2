"""Agents of a CrewAI crew that are taken out, brought back, and held to limits."""

from __future__ import annotations

import json

import pytest

from swarmloom.config import Settings
from swarmloom.errors import NoExpertError
from swarmloom.swarm import Swarm
from swarmloom_agents import FunctionLLM
from swarmloom_agents.manager import manager_tools


@pytest.fixture
def crew():
    from crewai import Agent, Crew, Task

    def made(role):
        llm = FunctionLLM(function=lambda request: f"{request.role} worked")
        return Agent(role=role, goal="Work", backstory="You work.", llm=llm)

    agents = [made("Researcher"), made("Writer")]
    task = Task(name="work", description="Work", expected_output="Work", agent=agents[0])
    return Crew(agents=agents, tasks=[task], verbose=False)


@pytest.fixture
def swarm():
    with Swarm(settings=Settings(plugins={"enable": ["bio_routing", "crewai"]})) as swarm:
        yield swarm


def call(swarm, name, **arguments):
    tools = {tool.manager_tool.name: tool for tool in manager_tools(swarm, "Boss")}
    return tools[name]._run(**arguments)


def test_a_manager_takes_an_agent_out_and_back_between_kickoffs(crew, swarm):
    with swarm.coordinating(crew):
        said = [crew.kickoff().raw]
        told = call(swarm, "fail_expert", expert="Researcher")
        assert json.loads(told) == {"taken_out": ["Researcher"]}
        said.append(crew.kickoff().raw)
        assert call(swarm, "fail_expert", expert="Writer").startswith("Error: 'Writer' is the last")
        call(swarm, "restore_expert", expert="Researcher")
        said.append(crew.kickoff().raw)
        run = swarm.ledger.runs()[-1].id
    assert said == ["Researcher worked", "Writer worked", "Researcher worked"]
    notices = swarm.ledger.view(run).notices
    assert [event.data["by"] for event in notices] == ["Boss", "Boss"]


def test_a_task_that_nobody_may_take_fails_the_kickoff_where_limits_are_strict(crew, swarm):
    with swarm.coordinating(crew):
        crew.kickoff()
        call(swarm, "fail_expert", expert="Writer")
        call(swarm, "set_constraint", max_latency=1e-9)
        assert crew.kickoff().raw == "Researcher worked"
        told = json.loads(call(swarm, "set_constraint", max_latency="1e-9", strict="yes"))
        assert "max_latency 1e-09 s ('Researcher' is the soonest" in told["unmet"]["work"]
        with pytest.raises(NoExpertError, match="'work': nobody admitted"):
            crew.kickoff()
