"""CUDA kernels of `swarmloom_protocols.stigmergy.field.presets`, a thread a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.field.preset_kernels import (
    bend_at,
    fisher_cell,
    pair_cell,
    rows_around,
)

__all__ = ["fisher", "pair"]

cuda = numba_cuda()

Numbers = NDArray[np.int64]


@kernel("void(float32[:,:,:,::1], int64, float32[::1], int64[:,::1], float32[:,:,:,::1])")
def pair(
    source: NDArray[np.float32],
    model: int,
    rates: NDArray[np.float32],
    codes: Numbers,
    target: NDArray[np.float32],
) -> None:
    """Write the next values of both channels of each cell."""
    i = cuda.grid(1)
    if i >= source.size // 2:
        return
    _, depth, height, width = source.shape
    x, y, z = i % width, i // width % height, i // (width * height)
    r = (rates[0], rates[1], rates[2], rates[3], rates[4], rates[5], rates[6])
    around = rows_around(z, y, depth, height, codes)
    bend_u = bend_at(source, 0, around, x, codes)
    bend_v = bend_at(source, 1, around, x, codes)
    u, v = pair_cell(model, source[0, z, y, x], source[1, z, y, x], bend_u, bend_v, r)
    target[0, z, y, x] = u
    target[1, z, y, x] = v


@kernel("void(float32[:,:,:,::1], float32[::1], int64[:,::1], float32[:,:,:,::1])")
def fisher(
    source: NDArray[np.float32],
    rates: NDArray[np.float32],
    codes: Numbers,
    target: NDArray[np.float32],
) -> None:
    """Write the next amount of each cell."""
    i = cuda.grid(1)
    if i >= source.size:
        return
    _, depth, height, width = source.shape
    x, y, z = i % width, i // width % height, i // (width * height) % depth
    plane = i // (width * height * depth)
    around = rows_around(z, y, depth, height, codes)
    bent = bend_at(source, plane, around, x, codes)
    u = source[plane, z, y, x]
    target[plane, z, y, x] = fisher_cell(u, bent, rates[0], rates[1], rates[2])
