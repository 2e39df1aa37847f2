"""When a guardrail is certain: whose ballots count, for which question, and how long it waits."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading

import pytest

from swarmloom.errors import ExpertError, InputError
from swarmloom_agents import FunctionLLM, consensus_guardrail
from swarmloom_agents.seams import BaseTool, Crew, Task, TaskOutput
from swarmloom_protocols.consensus.answers.crew_trust import CrewTrust


def saying(agent, *answers):
    return [
        agent(f"Agent {place}", lambda request, a=answer: a) for place, answer in enumerate(answers)
    ]


def failing(request):
    raise RuntimeError("no connection")


def crew_of(agents, guardrail, author=0, **options):
    options.setdefault("description", "Capital of France?")
    task = Task(expected_output="A name", agent=agents[author], guardrail=guardrail, **options)
    return Crew(agents=agents, tasks=[task], verbose=False)


def heard(agents, **options):
    verdicts = []
    return consensus_guardrail(agents, on_verdict=verdicts.append, **options), verdicts


def output_of(text, role="Agent 0", description="q"):
    return TaskOutput(description=description, expected_output="it", raw=text, agent=role)


# -- which question -------------------------------------------------------------------------------


def test_a_new_question_is_not_judged_by_what_was_said_to_the_last_one(agent):
    towns = {"France": ["Lyon", "Paris", "Nice", "Brest"], "Spain": ["Madrid"] * 4}

    def knowing(place):
        def answer(request):
            country = request.task.description.split()[-1]
            return towns[country][place]

        return answer

    agents = [agent(f"Agent {place}", knowing(place)) for place in range(4)]
    guardrail, verdicts = heard(agents, certainty=0.6)
    crew = crew_of(agents, guardrail, description="Capital of {c}", guardrail_max_retries=0)
    with pytest.raises(Exception, match="not certain enough"):
        crew.kickoff(inputs={"c": "France"})
    assert crew.kickoff(inputs={"c": "Spain"}).raw == "Madrid"
    assert set(verdicts[-1].posterior) == {"Madrid"}


def test_the_same_question_in_a_new_kickoff_is_asked_anew(agent):
    said = ["Paris", "Lyon"]
    calls = []

    def second(request):
        calls.append(said[-1])
        return said.pop()

    agents = [agent("Agent 0", lambda request: "Paris"), agent("Agent 1", second)]
    guardrail, _ = heard(agents)
    crew = crew_of(agents, guardrail, guardrail_max_retries=1)
    with pytest.raises(Exception, match="not certain enough"):
        crew.kickoff()
    assert crew.kickoff().raw == "Paris"
    assert calls == ["Lyon", "Paris"]


def test_what_was_said_is_forgotten_when_its_task_has_ended(agent):
    agents = saying(agent, "Paris", "Lyon")
    guardrail, _ = heard(agents)

    def refused():
        with pytest.raises(Exception, match="not certain enough"):
            crew_of(agents, guardrail, guardrail_max_retries=0).kickoff()

    for _ in range(3):
        refused()
    thread = threading.Thread(target=refused)
    thread.start()
    thread.join()
    gc.collect()
    assert len(guardrail._open) <= 1


def test_another_context_is_another_question(agent):
    colours = ["red", "blue"]
    prompts = []

    def reader(request):
        prompts.append(request.prompt)
        return "as told"

    agents = [agent("Agent 0", lambda request: "as told"), agent("Agent 1", reader)]
    guardrail, _ = heard(agents)
    for colour in colours:
        sayer = agent("Sayer", lambda request, c=colour: c)
        first = Task(description="Say a colour", expected_output="it", agent=sayer)
        second = Task(
            description="Repeat it", expected_output="it", agent=agents[0], context=[first],
            guardrail=guardrail,
        )  # fmt: skip
        Crew(agents=[sayer, *agents], tasks=[first, second], verbose=False).kickoff()
    assert ["blue" in prompt for prompt in prompts] == [False, True]


# -- whose ballots --------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [failing, lambda request: "   "])
def test_who_fails_is_no_second_opinion(agent, nothing):
    agents = saying(agent, "Lyon", "", "Paris", "Paris")
    agents[1] = agent("Agent 1", nothing)
    guardrail, verdicts = heard(agents, certainty=0.4)
    assert crew_of(agents, guardrail).kickoff().raw == "Paris"
    assert {ballot.answer for ballot in verdicts[0].ballots} >= {"Lyon", "Paris"}
    assert set(verdicts[0].posterior) == {"Lyon", "Paris"}


def clones(agent, *answers):
    return [
        agent(f"Clone {n}", llm=FunctionLLM(model="offline/one", function=lambda request, a=a: a))
        for n, a in enumerate(answers)
    ]


LONELY = {
    "all others fail": lambda agent: [
        *saying(agent, "Paris"),
        *(agent(f"Broken {n}", failing) for n in range(3)),
    ],
    "one agent": lambda agent: saying(agent, "Paris"),
    "all of one model": lambda agent: clones(agent, "Paris", "Paris", "Paris"),
    "one answer at most": lambda agent: saying(agent, "Paris", "Paris", "Paris"),
}


@pytest.mark.parametrize("certainty", [0.0, 0.5, None])
@pytest.mark.parametrize("crew", LONELY)
def test_one_voice_is_never_certain(agent, crew, certainty):
    agents = LONELY[crew](agent)
    most = 1 if crew == "one answer at most" else None
    options = {"certainty": certainty, "max_answers": most}
    for undecided in ("refuse", "accept"):
        guardrail, verdicts = heard(agents, undecided=undecided, **options)
        accepted, said = guardrail(output_of("Paris", agents[0].role))
        assert accepted == (undecided == "accept")
        assert "Paris" in said
        assert not verdicts[0].certain


def test_an_author_of_the_crews_only_model_is_no_second_voice(agent):
    author, *others = clones(agent, "Paris", "Paris", "Paris")
    guardrail, verdicts = heard(others, undecided="accept")
    assert crew_of([author, *others], guardrail).kickoff().raw == "Paris"
    assert not verdicts[0].certain


def test_agents_of_one_model_that_try_a_task_in_turn_do_not_confirm_each_other(agent, make_swarm):
    agents = clones(agent, "Paris", "Paris", "Paris")
    guardrail, verdicts = heard(agents)
    crew = crew_of(agents, guardrail, guardrail_max_retries=0)
    with (
        make_swarm().coordinating(crew),
        pytest.raises(ExpertError, match=r"not certain enough\. Answers of 3 agents"),
    ):
        crew.kickoff()
    assert [verdict.certain for verdict in verdicts] == [False] * 3


def test_a_model_can_catch_up_by_one_voice_only(agent):
    agents = [*saying(agent, "Paris", "Paris"), *clones(agent, "Lyon", "Lyon", "Lyon", "Lyon")]
    guardrail, verdicts = heard(agents, certainty=None)
    assert guardrail(output_of("Paris")) == (True, "Paris")
    assert len(verdicts[0].ballots) == 2


@pytest.mark.parametrize("certainty", [None, 0.0, 0.3])
def test_a_tie_is_never_certain(agent, certainty):
    guardrail, verdicts = heard(saying(agent, "Paris", "Lyon"), certainty=certainty)
    assert not guardrail(output_of("Paris"))[0]
    assert len(verdicts[0].ballots) == 2


def test_the_author_is_found_by_the_agent_not_by_the_role(agent):
    calls = []

    def model(name, answer):
        def function(request):
            calls.append(name)
            return answer

        return function

    agents = [agent("Writer", model(n, a)) for n, a in enumerate(["Lyon", "Paris", "Paris"])]
    guardrail, verdicts = heard(agents, certainty=1.0, undecided="accept")
    assert crew_of(agents, guardrail, author=1).kickoff().raw == "Paris"
    assert verdicts[0].ballots[0].agent == "Writer #2"
    assert sorted(calls) == [0, 1, 2]


def test_in_a_swarm_too_the_author_is_found_by_the_agent(agent, make_swarm):
    agents = [agent("Writer", lambda r, a=a: a) for a in ["Lyon", "Paris", "Paris"]]
    guardrail, verdicts = heard(agents, certainty=1.0, undecided="accept")
    crew = crew_of(agents, guardrail, author=2)
    with make_swarm(crewai={"respect_assigned": "fixed"}).coordinating(crew):
        assert crew.kickoff().raw == "Paris"
    assert verdicts[0].ballots[0].agent == "Writer #3"


class Note(BaseTool):
    name: str = "note"
    description: str = "Notes it down"

    def _run(self) -> str:
        return "noted"


def test_a_copy_that_works_for_a_busy_author_is_the_author(agent, make_swarm):
    """Alike but for their tools' owner, they are told apart by whom the swarm gave the task."""
    begun, both_begun = [], threading.Event()

    def both_at_once(request):
        begun.append(request)
        if len(begun) > 1:
            both_begun.set()
        assert both_begun.wait(20)
        return "Paris"

    functions = [lambda r: "Lyon", lambda r: "Paris", both_at_once]
    agents = [agent("Writer", function, tools=[Note()]) for function in functions]
    guardrail, verdicts = heard(agents, certainty=1.0, undecided="accept")
    tasks = [
        Task(
            description=f"Capital {n}?",
            expected_output="A name",
            agent=agents[author],
            guardrail=guardrail,
            async_execution=author == 2,
        )
        for n, author in enumerate((2, 2, 1))
    ]
    crew = Crew(agents=agents, tasks=tasks, verbose=False)
    with make_swarm(crewai={"respect_assigned": "fixed"}).coordinating(crew):
        crew.kickoff()
    authors = [verdict.ballots[0].agent for verdict in verdicts]
    assert authors == ["Writer #3", "Writer #3", "Writer #2"]


