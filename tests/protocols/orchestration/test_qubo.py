"""QUBO: exact conversions, exact enumeration, penalties that the objective sets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from swarmloom.errors import InputError
from swarmloom_protocols.orchestration.qubo import (
    Qubo,
    assignment_to_qubo,
    ising_to_qubo,
    minimise_exhaustively,
    qubo_to_ising,
)
from tests.naive.orchestration import best_assignment, is_feasible, qubo_energies, value_of


def random_qubo(seed, size):
    rng = np.random.default_rng(seed)
    pairs = np.triu(rng.integers(-9, 10, (size, size)), 1) * (rng.random((size, size)) < 0.5)
    return Qubo(rng.integers(-9, 10, size) * 1.0, sparse.csr_array(pairs * 1.0), 3.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_ising_and_qubo_agree_exactly_in_every_state(seed, size):
    qubo = random_qubo(seed, size)
    ising = qubo_to_ising(qubo)
    back = ising_to_qubo(ising)
    for x, energy in qubo_energies(qubo):
        state = np.array(x)
        assert qubo.energy(state) == energy
        assert ising.energy(2 * state - 1) == energy
        assert back.energy(state) == energy


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_gray_code_finds_the_minimum(seed, size):
    qubo = random_qubo(seed, size)
    x, energy = minimise_exhaustively(qubo)
    assert energy == min(energy for _, energy in qubo_energies(qubo))
    assert qubo.energy(x) == energy


@pytest.mark.row("O2")
def test_all_states_of_twenty_variables():
    qubo = random_qubo(11, 20)
    lowest = np.inf
    for states in np.arange(1 << 20).reshape(64, -1):
        bits = (states[:, None] >> np.arange(20)) & 1
        lowest = min(lowest, qubo.energy(bits).min())
    assert minimise_exhaustively(qubo)[1] == lowest


def test_too_many_variables_are_refused():
    with pytest.raises(InputError, match="31 variables"):
        minimise_exhaustively(Qubo(np.zeros(31), sparse.csr_array((31, 31))))


@st.composite
def assignments(draw):
    tasks, experts = draw(st.sampled_from([(1, 1), (2, 2), (3, 2), (2, 3), (4, 2)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.01, 1.0, 100.0]))
    affinity = rng.normal(size=(tasks, experts)) * scale
    affinity[rng.random(affinity.shape) < 0.2] = -np.inf
    coupling = None
    if draw(st.booleans()):
        coupling = sparse.random_array((affinity.size,) * 2, density=0.4, rng=rng, format="csr")
        coupling.data = rng.normal(size=coupling.nnz) * scale
    return affinity, rng.integers(0, 4, experts), coupling


@settings(max_examples=80, deadline=None)
@given(assignments())
def test_the_minimum_is_the_best_assignment(problem):
    affinity, capacity, coupling = problem
    problem = assignment_to_qubo(affinity, capacity, coupling)
    x, energy = minimise_exhaustively(problem.qubo)
    expert = problem.decode(x)
    dense = None if coupling is None else coupling.todense()
    count, value = best_assignment(affinity, capacity, dense)
    assert is_feasible(affinity, capacity, expert)
    assert ((expert >= 0).sum(), value_of(affinity, dense, expert)) == pytest.approx((count, value))
    # In an optimum no penalty is paid.
    assert energy == pytest.approx(-value - count * problem.reward)


@pytest.mark.row("O2")
@pytest.mark.parametrize("scale", [-1000.0, -1.0, -1e-6, 1e-6, 1.0, 1000.0])
def test_the_zero_vector_is_never_optimal(scale):
    """Even where every choice loses, and at any scale, work is assigned rather than left."""
    rng = np.random.default_rng(1)
    for _ in range(10):
        affinity = scale * rng.random((3, 3))
        problem = assignment_to_qubo(affinity, [1, 1, 1])
        x, energy = minimise_exhaustively(problem.qubo)
        assert (problem.decode(x) >= 0).all()
        assert problem.qubo.energy(np.zeros_like(x)) > energy


def test_every_broken_rule_costs_more_than_it_earns():
    """From any state that breaks a rule, some state that breaks none is better."""
    affinity = np.array([[9.0, 8.0], [7.0, -5.0]])
    problem = assignment_to_qubo(affinity, [1, 1])
    size = len(problem.qubo.linear)
    _, lowest = minimise_exhaustively(problem.qubo)
    for x in itertools.product((0, 1), repeat=size):
        on = [(t, e) for t, e, bit in zip(problem.task, problem.expert, x, strict=False) if bit]
        doubled = len({t for t, _ in on}) < len(on) or len({e for _, e in on}) < len(on)
        if doubled:
            assert problem.qubo.energy(np.array(x)) > lowest + 1.0


def test_capacities_that_cannot_bind_need_no_slack():
    assert len(assignment_to_qubo(np.zeros((3, 2)), [3, 1]).qubo.linear) == 6 + 1


def test_decode_refuses_two_experts():
    problem = assignment_to_qubo(np.zeros((1, 2)), [1, 1])
    with pytest.raises(InputError, match="two experts"):
        problem.decode(np.array([1, 1]))


def test_nothing_allowed():
    problem = assignment_to_qubo(np.full((2, 2), -np.inf), [1, 1])
    assert problem.decode(minimise_exhaustively(problem.qubo)[0]).tolist() == [-1, -1]
