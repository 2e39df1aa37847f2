"""From one node to another, compiled: shortest and widest paths, searched from both ends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.networks.heap_kernels import Heap, heap_for, pop, push

__all__ = ["Links", "measures", "meet_in_the_middle", "towards"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Links(NamedTuple):
    """The working links of a `Network`, under the same names."""

    sources: IntArray
    targets: IntArray
    out_starts: IntArray
    out_links: IntArray
    in_starts: IntArray
    in_links: IntArray


class Side(NamedTuple):
    """One of the two searches that meet: what it follows, and what it has found."""

    starts: IntArray
    links: IntArray
    ends: IntArray
    costs: FloatArray
    via: IntArray
    heap: Heap


@kernel
def _together(one: float, other: float, bottleneck: bool) -> float:
    """Return what two parts of a path cost: the sum, or the dearer one."""
    return max(one, other) if bottleneck else one + other


@kernel
def _side(root: int, starts: IntArray, links: IntArray, ends: IntArray, bottleneck: bool) -> Side:
    n_nodes = len(starts) - 1
    heap = heap_for(len(links) + 1)
    costs, via = np.full(n_nodes, np.inf), np.full(n_nodes, -1)
    costs[root] = -np.inf if bottleneck else 0.0
    push(heap, 0, costs[root], 0.0, root)
    return Side(starts, links, ends, costs, via, heap)


@kernel
def _advance(
    side: Side,
    size: int,
    other: Side,
    other_least: float,
    prices: FloatArray,
    bottleneck: bool,
    best: float,
    met: int,
) -> tuple[int, float, int]:
    """Settle the first node of one search; return its size, the best cost and where they meet."""
    cost, node = side.heap.keys[0], side.heap.items[0]
    size = pop(side.heap, size)
    # A node is in the heap once for each time that it became cheaper.
    if cost > side.costs[node]:
        return size, best, met
    for slot in range(side.starts[node], side.starts[node + 1]):
        link = side.links[slot]
        end, through = side.ends[link], _together(cost, prices[link], bottleneck)
        if through < side.costs[end]:
            side.costs[end], side.via[end] = through, link
            whole = _together(through, other.costs[end], bottleneck)
            if whole < best:
                best, met = whole, end
            # What the other search has not settled yet is at least as far as its first node.
            if _together(through, other_least, bottleneck) < best:
                size = push(side.heap, size, through, 0.0, end)
    return size, best, met


@kernel
def _joined(forth: Side, back: Side, met: int) -> IntArray:
    """Return the links from the one root over the meeting node to the other."""
    before, after = 0, 0
    node = met
    while forth.via[node] >= 0:
        node, before = back.ends[forth.via[node]], before + 1
    node = met
    while back.via[node] >= 0:
        node, after = forth.ends[back.via[node]], after + 1
    path = np.empty(before + after, dtype=np.int64)
    node = met
    for place in range(before - 1, -1, -1):
        path[place] = forth.via[node]
        node = back.ends[path[place]]
    node = met
    for place in range(before, before + after):
        path[place] = back.via[node]
        node = forth.ends[path[place]]
    return path


@kernel
def meet_in_the_middle(
    source: int, target: int, prices: FloatArray, bottleneck: bool, links: Links
) -> IntArray:
    """Find a cheapest path by two searches of Dijkstra's that meet (I. Pohl 1971).

    Parameters
    ----------
    source, target : int
        Two nodes.
    prices : ndarray of float64, shape (m,)
        Of the links, inf for those not to be used; ≥ 0 where they add up.
    bottleneck : bool
        Whether a path costs as much as its dearest link, not the sum.
    links : Links

    Returns
    -------
    ndarray of int64
        Links of the path in order; empty where there is none, or the nodes are one.
    """
    forth = _side(source, links.out_starts, links.out_links, links.targets, bottleneck)
    back = _side(target, links.in_starts, links.in_links, links.sources, bottleneck)
    size, size_back = 1, 1
    best, met = np.inf, -1
    while source != target and size > 0 and size_back > 0:
        least, least_back = forth.heap.keys[0], back.heap.keys[0]
        if _together(least, least_back, bottleneck) >= best:
            break
        # The smaller heap goes on: on graphs with hubs that is the search that has met none yet.
        if size <= size_back:
            size, best, met = _advance(forth, size, back, least_back, prices, bottleneck, best, met)
        else:
            size_back, best, met = _advance(
                back, size_back, forth, least, prices, bottleneck, best, met
            )
    if met < 0:
        return np.empty(0, dtype=np.int64)
    return _joined(forth, back, met)


@kernel
def towards(
    root: int, prices: FloatArray, limit: float, within: FloatArray, links: Links
) -> FloatArray:
    """Find what the cheapest paths to a node cost, as far as they cost no more than a limit.

    Parameters
    ----------
    root : int
        The node.
    prices : ndarray of float64, shape (m,)
        Of the links, ≥ 0; inf for those not to be used.
    limit : float
        Nodes farther away keep inf.
    within : ndarray of float64, shape (n,)
        Nodes where this is inf keep inf too.
    links : Links

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    costs = np.full(len(links.in_starts) - 1, np.inf)
    costs[root] = 0.0
    heap = heap_for(len(links.in_links) + 1)
    size = push(heap, 0, 0.0, 0.0, root)
    while size > 0:
        cost, node = heap.keys[0], heap.items[0]
        size = pop(heap, size)
        if cost > costs[node]:
            continue
        for slot in range(links.in_starts[node], links.in_starts[node + 1]):
            link = links.in_links[slot]
            source, through = links.sources[link], cost + prices[link]
            if through < costs[source] and through <= limit and within[source] < np.inf:
                costs[source] = through
                size = push(heap, size, through, 0.0, source)
    return costs


@kernel
def measures(
    path: IntArray,
    prices: FloatArray,
    delays: FloatArray,
    reliabilities: FloatArray,
    capacities: FloatArray,
) -> tuple[float, float, float, float]:
    """Add up prices and delays, multiply reliabilities and take the least capacity of a path."""
    cost, latency, reliability, capacity = 0.0, 0.0, 1.0, np.inf
    for link in path:
        cost += prices[link]
        latency += delays[link]
        reliability *= reliabilities[link]
        capacity = min(capacity, capacities[link])
    return cost, latency, reliability, capacity
