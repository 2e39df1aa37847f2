"""One half of a Sinkhorn step in the logarithmic domain."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["half_step"]

FloatArray = NDArray[np.float64]


@kernel
def half_step(
    energies: FloatArray, other: FloatArray, mass: FloatArray, capped: bool, own: FloatArray
) -> None:
    """Set each row's potential so that the row's mass is right.

    Parameters
    ----------
    energies : float64[n, m]
        Scores divided by the temperature, −inf where not allowed.
    other : float64[m]
        Potentials of the columns.
    mass : float64[n]
        Logarithm of what each row is to have.
    capped : bool
        Whether a row may have less; its potential is then at most 0.
    own : float64[n]
        Overwritten. Rows without any mass to give keep 0.
    """
    for row in range(len(own)):
        top = -np.inf
        for column in range(len(other)):
            top = max(top, energies[row, column] + other[column])
        own[row] = 0.0
        if top == -np.inf:
            continue
        total = 0.0
        for column in range(len(other)):
            total += math.exp(energies[row, column] + other[column] - top)
        potential = mass[row] - top - math.log(total)
        own[row] = min(potential, 0.0) if capped else potential
