"""Traffic split over paths so that the fullest link is as empty as can be; links that fail."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.demands import DemandMap, Traffic, demand_matrix
from swarmloom_protocols.bio_routing.networks.destination_flows import DestinationFlows, FoundFlows
from swarmloom_protocols.bio_routing.networks.flow_methods import (
    even_split,
    frank_wolfe,
    multiplicative_weights,
)
from swarmloom_protocols.bio_routing.networks.flow_program import optimal_flows
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.path_sets import PathSets
from swarmloom_protocols.checks import between, whole

__all__ = ["Method", "SplitPath", "SplitTrace", "TrafficSplit", "split_traffic"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Largest utilisation, lower bound and share delivered after a round.
Mark = tuple[float, float, float]
Method = Literal["pheromone", "mw", "fw", "ecmp", "lp"]


@dataclass(frozen=True, slots=True)
class SplitPath:
    """A path and what it carries.

    Attributes
    ----------
    share : float
        Of its pair's traffic.
    nodes : tuple of int
        From the source to the target, none twice.
    links : tuple of int
        Between them.
    """

    share: float
    nodes: tuple[int, ...]
    links: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SplitTrace:
    """How a split came about.

    Attributes
    ----------
    max_utilisation : ndarray of float64, shape (rounds + 1,)
        Before the first round and after each one.
    lower_bound : ndarray of float64, shape (rounds + 1,)
        The best that was known by then.
    delivered : ndarray of float64, shape (rounds + 1,)
        Of the traffic between nodes that have a way, the share that has a path.
    """

    max_utilisation: FloatArray
    lower_bound: FloatArray
    delivered: FloatArray

    @property
    def rounds(self) -> int:
        """Rounds taken."""
        return len(self.max_utilisation) - 1


@dataclass(frozen=True, slots=True, eq=False)
class TrafficSplit:
    """A split of all traffic over paths without loops.

    Attributes
    ----------
    network : Network
        As it works.
    demands : ndarray of float64, shape (n, n)
        From row to column, those that have no way too.
    method : str
        How it was found.
    tolerance : float
        At which proven gap the search ends.
    loads : ndarray of float64, shape (m,)
        What passes each link.
    lower_bound : float
        No split of this traffic has a lower largest utilisation.
    unreachable : ndarray of int64, shape (k, 2)
        Source and target of each pair that has a demand and no way, sorted.
    trace : SplitTrace
        By rounds, since the beginning or the last change.
    """

    network: Network
    demands: FloatArray
    method: Method
    tolerance: float
    loads: FloatArray
    lower_bound: float
    unreachable: IntArray
    trace: SplitTrace
    _routes: PathSets | DestinationFlows

    @property
    def utilisation(self) -> FloatArray:
        """Load of each link in units of its capacity; shape (m,)."""
        return self.loads / self.network.capacities

    @property
    def max_utilisation(self) -> float:
        """The fullest link's."""
        return float(self.utilisation.max(initial=0.0))

    @property
    def delivered(self) -> float:
        """Of the traffic between nodes that have a way, the share that has a path."""
        return float(self.trace.delivered[-1])

    def paths(self, source: str | int, target: str | int) -> tuple[SplitPath, ...]:
        """List the paths of a pair of nodes.

        Parameters
        ----------
        source, target : str or int
            Names or numbers.

        Returns
        -------
        tuple of SplitPath
            By falling share, the shares adding up to 1; empty where the pair has no demand or no
            way.

        Raises
        ------
        InputError
            There is no such node.
        """
        first, last = self.network.node(source), self.network.node(target)
        ways = self._routes.ways(first, last)
        paths = [
            SplitPath(
                share, (first, *map(int, self.network.targets[links])), tuple(map(int, links))
            )
            for share, links in ways
        ]
        return tuple(sorted(paths, key=lambda path: -path.share))

    def fail(
        self,
        links: Iterable[int] | IntArray = (),
        nodes: Iterable[str | int] = (),
        *,
        rounds: int = 100,
        tolerance: float | None = None,
    ) -> TrafficSplit:
        """Take links and nodes out of order, and split the traffic that still has a way anew.

        Pheromone goes on from its trails: paths that meet a failed link are withdrawn, the others
        take their pairs' traffic, and the rounds explore again. The trace begins with what was left
        right after the failure. The other methods begin afresh.

        Parameters
        ----------
        links : iterable of int, optional
            One direction each; `Network.links_between` finds them.
        nodes : iterable of str or int, optional
            Names or numbers; traffic from and to them is unreachable.
        rounds : int, optional
            At most; 0 shows what is left.
        tolerance : float, optional
            As in `split_traffic`; the one so far by default.

        Returns
        -------
        TrafficSplit
            This one stays as it is.

        Raises
        ------
        InputError
            There is no such link or node.
        """
        return self._on(self.network.fail(links, nodes), rounds, tolerance)

    def restore(
        self,
        links: Iterable[int] | IntArray = (),
        nodes: Iterable[str | int] = (),
        *,
        rounds: int = 100,
        tolerance: float | None = None,
    ) -> TrafficSplit:
        """Bring links and nodes back, and let the rounds explore them.

        Parameters
        ----------
        links, nodes, rounds, tolerance
            As of `fail`.

        Returns
        -------
        TrafficSplit
            This one stays as it is.

        Raises
        ------
        InputError
            There is no such link or node.
        """
        return self._on(self.network.restore(links, nodes), rounds, tolerance)

    def _on(self, network: Network, rounds: int, tolerance: float | None) -> TrafficSplit:
        whole("rounds", rounds, 0)
        wanted = self.tolerance if tolerance is None else between("tolerance", tolerance, 0.0)
        traffic = Traffic.on(network, self.demands)
        if isinstance(self._routes, PathSets):
            return _explored(self._routes.moved_to(traffic), rounds, wanted)
        return _of_method(traffic, max(rounds, 1), wanted, self.method)


