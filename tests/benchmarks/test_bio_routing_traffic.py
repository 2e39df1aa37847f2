"""Traffic splits beside the linear program: how near, in how many rounds, in how much time.

Run with ``pytest tests/benchmarks/test_bio_routing_traffic.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` on Cogentco and on more generated networks too.
"""

import os

import numpy as np
import pytest

from swarmloom_protocols.bio_routing.networks.traffic import split_traffic
from swarmloom_protocols.bio_routing.networks.tree_kernels import grow_trees
from tests.benchmarks.measuring import least_cpu_seconds, tell, timed
from tests.benchmarks.traffic_cases import (
    GRAPHS,
    MARKS,
    SMALL,
    fixed_step,
    generated_case,
    links_that_may_fail,
    recoveries,
    rounds_to,
    seconds_to,
    shared_case,
)

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
NAMES = (*SMALL, "Cogentco") if FULL else SMALL[:1]
LIMITS = {"pheromone": 100, "mw": 1500, "fw": 500}


@pytest.mark.parametrize("name", NAMES)
def test_beside_the_program(benchmark, shared_data, name):
    case = shared_case(shared_data, name)
    best, program = timed(lambda: split_traffic(*case, method="lp"), 1 if name == "Cogentco" else 3)
    optimum = best.max_utilisation
    assert best.lower_bound >= optimum * (1 - 1e-5)
    facts = {"optimum": optimum, "LP ms": 1e3 * program}
    for method, rounds in LIMITS.items():
        needed, spent = seconds_to(case, optimum, rounds, method=method)
        facts |= {f"{method} rounds": needed, f"{method} ms": 1e3 * spent}
    proven, spent = timed(lambda: split_traffic(*case), 3)
    facts |= {"proven rounds": proven.trace.rounds, "proven ms": 1e3 * spent}
    facts["proven ÷ optimum"] = proven.max_utilisation / optimum
    facts["LP ÷ proven, time"] = program / spent
    facts["ecmp"] = split_traffic(*case, method="ecmp").max_utilisation
    assert facts["pheromone rounds"] <= 100
    assert proven.max_utilisation <= 1.01 * optimum
    tell(benchmark, name, **facts)
    benchmark.pedantic(lambda: split_traffic(*case), rounds=1)


@pytest.mark.parametrize("name", SMALL if FULL else SMALL[:1])
def test_beside_a_fixed_step(benchmark, shared_data, name):
    case = shared_case(shared_data, name)
    own = split_traffic(*case, tolerance=0.0)
    fixed = np.array(fixed_step(case)) / 0.9
    good = np.flatnonzero(fixed <= 1.01)
    facts = {"rounds to 1 %": rounds_to(own, 0.9), "after 100": own.max_utilisation / 0.9}
    facts["fixed: rounds to 1 %"] = int(good[0]) + 1 if len(good) else None
    facts |= {"fixed: best of 100": fixed.min(), "fixed: after 100": fixed[-1]}
    tell(benchmark, name, **facts)
    benchmark.pedantic(lambda: split_traffic(*case, tolerance=0.0), rounds=1)


@pytest.mark.parametrize("kind", GRAPHS)
def test_generated_networks(benchmark, kind):
    needed, proven, gaps = [], [], []
    for seed in range(10 if FULL else 1):
        case = generated_case(kind, 36, seed)
        optimum = split_traffic(*case, method="lp").max_utilisation
        split = split_traffic(*case, tolerance=0.0)
        needed.append(rounds_to(split, optimum) or 999)
        gaps.append(split.max_utilisation / optimum - 1.0)
        proven.append(split_traffic(*case).trace.rounds)
    assert max(needed) <= 100
    facts = {"median rounds to 1 %": float(np.median(needed)), "most": max(needed)}
    facts |= {"median rounds to the proof": float(np.median(proven)), "most to it": max(proven)}
    tell(benchmark, f"{kind}, {len(needed)} networks", **facts, **{"worst gap": max(gaps)})
    benchmark.pedantic(lambda: split_traffic(*case), rounds=1)


@pytest.mark.parametrize("name", NAMES)
def test_every_failure_of_a_link(benchmark, shared_data, name):
    case = shared_case(shared_data, name)
    failures = links_that_may_fail(case[0])
    if name == "Cogentco":
        failures = failures[:: len(failures) // 6]
    ratios, delivered = (np.array(rows) for rows in zip(*recoveries(case, failures), strict=True))
    assert (delivered[:, 1:] == 1.0).all()
    assert np.median(ratios[:, 15]) <= 1.05
    assert ratios[:, 100].max() <= 1.15
    facts = {"failures": len(failures), "lost at once, at most": 1.0 - delivered[:, 0].min()}
    for mark in MARKS:
        facts[f"round {mark}, median"] = float(np.median(ratios[:, mark]))
        facts[f"{mark}, worst"] = float(ratios[:, mark].max())
    tell(benchmark, name, **facts)
    before = split_traffic(*case)
    benchmark.pedantic(lambda: before.fail(failures[0], rounds=15), rounds=1)


@pytest.mark.parametrize("n", [25, 50, 100, 200, 400] if FULL else [25])
def test_growth_with_nodes(benchmark, n):
    network, demands = generated_case("ring with chords", n, 0)
    split, spent = timed(lambda: split_traffic(network, demands), 2)
    _, weights = timed(lambda: split_traffic(network, demands, method="mw", rounds=400), 2)
    traffic = split._routes.traffic
    costs, roots = np.empty((n, n)), traffic.pairs.roots
    prices = np.random.default_rng(0).random(network.n_links)
    trees = least_cpu_seconds(lambda: grow_trees(0, n, roots, prices, traffic.graph, costs))
    facts = {"rounds": split.trace.rounds, "ms": 1e3 * spent, "paths a pair": mean_paths(split)}
    facts |= {"gap": split.max_utilisation / split.lower_bound - 1.0}
    facts |= {"mw, 400 rounds, ms": 1e3 * weights, "µs a tree": 1e6 * trees / n}
    tell(benchmark, f"{n} nodes", **facts)
    benchmark.pedantic(lambda: split_traffic(network, demands), rounds=1)


def mean_paths(split):
    return float(split._routes.paths.counts.mean())
