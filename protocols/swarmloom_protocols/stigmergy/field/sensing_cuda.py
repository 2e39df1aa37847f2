"""The CUDA kernel of sensing, a thread a position."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.field.sensing import interpolated

__all__ = ["sense"]

cuda = numba_cuda()


@kernel("void(float32[:, :, ::1], int64[:, ::1], float64[:, ::1], float32[::1])")
def sense(
    layer: NDArray[np.float32],
    codes: NDArray[np.int64],
    positions: NDArray[np.float64],
    values: NDArray[np.float32],
) -> None:
    """Write the interpolated value at each position."""
    i = cuda.grid(1)
    if i < values.size:
        z, y, x = positions[i, 0], positions[i, 1], positions[i, 2]
        values[i] = interpolated(layer, codes, z, y, x)
