"""Routes that packet ants find: what they cost, and ants that know how far the target is."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.tree_kernels import Graph, grow_tree, room_for

__all__ = ["Route", "attraction", "lattice", "non_dominated", "path_cost", "reached_from"]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

# How far ants that know the target stray: a path dearer than the cheapest by this share of its
# cost is e times rarer.
STRAYING = 0.2
# Steps between weightings of 2, 3 and more criteria.
STEPS = {1: 1, 2: 20, 3: 8}
STEPS_OF_MORE = 4
LEAST_WEIGHT = 1e-30


@dataclass(frozen=True, slots=True)
class Route:
    """A way without loops.

    Attributes
    ----------
    nodes : tuple of int
        From the source to the target, none twice.
    links : tuple of int
        Between them.
    costs : dict of str to float
        Of each kind asked for, by name.
    """

    nodes: tuple[int, ...]
    links: tuple[int, ...]
    costs: Mapping[str, float]


def path_cost(costs: FloatArray, links: tuple[int, ...], *, widest: bool) -> float:
    """Return what a path costs: the sum of its links', or the dearest one's."""
    own = costs[list(links)]
    return float(own.max() if widest else own.sum())


def reached_from(network: Network) -> BoolArray:
    """Tell which node reaches which by working links; shape (n, n), by row and column."""
    n = network.n_nodes
    works = np.flatnonzero(network.link_works)
    ends = network.sources[works], network.targets[works]
    graph = csr_array((np.ones(len(works)), ends), shape=(n, n))
    reached: BoolArray = np.isfinite(dijkstra(graph, unweighted=True))
    np.fill_diagonal(reached, False)
    return reached


def lattice(criteria: int) -> FloatArray:
    """Return evenly spread weightings of some criteria, each with sum 1; shape (w, criteria)."""
    steps = STEPS.get(criteria, STEPS_OF_MORE)
    grid = itertools.product(range(steps + 1), repeat=criteria)
    return np.array([point for point in grid if sum(point) == steps], dtype=float) / steps


def attraction(network: Network, prices: FloatArray, source: int, target: int) -> FloatArray:
    """Say how much links attract ants that know how far the target is.

    Parameters
    ----------
    network : Network
        Its working links count.
    prices : ndarray of float64, shape (m,)
        Of the links, ≥ 0.
    source, target : int
        Between which the ants go.

    Returns
    -------
    ndarray of float64, shape (m,)
        exp(−(p + h(end) − h(begin)) / (0.2 h(source))) with the cheapest way h to the target, so
        that a path's product falls with what it is dearer than the cheapest one; 0 of links from
        which there is no way.
    """
    net = network
    graph = Graph(net.sources, net.targets, net.capacities, net.in_starts, net.in_links)
    left, first = np.empty(net.n_nodes), np.empty(net.n_nodes, dtype=np.int64)
    grow_tree(target, prices, graph, room_for(graph), left, first)
    scale = STRAYING * left[source]
    # Where all is free nothing is dearer.
    if not 0.0 < scale < np.inf:
        scale = 1.0
    ahead = np.isfinite(left[net.targets]) & np.isfinite(left[net.sources])
    dearer = np.zeros(net.n_links)
    ends, begins = net.targets[ahead], net.sources[ahead]
    dearer[ahead] = np.maximum(prices[ahead] + left[ends] - left[begins], 0.0)
    return np.where(ahead, np.maximum(np.exp(-dearer / scale), LEAST_WEIGHT), 0.0)


def non_dominated(table: FloatArray) -> list[int]:
    """Return the rows to which no other is superior, each vector once, by the first column.

    Parameters
    ----------
    table : ndarray of float64, shape (r, criteria)
        Costs.

    Returns
    -------
    list of int
    """
    kept: list[int] = []
    # In lexical order, what is superior to a row comes before it.
    for row in np.lexsort(table.T[::-1]):
        if not any(bool((table[best] <= table[row]).all()) for best in kept):
            kept.append(int(row))
    return kept
