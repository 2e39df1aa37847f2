"""Candidate lists by looking at all points."""

import numpy as np


def nearest(points, k):
    return [ranked(points, node)[:k] for node in range(len(points))]


def ranked(points, node):
    distances = ((points - points[node]) ** 2).sum(axis=1)
    return sorted((i for i in range(len(points)) if i != node), key=lambda i: (distances[i], i))


def quadrants(points, k):
    return [quadrant_list(points, node, k) for node in range(len(points))]


def quadrant_list(points, node, k):
    order = ranked(points, node)
    chosen = set()
    for side in range(4):
        chosen |= {*[i for i in order if quadrant(*(points[i] - points[node])) == side][: k // 4]}
    for other in order:
        if len(chosen) < k:
            chosen.add(other)
    return [i for i in order if i in chosen]


def quadrant(x, y):
    return {(True, True): 0, (False, True): 1, (False, False): 2, (True, False): 3}[
        bool(np.asarray(x) >= 0), bool(np.asarray(y) >= 0)
    ]
