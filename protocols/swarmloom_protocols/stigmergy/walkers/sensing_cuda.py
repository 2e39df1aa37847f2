"""The CUDA kernel of `swarmloom_protocols.stigmergy.walkers.sensors`, a thread a reading."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.walkers.sensing_kernels import (
    Float32Array,
    edges_of,
    interpolate,
    perceptible,
    sensor_place,
)

__all__ = ["sense"]

cuda = numba_cuda()


@kernel(
    "void(float32[:, :, :, ::1], float32[:, ::1], float32[:, ::1], float32[:, ::1], float32[::1],"
    " int64[:, ::1], float32[:, :, ::1])"
)
def sense(
    field: Float32Array,
    positions: Float32Array,
    headings: Float32Array,
    ring: Float32Array,
    thresholds: Float32Array,
    box: NDArray[np.int64],
    readings: Float32Array,
) -> None:
    """Write a reading a thread, directions fastest."""
    item = cuda.grid(1)
    if item < readings.size:
        j = item % readings.shape[2]
        i = item // readings.shape[2] % readings.shape[1]
        channel = item // (readings.shape[1] * readings.shape[2])
        place = positions[0, i], positions[1, i], positions[2, i]
        ahead = headings[0, i], headings[1, i], headings[2, i]
        offset = ring[j, 0], ring[j, 1], ring[j, 2]
        sensor = sensor_place(place, ahead, offset)
        value = interpolate(field[channel], sensor, edges_of(box))
        readings[channel, i, j] = perceptible(value, thresholds[channel])
