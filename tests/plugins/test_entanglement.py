"""The entanglement plugin on hand-made rounds and outcomes."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from swarmloom.errors import InputError
from swarmloom.mixing import mix
from swarmloom.types import Outcome, Proposal, Task, Verdict
from swarmloom_plugins.entanglement import (
    MIN_CONFIDENCE,
    Entanglement,
    EntanglementConfig,
    swarmloom_register_protocols,
    swarmloom_register_tools,
)
from tests.core.rounds import make_experts, make_round

MODES = ("shared_seed", "ghz", "w")


def make_protocol(**config):
    return Entanglement(EntanglementConfig(**{"control": 1e-9, "trial": 0.0, **config}))


def navigate(protocol, round_):
    correlation = protocol.swarmloom_entangle(round=round_)
    correlations = () if correlation is None else (correlation,)
    return protocol.swarmloom_navigate(round=replace(round_, correlations=correlations))


@pytest.mark.parametrize("mode", MODES)
def test_spread_tasks_prefer_different_experts(mode):
    proposal = navigate(make_protocol(mode=mode), make_round(8, 8, seed=3))
    assert sorted(proposal.affinity.argmax(axis=1).tolist()) == list(range(8))
    assert proposal.affinity.max() == np.float32(0.2)
    assert proposal.affinity.dtype == np.float32


@pytest.mark.parametrize("mode", MODES)
def test_gathered_tasks_of_a_topic_prefer_the_same_expert(mode):
    tasks = [Task(f"t{i}", topic=f"topic{i % 3}") for i in range(9)]
    proposal = navigate(make_protocol(mode=mode, purpose="gather"), make_round(tasks, 50, seed=3))
    first = proposal.affinity.argmax(axis=1)
    assert (first.reshape(3, 3) == first[:3]).all()
    assert len(set(first.tolist())) == 3


def test_draws_depend_on_the_rounds_generator_alone():
    draws = [
        make_protocol().swarmloom_entangle(round=make_round(2, 9, seed=seed)).draws.tolist()
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_draws_expire():
    protocol = make_protocol(coherence_rounds=3)
    experts = make_experts(9)
    draws = [
        protocol.swarmloom_entangle(round=make_round(2, experts, number=n, seed=n)).draws.tolist()
        for n in (5, 6, 7, 8, 0)
    ]
    assert draws[0] == draws[1] == draws[2] != draws[3] != draws[4]


def test_new_experts_draw_anew():
    protocol = make_protocol(coherence_rounds=9)
    for count in (3, 4):
        assert len(protocol.swarmloom_entangle(round=make_round(1, count)).draws) == count


@pytest.mark.parametrize("mode", MODES)
def test_ten_thousand_experts(mode):
    proposal = navigate(make_protocol(mode=mode), make_round(64, 10_000))
    assert len(set(proposal.affinity.argmax(axis=1).tolist())) == 64


@pytest.mark.parametrize(("tasks", "experts"), [(2, 1), (0, 3), (2, 0)])
def test_no_opinion_where_there_is_nothing_to_share(tasks, experts):
    assert navigate(make_protocol(), make_round(tasks, experts)) is None


def test_no_opinion_without_its_correlation():
    assert make_protocol().swarmloom_navigate(round=make_round(2, 3)) is None


def test_spreading_makes_the_errors_of_a_batch_less_alike():
    """Experts look alike, each is right on the whole batch or wrong: herding doubles the stakes."""
    rng = np.random.default_rng(0)
    right = {True: [], False: []}
    for trial in range(300):
        round_ = make_round(8, 8, seed=trial)
        knows = rng.random(8) < 0.7
        hearsay = Proposal(np.tile(rng.normal(0.0, 0.02, 8), (8, 1)).astype(np.float32))
        own = navigate(make_protocol(confidence=1.0), round_)
        for spread in (True, False):
            said = [("others", hearsay), ("entanglement", own)][: 1 + spread]
            mixture = mix(said, {"others": 1.0, "entanglement": 1.0}, round_.allowed)
            right[spread].append(knows[mixture.affinity.argmax(axis=1)].mean())
    assert np.mean(right[True]) == pytest.approx(np.mean(right[False]), abs=0.06)
    assert np.var(right[True]) < 0.3 * np.var(right[False])


# -- couplings -----------------------------------------------------------------------------------


def of_topics(*topics):
    return [Task(f"t{i}", topic=topic) for i, topic in enumerate(topics)]


@pytest.mark.parametrize(("purpose", "sign"), [("spread", -1.0), ("gather", 1.0)])
def test_tasks_of_a_topic_are_coupled_expert_by_expert(purpose, sign):
    protocol = make_protocol(couple=True, purpose=purpose, strength=0.3)
    coupling = navigate(protocol, make_round(of_topics("a", "b", "a"), 4)).coupling
    first, second = coupling.nonzero()
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == [
        (expert, 2 * 4 + expert) for expert in range(4)
    ]
    np.testing.assert_allclose(coupling.data, 0.3 * sign)


def test_only_choices_that_are_allowed_and_experts_that_share_draws_are_coupled():
    protocol = make_protocol(couple=True)
    protocol.entangle_group(frozenset({"expert0", "expert1"}), 5)
    allowed = [[True, True, True], [True, False, True]]
    coupling = navigate(protocol, make_round(of_topics("a", "a"), 3, allowed=allowed)).coupling
    assert [array.tolist() for array in coupling.nonzero()] == [[0], [3]]


def test_tasks_of_the_control_group_and_of_another_purpose_stay_apart():
    protocol = Entanglement(EntanglementConfig(couple=True, control=0.3, trial=0.3))
    tasks = [Task(f"t{i}", topic="a") for i in range(40)]
    coupling = navigate(protocol, make_round(tasks, 2)).coupling.tocoo()
    arm = np.array([protocol._arm(task) for task in tasks])
    first, second = arm[coupling.coords[0] // 2], arm[coupling.coords[1] // 2]
    assert (first == second).all()
    assert set(first.tolist()) == {0, 1}
    np.testing.assert_array_equal(np.sign(coupling.data), np.where(first == 0, -1.0, 1.0))


@pytest.mark.parametrize(
    ("config", "topics"),
    [
        ({}, "aa"),
        ({"couple": True}, "a"),
        ({"couple": True}, "ab"),
        ({"couple": True, "max_pairs": 3}, "aa"),
        ({"couple": True, "strength": 0.0}, "aa"),
        ({"couple": True, "confidence": 0.0}, "aa"),
    ],
    ids=["off", "one task", "no topic twice", "too many pairs", "no strength", "does not pay"],
)
def test_no_coupling(config, topics):
    proposal = navigate(make_protocol(**config), make_round(of_topics(*topics), 4))
    assert proposal is not None
    assert proposal.coupling is None


# -- does it pay? --------------------------------------------------------------------------------


def outcomes_of(protocol, count, chance, seed=0):
    """Make graded outcomes; `chance` maps a task's group to its chance of success."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        task = Task(f"task{number}")
        arm = ("spread", "gather", "control")[protocol._arm(task)]
        answer = "right" if rng.random() < chance[arm] else "wrong"
        yield Outcome(task, Verdict(task.id, answer), (), truth="right", cost=1.0)


