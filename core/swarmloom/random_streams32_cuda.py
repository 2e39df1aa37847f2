"""The CUDA kernel of `swarmloom.random_streams32`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom.random_streams32 import Word32, uniform32

__all__ = ["fill"]

cuda = numba_cuda()


@kernel("void(uint32, uint32, uint32, float32[::1])")
def fill(seed: Word32, stream: Word32, first: Word32, numbers: NDArray[np.float32]) -> None:
    """Write numbers `first`, `first` + 1, … of a stream."""
    i = cuda.grid(1)
    if i < numbers.size:
        numbers[i] = uniform32(seed, stream, np.uint64(first) + np.uint64(i))
