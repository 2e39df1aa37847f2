"""The start of every search: the greedy tour, whose edges come shortest first.

Bentley, "Fast algorithms for geometric traveling salesman problems", ORSA Journal on Computing 4,
1992: take the shortest edge that closes no ring and gives no city a third one. Edges come from the
candidate lists, then from nearest neighbours among the ends of the paths that are left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.search.candidates import cheapest, nearest
from swarmloom_protocols.bio_routing.search.tours.distances import MATRIX, Cities, IndexArray
from swarmloom_protocols.bio_routing.search.tours.three_opt import roads

__all__ = ["greedy_tour"]

# Neighbours among the ends of paths.
END_NEIGHBOURS = 8


def greedy_tour(cities: Cities, near: IndexArray) -> IndexArray:
    """Return the greedy tour.

    Parameters
    ----------
    cities : Cities
        At least three.
    near : ndarray of int32, shape (n, k)
        Candidate lists.

    Returns
    -------
    ndarray of int32, shape (n,)
        The cities in the order of the tour.
    """
    n = len(cities)
    links = np.full((n, 2), -1, np.int32)
    far_end = np.arange(n, dtype=np.int32)
    left = n
    who = np.arange(n, dtype=np.int32)
    lists = near
    while True:
        left -= _link(*_edges(cities, who, lists), links, far_end)
        if left == 1:
            return _walk(links)
        who = _free(links)
        lists = _lists_among(cities, who, far_end)


def _edges(
    cities: Cities, who: IndexArray, lists: IndexArray
) -> tuple[IndexArray, IndexArray, NDArray[np.intp]]:
    """Return both ends of the listed edges, and their order by length."""
    ways = roads(cities.relabelled(who) if len(who) < len(cities) else cities, lists)
    tails = np.repeat(who, lists.shape[1])
    return tails, who[ways.near.ravel()], np.argsort(ways.gaps, axis=None, kind="stable")


def _free(links: IndexArray) -> IndexArray:
    """Return the ends of paths, a city without edges once."""
    return np.flatnonzero(links[:, 1] < 0).astype(np.int32)


def _lists_among(cities: Cities, who: IndexArray, far_end: IndexArray) -> IndexArray:
    """List neighbours among the ends of paths; some list leads to another path."""
    among = cities.relabelled(who)
    # The other end of its own path, and nothing else, would be useless to all of them.
    k = min(END_NEIGHBOURS, len(who) - 1)
    if cities.code == MATRIX:
        return cheapest(among.costs, k)
    lists = nearest(among.points, k)
    while np.all((far_end[who][:, None] == who[lists]) | (who[lists] == who[:, None])):
        k *= 2
        lists = nearest(among.points, k)
    return lists


@kernel
def _link(
    tails: IndexArray,
    heads: IndexArray,
    order: NDArray[np.intp],
    links: IndexArray,
    far_end: IndexArray,
) -> int:
    """Take every edge, in order, that joins the ends of two paths; return how many."""
    taken = 0
    for i in order:
        a, b = tails[i], heads[i]
        if links[a, 1] >= 0 or links[b, 1] >= 0 or far_end[a] == b or a == b:
            continue
        links[a, 0 if links[a, 0] < 0 else 1] = b
        links[b, 0 if links[b, 0] < 0 else 1] = a
        one, other = far_end[a], far_end[b]
        far_end[one], far_end[other] = other, one
        taken += 1
    return taken


@kernel
def _walk(links: IndexArray) -> IndexArray:
    """Return the one path that is left, from end to end."""
    n = links.shape[0]
    order = np.empty(n, np.int32)
    city = 0
    while links[city, 1] >= 0:
        city += 1
    before = -1
    for i in range(n):
        order[i] = city
        after = links[city, 0] if links[city, 0] != before else links[city, 1]
        # The two edges of a city may lead to the same one in no path of three cities or more.
        before, city = city, after
    return order
