"""What all searches for paths share: the result, checks of arguments, and what errors say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError, MemoryLimitError
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.point_kernels import Links, measures
from swarmloom_protocols.bio_routing.no_route import NoRouteError
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = [
    "Path",
    "cut_off",
    "ends_and_prices",
    "link_column",
    "link_prices",
    "links_of",
    "no_route",
    "path_along",
    "refuse_failed",
    "too_many",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Path:
    """A path and what it promises.

    Attributes
    ----------
    nodes : tuple of str
        Names in order, both ends included.
    links : tuple of int
        Numbers of the links between them.
    cost : float
        Sum of the links' costs.
    latency : float
        Sum of their delays.
    reliability : float
        Product of their reliabilities: two links of 0.9 make 0.81.
    capacity : float
        That of the narrowest link; inf for a path without any.
    """

    nodes: tuple[str, ...]
    links: tuple[int, ...]
    cost: float
    latency: float
    reliability: float
    capacity: float


def no_route(network: Network, source: int, target: int) -> str:
    """Begin an error: from where to where there is no route."""
    return f"no route from {network.names[source]!r} to {network.names[target]!r}"


def cut_off(network: Network, source: int, target: int) -> NoRouteError:
    """Return the error that no path leads from one node to the other."""
    return NoRouteError(f"{no_route(network, source, target)}: no path leads there")


def too_many(most: int) -> MemoryLimitError:
    """Return the error that a search would keep more labels than allowed."""
    return MemoryLimitError(f"more than {most} partial paths (max_labels) would have to be kept")


def refuse_failed(network: Network, *nodes: int) -> None:
    """Raise `NoRouteError` for a node that is out of order."""
    for node in nodes:
        if not network.node_works[node]:
            raise NoRouteError(f"no route: node {network.names[node]!r} is out of order")


def ends_and_prices(
    network: Network, source: str | int, target: str | int, costs: ArrayLike | None
) -> tuple[int, int, FloatArray]:
    """Return the numbers of both ends, and the costs of the links."""
    first, last = network.node(source), network.node(target)
    refuse_failed(network, first, last)
    return first, last, link_prices(network, costs)


def link_prices(network: Network, costs: ArrayLike | None) -> FloatArray:
    """Return costs as given, or the delays."""
    return network.delays if costs is None else link_column(network, "costs", costs)


def link_column(network: Network, name: str, values: ArrayLike) -> FloatArray:
    """Return a number ≥ 0 for each link, inf allowed, or raise `InputError` naming the link."""
    column = real_array(name, values)
    if column.shape != (network.n_links,):
        raise InputError(
            f"{name} are of shape {column.shape}; allowed: one of each of the "
            f"{network.n_links} links"
        )
    # The least is NaN where any is.
    if not column.min(initial=0.0) >= 0.0:
        link = int(np.flatnonzero(~(column >= 0.0))[0])
        raise InputError(
            f"{name}: {network.link_name(link)} has {column[link]}; allowed: from 0, inf for links "
            "not to be used"
        )
    return column


def links_of(network: Network) -> Links:
    """Return the kernels' view of the working links."""
    return Links(
        network.sources,
        network.targets,
        network.out_starts,
        network.out_links,
        network.in_starts,
        network.in_links,
    )


def path_along(network: Network, source: int, links: IntArray, prices: FloatArray) -> Path:
    """Return the path that goes along some links, with what it promises."""
    sums = measures(links, prices, network.delays, network.reliabilities, network.capacities)
    names = network.names
    ends = network.targets[links].tolist()
    return Path((names[source], *[names[end] for end in ends]), tuple(links.tolist()), *sums)
