"""The CUDA kernel of `swarmloom_protocols.stigmergy.field.perona_malik`, a thread a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, neighbour
from swarmloom_protocols.stigmergy.field.chemistry_kernels import ZERO, settled
from swarmloom_protocols.stigmergy.field.perona_malik_kernels import pair_flow

__all__ = ["perona_malik"]

cuda = numba_cuda()


@kernel("void(float32[:,:,:,::1], int64, float32, float32[::1], int64[:,::1], float32[:,:,:,::1])")
def perona_malik(
    source: NDArray[np.float32],
    kind: int,
    sharpness: float,
    shares: NDArray[np.float32],
    codes: NDArray[np.int64],
    target: NDArray[np.float32],
) -> None:
    """Write the next value of each cell."""
    i = cuda.grid(1)
    if i >= source.size:
        return
    _, depth, height, width = source.shape
    x, y, z = i % width, i // width % height, i // (width * height) % depth
    plane = i // (width * height * depth)
    volume, centre = source[plane], source[plane, z, y, x]
    left = neighbour(x, -1, width, codes[2, 0], codes[2, 1])
    right = neighbour(x, 1, width, codes[2, 0], codes[2, 1])
    low = volume[z, y, left] if left >= 0 else ZERO
    high = volume[z, y, right] if right >= 0 else ZERO
    flow = pair_flow(low, centre, high, kind, sharpness)
    south = neighbour(y, -1, height, codes[1, 0], codes[1, 1])
    north = neighbour(y, 1, height, codes[1, 0], codes[1, 1])
    low = volume[z, south, x] if south >= 0 else ZERO
    high = volume[z, north, x] if north >= 0 else ZERO
    flow += pair_flow(low, centre, high, kind, sharpness)
    flow *= shares[plane]
    if depth > 1 or codes[0, 0] == ABSORBING or codes[0, 1] == ABSORBING:
        below = neighbour(z, -1, depth, codes[0, 0], codes[0, 1])
        above = neighbour(z, 1, depth, codes[0, 0], codes[0, 1])
        low = volume[below, y, x] if below >= 0 else ZERO
        high = volume[above, y, x] if above >= 0 else ZERO
        flow += shares[plane] * pair_flow(low, centre, high, kind, sharpness)
    target[plane, z, y, x] = settled(centre + flow)
