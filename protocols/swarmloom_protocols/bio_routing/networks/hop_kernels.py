"""Distances, clustering and betweenness of undirected graphs by counting links, compiled.

Neighbours of node v are ``heads[starts[v] : ends[v]]``, so that both sparse rows and a table with
a row for each node will do; each link stands with both its nodes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["betweenness", "clustering", "depths", "pairs_by_distance"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WORD = 64
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
# Of Hamming weights, added up in fields of 2, 4 and 8 bits.
PAIRS = np.uint64(0x5555555555555555)
FOURS = np.uint64(0x3333333333333333)
BYTES = np.uint64(0x0F0F0F0F0F0F0F0F)
SUM = np.uint64(0x0101010101010101)


@kernel
def _bits_set(word: np.uint64) -> int:
    word = word - ((word >> np.uint64(1)) & PAIRS)
    word = (word & FOURS) + ((word >> np.uint64(2)) & FOURS)
    word = (word + (word >> np.uint64(4))) & BYTES
    return int(np.int64((word * SUM) >> np.uint64(56)))


@kernel
def pairs_by_distance(starts: IntArray, ends: IntArray, heads: IntArray) -> IntArray:
    """Count the ordered pairs of nodes by their distance in links.

    From 64 nodes at once, each a bit of a word (Then et al. 2014).

    Parameters
    ----------
    starts, ends, heads : ndarray of int64
        The graph, as described there.

    Returns
    -------
    ndarray of int64, shape (n,)
        Number d of distance d; none of distance 0, nor of pairs without a path.
    """
    n_nodes = len(starts)
    counts = np.zeros(max(n_nodes, 1), dtype=np.int64)
    front, following = np.empty(n_nodes, dtype=np.uint64), np.empty(n_nodes, dtype=np.uint64)
    unseen = np.empty(n_nodes, dtype=np.uint64)
    for first in range(0, n_nodes, WORD):
        width = min(WORD, n_nodes - first)
        front[:] = np.uint64(0)
        unseen[:] = ALL if width == WORD else (np.uint64(1) << np.uint64(width)) - np.uint64(1)
        for bit in range(width):
            front[first + bit] = np.uint64(1) << np.uint64(bit)
            unseen[first + bit] &= ~front[first + bit]
        distance, new = 0, 1
        while new > 0:
            new = 0
            for node in range(n_nodes):
                bits = np.uint64(0)
                if unseen[node] != np.uint64(0):
                    for slot in range(starts[node], ends[node]):
                        bits |= front[heads[slot]]
                    bits &= unseen[node]
                    unseen[node] &= ~bits
                    new += _bits_set(bits)
                following[node] = bits
            front, following = following, front
            distance += 1
            if new > 0:
                counts[distance] += new
    return counts


@kernel
def depths(root: int, starts: IntArray, ends: IntArray, heads: IntArray) -> IntArray:
    """Count links from one node to each, −1 where no path leads.

    Parameters
    ----------
    root : int
        The node.
    starts, ends, heads : ndarray of int64
        The graph, as described there.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    found = np.full(len(starts), -1)
    queue = np.empty(len(starts), dtype=np.int64)
    found[root], queue[0] = 0, root
    first, last = 0, 1
    while first < last:
        node = queue[first]
        first += 1
        for slot in range(starts[node], ends[node]):
            head = heads[slot]
            if found[head] < 0:
                found[head] = found[node] + 1
                queue[last] = head
                last += 1
    return found


@kernel
def clustering(starts: IntArray, ends: IntArray, heads: IntArray) -> FloatArray:
    """Find which share of each node's pairs of neighbours are neighbours (Watts & Strogatz 1998).

    Parameters
    ----------
    starts, ends, heads : ndarray of int64
        The graph, as described there, without parallel links.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 for nodes of fewer than two neighbours.
    """
    n_nodes = len(starts)
    shares = np.zeros(n_nodes)
    marked = np.full(n_nodes, -1)
    for node in range(n_nodes):
        degree = ends[node] - starts[node]
        for slot in range(starts[node], ends[node]):
            marked[heads[slot]] = node
        closed = 0
        for slot in range(starts[node], ends[node]):
            head = heads[slot]
            for other in range(starts[head], ends[head]):
                if marked[heads[other]] == node:
                    closed += 1
        if degree > 1:
            shares[node] = closed / (degree * (degree - 1))
    return shares


@kernel
def _shortest_ways(
    root: int,
    starts: IntArray,
    ends: IntArray,
    heads: IntArray,
    distance: IntArray,
    ways: FloatArray,
    order: IntArray,
) -> int:
    """Fill in distances, numbers of shortest paths and nodes by distance; return how many."""
    distance[:], ways[:] = -1, 0.0
    distance[root], ways[root], order[0] = 0, 1.0, root
    first, last = 0, 1
    while first < last:
        node = order[first]
        first += 1
        for slot in range(starts[node], ends[node]):
            head = heads[slot]
            if distance[head] < 0:
                distance[head] = distance[node] + 1
                order[last] = head
                last += 1
            if distance[head] == distance[node] + 1:
                ways[head] += ways[node]
    return last


@kernel
def betweenness(starts: IntArray, ends: IntArray, heads: IntArray) -> FloatArray:
    """Find which share of the other pairs' shortest paths lead over each node (U. Brandes 2001).

    Parameters
    ----------
    starts, ends, heads : ndarray of int64
        The graph, as described there, without parallel links.

    Returns
    -------
    ndarray of float64, shape (n,)
        From 0 to 1, as NetworkX normalises it.
    """
    n_nodes = len(starts)
    totals, below = np.zeros(n_nodes), np.empty(n_nodes)
    distance, order = np.empty(n_nodes, dtype=np.int64), np.empty(n_nodes, dtype=np.int64)
    ways = np.empty(n_nodes)
    for root in range(n_nodes):
        reached = _shortest_ways(root, starts, ends, heads, distance, ways, order)
        below[:] = 0.0
        for place in range(reached - 1, 0, -1):
            node = order[place]
            for slot in range(starts[node], ends[node]):
                head = heads[slot]
                if distance[head] == distance[node] - 1:
                    below[head] += ways[head] / ways[node] * (1.0 + below[node])
            totals[node] += below[node]
    return totals / max((n_nodes - 1) * (n_nodes - 2), 1)
