"""Recurrence quantification from the whole matrix, by definition."""

import math

import numpy as np


def matrix(first, second, radius, norm="maximum"):
    apart = abs(first[:, None, :] - second[None, :, :])
    distance = apart.max(axis=2) if norm == "maximum" else (apart**2).sum(axis=2) ** 0.5
    return distance <= radius


def runs(row):
    """Return the lengths of the runs of True."""
    found, length = [], 0
    for recurs in [*row, False]:
        if recurs:
            length += 1
        elif length:
            found.append(length)
            length = 0
    return found


def without_band(plot, theiler):
    rows, columns = np.indices(plot.shape)
    return plot & (abs(rows - columns) >= theiler)


def diagonal_lengths(points, radius, norm="maximum", theiler=0):
    """Count the lines above the main diagonal, shape (N + 1,)."""
    plot = without_band(matrix(points, points, radius, norm), theiler)
    return counted([runs(np.diagonal(plot, k)) for k in range(1, len(points))], len(points))


def vertical_lengths(points, radius, norm="maximum", theiler=0):
    plot = without_band(matrix(points, points, radius, norm), theiler)
    return counted([runs(column) for column in plot.T], len(points))


def cross_lengths(first, second, radius, norm="maximum"):
    plot = matrix(first, second, radius, norm)
    diagonals = [runs(np.diagonal(plot, k)) for k in range(1 - len(first), len(second))]
    shorter = min(len(first), len(second))
    return counted(diagonals, shorter), counted([runs(row) for row in plot], len(second))


def counted(lengths, longest):
    found = np.zeros(longest + 1, np.int64)
    for length in [length for line in lengths for length in line]:
        found[length] += 1
    return found


def measures(counts, least):
    """Return the share of points on lines, their mean length and their entropy."""
    lines = [length for length, count in enumerate(counts) for _ in range(count)]
    long = [length for length in lines if length >= least]
    share = sum(long) / sum(lines) if lines else math.nan
    if not long:
        return share, math.nan, math.nan
    shares = np.unique(long, return_counts=True)[1] / len(long)
    return share, sum(long) / len(long), float(-(shares * np.log(shares)).sum())
