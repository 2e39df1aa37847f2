"""The CUDA kernel of `swarmloom_protocols.bio_routing.search.trail_kernels`, a thread an option."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.bio_routing.search.trail_kernels import renewed_trail, strength

__all__ = ["renew"]

cuda = numba_cuda()

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]


@kernel(
    "void(float64[::1], int32[::1], int32[::1], float32[::1], int32[:, ::1], float64[::1], "
    "float64, boolean, boolean, float64, float64, float64, float64[::1], float32[::1])"
)
def renew(
    before: FloatArray,
    sources: IndexArray,
    targets: IndexArray,
    desirability: NDArray[np.float32],
    following: IndexArray,
    amounts: FloatArray,
    kept: float,
    everywhere: bool,
    both_ways: bool,
    low: float,
    high: float,
    alpha: float,
    trails: FloatArray,
    choice: NDArray[np.float32],
) -> None:
    """Write the trail of every option after an iteration, and what it weighs."""
    entry = cuda.grid(1)
    if entry < trails.size:
        node, target = sources[entry], targets[entry]
        deposit = 0.0
        for solution in range(amounts.size):
            if following[solution, node] == target or (
                both_ways and following[solution, target] == node
            ):
                deposit += amounts[solution]
        trail = renewed_trail(before[entry], deposit, kept, everywhere, low, high)
        trails[entry] = trail
        choice[entry] = strength(trail, alpha, desirability[entry])
