"""Limits that hold, garbage that does no harm, and solving from many places at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from contextlib import suppress

import numpy as np
import pytest
from scipy import sparse

from swarmloom import Assignment, Ballot, Expert, Proposal, Reply, Task, Verdict, hookimpl
from swarmloom.errors import InputError
from swarmloom.events import EventKind
from swarmloom.ledger import Ledger
from tests.core.swarms import answering, inline, make_swarm, tasks
from tests.core.test_run import Preferring, record_of

ONE = {"quorum": 1}


async def soon(task):
    await asyncio.sleep(0.01)
    return "x"


def together(run, count, **options):
    """Solve that many tasks in as many threads at once."""
    threads = [
        threading.Thread(target=run.solve_now, args=([Task(f"thread{i}", **options)],))
        for i in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(("limit", "price"), [({"calls": 3}, 0.5), ({"cost": 3.0}, 1.0)])
def test_concurrent_solves_share_one_hard_budget(limit, price):
    swarm = make_swarm([Expert("a", soon, price=price)], budget=limit, swarm=ONE)
    with swarm.open_run() as run:
        together(run, 20)
    assert run.close().calls == 3


def test_audits_stop_where_the_budget_does():
    class Greedy:
        @hookimpl
        def swarmloom_audit(self, outcomes):
            return [list(range(1, 10)) for _ in outcomes]

    experts = [inline(f"e{i}", answering("x"), price=1.0) for i in range(10)]
    for limit in ({"calls": 3}, {"cost": 3.0}):
        swarm = make_swarm(experts, plugins=[("greedy", Greedy())], swarm=ONE, budget=limit)
        result = swarm.run(tasks(1), feedback=lambda task, answer: "x")
        assert result.calls == 3


def test_an_expert_that_costs_more_than_it_says_is_found_out_at_its_first_call():
    experts = [Expert("liar", lambda task: Reply("x", cost=10.0), price=1.0)]
    result = make_swarm(experts, swarm=ONE, budget={"cost": 50.0}).run(tasks(60))
    assert result.cost <= 50.0
    experts = [inline("free?", lambda task: Reply("x", cost=5.0), price=0.0)]
    assert make_swarm(experts, swarm=ONE, budget={"cost": 5.0}).run(tasks(60)).cost == 5.0


def test_calls_that_were_never_sent_are_not_billed():
    async def slow(task):
        await asyncio.sleep(0.2)
        return "x"

    swarm = make_swarm(
        [Expert("a", slow, price=1.0)],
        swarm={"quorum": 1, "concurrency": 2},
        budget={"seconds": 0.3},
    )
    result = swarm.run(tasks(40))
    assert result.calls == result.cost <= 6
    assert len(result.outcomes) == 40


def test_a_task_ends_at_its_deadline():
    async def slow(task):
        await asyncio.sleep(30)

    swarm = make_swarm([Expert("slow", slow), Expert("other", slow)], swarm=ONE)
    heard = []
    result = swarm.run([Task("t", deadline=0.1), Task("late", deadline=0.0)], on_event=heard.append)
    reasons = {e.task: e.data["stop_reason"] for e in heard if e.kind == EventKind.OUTCOME}
    assert reasons == {"t": "deadline", "late": "deadline"}
    assert result.calls == 1


def test_concurrency_is_that_of_the_swarm():
    running, most = 0, 0

    async def busy(task):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return "x"

    swarm = make_swarm([Expert("a", busy)], swarm={"quorum": 1, "concurrency": 2})
    with swarm.open_run() as run:
        together(run, 12)
    assert most == 2


def test_waiting_for_a_place_is_no_round():
    async def slow(task):
        await asyncio.sleep(0.05)
        return "x"

    swarm = make_swarm([Expert("a", slow, capacity=1)], swarm=ONE)
    heard = []
    with swarm.open_run(on_event=heard.append) as run:
        together(run, 4)
    assert max(e.data["round"] for e in heard if e.kind == EventKind.DECISION) < 12


def test_solving_in_loops_and_threads_at_once():
    swarm = make_swarm([Expert("a", soon, capacity=3), Expert("b", soon, capacity=3)])
    failures = []
    with swarm.open_run() as run:

        def in_thread(index):
            run.solve_now([Task(f"thread{index}-{n}") for n in range(5)])

        def in_loop(index):
            asyncio.run(run.solve([Task(f"loop{index}-{n}") for n in range(5)]))

        def guarded(work, index):
            try:
                work(index)
            except Exception as error:
                failures.append(error)

        threads = [
            threading.Thread(target=guarded, args=(work, index))
            for index in range(4)
            for work in (in_thread, in_loop)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(run.finished) == 40
    assert not run.in_flight.any()


def test_closing_ends_what_is_being_solved():
    async def slow(task):
        await asyncio.sleep(30)

    run = make_swarm([Expert("a", slow)], swarm=ONE).open_run()
    ended = threading.Event()

    def solve():
        with suppress(CancelledError):
            run.solve_now(tasks(1))
        ended.set()

    thread = threading.Thread(target=solve)
    thread.start()
    while not run.in_flight.any():
        time.sleep(0.001)
    run.close("interrupted")
    assert ended.wait(5)
    with pytest.raises(InputError, match="closed"):
        run.solve_now([Task("more")])


def test_ids_are_new_to_a_run():
    with make_swarm([inline("a", answering("x"))]).open_run() as run:
        run.solve_now([Task("t")])
        with pytest.raises(InputError, match="'t'"):
            run.solve_now([Task("t", "another question")])


def test_a_program_that_closes_nothing_ends():
    code = (
        "from swarmloom import Expert, Swarm, Task\n"
        "from swarmloom.config import Settings\n"
        "swarm = Swarm([Expert('a', lambda task: 'x')], Settings(plugins={'enable': []}))\n"
        "print(swarm.run([Task('t')]).answers)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "{'t': 'x'}\n"


class Garbage:
    """A plugin whose hooks can be given anything to return."""

    def __init__(self, **returned):
        self.returned = returned

    @hookimpl
    def swarmloom_navigate(self, round):
        return self.returned.get("navigate", lambda round: None)(round)

    @hookimpl
    def swarmloom_decide(self, round, mixture):
        return self.returned.get("decide", lambda round: None)(round)

    @hookimpl
    def swarmloom_execute(self, round, assignment):
        return self.returned.get("execute", lambda *_: None)(round, assignment)

    @hookimpl
    def swarmloom_judge(self, round):
        return self.returned.get("judge", lambda round: None)(round)

    @hookimpl
    def swarmloom_audit(self, outcomes):
        return self.returned.get("audit", lambda outcomes: None)(outcomes)


def coupled(coupling):
    return lambda round: Proposal(np.zeros(round.allowed.shape, np.float32), 1.0, coupling)


def verdicts(**options):
    return lambda round: [
        Verdict(task.id, **{"answer": "x", "stop": False, **options}) for task in round.tasks
    ]


def ballots(*made):
    async def give(round, assignment):
        for options in made:
            values = {"task": round.tasks[0].id, "expert": int(assignment.expert[0])}
            yield Ballot(**{**values, "answer": "x", **options})

    return give


GARBAGE = {
    "ask out of range": {"judge": verdicts(ask=(99,))},
    "answer that is no string": {"judge": verdicts(answer=object())},
    "posterior above one": {"judge": verdicts(posterior={"x": 0.7, "y": 0.7})},
    "audit out of range": {"audit": lambda outcomes: [(99,)] * len(outcomes)},
    "audit that is no list": {"audit": lambda outcomes: [3] * len(outcomes)},
    "list for an array": {"decide": lambda round: Assignment([0] * len(round.tasks))},
    "nobody gets anything": {
        "decide": lambda round: Assignment(np.full(len(round.tasks), -1, np.int64))
    },
    "unknown expert": {"execute": ballots({"expert": 99})},
    "unknown task": {"execute": ballots({"task": "other"})},
    "twice the same": {"execute": ballots({}, {})},
    "cost without end": {"execute": ballots({"cost": float("nan")})},
    "number as answer": {"execute": ballots({"answer": 7})},
    "dense coupling": {"navigate": coupled(np.eye(2))},
    "coupling with NaN": {"navigate": coupled(sparse.csr_array(np.full((2, 2), np.nan)))},
    "affinity beyond float32": {
        "navigate": lambda round: Proposal(np.full(round.allowed.shape, 1e300))
    },
    "writes into the round": {"navigate": lambda round: round.allowed.fill(False)},
}


@pytest.mark.parametrize("case", GARBAGE, ids=str)
def test_garbage_from_a_plugin_is_that_plugins_failure(case):
    plugin = Garbage(**GARBAGE[case])
    experts = [inline(name, answering("x")) for name in "ab"]
    settings = {"window": 1, "weights": {"garbage": 1.0}}
    swarm = make_swarm(experts, plugins=[("garbage", plugin)], swarm=settings)
    result = swarm.run(tasks(6), feedback=lambda task, answer: "x")
    assert set(result.answers.values()) == {"x"}
    assert record_of(result, "garbage").failures >= 3


def test_feedback_has_to_be_a_string():
    swarm = make_swarm([inline("a", answering("x"))])
    with pytest.raises(InputError, match="allowed: a string or None"):
        swarm.run(tasks(1), feedback=lambda task, answer: 7)


def test_a_resumed_run_takes_up_what_was_switched(tmp_path):
    def build():
        experts = [inline(name, answering(name)) for name in "ab"]
        plugins = [("first", Preferring(0)), ("second", Preferring(1))]
        weights = {"first": 1.0, "second": 0.5}
        settings = {"quorum": 1, "weights": weights}
        ledger = Ledger(tmp_path / "ledger.sqlite")
        return make_swarm(experts, plugins=plugins, swarm=settings, ledger=ledger)

    before = build()
    run = before.open_run()
    run.solve_now([Task("one")])
    before.set_weights({"second": 9.0})
    run.solve_now([Task("two")])
    before.disable("second")
    run.solve_now([Task("three")])
    run.close("interrupted")
    before.close()
    after = build()
    run = after.open_run(resume=run.id)
    assert after.weights["first"] == 1.0
    assert "second" not in after.host.protocols
    answers = [run.solve_now([Task(name)])[0].verdict.answer for name in ("two", "four")]
    assert answers == ["b", "a"]


def test_an_interrupt_ends_the_work_behind_it():
    code = (
        "import os, signal, threading, time\n"
        "from swarmloom import Expert, Swarm, Task\n"
        "from swarmloom.config import Settings\n"
        # A shell that runs the tests in the background has switched the signal off.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "expert = Expert('a', lambda task: 'x', inline=True)\n"
        "swarm = Swarm([expert], Settings(plugins={'enable': []}))\n"
        "tasks = [Task(str(i)) for i in range(200_000)]\n"
        "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n"
        "    swarm.run(tasks)\n"
        "except KeyboardInterrupt:\n"
        "    first = swarm.ledger.runs()[0]\n"
        "time.sleep(0.2)\n"
        "print(first.status, first.finished == swarm.ledger.runs()[0].finished)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "interrupted True\n"


def test_questions_are_opened_as_outcomes_teach_and_work_at_once():
    def most_open(quorum):
        experts = [inline(name, answering("x")) for name in "abc"]
        open_now, finished, excess = {"x": 0, "y": 0}, {"x": 0, "y": 0}, []

        def watch(event):
            topic = topics.get(event.task)
            if event.kind == EventKind.TASK_OPENED:
                open_now[topic] += 1
                excess.append(open_now[topic] - (1 + finished[topic] // 2))
            elif event.kind == EventKind.OUTCOME:
                open_now[topic] -= 1
                finished[topic] += 1

        work = [
            Task(f"{topic}{n}", topic=topic, quorum=quorum) for topic in "xy" for n in range(60)
        ]
        topics = {task.id: task.topic for task in work}
        make_swarm(experts).run(work, on_event=watch)
        return max(excess)

    assert most_open(None) <= 0
    assert most_open(1) > 50
