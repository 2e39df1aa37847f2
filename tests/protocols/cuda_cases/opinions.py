"""Opinions: means within reach over all pairs, matrix steps, phases on a graph."""

import numpy as np

from swarmloom_protocols.consensus.opinions.bounded_confidence import means_within
from swarmloom_protocols.consensus.opinions.linear import affine_steps
from swarmloom_protocols.consensus.opinions.phases import kuramoto_steps
from tests.naive import opinions as naive
from tests.protocols.cuda_cases.case import Case

OPINIONS = "swarmloom_protocols.consensus.opinions.opinions_cuda"
COUPLING, DT, STEPS = 1.5, 0.1, 2


def crowd(rng, size):
    # All pairs take their time in the simulator.
    n = (size + 3) // 4
    return rng.random((n, 3)), rng.uniform(0.0, 0.6, n), rng.uniform(0.1, 1.0, n)


def means(values, radii, confidence, device="cpu"):
    if not len(values):
        return values.copy()
    return means_within(values, radii, confidence, device=device)


def chords(rng, n):
    """Everybody listens to two or three others, with weights."""
    weights = np.zeros((n, n))
    for shift in (1, 7, 11):
        weights[np.arange(n), (np.arange(n) + shift) % n] = rng.uniform(0.1, 1.0, n)
    return weights / weights.sum(axis=1, keepdims=True)


def matrix(rng, size):
    n = (size + 1) // 2
    return chords(rng, n), rng.random((n, 2)), rng.random((n, 2))


def affine(weights, values, offset, device="cpu"):
    if not len(values):
        return values.copy()
    return affine_steps(weights, values, offset, steps=STEPS, device=device)


def naive_affine(weights, values, offset):
    for _ in range(STEPS):
        values = naive.affine_step(weights, values, offset)
    return values


def oscillators(rng, size):
    n = (size + 3) // 4
    return rng.uniform(0.0, 6.0, n), rng.standard_normal(n), chords(rng, n)


def phases(angles, frequencies, weights, device="cpu"):
    if not len(angles):
        return angles.copy()
    return kuramoto_steps(
        angles, frequencies, COUPLING, weights=weights, dt=DT, steps=STEPS, device=device
    )


def naive_phases(angles, frequencies, weights):
    for _ in range(STEPS):
        angles = naive.kuramoto_step(angles, frequencies, COUPLING, weights, DT)
    return angles


CASES = {
    f"{OPINIONS}.pair_means": Case(means, naive.bounded_means, crowd),
    f"{OPINIONS}.affine_step": Case(affine, naive_affine, matrix),
    f"{OPINIONS}.kuramoto_slope": Case(phases, naive_phases, oscillators),
}
