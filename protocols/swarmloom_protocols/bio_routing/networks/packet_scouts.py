"""Ants that answer a question and lay nothing: the routes they find, the traffic they carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device
from swarmloom.errors import MemoryLimitError
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.packet_kernels import LOST
from swarmloom_protocols.bio_routing.networks.packet_kinds import PheromoneKind
from swarmloom_protocols.bio_routing.networks.packet_routes import Route, attraction, path_cost
from swarmloom_protocols.bio_routing.networks.packet_walks import paths_of, walked
from swarmloom_protocols.bio_routing.no_route import NoRouteError
from swarmloom_protocols.checks import whole

__all__ = ["Scouts", "guiding_weights", "route_of", "scaled", "trail_weights"]

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]

# Trails to the first power lead to the heaviest link nearly always, to the second past it often.
SHARPENED, LOOSENED = 8.0, 0.5
LEAST_WEIGHT = 1e-30
BYTES_A_LINK = 4


@dataclass(frozen=True, slots=True)
class Scouts:
    """Ants of a network, and what bounds them.

    Attributes
    ----------
    network : Network
        As it works.
    most_links : int
        That an ant goes.
    memory_limit : float
        Bytes that paths may take.
    device : str
        Where they walk.
    """

    network: Network
    most_links: int
    memory_limit: float
    device: Device

    def sent(
        self, first: int, last: int, weights: Float32Array, walks: int, key: int
    ) -> list[tuple[int, ...]]:
        """Return the different paths that ants find between two nodes.

        Parameters
        ----------
        first, last : int
            Nodes.
        weights : ndarray of float32, shape (tables, m)
            Of the links; ants read the tables in turn.
        walks : int
            Ants.
        key : int
            Of their random numbers.

        Raises
        ------
        MemoryLimitError
            More ants than memory allows; nothing is allocated.
        NoRouteError
            None arrived.
        """
        self._refuse_too_many(walks)
        tables = np.arange(walks) % len(weights)
        ends = np.full(walks, first), np.full(walks, last)
        net, most = self.network, self.most_links
        paths = walked(net, *ends, tables, weights, key, most, device=self.device)
        found = paths_of(paths)
        if not found:
            names = net.names
            raise NoRouteError(f"no ant came from {names[first]} to {names[last]} in {most} links")
        return found

    def carried(
        self, pairs: IntArray, amounts: FloatArray, walks: int, weights: Float32Array, key: int
    ) -> FloatArray:
        """Return what some pairs' demands put on the links, each split among ants.

        Parameters
        ----------
        pairs : ndarray of int64, shape (p, 2)
            Source and target.
        amounts : ndarray of float64, shape (p,)
            Demands.
        walks : int
            Ants of each pair.
        weights : ndarray of float32, shape (n, m)
            By target.
        key : int
            Of their random numbers.
        """
        self._refuse_too_many(walks)
        sources, targets = np.ascontiguousarray(np.repeat(pairs, walks, axis=0).T)
        net, most = self.network, self.most_links
        paths = walked(net, sources, targets, targets, weights, key, most, device=self.device)
        used = paths != LOST
        steps = np.repeat(np.repeat(amounts / walks, walks), used.sum(axis=1))
        carried: FloatArray = np.bincount(paths[used], steps, net.n_links).astype(np.float64)
        return carried

    def _refuse_too_many(self, walks: int) -> None:
        an_ant = BYTES_A_LINK * max(1, self.most_links)
        if whole("walks", walks, 1) * an_ant > self.memory_limit:
            raise MemoryLimitError(
                f"{walks} walks of {an_ant} bytes each; allowed by memory_limit: "
                f"{int(self.memory_limit // an_ant)} walks"
            )


def trail_weights(trails: FloatArray) -> Float32Array:
    """Return trails, sharpened and loosened ones, as weights of ants that look for routes."""
    relative = trails / trails.max()
    sharp = np.maximum(relative**SHARPENED, LEAST_WEIGHT)
    return np.stack([trails, sharp, relative**LOOSENED]).astype(np.float32)


def guiding_weights(
    network: Network,
    ends: tuple[int, int],
    trails: FloatArray,
    costs: FloatArray,
    weightings: FloatArray,
) -> Float32Array:
    """Return weights of ants that know how far the target is, under each weighting of kinds.

    Parameters
    ----------
    network : Network
        As it works.
    ends : (int, int)
        Source and target.
    trails, costs : ndarray of float64, shape (kinds, m)
        To the target; costs from `scaled`.
    weightings : ndarray of float64, shape (w, kinds)
        Each above 0 somewhere.

    Returns
    -------
    ndarray of float32, shape (w, m)
    """
    loosened = trails**LOOSENED
    rows = [(one @ loosened) * attraction(network, one @ costs, *ends) for one in weightings]
    return np.stack(rows).astype(np.float32)


def scaled(network: Network, columns: Sequence[FloatArray]) -> FloatArray:
    """Return costs of links in units of each kind's mean over working links; shape (kinds, m)."""
    costs = np.where(network.link_works, np.stack(columns), 0.0)
    means = costs.sum(axis=1) / max(1, np.count_nonzero(network.link_works))
    return costs / np.where(means > 0.0, means, 1.0)[:, None]


def route_of(
    network: Network, path: tuple[int, ...], costs: Mapping[PheromoneKind, FloatArray]
) -> Route:
    """Return a path as a route, with what it costs by each kind."""
    nodes = network.sources[path[0]], *network.targets[list(path)]
    by_name = {kind.name: path_cost(own, path, widest=kind.widest) for kind, own in costs.items()}
    return Route(tuple(map(int, nodes)), path, by_name)
