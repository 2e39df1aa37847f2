"""Lyapunov exponents from equations, with an error bar and a watch on floating-point orbits.

Benettin, Galgani, Giorgilli & Strelcyn, "Lyapunov characteristic exponents for smooth dynamical
systems", Meccanica 15 (1980): displacements follow the variational equations, Gram–Schmidt keeps
them apart, and the mean growth of their lengths is the spectrum.

A computer has finitely many states, so every orbit of a map ends in a cycle. Where the equations
repel from that cycle the orbit is an artefact: the logistic map at r = 4 ends in 0 or in a short
cycle after some 10⁷ steps, and an average over it would be of something else. Such a collapse is
found (Brent 1980), reported, and left out of the average.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.consensus.chaos.systems import WORK_ROWS, System, copy_state
from swarmloom_protocols.consensus.chaos.tangents import (
    make_tangent_step,
    orthonormalise,
    subtract_projection,
    vector_length,
    work_shapes,
)
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["UNSTABLE", "LyapunovSpectrum", "kaplan_yorke", "lyapunov_spectrum", "same_state"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# A cycle whose own exponent is above this repels the orbit that rounding has put on it.
UNSTABLE = 1e-6
# Longest cycle looked for behind the end of a run; longer ones are seen where a run closes them.
LONGEST_CYCLE = 1 << 20
# Of displacements that went a lap without being orthonormalised: what is left of one without the
# parts along those before it, as a share, and lengths whose squares are still numbers.
ALIGNED = 1e-9
SHORTEST, LONGEST = 1e-150, 1e150
# How a run ends that is not the laps done.
ESCAPED, TOO_LONG = -1, -2
# Averages whose scatter gives the error bar.
BLOCKS = 32
# Exponents this close to 0 count as 0 in the dimension: that of time along a flow never is.
ZERO = 1e-3


@dataclass(frozen=True, slots=True)
class LyapunovSpectrum:
    """Lyapunov exponents of an orbit, per iteration of a map or per unit of time of a flow.

    Attributes
    ----------
    exponents : ndarray of float64, shape (K,)
        From the largest on, to base e. −∞ along superstable cycles; NaN where the orbit escaped, or
        collapsed before the transient was over.
    standard_errors : ndarray of float64, shape (K,)
        From the scatter of block means: sampling only, not the error of a flow's time step. NaN
        where an orbit that closes no cycle has an exponent of −∞.
    kaplan_yorke : float
        Dimension by Kaplan & Yorke (1979); NaN where it needs exponents that were not computed.
    steps : int
        Steps averaged over.
    collapsed : bool
        Whether rounding put the orbit on a cycle that the equations repel from; the exponents are
        then those of the steps before.
    period : int
        Of the cycle, stable or not, that the orbit closed exactly; 0 if none was seen.
    escaped : bool
        Whether the orbit left all bounds.
    """

    exponents: FloatArray
    standard_errors: FloatArray
    kaplan_yorke: float
    steps: int
    collapsed: bool
    period: int
    escaped: bool


@kernel
def same_state(first: FloatArray, second: FloatArray) -> bool:
    """Tell whether two vectors are equal in every bit that counts."""
    same = True
    for i in range(first.size):
        same = same and first[i] == second[i]
    return same


@kernel
def _finite(state: FloatArray) -> bool:
    finite = True
    for i in range(state.size):
        finite = finite and math.isfinite(state[i])
    return finite


@kernel
def _totals(
    before: FloatArray, products: FloatArray, logarithms: FloatArray, totals: FloatArray
) -> None:
    for k in range(products.size):
        totals[k] = before[k] + logarithms[k] + math.log(products[k])


@kernel
def _forget(products: FloatArray, logarithms: FloatArray) -> None:
    for k in range(products.size):
        products[k], logarithms[k] = 1.0, 0.0


@kernel
def _apart(tangents: FloatArray, scratch: FloatArray) -> bool:
    """Tell whether Gram–Schmidt still finds directions of its own, above rounding."""
    apart = True
    for k in range(tangents.shape[0]):
        copy_state(tangents[k], scratch[k])
        length = vector_length(scratch[k])
        for before in range(k):
            subtract_projection(scratch[k], scratch[before])
        left = vector_length(scratch[k])
        apart = apart and SHORTEST < length < LONGEST and left > ALIGNED * length
        for i in range(tangents.shape[1]):
            scratch[k, i] /= left
    return apart


def _make_growth(system: System) -> Callable[..., tuple[int, int]]:
    step = system.specialise(make_tangent_step)

    def growth(
        state: FloatArray,
        tangents: FloatArray,
        parameters: FloatArray,
        pace: tuple[float, int, int],
        ends: IntArray,
        sums: FloatArray,
        work: FloatArray,
        tangent_work: FloatArray,
    ) -> tuple[int, int]:
        """Write growth up to the lap that ends each block, and in the last row that of the cycle.

        `pace` is the time step, the steps to skip, the steps a lap. Returns the laps done, or
        ESCAPED or TOO_LONG, and the laps of the cycle, 0 if it closed none.
        """
        dt, skip, every = pace
        products, logarithms = np.ones(tangents.shape[0]), np.zeros(tangents.shape[0])
        for _ in range(skip):
            step(state, tangents, parameters, dt, work, tangent_work)
            orthonormalise(tangents, products, logarithms)
        _forget(products, logarithms)
        # Growth before the saved state is kept apart: −∞ less −∞ would say nothing of a cycle.
        saved, before, none = state.copy(), np.zeros(tangents.shape[0]), np.zeros(tangents.shape[0])
        lap, length, block = 0, 1, 0
        for done in range(1, ends[-1] + 1):
            for _ in range(every):
                step(state, tangents, parameters, dt, work, tangent_work)
            if every > 1 and _finite(state) and not _apart(tangents, tangent_work[0]):
                return TOO_LONG, 0
            orthonormalise(tangents, products, logarithms)
            lap += 1
            if same_state(state, saved):
                _totals(none, products, logarithms, sums[-1])
                return (done, lap) if _finite(state) else (ESCAPED, 0)
            if lap == length:
                if not _finite(state):
                    return ESCAPED, 0
                _totals(before, products, logarithms, before)
                _forget(products, logarithms)
                copy_state(state, saved)
                lap, length = 0, 2 * length
            if done == ends[block]:
                _totals(before, products, logarithms, sums[block])
                block += 1
        return (ends[-1], 0) if _finite(state) else (ESCAPED, 0)

    return growth


def _make_entry(system: System) -> Callable[..., int]:
    step = system.stepper

    def entry(
        behind: FloatArray, ahead: FloatArray, parameters: FloatArray, dt: float, period: int
    ) -> int:
        work = np.empty((WORK_ROWS, behind.size))
        for _ in range(period):
            step(ahead, parameters, dt, work)
        steps = 0
        while not same_state(behind, ahead):
            step(behind, parameters, dt, work)
            step(ahead, parameters, dt, work)
            steps += 1
        return steps

    return entry


def _make_return(system: System) -> Callable[..., int]:
    step = system.stepper

    def steps_to_return(state: FloatArray, parameters: FloatArray, dt: float, most: int) -> int:
        begin, work = state.copy(), np.empty((WORK_ROWS, state.size))
        for done in range(1, most + 1):
            step(state, parameters, dt, work)
            if same_state(state, begin):
                return done
        return 0

    return steps_to_return


@dataclass(frozen=True)
class _Growth:
    """What a run found: cumulated growth by block, where it was read, and how it ended."""

    sums: FloatArray
    ends: IntArray
    done: int
    period: int
    state: FloatArray


@dataclass(frozen=True)
class _Orbit:
    """What is to be measured."""

    system: System
    start: FloatArray
    dt: float
    transient: int
    every: int
    count: int

    @property
    def lap(self) -> float:
        """Time between two orthonormalisations."""
        return self.every * (self.dt if self.system.kind == "flow" else 1.0)

    def grow(self, laps: int) -> _Growth:
        """Follow the displacements for some laps after the transient."""
        blocks = min(BLOCKS, laps)
        ends = np.arange(1, blocks + 1) * laps // blocks
        sums = np.zeros((blocks + 1, self.count))
        tangents = np.eye(self.count, self.system.dimension)
        work = [np.empty(shape) for shape in work_shapes(self.system, self.count)]
        pace = (self.dt, self.transient, self.every)
        state, run = self.start.copy(), self.system.specialise(_make_growth)
        done, period = run(state, tangents, self.system.values, pace, ends, sums, *work)
        if done == TOO_LONG:
            raise InputError(
                f"every is {self.every}: displacements align, vanish or overflow on the way;"
                " allowed: fewer steps"
            )
        return _Growth(sums, ends, int(done), int(period), state)

    def cycle_at(self, state: FloatArray, laps: int) -> _Growth | None:
        """Return the growth along the cycle that a last state is on, None if it is on none."""
        find = self.system.specialise(_make_return)
        most = min(laps * self.every, LONGEST_CYCLE)
        period = int(find(state.copy(), self.system.values, self.dt, most))
        return replace(self, start=state).grow(4 * period) if period else None

    def laps_before(self, period: int) -> int:
        """Return the whole laps between the transient and the entry into a cycle of `period`."""
        find = self.system.specialise(_make_entry)
        values = self.system.values
        steps = find(self.start.copy(), self.start.copy(), values, self.dt, period * self.every)
        return max(0, int(steps) - self.transient) // self.every

    def spectrum(self, growth: FloatArray, ends: IntArray, **facts: int) -> LyapunovSpectrum:
        """Turn cumulated growth into exponents and their errors, those of a stable cycle 0."""
        exponents = growth[-1] / (ends[-1] * self.lap)
        order = np.argsort(-exponents, kind="stable")
        exact = bool(facts.get("period")) and not facts.get("collapsed")
        errors = np.zeros(self.count) if exact else self._errors(growth, ends)
        dimension = kaplan_yorke(exponents, self.system.dimension)
        steps = int(ends[-1]) * self.every
        collapsed, period = bool(facts.get("collapsed")), facts.get("period", 0) * self.every
        parts = (exponents[order], errors[order], dimension, steps)
        return LyapunovSpectrum(*parts, collapsed, period, escaped=False)

    def _errors(self, growth: FloatArray, ends: IntArray) -> FloatArray:
        if len(ends) == 1:
            return np.full(self.count, math.nan)
        lengths = np.diff(ends, prepend=0)[:, None] * self.lap
        with np.errstate(invalid="ignore"):
            # NaN from where growth is −∞ on.
            rates = np.diff(growth, axis=0, prepend=0.0) / lengths
            deviations: FloatArray = rates.std(axis=0, ddof=1)
        return deviations / math.sqrt(len(rates))

    def unknown(self, *, period: int = 0) -> LyapunovSpectrum:
        """Return the result of an orbit without a stretch to average over."""
        nothing = np.full(self.count, math.nan)
        parts = (nothing, nothing.copy(), math.nan, 0, period > 0, period * self.every)
        return LyapunovSpectrum(*parts, escaped=not period)


def lyapunov_spectrum(
    system: System,
    start: ArrayLike | None = None,
    steps: int = 100_000,
    *,
    count: int | None = None,
    dt: float = 0.01,
    transient: int = 1_000,
    every: int = 1,
) -> LyapunovSpectrum:
    """Measure the Lyapunov exponents of the orbit of a system.

    Parameters
    ----------
    system : System
        A map or a flow.
    start : array-like of float, shape (D,), optional
        Where the orbit begins; the system's own start by default.
    steps : int, optional
        Steps to average over, rounded down to whole multiples of `every` (≥ 1).
    count : int, optional
        Exponents wanted, the largest first; all D by default.
    dt : float, optional
        Time step of a flow, by Runge–Kutta of order 4; ignored for maps.
    transient : int, optional
        Steps before the average, for the orbit to reach its attractor.
    every : int, optional
        Steps between two orthonormalisations: at most as many as let displacements grow apart in
        length by nine orders of magnitude. 1 where they may vanish, as on superstable cycles.

    Returns
    -------
    LyapunovSpectrum
        A stable cycle that the orbit closes exactly ends the run: its exponents are then exact
        up to rounding, with an error of 0.

    Warns
    -----
    RuntimeWarning
        The orbit collapsed or escaped (`LyapunovSpectrum.collapsed`, ``.escaped``).

    Raises
    ------
    InputError
        An argument is out of its range, or `every` is too long for this orbit.
    """
    most = system.dimension
    orbit = _Orbit(
        system,
        system.state(start),
        positive("dt", dt),
        whole("transient", transient, 0),
        whole("every", every, 1),
        most if count is None else whole("count", count, 1, most),
    )
    result = _measured(orbit, whole("steps", steps, orbit.every) // orbit.every)
    if result.collapsed or result.escaped:
        warnings.warn(_trouble(system, result), RuntimeWarning, stacklevel=2)
    return result


def _measured(orbit: _Orbit, laps: int) -> LyapunovSpectrum:
    run = orbit.grow(laps)
    if run.done < 0:
        return orbit.unknown()
    # A cycle entered late is not closed before the end, and found by going on.
    cycle = run if run.period else orbit.cycle_at(run.state, laps)
    if cycle is None:
        return orbit.spectrum(run.sums[:-1], run.ends)
    period = cycle.period
    if cycle.sums[-1].max() <= UNSTABLE * period * orbit.lap:
        return orbit.spectrum(cycle.sums[-1:], np.array([period]), period=period)
    sound = min(run.done, orbit.laps_before(period))
    if not sound:
        return orbit.unknown(period=period)
    before = orbit.grow(sound)
    return orbit.spectrum(before.sums[:-1], before.ends, collapsed=True, period=period)


def _trouble(system: System, result: LyapunovSpectrum) -> str:
    if result.escaped:
        return f"{system.name}: the orbit leaves all bounds; it has no exponents"
    return (
        f"{system.name}: rounding put the orbit on a cycle of period {result.period} that the "
        f"equations repel from; the exponents are those of the {result.steps} steps before"
    )


def kaplan_yorke(exponents: ArrayLike, dimension: int | None = None) -> float:
    """Return the dimension that a spectrum implies, j + (λ₁ + … + λ_j) / |λ_{j+1}|.

    Parameters
    ----------
    exponents : array-like of float, shape (K,)
        In any order; those within 1e-3 of 0 count as 0, as the one along a flow does.
    dimension : int, optional
        Of the system, K by default.

    Returns
    -------
    float
        NaN where it depends on exponents that are not among the given ones, or on NaN.
    """
    given = np.sort(real_array("exponents", exponents))[::-1]
    if np.isnan(given).any():
        return math.nan
    values = np.where(abs(given) <= ZERO, 0.0, given)
    sums = np.cumsum(values)
    whole_part = int(np.count_nonzero(np.minimum.accumulate(sums) >= 0.0))
    if whole_part == values.size:
        return float(whole_part) if dimension in (None, whole_part) else math.nan
    rest = sums[whole_part - 1] if whole_part else 0.0
    return whole_part + float(rest / abs(values[whole_part]))
