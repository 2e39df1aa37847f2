"""An unmodified crew, coordinated."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from swarmloom import Ledger
from swarmloom.errors import BudgetExceededError, ExpertError, PluginError
from swarmloom_agents.coordination import coordinate, topic_of
from swarmloom_agents.llms import FunctionLLM, LLMRequest
from swarmloom_agents.seams import Crew, HookAborted, InterceptionPoint, Process, TaskOutput


class Point(BaseModel):
    x: int


def _fail(request: LLMRequest) -> str:
    raise RuntimeError("out of order")


def _agents_and_answers(output: Any) -> list[tuple[str, str]]:
    return [(task.agent.strip(), task.raw) for task in output.tasks_output]


@pytest.fixture
def pair(agent: Any, crew_task: Any) -> Crew:
    """Two agents, two tasks, as their author assigned them."""
    ann, bob = agent("Ann"), agent("Bob\n")
    return Crew(agents=[ann, bob], tasks=[crew_task("one", bob), crew_task("two", ann)])


def test_a_sequential_crew_does_what_its_author_wrote(make_swarm: Any, pair: Crew) -> None:
    with make_swarm().coordinating(pair) as session:
        output = pair.kickoff()
    assert _agents_and_answers(output) == [("Bob", "Bob did one"), ("Ann", "Ann did two")]
    assert session.result.calls == 2
    assert set(session.result.answers.values()) == {"Bob did one", "Ann did two"}


def test_the_crew_is_left_as_it_was_found(make_swarm: Any, pair: Crew) -> None:
    def state(crew: Crew) -> Any:
        instances = [crew, *crew.agents, *crew.tasks]
        settings = [(a.max_retry_limit, a.agent_executor) for a in crew.agents]
        assigned = [task.agent for task in crew.tasks]
        return [set(vars(one)) for one in instances], settings, assigned, crew.process

    before = state(pair)
    pair.process = before[3]
    with make_swarm().coordinating(pair):
        pair.kickoff()
    assert state(pair) == before


def test_what_is_no_crew_is_refused(make_swarm: Any) -> None:
    with pytest.raises(PluginError, match=r"builtins\.object"):
        make_swarm().coordinating(object())


@pytest.mark.parametrize("how", ["kickoff", "kickoff_async", "akickoff"])
def test_a_failing_agent_is_replaced(how: str, make_swarm: Any, agent: Any, crew_task: Any) -> None:
    broken, sound = agent("Broken", _fail), agent("Sound")
    crew = Crew(agents=[broken, sound], tasks=[crew_task("one", broken), crew_task("two", sound)])
    with make_swarm().coordinating(crew) as session:
        output = crew.kickoff() if how == "kickoff" else asyncio.run(getattr(crew, how)())
        assert crew.tasks[0].agent is sound
    assert _agents_and_answers(output) == [("Sound", "Sound did one"), ("Sound", "Sound did two")]
    assert crew.tasks[0].agent is broken
    failed = session.result.outcomes[0].ballots[0]
    assert "out of order" in failed.error


def test_an_agent_that_failed_on_a_topic_loses_its_prior(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    broken, sound = agent("Broken", _fail), agent("Sound")
    tasks = [crew_task("same", broken, description=f"item {n}") for n in range(6)]
    crew = Crew(agents=[broken, sound], tasks=tasks)
    swarm = make_swarm()
    with swarm.coordinating(crew) as session:
        crew.kickoff()
    protocol = swarm.host.protocols["crewai"]
    assert protocol.log_odds("same", "Broken") < protocol.log_odds("other", "Broken") - 4
    assert {b.expert for o in session.result.outcomes for b in o.ballots if b.succeeded} == {1}


def test_a_timeout_is_a_failure_and_the_late_answer_changes_nothing(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    release, left = threading.Event(), threading.Event()
    outputs: list[TaskOutput] = []

    def slow(request: LLMRequest) -> str:
        release.wait(30)
        left.set()
        return "late"

    late, quick = agent("Late", slow), agent("Quick")
    task = crew_task("one", late, callback=outputs.append)
    crew = Crew(agents=[late, quick], tasks=[task])
    with make_swarm(swarm={"timeout": 0.2}).coordinating(crew):
        output = crew.kickoff()
        release.set()
        assert left.wait(30)
    assert output.raw == "Quick did one"
    assert task.output.raw == "Quick did one"
    assert [one.raw for one in outputs] == ["Quick did one"]


def test_when_every_agent_fails_the_error_names_them_all(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    crew = Crew(agents=[agent("Ann", _fail), agent("Bob", _fail)], tasks=[])
    crew.tasks = [crew_task("one", crew.agents[0])]
    with (
        pytest.raises(ExpertError, match=r"Ann: RuntimeError: out of order; Bob: Runtime"),
        make_swarm().coordinating(crew),
    ):
        crew.kickoff()


def test_a_spent_budget_stops_the_crew(make_swarm: Any, pair: Crew) -> None:
    with (
        pytest.raises(BudgetExceededError, match="'two' was not done: budget"),
        make_swarm(budget={"calls": 1}).coordinating(pair),
    ):
        pair.kickoff()


def test_a_single_agent_keeps_crewais_retries(make_swarm: Any, agent: Any, crew_task: Any) -> None:
    calls = []

    def flaky(request: LLMRequest) -> str:
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("again")
        return "third time"

    crew = Crew(agents=[agent("Ann", flaky)], tasks=[])
    crew.tasks = [crew_task("one", crew.agents[0])]
    with make_swarm().coordinating(crew):
        assert crew.kickoff().raw == "third time"


# -- hierarchical --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["kickoff", "akickoff"])
def test_a_hierarchical_crew_of_a_hundred_makes_no_manager_call(
    how: str, make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    manager = FunctionLLM(function=_fail)
    crew = Crew(
        agents=[agent(f"Worker {n}") for n in range(100)],
        tasks=[crew_task(f"task {n}") for n in range(10)],
        process=Process.hierarchical,
        manager_llm=manager,
    )
    with make_swarm().coordinating(crew):
        output = crew.kickoff() if how == "kickoff" else asyncio.run(crew.akickoff())
        assert crew.process == Process.hierarchical
    assert manager.get_token_usage_summary().successful_requests == 0
    assert crew.manager_agent is None
    for number, (role, answer) in enumerate(_agents_and_answers(output)):
        assert answer == f"{role} did task {number}"


def test_a_manager_agent_of_the_crew_is_no_worker(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    manager = agent("Boss", _fail)
    crew = Crew(
        agents=[agent("Ann")],
        tasks=[crew_task("one")],
        process=Process.hierarchical,
        manager_agent=manager,
    )
    swarm = make_swarm()
    with swarm.coordinating(crew):
        assert crew.kickoff().raw == "Ann did one"
        assert [expert.name for expert in swarm.experts] == ["Ann"]


# -- what stays CrewAI's -----------------------------------------------------------------------


def test_garbage_by_the_guardrails_measure_is_rerouted(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    def polite(output):  # CrewAI does not understand annotations that are strings.
        return ("please" in output.raw, output.raw if "please" in output.raw else "say please")

    rude, kind = agent("Rude", lambda request: "no"), agent("Kind", lambda request: "yes, please")
    task = crew_task("one", rude, guardrail=polite, guardrail_max_retries=1)
    with make_swarm().coordinating(Crew(agents=[rude, kind], tasks=[task])) as session:
        output = session._crew.kickoff()
    assert _agents_and_answers(output) == [("Kind", "yes, please")]
    assert "guardrail" in session.result.outcomes[0].ballots[0].error


def test_structured_output_works_and_a_wrong_form_is_rerouted(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    loose, strict = agent("Loose", lambda request: "three"), agent("Strict", lambda _: '{"x": 3}')
    task = crew_task("one", loose, output_pydantic=Point)
    crew = Crew(agents=[loose, strict], tasks=[task])
    with make_swarm().coordinating(crew):
        output = crew.kickoff()
    assert output.pydantic == Point(x=3)
    assert output.tasks_output[0].agent == "Strict"


def test_callbacks_are_called_once_and_the_file_is_written(
    make_swarm: Any, agent: Any, crew_task: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    heard: list[tuple[str, str]] = []
    broken, sound = agent("Broken", _fail), agent("Sound")
    own = crew_task("own", broken, callback=lambda out: heard.append(("task", out.raw)))
    other = crew_task("other", sound, output_file="out.txt")
    crew = Crew(
        agents=[broken, sound],
        tasks=[own, other],
        task_callback=lambda out: heard.append(("crew", out.raw)),
    )
    callback = crew.task_callback
    with make_swarm().coordinating(crew):
        crew.kickoff()
    assert heard == [
        ("task", "Sound did own"),
        ("crew", "Sound did own"),
        ("crew", "Sound did other"),
    ]
    assert (tmp_path / "out.txt").read_text() == "Sound did other"
    assert crew.task_callback == callback


def test_context_reaches_the_next_task(make_swarm: Any, agent: Any, crew_task: Any) -> None:
    prompts: dict[str, str] = {}

    def think(request: LLMRequest) -> str:
        prompts[request.task_name] = request.prompt
        return f"<{request.task_name}>"

    ann = agent("Ann", think)
    one, two = crew_task("one", ann), crew_task("two", ann)
    crew = Crew(agents=[ann], tasks=[one, two, crew_task("three", ann, context=[one])])
    with make_swarm().coordinating(crew):
        crew.kickoff()
    assert "<one>" in prompts["two"]
    assert "<one>" in prompts["three"]
    assert "<two>" not in prompts["three"]


@pytest.mark.parametrize("how", ["kickoff", "akickoff"])
def test_asynchronous_tasks_of_one_agent_run_together(
    how: str, make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    together = threading.Barrier(4, timeout=30)

    def think(request: LLMRequest) -> str:
        if request.task_name != "end":
            together.wait()
        return request.task_name

    ann = agent("Ann", think)
    tasks = [crew_task(name, ann, async_execution=True) for name in "abcd"]
    crew = Crew(agents=[ann], tasks=[*tasks, crew_task("end", ann)])
    with make_swarm().coordinating(crew):
        output = crew.kickoff() if how == "kickoff" else asyncio.run(crew.akickoff())
    assert [task.raw for task in output.tasks_output] == ["a", "b", "c", "d", "end"]


def test_tools_go_with_the_agent_that_takes_over(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    from crewai.tools import tool

    @tool("mine")
    def mine() -> str:
        """Tool of the first agent."""
        return "mine"

    @tool("yours")
    def yours() -> str:
        """Tool of the second agent."""
        return "from yours"

    def second(request: LLMRequest) -> str:
        if any("from yours" in str(m.get("content")) for m in request.messages):
            return "used yours"
        return "Thought: x\nAction: yours\nAction Input: {}"

    broken, sound = agent("Broken", _fail, tools=[mine]), agent("Sound", second, tools=[yours])
    crew = Crew(agents=[broken, sound], tasks=[crew_task("one", broken)])
    with make_swarm().coordinating(crew):
        assert crew.kickoff().raw == "used yours"


def test_a_hook_that_aborts_stops_the_run_and_asks_nobody_else(make_swarm: Any, pair: Crew) -> None:
    from crewai.hooks.dispatch import scoped_hooks

    seen = []

    def deny(context: Any) -> None:
        seen.append(context.agent_role)
        raise HookAborted("not today", source="test")

    with (
        pytest.raises(HookAborted, match="not today"),
        scoped_hooks({InterceptionPoint.PRE_STEP: [deny]}),
        make_swarm().coordinating(pair),
    ):
        pair.kickoff()
    assert len(seen) == 1


def test_other_crews_are_untouched(make_swarm: Any, pair: Crew, agent: Any, crew_task: Any) -> None:
    other = Crew(agents=[agent("Solo")], tasks=[])
    other.tasks = [crew_task("alone", other.agents[0])]
    with make_swarm().coordinating(pair) as session:
        assert other.kickoff().raw == "Solo did alone"
        assert session.run.spent[0] == 0


def test_streaming_and_conditional_tasks_work(make_swarm: Any, agent: Any, crew_task: Any) -> None:
    from crewai.tasks.conditional_task import ConditionalTask

    ann = agent("Ann")

    def conditional(name: str, wanted: bool) -> ConditionalTask:
        return ConditionalTask(
            name=name,
            description=name,
            expected_output="it",
            agent=ann,
            condition=lambda output: wanted,
        )

    tasks = [crew_task("one", ann), conditional("skipped", False), conditional("done", True)]
    crew = Crew(agents=[ann], tasks=tasks, stream=True)
    with make_swarm().coordinating(crew) as session:
        stream = crew.kickoff()
        list(stream)
        output = stream.result
    assert [task.raw for task in output.tasks_output] == ["Ann did one", "", "Ann did done"]
    assert session.result.calls == 2


def test_the_crews_agents_can_be_asked_beside_their_tasks(make_swarm: Any, pair: Crew) -> None:
    swarm = make_swarm()
    with swarm.coordinating(pair):
        pair.kickoff()
        outcome = swarm.ask("What now?")
    assert outcome.verdict.answer in {ballot.answer for ballot in outcome.ballots}
    assert len(outcome.ballots) == 2


def test_tasks_appended_while_the_crew_runs_are_coordinated(
    make_swarm: Any, pair: Crew, crew_task: Any
) -> None:
    ann = pair.agents[0]

    def more(output: TaskOutput) -> None:
        pair.tasks.append(crew_task("three", ann))

    pair.tasks[1].callback = more
    with make_swarm().coordinating(pair) as session:
        output = pair.kickoff()
    assert output.raw == "Ann did three"
    assert session.result.calls == 3
    assert "_execute_core" not in vars(pair.tasks[2])


def test_an_asynchronous_callback_is_awaited_in_both_worlds(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    heard: list[str] = []

    async def hear(output: TaskOutput) -> None:
        await asyncio.sleep(0)
        heard.append(output.raw)

    ann = agent("Ann")
    crew = Crew(agents=[ann], tasks=[crew_task("one", ann, callback=hear)])
    with make_swarm().coordinating(crew):
        crew.kickoff()
        asyncio.run(crew.akickoff())
    assert heard == ["Ann did one", "Ann did one"]


def test_a_crew_kicked_off_in_another_thread_is_coordinated(make_swarm: Any, pair: Crew) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with make_swarm().coordinating(pair) as session, ThreadPoolExecutor(1) as pool:
        pool.submit(pair.kickoff).result(60)
    assert session.result.calls == 2


# -- several kickoffs, resume, settings ------------------------------------------------------------


def test_kickoff_for_each_coordinates_the_copies(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    broken, sound = agent("Broken", _fail), agent("Sound", lambda request: request.prompt)
    task = crew_task("one", broken, description="Do {thing}")
    crew = Crew(agents=[broken, sound], tasks=[task])
    things = [{"thing": "ants"}, {"thing": "bees"}]
    with make_swarm().coordinating(crew) as session:
        outputs = crew.kickoff_for_each(things)
        later = asyncio.run(crew.akickoff_for_each(things))
    for found in (outputs, later):
        assert ["ants" in found[0].raw, "bees" in found[1].raw] == [True, True]
    assert session.result.calls >= 4
    assert {topic_of(task)} == {o.task.topic for o in session.result.outcomes}


def test_copies_that_are_done_are_not_kept(make_swarm: Any, agent: Any, crew_task: Any) -> None:
    crew = Crew(agents=[agent("Ann"), agent("Bob")], tasks=[])
    crew.tasks = [crew_task("one", crew.agents[0], description="Do {thing}")]
    copies: list[weakref.ref[Crew]] = []

    def follow(clone: Crew) -> Crew:
        copies.append(weakref.ref(clone))
        return type(session).follow(session, clone)

    with make_swarm().coordinating(crew) as session:
        session.follow = follow
        crew.kickoff_for_each([{"thing": str(number)} for number in range(5)])
        gc.collect()
        # CrewAI itself holds on to one, in the state of its event bus.
        assert sum(copy() is not None for copy in copies) <= 1
    assert session.result.calls == 5


def test_a_copy_is_coordinated_at_each_of_its_kickoffs(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    broken, sound = agent("Broken", _fail), agent("Sound")
    crew = Crew(agents=[broken, sound], tasks=[crew_task("one", broken)])
    with make_swarm().coordinating(crew) as session:
        copy = crew.copy()
        before = set(vars(copy))
        assert [copy.kickoff().raw, copy.kickoff().raw] == ["Sound did one"] * 2
        assert set(vars(copy)) <= before - {"copy", "_get_agent_to_use"}
    assert len(session.result.outcomes) == 2


def test_a_second_kickoff_works_anew(make_swarm: Any, agent: Any, crew_task: Any) -> None:
    count = iter(range(10))
    crew = Crew(agents=[agent("Ann", lambda request: f"run {next(count)}")], tasks=[])
    crew.tasks = [crew_task("one", crew.agents[0])]
    with make_swarm().coordinating(crew):
        assert [crew.kickoff().raw, crew.kickoff().raw] == ["run 0", "run 1"]


def test_a_resumed_run_repeats_no_finished_task(
    make_swarm: Any, agent: Any, crew_task: Any, tmp_path: Path
) -> None:
    ledger, calls, broken = tmp_path / "ledger.sqlite", [], [True]

    def think(request: LLMRequest) -> str:
        if request.task_name == "two" and broken[0]:
            raise KeyError("crash")
        calls.append(request.task_name)
        return '{"x": 1}' if request.task_name == "one" else "done"

    def crew() -> Crew:
        ann = agent("Ann", think)
        tasks = [crew_task("one", ann, output_pydantic=Point), crew_task("two", ann)]
        return Crew(agents=[ann], tasks=tasks)

    first = make_swarm(Ledger(ledger))
    with pytest.raises(ExpertError), coordinate(first, crew()) as session:
        session._crew.kickoff()
    run = session.result.run_id
    first.close()
    broken[0] = False
    second = make_swarm(Ledger(ledger), swarm={"retries": 3})
    resumed = crew()
    with coordinate(second, resumed, resume=run):
        output = resumed.kickoff()
    assert calls == ["one", "two"]
    assert output.tasks_output[0].pydantic == Point(x=1)
    assert _agents_and_answers(output)[1] == ("Ann", "done")


@pytest.mark.parametrize(
    ("respect", "agents"), [("prior", {"Sound"}), ("ignore", {"Sound"}), ("fixed", None)]
)
def test_what_an_assignment_counts_is_configured(
    respect: str, agents: Any, make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    broken, sound = agent("Broken", _fail), agent("Sound")
    crew = Crew(agents=[broken, sound], tasks=[crew_task("one", broken)])
    swarm = make_swarm(crewai={"respect_assigned": respect})
    if agents is None:
        with pytest.raises(ExpertError, match="Broken"), swarm.coordinating(crew):
            crew.kickoff()
    else:
        with swarm.coordinating(crew):
            assert {task.agent for task in crew.kickoff().tasks_output} == agents


@pytest.mark.parametrize("executor", ["stock", "fast"])
def test_the_fast_executor_gives_the_same_output(
    executor: str, make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    ann = agent("Ann", lambda request: f"{request.task_name}: {len(request.messages)}")
    crew = Crew(agents=[ann], tasks=[crew_task("one", ann), crew_task("two", ann)])
    swarm = make_swarm(crewai={"executor": executor, "task_log": False})
    handler = crew._task_output_handler
    with swarm.coordinating(crew):
        output = crew.kickoff()
    assert [task.raw for task in output.tasks_output] == ["one: 2", "two: 2"]
    assert crew._task_output_handler is handler


def test_tokens_and_costs_are_each_tasks_own_when_agents_share_a_model(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    llm = FunctionLLM(function=lambda request: "x" * 40, cost_per_token=2.0)
    agents = [agent(role, llm=llm) for role in ("Ann", "Bob", "Cy", "Di")]
    tasks = [crew_task(one.role, one, context=[]) for one in agents]
    crew = Crew(agents=agents, tasks=tasks)
    with make_swarm().coordinating(crew) as session:
        output = crew.kickoff()
    true_total = llm.get_token_usage_summary().total_tokens
    assert session.result.cost == 2.0 * true_total
    assert sum(b.tokens for o in session.result.outcomes for b in o.ballots) == true_total
    assert output.token_usage.total_tokens >= true_total


def test_agents_that_are_no_language_models_are_coordinated_too(
    make_swarm: Any, agent: Any, crew_task: Any
) -> None:
    from swarmloom_agents.seams import BaseAgent

    class Algorithm(BaseAgent):
        fn: Any = None
        step_callback: Any = None
        function_calling_llm: Any = None

        def execute_task(self, task: Any, context: Any = None, tools: Any = None) -> str:
            return str(self.fn(task))

        async def aexecute_task(self, task: Any, context: Any = None, tools: Any = None) -> str:
            return str(self.fn(task))

        def create_agent_executor(self, tools: Any = None) -> None: ...

        def get_delegation_tools(self, agents: Any) -> list[Any]:
            return []

        def get_platform_tools(self, apps: Any) -> list[Any]:
            return []

        def get_mcp_tools(self, mcps: Any) -> list[Any]:
            return []

        @property
        def last_messages(self) -> list[Any]:
            return []

    def broken(task: Any) -> str:
        raise ZeroDivisionError("no")

    first = Algorithm(role="First", goal="g", backstory="b", fn=broken)
    second = Algorithm(role="Second", goal="g", backstory="b", fn=lambda task: task.name)
    crew = Crew(agents=[first, second], tasks=[crew_task("one", first), crew_task("two", second)])
    with make_swarm().coordinating(crew):
        output = crew.kickoff()
    assert _agents_and_answers(output) == [("Second", "one"), ("Second", "two")]
