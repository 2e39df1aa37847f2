"""Plugins that take experts out of the choice; switches that a resumed run repeats."""

from __future__ import annotations

import numpy as np
import pytest

from swarmloom import Ledger, Verdict, hookimpl
from swarmloom.events import PLUGIN_EMITTED, EventKind
from tests.core.swarms import answering, inline, make_swarm, tasks


class Gate:
    """Admits everybody but the experts it has shut out."""

    def __init__(self, *shut):
        self.shut = set(shut)

    @hookimpl
    def swarmloom_admit(self, round):
        open_to = [expert.name not in self.shut for expert in round.experts]
        return np.tile(open_to, (len(round.tasks), 1))


def crew(names="abc"):
    return [inline(name, answering(name), price=1.0 + row) for row, name in enumerate(names)]


def reasons_of(events):
    return {e.task: e.data["stop_reason"] for e in events if e.kind == EventKind.OUTCOME}


def test_only_those_whom_every_plugin_admits_are_asked():
    gates = [("one", Gate("a")), ("other", Gate("b"))]
    result = make_swarm(crew(), plugins=gates, swarm={"quorum": 1}).run(tasks(5))
    assert set(result.answers.values()) == {"c"}


def test_a_task_that_nobody_is_admitted_to_ends_and_says_so():
    events = []
    swarm = make_swarm(crew(), plugins=[("gate", Gate(*"abc"))])
    result = swarm.run(tasks(3), on_event=events.append)
    assert set(result.answers.values()) == {None}
    assert result.calls == 0
    assert set(reasons_of(events).values()) == {"nobody admitted"}


class Insatiable:
    """A judge that never has enough."""

    @hookimpl
    def swarmloom_judge(self, round):
        return [
            Verdict(task.id, ballots[-1].answer, stop=False)
            for task, ballots in zip(round.tasks, round.ballots, strict=True)
        ]


def test_whoever_is_shut_out_while_a_task_is_open_is_not_asked_for_it():
    gate, events = Gate(), []
    experts = [inline("a", lambda task: gate.shut.add("b") or "a", price=0.5), *crew("bc")]
    swarm = make_swarm(experts, plugins=[("gate", gate), ("judge", Insatiable())])
    outcome = swarm.run(tasks(1), on_event=events.append).outcomes[0]
    assert [ballot.expert for ballot in outcome.ballots] == [0, 2]
    assert reasons_of(events) == {"t0": "nobody admitted"}


class Auditor:
    @hookimpl
    def swarmloom_audit(self, outcomes):
        return [[1, 2] if len(o.ballots) == 1 else [] for o in outcomes]


def test_no_audit_is_bought_of_an_expert_that_is_shut_out():
    plugins = [("gate", Gate("b")), ("auditor", Auditor())]
    swarm = make_swarm(crew(), plugins=plugins, swarm={"quorum": 1})
    outcome = swarm.run(tasks(1), feedback=lambda task, answer: "a").outcomes[0]
    assert [ballot.expert for ballot in outcome.ballots] == [0, 2]


@pytest.mark.parametrize("wrong", [[[True]], np.ones((1, 3)), np.ones((3, 1), bool)])
def test_what_is_no_table_of_the_round_is_the_plugins_failure_and_shuts_nobody_out(wrong):
    gate = Gate()
    gate.swarmloom_admit = hookimpl(lambda round: wrong)
    swarm = make_swarm(crew(), plugins=[("gate", gate)], swarm={"quorum": 1, "window": 1})
    result = swarm.run(tasks(1))
    assert result.answers == {"t0": "a"}
    record = next(one for one in result.plugins if one.name == "gate")
    assert "must return bool of shape (1, 3)" in str(record.errors[0])


class Switch(Gate):
    """Shuts experts out as the events that it emits itself say."""

    @hookimpl
    def swarmloom_initialize(self, swarm):
        self.swarm = swarm

    @hookimpl
    def swarmloom_observe(self, event):
        if event.kind == EventKind.EXPERT_FAILED:
            self.shut.add(event.data["expert"])
        elif event.kind == EventKind.EXPERT_RESTORED:
            self.shut.discard(event.data["expert"])


def switching(ledger, switch, answer=None):
    experts = [inline("a", answer or answering("a"), price=0.5), *crew("bc")]
    return make_swarm(
        experts, plugins=[("gate", switch)], ledger=ledger, swarm={"quorum": 1, "window": 1}
    )


def test_a_resumed_run_repeats_what_plugins_have_switched(tmp_path):
    path = tmp_path / "ledger.sqlite"
    switch = Switch()

    def answer(task):
        if task.id == "t1":
            switch.swarm.emit(EventKind.EXPERT_FAILED, {"expert": "a"})
            switch.swarm.emit(EventKind.EXPERT_FAILED, {"expert": "b"})
            switch.swarm.emit(EventKind.EXPERT_RESTORED, {"expert": "b"})
        return "a"

    with switching(Ledger(path), switch, answer) as swarm, swarm.open_run() as run:
        run.solve_now(tasks(3))
        run.close("interrupted")
    again = Switch()
    with switching(Ledger(path), again) as swarm:
        result = swarm.run(tasks(5), resume=run.id)
    assert again.shut == {"a"}
    assert list(result.answers.values()) == ["a", "a", "b", "b", "b"]


def test_switches_of_plugins_may_be_emitted_and_are_notices():
    kinds = {EventKind.EXPERT_FAILED, EventKind.EXPERT_RESTORED, EventKind.CONSTRAINT_SET}
    assert kinds <= PLUGIN_EMITTED
    ledger, switch = Ledger(None), Switch()
    swarm = switching(ledger, switch, lambda task: switch.swarm.emit(
        EventKind.EXPERT_FAILED, {"expert": "c"}) or "a")  # fmt: skip
    run = swarm.run(tasks(1)).run_id
    assert [event.kind for event in ledger.view(run).notices] == ["expert_failed"]
