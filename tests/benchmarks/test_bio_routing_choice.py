"""Choosing experts: goodput beside an oracle and rivals, stale load, outages, and time a decision.

Run with ``pytest tests/benchmarks/test_bio_routing_choice.py --benchmark-enable -s``; the crews of
the documentation need ``SWARMLOOM_FULL_BENCHMARKS=1``. CPU time, least of some runs.
"""

import os
from collections import defaultdict

import numpy as np
import pytest

from swarmloom_protocols.bio_routing.choice.crews import Crew, with_outage
from swarmloom_protocols.bio_routing.choice.estimates import Estimates
from swarmloom_protocols.bio_routing.choice.policies import Chooser
from swarmloom_protocols.bio_routing.choice.router import Router
from swarmloom_protocols.bio_routing.choice.simulation import oracle, play
from tests.benchmarks.measuring import least_cpu_seconds, tell, tell_beside

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
SEEDS = 10 if FULL else 1
TASKS = 10_000 if FULL else 2_000
SIZES = [(8, 4), (100, 2)] if FULL else [(8, 4)]
SCENARIOS = ["stationary", "failures", "drift"]
# Each rival at the setting that did best for it in the numerical studies.
POLICIES = {
    "index": ("auto", {}),
    "index without health": ("index", {"health_step": 0.0}),
    "UCB less load": ("ucb", {"discount": 0.997}),
    "Thompson less load": ("thompson", {"discount": 1.0}),
    "LinUCB less load": ("linucb", {}),
    "averaged trail": ("trail", {}),
    "shortest queue": ("shortest_queue", {}),
    "power of two": ("power_of_two", {}),
    "round robin": ("round_robin", {}),
    "random": ("random", {}),
}


def shares_of_the_oracle(loads, first_seed):
    """Goodput over the oracle's, the mean of seeds, by policy and cell."""
    shares = defaultdict(list)
    for experts, slots in SIZES:
        for scenario in SCENARIOS:
            for load in loads:
                crew = Crew(experts, slots, tasks=TASKS, load=load, scenario=scenario)
                found = defaultdict(list)
                for seed in range(first_seed, first_seed + SEEDS):
                    world = crew.draw(np.random.default_rng(seed))
                    best = oracle(world).goodput()
                    for name, (policy, weights) in POLICIES.items():
                        goodput = play(world, policy, rng=seed, **weights).goodput()
                        found[name].append(goodput / best)
                for name, values in found.items():
                    shares[name].append(float(np.mean(values)))
    return shares


@pytest.mark.parametrize(
    ("loads", "first_seed"), [((0.7, 0.95), 1000), ((0.85,), 5000)], ids=["tuned", "held out"]
)
def test_goodput(benchmark, loads, first_seed):
    shares = benchmark.pedantic(lambda: shares_of_the_oracle(loads, first_seed), rounds=1)
    means = {name: float(np.mean(values)) for name, values in shares.items()}
    worst = {f"{name}, worst cell": min(values) for name, values in shares.items()}
    tell(benchmark, f"goodput, {len(shares['index'])} cells", **means, **worst)
    beaten = {f"index over {n}": means["index"] / means[n] for n in means if n != "index"}
    tell(benchmark, "ratios", **beaten)


@pytest.mark.parametrize("dispatchers", [1, 10])
def test_load_reports_of_every_hundredth_task(benchmark, dispatchers):
    own = {"own_weight": max(1.0, dispatchers / 2), "temperature": 0.05 * (dispatchers > 1)}
    ways = {
        "live": {},
        "report alone": {"knowledge": "reports"},
        "and own sends": {"knowledge": "reports_and_sent"},
        "and own sends and ends": {"knowledge": "reports_and_own"},
        "as Chooser does": {"knowledge": "reports_and_own", **own},
    }

    def played():
        found = defaultdict(list)
        for experts, slots in SIZES:
            crew = Crew(experts, slots, tasks=TASKS, dispatchers=dispatchers)
            for seed in range(SEEDS):
                world = crew.draw(np.random.default_rng(2000 + seed))
                for name, how in ways.items():
                    found[f"{name}, {experts}"].append(play(world, **how).goodput())
        return {name: float(np.mean(values)) for name, values in found.items()}

    means = benchmark.pedantic(played, rounds=1)
    shares = {n: v / means[f"live, {n.split(', ')[1]}"] for n, v in means.items()}
    tell(benchmark, f"goodput over that of live queues, {dispatchers} dispatchers", **shares)


