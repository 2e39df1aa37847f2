"""Trails on sets of paths, a set for each pair of nodes, compiled.

Slot k of pair p holds the path ``links[begins[p, k] : begins[p, k] + lengths[p, k]]`` with the
trail ``trails[p, k]``; the slots below ``counts[p]`` are in use. The trails of a pair add up to 1:
they are the shares of its traffic. Pairs are sorted by destination.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.networks.tree_kernels import Graph, grow_tree, room_for

__all__ = ["Pairs", "Paths", "Rule", "load_links", "pack", "take_turns", "withdraw"]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
LinkArray = NDArray[np.int32]

# Moves shorter than this part of the way to the aim are left out.
LEAST_STRIDE = 1e-6


class Pairs(NamedTuple):
    """Traffic by pairs; those of destination ``roots[d]`` begin at ``starts[d]``."""

    roots: IntArray
    starts: IntArray
    sources: IntArray
    demands: FloatArray


class Paths(NamedTuple):
    """The sets of paths of all pairs, as described above."""

    begins: IntArray
    lengths: IntArray
    trails: FloatArray
    counts: IntArray
    links: LinkArray


class Rule(NamedTuple):
    """How trails follow prices.

    Attributes
    ----------
    step : float
        How many natural logarithms a path loses that costs twice the pair's mean.
    offered : float
        Least trail that the cheapest path of a pair starts from.
    floor : float
        Least trail that any other path starts from.
    cheaper : float
        By what share a path must cost less than all of a pair's for it to be new to the pair.
    """

    step: float
    offered: float
    floor: float
    cheaper: float


@kernel
def _fullest(loads: FloatArray, graph: Graph) -> float:
    """Return the largest utilisation."""
    largest = 0.0
    for link in range(len(loads)):
        largest = max(largest, loads[link] / graph.capacities[link])
    return largest


@kernel
def _set_prices(loads: FloatArray, graph: Graph, sharpness: float, prices: FloatArray) -> None:
    """Price the links by the soft-max of their utilisation."""
    largest = _fullest(loads, graph)
    for link in range(len(loads)):
        below = loads[link] / graph.capacities[link] / largest - 1.0 if largest > 0.0 else 0.0
        prices[link] = math.exp(sharpness * below) / graph.capacities[link]


@kernel
def _carry(paths: Paths, pair: int, slot: int, amount: float, loads: FloatArray) -> None:
    """Add an amount to the loads of a path's links."""
    begin = paths.begins[pair, slot]
    for place in range(begin, begin + paths.lengths[pair, slot]):
        loads[paths.links[place]] += amount


@kernel
def _set_costs(paths: Paths, pair: int, prices: FloatArray, costs: FloatArray) -> float:
    """Fill in what the paths of a pair cost, and return the least, inf without a path."""
    cheapest = np.inf
    for slot in range(paths.counts[pair]):
        cost, begin = 0.0, paths.begins[pair, slot]
        for place in range(begin, begin + paths.lengths[pair, slot]):
            cost += prices[paths.links[place]]
        costs[slot] = cost
        cheapest = min(cheapest, cost)
    return cheapest


@kernel
def _vacate(paths: Paths, pair: int, demand: float, loads: FloatArray) -> int:
    """Free a slot, the weakest path's where all are in use; the others take its traffic."""
    count = paths.counts[pair]
    if count < paths.trails.shape[1]:
        paths.counts[pair] = count + 1
        return int(count)
    trails = paths.trails[pair]
    weakest = int(np.argmin(trails))
    _carry(paths, pair, weakest, -demand * trails[weakest], loads)
    rest = 1.0 - trails[weakest]
    for slot in range(count):
        if slot != weakest:
            more = trails[slot] / rest - trails[slot]
            _carry(paths, pair, slot, demand * more, loads)
            trails[slot] += more
    return weakest


@kernel
def _lay(
    paths: Paths, pair: int, slot: int, node: int, next_links: IntArray, graph: Graph, used: int
) -> int:
    """Put the path that leads from a node down a tree into a slot, and return the room's rest."""
    paths.begins[pair, slot] = used
    while next_links[node] >= 0:
        paths.links[used] = next_links[node]
        node = graph.targets[next_links[node]]
        used += 1
    paths.lengths[pair, slot] = used - paths.begins[pair, slot]
    return used


