"""Allocation beside its rivals: SciPy's assignment solvers, NetworkX, OR-Tools.

Run with ``pytest tests/benchmarks/test_consensus_allocation.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` at full size.
"""

import os

import networkx as nx
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from swarmloom_protocols.consensus.allocation.auction import auction
from swarmloom_protocols.consensus.allocation.balance import balance_load
from swarmloom_protocols.consensus.allocation.bundles import bundle_bidding, discounted
from swarmloom_protocols.consensus.allocation.emergence import (
    cosine_similarity,
    emergent_allocation,
)
from swarmloom_protocols.consensus.allocation.market import market_prices
from swarmloom_protocols.orchestration.assignment import solve_priced
from tests.benchmarks.measuring import tell, timed

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
ROUNDS = (20, 100, 300, 1000) if FULL else (20,)
WIDE = (600, 1000) if FULL else (60, 100)
SIZES = (100, 500, 1000, 2000) if FULL else (200,)


def distances(rng, n):
    here, there = rng.random((n, 1, 2)), rng.random((1, n, 2))
    return -np.sqrt(((here - there) ** 2).sum(axis=-1))


def sparse_values(rng, n):
    values = np.where(rng.random((n, n)) < 0.03, rng.random((n, n)), -np.inf)
    values[np.arange(n), rng.permutation(n)] = rng.random(n)
    return values


def cosines(rng, n):
    return cosine_similarity(rng.standard_normal((n, 16)), rng.standard_normal((n, 16)))


def blocks(rng, n):
    alike = rng.integers(0, 10, (n, 1)) == rng.integers(0, 10, (1, n))
    return alike + 0.01 * rng.random((n, n))


VALUES = {
    "uniform": lambda rng, n: rng.random((n, n)),
    "distances": distances,
    "distances on a line": lambda rng, n: -np.abs(rng.random((n, 1)) - rng.random((1, n))),
    "|i - j|": lambda rng, n: np.abs(np.arange(n)[:, None] - np.arange(float(n))),
    "blocks": blocks,
    "products": lambda rng, n: rng.random((n, 1)) * rng.random((1, n)),
    "i * j": lambda rng, n: np.arange(n)[:, None] * np.arange(float(n)),
    "-i * j": lambda rng, n: -np.arange(n)[:, None] * np.arange(float(n)),
    "correlated": lambda rng, n: rng.random((n, 1)) + rng.random((1, n)) + 0.3 * rng.random((n, n)),
    "whole to 3": lambda rng, n: rng.integers(0, 3, (n, n)).astype(float),
    "whole to 10": lambda rng, n: rng.integers(0, 10, (n, n)).astype(float),
    "whole to 1000": lambda rng, n: rng.integers(0, 1000, (n, n)).astype(float),
    "sparse": sparse_values,
    "cosines": cosines,
    "log-normal": lambda rng, n: rng.lognormal(0.0, 2.0, (n, n)),
    "Cauchy": lambda rng, n: rng.standard_cauchy((n, n)),
    "Pareto": lambda rng, n: rng.pareto(1.0, (n, n)),
    "beta(0.1, 0.1)": lambda rng, n: rng.beta(0.1, 0.1, (n, n)),
}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", VALUES)
def test_auction_beside_shortest_augmenting_paths(benchmark, kind, n):
    values = VALUES[kind](np.random.default_rng(1), n)
    auction(values[:5, :5] if kind != "sparse" else np.ones((5, 5)))
    result, ours = timed(lambda: auction(values, gap=2e-4), 5)
    proven, exact = timed(lambda: auction(values, gap=0.0), 2)
    (rows, columns), theirs = timed(lambda: linear_sum_assignment(values, maximize=True), 3)
    best = values[rows, columns].sum()
    assert result.bound >= best - 1e-9 * abs(best)
    benchmark.pedantic(lambda: auction(values, gap=2e-4), rounds=1)
    tell(
        benchmark,
        kind=kind,
        n=n,
        ms=1e3 * ours,
        scipy_ms=1e3 * theirs,
        scipy_over_ours=theirs / ours,
        proven_gap=result.gap,
        true_gap=(best - result.value) / abs(best),
        bids=result.bids,
        exact_ms=1e3 * exact,
        exact_gap=(best - proven.value) / abs(best),
    )


