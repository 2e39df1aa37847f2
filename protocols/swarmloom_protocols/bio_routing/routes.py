"""Ways of messages through the members of a swarm under limits on latency and reliability."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.no_route import NoRouteError

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Way", "add_link", "fastest_way"]


@dataclass(frozen=True, slots=True)
class Way:
    """A way and what it promises.

    Attributes
    ----------
    path : tuple of str
        The members in order, ends included.
    latency : float
        Sum of the links' latencies, in seconds.
    reliability : float
        Product of the links' reliabilities, in (0, 1].
    """

    path: tuple[str, ...]
    latency: float
    reliability: float


def add_link(
    graph: nx.DiGraph[Any], source: str, target: str, latency: float, reliability: float
) -> None:
    """Add a one-way link, or replace the one there is.

    Parameters
    ----------
    graph : networkx.DiGraph
        Members and their links.
    source, target : str
        Its ends.
    latency : float
        Seconds (finite, ≥ 0).
    reliability : float
        Probability in [0, 1] that what is sent arrives.

    Raises
    ------
    InputError
        If latency or reliability is out of its range.
    """
    if not (math.isfinite(latency) and latency >= 0.0):
        raise InputError(f"latency of {source} → {target} is {latency}; allowed: finite, ≥ 0")
    if not 0.0 <= reliability <= 1.0:
        raise InputError(f"reliability of {source} → {target} is {reliability}; allowed: 0 to 1")
    graph.add_edge(source, target, latency=float(latency), reliability=float(reliability))


def fastest_way(
    graph: nx.DiGraph[Any],
    source: str,
    target: str,
    *,
    max_latency: float | None = None,
    min_reliability: float | None = None,
) -> Way:
    """Find the way of least latency that is reliable enough.

    Reliabilities multiply along a way: two links of 0.9 make 0.81, not 0.9. Exact, by setting
    labels of (latency, reliability) in the order of latency and dropping those that another one at
    the same member dominates (Desrochers & Soumis 1988). Exponential in the worst case, as the
    problem is NP-hard; on the way to a member only undominated labels are kept.

    Parameters
    ----------
    graph : networkx.DiGraph
        Links with ``latency`` and ``reliability``, as `add_link` makes them.
    source, target : str
        Members.
    max_latency : float, optional
        Limit on the sum of latencies, in seconds.
    min_reliability : float, optional
        Limit on the product of reliabilities.

    Returns
    -------
    Way
        Among the fastest a most reliable one.

    Raises
    ------
    NoRouteError
        If a member is unknown or no way keeps the limits; the message says which.
    InputError
        If a limit is NaN.
    """
    slowest = _limit("max_latency", max_latency, math.inf)
    worst = _limit("min_reliability", min_reliability, 0.0)
    for member in (source, target):
        if member not in graph:
            raise NoRouteError(f"no route from {source!r} to {target!r}: {member!r} is no member")
    for way in _ways(graph, source, slowest, worst):
        if way.path[-1] == target:
            return way
    raise NoRouteError(
        f"no route from {source!r} to {target!r} with latency ≤ {slowest:g} s and "
        f"reliability ≥ {worst:g}"
    )


def _ways(graph: nx.DiGraph[Any], source: str, slowest: float, worst: float) -> Iterator[Way]:
    """Undominated ways within the limits, by latency, then by unreliability."""
    order = itertools.count()
    heap: list[tuple[float, float, int, tuple[str, ...]]] = [(0.0, -1.0, next(order), (source,))]
    most_reliable: dict[str, float] = {}
    while heap:
        latency, unreliability, _, path = heapq.heappop(heap)
        member, reliability = path[-1], -unreliability
        # Labels are set in the order of latency: an earlier one is at least as fast.
        if reliability <= most_reliable.get(member, -1.0):
            continue
        most_reliable[member] = reliability
        yield Way(path, latency, reliability)
        for following, link in graph[member].items():
            longer = latency + link["latency"]
            weaker = reliability * link["reliability"]
            if longer <= slowest and weaker >= worst and weaker > 0.0:
                heapq.heappush(heap, (longer, -weaker, next(order), (*path, following)))


def _limit(name: str, value: float | None, without: float) -> float:
    if value is None:
        return without
    if math.isnan(value):
        raise InputError(f"{name} is NaN; leave it out for no limit")
    return value
