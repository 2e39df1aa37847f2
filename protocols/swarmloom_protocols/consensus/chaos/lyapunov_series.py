"""The largest Lyapunov exponent from a measured series, with what is needed to doubt it.

Rosenstein, Collins & De Luca, "A practical method for calculating largest Lyapunov exponents from
small data sets", Physica D 65 (1993): nearest neighbours in a delay embedding part exponentially,
and the slope of their mean logarithmic distance is the exponent. Any series has some slope, noise
too. So the result says where the slope is constant, if anywhere, and what slopes series without
nonlinear dynamics but with the same spectrum and values have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import generator, positive, whole
from swarmloom_protocols.consensus.chaos.embedding import as_series, embed, nearest_apart

__all__ = ["SeriesExponent", "divergence_curve", "lyapunov_from_series", "plateau", "surrogate"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Steps that a plateau of the slope has at least.
LEAST_PLATEAU = 4
# Share of its slope by which the steps of a plateau may differ from it.
WAVERING = 0.15
SURROGATE_ROUNDS = 50


@dataclass(frozen=True, slots=True, eq=False)
class SeriesExponent:
    """A slope of the divergence of neighbours.

    Attributes
    ----------
    exponent : float
        Slope over `fit`, per unit of time.
    fit : (int, int)
        First step and the one behind the last that the slope was taken over.
    plateau : (int, int) or None
        The longest stretch of steps with a constant slope; None if there is none of 4 steps, in
        which case the exponent should not be believed.
    curve : ndarray of float64, shape (steps,)
        Mean logarithm of the distance of neighbours after 0, 1, 2, … steps.
    surrogates : ndarray of float64, shape (S,)
        Slopes of surrogate series over the same steps, sorted; empty without any.
    """

    exponent: float
    fit: tuple[int, int]
    plateau: tuple[int, int] | None
    curve: FloatArray
    surrogates: FloatArray

    @property
    def beyond_surrogates(self) -> bool:
        """Whether the slope is smaller or larger than those of all surrogates.

        Without nonlinear dynamics that happens in 2 of S + 1 cases. False without surrogates.
        """
        if not self.surrogates.size:
            return False
        inside = self.surrogates[0] <= self.exponent <= self.surrogates[-1]
        return not (inside or math.isnan(self.exponent))


@kernel
def _distances(points: FloatArray, neighbours: IntArray, curve: FloatArray) -> None:
    """Write the mean logarithmic distance of row i + k and its neighbour's for every k."""
    for k in range(curve.size):
        total, count = 0.0, 0
        for i in range(neighbours.size):
            squares = 0.0
            for axis in range(points.shape[1]):
                apart = points[i + k, axis] - points[neighbours[i] + k, axis]
                squares += apart * apart
            if squares > 0.0:
                total += 0.5 * math.log(squares)
                count += 1
        curve[k] = total / count if count else -math.inf


def divergence_curve(
    series: ArrayLike, steps: int = 20, *, dimension: int = 2, delay: int = 1, theiler: int = 10
) -> FloatArray:
    """Return how nearest neighbours part: the mean logarithm of their distance, step by step.

    Parameters
    ----------
    series : array-like of float, shape (N,) or (N, D)
        Evenly sampled.
    steps : int, optional
        Steps to follow them, the first being none (≥ 2).
    dimension, delay : int, optional
        Of the embedding (`swarmloom_protocols.consensus.chaos.embedding`).
    theiler : int, optional
        Neighbours this close in time or closer are passed over: those that are near because they
        are of the same moment. About a period of the series.

    Returns
    -------
    ndarray of float64, shape (steps,)
        −inf where all pairs coincide.

    Raises
    ------
    InputError
        The series is unusable, or too short for every state to have a neighbour.
    """
    points = embed(as_series(series), dimension, delay)
    followed = len(points) - whole("steps", steps, 2) + 1
    least = 2 * whole("theiler", theiler, 0) + 2
    if followed < least:
        missing = least - followed
        raise InputError(f"series: {len(points)} states; {missing} more are needed to follow pairs")
    _, neighbours = nearest_apart(points[:followed], theiler)
    curve = np.empty(steps)
    _distances(points, neighbours, curve)
    return curve