@kernel
def _explore(
    pair: int,
    pairs: Pairs,
    paths: Paths,
    costs: FloatArray,
    cheapest: float,
    tree: tuple[FloatArray, IntArray],
    graph: Graph,
    loads: FloatArray,
    used: int,
) -> int:
    """Give a pair the path of the tree; its first path carries all of its traffic at once."""
    tree_costs, next_links = tree
    node, demand = pairs.sources[pair], pairs.demands[pair]
    slot = _vacate(paths, pair, demand, loads)
    used = _lay(paths, pair, slot, node, next_links, graph, used)
    costs[slot] = tree_costs[node]
    paths.trails[pair, slot] = 0.0
    if cheapest == np.inf:
        paths.trails[pair, slot] = 1.0
        _carry(paths, pair, slot, demand, loads)
    return used


@kernel
def _aim(trails: FloatArray, costs: FloatArray, rule: Rule, aims: FloatArray) -> None:
    """Fill in the trails that a pair would have if its paths went on costing the same."""
    cheapest, mean = costs.min(), (trails * costs).sum()
    for slot in range(len(trails)):
        least = rule.offered if costs[slot] <= cheapest else rule.floor
        dearer = (costs[slot] - cheapest) / mean if mean > 0.0 else 0.0
        aims[slot] = max(trails[slot], least) * math.exp(-rule.step * dearer)
    aims /= aims.sum()


@kernel
def _slope(utilisation: FloatArray, change: FloatArray, stride: float, sharpness: float) -> float:
    """Return the sign-giving part of the soft-max's derivative along a change."""
    largest = (utilisation + stride * change).max()
    slope = 0.0
    for link in range(len(change)):
        if change[link] != 0.0:
            level = utilisation[link] + stride * change[link] - largest
            slope += math.exp(sharpness * level) * change[link]
    return slope


@kernel
def _stride(utilisation: FloatArray, change: FloatArray, sharpness: float) -> float:
    """Find how much of a change makes the soft-max of utilisation least, to a tenth of it."""
    low, high = 0.0, 1.0
    if _slope(utilisation, change, high, sharpness) <= 0.0:
        return high
    while high - low > 0.1 * high and high > LEAST_STRIDE:
        middle = 0.5 * (low + high)
        if _slope(utilisation, change, middle, sharpness) > 0.0:
            high = middle
        else:
            low = middle
    return low


@kernel
def _turn(
    first: int,
    last: int,
    pairs: Pairs,
    paths: Paths,
    rule: Rule,
    prices: FloatArray,
    tree: tuple[FloatArray, IntArray],
    graph: Graph,
    loads: FloatArray,
    aims: FloatArray,
    change: FloatArray,
    used: int,
) -> int:
    """Explore for the pairs of one destination, and fill in where their trails would go."""
    costs = np.empty(paths.trails.shape[1])
    change[:] = 0.0
    for pair in range(first, last):
        cheapest = _set_costs(paths, pair, prices, costs)
        found = tree[0][pairs.sources[pair]]
        full = paths.counts[pair] == paths.trails.shape[1]
        # A pair whose paths all carry more than a new one would needs none.
        wanted = not full or paths.trails[pair].min() < rule.offered
        if wanted and found < cheapest * (1.0 - rule.cheaper):
            used = _explore(pair, pairs, paths, costs, cheapest, tree, graph, loads, used)
        count = paths.counts[pair]
        if count > 1:
            trails, aim = paths.trails[pair, :count], aims[pair - first, :count]
            _aim(trails, costs[:count], rule, aim)
            for slot in range(count):
                amount = pairs.demands[pair] * (aim[slot] - trails[slot])
                _carry(paths, pair, slot, amount, change)
    return used


@kernel
def _follow(first: int, last: int, paths: Paths, aims: FloatArray, stride: float) -> None:
    """Move the trails of some pairs a part of the way to their aims."""
    for pair in range(first, last):
        count = paths.counts[pair]
        if count > 1:
            trails = paths.trails[pair]
            for slot in range(count):
                trails[slot] += stride * (aims[pair - first, slot] - trails[slot])


