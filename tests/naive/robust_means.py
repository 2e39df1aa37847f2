"""Robust means in plain loops, and the geometric median by a general minimiser."""

import math
import statistics

import numpy as np
from scipy.optimize import minimize


def coordinate_median(points):
    return [statistics.median(column) for column in zip(*points, strict=True)]


def trimmed_mean(points, faulty):
    columns = [sorted(column) for column in zip(*points, strict=True)]
    return [statistics.fmean(column[faulty : len(column) - faulty]) for column in columns]


def sum_of_distances(points, at):
    return sum(math.dist(point, at) for point in points)


def geometric_median(points):
    """Minimise the convex sum; a point that is the best of all candidates wins."""
    points = np.asarray(points, float)
    best = min(points, key=lambda point: sum_of_distances(points, point))

    def slope(at):
        apart = at - points
        distances = np.linalg.norm(apart, axis=1, keepdims=True)
        return (apart / np.maximum(distances, 1e-300)).sum(0)

    found = minimize(
        lambda at: sum_of_distances(points, at),
        points.mean(0),
        jac=slope,
        method="BFGS",
        options={"gtol": 1e-10},
    )
    return found.x if found.fun < sum_of_distances(points, best) else best


def weiszfeld_numpy(points, tolerance=1e-10, rounds=10_000):
    """As vectorised NumPy has it, smoothed at the points as ByzFL's is."""
    at = points.mean(0)
    for _ in range(rounds):
        weights = 1 / np.maximum(np.linalg.norm(points - at, axis=1), 1e-12)
        following = weights @ points / weights.sum()
        moved = np.linalg.norm(following - at)
        at = following
        if moved <= tolerance:
            break
    return at


def krum_order(points, faulty):
    """The rows from the best score to the worst."""
    near = len(points) - faulty - 2

    def score(i):
        squares = [math.dist(points[i], other) ** 2 for j, other in enumerate(points) if j != i]
        return sum(sorted(squares)[:near])

    return sorted(range(len(points)), key=score)


def largest_cluster(points, radius, rounds=200):
    at = [tuple(point) for point in points]
    for _ in range(rounds):
        neighbours = [[b for b in at if math.dist(a, b) <= radius] for a in at]
        at = [
            tuple(statistics.fmean(column) for column in zip(*near, strict=True))
            for near in neighbours
        ]
    groups = []
    for i, a in enumerate(at):
        group = next((g for g in groups if math.dist(at[g[0]], a) <= radius / 2), None)
        if group is None:
            groups.append([i])
        else:
            group.append(i)
    members = max(groups, key=len)
    return np.mean([points[i] for i in members], axis=0)
