"""Figures of the page on agreement: the model's states, rumours, averaging, learned links.

python -m tests.benchmarks.agreement_figures states
python -m tests.benchmarks.agreement_figures rumours
python -m tests.benchmarks.agreement_figures networks
python -m tests.benchmarks.agreement_figures links
"""

from __future__ import annotations

import sys

import networkx as nx
import numpy as np
import numpy.typing as npt

from swarmloom_protocols.consensus.byzantine.model import check_safety
from swarmloom_protocols.consensus.gossip.convergence import convergence
from swarmloom_protocols.consensus.gossip.fan_out import AdaptiveGossip, Wave
from swarmloom_protocols.consensus.gossip.rumours import expected_push_rounds, spread_rumour

FloatArray = npt.NDArray[np.float64]

# Replicas and views, and who lies.
GROUPS = {(4, 3): [0], (7, 2): [0, 1], (10, 1): [0, 1, 2]}
# Of the learned links.
NODES, NETWORKS = 200, 10


def say(line: str) -> None:
    """Print a line at once, for some of the figures take minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def states() -> None:
    """States of the model with as many liars as allowed."""
    for (n, views), faulty in GROUPS.items():
        found = check_safety(n, faulty, views)
        told = f"safe {found.safe}, {found.states:,} states"
        say(f"{n} replicas, liars {faulty}, {views} views: {told}")


def rumours(n: int = 10_000, runs: int = 100) -> None:
    """Rounds until everybody knows a rumour, beside what the theory expects."""
    rounds = [spread_rumour(n, rng=np.random.default_rng(seed)).rounds for seed in range(runs)]
    expected = expected_push_rounds(n)
    more = np.mean(rounds) - expected
    say(f"{n:,} nodes: expected {expected:.1f}, mean of {runs} runs {more:+.1f}")


def networks() -> None:
    """Rounds of averaging on networks that mix well and badly."""
    graphs = {
        "complete": [nx.complete_graph(n) for n in (64, 256)],
        "hypercube": [nx.hypercube_graph(d) for d in (6, 10)],
        "random 4-regular": [nx.random_regular_graph(4, n, seed=0) for n in (128, 1024)],
        "ring": [nx.cycle_graph(n) for n in (32, 128, 512)],
    }
    for name, sizes in graphs.items():
        for graph in sizes:
            found = convergence(graph, rng=np.random.default_rng(0))
            say(
                f"{name}, {found.nodes:,}: gap {found.gap:.2g}, predicted {found.predicted:,.1f},"
                f" worst {found.worst:,}, random start {found.measured:,}"
            )


def latencies(n: int, degree: int, seed: int) -> FloatArray:
    """Return the latencies of a random regular network, most of them within two orders."""
    rng, matrix = np.random.default_rng(seed), np.zeros((n, n))
    for one, other in nx.random_regular_graph(degree, n, seed=seed).edges:
        matrix[one, other] = matrix[other, one] = rng.lognormal()
    return matrix


def links() -> None:
    """Messages and times of fan-outs, learned from 100 rumours, and fixed ones."""
    for name, least, most, rumours in (
        ("learned, 3 to 8", 3, 8, 100),
        ("five", 5, 5, 0),
        ("three", 3, 3, 0),
    ):
        waves = [
            wave
            for seed in range(NETWORKS)
            for wave in later_waves(
                AdaptiveGossip(latencies(NODES, 12, seed), least=least, most=most), rumours, seed
            )
        ]
        heard = [wave.fired[np.isfinite(wave.fired)] for wave in waves]
        say(
            f"{name}: {np.mean([wave.messages for wave in waves]):.0f} messages,"
            f" the last hears it after {np.mean([times.max() for times in heard]):.1f},"
            f" {1.0 - np.mean([len(times) for times in heard]) / NODES:.1%} never do,"
            f" all do in {np.mean([len(times) == NODES for times in heard]):.0%} of runs"
        )


def later_waves(gossip: AdaptiveGossip, rumours: int, seed: int) -> list[Wave]:
    """Let links learn from some rumours, and return 40 more that change them no more."""
    rng = np.random.default_rng(seed)
    for source in rng.integers(NODES, size=rumours):
        gossip.spread(int(source), rng=rng)
    sources = rng.integers(NODES, size=40)
    return [gossip.spread(int(source), learn=False, rng=rng) for source in sources]


if __name__ == "__main__":
    {"states": states, "rumours": rumours, "networks": networks, "links": links}[sys.argv[1]]()
