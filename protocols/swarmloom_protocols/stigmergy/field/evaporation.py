"""Evaporation: exact factors of one step, half-lives and the Arrhenius law of temperature.

An amount u evaporates as du/dt = −k·u, hence u(t) = u₀·e^{−k·t}: the factor of a step is exact for
any length of it. The rate follows the temperature as Arrhenius (1889) found,
k(T) = k_ref·exp(−E/R·(1/T − 1/T_ref)).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive

__all__ = [
    "GAS_CONSTANT",
    "arrhenius_rate",
    "lost_share",
    "produced",
    "rate_of_half_life",
]

# J/(mol·K), exact since the SI of 2019.
GAS_CONSTANT = 8.31446261815324

Float64Array = NDArray[np.float64]


def arrhenius_rate(
    reference_rate: ArrayLike,
    temperature: float,
    *,
    activation_energy: ArrayLike = 0.0,
    reference_temperature: float = 298.15,
) -> Float64Array:
    """Return the evaporation rate at a temperature.

    Parameters
    ----------
    reference_rate : array-like of float
        Rate at `reference_temperature`, in 1/time.
    temperature : float
        In kelvin, > 0.
    activation_energy : array-like of float, optional
        In J/mol; 0 for rates that do not depend on the temperature.
    reference_temperature : float, optional
        In kelvin, > 0.

    Returns
    -------
    ndarray of float64
        In 1/time.

    Raises
    ------
    InputError
        A temperature is not above 0, or the rate at this temperature is not finite.
    """
    inverse = 1.0 / positive("temperature", temperature)
    difference = inverse - 1.0 / positive("reference_temperature", reference_temperature)
    with np.errstate(over="ignore", invalid="ignore"):
        exponent = -np.asarray(activation_energy, np.float64) / GAS_CONSTANT * difference
        rates = np.asarray(reference_rate, np.float64) * np.exp(exponent)
    if not np.all(np.isfinite(rates)):
        raise InputError(f"temperature: at {temperature} K an evaporation rate is not finite")
    return rates


def lost_share(rate: ArrayLike, duration: float) -> Float64Array:
    """Return 1 − e^{−k·t}, the share that evaporates, precise for small k·t too.

    Parameters
    ----------
    rate : array-like of float
        k ≥ 0, in 1/time.
    duration : float
        t ≥ 0.

    Returns
    -------
    ndarray of float64
        In [0, 1].
    """
    lost: Float64Array = -np.expm1(-np.asarray(rate, np.float64) * duration)
    return lost


def rate_of_half_life(half_life: float | None) -> float:
    """Return ln 2 / half-life, or 0 for None, which is never.

    Parameters
    ----------
    half_life : float or None
        Time after which half is left, > 0.

    Returns
    -------
    float
        In 1/time.
    """
    return 0.0 if half_life is None else math.log(2.0) / positive("half_life", half_life)


def produced(source: ArrayLike, rate: ArrayLike, duration: float) -> Float64Array:
    """Return what a constant source has left after a time, its own evaporation deducted.

    That is q·(1 − e^{−k·t})/k, so that a deposit of it after each step of length t leads to the
    steady state q/k exactly, whatever the length of the steps.

    Parameters
    ----------
    source : array-like of float
        q, amount per time.
    rate : array-like of float
        k ≥ 0, in 1/time.
    duration : float
        t ≥ 0.

    Returns
    -------
    ndarray of float64
        Amounts.
    """
    rates = np.asarray(rate, np.float64)
    evaporating = rates > 0.0
    safe = np.where(evaporating, rates, 1.0)
    time = np.where(evaporating, lost_share(rates, duration) / safe, duration)
    return np.asarray(source, np.float64) * time
