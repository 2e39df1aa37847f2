"""Sampled GHZ and W states against Born's rule on their density matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement.states import (
    ghz_agreement,
    ghz_coherence,
    ghz_fidelity,
    sample_ghz,
    sample_w,
    w_election,
)
from tests.naive import entanglement as naive

SHOTS = 40_000
X, Y = 0.0, math.pi / 2
NOISE = [(0.0, 0.0), (0.1, 0.0), (0.0, 0.2), (0.3, 0.1), (1.0, 0.0)]


def p_value(samples, probabilities):
    """Of a χ² test; impossible outcomes must not occur."""
    qubits = samples.shape[1]
    code = samples @ (1 << np.arange(qubits)[::-1])
    counts = np.bincount(code, minlength=2**qubits)
    possible = probabilities > 1e-12
    assert not counts[~possible].any()
    if possible.sum() == 1:
        return 1.0
    return stats.chisquare(counts[possible], probabilities[possible] * len(samples)).pvalue


@pytest.mark.parametrize(("depolarising", "dephasing"), NOISE)
@pytest.mark.parametrize("angles", [(None,) * 3, (X, X, X), (X, Y, Y), (Y, Y, X), (0.3, -0.8, 1.1)])
def test_ghz_has_the_distribution_of_its_density_matrix(angles, depolarising, dephasing):
    state = naive.noisy(naive.ghz(3), 3, depolarising, dephasing)
    samples = sample_ghz(
        3,
        SHOTS,
        np.random.default_rng(1),
        angles=None if angles[0] is None else angles,
        depolarising=depolarising,
        dephasing=dephasing,
    )
    assert p_value(samples, naive.distribution(state, angles)) > 1e-4


@pytest.mark.parametrize("qubits", [1, 2, 4])
@pytest.mark.parametrize("depolarising", [0.0, 0.05, 0.4])
def test_w_has_the_distribution_of_its_density_matrix(qubits, depolarising):
    state = naive.noisy(naive.w(qubits), qubits, depolarising, 0.0)
    samples = sample_w(qubits, SHOTS, np.random.default_rng(2), depolarising=depolarising)
    assert p_value(samples, naive.distribution(state, (None,) * qubits)) > 1e-4


PROBABILITIES = st.floats(0, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), PROBABILITIES, PROBABILITIES)
def test_closed_forms_are_those_of_the_density_matrix(qubits, depolarising, dephasing):
    state = naive.noisy(naive.ghz(qubits), qubits, depolarising, dephasing)
    outcomes = naive.distribution(state, (None,) * qubits)
    assert ghz_agreement(qubits, depolarising) == pytest.approx(outcomes[0] + outcomes[-1])
    fidelity = np.trace(naive.ghz(qubits) @ state).real
    assert ghz_fidelity(qubits, depolarising, dephasing) == pytest.approx(fidelity, abs=1e-12)
    parity = [(-1) ** bin(code).count("1") for code in range(2**qubits)]
    coherence = naive.distribution(state, (X,) * qubits) @ parity
    assert ghz_coherence(qubits, depolarising, dephasing) == pytest.approx(coherence, abs=1e-12)
    state = naive.noisy(naive.w(qubits), qubits, depolarising, dephasing)
    one = naive.distribution(state, (None,) * qubits)[[2**k for k in range(qubits)]].sum()
    assert w_election(qubits, depolarising) == pytest.approx(one)


@pytest.mark.row("E8")
def test_mermin_value_is_four_and_classical_players_reach_two():
    rng = np.random.default_rng(3)

    def mean(*angles):
        bits = sample_ghz(3, 1000, rng, angles=angles)
        return (1.0 - 2.0 * (bits.sum(axis=1) % 2)).mean()

    quantum = mean(X, X, X) - mean(X, Y, Y) - mean(Y, X, Y) - mean(Y, Y, X)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1)
    x, y = signs[:3], signs[3:]
    local = x[0] * x[1] * x[2] - x[0] * y[1] * y[2] - y[0] * x[1] * y[2] - y[0] * y[1] * x[2]
    assert quantum == 4.0
    assert local.max() == 2


@pytest.mark.row("E8")
@pytest.mark.parametrize("qubits", [1, 2, 3, 10, 10_000])
def test_all_agree_in_z_and_each_alone_is_a_fair_coin(qubits):
    samples = sample_ghz(qubits, 2000, np.random.default_rng(4))
    assert (samples == samples[:, :1]).all()
    assert stats.binomtest(int(samples[:, -1].sum()), 2000).pvalue > 1e-4


@pytest.mark.parametrize("angles", [None, 0.0])
def test_noise_at_ten_thousand_qubits_is_what_the_closed_form_says(angles):
    depolarising = 1e-5
    samples = sample_ghz(
        10_000, 2000, np.random.default_rng(5), angles=angles, depolarising=depolarising
    )
    if angles is None:
        hits = (samples == samples[:, :1]).all(axis=1).sum()
        expected = ghz_agreement(10_000, depolarising)
    else:
        hits = (samples.sum(axis=1) % 2 == 0).sum()
        expected = (1 + ghz_coherence(10_000, depolarising, 0.0)) / 2
    assert stats.binomtest(int(hits), 2000, expected).pvalue > 1e-4


def test_w_of_ten_thousand_elects_one_and_noise_spoils_it_as_computed():
    samples = sample_w(10_000, 500, np.random.default_rng(6))
    assert (samples.sum(axis=1) == 1).all()
    noisy = sample_w(10_000, 500, np.random.default_rng(6), depolarising=1e-4)
    elected = int((noisy.sum(axis=1) == 1).sum())
    assert stats.binomtest(elected, 500, w_election(10_000, 1e-4)).pvalue > 1e-4


@pytest.mark.row("E9")
def test_after_losing_one_qubit_ghz_keeps_no_coherence_and_w_still_elects():
    rng = np.random.default_rng(7)
    kept = sample_ghz(3, SHOTS, rng, angles=0.0)[:, :2]
    # The two left are as unrelated in X as coins: no pair entanglement is left.
    assert stats.binomtest(int((kept[:, 0] ^ kept[:, 1]).sum()), SHOTS).pvalue > 1e-4
    for qubits in (3, 5):
        samples = sample_w(qubits, SHOTS, rng)
        left = samples[samples[:, -1] == 0, :-1]
        assert (left.sum(axis=1) == 1).all()
        assert stats.chisquare(left.sum(axis=0)).pvalue > 1e-4


def test_same_seed_same_bits():
    draws = [
        sample_ghz(5, 50, np.random.default_rng(8), angles=1.0, depolarising=0.2) for _ in range(2)
    ]
    assert (draws[0] == draws[1]).all()


def test_no_shots():
    assert sample_ghz(3, 0, np.random.default_rng(0)).shape == (0, 3)
    assert sample_ghz(3, 0, np.random.default_rng(0), angles=0.0, depolarising=1.0).shape == (0, 3)
    assert sample_w(3, 0, np.random.default_rng(0), depolarising=0.5).shape == (0, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"qubits": 0},
        {"shots": -1},
        {"depolarising": 1.1},
        {"depolarising": math.nan},
        {"dephasing": -0.1},
        {"angles": (0.0, 1.0)},
        {"angles": math.nan},
    ],
)
def test_wrong_input_is_refused(options):
    arguments = {"qubits": 3, "shots": 1, "rng": np.random.default_rng(0), **options}
    with pytest.raises(InputError):
        sample_ghz(**arguments)
