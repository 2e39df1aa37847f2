"""Fast random numbers by counter for kernels in 32-bit arithmetic: two words a block, vectorised.

Philox-2x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11,
section 3.3, with the constants of the authors' library Random123) maps a 32-bit key and a 64-bit
counter to 64 bits; seven rounds pass BigCrush, ten leave the margin that its authors advise.
Against `swarmloom.random_streams` it has half the bits of a block and of a key, and no carry or
branch, so that compilers turn a loop over counters into vector instructions. There is no state: a
block is a function of its arguments alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = ["Word32", "uniform32", "uniform_pair32", "uniforms32", "words32"]

Word32 = np.uint32 | np.uint64 | int

# Products and sums of 32-bit numbers in 64-bit ones: they cannot overflow (the simulator would
# warn), and one vector instruction multiplies the low halves.
MULTIPLIER = np.uint64(0xD256D193)
WEYL = np.uint64(0x9E3779B9)
LOW_HALF = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
SPARE_BITS = np.uint32(8)
UNIT: Any = np.float32(2.0**-24)
ROUNDS = 10
WORD_LIMIT = 1 << 32


@kernel
def words32(seed: Word32, stream: Word32, counter: Word32) -> tuple[Any, Any]:
    """Return the two 32-bit words of one block; callable in CPU and CUDA kernels.

    Parameters
    ----------
    seed : uint32
        Key.
    stream : uint32
        Upper word of the counter.
    counter : uint32
        Lower word of the counter.

    Returns
    -------
    (uint32, uint32)
        All 64 bits are independent, so one block serves two numbers.
    """
    key = np.uint64(seed) & LOW_HALF
    low = np.uint64(counter) & LOW_HALF
    high = np.uint64(stream) & LOW_HALF
    for _ in range(ROUNDS):
        product = MULTIPLIER * low
        low = (product >> HALF) ^ key ^ high
        high = product & LOW_HALF
        key = (key + WEYL) & LOW_HALF
    return np.uint32(low), np.uint32(high)


@kernel
def uniform32(seed: Word32, stream: Word32, counter: Word32) -> Any:
    """Return a float32 in [0, 1): one of the 2²⁴ multiples of 2⁻²⁴.

    Parameters
    ----------
    seed, stream, counter : uint32
        Which number of which stream; see `words32`.
    """
    word, _ = words32(seed, stream, counter)
    return np.float32(word >> SPARE_BITS) * UNIT


@kernel
def uniform_pair32(seed: Word32, stream: Word32, counter: Word32) -> tuple[Any, Any]:
    """Return two independent numbers of the kind of `uniform32`, whose own is the first.

    Parameters
    ----------
    seed, stream, counter : uint32
        Which block of which stream; see `words32`.
    """
    first, second = words32(seed, stream, counter)
    return np.float32(first >> SPARE_BITS) * UNIT, np.float32(second >> SPARE_BITS) * UNIT


@kernel
def _fill(seed: Word32, stream: Word32, first: Word32, numbers: NDArray[np.float32]) -> None:
    for i in range(numbers.size):
        numbers[i] = uniform32(seed, stream, first + i)


def uniforms32(
    seed: int, stream: int, count: int, *, first: int = 0, device: Device = "auto"
) -> NDArray[np.float32]:
    """Return a stretch of one stream.

    Parameters
    ----------
    seed, stream : int
        In [0, 2³²). Streams of one seed are independent of each other.
    count : int
        Numbers wanted.
    first : int, optional
        Counter of the first number; a stream has 2³² of them.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; the numbers are the same.

    Returns
    -------
    ndarray of float32, shape (count,)
        Multiples of 2⁻²⁴ in [0, 1).

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    _check_words(seed=seed, stream=stream, count=count, first=first)
    if first + count > WORD_LIMIT:
        raise InputError(f"first: {first} + {count} numbers are more than a stream's 2**32")
    numbers = np.empty(count, np.float32)
    if resolve(device, size=count) == "cuda":
        from swarmloom.random_streams32_cuda import fill

        fill(count, (np.uint32(seed), np.uint32(stream), np.uint32(first)), (numbers,))
    else:
        map_bands(lambda low, high: _fill(seed, stream, first + low, numbers[low:high]), count)
    return numbers


def _check_words(**values: int) -> None:
    for name, value in values.items():
        if not 0 <= value < WORD_LIMIT:
            raise InputError(f"{name}: {value} is not in [0, 2**32)")