# -- how long -------------------------------------------------------------------------------------


def test_it_asks_on_until_the_certainty_is_reached_or_everybody_was_heard(agent):
    agents = saying(agent, *["Paris"] * 9)
    guardrail, verdicts = heard(agents, certainty=1.0, max_answers=7)
    guardrail(output_of("Paris"))
    # Five of nine cannot be outvoted any more; what seven come to is reached later.
    wanted = verdicts[0].confidence - 1e-6
    seen = []
    for certainty in (wanted, 1.0):
        guardrail, verdicts = heard(agents, certainty=certainty)
        guardrail(output_of("Paris"))
        seen.append((len(verdicts[0].ballots), verdicts[0].certain))
    assert seen == [(7, True), (9, False)]


@pytest.fixture
def hanging():
    """A model that answers when the test is over."""
    over = threading.Event()

    def answer(request):
        over.wait(60)
        return "late"

    yield answer
    over.set()


@pytest.mark.parametrize("way", ["kickoff", "akickoff"])
@pytest.mark.parametrize("limit", ["timeout", "max_execution_time"])
def test_who_does_not_answer_in_time_has_failed(agent, hanging, way, limit):
    agents = saying(agent, "Lyon", "", "Paris", "Paris", "Paris")
    own = {"max_execution_time": 1} if limit == "max_execution_time" else {}
    agents[1] = agent("Agent 1", hanging, **own)
    guardrail, verdicts = heard(
        agents, certainty=1.0, undecided="accept", timeout=None if own else 0.2
    )
    crew = crew_of(agents, guardrail)
    output = asyncio.run(crew.akickoff()) if way == "akickoff" else crew.kickoff()
    assert output.raw == "Paris"
    errors = {ballot.agent: ballot.error for ballot in verdicts[0].ballots}
    assert errors["Agent 1"] == f"no answer within {1 if own else 0.2} s"
    assert [errors[f"Agent {n}"] for n in (0, 2, 3, 4)] == [None] * 4