def learned(chance, count=3000, seed=0, **config):
    protocol = Entanglement(EntanglementConfig(**config))
    for outcome in outcomes_of(protocol, count, chance, seed):
        protocol.swarmloom_evolve(outcomes=[outcome])
    return protocol


def test_confidence_grows_where_spreading_pays():
    protocol = learned({"spread": 0.8, "gather": 0.6, "control": 0.6})
    assert protocol.purpose == "spread"
    assert protocol.confidence > 0.9


def test_purpose_switches_where_gathering_pays():
    protocol = learned({"spread": 0.6, "gather": 0.85, "control": 0.6})
    assert protocol.purpose == "gather"
    assert protocol.confidence > 0.9


@pytest.mark.parametrize("chance", [0.5, 0.9, 1.0])
def test_confidence_falls_to_next_to_nothing_where_neither_pays(chance):
    same = dict.fromkeys(("spread", "gather", "control"), chance)
    # Chance alone looks like a gain now and then, so the mean of several runs is what counts.
    confidences = [learned(same, count=2000, seed=seed).confidence for seed in range(8)]
    assert MIN_CONFIDENCE <= np.mean(confidences) < 0.08


def test_confidence_falls_where_it_harms():
    assert learned({"spread": 0.4, "gather": 0.4, "control": 0.7}).confidence < 0.1


def test_before_any_outcome_it_is_the_configured_one():
    assert make_protocol(confidence=0.3).confidence == 0.3


def test_without_truth_the_posterior_counts():
    protocol = Entanglement(EntanglementConfig(trial=0.0))
    for number in range(600):
        task = Task(f"task{number}")
        sure = 0.9 - 0.4 * (protocol._arm(task) == 2) + 0.05 * (number % 2)
        verdict = Verdict(task.id, "a", {"a": sure})
        protocol.swarmloom_evolve(outcomes=[Outcome(task, verdict, (), cost=1.0)])
    assert protocol.confidence > 0.9


