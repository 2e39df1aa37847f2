"""Exact sampling of GHZ and W states under local noise, for any number of qubits.

Measured in the bases below, these states have outcomes with a closed distribution, so a shot costs
a few random numbers a qubit instead of a state vector of 2ⁿ amplitudes:

- GHZ in Z: one shared bit for all. GHZ at equatorial angles φ_i (X is 0, Y is π/2): every n − 1
  outcomes are uniform and independent, the parity has the mean V·cos(Σ φ_i) (N. D. Mermin,
  "Extreme quantum entanglement in a superposition of macroscopically distinct states", Physical
  Review Letters 65, 1990).
- W in Z: a single 1 at a uniformly drawn place (W. Dür, G. Vidal and J. I. Cirac, "Three qubits can
  be entangled in two inequivalent ways", Physical Review A 62, 2000).

Noise acts on each qubit alone: with probability `depolarising` the qubit is replaced by a random
one, with probability `dephasing` its phase is flipped. Depolarising flips an outcome with half its
probability in every basis; dephasing does nothing in Z and shrinks the coherence elsewhere.

In Z, and in any single fixed basis, a dealer of classical random numbers does the same: no quantum
advantage, and no information passes from one qubit to another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError

__all__ = [
    "BitArray",
    "ghz_agreement",
    "ghz_coherence",
    "ghz_fidelity",
    "sample_ghz",
    "sample_w",
    "w_election",
]

BitArray = npt.NDArray[np.uint8]


def sample_ghz(
    qubits: int,
    shots: int,
    rng: np.random.Generator,
    *,
    angles: float | Sequence[float] | None = None,
    depolarising: float = 0.0,
    dephasing: float = 0.0,
) -> BitArray:
    """Measure GHZ states ``(|0…0⟩ + |1…1⟩)/√2``.

    Parameters
    ----------
    qubits : int
        At least 1.
    shots : int
    rng : numpy.random.Generator
    angles : float or sequence of float, optional
        None measures every qubit in Z; else at this angle from X towards Y in the equator of the
        Bloch sphere, one for all or one a qubit.
    depolarising, dephasing : float
        Probability a qubit, in [0, 1].

    Returns
    -------
    ndarray of uint8, shape (shots, qubits)
        Outcomes, 1 for the eigenvalue −1.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    _check(qubits, shots, depolarising, dephasing)
    if angles is None:
        shared = rng.integers(0, 2, size=(shots, 1), dtype=np.uint8)
        return _flipped(np.repeat(shared, qubits, axis=1), depolarising / 2.0, rng)
    total = _total_angle(angles, qubits)
    mean = ghz_coherence(qubits, depolarising, dephasing) * np.cos(total)
    bits = rng.integers(0, 2, size=(shots, qubits), dtype=np.uint8)
    parity = (rng.random(shots) < (1.0 - mean) / 2.0).astype(np.uint8)
    # The last outcome is what the wanted parity leaves open.
    bits[:, -1] = np.bitwise_xor.reduce(bits[:, :-1], axis=1) ^ parity
    return bits


def _total_angle(angles: float | Sequence[float], qubits: int) -> float:
    every = np.asarray(angles, dtype=np.float64)
    if every.shape not in ((), (qubits,)) or not np.isfinite(every).all():
        raise InputError(f"angles must be one finite number or {qubits} of them")
    return float(np.broadcast_to(every, qubits).sum())


def sample_w(
    qubits: int, shots: int, rng: np.random.Generator, *, depolarising: float = 0.0
) -> BitArray:
    """Measure W states ``(|10…0⟩ + |010…0⟩ + … + |0…01⟩)/√n`` in Z.

    Parameters
    ----------
    qubits : int
        At least 1.
    shots : int
    rng : numpy.random.Generator
    depolarising : float
        Probability a qubit, in [0, 1]. Dephasing changes nothing in Z.

    Returns
    -------
    ndarray of uint8, shape (shots, qubits)
        A single 1 a shot where there is no noise.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    _check(qubits, shots, depolarising, 0.0)
    bits = np.zeros((shots, qubits), dtype=np.uint8)
    bits[np.arange(shots), rng.integers(0, qubits, size=shots)] = 1
    return _flipped(bits, depolarising / 2.0, rng)


def ghz_agreement(qubits: int, depolarising: float) -> float:
    """Give the probability that all Z outcomes of a GHZ state are equal."""
    flip = depolarising / 2.0
    return float((1.0 - flip) ** qubits + flip**qubits) if qubits > 1 else 1.0


def ghz_coherence(qubits: int, depolarising: float, dephasing: float) -> float:
    """Give the mean of the product of all X outcomes (±1) of a GHZ state."""
    return float(((1.0 - depolarising) * (1.0 - 2.0 * dephasing)) ** qubits)


def ghz_fidelity(qubits: int, depolarising: float, dephasing: float) -> float:
    """Give the fidelity of the noisy GHZ state with the pure one, for two qubits and more."""
    populations = ghz_agreement(qubits, depolarising)
    return (populations + ghz_coherence(qubits, depolarising, dephasing)) / 2.0


def w_election(qubits: int, depolarising: float) -> float:
    """Give the probability that exactly one Z outcome of a W state is 1."""
    flip, keep = depolarising / 2.0, 1.0 - depolarising / 2.0
    moved = (qubits - 1) * flip**2 * keep ** (qubits - 2) if qubits > 1 else 0.0
    return float(keep**qubits + moved)


def _flipped(bits: BitArray, probability: float, rng: np.random.Generator) -> BitArray:
    """Flip each bit with a probability; the places are drawn as gaps, so few flips cost little."""
    if probability > 0.0:
        flat = bits.reshape(-1)
        flat[_hits(flat.size, probability, rng)] ^= 1
    return bits


def _hits(size: int, probability: float, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw which of `size` independent events of this probability happen."""
    count = int(rng.binomial(size, probability))
    if count > size // 8:
        return np.flatnonzero(rng.permutation(size) < count)
    return rng.choice(size, size=count, replace=False, shuffle=False)


def _check(qubits: int, shots: int, depolarising: float, dephasing: float) -> None:
    if qubits < 1 or shots < 0:
        raise InputError(f"needed are 1 qubit and 0 shots at least, not {qubits} and {shots}")
    for name, value in (("depolarising", depolarising), ("dephasing", dephasing)):
        if not 0.0 <= value <= 1.0:
            raise InputError(f"{name} is {value}; allowed is 0 to 1")
