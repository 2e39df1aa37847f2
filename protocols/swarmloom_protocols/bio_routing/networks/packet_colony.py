"""The ants of one kind of pheromone: their trails, what nodes expect of trips, and a round."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device, map_bands
from swarmloom.random_streams32 import words32
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.packet_kernels import (
    LOST,
    Models,
    assess,
    deposit,
    fade,
    learn,
    pick_targets,
)
from swarmloom_protocols.bio_routing.networks.packet_kinds import (
    PheromoneKind,
    Trips,
    link_costs,
    trip_amounts,
)
from swarmloom_protocols.bio_routing.networks.packet_walks import walked, wires_of

__all__ = ["Change", "Colony", "Crowd"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]
IntArray = NDArray[np.int64]

# Weight of a trip in the nodes' averages, and the window of best trips (AntNet's η and w).
MEMORY, WINDOW = 0.005, 300
# After a change of links, what of a node's trails is spread over all of them.
EXPLORED = 0.1


class Crowd(NamedTuple):
    """What the ants of all kinds share in a round.

    Attributes
    ----------
    network : Network
        As it works.
    shares : ndarray of float64, shape (n, n)
        Running sums along the rows of each node's demands for what it reaches.
    ants : int
        From each node.
    most_links : int
        That an ant goes.
    load_step : float
        Weight of a round in the measured load.
    device : str
        Where ants walk.
    """

    network: Network
    shares: FloatArray
    ants: int
    most_links: int
    load_step: float
    device: Device


class Change(NamedTuple):
    """What a round changes of a colony: nothing is changed before all kinds' rules were asked."""

    trails: FloatArray
    models: Models
    loads: FloatArray
    mean_cost: float
    lost: int


