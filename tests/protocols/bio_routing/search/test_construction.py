import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.device import use_threads
from swarmloom.errors import InputError, MemoryLimitError
from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.search.candidates import nearest
from swarmloom_protocols.bio_routing.search.construction import construct
from swarmloom_protocols.bio_routing.search.problem import SearchProblem
from swarmloom_protocols.bio_routing.search.standard_problems import (
    assignment_problem,
    path_problem,
    tour_problem,
)
from tests.naive import ant_walks


def equal_weights(problem):
    return np.ones(problem.sources.size, np.float32)


@settings(max_examples=25)
@given(st.integers(1, 14), st.integers(1, 6), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 99))
def test_tours_are_those_of_the_naive_ant(n, k, greediness, seed):
    rng = np.random.default_rng(seed)
    points = rng.random((n, 2))
    lists = nearest(points, k)
    choice = rng.random(lists.shape).astype(np.float32) + np.float32(1e-3)
    problem = tour_problem(points, lists=lists)
    found = construct(problem, choice.ravel(), 3, seed, greediness=greediness)
    for ant in range(3):
        tour, cost = ant_walks.tour_ant(points, lists, choice, seed, ant, greediness)
        assert found.sequences[ant].tolist() == tour
        assert found.costs[ant] == pytest.approx(cost)
        assert found.following[ant, tour].tolist() == [*tour[1:], tour[0]]


@settings(max_examples=25)
@given(st.integers(0, 999))
def test_paths_are_those_of_the_naive_ant(seed):
    rng = np.random.default_rng(seed)
    n = 8
    links = {node: {} for node in range(n)}
    for node in range(n):
        links[node][(node + 1) % n] = 1.0
        for target in rng.permutation(n)[:3].tolist():
            if target != node:
                links[node][target] = float(rng.random())
    pairs = [(a, b, cost) for a, row in links.items() for b, cost in row.items()]
    problem = path_problem(*zip(*pairs, strict=True), origin=0, sink=n - 1)
    choice = rng.random(problem.sources.size).astype(np.float32) + np.float32(1e-3)
    rows = {node: sorted(row.items()) for node, row in links.items()}
    weights = np.split(choice, problem.graph.starts[1:-1])
    found = construct(problem, choice, 5, seed)
    for ant in range(5):
        path, cost = ant_walks.path_ant(rows, weights, 0, n - 1, seed, ant)
        assert found.sequences[ant, : found.lengths[ant]].tolist() == path
        assert found.costs[ant] == pytest.approx(cost)
        assert (found.sequences[ant, len(path) :] == -1).all()


@settings(max_examples=25)
@given(st.integers(0, 999), st.floats(0.8, 2.0))
def test_assignments_are_those_of_the_naive_ant(seed, room):
    rng = np.random.default_rng(seed)
    costs, loads = rng.random((9, 3)), rng.random((9, 3))
    capacities = np.full(3, max(room, loads.min(axis=1).sum() / 3, loads.min(axis=1).max()))
    problem = assignment_problem(costs, loads, capacities, penalty=5.0)
    choice = rng.random((9, 3)).astype(np.float32) + np.float32(1e-3)
    found = construct(problem, choice.ravel(), 4, seed)
    for ant in range(4):
        taken, cost = ant_walks.assignment_ant(costs, loads, capacities, 5.0, choice, seed, ant)
        assert found.following[ant].tolist() == taken
        assert found.costs[ant] == pytest.approx(cost)


def test_an_ant_takes_options_in_proportion_to_their_weights():
    costs, ants = np.ones((1, 4)), 40_000
    problem = SearchProblem.of([0, 4], range(4), costs[0], moves="decisions")
    weights = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    found = construct(problem, weights, ants, 7)
    shares = np.bincount(found.following[:, 0], minlength=4) / ants
    np.testing.assert_allclose(shares, weights / 10.0, atol=4 * np.sqrt(0.25 / ants))


