"""The CUDA kernel of `swarmloom_protocols.stigmergy.colonies.sorting`, a thread a world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.colonies.sorting_kernels import sort_world

__all__ = ["sort_worlds"]

cuda = numba_cuda()

Ints = NDArray[np.int32]


@kernel(
    "void(int32[:, :, ::1], int32[:, :, ::1], int64, float64, float64, float64, int64,"
    " int64, int64)"
)
def sort_worlds(
    items: Ints,
    ants: Ints,
    radius: int,
    pick: float,
    drop: float,
    heed: float,
    seed: int,
    first_step: int,
    steps: int,
) -> None:
    """Run one world."""
    world = cuda.grid(1)
    if world < len(items):
        first_stream = world * ants.shape[1]
        sort_world(
            items[world],
            ants[world],
            radius,
            pick,
            drop,
            heed,
            seed,
            first_stream,
            first_step,
            steps,
        )
