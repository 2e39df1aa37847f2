"""Tours by ants with local search beside iterated local search, and beside LKH where it is there.

Run with ``pytest tests/benchmarks/test_bio_routing_tours.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` at full size and with ten seeds. Seconds are CPU seconds; labels are
shuffled, and every length is summed anew over the tour found.
"""

import os
import time
import tracemalloc

import numpy as np
import pytest

from swarmloom_protocols.bio_routing.search.tours.solver import solve_tour
from swarmloom_protocols.bio_routing.search.tours.tsplib import read_tsplib
from tests.benchmarks.measuring import tell, timed

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
SEEDS = 10 if FULL else 2
SECONDS = {"lin318": 1.0, "pr1002": 3.0, "pr2392": 3.0} if FULL else {"lin318": 0.3}
OPTIMA = {"lin318": 42029, "pcb442": 50778, "pr1002": 259045, "pr2392": 378032}
GAPS = (1.0, 0.5, 0.1, 0.0)
SIZES = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000) if FULL else (100, 200)


def compiled(method):
    # Twice: the first call compiles setting up, and may end before the first step.
    for _ in range(2):
        solve_tour(np.random.default_rng(0).random((50, 2)), seconds=0.1, method=method)


def solved(points, seed, method, seconds, rounding="none", target=None):
    """Solve with shuffled labels; return the tour and its length, summed anew."""
    labels = np.random.default_rng(seed).permutation(len(points))
    return solve_tour(
        points[labels],
        rounding=rounding,
        seconds=seconds,
        seed=seed,
        method=method,
        target=target,
        clock=time.thread_time,
    )


def seconds_to(tour, length):
    """CPU seconds to a tour no longer than this; infinite where there was none."""
    return next((step.seconds for step in tour.trace if step.length <= length), np.inf)


@pytest.mark.parametrize("method", ["ants", "kicks"])
@pytest.mark.parametrize("name", SECONDS)
def test_seconds_to_the_optimum_of_public_instances(benchmark, shared_data, name, method):
    instance, best = read_tsplib(shared_data / "tsplib" / f"{name}.tsp"), OPTIMA[name]
    compiled(method)

    def measure():
        return [
            solved(instance.points, seed, method, SECONDS[name], instance.rounding, best)
            for seed in range(SEEDS)
        ]

    tours = benchmark.pedantic(measure, rounds=1)
    facts = {}
    for gap in GAPS:
        times = [seconds_to(tour, best * (1 + gap / 100) + 1e-6) for tour in tours]
        facts[f"s_to_{gap}_%"] = float(np.median(times))
        facts[f"hits_{gap}_%"] = int(np.isfinite(times).sum())
    facts["median_gap_%"] = float(np.median([100 * (tour.length / best - 1) for tour in tours]))
    tell(benchmark, name, method=method, seeds=SEEDS, **facts)


@pytest.mark.parametrize("n", SIZES)
def test_growth_with_cities(benchmark, n):
    points = np.random.default_rng(n).random((n, 2))
    seconds = (6.0 if n > 5000 else 2.0) if FULL else 0.1
    facts = {}
    for method in ("kicks", "ants"):
        compiled(method)
        tours = [solved(points, seed, method, seconds) for seed in range(2)]
        facts[f"{method}_length"] = float(np.median([tour.length for tour in tours]))
        facts[f"{method}_steps"] = tours[0].iterations
    facts["ants_over_kicks_%"] = 100 * (facts["ants_length"] / facts["kicks_length"] - 1)
    benchmark.pedantic(lambda: solved(points, 2, "auto", 0.1), rounds=1)
    tell(benchmark, f"{n:,} cities, {seconds} s", **facts)


def test_memory_of_a_large_instance(benchmark):
    n = 20_000 if FULL else 2000
    points = np.random.default_rng(1).random((n, 2))
    compiled("kicks")
    tracemalloc.start()
    tour = solved(points, 1, "kicks", 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    benchmark.pedantic(lambda: solved(points, 1, "kicks", 0.5), rounds=1)
    tell(benchmark, n=n, peak_mb=peak / 1e6, length=tour.length)


def test_beside_lkh(benchmark):
    elkai = pytest.importorskip("elkai")
    n = 532 if FULL else 100
    points = np.floor(np.random.default_rng(100).random((n, 2)) * 10_000)
    costs = np.floor(np.hypot(*(points[:, None] - points[None]).T) + 0.5).astype(int)
    task = elkai.DistanceMatrix(costs.tolist())
    ring, seconds = timed(lambda: task.solve_tsp(runs=4))
    best = float(costs[ring[:-1], ring[1:]].sum())
    facts = {"lkh": best, "lkh_s": seconds}
    for method in ("ants", "kicks"):
        compiled(method)
        tours = [
            solved(points, seed, method, 3.0 if FULL else 0.3, "nearest", best)
            for seed in range(SEEDS)
        ]
        facts[f"{method}_hits"] = sum(tour.length <= best for tour in tours)
        facts[f"{method}_gap_%"] = float(np.median([100 * (t.length / best - 1) for t in tours]))
    benchmark.pedantic(lambda: solved(points, SEEDS, "ants", 0.3, "nearest", best), rounds=1)
    tell(benchmark, f"{n} cities", seeds=SEEDS, **facts)
