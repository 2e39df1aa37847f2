"""Opinions by plain loops: one pair, one expert, one edge at a time."""

import numpy as np

from swarmloom.random_streams32 import words32


def within(one, other, radius):
    """In squares, so that ties fall as they do in the kernels."""
    away = one - other
    return abs(away[0]) <= radius if len(away) == 1 else sum(away * away) <= radius * radius


def bounded_means(values, radii, confidence, device="cpu"):
    means = np.empty_like(values)
    for i in range(len(values)):
        heard = [j for j in range(len(values)) if within(values[i], values[j], radii[i])]
        means[i] = sum(confidence[j] * values[j] for j in heard) / sum(confidence[j] for j in heard)
    return means


def graph_means(values, radii, confidence, weights, own):
    means = values.copy()
    for i in range(len(values)):
        total, count = own * confidence[i] * values[i], own * confidence[i]
        for j in np.flatnonzero(weights[i]):
            if within(values[i], values[j], radii[i]):
                total = total + weights[i, j] * confidence[j] * values[j]
                count += weights[i, j] * confidence[j]
        if count:
            means[i] = total / count
    return means


def affine_step(matrix, values, offset):
    return np.array(
        [
            [
                sum(matrix[i, j] * values[j, d] for j in range(len(values))) + offset[i, d]
                for d in range(values.shape[1])
            ]
            for i in range(len(values))
        ]
    ).reshape(values.shape)


def kuramoto_step(phases, frequencies, coupling, weights, dt):
    def slope(angles):
        return np.array(
            [
                frequencies[i]
                + coupling
                * sum(weights[i, j] * np.sin(angles[j] - angles[i]) for j in range(len(angles)))
                for i in range(len(angles))
            ]
        )

    one = slope(phases)
    two = slope(phases + dt / 2 * one)
    three = slope(phases + dt / 2 * two)
    four = slope(phases + dt * three)
    return phases + dt / 6 * (one + 2 * two + 2 * three + four)


def draws(seed, sweep, n):
    """Who acts, and the word by which a partner is drawn, n times."""
    for k in range(n):
        first, second = (int(word) for word in words32(seed, sweep, k))
        yield (first * n) >> 32, second


def pair_sweep(values, radii, confidence, rate, neighbours, seed, sweep):
    n = len(values)
    for i, word in draws(seed, sweep, n):
        if neighbours is None:
            j = (word * (n - 1)) >> 32
            j += j >= i
        else:
            j = neighbours[i][(word * len(neighbours[i])) >> 32]
        both = 2 * rate / (confidence[i] + confidence[j])
        away, met = values[j] - values[i], (values[i].copy(), values[j].copy())
        if within(*met, radii[i]):
            values[i] += both * confidence[j] * away
        if within(*met, radii[j]):
            values[j] -= both * confidence[i] * away


def copy_sweep(values, confidence, neighbours, seed, sweep):
    n = len(values)
    for i, word in draws(seed, sweep, n):
        around = range(n) if neighbours is None else neighbours[i]
        share = word * 2.0**-32
        running = np.cumsum([confidence[j] for j in around])
        values[i] = values[around[int(np.argmax(running > share * running[-1]))]]


def labels(points, radius):
    """Flood each component, point by point."""
    found, label = [-1] * len(points), -1
    for start in range(len(points)):
        if found[start] >= 0:
            continue
        label += 1
        found[start] = label
        waiting = [start]
        while waiting:
            i = waiting.pop()
            for j in range(len(points)):
                if found[j] < 0 and within(points[i], points[j], radius):
                    found[j] = label
                    waiting.append(j)
    return np.array(found)
