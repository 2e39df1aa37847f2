"""Pheromone on sets of paths: traffic shifts to cheap ones, and prices lead to new ones.

Multiplicative weights on paths, priced by the soft-max of utilisation. Trails as in S. Fischer,
H. Räcke and B. Vöcking, "Fast convergence to Wardrop equilibria by adaptive sampling methods"
(STOC 2006): of a pair's paths those grow that cost less than its mean. Where they differ from the
ant colony's: prices are read off the links rather than sampled, the cheapest way at these prices is
offered to each pair (column generation), and a line search on the soft-max, destination by
destination, sets how far all its trails move.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.bio_routing.networks.demands import Traffic
from swarmloom_protocols.bio_routing.networks.path_kernels import (
    Paths,
    Rule,
    load_links,
    pack,
    take_turns,
    withdraw,
)

__all__ = ["PathSets", "soft_max_prices"]

FloatArray = NDArray[np.float64]
LinkArray = NDArray[np.int32]

# Paths that a pair keeps.
MOST_PATHS = 10
RULE = Rule(step=2.0, offered=math.exp(-3.0), floor=math.exp(-12.0), cheaper=0.1)
# The soft-max's sharpness β: the first round's, its growth a round and its last. Begun too high,
# traffic settles where no small move helps; each failure begins again.
FIRST, GROWTH, LAST = 10.0, 1.1, 1000.0


def soft_max_prices(utilisation: FloatArray, capacities: FloatArray, beta: float) -> FloatArray:
    """Price links by exp(β(u / max u − 1)) / c, the gradient of the soft-max of utilisation.

    Parameters
    ----------
    utilisation, capacities : ndarray of float64, shape (m,)
        Of the links.
    beta : float
        Sharpness.

    Returns
    -------
    ndarray of float64, shape (m,)
        1 / c where there is no load at all.
    """
    largest = utilisation.max(initial=0.0)
    if not largest > 0.0:
        return 1.0 / capacities
    prices: FloatArray = np.exp(beta * (utilisation / largest - 1.0)) / capacities
    return prices


@dataclass(slots=True, eq=False)
class PathSets:
    """Trails on the paths of all pairs of some traffic.

    Attributes
    ----------
    traffic : Traffic
        What is split.
    paths : Paths
        As `path_kernels` describes.
    used : int
        Where the free room in ``paths.links`` begins.
    age : int
        Rounds since the beginning or the last failure.
    loads : ndarray of float64, shape (m,)
        What passes each link.
    """

    traffic: Traffic
    paths: Paths
    used: int = 0
    age: int = 0
    loads: FloatArray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def none_yet(cls, traffic: Traffic) -> PathSets:
        """Begin without a path.

        Parameters
        ----------
        traffic : Traffic
            What is to be split.

        Returns
        -------
        PathSets
        """
        shape = (len(traffic.pairs.demands), MOST_PATHS)
        paths = Paths(
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape),
            np.zeros(shape[0], dtype=np.int64),
            np.zeros(0, dtype=np.int32),
        )
        return cls(traffic, paths, loads=np.zeros(traffic.network.n_links))

    def moved_to(self, traffic: Traffic) -> PathSets:
        """Withdraw the paths that meet links which do not work, and go on with the others' trails.

        Parameters
        ----------
        traffic : Traffic
            The same demands on the network as it works now.

        Returns
        -------
        PathSets
            This one stays as it is.
        """
        old = self.paths
        copied = Paths(
            old.begins.copy(),
            old.lengths.copy(),
            old.trails.copy(),
            old.counts.copy(),
            old.links,
        )
        moved = PathSets(traffic, copied, self.used, 0, np.zeros(traffic.network.n_links))
        withdraw(copied, traffic.network.link_works)
        moved._make_room()
        moved.measure()
        return moved

    def measure(self) -> float:
        """Sum up what passes each link, and return what is delivered.

        Returns
        -------
        float
            Traffic of the pairs that have a path.
        """
        return load_links(self.traffic.pairs, self.paths, self.loads)

    @property
    def beta(self) -> float:
        """Sharpness of the soft-max in the last round."""
        return min(FIRST * GROWTH ** min(max(self.age - 1, 0), 1000), LAST)

    def round(self) -> None:
        """Let each destination explore and shift its traffic once."""
        self.age += 1
        row, graph, pairs = 0, self.traffic.graph, self.traffic.pairs
        while row < len(pairs.roots):
            row, self.used = take_turns(
                row, pairs, self.paths, RULE, self.beta, graph, self.loads, self.used
            )
            if row < len(pairs.roots):
                self._make_room()

    def lower_bound(self) -> float:
        """Bound the largest utilisation from below by the prices at the present loads.

        Returns
        -------
        float
        """
        capacities = self.traffic.network.capacities
        prices = soft_max_prices(self.loads / capacities, capacities, self.beta)
        return self.traffic.lower_bound(prices)

    def ways(self, source: int, target: int) -> list[tuple[float, LinkArray]]:
        """List a pair's paths.

        Parameters
        ----------
        source, target : int
            Nodes.

        Returns
        -------
        list of (float, ndarray of int32)
            Share of the pair's traffic and links, in their order, of each path.
        """
        pairs, paths = self.traffic.pairs, self.paths
        mine = (pairs.sources == source) & (pairs.roots[self.traffic.rows] == target)
        found = []
        for pair in np.flatnonzero(mine):
            for slot in range(paths.counts[pair]):
                begin = paths.begins[pair, slot]
                links = paths.links[begin : begin + paths.lengths[pair, slot]]
                found.append((float(paths.trails[pair, slot]), links))
        return found

    def _make_room(self) -> None:
        """Pack the paths into an array of their own, with room for as many and a tree."""
        in_use = np.arange(MOST_PATHS) < self.paths.counts[:, None]
        needed = int(self.paths.lengths[in_use].sum())
        room = np.zeros(2 * needed + 2 * self.traffic.network.n_nodes**2, dtype=np.int32)
        self.used = pack(self.paths, room)
        self.paths = self.paths._replace(links=room)
