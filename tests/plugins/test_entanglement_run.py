"""Entanglement in a swarm that runs."""

from __future__ import annotations

import json

import pytest

from swarmloom.types import Task
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


def test_same_seed_same_decisions():
    assert run()[0] == run()[0]
