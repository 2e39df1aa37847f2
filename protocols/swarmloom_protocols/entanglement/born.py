"""Outcomes of local measurements on a few qubits, from the density matrix by Born's rule.

Nothing here knows of a game or of a state's closed forms: the probability of the outcomes
(s₁, …, sₙ) is Tr(ρ · Π₁ ⊗ … ⊗ Πₙ), with Πᵢ the projector on the eigenvalue (−1)^sᵢ of player i's
observable. A density matrix of n qubits has 4ⁿ entries, so this is for few qubits; for many see
`swarmloom_protocols.entanglement.states`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement.states import BitArray

__all__ = [
    "PAULI_X",
    "PAULI_Y",
    "PAULI_Z",
    "Matrix",
    "depolarised",
    "ghz_density",
    "outcome_probabilities",
    "sample_outcomes",
    "werner_density",
]

Matrix = npt.NDArray[np.complex128]

PAULI_X: Matrix = np.array([[0, 1], [1, 0]], dtype=np.complex128)
PAULI_Y: Matrix = np.array([[0, -1j], [1j, 0]], dtype=np.complex128)
PAULI_Z: Matrix = np.array([[1, 0], [0, -1]], dtype=np.complex128)
_IDENTITY: Matrix = np.eye(2, dtype=np.complex128)


def ghz_density(qubits: int) -> Matrix:
    """Give the density matrix of ``(|0…0⟩ + |1…1⟩)/√2``, shape (2ⁿ, 2ⁿ)."""
    amplitudes = np.zeros(2**qubits, dtype=np.complex128)
    amplitudes[[0, -1]] = np.sqrt(0.5)
    return np.outer(amplitudes, amplitudes.conj())


def werner_density(visibility: float) -> Matrix:
    """Give ``p·|Φ+⟩⟨Φ+| + (1 − p)·I/4`` of two qubits, p being the visibility, shape (4, 4)."""
    return visibility * ghz_density(2) + (1.0 - visibility) * np.eye(4) / 4.0


def depolarised(density: Matrix, probability: float) -> Matrix:
    """Replace each qubit, on its own and with a probability, by a random one.

    Parameters
    ----------
    density : ndarray of complex128, shape (2ⁿ, 2ⁿ)
    probability : float
        In [0, 1].

    Returns
    -------
    ndarray of complex128, shape (2ⁿ, 2ⁿ)
    """
    qubits = len(density).bit_length() - 1
    for qubit in range(qubits):
        # All four Pauli operators, equally often, leave nothing of a qubit's state.
        turns = [
            _product([pauli if place == qubit else _IDENTITY for place in range(qubits)])
            for pauli in (_IDENTITY, PAULI_X, PAULI_Y, PAULI_Z)
        ]
        random = sum(turn @ density @ turn for turn in turns) / 4.0
        density = (1.0 - probability) * density + probability * random
    return density


def outcome_probabilities(
    density: Matrix, observables: Sequence[Matrix]
) -> npt.NDArray[np.float64]:
    """Give the joint distribution of the outcomes of local measurements.

    Parameters
    ----------
    density : ndarray of complex128, shape (2ⁿ, 2ⁿ)
        The first qubit is the first factor.
    observables : sequence of ndarray of complex128, n of shape (2, 2)
        One a qubit, with the eigenvalues ±1.

    Returns
    -------
    ndarray of float64, shape (2ⁿ,)
        Of the outcomes as binary numbers, the first qubit's bit first, 1 for the eigenvalue −1.

    Raises
    ------
    InputError
        If the number of observables is not that of the qubits.
    """
    if density.shape != (2 ** len(observables),) * 2:
        raise InputError(f"{len(observables)} observables do not fit a {density.shape} matrix")
    pairs = [((_IDENTITY + each) / 2.0, (_IDENTITY - each) / 2.0) for each in observables]
    outcomes = [
        [pair[code >> (len(pairs) - 1 - place) & 1] for place, pair in enumerate(pairs)]
        for code in range(len(density))
    ]
    traces = [np.trace(density @ _product(projectors)).real for projectors in outcomes]
    # Rounding leaves impossible outcomes a little below 0.
    return np.clip(np.array(traces, dtype=np.float64), 0.0, 1.0)


def sample_outcomes(
    probabilities: npt.NDArray[np.float64],
    which: npt.NDArray[np.integer],
    rng: np.random.Generator,
) -> BitArray:
    """Draw the outcomes of many rounds, each under one of several settings.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (settings, 2ⁿ)
        From `outcome_probabilities`, a row for each setting.
    which : ndarray of int, shape (rounds,)
        Each round's setting.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of uint8, shape (rounds, n)
    """
    qubits = probabilities.shape[1].bit_length() - 1
    below = np.cumsum(probabilities, axis=1)
    below /= below[:, -1:]
    draws = rng.random(len(which))
    codes = np.zeros(len(which), dtype=np.int64)
    for setting, edges in enumerate(below):
        mine = np.flatnonzero(which == setting)
        codes[mine] = np.searchsorted(edges, draws[mine], side="right")
    return (codes[:, None] >> np.arange(qubits)[::-1] & 1).astype(np.uint8)


def _product(factors: Sequence[Matrix]) -> Matrix:
    product = factors[0]
    for factor in factors[1:]:
        product = np.kron(product, factor).astype(np.complex128, copy=False)
    return product