@dataclass(slots=True, eq=False)
class Colony:
    """Ants of one kind.

    Attributes
    ----------
    kind : PheromoneKind
    trails : ndarray of float64, shape (n, m)
        By destination and link.
    models : Models
        Of trips, by destination and node.
    loads : ndarray of float64, shape (m,)
        Traffic on each link if all went as these ants do.
    mean_cost : float
        Of the last round's trips; NaN before the first.
    lost : int
        Ants of the last round that did not arrive.
    """

    kind: PheromoneKind
    trails: FloatArray
    models: Models
    loads: FloatArray
    mean_cost: float = np.nan
    lost: int = 0

    @classmethod
    def fresh(cls, network: Network, kind: PheromoneKind) -> Colony:
        """Return a colony that knows nothing."""
        table = np.repeat(_fresh_row(network, kind)[None], network.n_nodes, axis=0)
        return cls(kind, table, _fresh_models(network.n_nodes), np.zeros(network.n_links))

    def copy(self) -> Colony:
        """Return one that no round of this one changes."""
        models = _copied(self.models)
        return Colony(
            self.kind, self.trails.copy(), models, self.loads.copy(), self.mean_cost, self.lost
        )

    def key(self, seed: int, rounds: int, number: int) -> int:
        """Return the key of random numbers, which depends on the kind's name and no other kind."""
        own = seed ^ zlib.crc32(self.kind.name.encode())
        return int(words32(own, rounds, number)[0])

    def explore(self, crowd: Crowd, weights: NDArray[np.float32], key: int) -> Change:
        """Let the ants walk, and return what follows from it.

        Parameters
        ----------
        crowd : Crowd
            What all kinds share.
        weights : ndarray of float32, shape (n, m)
            What the ants perceive.
        key : int
            Of their random numbers.

        Raises
        ------
        InputError
            One of the kind's rules gave a wrong number.
        """
        net = crowd.network
        sources = np.repeat(np.arange(net.n_nodes), crowd.ants)
        targets = np.empty(len(sources), dtype=np.int64)
        pick_targets(crowd.shares, key, crowd.ants, targets)
        paths = walked(
            net, sources, targets, targets, weights, key, crowd.most_links, device=crowd.device
        )
        used = paths != LOST
        lengths = used.sum(axis=1)
        links = paths[used].astype(np.int64)
        loads = self._loads(crowd, lengths, links)
        starts = np.concatenate(([0], np.cumsum(lengths)))
        costs = np.empty(len(links))
        assess(paths, starts, link_costs(self.kind, net, loads), self.kind.widest, costs)
        arrived = lengths > 0
        mean_cost = float(costs[starts[:-1][arrived]].mean()) if arrived.any() else np.nan
        trails, models = self._taught(net, targets, starts, links, costs)
        return Change(trails, models, loads, mean_cost, int(((targets >= 0) & ~arrived).sum()))

    def settle(self, change: Change) -> None:
        """Take over what a round changes."""
        self.trails, self.models, self.loads = change.trails, change.models, change.loads
        self.mean_cost, self.lost = change.mean_cost, change.lost

    def rewire(self, old: Network, new: Network) -> None:
        """Withdraw trails from links that work no more, and begin afresh those that work again."""
        fresh = _fresh_row(new, self.kind)
        self.trails[:, ~new.link_works] = self.kind.floor
        self.trails[:, new.link_works & ~old.link_works] = fresh[new.link_works & ~old.link_works]
        changed = np.unique(new.sources[new.link_works != old.link_works])
        for node in changed if self.kind.relative else ():
            links = new.out_links[new.out_starts[node] : new.out_starts[node + 1]]
            own = self.trails[:, links]
            own = own / own.sum(axis=1, keepdims=True)
            own = (1.0 - EXPLORED) * own + EXPLORED * fresh[links]
            self.trails[:, links] = np.clip(own, self.kind.floor, self.kind.cap)
        self.models = _fresh_models(new.n_nodes)

    def _loads(self, crowd: Crowd, lengths: IntArray, links: IntArray) -> FloatArray:
        """Return the moving average of what passes each link."""
        carried = np.repeat(crowd.shares[:, -1:].sum(axis=1) / crowd.ants, crowd.ants)
        steps = np.repeat(carried, lengths)
        measured: FloatArray = np.bincount(links, steps, crowd.network.n_links).astype(np.float64)
        if np.isnan(self.mean_cost):
            return measured
        return self.loads + crowd.load_step * (measured - self.loads)

    def _taught(
        self, net: Network, targets: IntArray, starts: IntArray, links: IntArray, costs: FloatArray
    ) -> tuple[FloatArray, Models]:
        """Return trails and models after the trips."""
        kind, wires = self.kind, wires_of(net)
        order = np.argsort(targets, kind="stable")
        of_target = np.searchsorted(targets[order], np.arange(net.n_nodes + 1))
        nodes = net.sources[links]
        ends = np.repeat(targets, np.diff(starts))
        models = _copied(self.models)

        def teach(first: int, last: int) -> None:
            learn(first, last, order, of_target, starts, nodes, costs, MEMORY, WINDOW, models)

        map_bands(teach, net.n_nodes, 8 * max(1, len(links) // max(1, net.n_nodes)))
        trips = _trips(net, models, nodes, ends, costs)
        amounts = trip_amounts(kind, trips)
        trails, kept = self.trails.copy(), 1.0 - kind.evaporation

        def lay(first: int, last: int) -> None:
            fade(first, last, kept, 0.0, np.inf, trails)
            deposit(
                first, last, order, of_target, starts, links, amounts, kind.relative, wires, trails
            )
            fade(first, last, 1.0, kind.floor, kind.cap, trails)

        map_bands(lay, net.n_nodes, 4 * max(1, net.n_links))
        return trails, models


def _trips(
    net: Network, models: Models, nodes: IntArray, ends: IntArray, costs: FloatArray
) -> Trips:
    best = np.minimum(models.best[ends, nodes], models.best_before[ends, nodes])
    return Trips(
        nodes=nodes,
        targets=ends,
        costs=costs,
        best=best,
        means=models.means[ends, nodes],
        deviations=np.sqrt(models.variances[ends, nodes]),
        counts=models.trips[ends, nodes],
        degrees=np.diff(net.out_starts)[nodes],
    )


def _copied(models: Models) -> Models:
    return Models(
        models.means.copy(),
        models.variances.copy(),
        models.best.copy(),
        models.best_before.copy(),
        models.trips.copy(),
    )


def _fresh_models(n: int) -> Models:
    return Models(
        np.zeros((n, n)),
        np.zeros((n, n)),
        np.full((n, n), np.inf),
        np.full((n, n), np.inf),
        np.zeros((n, n), dtype=np.int64),
    )


def _fresh_row(network: Network, kind: PheromoneKind) -> FloatArray:
    """Return trails of a node that knows nothing: equal chances, or the least."""
    if not kind.relative:
        return np.full(network.n_links, kind.floor)
    degrees = np.maximum(np.diff(network.out_starts), 1)
    return np.clip(1.0 / degrees[network.sources], kind.floor, kind.cap)
