"""Packet ants beside exact paths and beside traffic splits: gaps, loads, failures, growth.

Run with ``pytest tests/benchmarks/test_bio_routing_packets.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` on all networks and ten seeds.
"""

import os

import networkx as nx
import numpy as np
import pytest

from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.packet_ants import PacketAnts
from swarmloom_protocols.bio_routing.networks.paths import (
    distances,
    k_shortest,
    losses,
    pareto_front,
    widest,
)
from swarmloom_protocols.bio_routing.networks.traffic import split_traffic
from tests.benchmarks.bio_routing_packets_growth import round_seconds
from tests.benchmarks.measuring import tell, timed
from tests.benchmarks.traffic_cases import GRAPHS, generated_case, links_that_may_fail, shared_case
from tests.naive.packets import hypervolume

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
NAMES = ("Abilene", "AttMpls", "Geant2012", "Cogentco") if FULL else ("Abilene",)
SEEDS = range(10 if FULL else 2)
ROUNDS = (0, 20, 50, 100, 200)


def delayed(kind, seed):
    """A generated network whose fast links fail more often."""
    network, _ = generated_case(kind, 36, seed)
    rng = np.random.default_rng(seed)
    delays = np.repeat(rng.integers(1, 100, network.n_links // 2), 2).astype(float)
    reliabilities = 1.0 - 0.2 * rng.random(network.n_links) - 2.0 / (10.0 + delays)
    return Network(network.sources, network.targets, network.capacities, delays, reliabilities)


def pairs_of(network, count=200):
    """Some pairs of nodes, the same ones each time."""
    pairs = np.argwhere(~np.eye(network.n_nodes, dtype=bool))
    chosen = np.random.default_rng(0).permutation(len(pairs))[:count]
    return [tuple(pair) for pair in pairs[chosen].tolist()]


def mean_gap(ants, best):
    """Mean excess of the routes found over the shortest ones, by delay."""
    pairs = pairs_of(ants.network)
    found = np.array([ants.route(*pair, kind="latency").costs["latency"] for pair in pairs])
    exact = np.array([best[pair] for pair in pairs])
    assert (found >= exact * (1 - 1e-9)).all()
    return float((found / exact).mean() - 1.0)


def gaps_by_round(network, seed):
    ants, best = PacketAnts(network, rng=np.random.default_rng(seed)), distances(network)
    gaps = []
    for rounds in ROUNDS:
        ants.round(rounds - ants.rounds)
        gaps.append(mean_gap(ants, best))
    return gaps


def tell_gaps(benchmark, title, gaps):
    table = np.array(gaps)
    facts = {f"{rounds} rounds": value for rounds, value in zip(ROUNDS, table.mean(0), strict=True)}
    tell(benchmark, title, **facts, worst_of_seeds_at_the_end=table[:, -1].max())


@pytest.mark.parametrize("name", NAMES)
def test_gap_to_dijkstra(benchmark, shared_data, name):
    network, _ = shared_case(shared_data, name)
    gaps = [gaps_by_round(network, seed) for seed in SEEDS]
    tell_gaps(benchmark, f"mean gap, {name}, {len(gaps)} seeds", gaps)
    assert np.mean(gaps, axis=0)[-1] <= 0.02
    benchmark.pedantic(PacketAnts(network, rng=np.random.default_rng(0)).round, rounds=5)


@pytest.mark.parametrize("kind", GRAPHS)
def test_gap_on_generated_networks(benchmark, kind):
    gaps = [gaps_by_round(delayed(kind, seed), seed) for seed in SEEDS]
    tell_gaps(benchmark, f"mean gap, {kind}, {len(gaps)} networks", gaps)
    assert np.mean(gaps, axis=0)[-1] <= 0.02
    benchmark.pedantic(lambda: None, rounds=1)


@pytest.mark.parametrize("kind", GRAPHS)
def test_gap_to_yen_and_widest(benchmark, kind):
    several, wide = [], []
    for seed in SEEDS:
        network = delayed(kind, seed)
        ants = PacketAnts(network, ("latency", "width"), rng=np.random.default_rng(seed))
        ants.round(100)
        for source, target in pairs_of(network, 20):
            best = k_shortest(network, source, target, 3)
            found = ants.routes(source, target, kind="latency", count=len(best), walks=512)
            if len(found) == len(best):
                total = sum(route.costs["latency"] for route in found)
                several.append(total / sum(path.cost for path in best) - 1.0)
            width = widest(network, source, target).capacity
            wide.append(ants.route(source, target, kind="width").costs["width"] * width - 1.0)
    facts = {"gap to Yen, k = 3": float(np.mean(several)), "gap to widest": float(np.mean(wide))}
    tell(benchmark, f"{kind}, {len(SEEDS)} networks, 100 rounds", **facts, compared=len(several))
    assert min(several) >= -1e-9
    benchmark.pedantic(lambda: None, rounds=1)


def test_front_beside_labels(benchmark):
    shares, sizes, ants_seconds, exact_seconds = [], [], [], []
    for kind in GRAPHS:
        for seed in SEEDS:
            network = delayed(kind, seed)
            ants = PacketAnts(network, ("latency", "reliability"), rng=np.random.default_rng(seed))
            ants.round(20)
            columns = network.delays, losses(network)
            far = int(np.argmax(distances(network, [0], costs=columns[0])[0]))
            exact, spent = timed(lambda: pareto_front(network, 0, far, *columns), 2)  # noqa: B023
            exact_seconds.append(spent)
            routes, spent = timed(lambda: ants.front(0, far), 2)  # noqa: B023
            ants_seconds.append(spent)
            table = [[column[list(path.links)].sum() for column in columns] for path in exact]
            edge = 1.1 * np.max(table, axis=0)
            mine = [tuple(route.costs.values()) for route in routes]
            shares.append(hypervolume(mine, edge) / hypervolume(table, edge))
            sizes.append(len(table))
    facts = {"least share": min(shares), "mean share": float(np.mean(shares))}
    facts |= {"mean size of fronts": float(np.mean(sizes)), "largest": max(sizes)}
    facts |= {"ants ms": 1e3 * float(np.median(ants_seconds))}
    facts["labels ms"] = 1e3 * float(np.median(exact_seconds))
    tell(benchmark, f"hypervolume over the exact one's, {len(shares)} networks", **facts)
    assert min(shares) >= 0.98
    benchmark.pedantic(lambda: None, rounds=1)


@pytest.mark.parametrize("name", NAMES[:3])
def test_load_beside_a_fluid_split(benchmark, shared_data, name):
    network, demands = shared_case(shared_data, name)
    split, fluid = timed(lambda: split_traffic(network, demands), 3)
    rounds, last, spent = 2000 if FULL else 300, [], 0.0
    for seed in SEEDS:
        ants = PacketAnts(network, ["load"], rng=np.random.default_rng(seed), demands=demands)
        spent += timed(lambda: ants.round(rounds))[1]  # noqa: B023
        last.append(float((ants.traffic(walks=128) / network.capacities).max() / 0.9))
    facts = {"fluid ÷ optimum": split.max_utilisation / 0.9, "fluid ms": 1e3 * fluid}
    facts |= {"ants ÷ optimum, median": float(np.median(last)), "worst": max(last)}
    facts["ants ms"] = 1e3 * spent / len(SEEDS)
    tell(benchmark, f"{name}, {rounds} rounds, {len(last)} seeds", **facts)
    benchmark.pedantic(lambda: None, rounds=1)


@pytest.mark.parametrize("name", NAMES[:3])
def test_failures_of_links(benchmark, shared_data, name):
    network, _ = shared_case(shared_data, name)
    failures = links_that_may_fail(network)[: None if FULL else 3]
    trained = PacketAnts(network, rng=np.random.default_rng(0))
    trained.round(100)
    state, marks = trained.snapshot(), {0: [], 5: [], 15: [], 50: []}
    for links in failures:
        trained.restore(state)
        trained.fail(links=links)
        best = distances(trained.network)
        assert len(trained.unreachable) == 0
        for rounds, gaps in marks.items():
            trained.round(rounds - (trained.rounds - state.rounds))
            gaps.append(mean_gap(trained, best))
            assert trained.statistics()["latency"].lost == 0
    facts = {f"{rounds} rounds": float(np.median(gaps)) for rounds, gaps in marks.items()}
    worst = {f"worst after {rounds}": max(gaps) for rounds, gaps in marks.items()}
    tell(benchmark, f"gap after failures, {name}, {len(failures)} links", **facts, **worst)
    benchmark.pedantic(lambda: None, rounds=1)


@pytest.mark.parametrize("name", NAMES[:3])
def test_tables_alone_have_cycles(benchmark, shared_data, name):
    """What source routes spare: destinations whose tables, entries above 1 %, lead in a circle."""
    network, demands = shared_case(shared_data, name)
    ants = PacketAnts(network, ("latency", "load"), rng=np.random.default_rng(0), demands=demands)
    ants.round(300)
    facts = {
        kind.name: float(np.mean([has_cycle(network, table, d) for d, table in enumerate(tables)]))
        for kind, tables in zip(ants.kinds, ants.trails, strict=True)
    }
    tell(benchmark, f"share of destinations with a cycle, {name}", **facts)
    benchmark.pedantic(lambda: None, rounds=1)


def has_cycle(network, table, target):
    totals = np.bincount(network.sources, table, network.n_nodes)[network.sources]
    used = (table > 0.01 * totals) & (network.sources != target)
    ends = zip(network.sources[used].tolist(), network.targets[used].tolist(), strict=True)
    return not nx.is_directed_acyclic_graph(nx.DiGraph(list(ends)))


def test_a_round(benchmark):
    """Time of a round and of an ant, on a scale-free network."""
    spent, network = round_seconds(100, 10)
    facts = {"ms a round": 1e3 * spent, "µs an ant": 1e6 * spent / (10 * network.n_nodes)}
    tell(benchmark, "100 nodes, 10 ants each", **facts)
    benchmark.pedantic(lambda: None, rounds=1)