def test_a_late_answer_of_a_probe_is_a_wrong_one(agent, hanging):
    agents = [agent("Agent 0", lambda request: "4"), agent("Agent 1", hanging)]
    guardrail = consensus_guardrail(agents, timeout=0.05)
    guardrail.probe({f"{n} + {4 - n}": "4" for n in range(5)})
    assert guardrail.trust.weights[0] > guardrail.trust.weights[1]


def test_timeouts_are_positive(agent):
    with pytest.raises(InputError, match="timeout is 0"):
        consensus_guardrail(saying(agent, "x"), timeout=0)


# -- which answers are the same -------------------------------------------------------------------


@pytest.mark.parametrize("given", [[0], [0.0, 1.0], ["a", "b"]])
def test_a_broken_equivalence_is_no_agreement(agent, given):
    agents = saying(agent, "Lyon", "Paris")
    guardrail = consensus_guardrail(agents, equivalence=lambda answers: given[: len(answers)])
    with pytest.raises(InputError, match=r"the equivalence gives .*allowed: . whole numbers"):
        crew_of(agents, guardrail).kickoff()


@pytest.mark.parametrize(
    ("name", "classes"), [("exact", 4), ("normalised", 3), ("numbers", 2)]
)  # fmt: skip
def test_equivalences_by_name(agent, name, classes):
    agents = saying(agent, "7", "7.", "7.00", "Paris")
    guardrail, verdicts = heard(agents, equivalence=name, certainty=1.0)
    guardrail(output_of("7"))
    assert len(verdicts[0].posterior) == classes


