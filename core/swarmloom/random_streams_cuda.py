"""The CUDA kernel of `swarmloom.random_streams`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom.random_streams import Word, uniform

__all__ = ["fill"]

cuda = numba_cuda()


@kernel("void(uint64, uint64, uint64, float64[::1])")
def fill(seed: Word, stream: Word, first: Word, numbers: NDArray[np.float64]) -> None:
    """Write numbers `first`, `first` + 1, … of a stream."""
    i = cuda.grid(1)
    if i < numbers.size:
        numbers[i] = uniform(seed, stream, np.uint64(first) + np.uint64(i))
