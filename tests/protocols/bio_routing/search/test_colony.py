import itertools
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search import policies
from swarmloom_protocols.bio_routing.search.colony import Budget, Colony
from swarmloom_protocols.bio_routing.search.problem import SearchProblem
from swarmloom_protocols.bio_routing.search.standard_problems import (
    assignment_problem,
    path_problem,
    semi_assignment_problem,
    tour_problem,
)
from swarmloom_protocols.bio_routing.search.tours.tsplib import read_tsplib
from tests.naive import ant_walks

POLICIES = {
    "ant system": policies.ant_system(),
    "elitist": policies.ant_system(elitists=5.0),
    "rank-based": policies.rank_based(),
    "ant colony system": policies.ant_colony_system(),
    "max-min": policies.max_min(),
    "hybrid": policies.hybrid(),
}
POINTS = np.random.default_rng(5).random((40, 2))


def search(problem, policy=None, seed=0, **budget):
    return Colony(problem, policy, rng=np.random.default_rng(seed)).run(Budget(**budget))


@pytest.mark.row("B1")
@pytest.mark.parametrize(
    ("name", "optimum", "most"),
    [("berlin52", 7542, 0.0), ("eil51", 426, 0.01), ("kroA100", 21282, 0.01)],
)
def test_tours_without_local_search_end_near_the_published_optimum(
    name, optimum, most, shared_data
):
    instance = read_tsplib(shared_data / "tsplib" / f"{name}.tsp")
    order = np.random.default_rng(9).permutation(len(instance.points))
    problem = tour_problem(instance.points[order], rounding=instance.rounding)
    target = np.floor(optimum * (1.0 + most))
    result = search(problem, iterations=3000, target=target)
    assert instance.length(order[result.sequence]) == result.cost
    assert optimum <= result.cost <= target


@pytest.mark.row("B1")
@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_beats_greedy_ants_and_random_walks(name):
    problem = tour_problem(POINTS)
    result = search(problem, POLICIES[name], iterations=300)
    greedy = result.improvements[0, 2]
    random = search(problem, replace(policies.ant_system(), alpha=0.0), iterations=300)
    assert result.cost < 0.97 * greedy
    assert result.cost < random.cost
    assert sorted(result.sequence) == list(range(40))
    closed = result.following[result.sequence]
    np.testing.assert_array_equal(closed, np.roll(result.sequence, -1))


@pytest.mark.row("B1")
@pytest.mark.parametrize("name", ["max-min", "hybrid"])
def test_trails_of_the_max_min_ant_system_stay_within_its_bounds(name):
    colony = Colony(tour_problem(POINTS), POLICIES[name], rng=np.random.default_rng(0))
    assert (colony.trails == colony.trails[0]).all()
    strongest = 0.0
    for _ in range(400):
        colony.step()
        low, high = colony.bounds()
        assert 0.0 < low < high
        # The least wears off towards itself, which rounds.
        assert colony.trails.min() >= low * (1.0 - 1e-12)
        assert colony.trails.max() <= high
        strongest = max(strongest, colony.trails.max() / colony.trails.min())
    assert strongest > 20.0


@pytest.mark.row("B1")
def test_bounds_are_those_of_the_paper():
    n, options, rho, best = 100, 20, 0.1, 1.25
    low, high = policies.max_min(evaporation=rho).bounds(best, n, options)
    chance = 0.05 ** (1 / n)
    assert high == pytest.approx(best / rho)
    assert low == pytest.approx(high * (1 - chance) / (10.5 * chance))


