"""Ants with local search on one instance: when which tour deposits, and what ends stagnation.

MAX-MIN ant system with the update schedule of Stützle and Hoos (2000, section 4.1), run faster, and
with their smoothing of trails (section 4.2) in place of a restart: once nearly all trails have met
at one tour, every trail goes a small part of the way back to the upper bound. The best tour stays
the guide, and its edges stay the likely ones.
"""

from __future__ import annotations

import numpy as np

from swarmloom_protocols.bio_routing.search.tours.ants import branching, closeness, march, renew
from swarmloom_protocols.bio_routing.search.tours.distances import FloatArray, IndexArray
from swarmloom_protocols.bio_routing.search.tours.three_opt import Roads

__all__ = ["TourColony"]

ANTS = 25
RHO = 0.4
# The schedule of the source is run through this many times as quickly.
HASTE = 2
# Until which iteration of that schedule the best tour deposits only every so many iterations.
SCHEDULE = ((25, 25), (75, 5), (125, 3), (250, 2))
# Iterations without a better tour, and branches of a city, at which trails are smoothed.
PATIENCE = 30
STAGNANT = 2.1
# Smoothing in instances of n cities, this over n²: fitted to instances of 318 and 1,002 cities,
# where 0.3 and 0.03 were the better of two settings each.
SMOOTHED = 3e4
MOST_SMOOTHED = 0.3


class TourColony:
    """Ants on one instance.

    Parameters
    ----------
    ways : Roads
        With few neighbours, for local search.
    wide : Roads
        The same cities with more neighbours, for the ants.
    state, notes
        Room for a tour; see `flips`.
    guide : ndarray of int32, shape (n,)
        A local optimum.
    length : float
        Its length.
    seed : int
        In [0, 2³²).
    ants : int, optional
        In an iteration.
    rho : float, optional
        Share of each trail that evaporates in an iteration.
    smoothing : float, optional
        Share of the way to the upper bound that trails go at stagnation; by default
        30,000 / n², at most 0.3.

    Attributes
    ----------
    order : ndarray of int32, shape (n,)
        The best tour.
    length : float
        Its length.
    trail : ndarray of float64, shape (n, k)
        In units of the upper bound, for the candidate lists of `wide`.
    iterations, smoothings : int
        How many there were.
    """

    def __init__(
        self,
        ways: Roads,
        wide: Roads,
        state: IndexArray,
        notes: IndexArray,
        guide: IndexArray,
        length: float,
        seed: int,
        *,
        ants: int = ANTS,
        rho: float = RHO,
        smoothing: float | None = None,
    ) -> None:
        self._ways, self._wide, self._state, self._notes = ways, wide, state, notes
        self._near = closeness(wide.gaps)
        self._sums: FloatArray = np.empty_like(self._near)
        self._laid = np.empty_like(guide)
        n = len(guide)
        self._seed, self._ants, self._rho = seed, ants, rho
        self._smoothing = min(MOST_SMOOTHED, SMOOTHED / n**2) if smoothing is None else smoothing
        self._least = 1.0 / (2.0 * n)
        self._age = self._improved = 0
        self.order, self.length = guide, length
        self.trail = np.ones_like(self._near)
        self.iterations = self.smoothings = 0
        self._renew(guide, 0.0, 0.0)

    def step(self) -> None:
        """Let all ants lay a tour each, and one tour deposit."""
        laid = march(
            *self._ways,
            self._wide.near,
            self._sums,
            self.order,
            self._ants,
            self._seed,
            self.iterations,
            self._state,
            self._notes,
            self._laid,
        )
        self.iterations += 1
        self._age += 1
        if laid < self.length:
            self.order, self.length = self._laid.copy(), laid
            self._improved = self._age
        best = self._age % self._interval() == 0
        order, length = (self.order, self.length) if best else (self._laid, laid)
        self._renew(order, self._rho, self._rho * (self.length / length if length else 1.0))
        if self._age - self._improved > PATIENCE and branching(self.trail) < STAGNANT:
            self._smooth()

    def _interval(self) -> int:
        for until, interval in SCHEDULE:
            if self._age * HASTE < until:
                return interval
        return 1

    def _smooth(self) -> None:
        self.trail += self._smoothing * (1.0 - self.trail)
        self._renew(self.order, 0.0, 0.0)
        self._age = self._improved = 0
        self.smoothings += 1

    def _renew(self, order: IndexArray, rho: float, deposit: float) -> None:
        lists = self._wide.near
        renew(lists, self.trail, self._near, order, rho, deposit, self._least, self._sums)
