"""Annealed and enumerated couplings against trying everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from swarmloom.errors import InputError
from swarmloom_protocols.orchestration.assignment import solve_linear
from swarmloom_protocols.orchestration.coupled import assignment_value, solve_coupled
from tests.naive.orchestration import best_assignment, is_feasible, value_of


def random_problem(seed, tasks, experts, density=0.3):
    rng = np.random.default_rng(seed)
    affinity = rng.normal(size=(tasks, experts))
    affinity[rng.random(affinity.shape) < 0.2] = -np.inf
    size = affinity.size
    coupling = sparse.random_array((size, size), density=density, rng=rng, format="csr")
    coupling.data = rng.normal(size=coupling.nnz) * 2.0
    return affinity, rng.integers(0, 3, experts), coupling


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 3))
def test_enumeration_and_annealing_reach_the_optimum(seed, tasks, experts):
    affinity, capacity, coupling = random_problem(seed, tasks, experts)
    best = best_assignment(affinity, capacity, coupling.todense())
    for states, exact in ((10**6, True), (0, False)):
        rng = np.random.default_rng(seed)
        found = solve_coupled(affinity, capacity, coupling, rng, max_states=states, sweeps=2000)
        assert found.exact is exact
        assert is_feasible(affinity, capacity, found.expert)
        assert ((found.expert >= 0).sum(), found.value) == pytest.approx(best)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_value_is_what_the_definition_says(seed):
    affinity, _, coupling = random_problem(seed, 4, 3)
    expert = np.random.default_rng(seed).integers(-1, 3, 4)
    expert[[e >= 0 and affinity[t, e] == -np.inf for t, e in enumerate(expert)]] = -1
    expected = value_of(affinity, coupling.todense(), expert)
    assert assignment_value(affinity, coupling, expert) == pytest.approx(expected)


def test_value_without_couplings():
    assert assignment_value(np.array([[1.0, 2.0]]), None, np.array([1])) == 2.0


def test_large_problem_keeps_every_rule_and_gains_on_the_linear_choice():
    rng = np.random.default_rng(5)
    affinity = rng.normal(size=(60, 20)).astype(np.float32)
    affinity[rng.random(affinity.shape) < 0.3] = -np.inf
    capacity = np.full(20, 4)
    together = [
        (2 * pair * 20 + e, (2 * pair + 1) * 20 + e) for pair in range(30) for e in range(20)
    ]
    rows, columns = np.array(together).T
    coupling = sparse.csr_array((np.full(len(rows), 2.0), (rows, columns)), shape=(1200, 1200))
    found = solve_coupled(affinity, capacity, coupling, np.random.default_rng(0))
    linear = solve_linear(affinity, capacity)
    assert is_feasible(affinity, capacity, found.expert)
    assert (found.expert >= 0).sum() == (linear >= 0).sum() == 60
    together_now = (found.expert[::2] == found.expert[1::2]).sum()
    assert together_now > 18 > 5 > (linear[::2] == linear[1::2]).sum()
    assert found.value == pytest.approx(assignment_value(affinity, coupling, found.expert))


def test_a_waiting_task_can_take_a_place_that_a_coupling_makes_worth_more():
    affinity = np.array([[1.0], [1.1]])
    coupling = sparse.csr_array(np.diag([0.0, 0.0])) + sparse.csr_array(([3.0], ([0], [0])), (2, 2))
    for states in (0, 100):
        found = solve_coupled(
            affinity, [1], coupling, np.random.default_rng(0), max_states=states, sweeps=500
        )
        assert found.expert.tolist() == [0, -1]


def test_same_generator_same_result():
    affinity, capacity, coupling = random_problem(3, 12, 6)
    results = [
        solve_coupled(affinity, capacity, coupling, np.random.default_rng(9)).expert.tolist()
        for _ in range(2)
    ]
    assert results[0] == results[1]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_decide(shape):
    size = shape[0] * shape[1]
    found = solve_coupled(
        np.zeros(shape), [1] * shape[1], sparse.csr_array((size, size)), np.random.default_rng(0)
    )
    assert found.expert.tolist() == [-1] * shape[0]
    assert found.value == 0.0


def test_all_forbidden():
    coupling = sparse.csr_array(np.ones((4, 4)))
    found = solve_coupled(
        np.full((2, 2), -np.inf), [1, 1], coupling, np.random.default_rng(0), max_states=0
    )
    assert found.expert.tolist() == [-1, -1]


@pytest.mark.parametrize("coupling", [np.ones((3, 3)), np.full((4, 4), np.nan)])
def test_wrong_couplings_are_refused(coupling):
    with pytest.raises(InputError, match="coupling"):
        solve_coupled(
            np.zeros((2, 2)), [1, 1], sparse.csr_array(coupling), np.random.default_rng(0)
        )
