"""Ants that search: construction beside other packages, policies, quantum-style choice, growth.

Run with ``pytest tests/benchmarks/test_bio_routing_search.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` at full size.
"""

import os

import numpy as np
import pytest

from swarmloom.device import use_threads
from swarmloom_protocols.bio_routing.search import policies
from swarmloom_protocols.bio_routing.search.candidates import nearest, quadrants
from swarmloom_protocols.bio_routing.search.colony import Budget, Colony
from swarmloom_protocols.bio_routing.search.quantum_ants import (
    amplified_pick,
    diffusion_proposals,
    quantum_walk_proposals,
)
from swarmloom_protocols.bio_routing.search.standard_problems import (
    assignment_problem,
    semi_assignment_problem,
    tour_problem,
)
from swarmloom_protocols.bio_routing.search.tours.tsplib import read_tsplib
from tests.benchmarks.measuring import tell, timed

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
SEEDS = range(10 if FULL else 2)
SECONDS = 1.0 if FULL else 0.1
ANTS = 25
OPTIMA = {"eil51": 426, "berlin52": 7542, "kroA100": 21282, "lin318": 42029, "pr1002": 259045}
# CPU milliseconds an iteration of ACOTSP 1.03 (MMAS, 25 ants, 20 neighbours, no local search),
# measured on another day on a machine of the same type; it is not installed here.
ACOTSP_MS = {"kroA100": 0.35, "lin318": 2.2, "pr1002": 18.8}


def cities(shared_data, name):
    instance = read_tsplib(shared_data / "tsplib" / f"{name}.tsp")
    order = np.random.default_rng(0).permutation(len(instance.points))
    return instance.points[order], instance.rounding


def tours(shared_data, name):
    points, rounding = cities(shared_data, name)
    return tour_problem(points, rounding=rounding)


def gaps(problem, optimum, policy, budget, **options):
    found = [
        Colony(problem, policy, rng=np.random.default_rng(seed), **options).run(budget)
        for seed in SEEDS
    ]
    return np.array([100.0 * (result.cost / optimum - 1.0) for result in found])


def quartiles(values):
    return "{:.3f} [{:.3f}, {:.3f}]".format(*np.percentile(values, [50, 0, 100]))


@pytest.mark.parametrize("name", ACOTSP_MS)
def test_construction_beside_acotsp(benchmark, name, shared_data):
    problem = tours(shared_data, name)
    colony = Colony(problem, rng=np.random.default_rng(0), ants=ANTS)
    iterations = 200 if FULL else 20
    with use_threads(1):
        colony.run(Budget(iterations=iterations))
        _, seconds = timed(lambda: colony.run(Budget(iterations=iterations)), 8 if FULL else 2)
        _, built = timed(colony._build, 50)
    benchmark.pedantic(colony.step, rounds=1)
    step = 1e3 * seconds / iterations
    tell(
        benchmark,
        name,
        ms_an_iteration=step,
        ms_construction=1e3 * built,
        million_choices_a_second=ANTS * problem.n_nodes / built / 1e6,
        acotsp_ms=ACOTSP_MS[name],
        acotsp_over_ours=ACOTSP_MS[name] / step,
    )


def sko_seconds(points, ants):
    """CPU seconds that scikit-opt takes for a choice."""
    if not hasattr(np, "int"):
        np.int = int  # noqa: NPY001
    sko = pytest.importorskip("sko.ACA")
    n = len(points)
    distances = np.hypot(*(points[:, None] - points).transpose(2, 0, 1))

    def length(tour):
        return distances[tour, np.roll(tour, -1)].sum()

    colony = sko.ACA_TSP(length, n, size_pop=ants, max_iter=1, distance_matrix=distances)
    return timed(colony.run, 2)[1] / (ants * n)


def acopy_seconds(points, ants):
    """CPU seconds that acopy takes for a choice."""
    acopy = pytest.importorskip("acopy")
    import networkx as nx

    graph = nx.complete_graph(len(points))
    for a, b in graph.edges:
        graph[a][b]["weight"] = float(np.hypot(*(points[a] - points[b])))
    solver = acopy.Solver(rho=0.03, q=1)
    colony = acopy.Colony(alpha=1, beta=2)
    return timed(lambda: solver.solve(graph, colony, gen_size=ants, limit=1), 2)[1] / (
        ants * len(points)
    )


PEERS = {"scikit-opt": sko_seconds, "acopy": acopy_seconds}


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("n", (100, 300) if FULL else (50,))
def test_choices_beside_packages_from_pypi(benchmark, n, peer):
    points = np.random.default_rng(0).random((n, 2))
    theirs = PEERS[peer](points, ANTS)
    colony = Colony(tour_problem(points), rng=np.random.default_rng(0), ants=ANTS)
    ours = timed(colony.step, 50)[1] / (ANTS * n)
    benchmark.pedantic(colony.step, rounds=1)
    tell(benchmark, peer, n=n, ns_a_choice=1e9 * ours, times_ours=theirs / ours)


