from __future__ import annotations

import asyncio
import threading
from collections import Counter

import numpy as np
import pytest

from swarmloom import Assignment, Expert, Ledger, Proposal, Reply, Swarm, Task, Verdict, hookimpl
from swarmloom.config import Settings
from swarmloom.errors import InputError
from swarmloom.events import EventKind
from tests.core.swarms import answering, inline, make_swarm, tasks


def test_without_any_plugin_the_kernel_works():
    experts = [
        inline("a", answering("x")),
        inline("b", answering("x")),
        inline("c", answering("y")),
    ]
    result = make_swarm(experts).run(tasks(20))
    assert set(result.answers.values()) <= {"x", "y"}
    assert len(result.outcomes) == 20
    assert result.calls == sum(len(outcome.ballots) for outcome in result.outcomes)


def test_majority_is_right_when_two_of_three_are():
    experts = [
        inline("a", answering("x")),
        inline("b", answering("y")),
        inline("c", answering("x")),
    ]
    assert set(make_swarm(experts).run(tasks(10)).answers.values()) == {"x"}


def test_outcomes_come_in_the_order_of_the_tasks():
    async def solve():
        with make_swarm([inline("a", answering("x"))], swarm={"window": 3}).open_run() as run:
            return await run.solve(tasks(10))

    assert [outcome.task.id for outcome in asyncio.run(solve())] == [f"t{i}" for i in range(10)]


@pytest.mark.parametrize("failure", [None, "", RuntimeError("no")])
def test_failing_expert_is_rerouted(failure):
    def fail(task):
        if isinstance(failure, Exception):
            raise failure
        return failure

    experts = [inline("bad", fail, price=0.1), inline("good", answering("x"))]
    result = make_swarm(experts, swarm={"quorum": 1}).run(tasks(5))
    assert set(result.answers.values()) == {"x"}
    first, second = result.outcomes[0].ballots
    assert not first.succeeded
    assert second.succeeded


def test_timeout_is_rerouted():
    async def never(task):
        await asyncio.sleep(60)

    experts = [Expert("never", never, price=0.1, timeout=0.02), inline("good", answering("x"))]
    assert make_swarm(experts, swarm={"quorum": 1}).run(tasks(2)).answers == {"t0": "x", "t1": "x"}


def test_a_task_that_everybody_fails_ends_without_answer():
    experts = [inline(name, answering(None)) for name in "abc"]
    outcome = make_swarm(experts).run(tasks(1)).outcomes[0]
    assert outcome.verdict.answer is None
    assert len(outcome.ballots) == 3


def test_retries_limit_the_failures_of_one_task():
    experts = [inline(f"e{i}", answering(None)) for i in range(9)]
    outcome = make_swarm(experts, swarm={"retries": 2}).run(tasks(1)).outcomes[0]
    assert len(outcome.ballots) == 3


def test_demands_are_met_or_the_task_says_so():
    experts = [inline("a", answering("x"), skills=frozenset({"law"})),
               inline("b", answering("y"), skills=frozenset({"tax"}))]  # fmt: skip
    swarm = make_swarm(experts, swarm={"quorum": 1})
    kinds = []
    wanted = [Task("t0", demands=frozenset({"tax"})), Task("t1", demands=frozenset({"art"}))]
    result = swarm.run(wanted, on_event=kinds.append)
    assert result.answers == {"t0": "y", "t1": None}
    reasons = {e.task: e.data["stop_reason"] for e in kinds if e.kind == EventKind.OUTCOME}
    assert reasons["t1"] == "no able expert"


def test_the_call_budget_is_hard():
    experts = [inline(f"e{i}", answering("x")) for i in range(4)]
    result = make_swarm(experts, budget={"calls": 7}, swarm={"quorum": 2}).run(tasks(50))
    assert result.calls == 7
    assert sum(answer is not None for answer in result.answers.values()) <= 7
    assert len(result.outcomes) == 50


def test_the_cost_budget_is_hard():
    experts = [inline("a", answering("x"), price=0.3)]
    result = make_swarm(experts, budget={"cost": 1.0}, swarm={"quorum": 1}).run(tasks(50))
    assert result.calls == 3
    assert result.cost == pytest.approx(0.9)