@pytest.mark.row("B1")
def test_the_local_rule_of_acs_takes_trails_towards_the_first():
    problem = tour_problem(POINTS)
    colony = Colony(
        problem, policies.ant_colony_system(wear=0.3), rng=np.random.default_rng(0), ants=8
    )
    first = 1.0 / 40
    np.testing.assert_allclose(colony.trails, first)
    strong = np.where(np.arange(problem.sources.size) % 3 == 0, 50.0 * first, first)
    colony.set_trails(strong)
    before = colony.trails.copy()
    colony._build()
    assert (colony.trails <= before).all()
    assert (colony.trails >= first * (1.0 - 1e-12)).all()
    assert (colony.trails < before).sum() > 40
    for _ in range(60):
        colony._build()
    walked = colony.trails < before
    assert np.median(colony.trails[walked]) < 1.5 * first


@pytest.mark.row("B4")
@pytest.mark.parametrize("name", ["ant system", "elitist", "rank-based", "max-min"])
def test_trails_follow_their_recursion(name):
    policy = POLICIES[name]
    problem = tour_problem(POINTS)
    colony = Colony(problem, policy, rng=np.random.default_rng(3), ants=6)
    reference = colony.run(Budget(iterations=30)).improvements[0, 2]
    before, number = colony.trails.copy(), colony.iterations
    colony.step()
    found, best = colony._found, colony._best
    ranked = np.argsort(found.costs, kind="stable")
    marking = {
        "ant system": [(found, ant, 1.0) for ant in range(6)],
        "elitist": [(found, ant, 1.0) for ant in range(6)],
        "rank-based": [(found, ant, 5.0 - rank) for rank, ant in enumerate(ranked[:5])],
        "max-min": [(found, ranked[0], 1.0)],
    }[name]
    assert number % 25 != 24
    rows = [found.following[ant] for _, ant, _ in marking]
    amounts = [weight * reference / found.costs[ant] for _, ant, weight in marking]
    extra = {"elitist": 5.0, "rank-based": 6.0}.get(name)
    if extra:
        rows.append(best.following)
        amounts.append(extra * reference / best.cost)
    expected = ant_walks.renewed(
        problem.sources,
        problem.graph.targets,
        rows,
        amounts,
        before,
        1.0 - policy.evaporation,
        True,
        True,
        *colony.bounds(),
    )
    np.testing.assert_allclose(colony.trails, expected, rtol=1e-12)


@pytest.mark.row("B4")
def test_evaporation_alone_is_exponential():
    problem = tour_problem(POINTS)
    colony = Colony(problem, policies.ant_system(evaporation=0.2), rng=np.random.default_rng(0))
    before = colony.trails.copy()
    none = np.empty((0, 40), np.int32)
    for _ in range(7):
        colony._renew(none, np.empty(0), kept=0.8)
    np.testing.assert_allclose(colony.trails, before * 0.8**7)


