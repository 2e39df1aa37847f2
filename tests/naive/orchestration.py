"""Assignment problems by trying everything."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import linear_sum_assignment


def value_of(affinity, coupling, expert):
    chosen = [(t, e) for t, e in enumerate(expert) if e >= 0]
    total = sum(float(affinity[t][e]) for t, e in chosen)
    if coupling is not None:
        width = affinity.shape[1]
        for t, e in chosen:
            for u, f in chosen:
                total += float(coupling[t * width + e, u * width + f])
    return total


def is_feasible(affinity, capacity, expert):
    load = [0] * affinity.shape[1]
    for t, e in enumerate(expert):
        if e >= 0:
            load[e] += 1
            if affinity[t][e] == -np.inf or load[e] > capacity[e]:
                return False
    return True


def best_assignment(affinity, capacity, coupling=None):
    """Most tasks, then the largest value: (count, value)."""
    best = (-1, -np.inf)
    n_tasks, n_experts = affinity.shape
    for expert in itertools.product(range(-1, n_experts), repeat=n_tasks):
        if is_feasible(affinity, capacity, expert):
            count = sum(e >= 0 for e in expert)
            if count >= best[0]:
                best = max(best, (count, value_of(affinity, coupling, expert)))
    return best


def textbook_assignment(affinity, capacity):
    """Expand each expert into one column a place: (count, value)."""
    columns = np.repeat(np.arange(len(capacity)), np.minimum(capacity, len(affinity)))
    expanded = np.where(np.isfinite(affinity), affinity, -1e6)[:, columns]
    tasks, places = linear_sum_assignment(expanded, maximize=True)
    values = affinity[tasks, columns[places]]
    return int(np.isfinite(values).sum()), float(values[np.isfinite(values)].sum())


def qubo_energies(qubo):
    """Energy of every state, by the definition, in the order of itertools.product."""
    pairs = qubo.pairs.todense()
    size = len(qubo.linear)
    for x in itertools.product((0, 1), repeat=size):
        energy = qubo.offset + sum(qubo.linear[i] * x[i] for i in range(size))
        for i in range(size):
            for j in range(i + 1, size):
                energy += pairs[i, j] * x[i] * x[j]
        yield x, float(energy)
