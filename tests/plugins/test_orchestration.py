"""The orchestration plugin on hand-made rounds."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import sparse

from swarmloom.mixing import mix
from swarmloom.types import Ballot, Expert, Mixture, Outcome, Proposal, Task, Verdict
from swarmloom_plugins.orchestration import (
    Orchestration,
    OrchestrationConfig,
    swarmloom_register_protocols,
    swarmloom_register_tools,
)
from tests.core.rounds import make_experts, make_round

CODE = frozenset({"code"})


def make_protocol(**config):
    return Orchestration(OrchestrationConfig(**config))


def mixture_of(affinity, round_, coupling=None):
    affinity = np.where(round_.allowed, affinity, -np.inf).astype(np.float32)
    return Mixture(affinity, coupling, {}, {})


def decide(protocol, affinity, round_, coupling=None):
    return protocol.swarmloom_decide(round=round_, mixture=mixture_of(affinity, round_, coupling))


def test_best_expert_where_nothing_binds():
    round_ = make_round(2, 3)
    assignment = decide(make_protocol(), [[0.0, 2.0, 1.0], [0.0, 2.0, 1.0]], round_)
    assert assignment.expert.tolist() == [1, 1]
    assert assignment.solver == "argmax"


def test_capacity_less_calls_in_flight_is_shared_out_exactly():
    experts = (Expert("a", capacity=2), Expert("b", capacity=1), Expert("c", capacity=1))
    round_ = make_round(3, experts, in_flight=[1, 0, 0])
    affinity = [[5.0, 4.0, 0.0], [5.0, 1.0, 0.0], [5.0, 0.0, -1.0]]
    assignment = decide(make_protocol(), affinity, round_)
    # Greedy would give task 0 the first place and reach 5 + 1 − 1.
    assert assignment.expert.tolist() == [1, 2, 0]
    assert assignment.solver == "assignment"


def test_forbidden_choices_and_overfull_experts_make_tasks_wait():
    experts = make_experts(2, capacity=1)
    round_ = make_round(3, experts, allowed=[[1, 0], [0, 0], [1, 1]], in_flight=[0, 3])
    affinity = [[0.0, 9.0], [0.0, 9.0], [-1.0, 9.0]]
    assert decide(make_protocol(), affinity, round_).expert.tolist() == [0, -1, -1]


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (0, 0)])
def test_small_rounds(shape):
    round_ = make_round(shape[0], make_experts(shape[1]))
    assert decide(make_protocol(), np.zeros(shape), round_).expert.tolist() == [0] * shape[0]


def test_ties_go_to_the_cheaper_then_by_lot_which_the_seed_decides():
    experts = (Expert("dear", price=2.0), Expert("a", price=1.0), Expert("b", price=1.0))
    chosen = [
        decide(make_protocol(), np.zeros((40, 3)), make_round(40, experts, seed=seed)).expert
        for seed in (1, 1, 2)
    ]
    assert set(chosen[0].tolist()) == {1, 2}
    assert chosen[0].tolist() == chosen[1].tolist() != chosen[2].tolist()


def test_couplings_are_decided_together():
    coupling = sparse.csr_array(([9.0], ([0 * 2 + 1], [1 * 2 + 1])), shape=(4, 4))
    assignment = decide(make_protocol(), [[1.0, 0.0], [1.0, 0.0]], make_round(2, 2), coupling)
    assert assignment.expert.tolist() == [1, 1]
    assert assignment.solver == "enumeration"


def test_many_coupled_choices_are_annealed_reproducibly():
    rng = np.random.default_rng(0)
    affinity = rng.normal(size=(12, 6))
    coupling = sparse.random_array((72, 72), density=0.2, rng=rng, format="csr")
    found = [decide(make_protocol(), affinity, make_round(12, 6), coupling) for _ in range(2)]
    assert found[0].solver == "annealing"
    assert found[0].expert.tolist() == found[1].expert.tolist()


def test_no_opinion_without_scarcity_or_demands():
    protocol = make_protocol()
    round_ = make_round(2, 2)
    decide(protocol, np.zeros((2, 2)), round_)
    assert protocol.swarmloom_navigate(round=round_) is None


# -- scarcity ------------------------------------------------------------------------------------

EASY, HARD = [[2.2, 2.0]], [[2.0, -1.0]]
CREW = (Expert("ace", capacity=1), Expert("all-rounder"))


def work(protocol, rounds=1500, held=6, seed=0):
    """Give one task a round; the ace is busy for `held` rounds. Mean chance of success."""
    rng = np.random.default_rng(seed)
    busy, total = 0, 0.0
    for number in range(rounds):
        affinity = np.array(HARD if rng.random() < 0.3 else EASY, dtype=np.float32)
        round_ = make_round(1, CREW, in_flight=[busy > 0, 0], number=number, seed=number)
        proposals = [("others", Proposal(affinity))]
        own = protocol.swarmloom_navigate(round=round_)
        if own is not None:
            proposals.append(("orchestration", own))
        mixture = mix(proposals, {"others": 1.0, "orchestration": 1.0}, round_.allowed)
        expert = protocol.swarmloom_decide(round=round_, mixture=mixture).expert[0]
        busy = held - 1 if expert == 0 else max(0, busy - 1)
        total += 1.0 / (1.0 + np.exp(-affinity[0, expert]))
    return total / rounds


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pricing_keeps_a_scarce_expert_for_those_who_need_it(seed):
    protocol = make_protocol()
    gain = work(protocol, seed=seed) - work(make_protocol(pricing=False), seed=seed)
    assert gain > 0.025
    # Dear enough to leave easy tasks (0.2 apart) to the other, not for hard ones (3 apart).
    assert 0.2 < protocol.prices[0] < 3.0
    assert protocol.prices[1] == 0.0


def test_an_expert_that_is_never_full_has_no_price():
    protocol = make_protocol()
    work(protocol, rounds=200, held=1)
    assert not protocol.prices.any()


def test_prices_fall_when_demand_ends():
    protocol = make_protocol()
    work(protocol, rounds=600)
    before = protocol.prices[0]
    for number in range(300):
        decide(protocol, [[0.0, 1.0]], make_round(1, CREW, number=number))
    assert protocol.prices[0] < 0.1 * before


def test_rounds_that_wait_for_a_place_do_not_count():
    protocol = make_protocol()
    for _ in range(50):
        decide(protocol, [[1.0]], make_round(1, make_experts(1, capacity=1), in_flight=[1]))
    assert protocol.load()[0]["full"] == 0.0


# -- skills --------------------------------------------------------------------------------------


def outcome(expert, answer, demands=CODE):
    task = Task("t", demands=demands)
    return Outcome(task, Verdict("t", answer), (Ballot("t", expert, answer),), truth="right")


def test_skills_learned_from_outcomes_speak_for_a_newcomer():
    protocol = make_protocol()
    crew = (Expert("coder", skills=CODE), Expert("anybody"))
    protocol.swarmloom_initialize(swarm=SimpleNamespace(experts=crew))
    protocol.swarmloom_evolve(outcomes=[outcome(0, "right"), outcome(1, "wrong")] * 10)
    newcomers = (*crew, Expert("new coder", skills=CODE))
    round_ = make_round([Task("x", demands=CODE), Task("y")], newcomers)
    affinity = protocol.swarmloom_navigate(round=round_).affinity
    assert affinity[0, 2] == affinity[0, 0] > 0.5 > -0.5 > affinity[0, 1]
    assert not affinity[1].any()
    assert affinity.dtype == np.float32


def test_snapshot_and_restore():
    protocol = make_protocol()
    work(protocol, rounds=300)
    protocol.swarmloom_evolve(outcomes=[outcome(0, "right"), outcome(1, "wrong")] * 3)
    other = make_protocol()
    other.swarmloom_initialize(
        swarm=SimpleNamespace(experts=(Expert("new"), CREW[1], CREW[0])),
    )
    other.swarmloom_restore(state=protocol.swarmloom_snapshot())
    assert other.prices[2] == protocol.prices[0] > 0
    assert not other.prices[:2].any()
    tasks = [Task("x", demands=CODE)]
    assert other.swarmloom_navigate(round=make_round(tasks, CREW)).affinity.tolist() == (
        protocol.swarmloom_navigate(round=make_round(tasks, CREW)).affinity.tolist()
    )


# -- what it brings ------------------------------------------------------------------------------


def test_tools_show_load_and_prices():
    tools = []
    swarmloom_register_tools(tools.append)
    protocol = make_protocol()
    work(protocol, rounds=300)
    swarm = SimpleNamespace(
        experts=CREW,
        host=SimpleNamespace(protocols={"orchestration": protocol}),
        state=lambda: {"experts": [{"name": e.name, "in_flight": 1} for e in CREW]},
    )
    load, prices = (json.loads(tool(swarm)) for tool in tools)
    assert [tool.name for tool in tools] == ["show_load", "show_prices"]
    assert load[0]["expert"] == "ace"
    assert load[0]["in_flight"] == 1
    assert sum(row["calls"] for row in load) == 300
    assert [row["expert"] for row in prices] == ["ace"]


def test_it_registers_its_protocol():
    found = []
    swarmloom_register_protocols(found.append)
    assert found == [Orchestration]


def test_configuration_is_described_and_checked():
    assert all(field.description for field in OrchestrationConfig.model_fields.values())
    with pytest.raises(ValidationError, match="price_memory"):
        OrchestrationConfig(price_memory=0)


@pytest.mark.parametrize(
    "read", [lambda one: one.load(), lambda one: one.prices, lambda one: one.swarmloom_snapshot()]
)
def test_nothing_is_read_in_the_middle_of_a_change(read, monkeypatch):
    protocol = make_protocol()
    adopt, readers = protocol._skills.adopt, []

    def adopt_slowly(skills):
        readers.append(threading.Thread(target=read, args=(protocol,)))
        readers[0].start()
        readers[0].join(0.05)
        readers.append(readers[0].is_alive())
        adopt(skills)

    monkeypatch.setattr(protocol._skills, "adopt", adopt_slowly)
    protocol.swarmloom_initialize(SimpleNamespace(experts=make_experts(3)))
    thread, waited = readers
    thread.join()
    assert waited
    assert len(protocol.load()) == 3