def plateau(curve: ArrayLike) -> tuple[int, int] | None:
    """Return the longest stretch of a curve that is a straight, rising line.

    Parameters
    ----------
    curve : array-like of float, shape (steps,)
        As `divergence_curve` returns it.

    Returns
    -------
    (int, int) or None
        First step and the one behind the last; the earliest of the longest ones. None unless four
        steps in a row differ by less than 15 % from their mean.
    """
    with np.errstate(invalid="ignore"):
        rises = np.diff(np.asarray(curve, np.float64))
    best: tuple[int, int] | None = None
    for first in range(rises.size - LEAST_PLATEAU + 1):
        for end in range(first + LEAST_PLATEAU, rises.size + 1):
            longer = best is None or end + 1 - first > best[1] - best[0]
            if longer and _steady(rises[first:end]):
                best = first, end + 1
    return best


def _steady(rises: FloatArray) -> bool:
    mean = rises.mean()
    return bool(mean > 0.0 and abs(rises - mean).max() <= WAVERING * mean)


def lyapunov_from_series(
    series: ArrayLike,
    steps: int = 20,
    *,
    dimension: int = 2,
    delay: int = 1,
    theiler: int = 10,
    dt: float = 1.0,
    fit: tuple[int, int] | None = None,
    surrogates: int = 19,
    rng: np.random.Generator | None = None,
) -> SeriesExponent:
    """Estimate the largest Lyapunov exponent of a series.

    Parameters
    ----------
    series : array-like of float, shape (N,)
        Evenly sampled.
    steps, dimension, delay, theiler
        As in `divergence_curve`.
    dt : float, optional
        Time between two values.
    fit : (int, int), optional
        Steps over which to take the slope; the plateau by default, all steps if there is none.
    surrogates : int, optional
        Surrogate series to compare with where `rng` is given.
    rng : numpy.random.Generator, optional
        For the surrogates' phases.

    Returns
    -------
    SeriesExponent

    Raises
    ------
    InputError
        The series is unusable or too short, or an argument is out of its range.

    Notes
    -----
    On short series of flows the slope is biased whatever the implementation: 10⁴ values of Lorenz's
    x at a step of .01 give 1.3 over the first steps instead of .906. Trust the plateau and the
    comparison, and compare series with each other rather than with a table.
    """
    how = {"dimension": dimension, "delay": delay, "theiler": theiler}
    values = as_series(series)
    if values.shape[1] != 1:
        raise InputError(f"series: {values.shape[1]} columns; allowed: one")
    curve = divergence_curve(values, steps, **how)
    steady = plateau(curve)
    first, end = _checked_fit(fit or steady or (0, steps), steps)
    step = positive("dt", dt)
    slopes = [
        _slope(divergence_curve(surrogate(values[:, 0], rng), steps, **how), first, end) / step
        for _ in range(whole("surrogates", surrogates, 0))
        if rng is not None
    ]
    slope = _slope(curve, first, end) / step
    return SeriesExponent(slope, (first, end), steady, curve, np.sort(slopes))


def _checked_fit(fit: tuple[int, int], steps: int) -> tuple[int, int]:
    first, end = whole("fit", fit[0], 0), whole("fit", fit[1], 0, steps)
    if end - first < 2:
        raise InputError(f"fit is {fit}; allowed: two steps or more")
    return first, end


def _slope(curve: FloatArray, first: int, end: int) -> float:
    """Return the least-squares slope over some steps, leaving out those that are not finite."""
    at = np.arange(first, end)[np.isfinite(curve[first:end])]
    if at.size < 2:
        return math.nan
    away = at - at.mean()
    return float(away @ curve[at] / (away @ away))


def surrogate(series: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a series with the same values and almost the same spectrum, and no other structure.

    Schreiber & Schmitz, "Improved surrogate data for nonlinearity tests", Phys. Rev. Lett. 77
    (1996): alternately the spectrum and the values are put right, until the order stands still.

    Parameters
    ----------
    series : ndarray of float64, shape (N,)
        Evenly sampled.
    rng : numpy.random.Generator
        For the order at the start.
    """
    ranked = np.sort(series)
    lengths = abs(np.fft.rfft(series))
    current = generator("rng", rng).permutation(series)
    for _ in range(SURROGATE_ROUNDS):
        phases = np.exp(1j * np.angle(np.fft.rfft(current)))
        order = np.argsort(np.fft.irfft(lengths * phases, series.size), kind="stable")
        following = np.empty_like(current)
        following[order] = ranked
        if np.array_equal(following, current):
            break
        current = following
    return current