def test_the_control_group_gets_no_lean():
    tasks = [Task(f"task{i}") for i in range(1000)]
    proposal = navigate(Entanglement(EntanglementConfig(control=0.3)), make_round(tasks, 4))
    assert 0.25 < (~proposal.affinity.any(axis=1)).mean() < 0.35


def test_snapshot_and_restore():
    protocol = learned({"spread": 0.6, "gather": 0.85, "control": 0.6})
    protocol.entangle_group(frozenset({"expert0", "expert1"}), 5)
    other = make_protocol(confidence=0.0)
    other.swarmloom_restore(state=protocol.swarmloom_snapshot())
    assert other.purpose == "gather"
    assert other.confidence == pytest.approx(protocol.confidence, abs=0.05)
    draws = other.swarmloom_entangle(round=make_round(1, 4)).draws
    assert (draws >= 0).tolist() == [True, True, False, False]


# -- tools ---------------------------------------------------------------------------------------


def make_swarm(protocol, experts=4):
    return SimpleNamespace(
        experts=make_experts(experts),
        host=SimpleNamespace(protocols={"entanglement": protocol}),
        settings=SimpleNamespace(swarm=SimpleNamespace(seed=7)),
    )


def tools():
    found = []
    swarmloom_register_tools(found.append)
    return {tool.name: tool for tool in found}


def test_a_group_shares_draws_for_some_rounds_and_the_others_none():
    protocol = make_protocol(coherence_rounds=5)
    swarm = make_swarm(protocol)
    tools()["entangle_group"](swarm, experts="expert1, expert3", rounds="2")
    shared = [
        (
            protocol.swarmloom_entangle(round=make_round(2, swarm.experts, number=n)).draws >= 0
        ).tolist()
        for n in range(3)
    ]
    assert shared == [[False, True, False, True]] * 2 + [[True] * 4]


def test_a_group_is_dissolved_by_an_empty_one():
    protocol = make_protocol()
    swarm = make_swarm(protocol)
    tools()["entangle_group"](swarm, experts="expert1,expert3")
    tools()["entangle_group"](swarm, experts="")
    assert (protocol.swarmloom_entangle(round=make_round(1, swarm.experts)).draws >= 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_elections_are_fair_and_reproducible(mode):
    def elect(protocol, count):
        swarm = make_swarm(protocol)
        return [json.loads(tools()["elect_leader"](swarm))["leader"] for _ in range(count)]

    leaders = elect(make_protocol(mode=mode), 400)
    assert leaders[:20] == elect(make_protocol(mode=mode), 20)
    assert all(70 < leaders.count(f"expert{i}") < 130 for i in range(4))


def test_noise_makes_elections_take_several_attempts():
    protocol = make_protocol(mode="w", visibility=0.5)
    swarm = make_swarm(protocol, experts=20)
    answers = [json.loads(tools()["elect_leader"](swarm)) for _ in range(50)]
    assert max(answer["attempts"] for answer in answers) > 1


def test_wrong_names_and_numbers_are_refused():
    swarm = make_swarm(make_protocol())
    with pytest.raises(InputError, match="'nobody'"):
        tools()["elect_leader"](swarm, experts="expert0,nobody")
    with pytest.raises(InputError, match="at least 1"):
        tools()["entangle_group"](swarm, experts="expert0", rounds=0)


def test_it_registers_its_protocol():
    found = []
    swarmloom_register_protocols(found.append)
    assert found == [Entanglement]


def test_configuration_is_described_and_checked():
    assert all(field.description for field in EntanglementConfig.model_fields.values())
    with pytest.raises(ValidationError, match="mode"):
        EntanglementConfig(mode="telepathy")


@pytest.mark.parametrize(
    "act",
    [
        lambda one: one.confidence,
        lambda one: one.entangle_group(frozenset({"expert0"}), 3),
        lambda one: one.elect_leader(["a", "b"], 0),
        lambda one: one.swarmloom_snapshot(),
    ],
)
def test_tools_wait_while_it_learns(act, monkeypatch):
    protocol = make_protocol()
    learn, seen = protocol._payoff.learn, []

    def learn_slowly(*values):
        tool = threading.Thread(target=act, args=(protocol,))
        tool.start()
        tool.join(0.05)
        seen.append((tool, tool.is_alive()))
        learn(*values)

    monkeypatch.setattr(protocol._payoff, "learn", learn_slowly)
    outcome = Outcome(Task("t"), Verdict("t", "x", {"x": 1.0}), (), truth="x")
    protocol.swarmloom_evolve(outcomes=[outcome])
    [(tool, waited)] = seen
    tool.join()
    assert waited
