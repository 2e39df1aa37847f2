"""The CUDA kernel of `swarmloom_protocols.stigmergy.decay_kernels`, a thread a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.decay_kernels import current_amount

__all__ = ["decay"]

cuda = numba_cuda()


@kernel("void(float32[::1], float64[::1], float64, float64, float32[::1])")
def decay(
    amounts: NDArray[np.float32],
    times: NDArray[np.float64],
    now: float,
    half_life: float,
    values: NDArray[np.float32],
) -> None:
    """Write what is left of each amount."""
    i = cuda.grid(1)
    if i < values.size:
        values[i] = current_amount(amounts[i], now - times[i], half_life)
