"""The half step of Sinkhorn's iteration on a GPU: one thread a row, neighbours read neighbours."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda

__all__ = ["half_step", "potentials_on_gpu"]

cuda = numba_cuda()

FloatArray = NDArray[np.float64]


@kernel("void(float64[:, ::1], float64[::1], float64[::1], boolean, float64[::1])")
def half_step(
    turned: FloatArray, other: FloatArray, mass: FloatArray, capped: bool, own: FloatArray
) -> None:
    """Do what the CPU's kernel of this name does, the energies' rows along the last axis."""
    row = cuda.grid(1)
    if row >= turned.shape[1]:
        return
    top = -math.inf
    for column in range(turned.shape[0]):
        top = max(top, turned[column, row] + other[column])
    own[row] = 0.0
    if top == -math.inf:
        return
    total = 0.0
    for column in range(turned.shape[0]):
        total += math.exp(turned[column, row] + other[column] - top)
    potential = mass[row] - top - math.log(total)
    own[row] = min(potential, 0.0) if capped else potential


def potentials_on_gpu(
    energies: FloatArray, masses: tuple[FloatArray, FloatArray], loose: bool, steps: int
) -> FloatArray:
    """Return the columns' potentials after so many steps.

    Parameters
    ----------
    energies : float64[n, m]
    masses : (float64[n], float64[m])
        Logarithms of the rows' and of the columns' mass.
    loose : bool
        Whether the columns' masses are upper limits; else the rows' are.
    steps : int
    """
    n, m = energies.shape
    rows = cuda.to_device(np.ascontiguousarray(energies.T))
    columns = cuda.to_device(energies)
    row_mass, column_mass = (cuda.to_device(mass) for mass in masses)
    u, v = cuda.to_device(np.zeros(n)), cuda.to_device(np.zeros(m))
    for _ in range(steps):
        half_step.launch(n, rows, v, row_mass, not loose, u)
        half_step.launch(m, columns, u, column_mass, loose, v)
    found: FloatArray = v.copy_to_host()
    return found
