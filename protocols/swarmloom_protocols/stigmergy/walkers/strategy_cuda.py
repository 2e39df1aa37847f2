"""The CUDA kernel of `swarmloom_protocols.stigmergy.walkers.strategies`, a thread a walker."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom.random_streams32 import Word32
from swarmloom_protocols.stigmergy.walkers.strategy_kernels import Float32Array, move_walkers

__all__ = ["move"]

cuda = numba_cuda()


@kernel(
    "void(int64, int64, int64, float32[:, ::1], float32[:, ::1], uint8[::1], float32[:, ::1],"
    " float32[:, :, ::1], int64[:, ::1], float32[:, ::1], float32[::1], uint32)"
)
def move(
    kind: int,
    number: int,
    steps: int,
    positions: Float32Array,
    headings: Float32Array,
    stopped: NDArray[np.uint8],
    state: Float32Array,
    plane: Float32Array,
    box: NDArray[np.int64],
    ring: Float32Array,
    settings: Float32Array,
    seed: Word32,
) -> None:
    """Make all steps of a walker a thread."""
    i = cuda.grid(1)
    if i < stopped.size:
        move_walkers(
            i,
            i + 1,
            kind,
            number,
            steps,
            positions,
            headings,
            stopped,
            state,
            plane,
            box,
            ring,
            settings,
            seed,
        )
