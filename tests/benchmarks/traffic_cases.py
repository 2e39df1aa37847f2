"""Networks with demands, failures of all their links, and the trail rule with a fixed step."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from scipy.sparse import csr_array

from swarmloom_protocols.bio_routing.networks.demands import Traffic
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.path_sets import soft_max_prices
from swarmloom_protocols.bio_routing.networks.repetita import read_demands
from swarmloom_protocols.bio_routing.networks.traffic import TrafficSplit, split_traffic
from swarmloom_protocols.bio_routing.networks.tree_kernels import grow_tree, room_for

SMALL = ("Abilene", "AttMpls", "Geant2012")
MARKS = (0, 1, 5, 15, 50, 100)

Case = tuple[Network, Any]


def shared_case(folder: Path, name: str) -> Case:
    """Read a network of the shared data with its demands."""
    network = Network.from_repetita(folder / "networks" / f"{name}.graph")
    return network, read_demands(folder / "networks" / f"{name}.0000.demands", network.n_nodes)


def ring_with_chords(n: int, seed: int) -> nx.Graph:
    """Return a ring of n nodes with n random chords."""
    rng = np.random.default_rng(seed)
    graph = nx.cycle_graph(n)
    while graph.number_of_edges() < 2 * n:
        graph.add_edge(*rng.choice(n, 2, replace=False).tolist())
    return graph


GRAPHS = {
    "ring with chords": ring_with_chords,
    "small world": lambda n, seed: nx.connected_watts_strogatz_graph(n, 4, 0.2, seed=seed),
    "scale free": lambda n, seed: nx.barabasi_albert_graph(n, 2, seed=seed),
    "plane": lambda n, seed: nearest_in_the_plane(n, seed),
    "grid": lambda n, seed: nx.convert_node_labels_to_integers(
        nx.grid_2d_graph(int(n**0.5), int(n**0.5))
    ),
}


def nearest_in_the_plane(n: int, seed: int) -> nx.Graph:
    """Return the random geometric graph of the least radius that connects all nodes."""
    places = np.random.default_rng(seed).random((n, 2))
    position = dict(enumerate(places.tolist()))
    radius = 0.05
    while True:
        graph = nx.random_geometric_graph(n, radius, pos=position)
        if nx.is_connected(graph):
            return graph
        radius *= 1.1


def generated_case(kind: str, n: int, seed: int) -> Case:
    """Make a network with capacities of three sizes and gravity demands."""
    rng = np.random.default_rng(seed)
    graph = GRAPHS[kind](n, seed)
    for edge in graph.edges.values():
        edge["capacity"] = float(rng.choice([1.0, 4.0, 10.0]))
    mass = rng.lognormal(0.0, 1.0, len(graph))
    demands = np.outer(mass, mass) / mass.sum()
    np.fill_diagonal(demands, 0.0)
    return Network.from_networkx(graph), demands


def rounds_to(split: TrafficSplit, optimum: float, within: float = 0.01) -> int | None:
    """Return the first round within a share of the optimum."""
    good = np.flatnonzero(split.trace.max_utilisation[1:] <= (1.0 + within) * optimum)
    return int(good[0]) + 1 if len(good) else None


def seconds_to(case: Case, optimum: float, rounds: int, **options: Any) -> tuple[int | None, float]:
    """Return the rounds to 1 % of the optimum, and the least CPU seconds of three such runs."""
    whole = split_traffic(*case, rounds=rounds, tolerance=0.0, **options)
    needed = rounds_to(whole, optimum)
    if needed is None:
        return None, float("nan")
    spent = []
    for _ in range(3):
        start = time.process_time()
        split_traffic(*case, rounds=needed, tolerance=0.0, **options)
        spent.append(time.process_time() - start)
    return needed, min(spent)


def links_that_may_fail(network: Network) -> list[list[int]]:
    """List both directions of each link whose loss leaves the network in one part."""
    pairs = [[link, link + 1] for link in range(0, network.n_links, 2)]
    graph = nx.MultiGraph([(int(network.sources[a]), int(network.targets[a]), a) for a, _ in pairs])
    cut = {frozenset(bridge) for bridge in nx.bridges(nx.Graph(graph))}
    return [
        [a, b]
        for a, b in pairs
        if frozenset((int(network.sources[a]), int(network.targets[a]))) not in cut
        or graph.number_of_edges(int(network.sources[a]), int(network.targets[a])) > 1
    ]


def recoveries(case: Case, failures: list[list[int]]) -> Iterator[tuple[Any, Any]]:
    """Yield, for each failure, utilisation over the new optimum and what is delivered, by round."""
    network, demands = case
    before = split_traffic(network, demands, tolerance=0.002)
    for links in failures:
        best = split_traffic(network.fail(links), demands, method="lp").max_utilisation
        after = before.fail(links, rounds=100, tolerance=0.0)
        assert len(after.unreachable) == 0
        yield padded(after.trace.max_utilisation, 100) / best, padded(after.trace.delivered, 100)


def padded(values: Any, rounds: int) -> Any:
    """Repeat the last value where a run ended early, at the optimum itself."""
    return np.pad(values, (0, rounds + 1 - len(values)), mode="edge")


def fixed_step(case: Case, rounds: int = 100) -> list[float]:
    """Return the largest utilisation by rounds where all pairs move at once by a fixed step.

    Log-trails lose 0.15 · (cost − least) / mean, down to −12; new paths begin at −3; β is
    20 (1 + t / 20), at most 300; ten paths a pair.
    """
    traffic = Traffic.on(*case)
    net, pairs, rows = traffic.network, traffic.pairs, traffic.rows
    sets: list[dict[tuple[int, ...], float]] = [{} for _ in rows]
    loads, fullest = np.zeros(net.n_links), []
    for age in range(rounds):
        beta = min(20.0 * (1.0 + age / 20.0), 300.0)
        prices = soft_max_prices(loads / net.capacities, net.capacities, beta)
        for pair, path in enumerate(tree_paths(traffic, prices)):
            trails = sets[pair]
            if path not in trails and len(trails) == 10:
                del trails[min(trails, key=lambda known: trails[known])]
            trails.setdefault(path, -3.0 if trails else 0.0)
        owner = np.repeat(np.arange(len(rows)), [len(trails) for trails in sets])
        logs = np.array([log for trails in sets for log in trails.values()])
        incidence = path_matrix([path for trails in sets for path in trails], net.n_links)
        logs = evaporated(logs, incidence @ prices, owner, len(rows))
        amounts = shares_of(logs, owner, len(rows)) * pairs.demands[owner]
        loads = incidence.T @ amounts
        fullest.append(float((loads / net.capacities).max()))
        values = iter(logs.tolist())
        sets = [{path: next(values) for path in trails} for trails in sets]
    return fullest


@functools.lru_cache(maxsize=1)
def _room(links: int, nodes: int) -> tuple[Any, Any]:
    return np.empty(nodes), np.empty(nodes, dtype=np.int64)


def tree_paths(traffic: Traffic, prices: Any) -> Iterator[tuple[int, ...]]:
    """Yield each pair's cheapest path."""
    net, graph = traffic.network, traffic.graph
    costs, next_links = _room(net.n_links, net.n_nodes)
    room = room_for(graph)
    for row, root in enumerate(traffic.pairs.roots):
        grow_tree(root, prices, graph, room, costs, next_links)
        for pair in range(traffic.pairs.starts[row], traffic.pairs.starts[row + 1]):
            node, links = traffic.pairs.sources[pair], []
            while node != root:
                links.append(int(next_links[node]))
                node = net.targets[links[-1]]
            yield tuple(links)


def path_matrix(paths: list[tuple[int, ...]], n_links: int) -> csr_array:
    """Return which path has which link."""
    lengths = [len(path) for path in paths]
    columns = np.concatenate([np.array(path) for path in paths])
    starts = np.concatenate(([0], np.cumsum(lengths)))
    return csr_array((np.ones(len(columns)), columns, starts), shape=(len(paths), n_links))


def shares_of(logs: Any, owner: Any, n: int) -> Any:
    """Return each path's share of its pair's traffic."""
    weights = np.exp(logs)
    return weights / np.bincount(owner, weights, n)[owner]


def evaporated(logs: Any, costs: Any, owner: Any, n: int) -> Any:
    """Lower the log-trails of dear paths; the strongest of each pair is 0."""
    mean = np.bincount(owner, shares_of(logs, owner, n) * costs, n)[owner]
    least, strongest = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(least, owner, costs)
    lowered = logs - 0.15 * (costs - least[owner]) / mean
    np.maximum.at(strongest, owner, lowered)
    return np.maximum(lowered - strongest[owner], -12.0)
