"""CUDA kernels of the models of opinions: all pairs, matrix steps and phases."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.consensus.opinions.phase_kernels import sine

__all__ = ["affine_step", "kuramoto_slope", "pair_means"]

cuda = numba_cuda()
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]


@kernel("void(float64[:,::1], float64[::1], float64[::1], float64[:,::1])")
def pair_means(
    columns: FloatArray, radii: FloatArray, confidence: FloatArray, means: FloatArray
) -> None:
    """Write the mean of all opinions within reach, a thread an opinion; arrays are (D, n).

    All threads of a warp read the same other opinion at the same time, and write their own columns
    side by side.
    """
    i = cuda.grid(1)
    if i < columns.shape[1]:
        reach, count = radii[i] * radii[i], 0.0
        for axis in range(columns.shape[0]):
            means[axis, i] = 0.0
        for j in range(columns.shape[1]):
            distance2 = 0.0
            for axis in range(columns.shape[0]):
                away = columns[axis, i] - columns[axis, j]
                distance2 += away * away
            if distance2 <= reach:
                count += confidence[j]
                for axis in range(columns.shape[0]):
                    means[axis, i] += confidence[j] * columns[axis, j]
        for axis in range(columns.shape[0]):
            means[axis, i] /= count


@kernel(
    "void(int32[::1], int32[::1], float64[::1], float64[:,::1], float64[:,::1], float64[:,::1])"
)
def affine_step(
    indptr: IntArray,
    indices: IntArray,
    weights: FloatArray,
    offset: FloatArray,
    values: FloatArray,
    moved: FloatArray,
) -> None:
    """Write M x + b, a thread an entry; M in CSR form."""
    item = cuda.grid(1)
    row, axis = item // values.shape[1], item % values.shape[1]
    if row < values.shape[0]:
        total = offset[row, axis]
        for k in range(indptr[row], indptr[row + 1]):
            total += weights[k] * values[indices[k], axis]
        moved[row, axis] = total


@kernel(
    "void(int32[::1], int32[::1], float64[::1], float64[::1], float64[::1], float64[::1], "
    "float64, float64, float64, boolean, float64[::1], float64[::1])"
)
def kuramoto_slope(
    indptr: IntArray,
    indices: IntArray,
    weights: FloatArray,
    frequencies: FloatArray,
    phases: FloatArray,
    last: FloatArray,
    coupling: float,
    shift: float,
    share: float,
    first: bool,
    slope: FloatArray,
    moved: FloatArray,
) -> None:
    """Write the slope at phases + shift · last, and add share · slope to where phases move."""
    i = cuda.grid(1)
    if i < phases.size:
        here, pull = phases[i] + shift * last[i], 0.0
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            pull += weights[k] * sine(phases[j] + shift * last[j] - here)
        slope[i] = frequencies[i] + coupling * pull
        moved[i] = (phases[i] if first else moved[i]) + share * slope[i]
