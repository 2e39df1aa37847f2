"""Random numbers by counter: the same on CPU, GPU and simulator, on any number of threads.

Philox-4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11,
section 3.3) maps a 64-bit key and a 128-bit counter to 128 bits that pass BigCrush. There is no
state: number `counter` of stream `stream` is a function of its arguments alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = ["Word", "philox", "uniform", "uniforms"]

Word = np.uint64 | int

# 64-bit arithmetic with masks: 32-bit products and sums wrap silently in machine code but warn in
# the simulator, and Numba turns a mixture of signed and unsigned integers into floats.
MULTIPLIER_0 = np.uint64(0xD2511F53)
MULTIPLIER_1 = np.uint64(0xCD9E8D57)
WEYL_0 = np.uint64(0x9E3779B9)
WEYL_1 = np.uint64(0xBB67AE85)
LOW_HALF = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
SPARE_BITS = np.uint64(11)
UNIT = 2.0**-53
ROUNDS = 10
WORD_LIMIT = 1 << 64


@kernel
def philox(seed: Word, stream: Word, counter: Word) -> tuple[Word, Word, Word, Word]:
    """Return the four 32-bit words of one block, each in a uint64.

    Parameters
    ----------
    seed : uint64
        Key: low and high half are its two words.
    stream : uint64
        Upper 64 bits of the counter.
    counter : uint64
        Lower 64 bits of the counter.
    """
    key_0 = np.uint64(seed) & LOW_HALF
    key_1 = np.uint64(seed) >> HALF
    word_0 = np.uint64(counter) & LOW_HALF
    word_1 = np.uint64(counter) >> HALF
    word_2 = np.uint64(stream) & LOW_HALF
    word_3 = np.uint64(stream) >> HALF
    for _ in range(ROUNDS):
        product_0 = MULTIPLIER_0 * word_0
        product_1 = MULTIPLIER_1 * word_2
        word_0 = (product_1 >> HALF) ^ word_1 ^ key_0
        word_1 = product_1 & LOW_HALF
        word_2 = (product_0 >> HALF) ^ word_3 ^ key_1
        word_3 = product_0 & LOW_HALF
        key_0 = (key_0 + WEYL_0) & LOW_HALF
        key_1 = (key_1 + WEYL_1) & LOW_HALF
    return word_0, word_1, word_2, word_3


@kernel
def uniform(seed: Word, stream: Word, counter: Word) -> float:
    """Return a float64 in [0, 1) with 53 random bits; callable in CPU and CUDA kernels.

    Parameters
    ----------
    seed, stream, counter : uint64
        Which number of which stream; see `philox`.
    """
    low, high, _, _ = philox(seed, stream, counter)
    return float((np.uint64(high) << HALF | np.uint64(low)) >> SPARE_BITS) * UNIT


@kernel
def _fill(seed: Word, stream: Word, first: Word, numbers: NDArray[np.float64]) -> None:
    for i in range(numbers.size):
        numbers[i] = uniform(seed, stream, np.uint64(first) + np.uint64(i))


def uniforms(
    seed: int, stream: int, count: int, *, first: int = 0, device: Device = "auto"
) -> NDArray[np.float64]:
    """Return a stretch of one stream.

    Parameters
    ----------
    seed, stream : int
        In [0, 2⁶⁴). Streams of one seed are independent of each other.
    count : int
        Numbers wanted.
    first : int, optional
        Counter of the first number.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; the numbers are the same.

    Returns
    -------
    ndarray of float64, shape (count,)
        In [0, 1).

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    _check_words(seed=seed, stream=stream, count=count, first=first, last=first + count)
    numbers = np.empty(count)
    words = np.uint64(seed), np.uint64(stream)
    if resolve(device, size=count) == "cuda":
        from swarmloom.random_streams_cuda import fill

        fill(count, (*words, np.uint64(first)), (numbers,))
    else:
        map_bands(
            lambda start, stop: _fill(*words, np.uint64(first + start), numbers[start:stop]), count
        )
    return numbers


def _check_words(**values: int) -> None:
    for name, value in values.items():
        if not 0 <= value < WORD_LIMIT:
            raise InputError(f"{name}: {value} is not in [0, 2**64)")
