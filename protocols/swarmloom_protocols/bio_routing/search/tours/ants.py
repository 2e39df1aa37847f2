"""Ants that lay whole tours by the trails on candidate lists, and the update of those trails.

MAX-MIN ant system (Stützle, Hoos, Future Generation Computer Systems 16, 2000) with local search.
Trails are kept for listed edges alone, in units of their upper bound, so that the bounds are 1 and
1 / (2 n) whatever the length of the tours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.search.tours.distances import (
    FloatArray,
    IndexArray,
    distance,
    sum_of_edges,
)
from swarmloom_protocols.bio_routing.search.tours.flips import ORDER, lay
from swarmloom_protocols.bio_routing.search.tours.kicks import draw
from swarmloom_protocols.bio_routing.search.tours.three_opt import improve, push

__all__ = ["branching", "closeness", "lay_tour", "march", "renew"]

# Draws over a whole list, visited cities included, before the list is looked through.
BLIND_DRAWS = 3
# Of the range of trails at a city: what counts as a branch (Gambardella, Dorigo, 1995).
LAMBDA = 0.05
# Distances below this share of the mean gap count as it: none may be 0.
LEAST_GAP = 1e-3

Counter = NDArray[np.int64]


def closeness(gaps: FloatArray) -> FloatArray:
    """Return the attraction of every listed edge, 1 / distance², in units of a mean gap."""
    mean = float(gaps.mean()) or 1.0
    return np.asarray(np.maximum(gaps / mean, LEAST_GAP) ** -2.0)


@kernel
def renew(
    listed: IndexArray,
    trail: FloatArray,
    near: FloatArray,
    order: IndexArray,
    rho: float,
    deposit: float,
    least: float,
    sums: FloatArray,
) -> None:
    """Evaporate, let one tour deposit, keep within the bounds, and sum the weights of each list.

    Parameters
    ----------
    listed : ndarray of int32, shape (n, k)
        Candidate lists.
    trail : ndarray of float64, shape (n, k)
        Changed in place; 1 at most.
    near : ndarray of float64, shape (n, k)
        As `closeness` returns it.
    order : ndarray of int32, shape (n,)
        The tour; its edges outside the lists leave no trail.
    rho : float
        Share that evaporates.
    deposit : float
        Laid on each edge of the tour.
    least : float
        Lower bound.
    sums : ndarray of float64, shape (n, k)
        Filled with cumulative weights.
    """
    n, width = listed.shape
    for city in range(n):
        for k in range(width):
            trail[city, k] *= 1.0 - rho
    for i in range(n):
        _add(listed, trail, order[i - 1], order[i], deposit)
        _add(listed, trail, order[i], order[i - 1], deposit)
    for city in range(n):
        total = 0.0
        for k in range(width):
            bounded = min(max(trail[city, k], least), 1.0)
            trail[city, k] = bounded
            total += bounded * near[city, k]
            sums[city, k] = total


@kernel
def _add(listed: IndexArray, trail: FloatArray, a: int, b: int, deposit: float) -> None:
    for k in range(listed.shape[1]):
        if listed[a, k] == b:
            trail[a, k] += deposit
            return


@kernel
def branching(trail: FloatArray) -> float:
    """Return the mean number of listed edges of a city whose trail stands out."""
    n, width = trail.shape
    count = 0
    for city in range(n):
        low = high = trail[city, 0]
        for k in range(width):
            low, high = min(low, trail[city, k]), max(high, trail[city, k])
        for k in range(width):
            count += trail[city, k] >= low + LAMBDA * (high - low)
    return float(count / n)


@kernel
def lay_tour(
    points: FloatArray,
    costs: FloatArray,
    code: int,
    listed: IndexArray,
    sums: FloatArray,
    guide: IndexArray,
    place: IndexArray,
    seed: int,
    stream: int,
    counter: Counter,
    visited: NDArray[np.bool_],
    jumps: IndexArray,
    order: IndexArray,
) -> None:
    """Let one ant lay a tour into `order`.

    Each step is proportional to the weights of the unvisited cities in the list. Where none is
    left, the ant goes to the next unvisited city before or behind it in the tour `guide` (whose
    positions are `place`), whichever is nearer. `visited` and `jumps`, shape (2, n), are room.
    """
    n = order.size
    for i in range(n):
        visited[i] = False
        jumps[0, i] = i - 1 if i > 0 else n - 1
        jumps[1, i] = i + 1 if i + 1 < n else 0
    city = int(draw(seed, stream, counter) * n)
    for i in range(n - 1):
        order[i] = city
        visited[city] = True
        after = _choose(listed, sums, visited, city, seed, stream, counter)
        if after < 0:
            back = guide[_find(guide, visited, jumps, 0, place[city])]
            ahead = guide[_find(guide, visited, jumps, 1, place[city])]
            to_back = distance(points, costs, code, city, back)
            after = back if to_back < distance(points, costs, code, city, ahead) else ahead
        city = after
    order[n - 1] = city


@kernel
def _choose(
    listed: IndexArray,
    sums: FloatArray,
    visited: NDArray[np.bool_],
    city: int,
    seed: int,
    stream: int,
    counter: Counter,
) -> int:
    """Return an unvisited city of the list, drawn by weight, or -1 where there is none.

    Draws over the whole list that hit a visited city are drawn again: the distribution is the same
    as over the unvisited ones, and most draws look at two or three entries.
    """
    width = listed.shape[1]
    for _ in range(BLIND_DRAWS):
        target = draw(seed, stream, counter) * sums[city, width - 1]
        k = 0
        while k < width - 1 and sums[city, k] <= target:
            k += 1
        if not visited[listed[city, k]]:
            return int(listed[city, k])
    total = before = 0.0
    for k in range(width):
        if not visited[listed[city, k]]:
            total += sums[city, k] - before
        before = sums[city, k]
    target = draw(seed, stream, counter) * total
    chosen = -1
    before = 0.0
    for k in range(width):
        if not visited[listed[city, k]]:
            chosen = int(listed[city, k])
            target -= sums[city, k] - before
            if target < 0.0:
                break
        before = sums[city, k]
    return chosen


@kernel
def _find(
    guide: IndexArray, visited: NDArray[np.bool_], jumps: IndexArray, way: int, position: int
) -> int:
    """Return the next position of an unvisited city, and shorten the way there for the next."""
    found = position
    while visited[guide[found]]:
        found = int(jumps[way, found])
    while visited[guide[position]]:
        ahead = int(jumps[way, position])
        jumps[way, position] = found
        position = ahead
    return found


@kernel
def march(
    points: FloatArray,
    costs: FloatArray,
    code: int,
    near: IndexArray,
    gaps: FloatArray,
    listed: IndexArray,
    sums: FloatArray,
    guide: IndexArray,
    ants: int,
    seed: int,
    stream: int,
    state: IndexArray,
    notes: IndexArray,
    best: IndexArray,
) -> float:
    """Let ants lay tours, improve each by local search, and keep the shortest.

    Local search begins only at cities with a neighbour that they do not have in `guide`: the rest
    of the tour is as good as that one, which is a local optimum itself.

    Parameters
    ----------
    points, costs, code, near, gaps
        As `Roads` holds them.
    listed, sums
        As `renew` takes them.
    guide : ndarray of int32, shape (n,)
        The best tour since the last restart.
    ants : int
        How many.
    seed, stream : uint32
        Which random numbers.
    state, notes
        Room for a tour (see `flips`).
    best : ndarray of int32, shape (n,)
        Filled with the shortest tour.

    Returns
    -------
    float
        Its length.
    """
    n = guide.size
    counter = np.zeros(1, np.int64)
    order, place = np.empty(n, np.int32), np.empty(n, np.int32)
    visited, jumps = np.empty(n, np.bool_), np.empty((2, n), np.int32)
    for i in range(n):
        place[guide[i]] = i
    shortest = np.inf
    for _ in range(ants):
        lay_tour(
            points,
            costs,
            code,
            listed,
            sums,
            guide,
            place,
            seed,
            stream,
            counter,
            visited,
            jumps,
            order,
        )
        lay(state, order)
        length = sum_of_edges(points, costs, code, order)
        for i in range(n):
            if _is_new(guide, place, order[i - 1], order[i]):
                push(state, order[i - 1])
                push(state, order[i])
        length -= improve(points, costs, code, near, gaps, state, notes, False)
        if length < shortest:
            shortest = length
            best[:] = state[ORDER]
    return shortest


@kernel
def _is_new(guide: IndexArray, place: IndexArray, a: int, b: int) -> bool:
    """Tell whether the edge a-b is none of the tour `guide`."""
    apart = abs(place[a] - place[b])
    return bool(apart != 1 and apart != guide.size - 1)
