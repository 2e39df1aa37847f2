"""Born's rule against closed forms, against another implementation, and that nothing signals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement.born import (
    PAULI_X,
    PAULI_Y,
    PAULI_Z,
    depolarised,
    ghz_density,
    outcome_probabilities,
    sample_outcomes,
    werner_density,
)
from tests.naive import entanglement as naive

ANGLES = st.floats(-7.0, 7.0)
SHARES = st.floats(0.0, 1.0)
SEEDS = st.integers(0, 2**32)


def tilted(angle):
    return math.cos(angle) * PAULI_Z + math.sin(angle) * PAULI_X


def equatorial(angle):
    return math.cos(angle) * PAULI_X + math.sin(angle) * PAULI_Y


def random_density(rng, qubits):
    root = rng.normal(size=(2**qubits, 2**qubits, 2)) @ (1.0, 1j)
    density = root @ root.conj().T
    return density / np.trace(density).real


def random_observable(rng):
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    return direction[0] * PAULI_X + direction[1] * PAULI_Y + direction[2] * PAULI_Z


@given(SHARES, ANGLES, ANGLES)
@settings(deadline=None)
def test_werner_outcomes_are_correlated_by_the_cosine_of_the_angle(visibility, first, second):
    found = outcome_probabilities(werner_density(visibility), [tilted(first), tilted(second)])
    mean = visibility * math.cos(first - second)
    signs = np.array([1, -1, -1, 1])
    np.testing.assert_allclose(found, (1 + signs * mean) / 4, atol=1e-14)


@given(SHARES, st.lists(ANGLES, min_size=1, max_size=3))
@settings(deadline=None)
def test_ghz_is_what_the_naive_reference_computes(depolarising, angles):
    qubits = len(angles)
    density = depolarised(ghz_density(qubits), depolarising)
    np.testing.assert_allclose(
        density, naive.noisy(naive.ghz(qubits), qubits, depolarising, 0.0), atol=1e-14
    )
    found = outcome_probabilities(density, [equatorial(angle) for angle in angles])
    np.testing.assert_allclose(found, naive.distribution(density, tuple(angles)), atol=1e-14)


@pytest.mark.row("E12")
@given(SEEDS, st.integers(2, 3))
@settings(deadline=None)
def test_what_one_measures_tells_nothing_of_what_the_others_measure(seed, qubits):
    """Any state: the first player's distribution is the same whatever the others do."""
    rng = np.random.default_rng(seed)
    density, own = random_density(rng, qubits), random_observable(rng)
    marginals = []
    for _ in range(3):
        others = [random_observable(rng) for _ in range(qubits - 1)]
        joint = outcome_probabilities(density, [own, *others])
        assert joint.sum() == pytest.approx(1.0, abs=1e-12)
        marginals.append(joint.reshape(2, -1).sum(axis=1))
    np.testing.assert_allclose(marginals, [marginals[0]] * 3, atol=1e-12)


def test_samples_have_the_distribution_of_their_setting():
    rng = np.random.default_rng(1)
    probabilities = np.array([[0.1, 0.2, 0.3, 0.4], [0.0, 0.5, 0.5, 0.0]])
    which = rng.integers(0, 2, size=40_000)
    outcomes = sample_outcomes(probabilities, which, rng) @ (2, 1)
    for setting, expected in enumerate(probabilities):
        counts = np.bincount(outcomes[which == setting], minlength=4)
        possible = expected > 0
        assert not counts[~possible].any()
        assert stats.chisquare(counts[possible], expected[possible] * counts.sum()).pvalue > 1e-4


def test_no_rounds():
    assert sample_outcomes(
        np.full((1, 8), 0.125), np.zeros(0, int), np.random.default_rng(0)
    ).shape == (0, 3)


def test_as_many_observables_as_qubits():
    with pytest.raises(InputError, match="1 observables"):
        outcome_probabilities(ghz_density(2), [PAULI_X])
