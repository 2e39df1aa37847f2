"""Paths and metrics of networks beside NetworkX and rustworkx: microseconds of CPU time a call.

Run with ``pytest tests/benchmarks/test_bio_routing_paths.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` for networks of up to 100,000 nodes and more seeds.
"""

import os

import networkx as nx
import numpy as np
import pytest

from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.paths import (
    constrained,
    k_shortest,
    pareto_front,
    shortest,
    shortest_tree,
    widest,
)
from swarmloom_protocols.bio_routing.networks.reorganisation import add_random_links, reorganise
from swarmloom_protocols.bio_routing.networks.topology import grow, measure
from tests.benchmarks.measuring import least_cpu_seconds, tell, tell_beside

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
SIZES = (0, 1000, 100_000) if FULL else (0, 300)
SEEDS = 10 if FULL else 2


@pytest.fixture(scope="module", params=SIZES, ids=lambda n: f"BA {n}" if n else "Cogentco")
def case(request, shared_data):
    """A network, the same as a graph of NetworkX, and pairs of its nodes."""
    rng = np.random.default_rng(0)
    if request.param:
        graph = nx.barabasi_albert_graph(request.param, 3, seed=1)
        for edge in graph.edges.values():
            edge.update(delay=rng.uniform(1, 10), capacity=rng.uniform(1, 10))
        network = Network.from_networkx(graph)
    else:
        network = Network.from_repetita(shared_data / "networks" / "Cogentco.graph")
        graph = nx.DiGraph()
        for source, target, delay in zip(
            network.sources.tolist(), network.targets.tolist(), network.delays, strict=True
        ):
            graph.add_edge(source, target, delay=float(delay))
    nodes = network.n_nodes
    pairs = [tuple(rng.choice(nodes, 2, replace=False).tolist()) for _ in range(20)]
    return network, graph, pairs[: 5 if nodes > 10_000 else 20]


def each(pairs, function, tries=3):
    """Return the least CPU seconds of one call, on the mean of the pairs, the first of all warm."""
    function(*pairs[0])
    return least_cpu_seconds(lambda: [function(*pair) for pair in pairs], tries) / len(pairs)


def rustworkx_graph(network):
    rustworkx = pytest.importorskip("rustworkx")
    graph = rustworkx.PyDiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    ends = zip(network.sources.tolist(), network.targets.tolist(), strict=True)
    graph.add_edges_from(
        [(*end, delay) for end, delay in zip(ends, network.delays.tolist(), strict=True)]
    )
    return rustworkx, graph


def test_shortest_path_beside_peers(benchmark, case):
    network, graph, pairs = case
    own = each(pairs, lambda s, t: shortest(network, s, t), 10)
    peers = {
        "NetworkX, both ends": each(
            pairs, lambda s, t: nx.bidirectional_dijkstra(graph, s, t, weight="delay"), 1
        )
    }
    rustworkx, other = rustworkx_graph(network)
    peers["rustworkx"] = each(
        pairs,
        lambda s, t: rustworkx.digraph_dijkstra_shortest_paths(other, s, t, float),
        2,
    )
    benchmark.pedantic(lambda: shortest(network, *pairs[0]), rounds=1)
    tell_beside(benchmark, own, peers, f"point to point, {network.n_nodes} nodes")


def test_one_to_all_beside_peers(benchmark, case):
    network, graph, pairs = case
    roots = [(source,) for source, _ in pairs[:5]]
    own = each(roots, lambda s: shortest_tree(network, s))
    peers = {
        "NetworkX": each(
            roots, lambda s: nx.single_source_dijkstra_path_length(graph, s, weight="delay"), 1
        )
    }
    rustworkx, other = rustworkx_graph(network)
    peers["rustworkx"] = each(
        roots, lambda s: rustworkx.digraph_dijkstra_shortest_path_lengths(other, s, float), 1
    )
    benchmark.pedantic(lambda: shortest_tree(network, pairs[0][0]), rounds=1)
    tell_beside(benchmark, own, peers, f"one to all, {network.n_nodes} nodes")


def test_k_shortest_beside_networkx(benchmark, case):
    network, graph, pairs = case
    if network.n_nodes > 10_000:
        pytest.skip("takes seconds a pair, by whatever library")
    own = each(pairs[:5], lambda s, t: k_shortest(network, s, t, 10), 2)

    def peer(source, target):
        paths = nx.shortest_simple_paths(graph, source, target, weight="delay")
        return [next(paths) for _ in range(10)]

    benchmark.pedantic(lambda: k_shortest(network, *pairs[0], 10), rounds=1)
    tell_beside(
        benchmark,
        own,
        {"NetworkX": each(pairs[:5], peer, 1)},
        f"10 shortest, {network.n_nodes} nodes",
    )


