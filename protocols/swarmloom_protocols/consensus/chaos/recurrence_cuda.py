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


def _run_length(lengths: IntArray, length: int, recurrent: bool) -> int:
    """Return the length of the line so far; count the line where it ends."""
    if recurrent:
        return length + 1
    if length > 0:
        cuda.atomic.add(lengths, length, 1)
    return 0


recurs: Any = device_function(_recurs)
run_length: Any = device_function(_run_length)


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
            recurrent = recurs(states, i, i + apart, radius, euclidean)
            length = run_length(lengths, length, recurrent)
        run_length(lengths, length, False)


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
            recurrent = admitted and recurs(states, row, column, radius, euclidean)
            length = run_length(lengths, length, recurrent)
        run_length(lengths, length, False)


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
