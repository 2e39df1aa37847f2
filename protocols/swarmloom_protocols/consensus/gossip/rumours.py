"""Push gossip: how a rumour spreads when everybody who knows it tells somebody each round."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.checks import generator, whole
from swarmloom_protocols.consensus.gossip.kernels import IntArray, push_round
from swarmloom_protocols.consensus.gossip.networks import neighbours_of

__all__ = ["Spread", "expected_push_rounds", "spread_rumour"]


class Spread(NamedTuple):
    """How a rumour went.

    Attributes
    ----------
    informed : int64[rounds + 1]
        Who knew it after each round, from 1 before the first.
    messages : int
        Messages sent.
    """

    informed: IntArray
    messages: int

    @property
    def rounds(self) -> int:
        """Rounds until everybody knew it."""
        return len(self.informed) - 1


def spread_rumour(
    graph: Any,
    *,
    fan_out: int = 1,
    source: int = 0,
    most_rounds: int = 100_000,
    rng: np.random.Generator,
) -> Spread:
    """Spread a rumour by push gossip until everybody knows it.

    Parameters
    ----------
    graph : int or networkx.Graph or adjacency matrix
        A number of nodes that all know each other, or a connected undirected graph.
    fan_out : int
        Partners that an informed node tells each round, drawn with replacement.
    source : int
        Who knows it first.
    most_rounds : int
        Rounds after which it is an error that somebody does not know it yet.
    rng : numpy.random.Generator

    Returns
    -------
    Spread

    Notes
    -----
    A round costs O(nodes · fan_out). Where all know each other, one partner a round takes
    log2 n + ln n + O(1) rounds (Pittel 1987, "On spreading a rumor").
    """
    network = neighbours_of(graph)
    whole("fan_out", fan_out, 1)
    whole("source", source, 0, network.nodes - 1)
    seed = int(generator("rng", rng).integers(2**32))
    informed = np.zeros(network.nodes, np.bool_)
    informed[source] = True
    counts, messages = [1], 0
    while counts[-1] < network.nodes:
        if len(counts) > most_rounds:
            raise InputError(
                f"most_rounds = {most_rounds}: {counts[-1]} of {network.nodes} know it"
            )
        heard = informed.copy()
        messages += push_round(informed, heard, *network, fan_out, seed, len(counts))
        informed = heard
        counts.append(int(informed.sum()))
    return Spread(np.array(counts, np.int64), messages)


def expected_push_rounds(n: int) -> float:
    """Return log2 n + ln n, the rounds that n nodes which all know each other need, up to O(1).

    Pittel, "On spreading a rumor", SIAM Journal on Applied Mathematics 47 (1987).
    """
    whole("n", n, 1)
    return float(np.log2(n) + np.log(n))
