"""A guardrail that asks other agents: verdict, trust, and no effect but the answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from swarmloom.errors import InputError
from swarmloom_agents import FunctionLLM, consensus_guardrail
from swarmloom_agents.seams import BaseTool, Crew, Task, TaskOutput
from swarmloom_protocols.consensus.answers.crew_trust import CrewTrust
from swarmloom_protocols.consensus.free_text import numbers


def saying(agent, *answers, **options):
    """Agents that always say the same, each a word of its own."""
    return [agent(f"Agent {place}", lambda request, a=answer: a, **options)
            for place, answer in enumerate(answers)]  # fmt: skip


def crew_of(agents, guardrail, **options):
    options.setdefault("description", "Capital of France?")
    task = Task(expected_output="A name", agent=agents[0], guardrail=guardrail, **options)
    return Crew(agents=agents, tasks=[task], verbose=False)


def heard(agents, **options):
    verdicts: list[Any] = []
    guardrail = consensus_guardrail(agents, on_verdict=verdicts.append, **options)
    return guardrail, verdicts


def output_of(text, role="Agent 0", description="q"):
    return TaskOutput(description=description, expected_output="it", raw=text, agent=role)


def test_the_answer_of_the_vote_replaces_a_wrong_one(agent):
    agents = saying(agent, "Lyon", "Paris", "Paris", "Paris", "Paris")
    guardrail, [*_] = heard(agents)
    assert crew_of(agents, guardrail).kickoff().raw == "Paris"


def test_the_tasks_own_wording_is_kept_where_it_agrees(agent):
    agents = saying(agent, "paris.", "Paris", "Paris")
    assert crew_of(agents, consensus_guardrail(agents)).kickoff().raw == "paris."


def test_it_stops_asking_when_the_vote_is_certain(agent):
    agents = saying(agent, *["Paris"] * 7)
    asked = []
    for options in ({"certainty": 0.5}, {"certainty": 1.0, "max_answers": 3}):
        guardrail, verdicts = heard(agents, undecided="accept", **options)
        crew_of(agents, guardrail).kickoff()
        asked.append(len(verdicts[0].ballots))
    # Even the least certainty takes a second opinion.
    assert asked == [2, 3]


def test_without_a_certainty_it_stops_when_the_lead_is_hard_to_catch_up_with(agent):
    agents = saying(agent, *["Paris"] * 9)
    guardrail, verdicts = heard(agents, certainty=None)
    assert crew_of(agents, guardrail).kickoff().raw == "Paris"
    assert 2 <= len(verdicts[0].ballots) <= 6


def test_a_split_crew_is_told_how_it_is_split_and_asked_no_more(agent):
    calls = []

    def second(request):
        calls.append("second")
        return "Lyon"

    said = ["Nice", "Nice", "Nice", "Paris"]
    agents = [agent("Agent 0", lambda request: said.pop()), agent("Agent 1", second)]
    guardrail, verdicts = heard(agents)
    with pytest.raises(Exception, match=r"not certain enough. Answers of 2 agents.*'Lyon' with 0"):
        crew_of(agents, guardrail, guardrail_max_retries=3).kickoff()
    assert calls == ["second"]
    assert [verdict.certain for verdict in verdicts] == [False] * 4
    assert set(verdicts[-1].posterior) == {"Nice", "Lyon"}


def test_done_again_it_is_accepted_when_the_crew_agrees(agent):
    said = ["Paris", "Lyon"]
    agents = [
        agent("Agent 0", lambda request: said.pop() if said else "Paris"),
        *(agent(f"Agent {n}", lambda request: "Paris") for n in (1, 2)),
    ]
    guardrail, verdicts = heard(agents, certainty=0.7)
    assert crew_of(agents, guardrail).kickoff().raw == "Paris"
    assert [verdict.certain for verdict in verdicts] == [False, True]


def test_the_best_answer_may_be_accepted_all_the_same(agent):
    agents = saying(agent, "Lyon", "Paris", "Paris")
    guardrail, verdicts = heard(agents, certainty=0.99, undecided="accept")
    assert crew_of(agents, guardrail).kickoff().raw == "Paris"
    assert not verdicts[0].certain
    assert sum(verdicts[0].posterior.values()) <= 1 + 1e-9


def test_trust_is_learned_from_task_to_task(agent):
    right = [str(number % 7) for number in range(60)]

    def honest(place):
        def answer(request):
            number = int(request.task.description)
            lot = np.random.default_rng([place, number]).random()
            return right[number] if lot < 0.85 else f"wrong {place}"

        return answer

    agents = [agent(f"Honest {place}", honest(place)) for place in range(4)]
    agents.append(agent("Liar", lambda request: "9"))
    guardrail, verdicts = heard(agents, certainty=1.0, undecided="accept", warm_up=40)
    for number in range(40):
        guardrail(output_of(right[number], "Honest 0", str(number)))
    weights = guardrail.trust.weights
    assert weights[4] < 0.3 * weights[:4].min()
    liar = next(b for b in verdicts[-1].ballots if b.agent == "Liar")
    assert liar.weight < min(b.weight for b in verdicts[-1].ballots if b.agent != "Liar")


def test_agreement_counts_where_all_were_asked_alone(agent):
    agents = saying(agent, "x", "x", "x", "x", "y")
    guardrail, verdicts = heard(agents)
    for number in range(40):
        guardrail(output_of("x", description=str(number)))
    assert max(len(verdict.ballots) for verdict in verdicts) < 5
    assert guardrail.trust.weights == pytest.approx(np.full(6, 1 / 6))


def test_trust_can_be_kept_and_given_to_the_next_guardrail(agent):
    agents = saying(agent, "x", "x", "x", "y")
    first = consensus_guardrail(agents, warm_up=15)
    for number in range(15):
        first(output_of("x", description=str(number)))
    assert first.trust.weights[3] < first.trust.weights[2]
    state = json.loads(json.dumps(first.trust.state()))
    second = consensus_guardrail(agents, trust=CrewTrust.from_state(state))
    assert second.trust.weights == pytest.approx(first.trust.weights)
    with pytest.raises(InputError, match="trust is in 3 agents; allowed: 5"):
        consensus_guardrail(agents, trust=CrewTrust(3))
    with pytest.raises(InputError, match="trust is 5; allowed: a CrewTrust"):
        consensus_guardrail(agents, trust=5)


def test_probes_find_out_liars_in_the_majority(agent):
    def honest(request):
        return request.task.description

    agents = [agent(f"Honest {n}", honest) for n in range(2)]
    agents += [agent(f"Liar {n}", lambda request: "lie") for n in range(3)]
    guardrail, verdicts = heard(agents, certainty=0.7)
    guardrail.probe({f"question {n}": f"question {n}" for n in range(10)})
    assert crew_of([agents[2], *agents], guardrail, description="truth").kickoff().raw == "truth"
    assert len(verdicts[0].ballots) <= 3
    with pytest.raises(InputError, match="questions is empty"):
        guardrail.probe({})


def test_a_probe_set_with_wrong_keys_is_warned_of(agent):
    agents = saying(agent, *["right"] * 4)
    guardrail = consensus_guardrail(agents)
    guardrail.probe({f"question {n}": "wrong" for n in range(10)})
    assert any("wrong keys suspected" in text for text in guardrail.warnings())


def test_agents_of_one_model_are_one_voice(agent):
    weak = [
        agent(f"Weak {n}", llm=FunctionLLM(model="offline/weak", function=lambda request: "Lyon"))
        for n in range(3)
    ]
    strong = saying(agent, "Paris", "Paris")
    verdicts = []
    crew = [*weak, *strong]
    guardrail = consensus_guardrail(
        crew, certainty=1.0, undecided="accept", on_verdict=verdicts.append
    )
    assert guardrail(output_of("Lyon", "Weak 0")) == (True, "Paris")
    assert len(verdicts[0].ballots) == 3


def test_an_agent_that_is_not_listed_has_a_ballot_too(agent):
    author, *others = saying(agent, "Lyon", "Paris", "Paris", "Paris")
    guardrail, verdicts = heard(others)
    assert crew_of([author, *others], guardrail).kickoff().raw == "Paris"
    assert verdicts[0].ballots[0].agent == "the task's agent"


def test_failing_agents_are_no_ballots_and_all_failing_is_no_certainty(agent):
    def broken(request):
        raise RuntimeError("no connection")

    agents = [agent("Agent 0", lambda request: "Paris"), agent("Agent 1", broken)]
    guardrail, verdicts = heard(agents, certainty=0.9)
    accepted, message = guardrail(output_of("Paris"))
    assert not accepted
    assert "'Paris' with" in message
    assert verdicts[0].ballots[1].error == "RuntimeError: no connection"
    assert verdicts[0].confidence < 0.9
    accepted, message = guardrail(output_of("  ", description="other"))
    assert not accepted
    assert "Nobody gave an answer" in message
    assert "no connection" in message


@pytest.mark.parametrize("way", ["kickoff", "kickoff_async", "akickoff", "for_each"])
def test_every_way_to_kick_off(agent, way):
    agents = saying(agent, "Lyon", "Paris", "Paris", "Paris")
    crew = crew_of(agents, consensus_guardrail(agents))
    if way == "kickoff":
        output = crew.kickoff()
    elif way == "for_each":
        [output] = crew.kickoff_for_each([{}])
    else:
        output = asyncio.run(getattr(crew, way)())
    assert output.raw == "Paris"


def test_asynchronous_tasks_at_the_same_time(agent):
    agents = saying(agent, "Lyon", "Paris", "Paris", "Paris")
    guardrail, verdicts = heard(agents)
    tasks = [
        Task(description=f"q{n}", expected_output="it", agent=agents[n], async_execution=n < 3,
             guardrail=guardrail)
        for n in range(4)
    ]  # fmt: skip
    output = Crew(agents=agents, tasks=tasks, verbose=False).kickoff()
    assert [one.raw for one in output.tasks_output] == ["Paris"] * 4
    assert len(verdicts) == 4


class Mail(BaseTool):
    name: str = "send_mail"
    description: str = "Sends a mail"
    sent: int = 0

    def _run(self) -> str:
        self.sent += 1
        return "sent"


def acting(request):
    messages = str(request.messages)
    if "send_mail" in messages and "sent" not in messages:
        return "Thought: mail it\nAction: send_mail\nAction Input: {}"
    return "Paris"


def test_asking_others_has_no_effect_but_their_answers(agent, tmp_path, monkeypatch):
    # CrewAI takes every output_file as one below the current directory.
    monkeypatch.chdir(tmp_path)
    mail, called, of_crew = Mail(), [], []
    agents = saying(agent, "Lyon", "Paris")
    agents.append(agent("Acting", acting, tools=[mail], step_callback=called.append))
    agents.append(agent("Third", lambda request: "Paris"))
    guardrail, verdicts = heard(agents, warm_up=1)
    crew = crew_of(agents, guardrail, callback=called.append, output_file="answer.txt")
    crew.task_callback = of_crew.append
    output = crew.kickoff()
    assert output.raw == "Paris"
    assert mail.sent == 0
    assert [one.raw for one in called] == ["Paris"]
    assert [one.raw for one in of_crew] == ["Paris"]
    assert len(verdicts[0].ballots) == 4
    assert all(ballot.answer for ballot in verdicts[0].ballots)
    assert agents[2].tools == [mail]
    assert agents[2].crew is crew
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("answer.txt", "Paris")]


def test_tools_may_be_lent_on_purpose(agent):
    mail = Mail()
    agents = [*saying(agent, "Lyon"), agent("Acting", acting, tools=[mail])]
    guardrail, verdicts = heard(agents, certainty=1.0, undecided="accept", tools=True)
    crew_of(agents, guardrail).kickoff()
    assert verdicts[0].ballots[1].answer == "Paris"
    assert mail.sent == 1


def test_others_are_asked_with_the_context_of_the_task(agent):
    seen = []

    def reader(request):
        seen.append(request.prompt)
        return "red"

    agents = [agent("Agent 0", lambda request: "red"), agent("Agent 1", reader)]
    first = Task(description="Say a colour", expected_output="it", agent=agents[0])
    second = Task(
        description="Repeat it", expected_output="it", agent=agents[0], context=[first],
        guardrail=consensus_guardrail(agents),
    )  # fmt: skip
    Crew(agents=agents, tasks=[first, second], verbose=False).kickoff()
    assert "Repeat it" in seen[0]
    assert "red" in seen[0]


class Town(BaseModel):
    name: str


def test_structured_output_is_structured_after_the_vote(agent):
    agents = saying(agent, *(json.dumps({"name": n}) for n in ("Lyon", "Paris", "Paris", "Paris")))
    output = crew_of(agents, consensus_guardrail(agents), output_pydantic=Town).kickoff()
    assert output.pydantic == Town(name="Paris")


def test_another_equivalence(agent):
    agents = saying(agent, "about 7", "1,000", "1000.0", "1e3", "1000")
    guardrail = consensus_guardrail(agents, equivalence=numbers())
    assert guardrail(output_of("about 7"))[1] in ("1,000", "1000.0", "1e3", "1000")
    own = consensus_guardrail(agents, equivalence=lambda answers: [len(a) for a in answers])
    assert own(output_of("1234"))[0] in (True, False)


def test_the_calls_are_billed_to_the_swarms_task(agent, make_swarm):
    def model(answer):
        return FunctionLLM(function=lambda request: answer, cost_per_call=2.0)

    agents = [agent(f"Agent {n}", llm=model(a)) for n, a in enumerate(["Lyon", *["Paris"] * 3])]
    guardrail, verdicts = heard(agents, warm_up=1)
    crew = crew_of(agents, guardrail)
    swarm = make_swarm()
    with swarm.coordinating(crew) as session:
        assert crew.kickoff().raw == "Paris"
    assert len(verdicts[0].ballots) == 4
    assert session.result.cost == 8.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"certainty": 1.5}, "certainty"),
        ({"certainty": True}, "certainty is True; allowed: a number from 0 to 1, or None"),
        ({"max_answers": 0}, "max_answers"),
        ({"undecided": "maybe"}, "undecided is 'maybe'; allowed: 'refuse', 'accept'"),
    ],
)
def test_wrong_options_are_named(agent, options, message):
    with pytest.raises(InputError, match=message):
        consensus_guardrail(saying(agent, "x"), **options)


def test_it_needs_agents_and_a_task(agent):
    with pytest.raises(InputError, match="agents is empty"):
        consensus_guardrail([])
    with pytest.raises(InputError, match="given a str; allowed: the output of a Task"):
        consensus_guardrail(saying(agent, "x"))("text")


def test_crewai_takes_its_annotation(agent):
    guardrail = consensus_guardrail(saying(agent, "x"))
    assert isinstance(guardrail.__call__.__annotations__["return"], type(tuple[bool, Any]))
