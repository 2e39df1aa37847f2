"""The same states as circuits on Qiskit's Aer simulator, to check the closed forms.

Qiskit is imported by the functions, not by this module. Circuits use Aer's own gates, so nothing
has to be transpiled, and noise is put in as instructions, so none is dropped because a gate has
another name.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement.states import BitArray

__all__ = ["density_matrix", "ghz_circuit", "run_circuit", "w_circuit"]


def ghz_circuit(qubits: int) -> Any:
    """Build a ``qiskit.QuantumCircuit`` that prepares a GHZ state: H and a chain of CX."""
    circuit = _new_circuit(qubits)
    circuit.h(0)
    for qubit in range(1, qubits):
        circuit.cx(qubit - 1, qubit)
    return circuit


def w_circuit(qubits: int) -> Any:
    """Build a ``qiskit.QuantumCircuit`` that prepares a W state.

    The excitation starts in the first qubit; each step passes on all but its fair share. The
    controlled rotation is two Ry and two CX.
    """
    circuit = _new_circuit(qubits)
    circuit.x(0)
    for qubit in range(qubits - 1):
        angle = float(np.arccos(np.sqrt(1.0 / (qubits - qubit))))
        circuit.ry(angle, qubit + 1)
        circuit.cx(qubit, qubit + 1)
        circuit.ry(-angle, qubit + 1)
        circuit.cx(qubit, qubit + 1)
        circuit.cx(qubit + 1, qubit)
    return circuit


def run_circuit(
    circuit: Any,
    shots: int,
    seed: int,
    *,
    angles: Sequence[float] | None = None,
    depolarising: float = 0.0,
    dephasing: float = 0.0,
) -> BitArray:
    """Run a circuit on Aer and measure every qubit.

    Parameters
    ----------
    circuit : qiskit.QuantumCircuit
    shots, seed : int
        The same seed gives the same outcomes: draw a new one for each call.
    angles : sequence of float, optional
        As for `sample_ghz`; None measures in Z.
    depolarising, dephasing : float
        Noise on each qubit before the measurement.

    Returns
    -------
    ndarray of uint8, shape (shots, qubits)
        Column i is qubit i.

    Raises
    ------
    InputError
        If Aer cannot run the circuit.
    """
    aer: Any = importlib.import_module("qiskit_aer")
    noisy = _with_noise(circuit, depolarising, dephasing)
    for qubit, angle in enumerate(angles or ()):
        noisy.rz(-angle, qubit)
        noisy.h(qubit)
    noisy.measure_all()
    job = aer.AerSimulator(seed_simulator=seed).run(noisy, shots=shots, memory=True)
    result = job.result()
    if not result.success:
        raise InputError(f"Aer cannot run the circuit: {result.status}")
    # Aer writes the first qubit last.
    digits = [list(map(int, reversed(shot))) for shot in result.get_memory()]
    return np.array(digits, dtype=np.uint8)


def density_matrix(
    circuit: Any, *, depolarising: float = 0.0, dephasing: float = 0.0
) -> np.ndarray[tuple[int, int], np.dtype[np.complex128]]:
    """Give the density matrix that a circuit prepares under noise, shape (2ⁿ, 2ⁿ), by Aer."""
    aer: Any = importlib.import_module("qiskit_aer")
    noisy = _with_noise(circuit, depolarising, dephasing)
    noisy.save_density_matrix()
    result = aer.AerSimulator(method="density_matrix").run(noisy).result()
    return np.asarray(result.data()["density_matrix"], dtype=np.complex128)


def _new_circuit(qubits: int) -> Any:
    if qubits < 1:
        raise InputError(f"a circuit needs 1 qubit at least, not {qubits}")
    qiskit: Any = importlib.import_module("qiskit")
    return qiskit.QuantumCircuit(qubits)


def _with_noise(circuit: Any, depolarising: float, dephasing: float) -> Any:
    noise: Any = importlib.import_module("qiskit_aer.noise")
    noisy = circuit.copy()
    for qubit in range(circuit.num_qubits):
        if depolarising:
            noisy.append(noise.depolarizing_error(depolarising, 1).to_instruction(), [qubit])
        if dephasing:
            flip = noise.pauli_error([("Z", dephasing), ("I", 1.0 - dephasing)])
            noisy.append(flip.to_instruction(), [qubit])
    return noisy
