"""Decay of trails, cell by cell, in exact powers of two."""

import math

import numpy as np

SMALLEST_NORMAL = 2.0**-126


def remaining(amount, time, now, half_life):
    age = max(0.0, now - float(time)) if not math.isnan(time) else math.nan
    # Even without decay nothing is left of what was deposited forever ago.
    return float(amount) * 2.0 ** (-age / min(half_life or math.inf, 1e300))


def decayed(amounts, times, now, half_life):
    values = np.zeros(np.shape(amounts), np.float32)
    for cell in np.ndindex(values.shape):
        value = remaining(np.asarray(amounts)[cell], np.asarray(times)[cell], now, half_life)
        values[cell] = 0.0 if abs(value) < SMALLEST_NORMAL else value
    return values
