"""How a round of packet ants grows with nodes and with ants, as a picture.

    python -m tests.benchmarks.bio_routing_packets_growth docs/images/bio-routing-packets.svg

Milliseconds are CPU time of a round, the least of several, after ten rounds; networks are
scale-free with two links for each new node. Gaps are those of 100 routes to the shortest ones.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import networkx as nx
import numpy as np

from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.packet_ants import PacketAnts
from swarmloom_protocols.bio_routing.networks.paths import distances
from tests.benchmarks.measuring import least_cpu_seconds

NODES = (25, 50, 100, 200, 400)
ANTS = (1, 3, 10, 30, 100)

Curve = list[tuple[float, float]]


def scale_free(n: int) -> Network:
    """Return a network with delays from 1 to 100."""
    rng = np.random.default_rng(n)
    graph = nx.barabasi_albert_graph(n, 2, seed=n)
    for edge in graph.edges.values():
        edge["delay"] = float(rng.integers(1, 101))
    return Network.from_networkx(graph)


def round_seconds(n: int, ants: int) -> tuple[float, Network]:
    """CPU time of a round, and the network."""
    network = scale_free(n)
    colony = PacketAnts(network, rng=np.random.default_rng(0), ants=ants)
    colony.round(10)
    return least_cpu_seconds(colony.round, 5), network


def gap(n: int, ants: int, rounds: int) -> float:
    """Mean excess of routes over the shortest ones."""
    network = scale_free(n)
    colony, best = PacketAnts(network, rng=np.random.default_rng(0), ants=ants), distances(network)
    colony.round(rounds)
    pairs = np.random.default_rng(1).integers(0, n, (100, 2))
    ratios = [
        colony.route(source, target).costs["latency"] / best[source, target]
        for source, target in pairs[pairs[:, 0] != pairs[:, 1]].tolist()
    ]
    return float(np.mean(ratios) - 1.0)


def draw(times: dict[str, Curve], gaps: dict[str, Curve], path: Path) -> None:
    """Draw time by nodes, and what ants buy, side by side."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "swarmloom"
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for label, curve in times.items():
        left.loglog(*zip(*curve, strict=True), marker="o", markersize=3, label=label)
    for label, curve in gaps.items():
        right.semilogx(*zip(*curve, strict=True), marker="o", markersize=3, label=label)
    left.set(xlabel="nodes", ylabel="ms of CPU time a round")
    right.set(xlabel="ants a node", ylabel="mean gap to the shortest route")
    for panel in (left, right):
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})


def main(arguments: Iterable[str]) -> None:
    """Measure, print as JSON, and draw where a file is named."""
    times = {
        f"{ants} ants a node": [(n, 1e3 * round_seconds(n, ants)[0]) for n in NODES]
        for ants in (1, 10)
    }
    gaps = {
        f"100 nodes, {rounds} rounds": [(ants, gap(100, ants, rounds)) for ants in ANTS]
        for rounds in (10, 50)
    }
    sys.stdout.write(f"{json.dumps({'time': times, 'gap': gaps}, indent=1)}\n")
    for name in arguments:
        draw(times, gaps, Path(name))


if __name__ == "__main__":
    main(sys.argv[1:])
