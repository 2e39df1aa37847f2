"""Links between pairs of nodes under a degree budget, and how well they make up a shape.

The fitness of each shape is within [0, 1]. It measures distances against those of the tree in
which every node spends its whole budget, which no graph of that budget can beat (the bound of
E. F. Moore).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.hop_kernels import (
    clustering,
    depths,
    pairs_by_distance,
)
from swarmloom_protocols.bio_routing.networks.topology import Adjacency, Shape

__all__ = ["Fitness", "Overlay", "fitness_of"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Fitness = Callable[["Overlay"], float]


class Overlay:
    """Undirected links under a degree budget; adding and removing one takes O(budget).

    Parameters
    ----------
    n_nodes : int
        Nodes.
    pairs : ndarray of int64, shape (number of pairs, 2)
        Linked from the start, each pair once.
    budget : int
        Most neighbours of a node.
    names : sequence of str
        What errors call the nodes.

    Attributes
    ----------
    budget : int
        As given.
    degrees : ndarray of int64, shape (n,)
        Neighbours of each node.
    pairs : list of (int, int)
        Linked pairs in no particular order.

    Raises
    ------
    InputError
        A node has more neighbours than the budget.
    """

    def __init__(self, n_nodes: int, pairs: IntArray, budget: int, names: tuple[str, ...]) -> None:
        self.budget = budget
        self.degrees = np.bincount(pairs.ravel(), minlength=n_nodes).astype(np.int64)
        for node in np.flatnonzero(self.degrees > budget):
            raise InputError(
                f"node {names[node]!r} has {self.degrees[node]} neighbours; allowed: at most the "
                f"degree_budget of {budget}"
            )
        self._table = np.zeros((n_nodes, budget), dtype=np.int64)
        self._starts = np.arange(n_nodes, dtype=np.int64) * budget
        self.degrees[:] = 0
        self.pairs: list[tuple[int, int]] = []
        self._places: dict[tuple[int, int], int] = {}
        for one, other in pairs.tolist():
            self.add(one, other)

    @property
    def graph(self) -> Adjacency:
        """The links as kernels take them."""
        return Adjacency(self._starts, self._starts + self.degrees, self._table.reshape(-1))

    def linked(self, one: int, other: int) -> bool:
        """Tell whether two nodes are linked."""
        return (min(one, other), max(one, other)) in self._places

    def neighbours(self, node: int) -> IntArray:
        """Return the neighbours of a node."""
        return self._table[node, : self.degrees[node]]

    def add(self, one: int, other: int) -> None:
        """Link two nodes that are not linked and have places left."""
        for node, neighbour in ((one, other), (other, one)):
            self._table[node, self.degrees[node]] = neighbour
            self.degrees[node] += 1
        pair = (min(one, other), max(one, other))
        self._places[pair] = len(self.pairs)
        self.pairs.append(pair)

    def remove(self, one: int, other: int) -> None:
        """Take the link between two nodes away."""
        for node, neighbour in ((one, other), (other, one)):
            row, last = self._table[node], self.degrees[node] - 1
            row[np.flatnonzero(row[: last + 1] == neighbour)[0]] = row[last]
            self.degrees[node] = last
        place = self._places.pop((min(one, other), max(one, other)))
        moved = self.pairs.pop()
        if place < len(self.pairs):
            self.pairs[place] = moved
            self._places[moved] = place


def fitness_of(shape: Shape, overlay: Overlay) -> Fitness:
    """Return how well an overlay makes up a shape, as a function of its links.

    Parameters
    ----------
    shape : {"mesh", "hierarchical", "small_world", "scale_free"}
        See `reorganisation.reorganise`.
    overlay : Overlay
        As it is before any change: the root of a hierarchy is the first of its nodes with most
        neighbours, and the mean degree of a scale-free network that of now.

    Returns
    -------
    callable
        Takes an overlay and returns a number within [0, 1].
    """
    n_nodes = len(overlay.degrees)
    nearest = _moore_distances(n_nodes, overlay.budget)
    ideal = float((1.0 / nearest).sum())
    if shape == "mesh":
        return lambda now: _efficiency(now) / ideal * _evenness(now.degrees)
    if shape == "hierarchical":
        root = int(np.argmax(overlay.degrees))
        return lambda now: _closeness(now, root) / ideal * _thrift(now)
    if shape == "small_world":
        return lambda now: float(np.sqrt(_efficiency(now) / ideal * _cliquishness(now)))
    law = _grown_degrees(max(1, round(len(overlay.pairs) / n_nodes)), overlay.budget)
    return lambda now: 1.0 - _distance_of_laws(now.degrees, law)


def _moore_distances(n_nodes: int, budget: int) -> FloatArray:
    """Return the least distances from a node to all others, ascending."""
    reached: list[int] = []
    width, depth = budget, 1
    while len(reached) < n_nodes - 1:
        reached.extend([depth] * min(width, n_nodes - 1 - len(reached)))
        # With one place a node nobody leads farther on; such a bound still holds.
        width, depth = width * max(budget - 1, 1), depth + 1
    return np.array(reached, dtype=np.float64)


def _efficiency(overlay: Overlay) -> float:
    """Return the sum of inverse distances from a node, on the mean of all nodes."""
    counts = pairs_by_distance(*overlay.graph)
    return float((counts[1:] / np.arange(1, len(counts))).sum()) / len(overlay.degrees)


def _closeness(overlay: Overlay, root: int) -> float:
    """Return the sum of inverse distances from the root."""
    found = depths(root, *overlay.graph)
    return float((1.0 / found[found > 0]).sum())


def _thrift(overlay: Overlay) -> float:
    """Return 1 for as many links as a tree has or fewer, less for more."""
    return min(1.0, (len(overlay.degrees) - 1) / max(len(overlay.pairs), 1))


def _evenness(degrees: IntArray) -> float:
    mean = degrees.mean()
    return float(max(0.0, 1.0 - degrees.std() / mean)) if mean > 0 else 0.0


def _cliquishness(overlay: Overlay) -> float:
    """Return mean clustering, as a share of that of the ring lattice of the budget."""
    even = overlay.budget - overlay.budget % 2
    lattice = 3.0 * (even - 2) / (4.0 * (even - 1)) if even > 2 else 1.0
    return min(1.0, float(clustering(*overlay.graph).mean()) / lattice)


def _grown_degrees(links: int, budget: int) -> FloatArray:
    """Return the shares of nodes of degree ≥ 0 … budget + 1 in networks that grow by preference.

    P(degree ≥ k) = m(m + 1) / (k(k + 1)) where a new node has m links (Bollobás et al. 2001), so
    that P(degree = k) falls as k⁻³; cut off at the budget.
    """
    degrees = np.arange(budget + 2, dtype=np.float64)
    shares = links * (links + 1) / np.maximum(degrees * (degrees + 1), 1.0)
    shares[: links + 1], shares[-1] = 1.0, 0.0
    return np.minimum(shares, 1.0)


def _distance_of_laws(degrees: IntArray, law: FloatArray) -> float:
    """Return the largest difference to the shares of a law (Kolmogorov & Smirnov)."""
    counts = np.bincount(degrees, minlength=len(law))
    shares = counts[::-1].cumsum()[::-1] / len(degrees)
    return float(np.abs(shares - law).max())
