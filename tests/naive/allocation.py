"""Allocation by plain loops over all possibilities."""

import itertools

import numpy as np


def best_sum(values, reserve=None):
    """Largest sum over all ways to serve the shorter side, −inf where there is none."""
    n, m = values.shape
    if reserve is None:
        if n > m:
            return best_sum(values.T)
        ways = itertools.permutations(range(m), n)
        return max((sum(values[i, j] for i, j in enumerate(way)) for way in ways), default=0.0)
    # A place of its own for every row to go without.
    alone = np.where(np.eye(n, dtype=bool), reserve, -np.inf)
    return best_sum(np.hstack([values, alone]))


def rounds_to_balance(neighbours, load, share, tolerance, most):
    """Rounds of first-order diffusion until no load is further than `tolerance` from the mean."""
    mean = sum(load) / len(load)
    load = list(load)
    for count in range(most + 1):
        if max(abs(value - mean) for value in load) <= tolerance:
            return count
        load = [
            value + sum(share * (load[other] - value) for other in neighbours[node])
            for node, value in enumerate(load)
        ]
    return -1
