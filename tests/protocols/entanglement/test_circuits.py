"""The closed forms against circuits on Aer."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from qiskit.quantum_info import DensityMatrix, concurrence, partial_trace
from scipy import stats

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement.circuits import (
    density_matrix,
    ghz_circuit,
    run_circuit,
    w_circuit,
)
from swarmloom_protocols.entanglement.states import (
    ghz_agreement,
    ghz_coherence,
    ghz_fidelity,
    sample_ghz,
    sample_w,
    w_election,
)

SHOTS = 4000


def same_distribution(first, second):
    """χ² test of homogeneity over the outcomes that occur."""
    weights = 1 << np.arange(first.shape[1])
    codes = [np.bincount(bits @ weights, minlength=weights[-1] * 2) for bits in (first, second)]
    table = np.array(codes)
    table = table[:, table.sum(axis=0) > 0]
    return table.shape[1] == 1 or stats.chi2_contingency(table).pvalue > 1e-4


@pytest.mark.parametrize("qubits", [1, 2, 4])
@pytest.mark.parametrize("depolarising", [0.0, 0.2])
def test_sampled_states_are_those_of_the_circuits(qubits, depolarising):
    rng = np.random.default_rng(1)
    noise = {"depolarising": depolarising}
    ghz = run_circuit(ghz_circuit(qubits), SHOTS, 11, **noise)
    assert same_distribution(ghz, sample_ghz(qubits, SHOTS, rng, **noise))
    elected = run_circuit(w_circuit(qubits), SHOTS, 12, **noise)
    assert same_distribution(elected, sample_w(qubits, SHOTS, rng, **noise))


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (0.0, np.pi / 2, np.pi / 2), (0.4, 1.0, -0.2)])
def test_sampled_equatorial_outcomes_are_those_of_the_circuit(angles):
    noise = {"depolarising": 0.1, "dephasing": 0.05}
    circuit = run_circuit(ghz_circuit(3), SHOTS, 13, angles=angles, **noise)
    closed = sample_ghz(3, SHOTS, np.random.default_rng(2), angles=angles, **noise)
    assert same_distribution(circuit, closed)


def test_closed_forms_are_those_of_aers_density_matrix():
    for qubits, depolarising, dephasing in ((2, 0.1, 0.0), (3, 0.2, 0.1), (4, 0.05, 0.4)):
        noise = {"depolarising": depolarising, "dephasing": dephasing}
        state = density_matrix(ghz_circuit(qubits), **noise)
        pure = density_matrix(ghz_circuit(qubits))
        assert np.trace(pure @ state).real == pytest.approx(ghz_fidelity(qubits, **noise))
        agreement = (state[0, 0] + state[-1, -1]).real
        assert agreement == pytest.approx(ghz_agreement(qubits, depolarising))
        assert 2 * state[0, -1].real == pytest.approx(ghz_coherence(qubits, **noise))
        state = density_matrix(w_circuit(qubits), **noise)
        one = sum(state[2**k, 2**k].real for k in range(qubits))
        assert one == pytest.approx(w_election(qubits, depolarising))


@pytest.mark.row("E8")
def test_each_qubit_of_a_ghz_state_alone_is_maximally_mixed():
    state = DensityMatrix(density_matrix(ghz_circuit(3)))
    for others in ([1, 2], [0, 2], [0, 1]):
        assert np.allclose(partial_trace(state, others).data, np.eye(2) / 2)


@pytest.mark.row("E9")
@pytest.mark.parametrize("qubits", [3, 4, 5])
def test_pairs_left_of_a_ghz_state_are_separable_and_of_a_w_state_entangled(qubits):
    lost = list(range(2, qubits))
    pair = partial_trace(DensityMatrix(density_matrix(ghz_circuit(qubits))), lost)
    assert concurrence(pair) == pytest.approx(0.0, abs=1e-9)
    pair = partial_trace(DensityMatrix(density_matrix(w_circuit(qubits))), lost)
    assert concurrence(pair) == pytest.approx(2 / qubits)


@pytest.mark.row("E9")
def test_meyer_wallach_values():
    for circuit, expected in ((ghz_circuit(3), 1.0), (w_circuit(3), 8 / 9)):
        state = DensityMatrix(density_matrix(circuit))
        purities = [
            partial_trace(state, [q for q in range(3) if q != k]).purity().real for k in range(3)
        ]
        assert 2 * (1 - np.mean(purities)) == pytest.approx(expected)


def test_a_circuit_needs_a_qubit():
    with pytest.raises(InputError, match="1 qubit"):
        ghz_circuit(0)


def test_qiskit_is_imported_only_when_a_circuit_is_asked_for():
    code = (
        "import sys, swarmloom_protocols.entanglement.circuits, swarmloom_protocols.entanglement."
        "bell; sys.exit('qiskit' in sys.modules or 'qiskit_aer' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
