"""Best paths through a network: shortest, k shortest, widest, under limits, and of two criteria.

Shortest paths to all nodes and the k shortest ones are SciPy's; the others are not in it, nor in
NetworkX. All are exact, so that ants can be measured by them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra, yen

from swarmloom_protocols.bio_routing.networks.label_kernels import (
    TOO_MANY,
    Ahead,
    Limits,
    Weights,
    front,
    within_limits,
)
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.path_parts import (
    Path,
    cut_off,
    ends_and_prices,
    link_column,
    link_prices,
    links_of,
    no_route,
    path_along,
    refuse_failed,
    too_many,
)
from swarmloom_protocols.bio_routing.networks.point_kernels import (
    meet_in_the_middle,
    towards,
)
from swarmloom_protocols.bio_routing.no_route import NoRouteError
from swarmloom_protocols.checks import between, whole

__all__ = [
    "Path",
    "Tree",
    "constrained",
    "distances",
    "k_shortest",
    "losses",
    "pareto_front",
    "shortest",
    "shortest_tree",
    "widest",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# About 70 bytes each.
MOST_LABELS = 5_000_000
# Searches from the target go so much farther than the limits, which decide along the path.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Tree:
    """Shortest paths from one node to all.

    Attributes
    ----------
    source : int
        Where they begin.
    costs : ndarray of float64, shape (n,)
        Of the paths to each node; inf where there is none.
    last_links : ndarray of int64, shape (n,)
        By which each path arrives; −1 at the source and where there is none.
    """

    source: int
    costs: FloatArray
    last_links: IntArray
    _network: Network
    _prices: FloatArray

    def path(self, target: str | int) -> Path:
        """Return the shortest path to a node.

        Parameters
        ----------
        target : str or int
            Name or number.

        Returns
        -------
        Path

        Raises
        ------
        NoRouteError
            None leads there.
        InputError
            There is no such node.
        """
        end = self._network.node(target)
        if not math.isfinite(self.costs[end]):
            raise cut_off(self._network, self.source, end)
        links: list[int] = []
        while end != self.source:
            links.append(int(self.last_links[end]))
            end = int(self._network.sources[links[-1]])
        return path_along(self._network, self.source, np.array(links[::-1], np.int64), self._prices)


def shortest(
    network: Network, source: str | int, target: str | int, *, costs: ArrayLike | None = None
) -> Path:
    """Find a shortest path between two nodes.

    By two searches that meet, compiled: far fewer nodes are looked at than by a search of all.

    Parameters
    ----------
    network : Network
        What is out of order is not used.
    source, target : str or int
        Names or numbers.
    costs : array-like of float, shape (m,), optional
        Of the links, ≥ 0, inf for those not to be used; by default the delays.

    Returns
    -------
    Path

    Raises
    ------
    NoRouteError
        No path leads there; the message names both.
    InputError
        There is no such node, or a cost is negative or NaN; the message names the link.
    """
    first, last, prices = ends_and_prices(network, source, target, costs)
    links = meet_in_the_middle(first, last, prices, False, links_of(network))
    if first != last and not len(links):
        raise cut_off(network, first, last)
    return path_along(network, first, links, prices)


def shortest_tree(network: Network, source: str | int, *, costs: ArrayLike | None = None) -> Tree:
    """Find shortest paths from a node to all, by SciPy.

    Parameters
    ----------
    network, source, costs
        As in `shortest`.

    Returns
    -------
    Tree

    Raises
    ------
    NoRouteError
        The node is out of order.
    InputError
        As in `shortest`.
    """
    root, prices = network.node(source), link_prices(network, costs)
    refuse_failed(network, root)
    reached, before = dijkstra(
        _matrix(network, prices), indices=np.array([root]), return_predecessors=True
    )
    # Of the links from the node before, the cheapest is set last.
    used = np.flatnonzero(network.link_works & (before[0, network.targets] == network.sources))
    used = used[np.argsort(-prices[used], kind="stable")]
    last_links = np.full(network.n_nodes, -1)
    last_links[network.targets[used]] = used
    return Tree(root, reached[0], last_links, network, prices)


def distances(
    network: Network,
    sources: Sequence[str | int] | IntArray | None = None,
    *,
    costs: ArrayLike | None = None,
) -> FloatArray:
    """Find what the shortest paths from some nodes to all cost, by SciPy.

    Parameters
    ----------
    network, costs
        As in `shortest`.
    sources : sequence of str or int, optional
        Names or numbers; all nodes by default.

    Returns
    -------
    ndarray of float64, shape (number of sources, n)
        inf where no path leads.

    Raises
    ------
    InputError
        As in `shortest`.
    """
    rows = None if sources is None else [network.node(source) for source in sources]
    found: FloatArray = dijkstra(_matrix(network, link_prices(network, costs)), indices=rows)
    return found


def k_shortest(
    network: Network,
    source: str | int,
    target: str | int,
    k: int,
    *,
    costs: ArrayLike | None = None,
) -> list[Path]:
    """Find the k shortest paths that visit no node twice, by SciPy (J. Y. Yen 1971).

    Parameters
    ----------
    network, source, target, costs
        As in `shortest`. Two paths differ in their nodes: of parallel links the cheapest is used.
    k : int
        At least 1.

    Returns
    -------
    list of Path
        The shortest first; fewer than k where there are no more.

    Raises
    ------
    NoRouteError, InputError
        As in `shortest`; or k is below 1.
    """
    most = whole("k", k, 1)
    first, last, prices = ends_and_prices(network, source, target, costs)
    if first == last:
        return [path_along(network, first, np.empty(0, np.int64), prices)]
    cheapest = _cheapest_links(network, prices)
    found, before = yen(
        _matrix(network, prices, cheapest), first, last, most, return_predecessors=True
    )
    if not len(found):
        raise cut_off(network, first, last)
    between_nodes = {
        (int(network.sources[link]), int(network.targets[link])): int(link) for link in cheapest
    }
    return [_by_nodes(network, first, last, row, between_nodes, prices) for row in before.tolist()]


def widest(
    network: Network, source: str | int, target: str | int, *, costs: ArrayLike | None = None
) -> Path:
    """Find the path whose narrowest link has the most capacity; among those, the shortest.

    Parameters
    ----------
    network, source, target, costs
        As in `shortest`.

    Returns
    -------
    Path
        ``capacity`` is that of the narrowest link.

    Raises
    ------
    NoRouteError, InputError
        As in `shortest`.
    """
    first, last, prices = ends_and_prices(network, source, target, costs)
    links = links_of(network)
    narrowness = np.where(prices < math.inf, -network.capacities, math.inf)
    path = meet_in_the_middle(first, last, narrowness, True, links)
    if first != last and not len(path):
        raise cut_off(network, first, last)
    width = network.capacities[path].min(initial=math.inf)
    wide = np.where(network.capacities >= width, prices, math.inf)
    path = meet_in_the_middle(first, last, wide, False, links)
    return path_along(network, first, path, prices)


def constrained(
    network: Network,
    source: str | int,
    target: str | int,
    *,
    costs: ArrayLike | None = None,
    max_latency: float | None = None,
    min_reliability: float | None = None,
    max_labels: int = MOST_LABELS,
) -> Path:
    """Find the cheapest path within limits on latency and reliability.

    Reliabilities multiply along a path; a limit on the weakest link would let through what arrives
    less often than asked for. Exact; exponential in the worst case, as the problem is NP-hard.

    Parameters
    ----------
    network, source, target, costs
        As in `shortest`: by default the fastest path is looked for.
    max_latency : float, optional
        Limit on the sum of delays, ≥ 0.
    min_reliability : float, optional
        Limit on the product of reliabilities, 0 to 1. A link of reliability 0 is never used.
    max_labels : int, optional
        Partial paths that may be kept, of about 70 bytes each.

    Returns
    -------
    Path
        Among the cheapest a most reliable one, to rounding.

    Raises
    ------
    NoRouteError
        No path keeps the limits; the message says which one, and how near a path comes.
    InputError
        As in `shortest`, or a limit is out of its range.
    MemoryLimitError
        There are more partial paths than allowed.
    """
    first, last, prices = ends_and_prices(network, source, target, costs)
    slowest = math.inf
    if max_latency is not None and max_latency != math.inf:
        slowest = between("max_latency", max_latency, 0.0)
    worst = between("min_reliability", min_reliability or 0.0, 0.0, 1.0)
    both_sums = costs is not None and slowest < math.inf
    limits = Limits(slowest, worst, both_sums, worst > 0.0, whole("max_labels", max_labels, 1))
    weights = Weights(prices, network.delays, network.reliabilities)
    outcome, links = within_limits(
        first, last, weights, _ahead(network, last, weights, limits), limits, links_of(network)
    )
    if outcome == TOO_MANY:
        raise too_many(max_labels)
    if outcome < 0:
        raise _unmet(network, first, last, prices, limits)
    return path_along(network, first, links, prices)


def pareto_front(
    network: Network,
    source: str | int,
    target: str | int,
    first: ArrayLike,
    second: ArrayLike,
    *,
    max_labels: int = MOST_LABELS,
) -> list[Path]:
    """Find the paths that no other beats in both of two sums.

    Parameters
    ----------
    network, source, target
        As in `shortest`.
    first, second : array-like of float, shape (m,)
        Costs of the links, ≥ 0, inf for those not to be used; `losses` makes reliabilities such.
    max_labels : int, optional
        Partial paths that may be kept, of about 70 bytes each.

    Returns
    -------
    list of Path
        One for each pair of sums on the front, by the first sum, which is their ``cost``.

    Raises
    ------
    NoRouteError, InputError
        As in `shortest`.
    MemoryLimitError
        There are more partial paths than allowed.
    """
    start, end = network.node(source), network.node(target)
    refuse_failed(network, start, end)
    prices = link_column(network, "first", first), link_column(network, "second", second)
    links = links_of(network)
    some = towards(end, prices[0], math.inf, np.zeros(network.n_nodes), links)
    ahead = some, towards(end, prices[1], math.inf, some, links)
    most = whole("max_labels", max_labels, 1)
    outcome, starts, flat = front(start, end, prices, ahead, most, links)
    if outcome == TOO_MANY:
        raise too_many(max_labels)
    if len(starts) == 1:
        raise cut_off(network, start, end)
    found = [flat[begin:stop] for begin, stop in itertools.pairwise(starts)]
    kept = _unbeaten(np.array([[price[path].sum() for price in prices] for path in found]))
    return [path_along(network, start, found[row], prices[0]) for row in kept]


def losses(network: Network) -> FloatArray:
    """Return −log of the reliabilities, which adds up along a path as they multiply.

    Parameters
    ----------
    network : Network

    Returns
    -------
    ndarray of float64, shape (m,)
        inf for links of reliability 0.
    """
    with np.errstate(divide="ignore"):
        return np.abs(np.log(network.reliabilities))


def _unbeaten(sums: FloatArray) -> list[int]:
    """Return the rows of the front, by the first sum; rounding may have let others through."""
    kept: list[int] = []
    least = math.inf
    for row in np.lexsort((sums[:, 1], sums[:, 0])).tolist():
        if sums[row, 1] < least:
            kept.append(row)
            least = sums[row, 1]
    return kept


def _ahead(network: Network, target: int, weights: Weights, limits: Limits) -> Ahead:
    """Search from the target for the least that is missing, as far as the limits reach."""
    links, anywhere = links_of(network), np.zeros(network.n_nodes)
    slowest = limits.latency * (1.0 + ROUNDING)
    fastest = towards(target, weights.delays, slowest, anywhere, links)
    surest = anywhere
    if limits.by_reliability:
        weakest = ROUNDING - math.log(limits.reliability) * (1.0 + ROUNDING)
        surest = towards(target, losses(network), weakest, fastest, links)
    if weights.prices is network.delays:
        return Ahead(fastest, fastest, surest)
    cheapest = towards(target, weights.prices, math.inf, np.maximum(fastest, surest), links)
    return Ahead(cheapest, fastest, surest)


def _unmet(
    network: Network, source: int, target: int, prices: FloatArray, limits: Limits
) -> NoRouteError:
    """Say which limit no path keeps, and what the best path for it would have."""
    usable = (network.reliabilities > 0.0) & (prices < math.inf)
    links = links_of(network)
    fastest, surest = (
        meet_in_the_middle(source, target, np.where(usable, column, math.inf), False, links)
        for column in (network.delays, losses(network))
    )
    if source != target and not len(fastest):
        return cut_off(network, source, target)
    latency = path_along(network, source, fastest, prices).latency
    reliability = path_along(network, source, surest, prices).reliability
    which = []
    if latency > limits.latency:
        which.append(f"latency ≤ {limits.latency:g} (the fastest has {latency:g})")
    if reliability < limits.reliability:
        best = f"the most reliable has {reliability:g}"
        which.append(f"reliability ≥ {limits.reliability:g} ({best})")
    if not which:
        which = [f"latency ≤ {limits.latency:g}", f"reliability ≥ {limits.reliability:g} at once"]
    return NoRouteError(f"{no_route(network, source, target)} with {' and '.join(which)}")


def _cheapest_links(network: Network, prices: FloatArray) -> IntArray:
    """Return the usable links, of parallel ones the cheapest, by their ends."""
    usable = network.out_links[prices[network.out_links] < math.inf]
    ends = network.sources[usable] * network.n_nodes + network.targets[usable]
    order = np.lexsort((prices[usable], ends))
    _, firsts = np.unique(ends[order], return_index=True)
    cheapest: IntArray = usable[order][firsts]
    return cheapest


def _matrix(network: Network, prices: FloatArray, links: IntArray | None = None) -> csr_array:
    """Return SciPy's form of the working links, or of some sorted by their ends."""
    used = network.out_links if links is None else links
    starts = network.out_starts
    if links is not None:
        starts = np.searchsorted(network.sources[links], np.arange(network.n_nodes + 1))
    shape = network.n_nodes, network.n_nodes
    # SciPy's searches take 32 bits only.
    ends = network.targets[used].astype(np.int32), starts.astype(np.int32)
    return csr_array((prices[used], *ends), shape=shape)


def _by_nodes(
    network: Network,
    source: int,
    target: int,
    before: list[int],
    between_nodes: dict[tuple[int, int], int],
    prices: FloatArray,
) -> Path:
    links: list[int] = []
    while target != source:
        previous = before[target]
        links.append(between_nodes[previous, target])
        target = previous
    return path_along(network, source, np.array(links[::-1], np.int64), prices)