def test_paths_that_no_library_finds(benchmark, case):
    network, _, pairs = case
    hops = np.random.default_rng(1).uniform(1.0, 10.0, network.n_links)
    limits = {pair: 1.2 * shortest(network, *pair).latency for pair in pairs}
    micro = {
        "widest": each(pairs, lambda s, t: widest(network, s, t)),
        "constrained": each(
            pairs,
            lambda s, t: constrained(network, s, t, costs=hops, max_latency=limits[s, t]),
        ),
        "front": each(pairs, lambda s, t: pareto_front(network, s, t, network.delays, hops)),
    }
    on_front = [len(pareto_front(network, *pair, network.delays, hops)) for pair in pairs]
    benchmark.pedantic(lambda: widest(network, *pairs[0]), rounds=1)
    tell(
        benchmark,
        f"microseconds, {network.n_nodes} nodes",
        **{name: 1e6 * seconds for name, seconds in micro.items()},
        mean_paths_on_front=float(np.mean(on_front)),
    )


def test_metrics_beside_peers(benchmark):
    graph = nx.connected_watts_strogatz_graph(1000 if FULL else 200, 6, 0.1, seed=1)
    network = Network.from_networkx(graph)
    measure(network)
    own = least_cpu_seconds(lambda: measure(network))
    peers = {
        "NetworkX, path length alone": least_cpu_seconds(
            lambda: nx.average_shortest_path_length(graph), 1
        ),
        "NetworkX, betweenness alone": least_cpu_seconds(
            lambda: nx.betweenness_centrality(graph), 1
        ),
    }
    rustworkx = pytest.importorskip("rustworkx")
    other = rustworkx.networkx_converter(graph)
    peers["rustworkx, betweenness alone"] = least_cpu_seconds(
        lambda: rustworkx.graph_betweenness_centrality(other), 2
    )
    benchmark.pedantic(lambda: measure(network), rounds=1)
    tell_beside(benchmark, own, peers, f"all metrics of {len(graph)} nodes")


@pytest.mark.parametrize("shape", ["mesh", "hierarchical", "small_world", "scale_free"])
def test_reorganisation(benchmark, shape):
    nodes, steps = (200, 4000) if FULL else (60, 300)
    ring = grow("mesh", nodes, 4, np.random.default_rng(0))
    budget = 40 if shape == "scale_free" else 8
    gains, last = [], None
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        last = reorganise(ring, shape, degree_budget=budget, steps=steps, rng=rng, threshold=np.inf)
        gains.append(last.fitness[[0, steps // 4, -1]])
    seconds = least_cpu_seconds(
        lambda: reorganise(
            ring, shape, degree_budget=budget, steps=100, rng=np.random.default_rng(0)
        ),
        2,
    )
    start, quarter, end = np.median(gains, axis=0).tolist()
    found = measure(last.network)
    benchmark.pedantic(lambda: measure(last.network), rounds=1)
    tell(
        benchmark,
        f"{shape}, {nodes} nodes, budget {budget}, {steps} steps, {SEEDS} seeds",
        fitness_before=start,
        after_a_quarter=quarter,
        after=end,
        least_after=float(np.min(gains, axis=0)[-1]),
        path_length=found.path_length,
        clustering=float(found.clustering.mean()),
        links=len(last.network.sources) // 2,
        largest_degree=int(found.degrees.max()),
        ms_a_step=10.0 * seconds,
    )


def test_random_links_on_a_ring(benchmark):
    ring = grow("mesh", 1000, 4, np.random.default_rng(0))
    lengths = [
        measure(
            add_random_links(ring, 100, degree_budget=6, rng=np.random.default_rng(seed))
        ).path_length
        for seed in range(SEEDS)
    ]
    benchmark.pedantic(lambda: measure(ring), rounds=1)
    tell(
        benchmark,
        f"100 random links on a ring of 1,000 nodes, {SEEDS} seeds",
        path_length_before=measure(ring).path_length,
        mean_after=float(np.mean(lengths)),
        least=float(np.min(lengths)),
        most=float(np.max(lengths)),
    )
