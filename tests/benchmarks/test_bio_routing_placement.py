"""Consistent hashing and link prediction: what moves, what a look-up costs, how good a guess is.

Run with ``pytest tests/benchmarks/test_bio_routing_placement.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` over a million keys and ten seeds.
"""

import os
from functools import partial

import numpy as np
import pytest

from swarmloom_protocols.bio_routing.placement.hashing import HashRing, Rendezvous, jump
from swarmloom_protocols.bio_routing.placement.link_quality import follow, follow_by_bandit
from tests.benchmarks.measuring import tell, timed
from tests.protocols.bio_routing.placement.link_traces import LOGARITHMS, trace_of

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
KEYS = np.random.default_rng(1).integers(0, 2**63, 1_000_000 if FULL else 100_000)
SEEDS = range(10) if FULL else range(2)
KINDS = {
    "rendezvous": Rendezvous,
    "ring 150": HashRing,
    "ring 1000": partial(HashRing, vnodes=1000),
}
PREDICTORS = {
    "rls": {},
    "last": {"method": "last"},
    "ewma .1": {"method": "ewma", "rate": 0.1},
    "ewma .03": {"method": "ewma", "rate": 0.03},
    "ewma .02": {"method": "ewma", "rate": 0.02},
    "median 10": {"method": "median"},
}


def names_of(seed, count=20):
    return [f"fleet-{seed}-host-{number}" for number in range(count)]


def moved_and_spread(place, ring, grown):
    before, after = place(ring), place(grown)
    loads = np.bincount(before, minlength=20)
    moved = before != after
    return moved.mean(), (after[moved] == 20).mean(), loads.max() / loads.mean()


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_more(benchmark, kind):
    rows = []
    for seed in SEEDS:
        ring = KINDS[kind](names_of(seed))
        grown = ring.with_host(f"fleet-{seed}-host-20")
        plain = moved_and_spread(lambda r: r.host_of(KEYS), ring, grown)
        bounded = moved_and_spread(lambda r: r.bounded(KEYS, 1.05), ring, grown)
        rows.append((*plain, *bounded))
    costs = {
        name: 1e9 * timed(call, 5)[1] / len(KEYS)
        for name, call in {
            "ns": lambda: ring.host_of(KEYS),
            "ns_at_21": lambda: grown.host_of(KEYS),
            "ns_bounded": lambda: ring.bounded(KEYS, 1.05),
            "ns_three_replicas": lambda: ring.replicas(KEYS, 3),
        }.items()
    }
    mean, worst = np.mean(rows, axis=0), np.max(rows, axis=0)
    benchmark.pedantic(lambda: ring.host_of(KEYS), rounds=1)
    tell(
        benchmark,
        kind,
        moved=float(mean[0]),
        most_moved=float(worst[0]),
        to_new=float(mean[1]),
        spread=float(mean[2]),
        worst_spread=float(worst[2]),
        bounded_moved=float(mean[3]),
        bounded_to_new=float(mean[4]),
        bounded_spread=float(mean[5]),
        **costs,
    )


def test_jump_and_weights(benchmark):
    buckets, seconds = timed(lambda: jump(KEYS, 20), 5)
    weighted = Rendezvous(names_of(0), [1.0 + number % 3 for number in range(20)])
    ring = HashRing(names_of(0), weighted.weights)
    benchmark.pedantic(lambda: jump(KEYS, 20), rounds=1)
    tell(
        benchmark,
        "jump",
        moved=float((buckets != jump(KEYS, 21)).mean()),
        ns=1e9 * seconds / len(KEYS),
        ns_weighted_rendezvous=1e9 * timed(lambda: weighted.host_of(KEYS), 3)[1] / len(KEYS),
        ns_weighted_ring=1e9 * timed(lambda: ring.host_of(KEYS), 3)[1] / len(KEYS),
    )


def test_text_keys_beside_uhashring(benchmark):
    uhashring = pytest.importorskip("uhashring")
    keys = [f"session {number}" for number in range(20_000)]
    theirs = uhashring.HashRing(nodes=names_of(0), vnodes=150)
    _, seconds = timed(lambda: [theirs.get_node(key) for key in keys], 3)
    facts = {"uhashring_ns": 1e9 * seconds / len(keys)}
    for kind in ("rendezvous", "ring 150"):
        ring = KINDS[kind](names_of(0))
        facts[f"{kind}_ns"] = 1e9 * timed(lambda: ring.host_of(keys), 3)[1] / len(keys)  # noqa: B023
    benchmark.pedantic(lambda: ring.host_of(keys), rounds=1)
    tell(benchmark, "text keys", **facts)


@pytest.mark.parametrize("kind", LOGARITHMS)
def test_predictors_on_a_kind_of_trace(benchmark, kind):
    traces = [trace_of(kind, seed) for seed in SEEDS]
    for probes in ("all", "one"):
        ratios = {
            name: float(np.mean([follow(t, probes=probes, **options).ratio for t in traces]))
            for name, options in PREDICTORS.items()
        }
        best = min(ratio for name, ratio in ratios.items() if name != "rls")
        tell(benchmark, f"{kind}, sees {probes}", **ratios, rls_over_best=ratios["rls"] / best)
    bandits = {
        bandit: float(
            np.mean([follow_by_bandit(t, bandit, np.random.default_rng(1)).ratio for t in traces])
        )
        for bandit in ("discounted_ucb", "epsilon_greedy")
    }
    tell(benchmark, f"{kind}, bandits", **bandits)
    benchmark.pedantic(lambda: follow(traces[0]), rounds=1)


def test_regret_on_noise(benchmark):
    steps = np.array([2000, 8000, 32_000]) if FULL else np.array([1000, 4000])
    traces = [trace_of("noise", seed, int(steps[-1])) for seed in SEEDS]
    for name, options in PREDICTORS.items():
        for probes in ("all", "one"):
            regrets = [follow(t, probes=probes, **options).regret[steps - 1] for t in traces]
            shown = {
                f"after_{n}": float(r) for n, r in zip(steps, np.mean(regrets, 0), strict=True)
            }
            tell(benchmark, f"{name}, sees {probes}", **shown)
    benchmark.pedantic(lambda: follow(traces[0]), rounds=1)


def test_what_a_step_costs_beside_padasip(benchmark):
    padasip = pytest.importorskip("padasip")
    trace = trace_of("AR(1) .83", 1)
    facts = {
        f"us_seeing_{probes}": 1e6 * timed(partial(follow, trace, probes=probes), 3)[1] / len(trace)
        for probes in ("all", "one")
    }
    filters = [padasip.filters.FilterRLS(n=4, mu=0.999) for _ in range(trace.shape[1])]
    features = np.random.default_rng(1).random((300, 4))

    def adapt():
        for step in range(300):
            for path, adaptive in enumerate(filters):
                adaptive.adapt(trace[step, path], features[step])

    facts["padasip_us_of_adapting_alone"] = 1e6 * timed(adapt, 2)[1] / 300
    benchmark.pedantic(lambda: follow(trace), rounds=1)
    tell(benchmark, "one step of ten paths", **facts)
