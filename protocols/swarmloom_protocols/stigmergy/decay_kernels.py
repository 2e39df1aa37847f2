"""Exact decay of trails when they are read: x(t) = x₀ · 2^(-(t - t₀) / half-life).

Nothing is swept: a cell keeps its amount and the time of its last deposit, and whoever reads it
gets the value of now, whatever was read in between.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.denormals import flush_float32
from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = ["decayed", "remaining_share"]

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
def _decay(
    amounts: NDArray[np.float32],
    times: NDArray[np.float64],
    now: float,
    half_life: float,
    values: NDArray[np.float32],
) -> None:
    for i in range(values.size):
        values[i] = current_amount(amounts[i], now - times[i], half_life)


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
    heights, moments = _flat(amounts, times)
    clock = _clock(now, half_life)
    values = np.empty(heights.size, np.float32)

    def one_band(start: int, stop: int) -> None:
        _decay(heights[start:stop], moments[start:stop], *clock, values[start:stop])

    if resolve(device, size=values.size) == "cuda":
        from swarmloom_protocols.stigmergy.decay_cuda import decay

        decay(values.size, (heights, moments, *clock), (values,))
    else:
        map_bands(one_band, values.size)
    return values.reshape(np.shape(amounts))


def _flat(amounts: ArrayLike, times: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return both as contiguous vectors, checked to be of one shape."""
    if np.shape(amounts) != np.shape(times):
        shapes = f"{np.shape(amounts)} differs from {np.shape(times)}"
        raise InputError(f"amounts: shape {shapes} of times")
    return (
        np.ascontiguousarray(amounts, np.float32).reshape(-1),
        np.ascontiguousarray(times, np.float64).reshape(-1),
    )


def _clock(now: float, half_life: float | None) -> tuple[float, float]:
    if not math.isfinite(now):
        raise InputError(f"now: {now} is not finite")
    if half_life is not None and not half_life > 0.0:
        raise InputError(f"half_life: {half_life} is not above 0 (None for no decay)")
    # The largest float rather than infinity: ∞ / ∞ of a cell never visited would be NaN.
    return float(now), min(float(half_life or math.inf), np.finfo(np.float64).max.item())
