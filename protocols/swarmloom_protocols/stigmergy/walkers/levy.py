"""Lévy flights with a stated exponent: lengths of power law, exactly truncated, and their fit.

p(l) ∝ l^−μ for l from `min_length` to `max_length`. Lengths come from the exact inverse of the
distribution function (Clauset, Shalizi, Newman, "Power-law distributions in empirical data", SIAM
Review 51, 2009, appendix D), not from a stable law or Mantegna's approximation of one, whose tails
only approach a power. The exponent μ is that of the density; the tail P(L > l) falls as l^−(μ−1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, seeded, whole
from swarmloom_protocols.stigmergy.walkers.levy_kernels import fill_lengths

__all__ = ["ExponentFit", "fit_exponent", "levy_lengths", "power_law"]

# A tail from μ − 1 = 0.01 on has no float32 to end in; beyond 64 all lengths are min_length.
LEAST_EXPONENT, MOST_EXPONENT = 1.01, 64.0
# Without a truncation of its own a law ends here; float32 does at 3.4e38.
MOST_LENGTH = 1e38
MOST_LENGTHS = 1 << 32
# Product of the power's first part and a logarithm of 6 bits then fits into 24.
PART_BITS = 17


def power_law(
    exponent: float, min_length: float, max_length: float | None = None
) -> NDArray[np.float32]:
    """Turn a law into the coefficients that the kernels read.

    Parameters
    ----------
    exponent : float
        μ of the density, 1.01 to 64.
    min_length : float
        Least length, in cells, > 0.
    max_length : float or None, optional
        Greatest length, above `min_length`; None for no truncation.

    Returns
    -------
    ndarray of float32, shape (6,)
        Least and greatest length; share c of the untruncated tail beyond the greatest, and 1 − c;
        the power 1/(μ − 1) in two parts.

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    tail = between("exponent", exponent, LEAST_EXPONENT, MOST_EXPONENT) - 1.0
    low = positive("min_length", min_length, MOST_LENGTH)
    high = MOST_LENGTH if max_length is None else positive("max_length", max_length, MOST_LENGTH)
    if not low < high:
        raise InputError(f"max_length is {high:g}; allowed: above min_length, {low:g}")
    share = 0.0 if max_length is None else (low / high) ** tail
    mantissa, scale = math.frexp(1.0 / tail)
    power = math.ldexp(round(math.ldexp(mantissa, PART_BITS)), scale - PART_BITS)
    return np.array([low, high, share, 1.0 - share, power, 1.0 / tail - power], np.float32)


def levy_lengths(
    count: int,
    exponent: float = 1.5,
    *,
    min_length: float = 1.0,
    max_length: float | None = None,
    seed: int | np.random.Generator = 0,
    device: Device = "auto",
) -> NDArray[np.float32]:
    """Draw the lengths of flights.

    Parameters
    ----------
    count : int
        Lengths wanted, up to 2³².
    exponent : float, optional
        μ of the density, 1.01 to 64. At μ ≤ 2 the mean of the untruncated law is infinite, at
        μ ≤ 3 its variance is.
    min_length, max_length : float, optional
        Ends of the law, in cells; no truncation by default.
    seed : int or numpy.random.Generator, optional
        Where the random numbers begin.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    ndarray of float32, shape (count,)
        Relative error of the inverse below 1e-6 for μ ≥ 1.1. A uniform number has 32 bits: an
        untruncated law ends at min_length · 2^(33/(μ−1)), where it has 1.2e-10 of its mass left,
        and nothing is longer than 1e38.

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    law = power_law(exponent, min_length, max_length)
    count = whole("count", count, 0, MOST_LENGTHS)
    key = np.uint32(seeded("seed", seed).integers(1 << 32))
    if resolve(device, size=count) == "cuda":
        from swarmloom_protocols.stigmergy.walkers.levy_cuda import fill

        lengths = np.empty(count, np.float32)
        fill(count, (key, law), (lengths,))
        return lengths
    blocks = (count + 1) // 2
    lengths = np.empty(2 * blocks, np.float32)
    map_bands(lambda low, high: fill_lengths(key, low, law, lengths[2 * low : 2 * high]), blocks, 2)
    return lengths[:count]


@dataclass(frozen=True, slots=True)
class ExponentFit:
    """The exponent that explains lengths best.

    Attributes
    ----------
    exponent : float
        Maximum-likelihood estimate of μ.
    standard_error : float
        From the Fisher information.
    """

    exponent: float
    standard_error: float


def fit_exponent(
    lengths: ArrayLike, min_length: float, max_length: float | None = None
) -> ExponentFit:
    """Estimate the exponent of a power law by maximum likelihood.

    Parameters
    ----------
    lengths : array-like of float
        At least two, from `min_length` to `max_length`.
    min_length, max_length : float
        Ends of the law. Without its truncation a truncated sample is taken for a steeper law.

    Returns
    -------
    ExponentFit
        Untruncated: μ = 1 + n / Σ ln(l/min_length) (Clauset et al. 2009, equation 3.1). Truncated
        at L = ln(max/min): the root of 1/(μ−1) − L/(e^{(μ−1)L} − 1) = mean ln(l/min_length).

    Raises
    ------
    InputError
        A length lies outside the law, there are fewer than two, or no μ from 1 to 64 explains
        them.
    """
    sample = np.asarray(lengths, np.float64).ravel()
    low = positive("min_length", min_length)
    high = math.inf if max_length is None else float(max_length)
    if sample.size < 2 or not np.all((sample >= low) & (sample <= high)):
        raise InputError(f"lengths: allowed are two or more, from {low:g} to {high:g}")
    mean = float(np.log(sample / low).mean())
    if mean == 0.0:
        raise InputError("lengths: all are min_length, which no exponent explains")
    if max_length is None:
        return ExponentFit(1.0 + 1.0 / mean, 1.0 / mean / math.sqrt(sample.size))
    tail = _truncated_tail(mean, math.log(high / low))
    return ExponentFit(1.0 + tail, _truncated_error(tail, math.log(high / low), sample.size))


def _truncated_tail(mean: float, width: float) -> float:
    from scipy.optimize import brentq

    def excess(tail: float) -> float:
        return 1.0 / tail - width / math.expm1(min(tail * width, 700.0)) - mean

    low, high = 1e-3 / width, MOST_EXPONENT - 1.0
    if not excess(low) > 0.0 > excess(high):
        raise InputError(f"lengths: no exponent from 1 to {MOST_EXPONENT:g} explains them")
    return float(brentq(excess, low, high, xtol=1e-12))


def _truncated_error(tail: float, width: float, count: int) -> float:
    # Fisher information 1/a² − (L / 2 sinh(aL/2))² of one length.
    lost = width / 2.0 / math.sinh(min(tail * width / 2.0, 350.0))
    return 1.0 / math.sqrt(count * (1.0 / tail**2 - lost**2))
