"""Cheapest ways to one destination from everywhere, compiled: E. W. Dijkstra's method (1959)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["Graph", "Room", "grow_tree", "grow_trees", "room_for", "tree_flows"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Graph(NamedTuple):
    """What kernels need of a `Network`, under the same names."""

    sources: IntArray
    targets: IntArray
    capacities: FloatArray
    in_starts: IntArray
    in_links: IntArray


class Room(NamedTuple):
    """Working memory of `grow_tree`."""

    order: IntArray
    keys: FloatArray
    nodes: IntArray


@kernel
def room_for(graph: Graph) -> Room:
    """Return working memory for trees of a graph."""
    nodes, links = len(graph.in_starts) - 1, len(graph.in_links)
    return Room(
        np.empty(nodes, dtype=np.int64), np.empty(links + 1), np.empty(links + 1, dtype=np.int64)
    )


@kernel
def _push(keys: FloatArray, nodes: IntArray, size: int, key: float, node: int) -> None:
    """Put a node into a binary heap of `size` nodes."""
    place = size
    while place > 0:
        above = (place - 1) >> 1
        if keys[above] <= key:
            break
        keys[place], nodes[place] = keys[above], nodes[above]
        place = above
    keys[place], nodes[place] = key, node


@kernel
def _pop(keys: FloatArray, nodes: IntArray, size: int) -> None:
    """Take the first node off a binary heap, of which `size` nodes then remain."""
    key, node = keys[size], nodes[size]
    place = 0
    below = 1
    while below < size:
        if below + 1 < size and keys[below + 1] < keys[below]:
            below += 1
        if keys[below] >= key:
            break
        keys[place], nodes[place] = keys[below], nodes[below]
        place = below
        below = 2 * place + 1
    keys[place], nodes[place] = key, node


@kernel
def grow_tree(
    root: int,
    prices: FloatArray,
    graph: Graph,
    room: Room,
    costs: FloatArray,
    next_links: IntArray,
) -> int:
    """Find each node's cheapest way to a destination.

    Parameters
    ----------
    root : int
        The destination.
    prices : ndarray of float64, shape (m,)
        Of the links, ≥ 0.
    graph : Graph
        The working links.
    room : Room
        The beginning of ``room.order`` is filled with the nodes in the order of their costs, the
        root first: each node's next one comes before it, whatever the ties.
    costs : ndarray of float64, shape (n,)
        Filled with the cheapest ways' sums of prices, inf where there is no way.
    next_links : ndarray of int64, shape (n,)
        Filled with each node's first link, −1 at the root and where there is no way.

    Returns
    -------
    int
        Nodes in ``room.order``.
    """
    costs[:] = np.inf
    next_links[:] = -1
    costs[root] = 0.0
    room.keys[0], room.nodes[0] = 0.0, root
    size, reached = 1, 0
    while size > 0:
        cost, node = room.keys[0], room.nodes[0]
        size -= 1
        _pop(room.keys, room.nodes, size)
        # A node is in the heap once for each time that it became cheaper.
        if cost > costs[node]:
            continue
        room.order[reached] = node
        reached += 1
        for slot in range(graph.in_starts[node], graph.in_starts[node + 1]):
            link = graph.in_links[slot]
            source, through = graph.sources[link], cost + prices[link]
            if through < costs[source]:
                costs[source], next_links[source] = through, link
                _push(room.keys, room.nodes, size, through, source)
                size += 1
    return reached


@kernel
def grow_trees(
    first: int, last: int, roots: IntArray, prices: FloatArray, graph: Graph, costs: FloatArray
) -> None:
    """Find what the cheapest ways to some destinations cost.

    Parameters
    ----------
    first, last : int
        Rows of `roots`.
    roots : ndarray of int64, shape (d,)
        Destinations.
    prices, graph
        As in `grow_tree`.
    costs : ndarray of float64, shape (d, n)
        Rows first … last − 1 are filled, as in `grow_tree`.
    """
    room = room_for(graph)
    next_links = np.empty(costs.shape[1], dtype=np.int64)
    for row in range(first, last):
        grow_tree(roots[row], prices, graph, room, costs[row], next_links)


@kernel
def tree_flows(
    first: int,
    last: int,
    roots: IntArray,
    amounts: FloatArray,
    prices: FloatArray,
    graph: Graph,
    flows: FloatArray,
) -> float:
    """Send all traffic of some destinations along the cheapest ways.

    Parameters
    ----------
    first, last, roots, prices, graph
        As in `grow_trees`.
    amounts : ndarray of float64, shape (d, n)
        Traffic from each node to each destination; 0 where there is no way.
    flows : ndarray of float64, shape (d, m)
        Rows first … last − 1 are filled with what passes each link.

    Returns
    -------
    float
        What the traffic pays: the sum of amounts times the costs of their ways.
    """
    room = room_for(graph)
    costs = np.empty(amounts.shape[1])
    next_links = np.empty(amounts.shape[1], dtype=np.int64)
    passing = np.empty(amounts.shape[1])
    paid = 0.0
    for row in range(first, last):
        reached = grow_tree(roots[row], prices, graph, room, costs, next_links)
        flows[row] = 0.0
        passing[:] = amounts[row]
        for place in range(reached - 1, 0, -1):
            node = room.order[place]
            link = next_links[node]
            paid += amounts[row, node] * costs[node]
            flows[row, link] = passing[node]
            passing[graph.targets[link]] += passing[node]
    return paid
