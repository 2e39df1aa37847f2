"""What a trajectory does, seen from its states alone: converge, oscillate, wander, escape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import generator, positive
from swarmloom_protocols.consensus.dynamics.periods import Period, cycle_length, flow_period
from swarmloom_protocols.consensus.dynamics.zero_one_test import (
    FEWEST_VALUES,
    decorrelation_steps,
    zero_one_test,
)
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["Trajectory", "TrajectoryKind", "describe_trajectory", "leaves", "thinned"]

FloatArray = NDArray[np.float64]
TrajectoryKind = Literal["Converging", "Oscillating", "Chaotic", "Escaping"]

FEWEST_ROWS = 32
# The last quarter of an escaping record leaves the box of the others by this share of it.
LEAVES = 0.25
# Each quarter of a converging record has at most this share of the extent of the one before.
SHRINKS = 0.9
# An extent below this share of the record's is rest.
REST = 1e-3
# Between 0 of order and 1 of chaos (Gottwald & Melbourne).
CHAOTIC = 0.5


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What a trajectory does.

    Attributes
    ----------
    kind : {"Converging", "Oscillating", "Chaotic", "Escaping"}
    zero_one : float
        K of the 0–1 test of the second half; NaN where it was not needed or is too short.
    period : Period or None
        Where the second half closes.
    extents : ndarray of float64, shape (4,)
        Largest extent of the states in each quarter of the record.
    """

    kind: TrajectoryKind
    zero_one: float
    period: Period | None
    extents: FloatArray


def describe_trajectory(
    states: ArrayLike,
    *,
    rng: np.random.Generator,
    dt: float = 1.0,
    bound: float = 1e6,
) -> Trajectory:
    """Say what a trajectory does.

    Parameters
    ----------
    states : array-like of float, shape (rows, D) or (rows,)
        At least 32 rows at equal times. NaN and infinities count as escaped.
    rng : numpy.random.Generator
        Draws the frequencies of the 0–1 test.
    dt : float, optional
        Time between rows.
    bound : float, optional
        A component beyond it has escaped.

    Returns
    -------
    Trajectory
        "Chaotic" says that motion does not repeat itself and grows apart from regular motion;
        noise does so too. With a second half too short for the 0–1 test (200 values after thinning
        to the decorrelation time) motion that neither rests nor escapes is "Oscillating".

    Raises
    ------
    InputError
        There are too few rows.
    """
    given = real_array("states", states)
    if given.ndim not in (1, 2) or len(given) < FEWEST_ROWS or given.size == 0:
        raise InputError(f"states: shape {given.shape}; allowed: at least {FEWEST_ROWS} rows")
    points, edge = given.reshape(len(given), -1), positive("bound", bound)
    generator("rng", rng)
    if not np.isfinite(points).all() or abs(points).max() > edge:
        return Trajectory("Escaping", float("nan"), None, np.full(4, np.nan))
    extents = np.array([np.ptp(part, axis=0).max() for part in np.array_split(points, 4)])
    if leaves(points):
        return Trajectory("Escaping", float("nan"), None, extents)
    if _comes_to_rest(points, extents):
        return Trajectory("Converging", float("nan"), None, extents)
    later = points[len(points) // 2 :]
    period = _period(later, dt)
    growth = _growth(later, rng)
    chaotic = period is None and growth > CHAOTIC
    return Trajectory("Chaotic" if chaotic else "Oscillating", growth, period, extents)


def leaves(points: FloatArray) -> bool:
    """Tell whether the last quarter leaves the box of the three before it by far.

    Parameters
    ----------
    points : ndarray of float64, shape (rows, D)
        Finite, at least 4.

    Returns
    -------
    bool
    """
    cut = 3 * len(points) // 4
    low, high = points[:cut].min(axis=0), points[:cut].max(axis=0)
    beyond = np.maximum(low - points[cut:], points[cut:] - high).max(axis=0)
    scale = max(1.0, abs(points).max()) * 1e-12
    return bool((beyond > LEAVES * (high - low) + scale).any())


def _comes_to_rest(points: FloatArray, extents: FloatArray) -> bool:
    whole = np.ptp(points, axis=0).max()
    at_rest = extents[3] <= max(REST * whole, 1e-12 * max(1.0, abs(points).max()))
    return bool(at_rest or (extents[1:] <= SHRINKS * extents[:-1]).all())


def _period(points: FloatArray, dt: float) -> Period | None:
    """Return the period of a smooth orbit, or of one that hops between the points of a cycle."""
    hops = cycle_length(points)
    if hops:
        return Period(hops * positive("dt", dt), 0.0, len(points) // hops)
    return flow_period(points, dt)


def _growth(points: FloatArray, rng: np.random.Generator) -> float:
    """Return the 0–1 test's K of the component that moves most, NaN where it is too short."""
    series = thinned(points)
    return zero_one_test(series, rng=rng) if series.size >= FEWEST_VALUES else float("nan")


def thinned(points: FloatArray) -> FloatArray:
    """Return the component that moves most, at intervals after which it is decorrelated.

    Parameters
    ----------
    points : ndarray of float64, shape (rows, D)

    Returns
    -------
    ndarray of float64, shape (values,)
    """
    series = points[:, int(np.argmax(np.ptp(points, axis=0)))]
    return series[:: decorrelation_steps(series)]
