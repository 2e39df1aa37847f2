"""CUDA kernels of `swarmloom_protocols.stigmergy.field.presets`, a thread a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import device_function, kernel, numba_cuda
from swarmloom_protocols.stigmergy.field.boundaries import neighbour
from swarmloom_protocols.stigmergy.field.chemistry_kernels import ZERO
from swarmloom_protocols.stigmergy.field.preset_kernels import bend, fisher_cell, pair_cell

__all__ = ["fisher", "pair"]

cuda = numba_cuda()

Numbers = NDArray[np.int64]


def bend_of(volume: NDArray[np.float32], z: int, y: int, x: int, codes: Numbers) -> float:
    """Return the Laplacian of a cell of a volume."""
    depth, height, width = volume.shape
    left = neighbour(x, -1, width, codes[2, 0], codes[2, 1])
    right = neighbour(x, 1, width, codes[2, 0], codes[2, 1])
    south = neighbour(y, -1, height, codes[1, 0], codes[1, 1])
    north = neighbour(y, 1, height, codes[1, 0], codes[1, 1])
    centre = volume[z, y, x]
    before = volume[z, y, left] if left >= 0 else ZERO
    after = volume[z, y, right] if right >= 0 else ZERO
    low = volume[z, south, x] if south >= 0 else ZERO
    high = volume[z, north, x] if north >= 0 else ZERO
    value = bend(low, before, centre, after, high)
    if depth > 1:
        below = neighbour(z, -1, depth, codes[0, 0], codes[0, 1])
        above = neighbour(z, 1, depth, codes[0, 0], codes[0, 1])
        low = volume[below, y, x] if below >= 0 else ZERO
        high = volume[above, y, x] if above >= 0 else ZERO
        value += (low - centre) + (high - centre)
    return value


bend_on_gpu = device_function(bend_of)


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
    height, width = source.shape[2], source.shape[3]
    x, y, z = i % width, i // width % height, i // (width * height)
    r = (rates[0], rates[1], rates[2], rates[3], rates[4], rates[5], rates[6])
    bend_u = bend_on_gpu(source[0], z, y, x, codes)
    bend_v = bend_on_gpu(source[1], z, y, x, codes)
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
    bent = bend_on_gpu(source[plane], z, y, x, codes)
    u = source[plane, z, y, x]
    target[plane, z, y, x] = fisher_cell(u, bent, rates[0], rates[1], rates[2])