def test_the_same_solutions_on_any_number_of_threads_and_of_ants():
    points = np.random.default_rng(1).random((400, 2))
    points.setflags(write=False)
    problem = tour_problem(points)
    found = construct(problem, equal_weights(problem), 200, 11)
    with use_threads(3):
        again = construct(problem, equal_weights(problem), 200, 11)
    few = construct(problem, equal_weights(problem), 3, 11)
    for name in ("following", "sequences", "lengths", "costs", "queries"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
        np.testing.assert_array_equal(getattr(few, name), getattr(found, name)[:3])


def differs_from_neighbours(node, target, following, room, neighbours):
    return following[neighbours[node, 0]] != target and following[neighbours[node, 1]] != target


@kernel
def colours_used(cost, following, sequence, data):
    return float(following.max() + 1)


def test_a_problem_of_ones_own_with_a_rule_and_a_cost_that_numba_compiles():
    # A ring of six nodes in two colours: whoever begins at two ends may get stuck in the middle.
    neighbours = np.array([[5, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 0]])
    problem = SearchProblem.of(
        np.arange(7) * 2,
        np.tile(np.arange(2), 6),
        np.zeros(12),
        moves="shuffled",
        feasible=differs_from_neighbours,
        evaluate=colours_used,
        data=neighbours,
    )
    found = construct(problem, equal_weights(problem), 200, 3)
    right = np.isfinite(found.costs)
    assert right.any()
    assert not right.all()
    following = found.following[right]
    assert (following[:, neighbours] != following[:, :, None]).all()
    assert (found.costs[right] == 2.0).all()
    with pytest.raises(InputError, match="functions of your own"):
        construct(problem, equal_weights(problem), 2, 3, device="cuda")


def test_targets_taken_once_make_a_permutation():
    n = 6
    problem = SearchProblem.of(
        np.arange(n + 1) * n, np.tile(np.arange(n), n), np.ones(n * n), moves="decisions", once=True
    )
    found = construct(problem, equal_weights(problem), 50, 5)
    np.testing.assert_array_equal(np.sort(found.following, axis=1), np.tile(np.arange(n), (50, 1)))
    assert len(np.unique(found.following, axis=0)) > 40


def test_more_ants_than_memory_allows_are_refused():
    problem = tour_problem(np.random.default_rng(0).random((50, 2)))
    with pytest.raises(MemoryLimitError, match="the machine has"):
        construct(problem, equal_weights(problem), 1 << 50, 0)


LINE = ([0, 1, 2, 2], [1, 2], [1.0, 1.0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SearchProblem.of([0, 1], [0, 1], [1.0, 1.0]), "starts must rise"),
        (lambda: SearchProblem.of([0, 2, 1], [1], [1.0]), "starts must rise"),
        (lambda: SearchProblem.of([0, 1, 2], [1, 2], [1.0, 1.0]), "node 1 has target 2"),
        (lambda: SearchProblem.of([0, 1, 1], [0], [1.0]), "node 0 has target 0; .* another node"),
        (lambda: SearchProblem.of([0, 2, 2], [1, 1], [1.0, 1.0]), "node 0 has target 1 twice"),
        (lambda: SearchProblem.of(LINE[0], LINE[1], [1.0, -1.0]), r"costs\[1\] is -1"),
        (lambda: SearchProblem.of(LINE[0], LINE[1], [np.nan, 1.0]), r"costs\[0\] is nan"),
        (lambda: SearchProblem.of(*LINE, moves="fly"), "moves is 'fly'"),
        (lambda: SearchProblem.of(*LINE, origin=3), "origin is 3"),
        (lambda: SearchProblem.of(*LINE, loads=[1.0, 1.0]), "loads and capacities together"),
        (lambda: SearchProblem.of(*LINE, desirability=[1.0, 0.0]), r"desirability\[1\] is 0"),
        (
            lambda: SearchProblem.of(*LINE, loads=[1.0, 1.0], capacities=[1.0, 0.0, 1.0]),
            r"capacities\[1\] is 0",
        ),
        (lambda: path_problem([0, 2], [1, 3], [1.0, 1.0], origin=0, sink=3), "no path leads"),
        (lambda: path_problem([0], [1], [1.0], origin=0, sink=5), "sink is 5"),
        (lambda: path_problem([0], [1], [1.0], origin=1, sink=1), "different nodes"),
        (lambda: assignment_problem([[1.0]], [[2.0]], [1.0]), "task 0 fits into no agent"),
        (lambda: assignment_problem([[1.0]] * 2, [[1.0]] * 2, [1.5]), "all tasks take 2"),
        (lambda: assignment_problem([[1.0, np.nan]], [[1.0, 1.0]], [1.0, 1.0]), r"costs\[0, 1\]"),
        (lambda: tour_problem([]), "at least one city"),
        (lambda: tour_problem([[0.0, 0.0], [np.nan, 1.0]]), r"points\[1, 0\]"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
