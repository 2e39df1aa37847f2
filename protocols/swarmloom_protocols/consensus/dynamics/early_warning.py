"""Early warning of a tipping point: fluctuations that grow and slow down before a fold.

Near a fold or any other bifurcation with an eigenvalue that goes to 0, a system returns more slowly
from disturbances, so that the variance and the lag-1 autocorrelation of its noise rise (Scheffer et
al., "Early-warning signals for critical transitions", Nature 461, 2009). Windows and Kendall's τ
after Dakos et al., "Methods for detecting early warnings of critical transitions in time series",
PLoS ONE 7, 2012. Rises happen by chance too (Boettiger & Hastings, J. R. Soc. Interface 9, 2012):
each is compared with stationary series of the same memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import between, generator, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["EarlyWarning", "early_warning", "rolling_indicators"]

FloatArray = NDArray[np.float64]

FEWEST_VALUES = 50
FEWEST_IN_WINDOW = 10
# Windows that are compared: overlapping ones tell little more.
MOST_WINDOWS = 100


@dataclass(frozen=True, slots=True)
class EarlyWarning:
    """How fluctuations change along a series.

    Attributes
    ----------
    variance, autocorrelation : ndarray of float64, shape (windows,)
        Of the detrended series in each window, the autocorrelation at lag 1.
    variance_trend, autocorrelation_trend : float
        Kendall's τ of each with time: 1 for a steady rise, 0 for none.
    variance_p, autocorrelation_p : float
        Shares of stationary series whose trend is as strong.
    p_value : float
        Of both together: of the two trends' sum, which the null draws have too.
    """

    variance: FloatArray
    autocorrelation: FloatArray
    variance_trend: float
    autocorrelation_trend: float
    variance_p: float
    autocorrelation_p: float
    p_value: float


def early_warning(
    series: ArrayLike,
    *,
    rng: np.random.Generator,
    window: float = 0.5,
    bandwidth: float = 0.1,
    draws: int = 199,
) -> EarlyWarning:
    """Test whether the fluctuations of a series grow and slow down.

    Parameters
    ----------
    series : array-like of float, shape (N,)
        At least 50 values at equal times, up to now and not beyond the jump: the spread of a
        crew's opinions, say.
    rng : numpy.random.Generator
        Draws the stationary series.
    window : float, optional
        Of the series, the share in a window, 0.1 to 0.9.
    bandwidth : float, optional
        Of the series, the standard deviation of the Gaussian whose average is subtracted as trend,
        0.01 to 0.5.
    draws : int, optional
        Stationary series, at least 19; the smallest p-value is 1/(draws + 1).

    Returns
    -------
    EarlyWarning
        A small `p_value` says that fluctuations grow and slow down, not that a fold is near: what
        drives the system may grow too. A large one is no promise: sudden pushes give no warning.

    Raises
    ------
    InputError
        The series is too short, not finite or constant, or a number is out of its range.

    Notes
    -----
    The null is an AR(1) process with the lag-1 autocorrelation of the detrended series, corrected
    for the detrending by fitting it to draws that are detrended likewise. Draws go through the same
    steps as the series.
    """
    values = real_array("series", series)
    if values.ndim != 1 or values.size < FEWEST_VALUES or not np.isfinite(values).all():
        raise InputError(
            f"series: shape {values.shape}; allowed: at least {FEWEST_VALUES} finite values"
        )
    share, smooth = between("window", window, 0.1, 0.9), between("bandwidth", bandwidth, 0.01, 0.5)
    width = max(FEWEST_IN_WINDOW, int(share * values.size))
    rest = _detrended(values[None], smooth)
    if not rest.std() > 1e-12 * max(1.0, abs(values).max()):
        raise InputError("series: it does not fluctuate about its trend; allowed: one that does")
    own = rolling_indicators(rest, width)
    memory = _memory(rest, smooth, generator("rng", rng))
    null = _autoregressive(memory, (whole("draws", draws, 19), values.size), rng)
    other = rolling_indicators(_detrended(null, smooth), width)
    trends = [_trend(rows) for rows in own], [_trend(rows) for rows in other]
    (variance, slowing), (null_variance, null_slowing) = trends
    return EarlyWarning(
        own[0][0],
        own[1][0],
        float(variance[0]),
        float(slowing[0]),
        _p_value(variance[0], null_variance),
        _p_value(slowing[0], null_slowing),
        _p_value(variance[0] + slowing[0], null_variance + null_slowing),
    )


def _detrended(rows: FloatArray, bandwidth: float) -> FloatArray:
    from scipy.ndimage import gaussian_filter1d

    trend = gaussian_filter1d(rows, bandwidth * rows.shape[1], axis=1, mode="nearest")
    rest: FloatArray = rows - trend
    return rest


def rolling_indicators(rows: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Return variance and lag-1 autocorrelation in windows along series.

    Parameters
    ----------
    rows : ndarray of float64, shape (series, N)
    width : int
        Values in a window.

    Returns
    -------
    variance, autocorrelation : ndarray of float64, shape (series, windows)
        At most a hundred windows, spread evenly; the autocorrelation is 0 where nothing varies.
    """
    starts = np.unique(np.linspace(0, rows.shape[1] - width, MOST_WINDOWS).astype(np.int64))
    centred = rows - rows.mean(axis=1, keepdims=True)
    sums, squares, products = (
        np.pad(np.cumsum(array, axis=1), ((0, 0), (1, 0)))
        for array in (centred, centred**2, centred[:, 1:] * centred[:, :-1])
    )
    ends = starts + width
    mean = (sums[:, ends] - sums[:, starts]) / width
    variance = np.maximum((squares[:, ends] - squares[:, starts]) / width - mean**2, 0.0)
    # Σ (x_t − m)(x_{t+1} − m) over the pairs within the window.
    inner = products[:, ends - 1] - products[:, starts]
    ends_apart = 2 * width * mean - centred[:, starts] - centred[:, ends - 1]
    covariance = (inner - mean * ends_apart + (width - 1) * mean**2) / (width - 1)
    slowing = np.divide(covariance, variance, out=np.zeros_like(variance), where=variance > 0)
    return variance, slowing