@pytest.mark.parametrize("ailment", ["garbage", "time_out", "slow"])
def test_outage_of_the_busiest_tenth(benchmark, ailment):
    tasks, first, last = (16_000, 8_000, 11_000) if FULL else (4_000, 2_000, 3_000)

    def gone_and_back():
        found = defaultdict(list)
        for experts, slots in SIZES:
            for seed in range(2 * SEEDS):
                world = Crew(experts, slots, tasks=tasks).draw(np.random.default_rng(seed))
                well = play(world)
                worst = well.busiest(0.1, first // 2, first)
                share = np.isin(well.log.experts[first // 2 : first], worst).mean()
                ill = play(with_outage(world, worst, ailment, first, last))
                drained = ill.tasks_until(worst, first, 0.2 * share, rises=False)
                back = ill.tasks_until(worst, last, 0.5 * share, rises=True)
                found[f"drained, {experts}"].append(tasks if drained is None else drained)
                found[f"back, {experts}"].append(tasks if back is None else back)
        return found

    found = benchmark.pedantic(gone_and_back, rounds=1)
    facts = {f"{n}, median": float(np.median(v)) for n, v in found.items()}
    facts |= {f"{n}, within 300": float(np.mean(np.array(v) <= 300)) for n, v in found.items()}
    facts |= {f"{n}, longest": max(v) for n, v in found.items()}
    tell(benchmark, f"tasks until the busiest tenth with {ailment} is left, and back", **facts)


# -- time a decision -------------------------------------------------------------------------------


def trained(experts, calls, **keywords):
    chooser = Chooser(experts, 2, 5, **keywords)
    for number in range(calls):
        chooser.done(chooser.pick(number % 5), number % 3 > 0, 1.0 + number % 7)
    return chooser


def decisions(chooser, count):
    for number in range(count):
        chooser.done(chooser.pick(number % 5), 1.0, 1.0)


@pytest.mark.parametrize("experts", [8, 100, 1_000, 10_000] if FULL else [1_000])
@pytest.mark.parametrize("policy", ["auto", "ucb", "linucb", "thompson", "power_of_two"])
def test_time_of_a_decision(benchmark, experts, policy):
    chooser = trained(experts, 2_000 if FULL else 200, policy=policy)
    count = 20 if policy == "thompson" else 1_000
    benchmark.pedantic(lambda: decisions(chooser, count), rounds=3, warmup_rounds=1)
    whole = least_cpu_seconds(lambda: decisions(chooser, count), 7) / count
    tickets = []
    picking = least_cpu_seconds(
        lambda: tickets.extend([chooser.pick(n % 5) for n in range(count // 10)]), 7
    ) / (count // 10)
    for ticket in tickets:
        chooser.done(ticket, 1.0, 1.0)
    tell(benchmark, f"{policy}, {experts} experts", pick_us=1e6 * picking, both_us=1e6 * whole)


def test_a_decision_beside_peers(benchmark):
    experts, count = 1_000, 200
    chooser = trained(experts, 500)
    benchmark.pedantic(lambda: decisions(chooser, count), rounds=3, warmup_rounds=1)
    own = least_cpu_seconds(lambda: decisions(chooser, count), 7) / count
    peers = {"Router, in NumPy, for batches": router_decisions(experts)}
    peers |= mabwiser_decisions(experts)
    seconds = {
        name: least_cpu_seconds(lambda c=call: c(20), 3) / 20 for name, call in peers.items()
    }
    tell_beside(benchmark, own, seconds, "a decision among 1,000 experts and its outcome")


def router_decisions(experts):
    router = Router(Estimates())
    rows, slots = np.arange(experts), np.full(experts, 2)

    def decide(count):
        for number in range(count):
            scores = router.scores([number % 5], rows, router.in_flight(rows), slots)
            best = int(scores[0].argmax())
            router.sent(best)
            router.done(best)
            router.estimates.answered(number % 5, best, 1.0, 1.0)

    decide(5)
    return decide


def mabwiser_decisions(experts):
    """Decisions of MABWiser's UCB1 and Thompson sampling, which know neither load nor topic."""
    mab = pytest.importorskip("mabwiser.mab")
    rewards = np.arange(experts) % 3 > 0
    calls = {}
    for policy in (mab.LearningPolicy.UCB1(1.0), mab.LearningPolicy.ThompsonSampling()):
        bandit = mab.MAB(list(range(experts)), policy, seed=1)
        bandit.fit(np.arange(experts), rewards.astype(float))

        def decide(count, bandit=bandit):
            for _ in range(count):
                bandit.partial_fit([bandit.predict()], [1.0])

        calls[f"MABWiser {type(policy).__name__.lstrip('_')}"] = decide
    return calls
