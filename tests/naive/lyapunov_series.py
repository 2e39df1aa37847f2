"""Rosenstein's divergence curve from all pairwise distances, as nolds' `lyap_r` computes it."""

import numpy as np


def divergence_curve(series, steps, dimension, delay, theiler):
    count = len(series) - (dimension - 1) * delay
    points = np.column_stack([series[k * delay : k * delay + count] for k in range(dimension)])
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    rows = np.arange(count)
    masked = np.where(abs(rows[:, None] - rows) <= theiler, np.inf, distances)
    followed = count - steps + 1
    neighbours = masked[:followed, :followed].argmin(axis=1)
    curve = []
    for k in range(steps):
        apart = distances[np.arange(followed) + k, neighbours + k]
        curve.append(np.log(apart[apart > 0]).mean() if (apart > 0).any() else -np.inf)
    return np.array(curve)
