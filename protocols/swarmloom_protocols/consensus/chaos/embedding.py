"""Delay embedding of a series, and helpers for the choice of delay and dimension."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = [
    "as_series",
    "autocorrelation",
    "autocorrelation_delay",
    "embed",
    "false_neighbours",
    "nearest_apart",
    "suggest_dimension",
]

FloatArray = NDArray[np.float64]

# Kennel, Brown & Abarbanel's thresholds: of the jump against the distance, and against the spread.
JUMP = 10.0
SPREAD = 2.0
# Share of false neighbours that noise-free data with a large enough dimension stays below.
FEW_FALSE = 0.01
MOST_DIMENSIONS = 10


def as_series(series: ArrayLike, argument: str = "series") -> FloatArray:
    """Return a series as float64[N, D], scalars as one column, after checking it.

    Raises
    ------
    InputError
        It has neither one axis nor two, no values, or a value that is not finite.
    """
    values = real_array(argument, series)
    if values.ndim not in (1, 2) or not values.size:
        raise InputError(f"{argument}: shape {values.shape}; allowed: (N,) or (N, D), not empty")
    if not np.isfinite(values).all():
        raise InputError(f"{argument}: {np.sum(~np.isfinite(values))} values are not finite")
    return values.reshape(len(values), -1)


def embed(series: ArrayLike, dimension: int, delay: int = 1) -> FloatArray:
    """Return the delay vectors (x_i, x_{i+delay}, …) of a series (Takens 1981).

    Parameters
    ----------
    series : array-like of float, shape (N,) or (N, D)
        The rows of a vector series are put side by side.
    dimension : int
        m, values in each vector.
    delay : int, optional
        Steps between them.

    Returns
    -------
    ndarray of float64, shape (N − (m − 1) · delay, m · D)

    Raises
    ------
    InputError
        The series is too short, empty, or not finite.
    """
    values = as_series(series)
    span = (whole("dimension", dimension, 1) - 1) * whole("delay", delay, 1)
    count = len(values) - span
    if count < 1:
        raise InputError(f"series: {len(values)} values; at least {span + 1} are needed to embed")
    parts = [values[shift : shift + count] for shift in range(0, span + 1, delay)]
    return np.ascontiguousarray(np.hstack(parts))


def autocorrelation(series: ArrayLike) -> FloatArray:
    """Return the autocorrelation of a scalar series at the lags 0 to N − 1 (biased estimate).

    Raises
    ------
    InputError
        The series is constant, no vector, empty, or not finite.
    """
    values = _scalar(series)
    away = values - values.mean()
    size = 1 << (2 * values.size - 1).bit_length()
    spectrum = np.fft.rfft(away, size)
    products = np.fft.irfft(spectrum * spectrum.conj(), size)[: values.size]
    if not products[0] > 0.0:
        raise InputError("series: constant; it has no autocorrelation")
    found: FloatArray = products / products[0]
    return found


def _scalar(series: ArrayLike) -> FloatArray:
    values = as_series(series)
    if values.shape[1] != 1:
        raise InputError(f"series: {values.shape[1]} columns; allowed: one")
    return values[:, 0]


def autocorrelation_delay(series: ArrayLike, level: float = 1.0 / math.e) -> int:
    """Return the first lag at which the autocorrelation is below a level, at least 1.

    Parameters
    ----------
    series : array-like of float, shape (N,)
        Evenly sampled.
    level : float, optional
        1/e by default.
    """
    below = np.flatnonzero(autocorrelation(series) < positive("level", level, 1.0))
    return max(1, int(below[0])) if below.size else len(np.asarray(series)) - 1


def false_neighbours(
    series: ArrayLike, dimension: int, delay: int = 1, *, theiler: int = 0
) -> float:
    """Return the share of nearest neighbours that one more dimension drives apart.

    Kennel, Brown & Abarbanel, Phys. Rev. A 45 (1992): a neighbour is false where the new
    coordinate's distance is over 10 times the old one, or over 2 standard deviations in all.

    Parameters
    ----------
    series : array-like of float, shape (N,)
        Evenly sampled.
    dimension : int
        m of the embedding that is judged.
    delay : int, optional
        Steps between its values.
    theiler : int, optional
        Neighbours this close in time or closer are passed over.

    Returns
    -------
    float
        NaN where no point has a neighbour.
    """
    values = _scalar(series)
    points = embed(values, dimension + 1, delay)
    old = np.ascontiguousarray(points[:, :-1])
    distances, neighbours = nearest_apart(old, whole("theiler", theiler, 0))
    known = np.flatnonzero(np.isfinite(distances))
    if not known.size:
        return math.nan
    jumps = abs(points[known, -1] - points[neighbours[known], -1])
    total = np.hypot(distances[known], jumps)
    false = (jumps > JUMP * distances[known]) | (total > SPREAD * values.std())
    return float(false.mean())


def nearest_apart(points: FloatArray, theiler: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return each point's nearest neighbour (Euclidean) at least `theiler` + 1 rows away.

    Returns
    -------
    distances : ndarray of float64, shape (N,)
        inf where there is none.
    neighbours : ndarray of int64, shape (N,)
        Undefined where there is none.
    """
    tree, count = KDTree(points), len(points)
    distances, neighbours = np.full(count, np.inf), np.zeros(count, np.int64)
    left, wanted = np.arange(count), 2
    while left.size:
        answer = tree.query(points[left], k=range(1, wanted + 1))
        found, rows = np.asarray(answer[0]), np.asarray(answer[1])
        # Where there are too few points, the tree fills up with rows of the number N.
        apart = (abs(rows - left[:, None]) > theiler) & (rows < count)
        column, has = apart.argmax(axis=1), apart.any(axis=1)
        picked = np.arange(left.size)[has], column[has]
        distances[left[has]], neighbours[left[has]] = found[picked], rows[picked]
        left = left[~has] if wanted < count else left[:0]
        wanted *= 4
    return distances, neighbours


def suggest_dimension(series: ArrayLike, delay: int = 1, *, theiler: int = 0) -> int:
    """Return the smallest dimension with under 1 % of false neighbours, at most 10.

    Parameters
    ----------
    series, delay, theiler
        As in `false_neighbours`. Noise keeps neighbours false in every dimension, and a short
        series has no close ones: look at `false_neighbours` itself before trusting this.
    """
    for dimension in range(1, MOST_DIMENSIONS):
        if false_neighbours(series, dimension, delay, theiler=theiler) < FEW_FALSE:
            return dimension
    return MOST_DIMENSIONS
