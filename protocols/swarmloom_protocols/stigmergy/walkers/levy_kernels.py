"""Lengths of Lévy flights by the inverse of their distribution, as loops that vectorise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams32 import Word32, words32
from swarmloom_protocols.stigmergy.walkers.elementary_kernels import (
    inverse_power_parts,
    log2_parts,
    power_of_two,
    survival,
)

__all__ = ["clamped", "fill_lengths", "flight_length"]


@kernel
def clamped(value: Any, low: Any, high: Any) -> Any:
    """Return the value, or the end of [low, high] that it lies beyond."""
    raised = low if value < low else value
    return high if raised > high else raised


@kernel
def flight_length(word: Any, law: NDArray[np.float32]) -> Any:
    """Return the length that belongs to a random word.

    Parameters
    ----------
    word : uint32
    law : ndarray of float32, shape (6,)
        What `swarmloom_protocols.stigmergy.walkers.levy.power_law` returns.
    """
    exponent, fraction = log2_parts(law[2] + law[3] * survival(word))
    whole, rest = inverse_power_parts(exponent, fraction, law[4], law[5])
    return clamped(law[0] * power_of_two(whole, rest), law[0], law[1])


@kernel
def fill_lengths(
    seed: Word32, first: Word32, law: NDArray[np.float32], lengths: NDArray[np.float32]
) -> None:
    """Write two lengths a block, beginning with block `first`; `lengths` is of even size."""
    low, high, share, span, power, correction = law[0], law[1], law[2], law[3], law[4], law[5]
    for i in range(lengths.size // 2):
        one, other = words32(seed, 0, first + i)
        exponent, fraction = log2_parts(share + span * survival(one))
        whole, rest = inverse_power_parts(exponent, fraction, power, correction)
        lengths[2 * i] = clamped(low * power_of_two(whole, rest), low, high)
        exponent, fraction = log2_parts(share + span * survival(other))
        whole, rest = inverse_power_parts(exponent, fraction, power, correction)
        lengths[2 * i + 1] = clamped(low * power_of_two(whole, rest), low, high)
