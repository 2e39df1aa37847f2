"""Agents as experts of the kernel."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from swarmloom import Expert, Task
from swarmloom_agents.executor import OneShotAgent, calls_asynchronously, light_crew, only_thinks
from swarmloom_agents.experts import AgentPool, expert_from_agent, expert_names
from swarmloom_agents.llms import FunctionLLM, LLMRequest, ReplayLLM


def _tool() -> Any:
    from crewai.tools import tool

    @tool("noop")
    def noop() -> str:
        """Do nothing."""
        return ""

    return noop


def test_names_are_roles_and_unique(agent: Any) -> None:
    agents = [agent("Senior\n Writer\n"), agent("Editor"), agent("Senior Writer")]
    assert expert_names(agents) == ["Senior Writer", "Editor", "Senior Writer #2"]


def test_an_agent_that_only_thinks_answers_with_one_call(make_swarm: Any, agent: Any) -> None:
    calls = []

    def think(request: LLMRequest) -> str:
        calls.append(request)
        return "B, because." if "bees" in request.prompt else "The answer is B"

    swarm = make_swarm()
    swarm.adopt([expert_from_agent(agent("Ann", think))])
    result = swarm.run([Task("q", "ants?", options=4), Task("r", "bees?")])
    assert result.answers == {"q": "B", "r": "B, because."}
    assert [call.task_name for call in calls] == ["q", "r"]
    assert calls[0].messages[0]["content"].startswith("You are Ann.")
    assert "One of the 4 options" in calls[0].prompt


def test_payload_gives_expected_output_and_context(agent: Any) -> None:
    prompts = []
    expert = expert_from_agent(agent("Ann", lambda request: prompts.append(request.prompt) or "x"))
    assert expert.answer is not None
    expert.answer(Task("q", "why?", payload={"expected_output": "a poem", "context": "it rains"}))
    assert "a poem" in prompts[0]
    assert "it rains" in prompts[0]


@pytest.mark.parametrize("garbage", ["", "   ", "I would rather not say."])
def test_garbage_goes_to_another_expert(make_swarm: Any, agent: Any, garbage: str) -> None:
    swarm = make_swarm()
    bad, good = agent("Bad", lambda request: garbage), agent("Good", lambda request: "C")
    swarm.adopt([expert_from_agent(bad), expert_from_agent(good)])
    outcome = swarm.run([Task("q", "?", options=4, quorum=1)]).outcomes[0]
    assert outcome.verdict.answer == "C"
    assert {(b.expert, b.succeeded) for b in outcome.ballots} <= {(0, False), (1, True)}


def test_all_garbage_leaves_no_answer(make_swarm: Any, agent: Any) -> None:
    swarm = make_swarm()
    swarm.adopt([expert_from_agent(agent(role, lambda request: "?!")) for role in "AB"])
    assert swarm.run([Task("q", "?", options=4)]).answers == {"q": None}


def test_agents_with_tools_work_on_several_tasks_at_once(make_swarm: Any, agent: Any) -> None:
    together = threading.Barrier(4, timeout=30)

    def think(request: LLMRequest) -> str:
        together.wait()  # Breaks unless four calls are under way at the same time.
        return request.task_name

    worker = agent("Ann", think, tools=[_tool()])
    swarm = make_swarm()
    swarm.adopt([expert_from_agent(worker, capacity=4)])
    result = swarm.run([Task(name, quorum=1) for name in "abcd"])
    assert result.answers == {name: name for name in "abcd"}


def test_the_retry_counter_and_the_executor_start_afresh_with_each_lease(agent: Any) -> None:
    worker = agent("Ann")
    pool = AgentPool(worker)
    worker._times_executed = 2
    with pool.lease() as leased, pool.lease() as other:
        assert leased is worker
        assert other is not worker
        assert leased._times_executed == 0


def test_an_agent_that_failed_gets_a_new_executor(agent: Any) -> None:
    worker = agent("Ann")
    worker.create_agent_executor()
    assert worker.agent_executor is not None
    with pytest.raises(RuntimeError, match="stuck"), AgentPool(worker).lease():
        raise RuntimeError("stuck")
    assert worker.agent_executor is None


def test_a_call_that_takes_too_long_is_given_up(make_swarm: Any, agent: Any) -> None:
    release = threading.Event()

    def slow(request: LLMRequest) -> str:
        release.wait(30)
        return "late"

    swarm = make_swarm()
    swarm.adopt(
        [
            expert_from_agent(agent("Slow", slow), timeout=0.05, price=0.5),
            expert_from_agent(agent("Quick", lambda request: "in time")),
        ]
    )
    outcomes = swarm.run([Task(str(n), quorum=1) for n in range(3)]).outcomes
    release.set()
    assert {outcome.verdict.answer for outcome in outcomes} == {"in time"}
    errors = [b.error for o in outcomes for b in o.ballots if b.expert == 0]
    assert errors
    assert all("timed out" in str(error) for error in errors)


def test_each_ballot_pays_its_own_calls_when_agents_share_a_model(
    make_swarm: Any, agent: Any
) -> None:
    llm = FunctionLLM(function=lambda request: request.role[0] * 40, cost_per_token=1.0)
    swarm = make_swarm(swarm={"quorum": 4})
    swarm.adopt([expert_from_agent(agent(role, llm=llm)) for role in ("Ann", "Bob", "Cy", "Di")])
    result = swarm.run([Task("q", "?", quorum=4), Task("r", "?", quorum=4)])
    ballots = [ballot for outcome in result.outcomes for ballot in outcome.ballots]
    assert len(ballots) == 8
    assert all(ballot.cost == ballot.tokens > 10 for ballot in ballots)
    assert result.cost == llm.get_token_usage_summary().total_tokens


def test_models_of_other_makers_report_through_events(make_swarm: Any, agent: Any) -> None:
    from crewai.events.types.llm_events import LLMCallType

    from swarmloom_agents.seams import BaseLLM, llm_call_context

    class Foreign(BaseLLM):
        def call(self, messages: Any, *args: Any, **options: Any) -> str:
            with llm_call_context():
                self._emit_call_completed_event(
                    response="x",
                    call_type=LLMCallType.LLM_CALL,
                    usage={"prompt_tokens": 30, "completion_tokens": 12},
                )
            return "x"

    swarm = make_swarm()
    worker = agent("Ann", llm=Foreign(model="foreign"))
    swarm.adopt([expert_from_agent(worker, token_price=0.5)])
    [ballot] = swarm.run([Task("q")]).outcomes[0].ballots
    assert (ballot.tokens, ballot.cost) == (42, 21.0)


def test_a_hundred_awaitable_calls_are_in_flight_together(make_swarm: Any, agent: Any) -> None:
    started = 0
    everybody: asyncio.Event | None = None

    async def think(request: LLMRequest) -> str:
        nonlocal started, everybody
        everybody = everybody or asyncio.Event()
        started += 1
        if started == 100:
            everybody.set()
        await asyncio.wait_for(everybody.wait(), 30)
        return request.task_name

    swarm = make_swarm(swarm={"window": 100})
    swarm.adopt([expert_from_agent(agent("Ann", think))])
    result = swarm.run([Task(str(n), quorum=1) for n in range(100)])
    assert result.answers == {str(n): str(n) for n in range(100)}


def test_a_hundred_blocking_calls_are_in_flight_together(make_swarm: Any, agent: Any) -> None:
    together = threading.Barrier(100, timeout=30)

    def think(request: LLMRequest) -> str:
        together.wait()
        return request.task_name

    swarm = make_swarm(swarm={"window": 100})
    swarm.adopt([expert_from_agent(agent("Ann", think))])
    result = swarm.run([Task(str(n), quorum=1) for n in range(100)])
    assert None not in result.answers.values()


def test_which_models_are_awaited(agent: Any) -> None:
    async def later(request: LLMRequest) -> str:
        return ""

    assert calls_asynchronously(FunctionLLM(function=later))
    assert calls_asynchronously(ReplayLLM(answers={}))
    assert not calls_asynchronously(FunctionLLM(function=lambda request: ""))
    assert not calls_asynchronously("gpt")


def test_agents_that_do_more_than_think_keep_crewais_executor(agent: Any) -> None:
    assert only_thinks(agent("Ann"))
    assert not only_thinks(agent("Ann", tools=[_tool()]))
    assert not only_thinks(agent("Ann", allow_delegation=True))
    assert not only_thinks(agent("Ann", planning=True))


def test_recorded_answers_are_taken_inline_and_others_not(agent: Any) -> None:
    assert expert_from_agent(agent("Ann", llm=ReplayLLM(answers={"*": "x"}))).inline
    assert not expert_from_agent(agent("Ann")).inline


def test_a_light_crew_runs_one_shot_agents_without_log_or_context(crew_task: Any) -> None:
    prompts = []
    llm = FunctionLLM(function=lambda request: prompts.append(request.prompt) or "out")
    ann = OneShotAgent(role="Ann", goal="g", backstory="b", llm=llm)
    crew = light_crew([ann], [crew_task("a", ann), crew_task("b", ann)])
    output = crew.kickoff()
    assert [task.raw for task in output.tasks_output] == ["out", "out"]
    assert "out" not in prompts[1]
    assert crew._task_output_handler.load() == []
    assert asyncio.run(crew.akickoff()).raw == "out"


def test_capacity_one_is_never_exceeded(make_swarm: Any, agent: Any) -> None:
    busy = threading.Lock()

    def think(request: LLMRequest) -> str:
        assert busy.acquire(blocking=False)
        time.sleep(0.002)
        busy.release()
        return "x"

    swarm = make_swarm()
    expert = expert_from_agent(agent("Ann", think), capacity=1)
    assert isinstance(expert, Expert)
    swarm.adopt([expert])
    result = swarm.run([Task(str(n), quorum=1) for n in range(10)])
    assert set(result.answers.values()) == {"x"}


def test_no_two_threads_lease_the_same_copy(agent: Any) -> None:
    class Slow(list[Any]):
        """Lets the other threads in between the look for a free agent and the taking of it."""

        def __len__(self) -> int:
            length = super().__len__()
            time.sleep(0.005)
            return length

    pool = AgentPool(agent("Ann", lambda request: "x"))
    pool._free = Slow(pool._free)
    barrier = threading.Barrier(8)

    def lease(number: int) -> int:
        barrier.wait(30)
        with pool.lease() as leased:
            barrier.wait(30)
            return id(leased)

    with ThreadPoolExecutor(8) as threads:
        leased = list(threads.map(lease, range(8)))
    assert len(set(leased)) == 8
