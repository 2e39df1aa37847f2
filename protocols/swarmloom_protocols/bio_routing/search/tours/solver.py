"""The shortest round tour found in a given time: by ants with local search, or without ants."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search.candidates import cheapest, nearest
from swarmloom_protocols.bio_routing.search.tours.colony import TourColony
from swarmloom_protocols.bio_routing.search.tours.distances import (
    MATRIX,
    Cities,
    IndexArray,
    Rounding,
)
from swarmloom_protocols.bio_routing.search.tours.flips import (
    COUNTS,
    ORDER,
    QUEUE,
    QUEUED,
    WAITING,
    new_notes,
    new_state,
)
from swarmloom_protocols.bio_routing.search.tours.greedy import greedy_tour
from swarmloom_protocols.bio_routing.search.tours.kicks import FEWEST_TO_KICK, kick_and_repair
from swarmloom_protocols.bio_routing.search.tours.three_opt import Roads, improve, roads
from swarmloom_protocols.checks import positive, seeded

__all__ = ["Progress", "Tour", "iterated_local_search", "solve_tour"]

Method = Literal["auto", "ants", "kicks"]

# Up to which size ants are taken: see the table of the guide.
MOST_FOR_ANTS = 1500
# Neighbours on the lists of local search and of the ants.
SHORT_LIST = 10
LONG_LIST = 20
# Kicks between two looks at the clock.
KICKS = 200
SMALL_KICKS = 20


@dataclass(frozen=True)
class Progress:
    """What a search knows when it has found a better tour.

    Attributes
    ----------
    seconds : float
        Since its start.
    length : float
        Of the best tour.
    iterations : int
        Of the ants, or kicks.
    """

    seconds: float
    length: float
    iterations: int


@dataclass(frozen=True)
class Tour:
    """A round tour.

    Attributes
    ----------
    order : ndarray of int64, shape (n,)
        The cities in the order of the tour.
    length : float
        Summed anew over `order`.
    method : {"exact", "ants", "kicks"}
        What found it; "exact" is proven to be the shortest.
    iterations : int
        Of the ants, or kicks.
    trace : tuple of Progress
        Each better tour, from the first local optimum on.
    """

    order: NDArray[np.int64]
    length: float
    method: Literal["exact", "ants", "kicks"]
    iterations: int
    trace: tuple[Progress, ...]


class _Search(Protocol):
    """One search in progress, over cities numbered along the greedy tour."""

    length: float
    iterations: int

    @property
    def order(self) -> IndexArray:
        """The best tour."""

    def step(self) -> None:
        """Go on for some milliseconds."""


class _Kicks:
    """Iterated local search."""

    def __init__(
        self, ways: Roads, state: IndexArray, notes: IndexArray, length: float, seed: int
    ) -> None:
        self._ways, self._state, self._notes, self._seed = ways, state, notes, seed
        self._kicks = KICKS if state.shape[1] > KICKS else SMALL_KICKS
        self.length, self.iterations, self._steps = length, 0, 0

    @property
    def order(self) -> IndexArray:
        order: IndexArray = self._state[ORDER].copy()
        return order

    def step(self) -> None:
        self.length = kick_and_repair(
            *self._ways,
            self._state,
            self._notes,
            self.length,
            self._kicks,
            self._seed,
            self._steps,
        )
        self.iterations += self._kicks
        self._steps += 1


def solve_tour(
    points: ArrayLike | None = None,
    *,
    costs: ArrayLike | None = None,
    rounding: Rounding = "none",
    seconds: float = 1.0,
    seed: int | np.random.Generator = 0,
    method: Method = "auto",
    target: float | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Tour:
    """Look for the shortest round tour through all cities.

    Parameters
    ----------
    points : array-like of float, shape (n, 2), optional
        Cities in the plane; finite, some may coincide. Either they or `costs`.
    costs : array-like of float, shape (n, n), optional
        Distances: symmetric, finite, from 0; the diagonal is not read.
    rounding : {"none", "nearest", "up", "att"}, optional
        Of the distances of points: none, or as TSPLIB's EUC_2D, CEIL_2D and ATT.
    seconds : float, optional
        When to end. Setting up and the first local optimum are finished in any case.
    seed : int or Generator, optional
        The same seed makes the same steps; how many fit into the time differs.
    method : {"auto", "ants", "kicks"}, optional
        MAX-MIN ants with local search, or iterated local search. "auto" takes ants up to 1,500
        cities. Up to 7 cities the answer is exact, whatever the method.
    target : float, optional
        End as soon as a tour is no longer than this.
    on_progress : callable, optional
        Called with a `Progress` at each better tour; what it raises ends the search.
    clock : callable, optional
        What counts the seconds; ``time.thread_time`` for CPU time.

    Returns
    -------
    Tour

    Raises
    ------
    InputError
        An argument is not as above; a wrong entry of `points` or `costs` is named.
    """
    began = clock()
    cities = Cities.of(points, costs, rounding)
    positive("seconds", seconds)
    if method not in ("auto", "ants", "kicks"):
        raise InputError(f"method is {method!r}; allowed: auto, ants, kicks")
    if target is not None and not target >= 0:
        raise InputError(f"target is {target!r}; allowed: from 0")
    rng = seeded("seed", seed)
    if len(cities) < FEWEST_TO_KICK:
        return _exact(cities)
    if method == "auto":
        method = "ants" if len(cities) <= MOST_FOR_ANTS else "kicks"
    search, labels = _begin(cities, method, int(rng.integers(1 << 32)))
    steps = _progress(search, began, seconds, target or 0.0, clock)
    trace = []
    for progress in steps:
        trace.append(progress)
        if on_progress is not None:
            on_progress(progress)
    order = labels[search.order]
    return Tour(
        order.astype(np.int64), cities.length(order), method, search.iterations, tuple(trace)
    )


def iterated_local_search(
    points: ArrayLike | None = None,
    *,
    costs: ArrayLike | None = None,
    rounding: Rounding = "none",
    seconds: float = 1.0,
    seed: int | np.random.Generator = 0,
    target: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Tour:
    """Look for the shortest round tour without ants: what ants have to beat.

    Parameters and errors are those of `solve_tour`.
    """
    return solve_tour(
        points,
        costs=costs,
        rounding=rounding,
        seconds=seconds,
        seed=seed,
        method="kicks",
        target=target,
        clock=clock,
    )


def _exact(cities: Cities) -> Tour:
    n = len(cities)
    others = itertools.permutations(range(1, n))
    # Both directions of a tour are the same one.
    half = (rest for rest in others if n < 3 or rest[0] < rest[-1])
    orders = [np.array([0, *rest], np.int32) for rest in half] if n else [np.empty(0, np.int32)]
    order = min(orders, key=cities.length)
    length = cities.length(order) if n > 1 else 0.0
    return Tour(order.astype(np.int64), length, "exact", 0, ())


def _begin(
    cities: Cities, method: Literal["ants", "kicks"], seed: int
) -> tuple[_Search, IndexArray]:
    """Return a search that starts at a local optimum, and the city of each of its numbers.

    Numbers along the greedy tour put what is near on the map near in memory.
    """
    k = LONG_LIST if method == "ants" else SHORT_LIST
    lists = cheapest(cities.costs, k) if cities.code == MATRIX else nearest(cities.points, k)
    labels = greedy_tour(cities, lists[:, :SHORT_LIST])
    number = np.empty_like(labels)
    number[labels] = np.arange(len(labels), dtype=np.int32)
    wide = roads(cities.relabelled(labels), number[lists[labels]])
    ways = wide._replace(
        near=np.ascontiguousarray(wide.near[:, :SHORT_LIST]),
        gaps=np.ascontiguousarray(wide.gaps[:, :SHORT_LIST]),
    )
    state, notes = new_state(np.arange(len(labels), dtype=np.int32)), new_notes()
    state[QUEUE], state[QUEUED] = state[ORDER], 1
    state[COUNTS, WAITING] = len(labels)
    length = cities.length(labels) - improve(*ways, state, notes, False)
    if method == "kicks":
        return _Kicks(ways, state, notes, length, seed), labels
    return TourColony(ways, wide, state, notes, state[ORDER].copy(), length, seed), labels


def _progress(
    search: _Search, began: float, seconds: float, target: float, clock: Callable[[], float]
) -> Iterator[Progress]:
    """Go on until the time is over or the target met; yield at each better tour."""
    best = np.inf
    while True:
        now = clock() - began
        if search.length < best:
            best = search.length
            yield Progress(now, best, search.iterations)
        if now >= seconds or best <= target:
            return
        search.step()
