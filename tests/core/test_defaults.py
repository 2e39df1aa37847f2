from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.defaults import greedy_decision, majority_verdict
from swarmloom.mixing import mix
from swarmloom.types import Ballot, Expert, Proposal
from tests.core.rounds import make_round


def decide(affinity, allowed=None, experts=None, **options):
    affinity = np.asarray(affinity, np.float32)
    round = make_round(affinity.shape[0], experts or affinity.shape[1], allowed=allowed, **options)
    mixture = mix([("a", Proposal(affinity))], {"a": 1.0}, round.allowed)
    return greedy_decision(round, mixture)


def ballots(*answers):
    return [Ballot("t", i, a, error=None if a else "failed") for i, a in enumerate(answers)]


def test_each_task_gets_its_best_expert():
    assert decide([[0.0, 2.0], [3.0, 1.0]]).tolist() == [1, 0]


def test_forbidden_choices_are_never_made():
    assert decide([[9.0, 0.0], [9.0, 9.0]], allowed=[[0, 1], [0, 0]]).tolist() == [1, -1]


def test_capacity_holds_with_calls_in_flight():
    experts = [Expert("a", capacity=2), Expert("b", capacity=1)]
    chosen = decide([[5.0, 0.0]] * 3, experts=experts, in_flight=[1, 0])
    assert sorted(chosen.tolist()) == [-1, 0, 1]


def test_ties_go_to_the_cheaper_expert():
    experts = [Expert("dear", price=2.0), Expert("cheap", price=1.0)]
    assert decide([[1.0, 1.0]] * 4, experts=experts).tolist() == [1] * 4


def test_full_ties_are_broken_by_the_rounds_own_lot():
    first = [decide(np.zeros((8, 4)), seed=seed).tolist() for seed in (1, 1, 2)]
    assert first[0] == first[1] != first[2]


@given(st.integers(0, 5), st.integers(1, 5), st.integers(0, 2**31), st.data())
def test_greedy_never_exceeds_capacity_and_leaves_nobody_waiting_in_vain(n, m, seed, data):
    rng = np.random.default_rng(seed)
    allowed = rng.random((n, m)) < 0.6
    experts = [Expert(f"e{j}", capacity=data.draw(st.integers(1, 3))) for j in range(m)]
    chosen = decide(rng.normal(size=(n, m)), allowed=allowed, experts=experts)
    load = np.bincount(chosen[chosen >= 0], minlength=m)
    room = np.array([expert.capacity for expert in experts]) - load
    assert (room >= 0).all()
    for task in np.flatnonzero(chosen < 0):
        assert not (allowed[task] & (room > 0)).any()
    for task in np.flatnonzero(chosen >= 0):
        assert allowed[task, chosen[task]]


def test_majority_waits_for_a_first_answer():
    assert majority_verdict("t", [], 3).stop is False
    assert majority_verdict("t", ballots(None), 3).answer is None


def test_majority_stops_when_the_leader_cannot_be_caught():
    assert not majority_verdict("t", ballots("x"), 3).stop
    verdict = majority_verdict("t", ballots("x", "x"), 3)
    assert verdict.stop
    assert verdict.answer == "x"
    assert not majority_verdict("t", ballots("x", "y"), 3).stop


def test_posterior_is_the_share_of_the_votes():
    verdict = majority_verdict("t", ballots("x", "y", "x", None), 5)
    assert verdict.posterior == pytest.approx({"x": 2 / 3, "y": 1 / 3})
    assert verdict.confidence == pytest.approx(2 / 3)


def test_ties_go_to_the_earlier_answer():
    assert majority_verdict("t", ballots("y", "x"), 2).answer == "y"
