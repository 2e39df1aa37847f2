"""Traffic between the nodes of a network, sorted by destination, and which of it has no way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import map_bands
from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.path_kernels import Pairs
from swarmloom_protocols.bio_routing.networks.tree_kernels import Graph, grow_trees
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["DemandMap", "Traffic", "demand_matrix"]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DemandMap = Mapping[tuple[str | int, str | int], float]


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Demands on a network as it works now.

    Attributes
    ----------
    network : Network
        Where they are to go.
    demands : ndarray of float64, shape (n, n)
        From row to column, ≥ 0, 0 on the diagonal.
    pairs : Pairs
        The pairs with a demand, reachable or not, sorted by destination.
    reached : ndarray of bool, shape (number of pairs,)
        Whether there is a way.
    """

    network: Network
    demands: FloatArray
    pairs: Pairs
    reached: BoolArray

    @classmethod
    def on(cls, network: Network, demands: FloatArray) -> Traffic:
        """Sort the demands by destination, and see which can be met.

        Parameters
        ----------
        network : Network
            Its working links count.
        demands : ndarray of float64, shape (n, n)
            From `demand_matrix`.

        Returns
        -------
        Traffic
        """
        targets, sources = np.nonzero(demands.T)
        roots, rows = np.unique(targets, return_inverse=True)
        starts = np.searchsorted(rows, np.arange(len(roots) + 1))
        pairs = Pairs(roots, starts, sources, demands[sources, targets])
        traffic = cls(network, demands, pairs, np.ones(len(sources), dtype=bool))
        ways = np.isfinite(traffic.costs(np.ones(network.n_links)))
        return cls(network, demands, pairs, ways[traffic.rows, sources])

    @property
    def graph(self) -> Graph:
        """The working links, for kernels."""
        net = self.network
        return Graph(net.sources, net.targets, net.capacities, net.in_starts, net.in_links)

    @property
    def rows(self) -> IntArray:
        """Row of each pair's destination in ``pairs.roots``."""
        return np.repeat(np.arange(len(self.pairs.roots)), np.diff(self.pairs.starts))

    @property
    def amounts(self) -> FloatArray:
        """What each node sends to each destination, where there is a way; shape (d, n)."""
        amounts = np.zeros((len(self.pairs.roots), self.network.n_nodes))
        amounts[self.rows, self.pairs.sources] = self.pairs.demands * self.reached
        return amounts

    @property
    def deliverable(self) -> float:
        """Sum of the demands that have a way."""
        return float(self.pairs.demands[self.reached].sum())

    @property
    def unreachable(self) -> IntArray:
        """Source and target of each pair with a demand and no way, in order; shape (k, 2)."""
        targets = self.pairs.roots[self.rows]
        lost = np.column_stack((self.pairs.sources, targets))[~self.reached]
        return lost[np.lexsort((lost[:, 1], lost[:, 0]))]

    def costs(self, prices: FloatArray) -> FloatArray:
        """Price the cheapest ways to all destinations.

        Parameters
        ----------
        prices : ndarray of float64, shape (m,)
            Of the links, ≥ 0.

        Returns
        -------
        ndarray of float64, shape (d, n)
            From each node to each destination, inf where there is no way.
        """
        costs = np.empty((len(self.pairs.roots), self.network.n_nodes))
        graph, roots = self.graph, self.pairs.roots

        def grow(first: int, last: int) -> None:
            grow_trees(first, last, roots, prices, graph, costs)

        map_bands(grow, len(roots), 4 * (self.network.n_links + 1))
        return costs

    def lower_bound(self, prices: FloatArray) -> float:
        """Bound the largest utilisation from below, by the duality of linear programs.

        What all traffic pays at least, at any prices of links, is at most the largest utilisation
        times what the links would earn if each were full.

        Parameters
        ----------
        prices : ndarray of float64, shape (m,)
            Of the links, ≥ 0.

        Returns
        -------
        float
            No split has a lower largest utilisation.
        """
        earned = float((prices * self.network.capacities)[self.network.link_works].sum())
        if not earned > 0.0:
            return 0.0
        costs = self.costs(prices)[self.rows, self.pairs.sources]
        return float((self.pairs.demands * costs)[self.reached].sum()) / earned


def demand_matrix(network: Network, demands: ArrayLike | DemandMap) -> FloatArray:
    """Return demands as a matrix, or raise `InputError`.

    Parameters
    ----------
    network : Network
        Whose nodes they are between.
    demands : array-like of float, shape (n, n), or mapping of (source, target) to float
        Finite, ≥ 0, none from a node to itself; nodes of a mapping are names or numbers.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Its own.

    Raises
    ------
    InputError
        A demand is wrong, or of an unknown node; the message names the pair.
    """
    n = network.n_nodes
    if isinstance(demands, Mapping):
        matrix = np.zeros((n, n))
        for (source, target), amount in demands.items():
            pair = network.node(source), network.node(target)
            if not isinstance(amount, Real):
                raise InputError(
                    f"demand from {source} to {target} is {amount!r}; allowed: finite, ≥ 0"
                )
            matrix[pair] += float(amount)
    else:
        matrix = real_array("demands", demands).copy()
    if matrix.shape != (n, n):
        raise InputError(f"demands are of shape {matrix.shape}; allowed: ({n}, {n})")
    wrong = ~(np.isfinite(matrix) & (matrix >= 0.0))
    wrong |= np.eye(n, dtype=bool) & (matrix != 0.0)
    for source, target in np.argwhere(wrong):
        raise InputError(
            f"demand from {network.names[source]} to {network.names[target]} is "
            f"{matrix[source, target]}; allowed: finite, ≥ 0, 0 from a node to itself"
        )
    return matrix