def test_the_budget_of_seconds_ends_the_run():
    async def slow(task):
        await asyncio.sleep(0.2)
        return "x"

    swarm = make_swarm([Expert("a", slow)], budget={"seconds": 0.3},
                       swarm={"quorum": 1, "window": 1})  # fmt: skip
    result = swarm.run(tasks(50))
    assert len(result.outcomes) == 50
    assert 0 < result.calls < 10


def test_reported_costs_become_the_price():
    swarm = make_swarm([inline("a", lambda t: Reply("x", cost=4.0), price=1.0)],
                       budget={"cost": 9.0}, swarm={"quorum": 1, "window": 1})  # fmt: skip
    assert swarm.run(tasks(10)).calls == 2


def noisy(probability, seed):
    def answer(task):
        rng = np.random.default_rng([seed, int(task.id[1:])])
        return "right" if rng.random() < probability else f"wrong{rng.integers(3)}"

    return answer


def noisy_experts():
    return [inline(f"e{i}", noisy(0.4 + 0.1 * i, i), price=1.0 + i) for i in range(5)]


def ballots_of(result):
    return [(b.task, b.expert, b.answer) for o in result.outcomes for b in o.ballots]


@pytest.mark.parametrize("window", [1, 7])
def test_a_run_is_reproducible_from_its_seed(window):
    def go(seed):
        return make_swarm(noisy_experts(), swarm={"seed": seed, "window": window}).run(tasks(40))

    assert ballots_of(go(3)) == ballots_of(go(3))


def test_seeds_differ():
    def go(seed):
        equal = [inline(f"e{i}", noisy(0.5, i)) for i in range(5)]
        return make_swarm(equal, swarm={"seed": seed}).run(tasks(40))

    assert ballots_of(go(3)) != ballots_of(go(4))


class Preferring:
    """A plugin that always wants one expert, and remembers what it was told."""

    def __init__(self, expert, strength=5.0):
        self.expert, self.strength, self.outcomes = expert, strength, []

    @hookimpl
    def swarmloom_navigate(self, round):
        affinity = np.zeros(round.allowed.shape, np.float32)
        affinity[:, self.expert] = self.strength
        return Proposal(affinity)

    @hookimpl
    def swarmloom_evolve(self, outcomes):
        self.outcomes += outcomes


def test_weights_decide_between_protocols():
    experts = [inline(name, answering(name)) for name in "abc"]
    plugins = [("first", Preferring(0)), ("second", Preferring(1))]
    for weights, winner in (({"first": 2.0, "second": 1.0}, "a"), ({"second": 9.0}, "b")):
        settings = {"quorum": 1, "weights": weights}
        result = make_swarm(experts, plugins=plugins, swarm=settings).run(tasks(1))
        assert result.answers["t0"] == winner


def test_shares_tell_who_decided():
    plugins = [("first", Preferring(0, 6.0)), ("second", Preferring(1, 3.0))]
    experts = [inline(name, answering(name)) for name in "abc"]
    settings = {"quorum": 1, "weights": {"first": 1.0, "second": 1.0}}
    result = make_swarm(experts, plugins=plugins, swarm=settings).run(tasks(4))
    assert result.shares["first"] == pytest.approx(1.0)


def test_every_outcome_is_learned_exactly_once_in_order():
    plugin = Preferring(0)
    swarm = make_swarm(noisy_experts(), plugins=[("p", plugin)], swarm={"window": 4})
    result = swarm.run(tasks(30))
    assert [o.task.id for o in plugin.outcomes] == [o.task.id for o in result.outcomes]


def test_feedback_grades_and_tasks_never_carry_their_truth():
    plugin = Preferring(0)
    swarm = make_swarm(noisy_experts(), plugins=[("p", plugin)])
    asked = []

    def feedback(task, answer):
        asked.append(task.id)
        return "right" if task.id in ("t1", "t4") else None

    swarm.run(tasks(6), feedback=feedback)
    assert sorted(asked) == [f"t{i}" for i in range(6)]
    graded = {o.task.id: o for o in plugin.outcomes if o.truth is not None}
    assert set(graded) == {"t1", "t4"}
    for outcome in graded.values():
        for ballot in outcome.ballots:
            assert outcome.credit(ballot) == float(ballot.answer == "right")