def _lag_one(rows: FloatArray) -> float:
    """Return the mean lag-1 autocorrelation of centred series."""
    return float((rows[:, 1:] * rows[:, :-1]).sum() / (rows**2).sum())


def _memory(rest: FloatArray, bandwidth: float, rng: np.random.Generator) -> float:
    """Return the AR(1) coefficient whose detrended draws have the series' autocorrelation."""
    wanted, low, high = _lag_one(rest), 0.0, 0.999
    shocks = rng.standard_normal((20, rest.shape[1]))
    for _ in range(12):
        middle = (low + high) / 2
        found = _lag_one(_detrended(_filtered(middle, shocks), bandwidth))
        low, high = (middle, high) if found < wanted else (low, middle)
    return (low + high) / 2


def _autoregressive(memory: float, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    return _filtered(memory, rng.standard_normal(shape))


def _filtered(memory: float, shocks: FloatArray) -> FloatArray:
    """Return stationary AR(1) series of variance 1 that begin with the first shock."""
    scaled = shocks * math.sqrt(1 - memory**2)
    begin = memory * shocks[:, :1]
    # The first value is the first shock itself, whose variance is that of all others.
    first = shocks[:, :1]
    from scipy.signal import lfilter

    later, _ = lfilter([1.0], [1.0, -memory], scaled[:, 1:], axis=1, zi=begin)
    return np.hstack([first, later])


@kernel
def _concordances(rows: FloatArray, sums: FloatArray) -> None:
    """Write of each row how many pairs rise, less those that fall."""
    for row in range(rows.shape[0]):
        total = 0
        for i in range(rows.shape[1]):
            for j in range(i + 1, rows.shape[1]):
                total += rows[row, j] > rows[row, i]
                total -= rows[row, j] < rows[row, i]
        sums[row] = total


def _trend(rows: FloatArray) -> FloatArray:
    """Return Kendall's τ-a of each row with time."""
    sums = np.empty(len(rows))
    _concordances(np.ascontiguousarray(rows), sums)
    return sums / math.comb(rows.shape[1], 2)


def _p_value(own: float, null: FloatArray) -> float:
    return float((1 + (null >= own).sum()) / (1 + null.size))
