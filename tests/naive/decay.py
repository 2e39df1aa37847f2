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


def decayed_log_odds(successes, failures, times, now, half_life, prior=1.0):
    affinity = np.zeros(np.shape(successes), np.float32)
    for cell in np.ndindex(affinity.shape):
        time = np.asarray(times)[cell]
        good = remaining(np.asarray(successes)[cell], time, now, half_life)
        bad = remaining(np.asarray(failures)[cell], time, now, half_life)
        affinity[cell] = math.log(good + prior) - math.log(bad + prior)
    return affinity
