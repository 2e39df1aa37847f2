"""The CUDA kernel of `swarmloom_protocols.stigmergy.field.anisotropic`, a thread a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.field.anisotropic_kernels import moved, shifted
from swarmloom_protocols.stigmergy.field.chemistry_kernels import ZERO, settled

__all__ = ["anisotropic"]

cuda = numba_cuda()

Numbers = NDArray[np.int64]


@kernel(
    "void(float32[:,:,:,::1], float32[:,:,:,::1], int64[:,::1], int64[::1], int64[::1],"
    " int64[:,::1], float32[:,:,:,::1])"
)
def anisotropic(
    source: NDArray[np.float32],
    edges: NDArray[np.float32],
    directions: Numbers,
    layers: Numbers,
    lines: Numbers,
    codes: Numbers,
    target: NDArray[np.float32],
) -> None:
    """Write the next value of each cell."""
    i = cuda.grid(1)
    if i >= source.size:
        return
    _, depth, height, width = source.shape
    x, y, z = i % width, i // width % height, i // (width * height) % depth
    plane = i // (width * height * depth)
    centre, flow = source[plane, z, y, x], ZERO
    for k in range(directions.shape[0]):
        step_z, step_y, step_x = directions[k, 0], directions[k, 1], directions[k, 2]
        z_back = shifted(z, -step_z, depth, codes[0, 0], codes[0, 1])
        y_back = shifted(y, -step_y, height, codes[1, 0], codes[1, 1])
        x_back = shifted(x, -step_x, width, codes[2, 0], codes[2, 1])
        z_on = shifted(z, step_z, depth, codes[0, 0], codes[0, 1])
        y_on = shifted(y, step_y, height, codes[1, 0], codes[1, 1])
        x_on = shifted(x, step_x, width, codes[2, 0], codes[2, 1])
        back, on = ZERO, ZERO
        if z_back >= 0 and y_back >= 0 and x_back >= 0:
            back = source[plane, z_back, y_back, x_back]
        if z_on >= 0 and y_on >= 0 and x_on >= 0:
            on = source[plane, z_on, y_on, x_on]
        layer = layers[z + 1] if step_z < 0 else layers[z]
        line = lines[y + 1] if step_y < 0 else lines[y]
        back_weight = edges[k, layer, line, x + 1 if step_x < 0 else x]
        layer = layers[z + 1] if step_z > 0 else layers[z]
        line = lines[y + 1] if step_y > 0 else lines[y]
        on_weight = edges[k, layer, line, x + 1 if step_x > 0 else x]
        flow += moved(back_weight, back, on_weight, on, centre)
    target[plane, z, y, x] = settled(centre + flow)
