"""Batch routing beside SciPy's assignment and OR-Tools' minimum-cost flow.

Run with ``pytest tests/benchmarks/test_bio_routing_batches.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` at full size over ten seeds.
"""

import os

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from swarmloom_protocols.bio_routing.batches.batches import Method, route_batch
from tests.benchmarks.measuring import tell, timed
from tests.benchmarks.test_consensus_allocation import VALUES

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
TASKS = 1000 if FULL else 200
SEEDS = range(10) if FULL else range(2)
# Experts as a share of the tasks, and places as a share of the tasks.
SHAPES = {"one place each": (TASKS, 1.0), "cap 1.0": (64, 1.0), "cap 1.25": (64, 1.25)}
SHORT = {"cap 0.75": (64, 0.75)}


def places(experts, factor):
    """Spread factor·T places over the experts as evenly as can be."""
    total = round(factor * TASKS)
    return np.full(experts, total // experts) + (np.arange(experts) < total % experts)


def by_scipy(scores, capacities):
    """Return the optimum, and the CPU seconds without the copying of the columns."""
    columns = np.repeat(scores, capacities, axis=1)
    (rows, taken), seconds = timed(lambda: linear_sum_assignment(columns, maximize=True), 2)
    return columns[rows, taken].sum(), seconds


@pytest.mark.parametrize("shape", SHAPES)
def test_methods_on_uniform_scores(benchmark, shape):
    experts, factor = SHAPES[shape]
    capacities = places(experts, factor)
    found = {method: [] for method in Method.__args__}
    scipy = []
    for seed in SEEDS:
        scores = np.random.default_rng(seed).random((TASKS, experts))
        best, seconds = by_scipy(scores, capacities)
        scipy.append(seconds)
        for method, rows in found.items():
            route = lambda m=method, s=scores: route_batch(s, capacities, method=m)  # noqa: E731
            result, own = timed(route, 3 if experts == 64 or method == "auction" else 1)
            rows.append((result.value / best, len(result.dropped) / TASKS, own))
    benchmark.pedantic(lambda: route_batch(scores, capacities), rounds=1)
    tell(benchmark, shape, scipy_ms=1e3 * min(scipy))
    for method, rows in found.items():
        quality, dropped, own = np.array(rows).T
        tell(
            benchmark,
            f"{shape}, {method}",
            **{
                f"{method}_quality": float(quality.mean()),
                f"{method}_worst": float(quality.min()),
                f"{method}_dropped": float(dropped.mean()),
                f"{method}_ms": 1e3 * float(own.min()),
                f"{method}_scipy_over_ours": float(np.median(np.array(scipy) / own)),
            },
        )


@pytest.mark.parametrize("shape", SHAPES | SHORT)
@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind != "sparse"])
def test_auction_on_other_kinds_of_scores(benchmark, kind, shape):
    experts, factor = (SHAPES | SHORT)[shape]
    capacities = places(experts, factor)
    scores = VALUES[kind](np.random.default_rng(1), TASKS)[:, :experts].copy()
    best, scipy = by_scipy(scores, capacities)
    result, own = timed(lambda: route_batch(scores, capacities), 3)
    assert abs(best - result.value) <= 1e-3 * abs(result.bound)
    benchmark.pedantic(lambda: route_batch(scores, capacities), rounds=1)
    tell(
        benchmark,
        f"{kind}, {shape}",
        ms=1e3 * own,
        scipy_over_ours=scipy / own,
        missed=(best - result.value) / abs(best),
        proven=result.gap,
    )


def test_two_experts_a_task_beside_ortools(benchmark):
    flows = pytest.importorskip("ortools.graph.python.min_cost_flow")
    scores = np.random.default_rng(3).integers(0, 10_000, (TASKS, 64)).astype(float)
    capacities = places(64, 2.5)
    task, expert = (axis.ravel() for axis in np.indices(scores.shape))

    def solve():
        flow = flows.SimpleMinCostFlow()
        costs = -scores.ravel().astype(np.int64)
        ones = np.ones(len(task), np.int64)
        flow.add_arcs_with_capacity_and_unit_cost(task, TASKS + expert, ones, costs)
        flow.add_arcs_with_capacity_and_unit_cost(
            TASKS + np.arange(64), np.full(64, TASKS + 64), capacities, np.zeros(64, np.int64)
        )
        flow.set_nodes_supplies(np.arange(TASKS), np.full(TASKS, 2))
        flow.set_nodes_supplies(np.array([TASKS + 64]), np.array([-2 * TASKS]))
        assert flow.solve() == flow.OPTIMAL
        return -flow.optimal_cost()

    best, ortools = timed(solve, 3)
    result, own = timed(lambda: route_batch(scores, capacities, k=2), 3)
    exact, flow = timed(lambda: route_batch(scores, capacities, k=2, method="exact"), 3)
    assert exact.value == best
    benchmark.pedantic(lambda: route_batch(scores, capacities, k=2), rounds=1)
    tell(
        benchmark,
        "k = 2",
        quality=result.value / best,
        ms=1e3 * own,
        exact_ms=1e3 * flow,
        ortools_ms=1e3 * ortools,
    )


@pytest.mark.parametrize("tasks", (250, 1000, 4000, 16_000) if FULL else (250, 1000))
def test_growth_with_tasks(benchmark, tasks):
    scores = np.random.default_rng(4).random((tasks, 64))
    for factor in (1.0, 1.25):
        result, own = timed(lambda: route_batch(scores, capacity_factor=factor), 3)  # noqa: B023
        tell(benchmark, f"{tasks} tasks, factor {factor}", ms=1e3 * own, proven=result.gap)
    benchmark.pedantic(lambda: route_batch(scores, capacity_factor=1.25), rounds=1)
