"""Batch routing by a linear programme, and one half step of Sinkhorn's iteration in NumPy."""

import numpy as np
from scipy.optimize import linprog
from scipy.special import logsumexp


def most_and_best(scores, capacities, k):
    """Return how many places can be served, and the largest sum that serves so many (HiGHS)."""
    tasks, experts = scores.shape
    allowed = scores > -np.inf
    pairs = np.argwhere(allowed)
    if not len(pairs):
        return 0, 0.0
    limits = np.zeros((tasks + experts, len(pairs)))
    limits[pairs[:, 0], np.arange(len(pairs))] = 1.0
    limits[tasks + pairs[:, 1], np.arange(len(pairs))] = 1.0
    room = np.concatenate([np.full(tasks, k), capacities])
    values = scores[allowed]
    served = linprog(-np.ones(len(pairs)), limits, room, bounds=(0, 1))
    most = round(-served.fun)
    best = linprog(-values, limits, room, A_eq=np.ones((1, len(pairs))), b_eq=[most], bounds=(0, 1))
    return most, -best.fun


def expert_potentials(energies, capacities, k, steps):
    """Alternate both half steps; upper limits cap the potential at 0."""
    open_to = np.where(capacities > 0, energies, -np.inf)
    u, v = np.zeros(len(energies)), np.zeros(len(capacities))
    loose = len(energies) * k <= capacities.sum()
    for _ in range(steps):
        u = _half(open_to + v, np.full(len(u), np.log(k)), capped=not loose)
        v = _half((open_to + u[:, None]).T, np.log(np.maximum(capacities, 1)), capped=loose)
    return v


def _half(lengths, mass, *, capped):
    if not lengths.size:
        return np.zeros(len(lengths))
    with np.errstate(divide="ignore"):
        total = logsumexp(lengths, axis=1)
    potential = np.where(total > -np.inf, mass - total, 0.0)
    return np.minimum(potential, 0.0) if capped else potential
