"""Predictions of one path's next value by closed formulas over all of its past."""

import numpy as np

PRIOR, FADE = 10.0, 0.9


def averaged(values, rate):
    """An average of that rate which begins as the mean."""
    average = 0.0
    for count, value in enumerate(values, 1):
        average += max(rate, 1.0 / count) * (value - average)
    return average


def features(values, age):
    mean = np.mean(values)
    last, fast, slow = values[-1], averaged(values, 0.1), averaged(values, 0.02)
    deviations = np.array([last - mean, fast - mean, slow - mean, (last - mean) * FADE**age])
    return deviations / mean


def regressed(values, ages, age, forgetting=1.0):
    """Ridge regression about (0, 0, 1, 0), older errors counting less; solved at once.

    ``ages[i]`` is for how many steps the path had not been seen before its i-th value.
    """
    first = np.array([0.0, 0.0, 1.0, 0.0])
    matrix, right = np.eye(4) / PRIOR, first / PRIOR
    for count in range(1, len(values)):
        past = values[:count]
        seen = features(past, ages[count])
        error = values[count] / np.mean(past) - 1.0
        matrix = forgetting * matrix + np.outer(seen, seen)
        right = forgetting * right + seen * error
    weight = np.linalg.solve(matrix, right)
    return max(np.mean(values) * (1.0 + weight @ features(values, age)), 0.0)
