"""The 0–1 test for chaos, which needs a series alone: neither equations nor an embedding.

Gottwald & Melbourne, "On the implementation of the 0–1 test for chaos", SIAM J. Appl. Dyn. Syst. 8,
2009: a series drives the translation of a point in the plane. Under regular motion the point stays
near; under chaos it wanders like a Brownian one, its squared displacement growing with time.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import generator, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["decorrelation_steps", "zero_one_test"]

FloatArray = NDArray[np.float64]

FEWEST_VALUES = 200
# The mean squared displacement is taken up to this share of the series (section 3.1 there).
LAG_SHARE = 10
# Frequencies nearer to 0 and π resonate with trends and alternation (section 3.3).
LOWEST, HIGHEST = math.pi / 5, 4 * math.pi / 5
SPREAD = 1e-12


def zero_one_test(series: ArrayLike, *, rng: np.random.Generator, frequencies: int = 100) -> float:
    """Tell regular motion from chaos.

    Parameters
    ----------
    series : array-like of float, shape (N,)
        N ≥ 200 values of an observable after the transient. A flow has to be sampled coarsely:
        every `decorrelation_steps` values, say; oversampled chaos looks regular.
    rng : numpy.random.Generator
        Draws the frequencies.
    frequencies : int, optional
        Of how many to take the median, at least 1.

    Returns
    -------
    float
        K: near 0 for periodic and quasi-periodic motion, near 1 for chaos. Noise is near 1 too:
        the test tells chaos from order, not from chance.

    Raises
    ------
    InputError
        The series is too short or not finite.

    Notes
    -----
    The correlation method, with the oscillating term (mean of the series)² (1 − cos nc)/(1 − cos c)
    gone, as the mean is subtracted first. Displacements by FFT, O(N log N) for a frequency.
    """
    generator("rng", rng)
    values = real_array("series", series)
    if values.ndim != 1 or values.size < FEWEST_VALUES or not np.isfinite(values).all():
        raise InputError(
            f"series: shape {values.shape}; allowed: at least {FEWEST_VALUES} finite values"
        )
    away = values - values.mean()
    if abs(away).max() <= SPREAD * max(1.0, abs(values).max()):
        return 0.0
    count = whole("frequencies", frequencies, 1)
    chosen = rng.uniform(LOWEST, HIGHEST, count)
    return float(np.median([_growth(away, c) for c in chosen.tolist()]))


def _growth(values: FloatArray, frequency: float) -> float:
    """Return the correlation of the mean squared displacement with time."""
    turns = np.exp(1j * frequency * np.arange(1, values.size + 1))
    displacement = _squared_displacements(np.cumsum(values * turns), values.size // LAG_SHARE)
    if np.ptp(displacement) == 0:
        return 0.0
    return float(np.corrcoef(np.arange(displacement.size), displacement)[0, 1])


def _squared_displacements(path: NDArray[np.complex128], lags: int) -> FloatArray:
    """Return the mean of |z(j + n) − z(j)|² over the first N − `lags` j, for n = 1 … `lags`."""
    kept = path.size - lags
    size = 1 << (path.size + kept).bit_length()
    head = np.fft.fft(path[:kept], size)
    products = np.fft.ifft(np.fft.fft(path, size) * head.conj())[1 : lags + 1].real
    squares = np.concatenate([[0.0], np.cumsum(abs(path) ** 2)])
    later = squares[kept + 1 : kept + lags + 1] - squares[1 : lags + 1]
    moved: FloatArray = (later + squares[kept] - 2 * products) / kept
    return moved


def decorrelation_steps(series: ArrayLike) -> int:
    """Return after how many values the autocorrelation falls below 1/e; 1 for a constant.

    Parameters
    ----------
    series : array-like of float, shape (N,)
        Finite.

    Returns
    -------
    int
        At least 1, at most N.
    """
    values = real_array("series", series)
    away = values - values.mean()
    size = 1 << (2 * values.size).bit_length()
    correlation = np.fft.irfft(abs(np.fft.rfft(away, size)) ** 2)[: values.size]
    if correlation[0] <= 0:
        return 1
    below = np.flatnonzero(correlation < correlation[0] / math.e)
    return int(below[0]) if below.size else values.size