class Auditor:
    """Wants everybody's answer to graded tasks."""

    @hookimpl
    def swarmloom_audit(self, outcomes):
        return [
            [e for e in range(3) if e not in {b.expert for b in o.ballots}][:1] for o in outcomes
        ]


def test_audits_are_bought_billed_and_marked():
    experts = [inline(name, answering("x"), price=1.0) for name in "abc"]
    swarm = make_swarm(experts, plugins=[("auditor", Auditor())], swarm={"quorum": 1})
    result = swarm.run(tasks(2), feedback=lambda task, answer: "x" if task.id == "t0" else None)
    audits = {o.task.id: [b.audit for b in o.ballots] for o in result.outcomes}
    assert audits == {"t0": [False, True, True], "t1": [False]}
    assert result.cost == 4.0


def test_audits_respect_the_budget():
    experts = [inline(name, answering("x"), price=1.0) for name in "abc"]
    swarm = make_swarm(experts, plugins=[("auditor", Auditor())], swarm={"quorum": 1, "window": 1},
                       budget={"calls": 3})  # fmt: skip
    assert swarm.run(tasks(2), feedback=lambda task, answer: "x").calls == 3


class Judge:
    """Asks expert 2 after the first answer, then stops."""

    @hookimpl
    def swarmloom_judge(self, round):
        return [
            Verdict(task.id, ballots[-1].answer, {}, stop=len(ballots) > 1, ask=(2,))
            for task, ballots in zip(round.tasks, round.ballots, strict=True)
        ]


def test_the_judge_may_name_whom_to_ask_next():
    experts = [
        inline(name, answering(name), price=price)
        for name, price in zip("abc", (1, 2, 9), strict=True)
    ]
    result = make_swarm(experts, plugins=[("judge", Judge())]).run(tasks(3))
    assert {tuple(b.expert for b in o.ballots) for o in result.outcomes} == {(0, 2)}


class Broken:
    """Raises in every hook of the cycle."""

    def _raise(self):
        raise RuntimeError("broken on purpose")

    @hookimpl
    def swarmloom_entangle(self, round):
        self._raise()

    @hookimpl
    def swarmloom_navigate(self, round):
        self._raise()

    @hookimpl
    def swarmloom_decide(self, round, mixture):
        self._raise()

    @hookimpl
    def swarmloom_execute(self, round, assignment):
        self._raise()

    @hookimpl
    def swarmloom_judge(self, round):
        self._raise()

    @hookimpl
    def swarmloom_audit(self, outcomes):
        self._raise()

    @hookimpl
    def swarmloom_evolve(self, outcomes):
        self._raise()


def record_of(result, name):
    return next(record for record in result.plugins if record.name == name)


def test_a_plugin_that_raises_everywhere_is_named_and_quarantined():
    experts = [inline(name, answering("x")) for name in "ab"]
    events = []
    swarm = make_swarm(experts, plugins=[("broken", Broken())])
    result = swarm.run(tasks(5), on_event=events.append)
    assert set(result.answers.values()) == {"x"}
    assert str(record_of(result, "broken").state) == "quarantined"
    assert any(
        e.kind == EventKind.PLUGIN_QUARANTINED and e.data["plugin"] == "broken" for e in events
    )


class Lying:
    """Returns things that cannot be used."""

    @hookimpl
    def swarmloom_navigate(self, round):
        return Proposal(np.full(round.allowed.shape, np.nan, np.float32))

    @hookimpl
    def swarmloom_decide(self, round, mixture):
        return Assignment(np.full(len(round.tasks), 99))

    @hookimpl
    def swarmloom_judge(self, round):
        return [Verdict("other task", "x", {"x": 7.0})]


def test_results_that_cannot_be_used_count_as_failures():
    experts = [inline(name, answering("x")) for name in "ab"]
    result = make_swarm(experts, plugins=[("lying", Lying())]).run(tasks(5))
    assert set(result.answers.values()) == {"x"}
    assert str(record_of(result, "lying").state) == "quarantined"


