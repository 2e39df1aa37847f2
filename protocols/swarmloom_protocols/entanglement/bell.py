"""Bell games: what entangled players reach, what classical ones reach, and rounds of both.

The players do not talk. In the CHSH game (J. F. Clauser, M. A. Horne, A. Shimony and R. A. Holt,
Physical Review Letters 23, 1969) each of two gets a random bit and they win when their answers
differ exactly if both bits are 1. In the GHZ game (D. M. Greenberger, M. A. Horne and A. Zeilinger,
1989; N. D. Mermin, American Journal of Physics 58, 1990) three get bits of even sum and win when
the parity of their answers says whether any bit was 1.

The outcomes are drawn by Born's rule from the density matrix and the players' observables, which
know nothing of the rules of the game; whether a round is won is read off the outcomes. A simulation
knows all inputs and could win every round, so its rounds show what real pairs would do, not an
advantage.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement.born import (
    PAULI_X,
    PAULI_Y,
    PAULI_Z,
    Matrix,
    depolarised,
    ghz_density,
    outcome_probabilities,
    sample_outcomes,
    werner_density,
)
from swarmloom_protocols.entanglement.states import BitArray

__all__ = [
    "BellRounds",
    "chsh_statistic",
    "chsh_value",
    "classical_chsh_win_rate",
    "classical_ghz_win_rate",
    "play_chsh",
    "play_ghz",
]

_CHSH_INPUTS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], dtype=np.uint8)
# The best settings: angles from Z towards X, by player and input.
_CHSH_ANGLES = ((0.0, np.pi / 2.0), (np.pi / 4.0, -np.pi / 4.0))
_GHZ_INPUTS = np.array([(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)], dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class BellRounds:
    """Rounds of a game.

    Attributes
    ----------
    inputs, outputs : ndarray of uint8, shape (rounds, players)
    won : ndarray of bool, shape (rounds,)
    """

    inputs: BitArray
    outputs: BitArray
    won: np.ndarray[tuple[int], np.dtype[np.bool_]]

    @property
    def win_rate(self) -> float:
        """Share of the rounds won."""
        return float(self.won.mean())


def chsh_value(visibility: float) -> float:
    """Give S = 2√2·p of the Werner state ``p·|Φ+⟩⟨Φ+| + (1 − p)·I/4`` at the best settings.

    Classical players reach at most 2, so p must exceed 1/√2.
    """
    _check_share("visibility", visibility)
    return float(2.0 * np.sqrt(2.0) * visibility)


def play_chsh(rounds: int, rng: np.random.Generator, visibility: float = 1.0) -> BellRounds:
    """Play the CHSH game with Werner states at the best settings.

    Parameters
    ----------
    rounds : int
    rng : numpy.random.Generator
    visibility : float
        The Werner state's p, in [0, 1].

    Returns
    -------
    BellRounds

    Notes
    -----
    Theory says: won with probability (1 + p/√2)/2, 0.853553 for a pure pair; each output alone is a
    fair coin whatever the other's input, so nothing is signalled.
    """
    _check_share("visibility", visibility)
    settings = [
        [_in_the_xz_plane(angles[bit]) for angles, bit in zip(_CHSH_ANGLES, question, strict=True)]
        for question in _CHSH_INPUTS
    ]
    inputs, outputs = _play(rounds, rng, werner_density(visibility), _CHSH_INPUTS, settings)
    won = (outputs[:, 0] ^ outputs[:, 1]) == (inputs[:, 0] & inputs[:, 1])
    return BellRounds(inputs, outputs, won)


def play_ghz(rounds: int, rng: np.random.Generator, depolarising: float = 0.0) -> BellRounds:
    """Play the GHZ game with three qubits each: X for the input 0, Y for 1.

    Parameters
    ----------
    rounds : int
    rng : numpy.random.Generator
    depolarising : float
        Of each qubit, in [0, 1]; without it every round is won.

    Returns
    -------
    BellRounds
    """
    _check_share("depolarising", depolarising)
    settings = [[PAULI_Y if bit else PAULI_X for bit in question] for question in _GHZ_INPUTS]
    density = depolarised(ghz_density(3), depolarising)
    inputs, outputs = _play(rounds, rng, density, _GHZ_INPUTS, settings)
    won = np.bitwise_xor.reduce(outputs, axis=1) == inputs.any(axis=1)
    return BellRounds(inputs, outputs, won)


def chsh_statistic(rounds: BellRounds) -> float:
    """Estimate S = E₀₀ + E₀₁ + E₁₀ − E₁₁ from rounds of the CHSH game.

    Raises
    ------
    InputError
        If one of the four pairs of inputs does not occur.
    """
    product = 1.0 - 2.0 * (rounds.outputs[:, 0] ^ rounds.outputs[:, 1])
    pair = 2 * rounds.inputs[:, 0] + rounds.inputs[:, 1]
    counts = np.bincount(pair, minlength=4)
    if (counts == 0).any():
        raise InputError("each of the four pairs of inputs must occur")
    means = np.bincount(pair, weights=product, minlength=4) / counts
    return float(means[:3].sum() - means[3])


def classical_chsh_win_rate() -> float:
    """Give the best win rate of the CHSH game without entanglement, over all 16 strategies.

    Shared random numbers mix strategies, so they cannot do better than the best one.
    """
    rates = []
    for a0, a1, b0, b1 in itertools.product((0, 1), repeat=4):
        wins = [(a0, a1)[x] ^ (b0, b1)[y] == x & y for x, y in itertools.product((0, 1), repeat=2)]
        rates.append(sum(wins) / 4)
    return max(rates)


def classical_ghz_win_rate() -> float:
    """Give the best win rate of the GHZ game without entanglement, over all 64 strategies."""
    best = 0.0
    for table in itertools.product((0, 1), repeat=6):
        answer = np.array(table, dtype=np.uint8).reshape(3, 2)
        outputs = answer[np.arange(3), _GHZ_INPUTS]
        wins = np.bitwise_xor.reduce(outputs, axis=1) == _GHZ_INPUTS.any(axis=1)
        best = max(best, float(wins.mean()))
    return best


def _play(
    rounds: int,
    rng: np.random.Generator,
    density: Matrix,
    questions: BitArray,
    settings: Sequence[Sequence[Matrix]],
) -> tuple[BitArray, BitArray]:
    """Ask random questions and measure the state with the settings of each."""
    which = rng.integers(0, len(questions), size=rounds)
    probabilities = [outcome_probabilities(density, observables) for observables in settings]
    return questions[which], sample_outcomes(np.stack(probabilities), which, rng)


def _in_the_xz_plane(angle: float) -> Matrix:
    observable: Matrix = np.cos(angle) * PAULI_Z + np.sin(angle) * PAULI_X
    return observable


def _check_share(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name} is {value}; allowed is 0 to 1")
