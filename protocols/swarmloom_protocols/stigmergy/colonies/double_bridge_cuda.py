"""The CUDA kernel of `swarmloom_protocols.stigmergy.colonies.double_bridge`, a thread a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.colonies.double_bridge_kernels import cross_bridge

__all__ = ["cross"]

cuda = numba_cuda()

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel(
    "void(float64[:, ::1], int64[:, ::1], int64[::1], int64, float64, float64, float64, float64,"
    " int64, int64[:, ::1])"
)
def cross(
    amounts: Floats,
    arrivals: Ints,
    travel: Ints,
    ants: int,
    offset: float,
    exponent: float,
    departure_mark: float,
    kept: float,
    seed: int,
    crossings: Ints,
) -> None:
    """Run one run."""
    run = cuda.grid(1)
    if run >= len(amounts):
        return
    for i in range(crossings.shape[1]):
        crossings[run, i] = 0
    cross_bridge(
        amounts[run],
        arrivals[run],
        travel,
        ants,
        offset,
        exponent,
        departure_mark,
        kept,
        seed,
        run,
        crossings[run],
    )