@pytest.mark.parametrize("kind", ["uniform", "products", "distances on a line"])
def test_auction_on_matrices_that_are_not_square(benchmark, kind):
    rows, columns = WIDE
    values = VALUES[kind](np.random.default_rng(1), columns)[:rows]
    auction(values[:5, :5])
    result, ours = timed(lambda: auction(values, gap=2e-4), 5)
    chosen, theirs = timed(lambda: linear_sum_assignment(values, maximize=True), 3)
    assert result.bound >= values[chosen].sum() - 1e-9
    benchmark.pedantic(lambda: auction(values, gap=2e-4), rounds=1)
    tell(benchmark, kind=kind, shape=WIDE, ms=1e3 * ours, scipy_over_ours=theirs / ours)


@pytest.mark.parametrize("n", ROUNDS)
@pytest.mark.parametrize("kind", ["uniform", "correlated"])
def test_auction_beside_the_rounds_of_orchestration(benchmark, kind, n):
    values = VALUES[kind](np.random.default_rng(1), n)
    places = np.ones(n, np.int64)
    auction(values[:5, :5])
    result, ours = timed(lambda: auction(values, gap=0.0), 5)
    priced, theirs = timed(lambda: solve_priced(values, places), 5)
    assert values[np.arange(n), priced.expert].sum() == pytest.approx(result.value)
    benchmark.pedantic(lambda: auction(values, gap=0.0), rounds=1)
    tell(benchmark, kind=kind, n=n, auction_ms=1e3 * ours, solve_priced_ms=1e3 * theirs)


def test_auction_beside_networkx_and_ortools(benchmark):
    n = 100
    values = np.random.default_rng(2).integers(0, 10_000, (n, n)).astype(float)
    result, ours = timed(lambda: auction(values, gap=0.0), 5)
    graph = nx.Graph()
    graph.add_weighted_edges_from((i, n + j, values[i, j]) for i in range(n) for j in range(n))
    matched, networkx = timed(lambda: nx.max_weight_matching(graph, True))
    assert sum(graph[a][b]["weight"] for a, b in matched) == result.value
    facts = {"ms": 1e3 * ours, "networkx_ms": 1e3 * networkx}
    try:
        from ortools.graph.python import linear_sum_assignment as solver
    except ImportError:
        facts["ortools"] = "not installed"
    else:
        rows, columns = (axis.ravel() for axis in np.indices((n, n)))

        def solve():
            task = solver.SimpleLinearSumAssignment()
            task.add_arcs_with_cost(rows, columns, -values.astype(np.int64).ravel())
            assert task.solve() == task.OPTIMAL
            return -task.optimal_cost()

        best, ortools = timed(solve, 3)
        facts["ortools_ms"] = 1e3 * ortools
        assert best == result.value
    benchmark.pedantic(lambda: auction(values, gap=0.0), rounds=1)
    tell(benchmark, **facts)


def test_what_doing_without_a_centre_costs(benchmark):
    rng = np.random.default_rng(3)
    n = 60 if FULL else 20
    kinds = np.eye(5)
    tasks, experts = (
        kinds[rng.integers(0, 5, n)] + 0.35 * rng.standard_normal((n, 5)) for _ in range(2)
    )
    similarity = cosine_similarity(tasks, experts)
    values = np.where(similarity > 0.7, similarity, 0.0)
    best = auction(values, gap=0.0, reserve=0.0).value
    bids = bundle_bidding(discounted(values.T, 1.0), n, [1] * n, nx.cycle_graph(n))
    market = market_prices(values, [1] * n)
    clusters = emergent_allocation(tasks, experts, [1] * n)
    benchmark.pedantic(lambda: emergent_allocation(tasks, experts, [1] * n), rounds=1)
    tell(
        benchmark,
        n=n,
        bundles=bids.value / best,
        bundle_rounds=bids.rounds,
        bundle_messages=bids.messages,
        market=market.value / best,
        market_bound=market.bound / best,
        market_clearing_error=market.clearing_error,
        clusters=clusters.value / best,
    )


def test_rounds_of_diffusion_by_network(benchmark):
    side = 32 if FULL else 8
    n = side * side
    networks = {
        "hypercube": nx.hypercube_graph(n.bit_length() - 1),
        "random": nx.random_regular_graph(10, n, seed=0),
        "torus": nx.grid_2d_graph(side, side, periodic=True),
        "ring": nx.cycle_graph(n),
    }
    load = np.random.default_rng(4).random(n)
    found = {name: balance_load(graph, load) for name, graph in networks.items()}
    benchmark.pedantic(lambda: balance_load(networks["hypercube"], load), rounds=1)
    facts = {f"{name}_rounds": result.rounds for name, result in found.items()}
    facts |= {f"{name}_predicted": result.predicted for name, result in found.items()}
    tell(benchmark, n=n, **facts)