class HalfAnExecutor:
    """Answers the first task and falls over."""

    @hookimpl
    def swarmloom_execute(self, round, assignment):
        async def go():
            from swarmloom import Ballot

            yield Ballot(round.tasks[0].id, int(assignment.expert[0]), "plugin")
            raise RuntimeError("executor gone")

        return go()


def test_what_a_failing_executor_leaves_open_is_run_locally():
    swarm = make_swarm([inline("a", answering("local"))], plugins=[("half", HalfAnExecutor())],
                       swarm={"quorum": 1})  # fmt: skip
    result = swarm.run(tasks(3))
    assert Counter(result.answers.values()) == {"plugin": 1, "local": 2}
    assert record_of(result, "half").failures == 1


def test_plugins_are_switched_while_a_run_is_on():
    first, second = Preferring(0), Preferring(1, 2.0)
    experts = [inline(name, answering(name)) for name in "ab"]
    settings = {"quorum": 1, "weights": {"first": 1.0, "second": 1.0}}
    swarm = make_swarm(experts, plugins=[("first", first), ("second", second)], swarm=settings)
    with swarm.open_run() as run:
        assert run.solve_now(tasks(1))[0].verdict.answer == "a"
        swarm.disable("first")
        assert run.solve_now([Task("u")])[0].verdict.answer == "b"
        swarm.enable("first")
        swarm.set_weights({"first": 1.0})
        assert run.solve_now([Task("v")])[0].verdict.answer == "a"


def test_solve_now_works_from_many_threads_and_within_a_loop():
    swarm = make_swarm([inline("a", answering("x"))])
    with swarm.open_run() as run:
        found = {}

        def work(index):
            found[index] = run.solve_now([Task(f"thread{index}")])[0].verdict.answer

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        async def within():
            return run.solve_now([Task("within")])

        asyncio.run(within())
    assert set(found.values()) == {"x"}
    assert len(run.finished) == 9


def test_capacity_limits_calls_at_the_same_time():
    running, most, lock = 0, 0, threading.Lock()

    async def busy(task):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return "x"

    with lock:
        result = make_swarm([Expert("a", busy, capacity=2)], swarm={"quorum": 1}).run(tasks(9))
    assert most == 2
    assert set(result.answers.values()) == {"x"}


def test_double_ids_are_refused():
    with pytest.raises(InputError, match="'t0'"):
        make_swarm([inline("a", answering("x"))]).run([Task("t0"), Task("t0")])


@pytest.mark.parametrize(
    ("expert", "message"),
    [
        (Expert(""), "unique and not empty"),
        (Expert("a", price=-1.0), "price of expert 'a' is -1.0"),
        (Expert("a", price=float("nan")), "nan"),
        (Expert("a", capacity=0), "at least 1"),
    ],
)
def test_bad_experts_are_refused(expert, message):
    with pytest.raises(InputError, match=message):
        make_swarm([expert])


def test_no_tasks_and_no_experts_are_fine():
    assert make_swarm([]).run([]).outcomes == ()
    assert make_swarm([]).run(tasks(2)).answers == {"t0": None, "t1": None}


def test_quorum_of_a_task_limits_its_answers():
    experts = [inline(name, answering(name)) for name in "abcd"]
    result = make_swarm(experts).run([Task("one", quorum=1), Task("two", quorum=2)])
    assert {o.task.id: len(o.ballots) for o in result.outcomes} == {"one": 1, "two": 2}


def test_settings_of_ones_own_can_name_the_ledger(tmp_path):
    path = tmp_path / "ledger.sqlite"
    settings = Settings(ledger={"path": path}, plugins={"enable": []})
    with Swarm([Expert("a", lambda task: "x", inline=True)], settings) as swarm:
        run = swarm.run([Task("t")]).run_id
    with Ledger(path) as ledger:
        assert [record.id for record in ledger.runs()] == [run]
    off = Settings(
        ledger={"path": tmp_path / "no.sqlite", "enabled": False}, plugins={"enable": []}
    )
    Swarm((), off).close()
    assert not (tmp_path / "no.sqlite").exists()