def split_traffic(
    network: Network,
    demands: ArrayLike | DemandMap,
    *,
    rounds: int = 100,
    tolerance: float = 0.01,
    method: Method = "pheromone",
) -> TrafficSplit:
    """Split traffic over paths so that the largest utilisation of a link is as low as can be.

    Parameters
    ----------
    network : Network
        Its working links count.
    demands : array-like of float, shape (n, n), or mapping of (source, target) to float
        In the unit of the capacities; they may exceed what the network can carry.
    rounds : int, optional
        At most; "ecmp" and "lp" take none.
    tolerance : float, optional
        The search ends where the largest utilisation is proven to be within this share of the
        least possible; 0 takes all rounds.
    method : {"pheromone", "mw", "fw", "ecmp", "lp"}, optional
        Trails on path sets; multiplicative weights; Frank–Wolfe; even splits over ways of fewest
        links; the linear program, which is the optimum.

    Returns
    -------
    TrafficSplit
        No path has a loop; pairs without a way are listed and not routed.

    Raises
    ------
    InputError
        A demand or an argument is wrong; the message names it and what is allowed.
    """
    if method not in get_args(Method):
        allowed = ", ".join(map(repr, get_args(Method)))
        raise InputError(f"method is {method!r}; allowed: {allowed}")
    whole("rounds", rounds, 1)
    between("tolerance", tolerance, 0.0)
    traffic = Traffic.on(network, demand_matrix(network, demands))
    if method == "pheromone":
        return _explored(PathSets.none_yet(traffic), rounds, tolerance)
    return _of_method(traffic, rounds, tolerance, method)


def _explored(paths: PathSets, rounds: int, tolerance: float) -> TrafficSplit:
    """Let pheromone explore until the gap is proven or the rounds are over."""
    traffic = paths.traffic
    marks = [(_fullest(traffic, paths.loads), 0.0, _share(traffic, paths.measure()))]
    while len(marks) <= rounds and not _is_proven(marks, tolerance):
        paths.round()
        delivered = _share(traffic, paths.measure())
        bound = max(marks[-1][1], paths.lower_bound())
        marks.append((_fullest(traffic, paths.loads), bound, delivered))
    return _split(traffic, "pheromone", tolerance, paths.loads.copy(), marks, paths)


def _of_method(traffic: Traffic, rounds: int, tolerance: float, method: Method) -> TrafficSplit:
    """Split by one of the methods that keep flows to destinations."""
    if method in ("ecmp", "lp"):
        found = even_split(traffic) if method == "ecmp" else optimal_flows(traffic)
        marks: list[Mark] = []
    else:
        search = multiplicative_weights if method == "mw" else frank_wolfe
        found, marks = _searched(traffic, search(traffic), rounds, tolerance)
    routes = DestinationFlows.straightened(traffic, found.flows)
    loads = routes.loads
    bound = max(found.lower_bound, marks[-1][1] if marks else 0.0)
    marks.append((_fullest(traffic, loads), bound, _share(traffic, routes.delivered)))
    return _split(traffic, method, tolerance, loads, marks, routes)


def _searched(
    traffic: Traffic, search: Iterator[FoundFlows], rounds: int, tolerance: float
) -> tuple[FoundFlows, list[Mark]]:
    """Go through rounds until the gap is proven; the last one's marks are left to be measured."""
    marks: list[Mark] = [(0.0, 0.0, 0.0 if traffic.deliverable else 1.0)]
    for found in itertools.islice(search, rounds):
        bound = max(marks[-1][1], found.lower_bound)
        marks.append((_fullest(traffic, found.flows.sum(axis=0)), bound, 1.0))
        if _is_proven(marks, tolerance):
            break
    return found, marks[:-1]


def _is_proven(marks: list[Mark], tolerance: float) -> bool:
    fullest, bound, delivered = marks[-1]
    return delivered == 1.0 and fullest <= (1.0 + tolerance) * bound


def _fullest(traffic: Traffic, loads: FloatArray) -> float:
    return float((loads / traffic.network.capacities).max(initial=0.0))


def _share(traffic: Traffic, delivered: float) -> float:
    """Return the share of what can be delivered that is, 1 where it differs by rounding alone."""
    share = delivered / traffic.deliverable if traffic.deliverable else 1.0
    return 1.0 if abs(share - 1.0) < 1e-9 else share


def _split(
    traffic: Traffic,
    method: Method,
    tolerance: float,
    loads: FloatArray,
    marks: list[Mark],
    routes: PathSets | DestinationFlows,
) -> TrafficSplit:
    columns = np.array(marks).T
    return TrafficSplit(
        network=traffic.network,
        demands=traffic.demands,
        method=method,
        tolerance=tolerance,
        loads=loads,
        lower_bound=marks[-1][1],
        unreachable=traffic.unreachable,
        trace=SplitTrace(columns[0], columns[1], columns[2]),
        _routes=routes,
    )
