"""Cascades of period doublings in maps, and Feigenbaum's ratio of their distances.

Feigenbaum, "Quantitative universality for a class of nonlinear transformations", J. Stat. Phys. 19,
1978.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus.chaos.systems import System, copy_state
from swarmloom_protocols.consensus.dynamics.bifurcations import find_bifurcations

__all__ = ["FEIGENBAUM", "Cascade", "period_doublings"]

FloatArray = NDArray[np.float64]

# The limit of the ratios, δ (Briggs, Math. Comp. 57, 1991).
FEIGENBAUM = 4.669201609102990
# Where an orbit of twice the period is first looked for, as a share of the next gap expected.
FIRST_LOOK = 0.4
SETTLING = 200_000
NEWTON_STEPS = 60
CLOSED = 1e-13
# Steps across the window of one period in which its multiplier goes from 1 to −1.
LOOKS = 12


@dataclass(frozen=True, eq=False, slots=True)
class Cascade:
    """Period doublings that follow each other.

    Attributes
    ----------
    parameters : ndarray of float64, shape (K,)
        Where the periods 1, 2, 4, … become unstable (times that of the orbit begun with).
    ratios : ndarray of float64, shape (K − 2,)
        Distances divided by the next distance; their limit is 4.669201…
    accumulation : float
        Where the cascade ends, from the last two doublings and that limit; NaN with less than two.
    """

    parameters: FloatArray
    ratios: FloatArray
    accumulation: float


def period_doublings(
    system: System,
    parameter: str,
    low: float,
    high: float,
    *,
    count: int = 6,
    guess: ArrayLike | None = None,
) -> Cascade:
    """Locate a cascade of period doublings.

    Parameters
    ----------
    system : System
        A map, its own value of the parameter within the range and below the first doubling.
    parameter : str
        Which of its parameters.
    low, high : float
        The range in which the fixed point is followed.
    count : int, optional
        Doublings wanted, at most 12: distances shrink by 4.67 each, and double precision with them.
    guess : array-like of float, shape (D,), optional
        Near the fixed point; the system's own start by default.

    Returns
    -------
    Cascade
        Fewer doublings than wanted where the next orbit is not found: the cascade is not complete,
        or a doubling is subcritical.

    Raises
    ------
    InputError
        The system is a flow, or its fixed point does not double its period in the range.
    """
    if system.kind != "map":
        raise InputError(f"system: {system.name} is a flow; allowed: maps")
    wanted = whole("count", count, 1, 12)
    found = find_bifurcations(system, parameter, low, high, guess=guess)
    flips = [one for one in found if one.kind == "PeriodDoubling"]
    if not flips:
        raise InputError(
            f"{parameter}: no period doubling of the fixed point from {low:g} to {high:g};"
            " allowed: a range that holds one"
        )
    first = flips[0]
    places = [first.parameter]
    gap = (high - first.parameter) / 2
    for doubling in range(1, wanted):
        orbit = _Orbit(system, parameter, 2**doubling, first.state)
        place = orbit.next_flip(places[-1], gap)
        if place is None:
            break
        places.append(place)
        gap = (places[-1] - places[-2]) / FEIGENBAUM
    return _cascade(np.array(places))


def _cascade(places: FloatArray) -> Cascade:
    gaps = np.diff(places)
    end = places[-1] + gaps[-1] / (FEIGENBAUM - 1) if gaps.size else math.nan
    return Cascade(places, gaps[:-1] / gaps[1:], float(end))


@dataclass(frozen=True, slots=True)
class _Orbit:
    """The cycle of some period that a cascade has come to."""

    system: System
    parameter: str
    period: int
    start: FloatArray

    def next_flip(self, begin: float, gap: float) -> float | None:
        """Return where the cycle born at `begin` becomes unstable."""
        state, here = None, begin
        while state is None and gap > 1e-15 * max(1.0, abs(begin)):
            here = begin + FIRST_LOOK * gap
            state = self._attracting(here)
            gap = gap if state is not None else gap / 2
        if state is None:
            return None
        return self._flip_beyond(here, state, 2 * gap / LOOKS)

    def _flip_beyond(self, here: float, state: FloatArray, step: float) -> float | None:
        value = self._margin(here, state)
        for _ in range(4 * LOOKS):
            closed = self._closed(here + step, state)
            if closed is None:
                return None
            ahead = self._margin(here + step, closed)
            if (ahead < 0) != (value < 0):
                return self._flip_between(here, here + step, state)
            here, state, value = here + step, closed, ahead
        return None

    def _flip_between(self, low: float, high: float, state: FloatArray) -> float:
        from scipy.optimize import brentq

        def margin(value: float) -> float:
            closed = self._closed(value, state)
            return self._margin(value, state if closed is None else closed)

        return float(brentq(margin, low, high, xtol=1e-15, rtol=1e-15))

    def _attracting(self, value: float) -> FloatArray | None:
        """Return a state of the cycle that orbits settle on, if it has just this period."""
        settled, matrix = self._iterate(value, self.start + 1e-3, SETTLING // self.period)
        if not np.isfinite(settled).all():
            return None
        closed = self._closed(value, settled)
        if closed is None:
            return None
        half = replace(self, period=self.period // 2)
        apart = abs(half._iterate(value, closed, 1)[0] - closed).max()
        matrix = self._iterate(value, closed, 1)[1]
        attracts = abs(np.linalg.eigvals(matrix)).max() < 1
        return closed if attracts and apart > 1e3 * CLOSED else None

    def _closed(self, value: float, guess: FloatArray) -> FloatArray | None:
        """Return the cycle's state near a guess, by Newton's method."""
        state = guess
        for _ in range(NEWTON_STEPS):
            after, matrix = self._iterate(value, state, 1)
            rest = after - state
            if not np.isfinite(rest).all():
                return None
            step = np.linalg.lstsq(matrix - np.eye(state.size), rest, rcond=None)[0]
            state = state - step
            if abs(step).max() <= CLOSED * max(1.0, abs(state).max()):
                return state
        return None

    def _margin(self, value: float, state: FloatArray) -> float:
        """Return det(M + 1), M the derivative of the whole cycle: 0 where a multiplier is −1."""
        matrix = self._iterate(value, state, 1)[1]
        return float(np.linalg.det(matrix + np.eye(state.size)))

    def _iterate(
        self, value: float, state: FloatArray, cycles: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return the state after some cycles, and the derivative of the last one."""
        system = self.system.with_parameters(**{self.parameter: value})
        run = system.specialise(_make_cycles)
        last, matrix = state.copy(), np.eye(state.size)
        run(last, system.values, self.period, cycles, matrix)
        return last, matrix


@kernel
def _multiply(left: FloatArray, right: FloatArray, column: FloatArray) -> None:
    """Write left · right over right, a column at a time."""
    size = column.size
    for j in range(size):
        for i in range(size):
            column[i] = right[i, j]
        for i in range(size):
            right[i, j] = 0.0
            for k in range(size):
                right[i, j] += left[i, k] * column[k]


def _make_cycles(system: System) -> Callable[..., None]:
    rule, jacobian = system.rule, system.jacobian

    def cycles_of(
        state: FloatArray, parameters: FloatArray, period: int, cycles: int, matrix: FloatArray
    ) -> None:
        size = state.size
        after, slopes, column = np.empty(size), np.empty((size, size)), np.empty(size)
        for t in range(period * cycles):
            if t >= period * (cycles - 1):
                jacobian(state, parameters, slopes)
                _multiply(slopes, matrix, column)
            rule(state, parameters, after)
            copy_state(after, state)

    return cycles_of