@pytest.mark.parametrize("name", POLICIES)
def test_the_same_seed_gives_the_same_run_on_any_number_of_threads(name):
    problem = tour_problem(np.random.default_rng(1).random((120, 2)))

    def run():
        colony = Colony(problem, POLICIES[name], rng=np.random.default_rng(4), ants=300)
        result = colony.run(Budget(iterations=3))
        return result.cost, result.following, colony.trails

    for ours, theirs in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    expected = run()
    with use_threads(3):
        for ours, theirs in zip(run(), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_the_unit_of_costs_does_not_matter():
    small, large = (
        search(tour_problem(POINTS * unit), seed=2, iterations=50) for unit in (2.0**-60, 2.0**60)
    )
    np.testing.assert_array_equal(small.sequence, large.sequence)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_cities_and_cities_in_one_place(n):
    points = np.arange(2.0 * n).reshape(n, 2)
    best = search(tour_problem(points), iterations=3).cost
    assert best == pytest.approx({1: 0.0, 2: 2 * 8**0.5, 3: 4 * 8**0.5}[n])
    assert search(tour_problem(np.zeros((n + 2, 2))), iterations=3).cost == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_paths_end_at_the_shortest(seed):
    graph = nx.gnp_random_graph(30, 0.15, seed=seed, directed=True)
    rng = np.random.default_rng(seed)
    for a, b in graph.edges:
        graph[a][b]["cost"] = float(rng.random()) + 0.05
    pairs = [(a, b, graph[a][b]["cost"]) for a, b in graph.edges]
    reached, optimum = nx.single_source_dijkstra(graph, 0, weight="cost")[0], None
    sink = max(reached, key=lambda node: reached[node])
    optimum = reached[sink]
    problem = path_problem(*zip(*pairs, strict=True), origin=0, sink=sink)
    result = search(problem, iterations=400, target=optimum * (1 + 1e-12))
    assert result.cost == pytest.approx(optimum)
    assert result.sequence[0] == 0
    assert result.sequence[-1] == sink


def test_assignments_without_tight_capacities_end_at_the_optimum():
    costs = np.random.default_rng(0).integers(1, 50, (8, 5)).astype(float)
    result = search(assignment_problem(costs, np.ones((8, 5)), np.full(5, 8.0)), iterations=300)
    assert result.cost == costs.min(axis=1).sum()
    assert result.overload == 0.0


def test_assignments_keep_to_capacities_and_end_near_the_optimum():
    rng = np.random.default_rng(1)
    costs = rng.integers(1, 50, (12, 4)).astype(float)
    # With unit loads and three places each this is a matching.
    rows, columns = linear_sum_assignment(np.repeat(costs, 3, axis=1))
    optimum = np.repeat(costs, 3, axis=1)[rows, columns].sum()
    result = search(assignment_problem(costs, np.ones((12, 4)), np.full(4, 3.0)), iterations=1500)
    assert (np.bincount(result.following, minlength=4) == 3).all()
    assert result.overload == 0.0
    assert optimum <= result.cost <= 1.02 * optimum


def test_what_overloads_says_so():
    # Two of three unit tasks fit, and only one of the loads is small enough to say so beforehand.
    problem = assignment_problem(
        np.ones((3, 2)), [[1.0, 9.0], [1.0, 9.0], [0.6, 0.6]], [1.5, 1.5], penalty=4.0
    )
    result = search(problem, iterations=20)
    assert result.overload == pytest.approx(0.5)
    assert result.cost == pytest.approx(3.0 + 4.0 * 0.5)
    failing = replace(problem, graph=problem.graph._replace(penalty=0.0))
    nothing = search(failing, iterations=20)
    assert nothing.cost == np.inf
    assert nothing.sequence.size == 0


@pytest.mark.parametrize("name", ["c10200"])
def test_a_public_assignment_instance_within_three_percent(name, shared_data):
    numbers = np.array((shared_data / "gap" / f"{name}.txt").read_text().split(), float)
    agents, tasks = int(numbers[0]), int(numbers[1])
    costs, loads = numbers[2 : 2 + 2 * agents * tasks].reshape(2, agents, tasks)
    problem = assignment_problem(costs.T, loads.T, numbers[2 + 2 * agents * tasks :])
    result = search(problem, iterations=800)
    assert result.overload == 0.0
    assert costs[result.following, np.arange(tasks)].sum() == result.cost
    assert 2806 <= result.cost <= 1.03 * 2806


def test_a_quadratic_assignment_ends_at_the_optimum_of_all():
    rng = np.random.default_rng(2)
    traffic, distances, costs = rng.random((6, 6)), rng.random((3, 3)), rng.random((6, 3))
    total = min(
        costs[range(6), sites].sum() + 2.0 * (traffic * distances[np.ix_(sites, sites)]).sum()
        for sites in itertools.product(range(3), repeat=6)
    )
    problem = semi_assignment_problem(traffic, distances, costs, weight=2.0)
    assert search(problem, iterations=200).cost == pytest.approx(total)


def test_local_search_of_the_users_own_is_applied():
    calls = []

    def improve(following, sequences, lengths, costs):
        calls.append(len(costs))
        costs[0] = 0.25

    result = search(replace(tour_problem(POINTS), improve=improve), iterations=4)
    assert calls == [25] * 5
    assert result.cost == 0.25


def test_a_converged_colony_starts_again():
    problem = tour_problem(np.random.default_rng(6).random((10, 2)))
    patient = policies.max_min(patience=10**6)
    assert search(problem, patient, iterations=1000).restarts == 0
    colony = Colony(problem, rng=np.random.default_rng(0))
    while colony.restarts == 0 and colony.iterations < 1000:
        colony.step()
    assert colony.restarts == 1
    np.testing.assert_allclose(colony.trails, colony.bounds()[1])


def test_budgets_end_runs_and_further_runs_go_on():
    colony = Colony(tour_problem(POINTS), rng=np.random.default_rng(0), ants=10)
    assert colony.run(Budget(iterations=7)).iterations == 7
    assert colony.run(Budget(evaluations=35.0)).iterations == 11
    result = colony.run(Budget(iterations=10**6, seconds=0.05))
    assert result.iterations > 11
    assert result.seconds >= 0.05
    assert colony.run(Budget(iterations=5, target=1e9)).iterations == result.iterations + 1
    assert result.evaluations == 10.0 * (result.iterations + 1)


def test_the_trace_says_how_the_search_went():
    lines = []
    colony = Colony(tour_problem(POINTS), rng=np.random.default_rng(0))
    result = colony.run(Budget(iterations=350), on_progress=lines.append)
    assert tuple(lines) == result.trace
    assert [line.iteration for line in lines] == [100, 200, 300, 350]
    assert lines[-1].best == result.cost
    assert lines[-1].entropy < lines[0].entropy
    assert (np.diff([line.seconds for line in lines]) >= 0).all()
    assert (np.diff(result.improvements[:, 2]) < 0).all()
    assert result.improvements[-1, 2] == result.cost


def test_trails_can_be_read_kept_and_put_back():
    problem = tour_problem(POINTS)
    colony = Colony(problem, rng=np.random.default_rng(0))
    colony.run(Budget(iterations=200))
    matrix = colony.trail_matrix()
    assert matrix.shape == (40, 40)
    np.testing.assert_array_equal(matrix[problem.sources, problem.graph.targets], colony.trails)
    with pytest.raises(ValueError, match="read-only"):
        colony.trails[0] = 1.0
    heir = Colony(problem, rng=np.random.default_rng(1))
    heir.set_trails(colony.trails)
    assert (
        heir.progress().entropy
        < 0.7 * Colony(problem, rng=np.random.default_rng(1)).progress().entropy
    )
    kept = heir.trails.copy()
    for wrong in (kept[:-1], kept * np.nan, -kept):
        with pytest.raises(InputError, match="trails of shape"):
            heir.set_trails(wrong)
    np.testing.assert_array_equal(heir.trails, kept)


def minus_one(cost, following, sequence, data):
    return -1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Budget(), "give iterations, seconds or evaluations"),
        (lambda: Budget(target=3.0), "give iterations"),
        (lambda: Budget(iterations=0), "iterations is 0"),
        (lambda: Budget(seconds=float("nan")), "seconds is nan"),
        (lambda: policies.max_min(evaporation=0.0), "evaporation is 0"),
        (lambda: policies.ant_colony_system(greediness=1.5), "greediness is 1.5"),
        (lambda: policies.rank_based(ranks=0), "ranks is 0"),
        (lambda: policies.Policy("bees", 0.1), "kind is 'bees'"),
        (lambda: Colony(tour_problem(POINTS), rng=3), "rng is 3"),
        (lambda: Colony(tour_problem(POINTS), rng=np.random.default_rng(), ants=0), "ants is 0"),
        (
            lambda: search(
                SearchProblem.of([0, 1], [0], [1.0], moves="decisions", evaluate=minus_one),
                iterations=1,
            ),
            "evaluate returned -1",
        ),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