def test_an_equivalence_that_does_not_exist_is_refused(agent):
    with pytest.raises(InputError, match="equivalence is 'fuzzy'; allowed: exact, normalised"):
        consensus_guardrail(saying(agent, "x"), equivalence="fuzzy")


def test_an_equivalence_that_takes_no_answer_for_one_says_so(agent):
    agents = saying(agent, "Lyon", "Paris")
    guardrail, verdicts = heard(agents, equivalence=lambda answers: [-1] * len(answers))
    accepted, message = guardrail(output_of("Lyon"))
    assert not accepted
    assert message == "The equivalence takes none of the 2 answers for one: 'Lyon'; 'Paris'."
    assert not verdicts[0].certain


# -- what is learned ------------------------------------------------------------------------------


def test_a_task_that_is_done_again_is_learned_once(agent):
    agents = saying(agent, "Nice", "Lyon", "Paris")
    guardrail, verdicts = heard(agents, certainty=1.0)
    with pytest.raises(Exception, match="not certain enough"):
        crew_of(agents, guardrail, guardrail_max_retries=3).kickoff()
    assert len(verdicts) == 4
    assert guardrail.trust.state()["items"] == 1


@pytest.mark.parametrize(
    "questions",
    [{}, ["q"], {"": "3"}, {" ": "3"}, {"q": ""}, {"q": None}, {"q": 3}, {"q": " "}, {"q": "."}],
)
def test_probes_are_questions_with_answers(agent, questions):
    guardrail = consensus_guardrail(saying(agent, "3", "3"))
    with pytest.raises(InputError, match="allowed"):
        guardrail.probe(questions)
    assert guardrail.trust.rule == "majority"


@pytest.mark.parametrize(("key", "warned"), [("2", True), ("1", False)])
def test_keys_that_most_agents_contradict_alike_are_warned_of(agent, caplog, key, warned):
    guardrail = consensus_guardrail(saying(agent, "1", "1", "1", "2"))
    with caplog.at_level(logging.WARNING, "swarmloom.consensus"):
        for start in (0, 10):
            guardrail.probe({f"question {n}": key for n in range(start, start + 10)})
    text = "most agents agree on another answer than the key of all 10 known answers"
    assert any(text in warning for warning in guardrail.warnings()) == warned
    assert caplog.text.count(text) == (1 if warned else 0)


def test_clones_alone_do_not_raise_doubts_of_keys(agent):
    agents = [*clones(agent, "1", "1", "1"), *saying(agent, "2", "2")]
    guardrail = consensus_guardrail(agents)
    guardrail.probe({f"question {n}": "2" for n in range(10)})
    assert not any("most agents" in warning for warning in guardrail.warnings())


def test_warnings_are_logged_once(agent, caplog):
    agents = saying(agent, "x", "y", "z")
    guardrail = consensus_guardrail(agents, certainty=1.0)
    with caplog.at_level(logging.WARNING, "swarmloom.consensus"):
        for number in range(64):
            guardrail(output_of("x", description=str(number)))
    told = [record.getMessage() for record in caplog.records]
    assert told
    assert len(told) == len(set(told))
    shown = [message.split(": ", 1)[1] for message in told]
    assert set(guardrail.warnings()) <= set(shown)


def test_who_fails_is_learned_as_no_answer(agent):
    agents = [*saying(agent, "x", "y"), *(agent(f"Broken {n}", failing) for n in range(2))]
    guardrail = consensus_guardrail(agents, warm_up=3)
    known = CrewTrust(5, groups=range(5))
    for number in range(3):
        guardrail(output_of("x", description=str(number)))
        known.record([0, 1, 2, 3], [0, 1, -1, -1])
    assert guardrail.trust.state()["sums"] == known.state()["sums"]
    assert guardrail.trust.state()["errors"] == known.state()["errors"]
