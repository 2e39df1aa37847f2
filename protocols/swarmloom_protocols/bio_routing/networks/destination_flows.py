"""Splits that are kept by destination: what passes each link on its way to each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.bio_routing.networks.demands import Traffic
from swarmloom_protocols.bio_routing.networks.flow_kernels import straighten
from swarmloom_protocols.bio_routing.networks.tree_kernels import tree_flows

__all__ = ["DestinationFlows", "FoundFlows"]

FloatArray = NDArray[np.float64]
LinkArray = NDArray[np.int32]

# Share of the traffic that goes along the ways of fewest links, lest a solver's tolerance leave a
# small demand with no way at all.
TRACE = 1e-9
# Share of a pair's traffic below which no further path of it is told.
LEAST = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class FoundFlows:
    """What a method has found.

    Attributes
    ----------
    flows : ndarray of float64, shape (d, m)
        To each destination over each link.
    lower_bound : float
        No split has a lower largest utilisation.
    """

    flows: FloatArray
    lower_bound: float


@dataclass(frozen=True, slots=True, eq=False)
class DestinationFlows:
    """Flows to each destination, without cycles.

    Attributes
    ----------
    traffic : Traffic
        What is split.
    flows : ndarray of float64, shape (d, m)
        To each destination over each link.
    delivered : float
        Traffic that arrives.
    """

    traffic: Traffic
    flows: FloatArray
    delivered: float

    @classmethod
    def straightened(cls, traffic: Traffic, flows: FloatArray) -> DestinationFlows:
        """Take cycles out of flows, and let them deliver all traffic that has a way.

        Parameters
        ----------
        traffic : Traffic
            What is to be delivered.
        flows : ndarray of float64, shape (d, m)
            Conserved up to a solver's tolerance.

        Returns
        -------
        DestinationFlows
        """
        roots, amounts, net = traffic.pairs.roots, traffic.amounts, traffic.network
        direct = np.empty_like(flows)
        tree_flows(0, len(roots), roots, amounts, np.ones(net.n_links), traffic.graph, direct)
        mixed = (1.0 - TRACE) * np.maximum(flows, 0.0) + TRACE * direct
        out = net.out_starts, net.out_links
        arrived = straighten(roots, amounts, net.targets, out, mixed)
        return cls(traffic, mixed, arrived)

    @property
    def loads(self) -> FloatArray:
        """What passes each link; shape (m,)."""
        loads: FloatArray = self.flows.sum(axis=0)
        return loads

    def ways(self, source: int, target: int) -> list[tuple[float, LinkArray]]:
        """Cut a pair's traffic into paths, each time the one that carries most at its least link.

        Parameters
        ----------
        source, target : int
            Nodes.

        Returns
        -------
        list of (float, ndarray of int32)
            Share of the pair's traffic and links, in their order, of each path.
        """
        for row in np.flatnonzero(self.traffic.pairs.roots == target):
            onward = self._onward(int(row), source)
            left = self._unit_flow(int(row), source, onward)
            return list(self._paths(source, target, onward, left))
        return []

    def _onward(self, row: int, source: int) -> dict[int, list[int]]:
        """Return the links that the flow takes from each node, in an order that it never goes back.

        A node's links are listed before those of all nodes that they lead to.
        """
        net, flow = self.traffic.network, self.flows[row]
        onward: dict[int, list[int]] = {}
        done: dict[int, None] = {}
        stack = [source]
        while stack:
            node = stack[-1]
            if node not in onward:
                leaving = net.out_links[net.out_starts[node] : net.out_starts[node + 1]]
                onward[node] = [int(link) for link in leaving if flow[link] > 0.0]
                stack += [int(net.targets[link]) for link in onward[node]]
            else:
                done[stack.pop()] = None
        return {node: onward[node] for node in reversed(done)}

    def _unit_flow(self, row: int, source: int, onward: dict[int, list[int]]) -> dict[int, float]:
        """Send 1 from a node as the flow splits."""
        flow, targets = self.flows[row], self.traffic.network.targets
        passing = dict.fromkeys(onward, 0.0)
        passing[source] = 1.0
        sent: dict[int, float] = {}
        for node, links in onward.items():
            leaving = sum(flow[link] for link in links)
            for link in links:
                sent[link] = passing[node] * float(flow[link] / leaving)
                passing[int(targets[link])] += sent[link]
        return sent

    def _paths(
        self, source: int, target: int, onward: dict[int, list[int]], left: dict[int, float]
    ) -> Iterator[tuple[float, LinkArray]]:
        """Yield paths and what they carry until next to nothing is left, which is changed."""
        targets = self.traffic.network.targets
        backward = [node for node in reversed(onward) if node != target]
        while source in onward:
            width = dict.fromkeys(onward, 0.0) | {target: np.inf}
            first: dict[int, int] = {}
            for node in backward:
                for link in onward[node]:
                    through = min(left[link], width[int(targets[link])])
                    if through > width[node]:
                        width[node], first[node] = through, link
            if width[source] < LEAST:
                return
            links, node = [], source
            while node != target:
                links.append(first[node])
                left[first[node]] -= width[source]
                node = int(targets[first[node]])
            yield width[source], np.array(links, dtype=np.int32)
