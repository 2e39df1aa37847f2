"""Exact decay of trails when they are read: x(t) = x₀ · 2^(-(t - t₀) / half-life).

Nothing is swept: a cell keeps its amount and the time of its last deposit, and whoever reads it
gets the value of now, whatever was read in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.denormals import flush_float32
from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = ["decayed", "decayed_log_odds", "remaining_share"]

MINUS_LN2 = -math.log(2.0)
# 2^-300 of any float32 is nothing, and no float64 on the way there is denormal.
MOST_HALVINGS = 300.0


@kernel
def remaining_share(age: float, half_life: float) -> float:
    """Return 2^(-age / half_life); 1 for a negative age, for clocks that disagree add nothing."""
    halvings = age / half_life
    if halvings < 0.0:
        halvings = 0.0
    if halvings > MOST_HALVINGS:
        halvings = MOST_HALVINGS
    return math.exp(MINUS_LN2 * halvings)


@kernel
def current_amount(amount: float, age: float, half_life: float) -> float:
    """Return what is left of an amount."""
    return flush_float32(amount * remaining_share(age, half_life))


@kernel
def current_log_odds(
    success: float, failure: float, age: float, half_life: float, prior: float
) -> float:
    """Return log((s + prior) / (f + prior)) of the amounts that are left."""
    share = remaining_share(age, half_life)
    return math.log((success * share + prior) / (failure * share + prior))


@kernel
def _decay(
    amounts: NDArray[np.float32],
    times: NDArray[np.float64],
    now: float,
    half_life: float,
    values: NDArray[np.float32],
) -> None:
    for i in range(values.size):
        values[i] = current_amount(amounts[i], now - times[i], half_life)


@kernel
def _log_odds(
    successes: NDArray[np.float32],
    failures: NDArray[np.float32],
    times: NDArray[np.float64],
    now: float,
    half_life: float,
    prior: float,
    affinity: NDArray[np.float32],
) -> None:
    for i in range(affinity.size):
        age = now - times[i]
        affinity[i] = current_log_odds(successes[i], failures[i], age, half_life, prior)


def decayed(
    amounts: ArrayLike,
    times: ArrayLike,
    now: float,
    half_life: float | None,
    device: Device = "auto",
) -> NDArray[np.float32]:
    """Return what is left of each amount.

    Parameters
    ----------
    amounts : array-like of float32
        Amounts at the time of their last deposit, of any shape.
    times : array-like of float64, of the same shape
        When that was, in seconds. A time after `now` counts as `now`.
    now : float
        Time of reading, in seconds of the same clock.
    half_life : float or None
        In seconds; None for trails that do not decay.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    ndarray of float32, shape of `amounts`
        NaN where an amount or a time is NaN; 0 instead of denormal numbers.

    Raises
    ------
    InputError
        Shapes differ, `now` is not finite, or `half_life` is not above 0.
    """
    cells = _flat(amounts=amounts, times=times)
    constants = _clock(now, half_life)
    values = np.empty(cells[0].size, np.float32)
    if resolve(device, size=values.size) == "cuda":
        from swarmloom_protocols.stigmergy.decay_cuda import decay

        decay(values.size, (*cells, *constants), (values,))
    else:
        _over_bands(_decay, cells, constants, values)
    return values.reshape(np.shape(amounts))


def decayed_log_odds(
    successes: ArrayLike,
    failures: ArrayLike,
    times: ArrayLike,
    now: float,
    half_life: float | None,
    *,
    prior: float = 1.0,
    device: Device = "auto",
) -> NDArray[np.float32]:
    """Return the log-odds of success that decayed trails of both kinds amount to.

    With s and f what is left of a cell's two amounts, log((s + prior) / (f + prior)): the log-odds
    at the mean of Beta(prior + s, prior + f). A cell that nobody has visited for long goes to 0, no
    opinion.

    Parameters
    ----------
    successes, failures : array-like of float32
        Amounts at the time of the last deposit of either kind, of any shape, at least 0.
    times : array-like of float64, of the same shape
        When that was, in seconds. A time after `now` counts as `now`.
    now : float
        Time of reading, in seconds of the same clock.
    half_life : float or None
        In seconds; None for trails that do not decay.
    prior : float, optional
        Amount of either kind that is taken as given, above 0.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    ndarray of float32, shape of `successes`
        NaN where an amount or a time is NaN or the amount left is below -`prior`.

    Raises
    ------
    InputError
        Shapes differ, `now` is not finite, or `half_life` or `prior` is not above 0.
    """
    if not 0.0 < prior < math.inf:
        raise InputError(f"prior: {prior} is not a finite number above 0")
    cells = _flat(successes=successes, failures=failures, times=times)
    constants = (*_clock(now, half_life), float(prior))
    affinity = np.empty(cells[0].size, np.float32)
    if resolve(device, size=affinity.size) == "cuda":
        from swarmloom_protocols.stigmergy.decay_cuda import log_odds

        log_odds(affinity.size, (*cells, *constants), (affinity,))
    else:
        _over_bands(_log_odds, cells, constants, affinity)
    return affinity.reshape(np.shape(successes))


def _over_bands(
    fill: Any, cells: Sequence[NDArray[Any]], constants: Sequence[float], out: NDArray[np.float32]
) -> None:
    def one_band(start: int, stop: int) -> None:
        fill(*(array[start:stop] for array in cells), *constants, out[start:stop])

    map_bands(one_band, out.size)


def _flat(*, times: ArrayLike, **amounts: ArrayLike) -> list[NDArray[Any]]:
    """Return all amounts and the times as contiguous vectors, checked to be of one shape."""
    shape = np.shape(times)
    for name, values in amounts.items():
        if np.shape(values) != shape:
            raise InputError(f"{name}: shape {np.shape(values)} differs from {shape} of times")
    vectors: list[NDArray[Any]] = [
        np.ascontiguousarray(values, np.float32).reshape(-1) for values in amounts.values()
    ]
    return [*vectors, np.ascontiguousarray(times, np.float64).reshape(-1)]


def _clock(now: float, half_life: float | None) -> tuple[float, float]:
    if not math.isfinite(now):
        raise InputError(f"now: {now} is not finite")
    if half_life is not None and not half_life > 0.0:
        raise InputError(f"half_life: {half_life} is not above 0 (None for no decay)")
    # The largest float rather than infinity: ∞ / ∞ of a cell never visited would be NaN.
    return float(now), min(float(half_life or math.inf), np.finfo(np.float64).max.item())
