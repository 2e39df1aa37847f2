"""Several answers and a verdict for each task of an unmodified crew."""

from __future__ import annotations

import sys
import types

import pytest

from swarmloom import Ledger, Settings, Swarm
from swarmloom.errors import ExpertError
from swarmloom.events import EventKind
from swarmloom_agents import coordinate
from swarmloom_agents.seams import BaseTool, Crew

METHODS = ("panel", "trust")


@pytest.fixture
def swarm_with():
    """A swarm with consensus and the CrewAI plugin; settings of both as keywords."""
    made = []

    def make(consensus=None, ledger=None, **crewai):
        plugins = {
            "enable": ["consensus", "crewai", "patterns"],
            "config": {"crewai": crewai, "consensus": consensus or {}},
        }
        made.append(Swarm((), Settings(plugins=plugins), ledger=ledger))
        return made[-1]

    yield make
    for swarm in made:
        swarm.close()


def saying(agent, *answers):
    return [agent(f"Agent {n}", lambda request, a=a: a) for n, a in enumerate(answers)]


def asked(session):
    return [len(outcome.ballots) for outcome in session.result.outcomes]


@pytest.mark.parametrize("method", METHODS)
def test_every_task_gets_several_answers_and_a_verdict(agent, crew_task, swarm_with, method):
    agents = saying(agent, "Lyon", "Paris", "Paris", "Paris")
    called = []
    tasks = [crew_task(f"town {n}", agents[0], callback=called.append) for n in range(2)]
    crew = Crew(agents=agents, tasks=tasks)
    with swarm_with({"method": method, "certainty": 1.0}, answers=4).coordinating(crew) as session:
        output = crew.kickoff()
    assert [one.raw for one in output.tasks_output] == ["Paris"] * 2
    assert asked(session) == [4, 4]
    assert [one.raw for one in called] == ["Paris"] * 2
    assert tasks[0].agent is agents[0]


def test_one_answer_is_the_rule(agent, crew_task, swarm_with):
    agents = saying(agent, "Lyon", "Paris", "Paris")
    crew = Crew(agents=agents, tasks=[crew_task("town", agents[0])])
    with swarm_with().coordinating(crew) as session:
        assert crew.kickoff().raw == "Lyon"
    assert asked(session) == [1]


def test_without_the_consensus_plugin_the_majority_decides(agent, crew_task, make_swarm):
    agents = saying(agent, "Lyon", "Paris", "Paris")
    crew = Crew(agents=agents, tasks=[crew_task("town", agents[0])])
    with make_swarm(crewai={"answers": 3}).coordinating(crew):
        assert crew.kickoff().raw == "Paris"


class Mail(BaseTool):
    name: str = "send_mail"
    description: str = "Sends a mail"

    def _run(self) -> str:
        return "sent"


def test_tasks_that_act_are_done_once(agent, crew_task, swarm_with):
    agents = saying(agent, "Lyon", "Paris", "Paris")
    tasks = [
        crew_task("named", agents[0]),
        crew_task("acting", agents[0], tools=[Mail()]),
        crew_task("asking", agents[0]),
    ]
    crew = Crew(agents=agents, tasks=tasks)
    consensus = {"method": "trust", "certainty": 1.0}
    with swarm_with(consensus, answers=3, alone=["named"]).coordinating(crew) as session:
        crew.kickoff()
    assert asked(session) == [1, 1, 3]


def test_an_agent_with_tools_makes_every_task_one_that_may_act(agent, crew_task, swarm_with):
    agents = [*saying(agent, "Lyon", "Paris"), agent("Sender", lambda r: "Paris", tools=[Mail()])]
    crew = Crew(agents=agents, tasks=[crew_task("town", agents[0])])
    consensus = {"method": "trust", "certainty": 1.0}
    with swarm_with(consensus, answers=3).coordinating(crew) as session:
        assert crew.kickoff().raw == "Lyon"
    assert asked(session) == [1]
    with swarm_with(consensus, answers=3, alone_with_tools=False).coordinating(crew) as session:
        assert crew.kickoff().raw == "Paris"
    assert asked(session) == [3]


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("send teh mail", "'send teh mail', but no task of the crew has that name; did you mean "),
        ("zzz", "they are 'send the mail', 'ask'"),
    ],
)
def test_a_name_that_no_task_has_is_warned_of(agent, crew_task, swarm_with, caplog, named, says):
    agents = saying(agent, "Lyon", "Paris")
    tasks = [crew_task("send the mail", agents[0]), crew_task("ask", agents[0])]
    told = []
    swarm = swarm_with(answers=2, alone=[named, "ask"])
    with coordinate(swarm, Crew(agents=agents, tasks=tasks), on_event=told.append):
        pass
    [warning] = [event.data["message"] for event in told if event.kind == EventKind.WARNING]
    assert says in warning
    assert caplog.text.count(says) == 1
    assert "'ask', but" not in caplog.text


def no_answers(answers):
    return [-1] * len(answers)


@pytest.mark.parametrize("method", METHODS)
def test_an_equivalence_that_takes_no_answer_for_one_is_named(
    agent, crew_task, swarm_with, monkeypatch, method
):
    module = types.ModuleType("users_equivalence")
    module.no_answers = no_answers
    monkeypatch.setitem(sys.modules, module.__name__, module)
    agents = saying(agent, "Lyon", "Paris", "Paris")
    crew = Crew(agents=agents, tasks=[crew_task("town", agents[0])])
    consensus = {"method": method, "equivalence": "users_equivalence:no_answers"}
    with (
        swarm_with(consensus, answers=3).coordinating(crew),
        pytest.raises(ExpertError, match=r"none of its \d answers is taken for one.*equivalence"),
    ):
        crew.kickoff()


def test_even_at_certainty_1_the_best_answer_is_taken(agent, crew_task, swarm_with):
    agents = saying(agent, "Lyon", "Paris", "Paris")
    crew = Crew(agents=agents, tasks=[crew_task("town", agents[0])])
    with swarm_with({"method": "trust", "certainty": 1.0}, answers=3).coordinating(crew):
        assert crew.kickoff().raw == "Paris"


def test_answers_in_other_words_come_back_as_one_agent_said_them(agent, crew_task, swarm_with):
    agents = saying(agent, "Lyon", "paris", "Paris", "Paris!")
    crew = Crew(agents=agents, tasks=[crew_task("town", agents[0])])
    consensus = {"method": "trust", "certainty": 1.0, "equivalence": "normalised"}
    with swarm_with(consensus, answers=4).coordinating(crew):
        assert crew.kickoff().raw in ("paris", "Paris", "Paris!")


def test_a_resumed_crew_takes_its_recorded_verdicts(agent, crew_task, swarm_with, tmp_path):
    def crew():
        agents = saying(agent, "Lyon", "Paris", "Paris", "Paris")
        return Crew(agents=agents, tasks=[crew_task(f"town {n}", agents[0]) for n in range(2)])

    consensus = {"method": "trust", "certainty": 1.0}
    with Ledger(tmp_path / "runs.sqlite") as ledger:
        first = crew()
        with coordinate(swarm_with(consensus, ledger, answers=4), first) as session:
            first.kickoff()
            run = session.run.id
            session.run.close("interrupted")
        second = crew()
        with coordinate(swarm_with(consensus, ledger, answers=4), second, resume=run) as session:
            output = second.kickoff()
        assert [one.raw for one in output.tasks_output] == ["Paris"] * 2
        assert session.result.calls == 8