@kernel
def take_turns(
    row: int,
    pairs: Pairs,
    paths: Paths,
    rule: Rule,
    sharpness: float,
    graph: Graph,
    loads: FloatArray,
    used: int,
) -> tuple[int, int]:
    """Let destinations explore and shift their traffic, one after the other.

    Each prices the links at the present loads, grows its tree of cheapest ways, offers the paths to
    its pairs, and moves all their trails by the one stride that makes the soft-max of utilisation
    least.

    Parameters
    ----------
    row : int
        Destination that begins.
    pairs, paths, rule, graph
        As described there; `paths` are changed in place.
    sharpness : float
        β of the soft-max, in units of the inverse largest utilisation.
    loads : ndarray of float64, shape (m,)
        What passes each link, changed in place.
    used : int
        Where the free room in ``paths.links`` begins.

    Returns
    -------
    (int, int)
        Destination for whose paths there may be too little room, or the number of destinations;
        where the free room begins now.
    """
    n_nodes = len(graph.in_starts) - 1
    most = int((pairs.starts[1:] - pairs.starts[:-1]).max())
    room = room_for(graph)
    tree = np.empty(n_nodes), np.empty(n_nodes, dtype=np.int64)
    prices, change = np.empty(len(loads)), np.empty(len(loads))
    aims = np.empty((most, paths.trails.shape[1]))
    while row < len(pairs.roots):
        first, last = pairs.starts[row], pairs.starts[row + 1]
        if used + (last - first) * (n_nodes - 1) > len(paths.links):
            return row, used
        _set_prices(loads, graph, sharpness, prices)
        grow_tree(pairs.roots[row], prices, graph, room, tree[0], tree[1])
        used = _turn(
            first, last, pairs, paths, rule, prices, tree, graph, loads, aims, change, used
        )
        utilisation = loads / graph.capacities
        change /= graph.capacities
        largest = _fullest(loads, graph)
        stride = _stride(utilisation, change, sharpness / largest) if largest > 0.0 else 0.0
        loads += stride * change * graph.capacities
        _follow(first, last, paths, aims, stride)
        row += 1
    return row, used


@kernel
def load_links(pairs: Pairs, paths: Paths, loads: FloatArray) -> float:
    """Fill in what passes each link.

    Parameters
    ----------
    pairs, paths
        As described there.
    loads : ndarray of float64, shape (m,)
        Filled.

    Returns
    -------
    float
        Traffic of the pairs that have a path.
    """
    loads[:] = 0.0
    delivered = 0.0
    for pair in range(len(pairs.demands)):
        for slot in range(paths.counts[pair]):
            _carry(paths, pair, slot, pairs.demands[pair] * paths.trails[pair, slot], loads)
        if paths.counts[pair] > 0:
            delivered += pairs.demands[pair]
    return delivered


@kernel
def _is_whole(paths: Paths, pair: int, slot: int, works: BoolArray) -> bool:
    begin = paths.begins[pair, slot]
    for place in range(begin, begin + paths.lengths[pair, slot]):
        if not works[paths.links[place]]:
            return False
    return True


@kernel
def withdraw(paths: Paths, works: BoolArray) -> None:
    """Take away the paths that meet a link that does not work; those left share the traffic.

    Parameters
    ----------
    paths : Paths
        Changed in place.
    works : ndarray of bool, shape (m,)
        Whether each link does.
    """
    for pair in range(len(paths.counts)):
        kept, total = 0, 0.0
        for slot in range(paths.counts[pair]):
            if _is_whole(paths, pair, slot, works):
                paths.begins[pair, kept] = paths.begins[pair, slot]
                paths.lengths[pair, kept] = paths.lengths[pair, slot]
                paths.trails[pair, kept] = paths.trails[pair, slot]
                total += paths.trails[pair, slot]
                kept += 1
        if kept < paths.counts[pair]:
            paths.counts[pair] = kept
            _renew(paths.trails[pair, :kept], total)


@kernel
def _renew(trails: FloatArray, total: float) -> None:
    """Let trails add up to 1 again."""
    for slot in range(len(trails)):
        # What is left may have carried nothing.
        trails[slot] = trails[slot] / total if total > 0.0 else 1.0 / len(trails)


@kernel
def pack(paths: Paths, room: LinkArray) -> int:
    """Move all paths to the beginning of another array, pair by pair.

    Parameters
    ----------
    paths : Paths
        Its ``begins`` are changed in place.
    room : ndarray of int32
        Where the links go, at least as many as there are.

    Returns
    -------
    int
        Links of all paths.
    """
    used = 0
    for pair in range(len(paths.counts)):
        for slot in range(paths.counts[pair]):
            begin, length = paths.begins[pair, slot], paths.lengths[pair, slot]
            room[used : used + length] = paths.links[begin : begin + length]
            paths.begins[pair, slot] = used
            used += length
    return used
