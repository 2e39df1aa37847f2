"""Entanglement in a swarm that runs."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from swarmloom import hookimpl
from swarmloom.types import Proposal, Task
from tests.core.swarms import inline, make_swarm


def run(weight=1.0, purpose="spread", mode="shared_seed", topic=str):
    experts = [inline(f"e{i}", lambda task: "x") for i in range(8)]
    config = {"entanglement": {"mode": mode, "purpose": purpose, "control": 1e-9, "trial": 0}}
    with make_swarm(
        experts,
        plugin_settings={"enable": ["entanglement"], "config": config},
        swarm={"weights": {"entanglement": weight}, "seed": 5},
    ) as swarm:
        events = []
        result = swarm.run(
            [Task(f"t{i}", topic=topic(i), quorum=1) for i in range(8)], on_event=events.append
        )
        leader = json.loads(swarm.tools()["elect_leader"](swarm))["leader"]
    chosen = [event.data["expert"] for event in events if event.kind == "decision"]
    return chosen, result, leader


@pytest.mark.parametrize("mode", ["shared_seed", "ghz", "w"])
def test_equal_experts_get_one_task_each(mode):
    chosen, result, leader = run(mode=mode)
    assert len(set(chosen)) == 8
    assert result.shares == {"entanglement": 1.0}
    assert leader in chosen


def test_without_its_weight_the_lot_doubles_some():
    assert len(set(run(weight=0.0)[0])) < 8


def test_a_topic_gathers_on_one_expert():
    chosen, _, _ = run(purpose="gather", topic=lambda i: "same")
    assert len(set(chosen)) == 1


class Herd:
    """Everybody says the same: one expert is a little better than all others."""

    @hookimpl
    def swarmloom_navigate(self, round):
        affinity = np.zeros(round.allowed.shape, dtype=np.float32)
        affinity[:, 0] = 0.15
        return Proposal(affinity)


def run_coupled(tasks, experts, couple=True, purpose="spread", topics=1, plugins=()):
    config = {"couple": couple, "purpose": purpose, "confidence": 1.0, "control": 1e-9, "trial": 0}
    with make_swarm(
        [inline(f"e{i}", lambda task: "x") for i in range(experts)],
        plugins=plugins,
        plugin_settings={
            "enable": ["entanglement", "orchestration"],
            "config": {"entanglement": config},
        },
        swarm={"weights": {"entanglement": 1.0, "orchestration": 1.0}, "window": tasks},
    ) as swarm:
        events = []
        result = swarm.run(
            [Task(f"t{i}", topic=f"topic{i % topics}", quorum=1) for i in range(tasks)],
            on_event=events.append,
        )
    decisions = [event.data for event in events if event.kind == "decision"]
    assert all(outcome.verdict.answer == "x" for outcome in result.outcomes)
    assert [one.errors for one in result.plugins] == [()] * len(result.plugins)
    solvers = {decision["solver"] for decision in decisions}
    return solvers, [decision["expert"] for decision in decisions]


@pytest.mark.parametrize(
    ("tasks", "experts", "topics", "solver"),
    [(64, 12, 1, "annealing"), (64, 12, 8, "annealing"), (3, 4, 1, "enumeration")],
)
def test_coupled_rounds_are_searched(tasks, experts, topics, solver):
    solvers, chosen = run_coupled(tasks, experts, topics=topics)
    assert solvers == {solver}
    assert len(chosen) == tasks


@pytest.mark.parametrize(
    ("tasks", "topics", "couple"), [(64, 1, False), (1, 1, True), (6, 6, True), (200, 1, True)]
)
def test_rounds_without_couplings_are_not(tasks, topics, couple):
    """Switched off, one task, one task a topic, more pairs than the limit."""
    assert run_coupled(tasks, 12, couple=couple, topics=topics)[0] == {"argmax"}


def test_couplings_spread_a_herd_further_than_the_lean_alone():
    plain, coupled = (
        Counter(run_coupled(12, 12, couple, plugins=[("herd", Herd())])[1])
        for couple in (False, True)
    )
    assert plain["e0"] > coupled["e0"]


def test_couplings_gather_a_topic():
    _, chosen = run_coupled(12, 6, purpose="gather")
    assert len(set(chosen)) == 1


def test_coupled_decisions_follow_from_the_seed():
    assert run_coupled(16, 5) == run_coupled(16, 5)


def test_same_seed_same_decisions():
    assert run()[0] == run()[0]
