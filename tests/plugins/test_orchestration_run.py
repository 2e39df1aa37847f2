"""Orchestration in a swarm that runs."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from swarmloom.types import Task
from tests.core.swarms import inline, make_swarm

CODE = frozenset({"code"})


def run(experts, tasks, **options):
    weights = {"orchestration": 1.0}
    events = []
    plugins = {"enable": ["orchestration"]}
    with make_swarm(experts, plugin_settings=plugins, swarm={"weights": weights}) as swarm:
        result = swarm.run(tasks, on_event=events.append, **options)
        tools = {name: swarm.tools()[name](swarm) for name in ("show_load", "show_prices")}
    decisions = [event.data for event in events if event.kind == "decision"]
    return result, decisions, {name: json.loads(text) for name, text in tools.items()}


def test_scarce_places_are_shared_out_and_every_task_is_done():
    experts = [inline(name, lambda task: "done", capacity=2) for name in ("a", "b")]
    tasks = [Task(f"t{i}", quorum=1) for i in range(11)]
    result, decisions, tools = run(experts, tasks)
    assert set(result.answers.values()) == {"done"}
    assert {decision["solver"] for decision in decisions} == {"assignment", "argmax"}
    rounds = Counter((decision["round"], decision["expert"]) for decision in decisions)
    assert max(rounds.values()) == 2
    assert sum(row["calls"] for row in tools["show_load"]) == 11
    assert tools["show_prices"] == []


def test_learned_skills_decide():
    """Both may take the work; who holds the skill turns out to be the one who can do it."""
    experts = [
        inline("coder", lambda task: "right", skills=CODE),
        inline("anybody", lambda task: "wrong"),
    ]
    tasks = [Task(f"t{i}", demands=CODE, quorum=1) for i in range(200)]
    result, decisions, _ = run(experts, tasks, feedback=lambda task, answer: "right")
    chosen = [decision["expert"] for decision in decisions]
    assert chosen[:64].count("coder") == pytest.approx(32, abs=16)
    assert chosen[64:].count("coder") > 125
    assert result.shares["orchestration"] == 1.0


def test_same_seed_same_decisions():
    experts = [inline(f"e{i}", lambda task: "x", capacity=3) for i in range(4)]
    tasks = [Task(f"t{i}", quorum=1) for i in range(30)]
    first, second = ([decision["expert"] for decision in run(experts, tasks)[1]] for _ in range(2))
    assert first == second
