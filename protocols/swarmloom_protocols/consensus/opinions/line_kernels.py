"""Bounded confidence on a line: everybody's mean of the opinions within reach, in O(n) once sorted.

Sums over a window are differences of running sums. Those are kept as unevaluated sums of two
numbers (Knuth's TwoSum; Ogita, Rump, Oishi, SIAM Journal on Scientific Computing 26, 2005), so that
a small window at the end of a long line loses nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["line_means", "line_windows", "running_sums", "search_windows"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]


@kernel
def running_sums(numbers: FloatArray, sums: FloatArray) -> None:
    """Write the sums of the first 0, 1, …, n numbers as pairs, shape (n + 1, 2)."""
    high, low = 0.0, 0.0
    sums[0, 0] = 0.0
    sums[0, 1] = 0.0
    for i in range(numbers.size):
        number = numbers[i]
        total = high + number
        part = total - high
        low += (high - (total - part)) + (number - part)
        high = total
        sums[i + 1, 0] = high
        sums[i + 1, 1] = low


@kernel
def _between(sums: FloatArray, first: int, end: int) -> float:
    return float((sums[end, 0] - sums[first, 0]) + (sums[end, 1] - sums[first, 1]))


@kernel
def line_windows(opinions: FloatArray, radius: float, firsts: IntArray, ends: IntArray) -> None:
    """Write where each one's window begins and ends, for one radius.

    Parameters
    ----------
    opinions : ndarray of float64, shape (n,)
        Ascending.
    radius : float
        How far everybody listens.
    firsts, ends : ndarray of int32, shape (n,)
        Overwritten.

    Notes
    -----
    Two pointers in one walk of 2n strides without a branch that a processor could guess wrong: i
    is the first to hear `end` when `end` moves on, and hears nobody further when i does.
    """
    i, end = 0, 0
    while end < opinions.size:
        heard = opinions[end] - opinions[i] <= radius
        firsts[end] = i
        ends[i] = end
        end += heard
        i += not heard
    for rest in range(i, opinions.size):
        ends[rest] = end


@kernel
def _first_from(opinions: FloatArray, i: int, radius: float) -> int:
    low, high = 0, i
    while low < high:
        middle = (low + high) // 2
        if opinions[i] - opinions[middle] > radius:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _end_from(opinions: FloatArray, i: int, radius: float) -> int:
    low, high = i + 1, opinions.size
    while low < high:
        middle = (low + high) // 2
        if opinions[middle] - opinions[i] <= radius:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def search_windows(
    opinions: FloatArray, radii: FloatArray, firsts: IntArray, ends: IntArray
) -> None:
    """Write what `line_windows` writes, for a radius each: O(n log n)."""
    for i in range(opinions.size):
        firsts[i] = _first_from(opinions, i, radii[i])
        ends[i] = _end_from(opinions, i, radii[i])


@kernel
def line_means(
    opinions: FloatArray,
    firsts: IntArray,
    ends: IntArray,
    weighted_sums: FloatArray,
    weight_sums: FloatArray,
    ascending: bool,
    means: FloatArray,
) -> None:
    """Write the weighted mean of each one's window.

    Parameters
    ----------
    opinions : ndarray of float64, shape (n,)
        Ascending.
    firsts, ends : ndarray of int32, shape (n,)
        The windows.
    weighted_sums, weight_sums : ndarray of float64, shape (n + 1, 2)
        `running_sums` of weight × opinion and of weights.
    ascending : bool
        Whether the means ascend too, as with one radius; rounding is kept from crossing them.
    means : ndarray of float64, shape (n,)
        Overwritten.
    """
    last = -np.inf
    for i in range(opinions.size):
        first, end = firsts[i], ends[i]
        # Where all agree already nothing may move, not even by rounding: runs freeze exactly.
        mean = opinions[i]
        if opinions[first] != opinions[end - 1]:
            mean = _between(weighted_sums, first, end) / _between(weight_sums, first, end)
        last = max(mean, last) if ascending else mean
        means[i] = last