@pytest.mark.parametrize("name", ["eil51", "berlin52", "kroA100"])
def test_policies_without_local_search(benchmark, name, shared_data):
    problem = tours(shared_data, name)
    known = {
        "MMAS rho .1": policies.max_min(),
        "MMAS rho .02": policies.max_min(evaporation=0.02),
        "hybrid": policies.hybrid(),
        "hybrid wear .05": policies.hybrid(wear=0.05),
        "ACS": policies.ant_colony_system(),
        "rank-based": policies.rank_based(),
        "AS": policies.ant_system(),
    }
    budget = Budget(seconds=SECONDS, target=OPTIMA[name])
    found = {}
    for label, policy in known.items():
        Colony(problem, policy, rng=np.random.default_rng(0)).step()
        found[label] = quartiles(gaps(problem, OPTIMA[name], policy, budget))
    benchmark.pedantic(lambda: None, rounds=1)
    tell(benchmark, f"{name}: gap % in {SECONDS} CPU s, median [least, most]", **found)


def clustered(rng, n):
    return rng.integers(0, 1000, (8, 2))[rng.integers(0, 8, n)] + rng.normal(0.0, 15.0, (n, 2))


def test_quadrant_lists_where_cities_are_in_clusters(benchmark):
    found = {"nearest": [], "quadrants": []}
    for seed in SEEDS:
        points = clustered(np.random.default_rng(seed), 200)
        costs = {}
        for kind, make in (("nearest", nearest), ("quadrants", quadrants)):
            problem = tour_problem(points, lists=make(points, 20))
            colony = Colony(problem, rng=np.random.default_rng(seed))
            costs[kind] = colony.run(Budget(seconds=SECONDS)).cost
        for kind, cost in costs.items():
            found[kind].append(100.0 * (cost / min(costs.values()) - 1.0))
    benchmark.pedantic(lambda: None, rounds=1)
    tell(
        benchmark,
        "200 cities in 8 clusters: % above the better",
        **{kind: quartiles(values) for kind, values in found.items()},
    )


@pytest.mark.parametrize("name", ["eil51", "kroA100"])
def test_quantum_ants_at_equal_evaluations(benchmark, name, shared_data):
    problem = tours(shared_data, name)
    evaluations = 15_000.0 if FULL else 500.0
    budget = Budget(evaluations=evaluations)
    picks = {
        "one Grover iteration": amplified_pick(0.8, 1),
        "best number, marks < .8 of mean": amplified_pick(0.8),
        "best number, marks < .5 of mean": amplified_pick(0.5),
    }
    plain = gaps(problem, OPTIMA[name], None, budget)
    found = {"plain": plain}
    for label, pick in picks.items():
        found[label] = gaps(problem, OPTIMA[name], None, budget, pick=pick)
    for time in (1.0, 4.0):
        walk, control = quantum_walk_proposals(problem, time), diffusion_proposals(problem, time)
        found[f"quantum walk, t = {time:g}"] = gaps(walk, OPTIMA[name], None, budget)
        found[f"diffusion, t = {time:g}"] = gaps(control, OPTIMA[name], None, budget)
    benchmark.pedantic(lambda: None, rounds=1)
    lines = {}
    for label, values in found.items():
        worse = values - plain
        error = 2.26 * worse.std(ddof=1) / np.sqrt(worse.size)
        lines[label] = f"{np.median(values):.2f} (mean {worse.mean():+.2f} ± {error:.2f})"
    tell(benchmark, f"{name}: gap % after {evaluations:g} solutions", **lines)


def assignments(shared_data, name):
    numbers = np.array((shared_data / "gap" / f"{name}.txt").read_text().split(), float)
    agents, tasks = int(numbers[0]), int(numbers[1])
    costs, loads = numbers[2 : 2 + 2 * agents * tasks].reshape(2, agents, tasks)
    return assignment_problem(costs.T, loads.T, numbers[2 + 2 * agents * tasks :])


def placements(shared_data, name):
    rows = (shared_data / "qsap" / f"{name}.txt").read_text().split()
    n, sites, weight = int(rows[0]), int(rows[1]), float(rows[2])
    numbers = np.array(rows[3:], float)
    traffic, rest = numbers[: n * n].reshape(n, n), numbers[n * n :]
    distances, costs = rest[: sites**2].reshape(sites, sites), rest[sites**2 :].reshape(n, sites)
    return semi_assignment_problem(traffic, distances, costs, weight=weight)


@pytest.mark.parametrize(
    ("kind", "name", "best"),
    [
        (assignments, "c10200", 2806),
        (assignments, "d10200", 12432),
        (assignments, "e10200", 23307),
        (placements, "100_1", 3490341),
        (placements, "150_1", 6930942),
    ],
)
def test_assignments_without_local_search(benchmark, kind, name, best, shared_data):
    problem = kind(shared_data, name)
    Colony(problem, rng=np.random.default_rng(0)).step()
    values = gaps(problem, best, None, Budget(seconds=3.0 * SECONDS))
    benchmark.pedantic(lambda: None, rounds=1)
    tell(benchmark, name, gap=quartiles(values), seconds=3.0 * SECONDS)
