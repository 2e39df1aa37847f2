from __future__ import annotations

import asyncio
import contextvars
import threading
import time

import numpy as np
import pytest

from swarmloom.execution import Executor
from swarmloom.types import Assignment, Expert, Reply, Task
from tests.core.rounds import make_round


def execute(experts, chosen, tasks=None, **options):
    executor = Executor(options.pop("concurrency", 8), options.pop("timeout", 5.0))
    round = make_round(tasks or len(chosen), experts)

    async def collect():
        assignment = Assignment(np.array(chosen, np.int64))
        return [ballot async for ballot in executor.execute(round, assignment)]

    return {ballot.task: ballot for ballot in asyncio.run(collect())}


async def slow_answer(task):
    await asyncio.sleep(0.01)
    return f"async {task.id}"


def test_every_kind_of_function_answers():
    experts = [
        Expert("plain", lambda task: "plain", price=2.0),
        Expert("inline", lambda task: "inline", inline=True),
        Expert("async", slow_answer),
        Expert("returns awaitable", lambda task: slow_answer(task)),
    ]
    found = execute(experts, [0, 1, 2, 3])
    answers = [found[f"task{i}"].answer for i in range(4)]
    assert answers == ["plain", "inline", "async task2", "async task3"]
    assert found["task0"].cost == 2.0
    assert found["task1"].latency == 0.0
    assert found["task2"].latency > 0.0


def test_unassigned_tasks_are_left_alone():
    assert set(execute([Expert("a", lambda task: "x")], [-1, 0, -1])) == {"task1"}


def test_a_reply_carries_cost_tokens_and_latency():
    expert = Expert("a", lambda task: Reply("x", cost=0.25, tokens=7, latency=3.0), inline=True)
    ballot = execute([expert], [0])["task0"]
    assert (ballot.cost, ballot.tokens, ballot.latency) == (0.25, 7, 3.0)


def test_whatever_an_expert_raises_becomes_its_error():
    def broken(task):
        raise RuntimeError("no power")

    for inline in (True, False):
        ballot = execute([Expert("a", broken, inline=inline, price=3.0)], [0])["task0"]
        assert ballot.error == "RuntimeError: no power"
        assert ballot.answer is None
        assert ballot.cost == 3.0
        assert not ballot.succeeded


def test_no_answer_is_a_failure():
    for nothing in (None, "", Reply(None)):
        ballot = execute([Expert("a", lambda task, value=nothing: value, inline=True)], [0])
        assert ballot["task0"].error == "no answer"


def test_timeouts_are_failures_and_do_not_hold_up_others():
    async def never(task):
        await asyncio.sleep(60)

    experts = [Expert("never", never, timeout=0.05), Expert("quick", lambda task: "x")]
    found = execute(experts, [0, 1])
    assert "timed out" in found["task0"].error
    assert found["task1"].answer == "x"


def test_an_expert_without_function_fails_by_name():
    assert "'ghost' has no function" in execute([Expert("ghost", inline=True)], [0])["task0"].error


def test_calls_run_at_the_same_time_up_to_the_limit():
    lock, running, most = threading.Lock(), 0, 0

    def busy(task):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.03)
        with lock:
            running -= 1
        return "x"

    execute([Expert("a", busy)], [0] * 12, concurrency=4)
    assert most == 4


def test_threads_see_the_callers_context_variables():
    variable = contextvars.ContextVar("variable", default="unset")

    async def collect():
        variable.set("seen")
        executor = Executor(2, None)
        round = make_round([Task("t")], [Expert("a", lambda task: variable.get())])
        assignment = Assignment(np.array([0]))
        found = [ballot async for ballot in executor.execute(round, assignment)]
        return found[0].answer

    assert asyncio.run(collect()) == "seen"


@pytest.mark.parametrize(
    "garbage",
    [5, b"x", {"a": 1}, Reply(7), Reply("x", cost=float("nan")), Reply("x", cost=-5.0),
     Reply("x", cost="3"), Reply("x", latency=-1.0)],
)  # fmt: skip
@pytest.mark.parametrize("inline", [True, False])
def test_garbage_is_a_failure(garbage, inline):
    ballot = execute([Expert("a", lambda task: garbage, inline=inline, price=2.0)], [0])["task0"]
    assert not ballot.succeeded
    assert "not a" in ballot.error
    assert ballot.cost == 2.0


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), StopAsyncIteration()])
def test_an_expert_that_wants_to_end_the_program_fails(error, inline):
    def leave(task):
        raise error

    assert not execute([Expert("a", leave, inline=inline)], [0])["task0"].succeeded


def test_calls_after_the_deadline_are_not_sent():
    sent = []
    experts = [Expert("a", lambda task: sent.append(task) or "x", inline=inline)
               for inline in (True, False)]  # fmt: skip
    late = [Task("task0", deadline=0.0), Task("task1", deadline=0.0), Task("task2")]
    found = execute([experts[0], Expert("b", experts[1].answer)], [0, 1, 1], tasks=late)
    assert set(found) == {"task2"}
    assert [task.id for task in sent] == ["task2"]


def test_a_deadline_ends_a_call():
    async def slow(task):
        await asyncio.sleep(30)

    found = execute([Expert("a", slow)], [0], tasks=[Task("task0", deadline=0.05)])
    assert "timed out" in found["task0"].error


def test_a_thread_that_hangs_keeps_its_place_and_harms_nobody_else():
    release = threading.Event()

    def hang(task):
        release.wait(5)
        return "late"

    experts = [Expert("hangs", hang, timeout=0.05), Expert("good", lambda task: "x")]
    found = execute(experts, [0, 0, 1, 1], concurrency=3)
    release.set()
    assert [found[f"task{i}"].succeeded for i in range(4)] == [False, False, True, True]
