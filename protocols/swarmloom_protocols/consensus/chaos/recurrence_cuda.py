"""The CUDA kernels of `swarmloom_protocols.consensus.chaos.recurrence`, a thread a line's course.

All pairs are compared: neighbouring threads read neighbouring states, which a grid's cells would
scatter. States lie axis by axis, shape (D, N).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import device_function, kernel, numba_cuda

__all__ = ["diagonals", "lines", "verticals"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

cuda = numba_cuda()


def _recurs(states: FloatArray, first: int, second: int, radius: float, euclidean: bool) -> bool:
    total, most = 0.0, 0.0
    for axis in range(states.shape[0]):
        apart = abs(states[axis, first] - states[axis, second])
        total += apart * apart
        most = max(most, apart)
    return total <= radius * radius if euclidean else most <= radius


recurs: Any = device_function(_recurs)


@kernel("void(float64[:,::1], float64, boolean, int64, int64[::1])")
def diagonals(
    states: FloatArray, radius: float, euclidean: bool, theiler: int, lengths: IntArray
) -> None:
    """Count the lines of each length, a thread a diagonal above the main one."""
    apart = cuda.grid(1) + max(theiler, 1)
    n = states.shape[1]
    if apart < n:
        length = 0
        for i in range(n - apart):
            if recurs(states, i, i + apart, radius, euclidean):
                length += 1
            elif length > 0:
                cuda.atomic.add(lengths, length, 1)
                length = 0
        if length > 0:
            cuda.atomic.add(lengths, length, 1)


@kernel("void(float64[:,::1], float64, boolean, int64, int64[::1])")
def verticals(
    states: FloatArray, radius: float, euclidean: bool, theiler: int, lengths: IntArray
) -> None:
    """Count the lines of each length, a thread a column."""
    column = cuda.grid(1)
    n = states.shape[1]
    if column < n:
        length = 0
        for row in range(n):
            admitted = abs(row - column) >= theiler
            if admitted and recurs(states, row, column, radius, euclidean):
                length += 1
            elif length > 0:
                cuda.atomic.add(lengths, length, 1)
                length = 0
        if length > 0:
            cuda.atomic.add(lengths, length, 1)


def lines(
    points: FloatArray, radius: float, euclidean: bool, theiler: int
) -> tuple[IntArray, IntArray]:
    """Count the lines of a plot by length; see `recurrence.line_lengths`."""
    n = len(points)
    states = cuda.to_device(np.ascontiguousarray(points.T))
    found = []
    for count in (diagonals, verticals):
        lengths = cuda.to_device(np.zeros(n + 1, np.int64))
        count.launch(n, states, radius, euclidean, theiler, lengths)
        found.append(lengths.copy_to_host())
    return found[0], found[1]
