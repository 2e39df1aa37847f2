"""What chance looks like: exact randomisation tests, and the correction for several of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError

__all__ = ["holm", "monte_carlo_p_value", "phase_randomised", "sign_flip_p_value"]

Float64Array = NDArray[np.float64]

FEWEST_DRAWS = 19


def monte_carlo_p_value(observed: float, null: ArrayLike) -> float:
    """Return the p-value of a statistic among draws from its null model.

    Parameters
    ----------
    observed : float
        The statistic; large values speak against the null.
    null : array-like of float, shape (B,)
        The same statistic of B draws.

    Returns
    -------
    float
        (1 + draws at least as large) / (1 + B): exact where the observation and the draws are
        exchangeable (Davison & Hinkley 1997, section 4.2), conservative where they tie.
    """
    draws = np.asarray(null, np.float64)
    # What differs by rounding alone is a tie.
    margin = 1e-12 * max(abs(observed), np.abs(draws).max(initial=0.0))
    return float((1 + np.count_nonzero(draws >= observed - margin)) / (1 + draws.size))


def check_draws(draws: int) -> int:
    """Return a number of draws, or raise `InputError` where no p-value of 0.05 could come out."""
    if draws < FEWEST_DRAWS:
        raise InputError(f"draws: {draws}; at least {FEWEST_DRAWS}, for p-values of 0.05")
    return int(draws)


def sign_flip_p_value(
    values: Float64Array, rng: np.random.Generator, draws: int, *, two_sided: bool = False
) -> float:
    """Test whether walkers' numbers are symmetric about 0.

    Parameters
    ----------
    values : ndarray of float64, shape (N,) or (N, C)
        A number for each walker, under each of C choices of a place.
    rng : numpy.random.Generator
        Draws the signs.
    draws : int
        Sign vectors to draw (at least 19).
    two_sided : bool, optional
        Whether sums far below 0 count too.

    Returns
    -------
    float
        p-value of the largest sum over the choices.

    Notes
    -----
    If each walker's track is as likely as its reversal, any walker's number may as well have the
    other sign: the test is exact, whatever the walkers' persistence, speeds and number of moves,
    as long as the walkers are independent and the choices do not depend on the direction of time.
    """
    columns = values.reshape(len(values), -1)
    signs = rng.integers(0, 2, (check_draws(draws), len(values))) * 2.0 - 1.0
    sums = np.vstack((columns.sum(axis=0), signs @ columns))
    largest = (np.abs(sums) if two_sided else sums).max(axis=1)
    return monte_carlo_p_value(largest[0], largest[1:])


def phase_randomised(values: NDArray[np.floating], rng: np.random.Generator) -> Float64Array:
    """Return noise with the power spectrum of an array.

    Parameters
    ----------
    values : ndarray of float
        Of any number of dimensions.
    rng : numpy.random.Generator
        Draws the phases.

    Returns
    -------
    ndarray of float64, shape of `values`
        Same mean and autocorrelation on a torus, else a stationary Gaussian field (Theiler,
        Eubank, Longtin, Galdrikian & Farmer 1992).
    """
    spectrum = np.fft.rfftn(values)
    # The phases of a real array's transform have the symmetry that they need.
    phases = np.angle(np.fft.rfftn(rng.standard_normal(values.shape)))
    phases.flat[0] = 0.0
    return np.fft.irfftn(np.abs(spectrum) * np.exp(1j * phases), values.shape, range(values.ndim))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number.

    Parameters
    ----------
    p_values : sequence of float
        In [0, 1].

    Returns
    -------
    list of float
        Adjusted so that the chance of one or more at most α is at most α under all nulls,
        whatever the dependence between the tests (Holm 1979).
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, np.float64)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]
