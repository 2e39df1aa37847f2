"""CUDA kernels of `swarmloom_protocols.stigmergy.field.gradient_fields`, a thread a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, neighbour
from swarmloom_protocols.stigmergy.field.chemistry_kernels import ZERO
from swarmloom_protocols.stigmergy.field.gradient_kernels import (
    component,
    second_difference,
    superposed,
    weight_of,
)

__all__ = ["gradient", "laplacian", "superpose"]

cuda = numba_cuda()

Numbers = NDArray[np.int64]


@kernel(
    "void(float32[:,:,:,::1], float32[:,::1], float32, float32[::1], int64[:,::1],"
    " float32[:,:,:,::1])"
)
def superpose(
    amounts: NDArray[np.float32],
    points: NDArray[np.float32],
    softening: float,
    grid: NDArray[np.float32],
    codes: Numbers,
    target: NDArray[np.float32],
) -> None:
    """Write each cell's amount with sources and sinks."""
    i = cuda.grid(1)
    if i >= amounts.size:
        return
    _, depth, height, width = amounts.shape
    x, y, z = i % width, i // width % height, i // (width * height) % depth
    plane = i // (width * height * depth)
    added = superposed(z, y, x, points, softening, grid, codes)
    target[plane, z, y, x] = amounts[plane, z, y, x] + added


@kernel("void(float32[:,:,:,::1], int64[:,::1], float32[:,:,:,::1])")
def laplacian(source: NDArray[np.float32], codes: Numbers, target: NDArray[np.float32]) -> None:
    """Write each cell's Laplacian."""
    i = cuda.grid(1)
    if i >= source.size:
        return
    _, depth, height, width = source.shape
    x, y, z = i % width, i // width % height, i // (width * height) % depth
    volume = source[i // (width * height * depth)]
    left = neighbour(x, -1, width, codes[2, 0], codes[2, 1])
    right = neighbour(x, 1, width, codes[2, 0], codes[2, 1])
    low = volume[z, y, left] if left >= 0 else ZERO
    high = volume[z, y, right] if right >= 0 else ZERO
    value = second_difference(low, volume[z, y, x], high)
    south = neighbour(y, -1, height, codes[1, 0], codes[1, 1])
    north = neighbour(y, 1, height, codes[1, 0], codes[1, 1])
    low = volume[z, south, x] if south >= 0 else ZERO
    high = volume[z, north, x] if north >= 0 else ZERO
    value += second_difference(low, volume[z, y, x], high)
    if depth > 1 or codes[0, 0] == ABSORBING or codes[0, 1] == ABSORBING:
        below = neighbour(z, -1, depth, codes[0, 0], codes[0, 1])
        above = neighbour(z, 1, depth, codes[0, 0], codes[0, 1])
        low = volume[below, y, x] if below >= 0 else ZERO
        high = volume[above, y, x] if above >= 0 else ZERO
        value += second_difference(low, volume[z, y, x], high)
    target[i // (width * height * depth), z, y, x] = value


@kernel(
    "void(float32[:,:,:,::1], float32[:,:,:,::1], int64, float32, int64[:,::1],"
    " float32[:,:,:,:,::1])"
)
def gradient(
    amounts: NDArray[np.float32],
    potential: NDArray[np.float32],
    kind: int,
    level: float,
    codes: Numbers,
    vectors: NDArray[np.float32],
) -> None:
    """Write each cell's weighted gradient."""
    i = cuda.grid(1)
    if i >= amounts.size:
        return
    _, depth, height, width = amounts.shape
    x, y, z = i % width, i // width % height, i // (width * height) % depth
    plane = i // (width * height * depth)
    volume, out = potential[plane], vectors[plane, z, y, x]
    weight, last = weight_of(amounts[plane, z, y, x], kind, level), out.shape[0] - 1
    left = neighbour(x, -1, width, codes[2, 0], codes[2, 1])
    right = neighbour(x, 1, width, codes[2, 0], codes[2, 1])
    low = volume[z, y, left] if left >= 0 else ZERO
    high = volume[z, y, right] if right >= 0 else ZERO
    out[last] = component(weight, low, high)
    south = neighbour(y, -1, height, codes[1, 0], codes[1, 1])
    north = neighbour(y, 1, height, codes[1, 0], codes[1, 1])
    low = volume[z, south, x] if south >= 0 else ZERO
    high = volume[z, north, x] if north >= 0 else ZERO
    out[last - 1] = component(weight, low, high)
    if last == 2:
        below = neighbour(z, -1, depth, codes[0, 0], codes[0, 1])
        above = neighbour(z, 1, depth, codes[0, 0], codes[0, 1])
        low = volume[below, y, x] if below >= 0 else ZERO
        high = volume[above, y, x] if above >= 0 else ZERO
        out[0] = component(weight, low, high)
