"""The CUDA kernel of `swarmloom_protocols.stigmergy.walkers.levy`, a thread a length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom.random_streams32 import Word32, words32
from swarmloom_protocols.stigmergy.walkers.levy_kernels import flight_length

__all__ = ["fill"]

cuda = numba_cuda()


@kernel("void(uint32, float32[::1], float32[::1])")
def fill(seed: Word32, law: NDArray[np.float32], lengths: NDArray[np.float32]) -> None:
    """Write a length a thread; both words of a block are used."""
    i = cuda.grid(1)
    if i < lengths.size:
        one, other = words32(seed, 0, i // 2)
        lengths[i] = flight_length(other if i % 2 else one, law)
