"""Flows to destinations over links: even splits, cycles taken out, conservation; compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.networks.tree_kernels import Graph, grow_tree, room_for

__all__ = ["even_flows", "straighten"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Outward = tuple[IntArray, IntArray]


@kernel
def even_flows(
    roots: IntArray, amounts: FloatArray, graph: Graph, out: Outward, flows: FloatArray
) -> None:
    """Split traffic evenly, at each node, over the links that begin a way of fewest links.

    Parameters
    ----------
    roots : ndarray of int64, shape (d,)
        Destinations.
    amounts : ndarray of float64, shape (d, n)
        Traffic from each node to each destination; 0 where there is no way.
    graph : Graph
        The working links.
    out : (ndarray, ndarray) of int64
        `Network.out_starts` and `Network.out_links`.
    flows : ndarray of float64, shape (d, m)
        Filled with what passes each link.
    """
    starts, links = out
    room = room_for(graph)
    ones, hops = np.ones(flows.shape[1]), np.empty(amounts.shape[1])
    next_links = np.empty(amounts.shape[1], dtype=np.int64)
    for row in range(len(roots)):
        flows[row] = 0.0
        passing = amounts[row].copy()
        reached = grow_tree(roots[row], ones, graph, room, hops, next_links)
        for place in range(reached - 1, 0, -1):
            node = room.order[place]
            ways = 0
            for slot in range(starts[node], starts[node + 1]):
                ways += hops[graph.targets[links[slot]]] + 1.0 == hops[node]
            for slot in range(starts[node], starts[node + 1]):
                target = graph.targets[links[slot]]
                if hops[target] + 1.0 == hops[node]:
                    flows[row, links[slot]] = passing[node] / ways
                    passing[target] += passing[node] / ways


@kernel
def _cancel(flow: FloatArray, path: IntArray, begin: int, depth: int) -> int:
    """Take the least flow off a cycle, links begin … depth − 1, and say where it ends now."""
    least = flow[path[begin]]
    for place in range(begin, depth):
        least = min(least, flow[path[place]])
    cut = depth
    for place in range(depth - 1, begin - 1, -1):
        flow[path[place]] -= least
        if flow[path[place]] <= 0.0:
            cut = place
    return cut


@kernel
def _walk(
    start: int,
    targets: IntArray,
    out: Outward,
    flow: FloatArray,
    state: IntArray,
    next_slots: IntArray,
    stack: tuple[IntArray, IntArray],
    order: IntArray,
    done: int,
) -> int:
    """Follow the flow from a node depth first, cancel each cycle met, and list nodes when left."""
    nodes, path = stack
    starts, links = out
    depth = 0
    nodes[0], state[start], next_slots[start] = start, 1, starts[start]
    while depth >= 0:
        node = nodes[depth]
        if next_slots[node] == starts[node + 1]:
            state[node] = 2
            order[done] = node
            done += 1
            depth -= 1
            continue
        link = links[next_slots[node]]
        target = targets[link]
        if flow[link] <= 0.0 or state[target] == 2:
            next_slots[node] += 1
            continue
        path[depth] = link
        depth += 1
        if state[target] == 0:
            nodes[depth], state[target], next_slots[target] = target, 1, starts[target]
            continue
        begin = depth - 1
        while nodes[begin] != target:
            begin -= 1
        cut = _cancel(flow, path, begin, depth)
        for place in range(cut + 1, depth):
            state[nodes[place]] = 0
        depth = cut
    return done


@kernel
def _resend(
    order: IntArray, targets: IntArray, out: Outward, passing: FloatArray, flow: FloatArray
) -> None:
    """Send traffic along a flow without cycles, split at each node as the flow is."""
    starts, links = out
    for place in range(len(order) - 1, -1, -1):
        node = order[place]
        leaving = 0.0
        for slot in range(starts[node], starts[node + 1]):
            leaving += max(flow[links[slot]], 0.0)
        for slot in range(starts[node], starts[node + 1]):
            link = links[slot]
            share = max(flow[link], 0.0) / leaving if leaving > 0.0 else 0.0
            flow[link] = passing[node] * share
            passing[targets[link]] += flow[link]


@kernel
def straighten(
    roots: IntArray, amounts: FloatArray, targets: IntArray, out: Outward, flows: FloatArray
) -> float:
    """Take all cycles out of flows, and let them deliver the traffic exactly.

    Parameters
    ----------
    roots : ndarray of int64, shape (d,)
        Destinations.
    amounts : ndarray of float64, shape (d, n)
        Traffic from each node to each destination.
    targets : ndarray of int64, shape (m,)
        Nodes that the links lead to.
    out : (ndarray, ndarray) of int64
        `Network.out_starts` and `Network.out_links`.
    flows : ndarray of float64, shape (d, m)
        What passes each link, roughly conserved; changed in place.

    Returns
    -------
    float
        Traffic that arrives.
    """
    n = amounts.shape[1]
    state, next_slots = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    stack = np.empty(n + 1, dtype=np.int64), np.empty(n + 1, dtype=np.int64)
    order, passing = np.empty(n, dtype=np.int64), np.empty(n)
    arrived = 0.0
    for row in range(len(roots)):
        state[:] = 0
        state[roots[row]] = 2
        order[0] = roots[row]
        done = 1
        for node in range(n):
            if state[node] == 0:
                done = _walk(node, targets, out, flows[row], state, next_slots, stack, order, done)
        for slot in range(out[0][roots[row]], out[0][roots[row] + 1]):
            flows[row, out[1][slot]] = 0.0
        passing[:] = amounts[row]
        _resend(order, targets, out, passing, flows[row])
        arrived += passing[roots[row]]
    return arrived
