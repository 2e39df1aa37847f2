"""The CUDA kernel of a step, a thread a cell, and steps that stay on the GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.field.boundaries import neighbour
from swarmloom_protocols.stigmergy.field.diffusion_kernels import (
    ZERO,
    next_value,
    second_difference,
)

__all__ = ["diffused_on_gpu", "step", "take_steps_on_gpu"]

cuda = numba_cuda()


@kernel("void(float32[:, :, :, ::1], float32[:, ::1], int64[:, ::1], float32[:, :, :, ::1])")
def step(
    source: NDArray[np.float32],
    rates: NDArray[np.float32],
    codes: NDArray[np.int64],
    target: NDArray[np.float32],
) -> None:
    """Write each cell's next value, as `step_volume` does."""
    i = cuda.grid(1)
    if i >= source.size:
        return
    _, depth, height, width = source.shape
    row = i // width
    x, y, z, plane = i % width, row % height, row // height % depth, row // height // depth
    here = source[plane, z, y, x]
    low = neighbour(x, -1, width, codes[2, 0], codes[2, 1])
    high = neighbour(x, 1, width, codes[2, 0], codes[2, 1])
    before = source[plane, z, y, low] if low >= 0 else ZERO
    after = source[plane, z, y, high] if high >= 0 else ZERO
    flow = rates[plane, 3] * second_difference(before, here, after)
    low = neighbour(y, -1, height, codes[1, 0], codes[1, 1])
    high = neighbour(y, 1, height, codes[1, 0], codes[1, 1])
    before = source[plane, z, low, x] if low >= 0 else ZERO
    after = source[plane, z, high, x] if high >= 0 else ZERO
    flow += rates[plane, 2] * second_difference(before, here, after)
    if rates[plane, 1] != ZERO:
        low = neighbour(z, -1, depth, codes[0, 0], codes[0, 1])
        high = neighbour(z, 1, depth, codes[0, 0], codes[0, 1])
        before = source[plane, low, y, x] if low >= 0 else ZERO
        after = source[plane, high, y, x] if high >= 0 else ZERO
        flow += rates[plane, 1] * second_difference(before, here, after)
    target[plane, z, y, x] = next_value(here, flow, rates[plane, 0])


def take_steps_on_gpu(
    source: Any, other: Any, rates: NDArray[np.float32], codes: NDArray[np.int64], steps: int
) -> tuple[Any, Any]:
    """Take steps from one device array into another and back.

    Parameters
    ----------
    source, other : device array of float32, shape (planes, Z, Y, X)
        The field and a buffer; both are overwritten.
    rates : ndarray of float32, shape (planes, 4)
        Of `step_rates`, for each plane.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    steps : int
        At least 0.

    Returns
    -------
    field, buffer : device array
        `source` and `other` or the other way round.
    """
    on_gpu = cuda.to_device(rates), cuda.to_device(codes)
    for _ in range(steps):
        step.launch(source.size, source, *on_gpu, other)
        source, other = other, source
    return source, other


def diffused_on_gpu(
    amounts: NDArray[np.float32],
    rates: NDArray[np.float32],
    codes: NDArray[np.int64],
    steps: int,
) -> NDArray[np.float32]:
    """Do what `diffused` does."""
    if not amounts.size:
        return amounts.copy()
    source = cuda.to_device(np.ascontiguousarray(amounts))
    other = cuda.device_array(amounts.shape, np.float32)
    values: NDArray[np.float32] = take_steps_on_gpu(source, other, rates, codes, steps)[
        0
    ].copy_to_host()
    return values
