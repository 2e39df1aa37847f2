"""Opinions on a graph: bounded confidence, meetings of two, and copying."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams32 import Word32, words32
from swarmloom_protocols.consensus.opinions.distances import squared_distance

__all__ = ["copy_sweep", "cumulate_rows", "graph_means", "pair_sweep"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]

HALF = np.uint64(32)
UNIT = 2.0**-32
# Random words of so many meetings are made at once, which compilers turn into vector instructions.
TOGETHER = 256


@kernel(fastmath=frozenset({"reassoc", "nsz"}))
def _line_mean(
    values: FloatArray, reach: float, i: int, indices: IntArray, weights: FloatArray, own: float
) -> float:
    """Return the mean of the neighbours within reach on a line, without a branch an edge."""
    here = values[i, 0]
    total, count = own * here, own
    for k in range(indices.size):
        there = values[indices[k], 0]
        weight = weights[k] if abs(there - here) <= reach else 0.0
        total += weight * there
        count += weight
    return float(total / count) if count > 0.0 else float(here)


@kernel
def _mean(
    values: FloatArray,
    reach: float,
    i: int,
    indices: IntArray,
    weights: FloatArray,
    own: float,
    mean: FloatArray,
) -> None:
    """Write the mean of the neighbours within reach."""
    count = own
    for axis in range(mean.size):
        mean[axis] = own * values[i, axis]
    for k in range(indices.size):
        j = indices[k]
        if squared_distance(values, i, j) <= reach * reach:
            count += weights[k]
            for axis in range(mean.size):
                mean[axis] += weights[k] * values[j, axis]
    for axis in range(mean.size):
        mean[axis] = mean[axis] / count if count > 0.0 else values[i, axis]


@kernel
def graph_means(
    values: FloatArray,
    radii: FloatArray,
    indptr: IntArray,
    indices: IntArray,
    weights: FloatArray,
    own: FloatArray,
    first: int,
    end: int,
    means: FloatArray,
) -> None:
    """Write the means of the neighbours within reach, rows `first` to `end`.

    Parameters
    ----------
    values : ndarray of float64, shape (n, D)
        Opinions.
    radii : ndarray of float64, shape (n,)
        How far each listens.
    indptr, indices, weights : ndarray
        The graph in CSR form: whom each listens to, and how much.
    own : ndarray of float64, shape (n,)
        Weight of the own opinion.
    first, end : int
        Which rows.
    means : ndarray of float64, shape (n, D)
        Written from `first` to `end`; who hears nobody keeps their opinion.
    """
    for i in range(first, end):
        near, heard = indices[indptr[i] : indptr[i + 1]], weights[indptr[i] : indptr[i + 1]]
        if values.shape[1] == 1:
            means[i, 0] = _line_mean(values, radii[i], i, near, heard, own[i])
        else:
            _mean(values, radii[i], i, near, heard, own[i], means[i])


@kernel
def _below(word: Word32, limit: int) -> int:
    """Return a whole number below a limit from 32 random bits; its bias is limit/2³² at most."""
    return int((np.uint64(word) * np.uint64(limit)) >> HALF)


@kernel
def _draw(seed: Word32, sweep: Word32, first: int, words: NDArray[np.uint32]) -> None:
    for k in range(words.shape[1]):
        words[0, k], words[1, k] = words32(seed, sweep, first + k)


@kernel
def _pair_up(
    words: NDArray[np.uint32], n: int, indptr: IntArray, indices: IntArray, pairs: IntArray
) -> None:
    """Write who meets whom; apart from the meetings, so that memory is waited for together."""
    for k in range(words.shape[1]):
        i = _below(words[0, k], n)
        if indptr.size:
            j = indices[indptr[i] + _below(words[1, k], indptr[i + 1] - indptr[i])]
        else:
            j = _below(words[1, k], n - 1)
            j += j >= i
        pairs[0, k], pairs[1, k] = i, j


@kernel
def _meet(
    values: FloatArray, radii: FloatArray, confidence: FloatArray, rate: float, i: int, j: int
) -> None:
    """Move two opinions towards each other, if they are within reach."""
    last_radius, last_confidence = radii.size - 1, confidence.size - 1
    radius_i, radius_j = radii[min(i, last_radius)], radii[min(j, last_radius)]
    weight_i, weight_j = confidence[min(i, last_confidence)], confidence[min(j, last_confidence)]
    distance2 = squared_distance(values, i, j)
    both = 2.0 * rate / (weight_i + weight_j)
    to_j = both * weight_j if distance2 <= radius_i * radius_i else 0.0
    to_i = both * weight_i if distance2 <= radius_j * radius_j else 0.0
    for axis in range(values.shape[1]):
        away = values[j, axis] - values[i, axis]
        values[i, axis] += to_j * away
        values[j, axis] -= to_i * away


@kernel
def pair_sweep(
    values: FloatArray,
    radii: FloatArray,
    confidence: FloatArray,
    rate: float,
    indptr: IntArray,
    indices: IntArray,
    seed: Word32,
    sweep: Word32,
) -> None:
    """Let n times somebody meet a random neighbour, one after the other; opinions move in place.

    Parameters
    ----------
    values : ndarray of float64, shape (n, D)
        Opinions, overwritten.
    radii, confidence : ndarray of float64, shape (1,) or (n,)
        How far everybody, or each, listens, and how much they count.
    rate : float
        Share of the way that each goes, up to ½ for equal confidence.
    indptr, indices : ndarray of int32
        The graph in CSR form; of size 0 for everybody with everybody.
    seed, sweep : uint32
        Key and stream of the random numbers.
    """
    n = values.shape[0]
    words, pairs = np.empty((2, TOGETHER), np.uint32), np.empty((2, TOGETHER), np.int32)
    for start in range(0, n, TOGETHER):
        _draw(seed, sweep, start, words)
        _pair_up(words, n, indptr, indices, pairs)
        for k in range(min(TOGETHER, n - start)):
            _meet(values, radii, confidence, rate, pairs[0, k], pairs[1, k])


@kernel
def cumulate_rows(indptr: IntArray, weights: FloatArray, cumulated: FloatArray) -> None:
    """Write the running sums of each row of a matrix in CSR form."""
    for i in range(indptr.size - 1):
        total = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            total += weights[k]
            cumulated[k] = total


@kernel
def _drawn_by_weight(cumulated: FloatArray, first: int, end: int, share: float) -> int:
    """Return which entry holds a share of the weight that is cumulated from `first` to `end`."""
    target, end = share * cumulated[end - 1], end - 1
    while first < end:
        middle = (first + end) // 2
        if cumulated[middle] > target:
            end = middle
        else:
            first = middle + 1
    return first


@kernel
def copy_sweep(
    values: FloatArray,
    indptr: IntArray,
    indices: IntArray,
    cumulated: FloatArray,
    seed: Word32,
    sweep: Word32,
) -> None:
    """Let n times somebody take over the opinion of a random neighbour, one after the other.

    Parameters
    ----------
    values : ndarray of float64, shape (n, D)
        Opinions, overwritten.
    indptr, indices : ndarray of int32
        The graph in CSR form; of size 0 for everybody with everybody, themselves included.
    cumulated : ndarray of float64
        Running sums of the weights of each row, or of everybody.
    seed, sweep : uint32
        Key and stream of the random numbers.
    """
    n = values.shape[0]
    words = np.empty((2, TOGETHER), np.uint32)
    for start in range(0, n, TOGETHER):
        _draw(seed, sweep, start, words)
        for k in range(min(TOGETHER, n - start)):
            i = _below(words[0, k], n)
            share = words[1, k] * UNIT
            if indptr.size:
                j = indices[_drawn_by_weight(cumulated, indptr[i], indptr[i + 1], share)]
            else:
                j = _drawn_by_weight(cumulated, 0, n, share)
            values[i] = values[j]
