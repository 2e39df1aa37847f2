"""The CUDA kernel of `swarmloom_protocols.stigmergy.patterns.phase_charges`, a thread a square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.patterns.phase_charges import charge_at

__all__ = ["charge"]

cuda = numba_cuda()


@kernel("void(float32[:,:,::1], int8[:,:,::1])")
def charge(phases: NDArray[np.float32], charges: NDArray[np.int8]) -> None:
    """Write the charge of each square."""
    index = cuda.grid(1)
    if index < charges.size:
        height, width = charges.shape[1], charges.shape[2]
        t, y, x = index // (width * height), index // width % height, index % width
        charges[t, y, x] = charge_at(phases, t, y, x)
