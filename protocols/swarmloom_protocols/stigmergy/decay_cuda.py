"""The CUDA kernels of `swarmloom_protocols.stigmergy.decay_kernels`, a thread a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.decay_kernels import current_amount, current_log_odds

__all__ = ["decay", "log_odds"]

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


@kernel("void(float32[::1], float32[::1], float64[::1], float64, float64, float64, float32[::1])")
def log_odds(
    successes: NDArray[np.float32],
    failures: NDArray[np.float32],
    times: NDArray[np.float64],
    now: float,
    half_life: float,
    prior: float,
    affinity: NDArray[np.float32],
) -> None:
    """Write the log-odds of success of each cell."""
    i = cuda.grid(1)
    if i < affinity.size:
        age = now - times[i]
        affinity[i] = current_log_odds(successes[i], failures[i], age, half_life, prior)
