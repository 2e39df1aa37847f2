"""The CUDA kernel of `swarmloom_protocols.stigmergy.colonies.wayfinding`, a thread a cell."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.colonies.wayfinding_kernels import relaxed

__all__ = ["converge", "relax"]

cuda = numba_cuda()

# Asking whether anything still changes stops the queue of launches, so it is not asked each time.
STEPS_BETWEEN_QUESTIONS = 8
SETTLED = 1e-12


@kernel(
    "void(float64[::1], int64[:, ::1], float64[::1], float64, float64, float64[::1],"
    " float64[::1], int32[::1])"
)
def relax(
    costs: NDArray[np.float64],
    moves: NDArray[np.int64],
    lengths: NDArray[np.float64],
    smoothing: float,
    settled: float,
    potential: NDArray[np.float64],
    lowered: NDArray[np.float64],
    changed: NDArray[np.int32],
) -> None:
    """Relax every cell once from the potentials before; note whether one changed."""
    cell = cuda.grid(1)
    if cell >= potential.size:
        return
    before = potential[cell]
    value = before
    if costs[cell] < math.inf and before != 0.0:
        value = relaxed(costs, potential, cell, moves, lengths, smoothing)
        if value < math.inf and not before - value <= settled * max(1.0, value):
            changed[0] = 1
    lowered[cell] = value


def converge(
    costs: NDArray[np.float64],
    moves: NDArray[np.int64],
    lengths: NDArray[np.float64],
    smoothing: float,
    potential: NDArray[np.float64],
) -> None:
    """Relax all cells at once until none gets cheaper (Bellman 1958, Jacobi's order).

    Parameters
    ----------
    costs, moves, lengths, smoothing
        As for `swarmloom_protocols.stigmergy.colonies.wayfinding_kernels.relaxed`.
    potential : ndarray of float64, shape (cells,)
        0 at goals, else infinite; overwritten.
    """
    fixed = [cuda.to_device(array) for array in (costs, moves, lengths)]
    here, there = cuda.to_device(potential), cuda.to_device(potential)
    settled = SETTLED if smoothing else 0.0
    changed = np.ones(1, np.int32)
    while changed[0]:
        flag = cuda.to_device(np.zeros(1, np.int32))
        for _ in range(STEPS_BETWEEN_QUESTIONS):
            relax.launch(potential.size, *fixed, smoothing, settled, here, there, flag)
            here, there = there, here
        flag.copy_to_host(changed)
    here.copy_to_host(potential)
