"""The colour of a series: how its power falls with frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["SpectralSlope", "spectral_slope"]

FloatArray = NDArray[np.float64]

FEWEST_VALUES = 64
SEGMENTS = 8
BINS_PER_OCTAVE = 2
FEWEST_BINS = 4
# Near half the sampling rate and below a few cycles a segment, sampling and window bend the line.
LOWEST_CYCLES = 4
HIGHEST = 0.1


@dataclass(frozen=True, slots=True)
class SpectralSlope:
    """The exponent of a power spectrum.

    Attributes
    ----------
    slope : float
        Of log power on log frequency: 0 white, −1 pink, −2 Brownian.
    standard_error : float
        From the scatter about the line.
    low, high : float
        Frequencies between which the line was laid.
    """

    slope: float
    standard_error: float
    low: float
    high: float


def spectral_slope(
    series: ArrayLike, dt: float = 1.0, band: tuple[float, float] | None = None
) -> SpectralSlope:
    """Fit the slope of a power spectrum.

    Parameters
    ----------
    series : array-like of float, shape (steps,) or (steps, channels)
        At least 64 steps; channels' spectra are averaged.
    dt : float, optional
        Time between two values.
    band : (float, float), optional
        Frequencies to use, in cycles per unit of time; from four cycles a segment to a tenth of the
        sampling rate by default.

    Returns
    -------
    SpectralSlope

    Raises
    ------
    InputError
        The series is too short, not finite or constant, or the band is too narrow.

    Notes
    -----
    Welch's periodogram with Hann's window (IEEE Trans. Audio Electroacoust. 15, 1967) of segments
    of a quarter of the series, averaged over half octaves, then least squares: every half octave
    has the same weight.
    """
    values = real_array("series", series)
    if values.ndim not in (1, 2) or len(values) < FEWEST_VALUES or not np.isfinite(values).all():
        raise InputError(
            f"series: shape {values.shape}; allowed: finite, (steps,) or (steps, channels) with at"
            f" least {FEWEST_VALUES} steps"
        )
    # It takes a second to import.
    from scipy import signal

    segment = 2 * len(values) // SEGMENTS
    frequencies, power = signal.welch(values, 1 / positive("dt", dt), nperseg=segment, axis=0)
    power = power.reshape(frequencies.size, -1).mean(axis=1)
    low, high = band or (LOWEST_CYCLES / (segment * dt), HIGHEST / dt)
    x, y = _by_octaves(frequencies, power, low, high)
    away = x - x.mean()
    squares = float(away @ away)
    slope = float(away @ y) / squares
    rest = y - y.mean() - slope * away
    error = float(np.sqrt(rest @ rest / ((x.size - 2) * squares)))
    return SpectralSlope(slope, error, float(low), float(high))


def _by_octaves(
    frequencies: FloatArray, power: FloatArray, low: float, high: float
) -> tuple[FloatArray, FloatArray]:
    """Return log₂ of frequency and power in bins of half an octave."""
    used = (frequencies >= low) & (frequencies <= high) & (power > 0)
    octave = np.log2(frequencies[used])
    bins = np.floor(BINS_PER_OCTAVE * octave).astype(np.int64)
    names, where = np.unique(bins, return_inverse=True)
    if names.size < FEWEST_BINS:
        raise InputError(
            f"band: {low:g} to {high:g} holds {names.size} half octaves with power; allowed: at"
            f" least {FEWEST_BINS}, of a series that is not constant"
        )
    counts = np.bincount(where)
    x = np.bincount(where, octave) / counts
    return x, np.log2(np.bincount(where, power[used]) / counts)
