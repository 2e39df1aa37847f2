"""GHZ and W states as full density matrices, measured by Born's rule."""

from __future__ import annotations

import itertools

import numpy as np

I2 = np.eye(2, dtype=complex)
Z = np.diag([1.0, -1.0]).astype(complex)


def pure(amplitudes):
    vector = np.array(amplitudes, dtype=complex)
    vector /= np.linalg.norm(vector)
    return np.outer(vector, vector.conj())


def ghz(qubits):
    amplitudes = np.zeros(2**qubits)
    amplitudes[[0, -1]] = 1.0
    return pure(amplitudes)


def w(qubits):
    amplitudes = np.zeros(2**qubits)
    amplitudes[[2**k for k in range(qubits)]] = 1.0
    return pure(amplitudes)


def on_qubit(operator, qubit, qubits):
    """Tensor product; qubit 0 is the first factor."""
    full = np.eye(1)
    for index in range(qubits):
        full = np.kron(full, operator if index == qubit else I2)
    return full


def noisy(state, qubits, depolarising, dephasing):
    paulis = [I2, np.array([[0, 1], [1, 0]], complex), np.array([[0, -1j], [1j, 0]]), Z]
    for qubit in range(qubits):
        mixed = sum(
            on_qubit(p, qubit, qubits) @ state @ on_qubit(p, qubit, qubits).conj().T for p in paulis
        )
        state = (1 - depolarising) * state + depolarising * mixed / 4
        flipped = on_qubit(Z, qubit, qubits) @ state @ on_qubit(Z, qubit, qubits)
        state = (1 - dephasing) * state + dephasing * flipped
    return state


def basis(angle):
    """Columns are the states of outcome 0 and 1."""
    if angle is None:
        return I2
    return np.array([[1, 1], [np.exp(1j * angle), -np.exp(1j * angle)]]) / np.sqrt(2)


def distribution(state, angles):
    """Probability of each outcome, in the order of itertools.product((0, 1), repeat=n)."""
    probabilities = []
    for outcome in itertools.product((0, 1), repeat=len(angles)):
        vector = np.ones(1)
        for bit, angle in zip(outcome, angles, strict=True):
            vector = np.kron(vector, basis(angle)[:, bit])
        probabilities.append(float((vector.conj() @ state @ vector).real))
    return np.array(probabilities)


def couplings(allowed, group, value):
    """Every pair of choices of one expert for two tasks of a group, one by one."""
    tasks, experts = allowed.shape
    full = np.zeros((tasks * experts, tasks * experts))
    for first, second in itertools.combinations(range(tasks), 2):
        if group[first] != group[second] or group[first] < 0:
            continue
        partners = sum(1 for other in group if other == group[first]) - 1
        for expert in range(experts):
            if allowed[first, expert] and allowed[second, expert]:
                worth = value[group[first]] / partners
                full[first * experts + expert, second * experts + expert] = worth
    return full
