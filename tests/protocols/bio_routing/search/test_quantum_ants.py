import numpy as np
import pytest
from scipy.linalg import expm

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search.colony import Budget, Colony
from swarmloom_protocols.bio_routing.search.construction import construct
from swarmloom_protocols.bio_routing.search.problem import SearchProblem
from swarmloom_protocols.bio_routing.search.quantum_ants import (
    amplified,
    amplified_pick,
    diffusion_proposals,
    quantum_walk_proposals,
)
from swarmloom_protocols.bio_routing.search.standard_problems import path_problem, tour_problem

WEIGHTS = np.array([1.0, 2.0, 3.0, 2.0], np.float32)
COSTS = np.array([1.0, 9.0, 9.0, 2.0])


def grover(probabilities, marked, rounds):
    """The state vector itself, turned by oracle and reflection."""
    start = np.sqrt(probabilities)
    state = start.copy()
    for _ in range(rounds):
        state = np.where(marked, -state, state)
        state = 2.0 * start * (start @ state) - state
    return state**2


@pytest.mark.row("B11")
@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_an_amplified_choice_has_the_probabilities_of_the_state_vector(rounds):
    ants = 40_000
    problem = SearchProblem.of([0, 4], range(4), COSTS, moves="decisions")
    found = construct(problem, WEIGHTS, ants, 1, pick=amplified_pick(0.8, rounds))
    expected = grover(WEIGHTS / WEIGHTS.sum(), 0.8 * (WEIGHTS @ COSTS) / 8.0 > COSTS, rounds)
    shares = np.bincount(found.following[:, 0], minlength=4) / ants
    np.testing.assert_allclose(shares, expected, atol=4 * np.sqrt(0.25 / ants))
    assert (found.queries == 1 + rounds).all()


@pytest.mark.row("B11")
def test_the_best_number_of_iterations():
    for share in (0.01, 0.1, 0.25, 0.4):
        best, rounds = amplified(share, -1)
        assert best >= max(amplified(share, other)[0] for other in (0, rounds - 1) if other >= 0)
        assert best > 0.5
    assert amplified(0.25, -1) == (pytest.approx(1.0), 1)
    assert amplified(0.5, -1) == (pytest.approx(0.5), 0)
    assert [amplified(share, -1) for share in (0.0, 1.0)] == [(0.0, 0), (1.0, 0)]


@pytest.mark.row("B11")
def test_grover_iterations_are_charged_as_evaluations():
    problem = tour_problem(np.random.default_rng(0).random((30, 2)))
    plain = Colony(problem, rng=np.random.default_rng(1), ants=10).run(Budget(iterations=5))
    pick = amplified_pick(0.8, 2)
    charged = Colony(problem, rng=np.random.default_rng(1), ants=10, pick=pick)
    assert plain.evaluations == 60.0
    assert 120.0 < charged.run(Budget(iterations=5)).evaluations <= 180.0


@pytest.mark.row("B11")
def test_proposals_are_those_of_the_matrix_exponential():
    problem = tour_problem(np.random.default_rng(2).random((12, 2)))
    weights = np.zeros((12, 12))
    weights[problem.sources, problem.graph.targets] = problem.desirability
    rates = 1.0 / np.sqrt(weights.sum(axis=1))
    walk = weights * rates[:, None] * rates
    pairs = problem.sources, problem.graph.targets
    quantum = np.abs(expm(-1.5j * walk)) ** 2
    np.testing.assert_allclose(
        quantum_walk_proposals(problem, 1.5).desirability,
        np.maximum(
            quantum[pairs], 1e-6 * (quantum - np.diag(np.diag(quantum))).max(axis=1)[pairs[0]]
        ),
        rtol=1e-9,
    )
    classical = expm(1.5 * (walk - np.eye(12)))
    np.testing.assert_allclose(
        diffusion_proposals(problem, 1.5).desirability, classical[pairs], rtol=1e-9
    )


def test_what_is_refused():
    with pytest.raises(InputError, match="directed problem"):
        quantum_walk_proposals(path_problem([0, 1], [1, 2], [1.0, 1.0], origin=0, sink=2))
    with pytest.raises(InputError, match="factor is 0"):
        amplified_pick(0.0)
    with pytest.raises(InputError, match="rounds is -1"):
        amplified_pick(0.5, -1)
    with pytest.raises(InputError, match="time is 0"):
        diffusion_proposals(tour_problem(np.eye(3)[:, :2]), 0.0)
