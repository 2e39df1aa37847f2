"""Periods of series: by returns to a section for flows, by repetition for maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive
from swarmloom_protocols.consensus.real_numbers import real_array

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

__all__ = ["Period", "cycle_length", "flow_period"]

FloatArray = NDArray[np.float64]

# A return is a crossing this near to the first one, as a share of the orbit's extent.
NEAR = 0.05
# Returns of a closed orbit come back to within this share of it.
CLOSED = 1e-3
FEWEST_RETURNS = 3
FEWEST_VALUES = 16


@dataclass(frozen=True, slots=True)
class Period:
    """The period of a closed orbit.

    Attributes
    ----------
    period : float
        Mean time between returns.
    spread : float
        Standard deviation of that time.
    returns : int
        How many there were.
    """

    period: float
    spread: float
    returns: int


def flow_period(states: ArrayLike, dt: float = 1.0, closed: float = CLOSED) -> Period | None:
    """Return the period of a flow's orbit, None where it does not close.

    The orbit is laid through a cubic spline. A plane stands across it where it is fastest, and
    passages through the plane near that place are returns.

    Parameters
    ----------
    states : array-like of float, shape (rows, D) or (rows,)
        After the transient, at least 16 rows, some 20 or more to a period. A single observable
        is joined by its derivative.
    dt : float, optional
        Time between rows.
    closed : float, optional
        How near to each other returns have to be, as a share of the orbit's extent.

    Returns
    -------
    Period or None
        None with less than three returns or where they scatter: a torus, chaos, or a record that
        is too short.

    Raises
    ------
    InputError
        The states are too few or not finite.
    """
    points = _rows(states)
    # It takes half a second to import, and maps do without.
    from scipy.interpolate import CubicSpline

    times = positive("dt", dt) * np.arange(len(points), dtype=np.float64)
    if points.shape[1] == 1:
        points = np.hstack([points, CubicSpline(times, points)(times, 1)])
    points = _standardised(points)
    if points.shape[1] == 0:
        return None
    orbit = CubicSpline(times, points)
    passages = _returns(orbit, points, times)
    places = orbit(passages)
    if len(passages) < FEWEST_RETURNS:
        return None
    scatter = np.linalg.norm(places - places.mean(axis=0), axis=1).max()
    if scatter > closed * np.linalg.norm(np.ptp(points, axis=0)):
        return None
    gaps = np.diff(passages)
    return Period(float(gaps.mean()), float(gaps.std()), len(passages))


def _rows(states: ArrayLike) -> FloatArray:
    """Return states of shape (rows, D), once they are known to be enough and finite."""
    given = real_array("states", states)
    if given.ndim not in (1, 2) or len(given) < FEWEST_VALUES or not np.isfinite(given).all():
        raise InputError(f"states: shape {given.shape}; allowed: finite, from {FEWEST_VALUES} rows")
    return given.reshape(len(given), -1)


def _standardised(points: FloatArray) -> FloatArray:
    """Return the components that move, each with an extent of 1."""
    extent = np.ptp(points, axis=0)
    moving = extent > 1e-12 * np.maximum(1.0, abs(points).max(axis=0))
    scaled: FloatArray = points[:, moving] / extent[moving]
    return scaled


def _returns(orbit: CubicSpline, points: FloatArray, times: FloatArray) -> FloatArray:
    """Return when the orbit passes the plane where it is fastest, in the same direction."""
    from scipy.interpolate import CubicSpline

    velocities = orbit(times, 1)
    # Away from the ends, where a spline's derivative is less sure.
    inner = slice(2, -2)
    fastest = 2 + int(np.argmax(np.linalg.norm(velocities[inner], axis=1)))
    place, normal = points[fastest], velocities[fastest]
    heights = (points - place) @ normal
    roots = np.asarray(CubicSpline(times, heights).roots(extrapolate=False))
    roots = roots[np.isfinite(roots)]
    along = orbit(roots, 1) @ normal > 0
    near = np.linalg.norm(orbit(roots) - place, axis=1) < NEAR * np.linalg.norm(
        np.ptp(points, axis=0)
    )
    passages: FloatArray = roots[along & near]
    return passages


def cycle_length(states: ArrayLike, closed: float = 1e-6, most: int = 1024) -> int:
    """Return after how many iterations a map's orbit repeats itself, 0 where it does not.

    Parameters
    ----------
    states : array-like of float, shape (rows, D) or (rows,)
        After the transient.
    closed : float, optional
        How near repetitions have to be, as a share of the orbit's extent or of its size, whichever
        is larger.
    most : int, optional
        Longest cycle looked for; three repetitions have to be in the record.

    Returns
    -------
    int
        1 for a fixed point.

    Raises
    ------
    InputError
        The states are too few or not finite.
    """
    points = _rows(states)
    tail = points[-min(len(points), 3 * most) :]
    allowed = closed * max(np.ptp(tail, axis=0).max(), abs(tail).max(), np.finfo(float).tiny)
    for length in range(1, len(tail) // FEWEST_RETURNS + 1):
        if abs(tail[length:] - tail[:-length]).max() <= allowed:
            return length
    return 0
