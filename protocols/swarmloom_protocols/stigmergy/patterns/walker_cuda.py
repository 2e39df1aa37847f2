"""The CUDA kernel of `swarmloom_protocols.stigmergy.patterns.walker_kernels`, a thread a walker."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.patterns.walker_kernels import align_walker

__all__ = ["align"]

cuda = numba_cuda()


@kernel("void(float64[:,:,::1], float64, float64, float64, float64[:,::1])")
def align(
    tracks: NDArray[np.float64], y: float, x: float, radius: float, sums: NDArray[np.float64]
) -> None:
    """Write each walker's sum of cosines and its number of moves."""
    walker = cuda.grid(1)
    if walker < sums.shape[0]:
        align_walker(tracks, walker, y, x, radius, sums)
