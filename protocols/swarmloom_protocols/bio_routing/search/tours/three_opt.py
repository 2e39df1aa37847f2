"""Local search: the best sequential exchange of two or three edges, around queued cities.

Johnson, McGeoch, "The traveling salesman problem: a case study in local optimization", 1997,
sections 3.1 to 3.3: neighbour lists, don't-look bits (here a queue) and the rule that the partial
gain stays positive (Lin, Kernighan, 1973). All ways to reconnect three edges are looked at that
keep one tour, moving a stretch of cities among them (Or, 1976).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.search.tours.distances import (
    Cities,
    FloatArray,
    IndexArray,
    distance,
)
from swarmloom_protocols.bio_routing.search.tours.flips import (
    AT,
    COUNTS,
    HEAD,
    NOTED,
    NOTES,
    ORDER,
    QUEUE,
    QUEUED,
    WAITING,
    exchange,
    swap,
)

__all__ = ["Roads", "improve", "push", "roads"]

# Neighbours tried for the first and for the second new edge.
BREADTH = 10
SECOND_BREADTH = 5
# A gain below this share of an edge is rounding.
LEAST_GAIN = 1e-9
# Reversals of one exchange, at most.
FLIPS = 3
NOTHING, TWO_EDGES, TWO_TURNS, TURN_BOTH, SWAP = range(5)

Move = tuple[float, int, int, int, int, int, int]


class Roads(NamedTuple):
    """What local search knows of the cities.

    Attributes
    ----------
    points, costs, code
        As `distance` takes them.
    near : ndarray of int32, shape (n, k)
        Neighbours of each city by distance, nearest first.
    gaps : ndarray of float64, shape (n, k)
        Their distances.
    """

    points: FloatArray
    costs: FloatArray
    code: int
    near: IndexArray
    gaps: FloatArray


def roads(cities: Cities, near: IndexArray) -> Roads:
    """Return what local search needs of cities and their candidate lists."""
    gaps = np.empty(near.shape)
    listed = np.empty_like(near)
    _sort_lists(cities.points, cities.costs, cities.code, near, listed, gaps)
    return Roads(cities.points, cities.costs, cities.code, listed, gaps)


@kernel
def _sort_lists(
    points: FloatArray,
    costs: FloatArray,
    code: int,
    near: IndexArray,
    listed: IndexArray,
    gaps: FloatArray,
) -> None:
    """Order each list by distance, which quadrant lists are not."""
    for city in range(near.shape[0]):
        for k in range(near.shape[1]):
            other = near[city, k]
            gap = distance(points, costs, code, city, other)
            slot = k
            while slot > 0 and gaps[city, slot - 1] > gap:
                gaps[city, slot] = gaps[city, slot - 1]
                listed[city, slot] = listed[city, slot - 1]
                slot -= 1
            gaps[city, slot] = gap
            listed[city, slot] = other


@kernel
def push(state: IndexArray, city: int) -> None:
    """Put a city into the queue of local search, where it is not in it yet."""
    if state[QUEUED, city]:
        return
    n = state.shape[1]
    slot = state[COUNTS, HEAD] + state[COUNTS, WAITING]
    state[QUEUE, slot if slot < n else slot - n] = city
    state[QUEUED, city] = 1
    state[COUNTS, WAITING] += 1


@kernel
def _pop(state: IndexArray) -> int:
    city = state[QUEUE, state[COUNTS, HEAD]]
    head = state[COUNTS, HEAD] + 1
    state[COUNTS, HEAD] = head if head < state.shape[1] else 0
    state[COUNTS, WAITING] -= 1
    state[QUEUED, city] = 0
    return int(city)


@kernel
def improve(
    points: FloatArray,
    costs: FloatArray,
    code: int,
    near: IndexArray,
    gaps: FloatArray,
    state: IndexArray,
    notes: IndexArray,
    noting: bool,
) -> float:
    """Make improving exchanges until the queue is empty.

    Parameters
    ----------
    points, costs, code, near, gaps
        As `Roads` holds them.
    state, notes
        The tour (see `flips`). Its queue holds the cities to begin with.
    noting : bool
        Whether the reversals are to be undone later; then the search also ends when the notes are
        full.

    Returns
    -------
    float
        By how much the tour has become shorter.
    """
    total = 0.0
    while state[COUNTS, WAITING] > 0:
        city = _pop(state)
        while True:
            if not noting:
                state[COUNTS, NOTED] = 0
            elif state[COUNTS, NOTED] > NOTES - FLIPS:
                break
            gain, kind, t2, t3, t4, t5, t6 = _best(points, costs, code, near, gaps, state, city)
            if kind == NOTHING:
                break
            _make(state, notes, kind, city, t2, t3, t4, t5, t6)
            total += gain
            push(state, t2)
            push(state, t3)
            push(state, t4)
            if kind != TWO_EDGES:
                push(state, t5)
                push(state, t6)
    return total


@kernel
def _make(
    state: IndexArray,
    notes: IndexArray,
    kind: int,
    t1: int,
    t2: int,
    t3: int,
    t4: int,
    t5: int,
    t6: int,
) -> None:
    if kind == TWO_EDGES:
        exchange(state, notes, t1, t2, t3, t4)
    elif kind == TWO_TURNS:
        exchange(state, notes, t1, t2, t3, t4)
        exchange(state, notes, t1, t4, t5, t6)
    elif kind == TURN_BOTH:
        exchange(state, notes, t1, t2, t5, t6)
        exchange(state, notes, t2, t5, t4, t3)
    else:
        swap(state, notes, t1, t2, t5, t6, t3, t4)


@kernel
def _best(
    points: FloatArray,
    costs: FloatArray,
    code: int,
    near: IndexArray,
    gaps: FloatArray,
    state: IndexArray,
    t1: int,
) -> Move:
    """Return gain, kind and ends of the best exchange that removes an edge of a city.

    The edges t1-t2, t3-t4 and t5-t6 go, t2-t3, t4-t5 and t6-t1 come; of two edges t4-t1 comes.
    """
    best: Move = (0.0, NOTHING, 0, 0, 0, 0, 0)
    n = state.shape[1]
    for sign in (1, -1):
        place = state[AT, t1] + sign
        t2 = state[ORDER, place if 0 <= place < n else (0 if place == n else n - 1)]
        best = _best_from(points, costs, code, near, gaps, state, t1, t2, sign, best)
    return best


@kernel
def _best_from(
    points: FloatArray,
    costs: FloatArray,
    code: int,
    near: IndexArray,
    gaps: FloatArray,
    state: IndexArray,
    t1: int,
    t2: int,
    sign: int,
    best: Move,
) -> Move:
    """Try all exchanges that remove t1-t2, where t2 follows t1 in the direction `sign`.

    Ranks are distances from t2 along that direction; t1 has the last.
    """
    n = state.shape[1]
    removed = distance(points, costs, code, t1, t2)
    least = LEAST_GAIN * removed
    for k in range(min(BREADTH, near.shape[1])):
        t3 = near[t2, k]
        gain1 = removed - gaps[t2, k]
        if gain1 <= least:
            break
        rank3 = sign * (state[AT, t3] - state[AT, t2])
        if rank3 < 0:
            rank3 += n
        if rank3 == n - 1:
            continue
        if rank3 > 1:
            best = _turned(
                points, costs, code, near, gaps, state, t1, t2, t3, sign, rank3, gain1, least, best
            )
        best = _circled(
            points, costs, code, near, gaps, state, t1, t2, t3, sign, rank3, gain1, least, best
        )
    return best


@kernel
def _city_at(state: IndexArray, t2: int, sign: int, rank: int) -> int:
    n = state.shape[1]
    place = state[AT, t2] + sign * rank
    if place >= n:
        place -= n
    elif place < 0:
        place += n
    return int(state[ORDER, place])


@kernel
def _turned(
    points: FloatArray,
    costs: FloatArray,
    code: int,
    near: IndexArray,
    gaps: FloatArray,
    state: IndexArray,
    t1: int,
    t2: int,
    t3: int,
    sign: int,
    rank3: int,
    gain1: float,
    least: float,
    best: Move,
) -> Move:
    """Try t4 before t3: two edges make a tour; of three, t6 lies before t5 on the turned path."""
    n = state.shape[1]
    t4 = _city_at(state, t2, sign, rank3 - 1)
    gain2 = gain1 + distance(points, costs, code, t3, t4)
    gain = gain2 - distance(points, costs, code, t4, t1)
    if gain > best[0] + least:
        best = (gain, TWO_EDGES, t2, t3, t4, 0, 0)
    for k in range(min(SECOND_BREADTH, near.shape[1])):
        t5 = near[t4, k]
        gain3 = gain2 - gaps[t4, k]
        if gain3 <= least:
            break
        rank5 = sign * (state[AT, t5] - state[AT, t2])
        if rank5 < 0:
            rank5 += n
        if rank3 < rank5 < n - 1:
            t6 = _city_at(state, t2, sign, rank5 - 1)
        elif rank5 < rank3 - 2:
            t6 = _city_at(state, t2, sign, rank5 + 1)
        else:
            continue
        gain = gain3 + distance(points, costs, code, t5, t6) - distance(points, costs, code, t6, t1)
        if gain > best[0] + least:
            best = (gain, TWO_TURNS, t2, t3, t4, t5, t6)
    return best


@kernel
def _circled(
    points: FloatArray,
    costs: FloatArray,
    code: int,
    near: IndexArray,
    gaps: FloatArray,
    state: IndexArray,
    t1: int,
    t2: int,
    t3: int,
    sign: int,
    rank3: int,
    gain1: float,
    least: float,
    best: Move,
) -> Move:
    """Try t4 after t3: t2 to t3 become a ring, which t5 and either neighbour of it open again."""
    n = state.shape[1]
    t4 = _city_at(state, t2, sign, rank3 + 1)
    gain2 = gain1 + distance(points, costs, code, t3, t4)
    for k in range(min(SECOND_BREADTH, near.shape[1])):
        t5 = near[t4, k]
        gain3 = gain2 - gaps[t4, k]
        if gain3 <= least:
            break
        rank5 = sign * (state[AT, t5] - state[AT, t2])
        if rank5 < 0:
            rank5 += n
        if rank5 >= rank3:
            continue
        for step in (1, -1):
            if rank5 + step < 0:
                continue
            t6 = _city_at(state, t2, sign, rank5 + step)
            gain = (
                gain3
                + distance(points, costs, code, t5, t6)
                - distance(points, costs, code, t6, t1)
            )
            if gain > best[0] + least:
                best = (gain, SWAP if step == 1 else TURN_BOTH, t2, t3, t4, t5, t6)
    return best
