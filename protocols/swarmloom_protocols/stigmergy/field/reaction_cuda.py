"""CUDA kernels of `swarmloom_protocols.stigmergy.field.reactions`, a thread a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.field.chemistry_kernels import ZERO
from swarmloom_protocols.stigmergy.field.reaction_kernels import HALF, REMAINING, integrate

__all__ = ["average", "react"]

cuda = numba_cuda()


@kernel(
    "void(int64[:,::1], float32[:,::1], float32, float32, float32, int64, float32[:,::1],"
    " float32[:,:,::1], float32[:,::1], float32[::1])"
)
def react(
    codes: NDArray[np.int64],
    numbers: NDArray[np.float32],
    time: float,
    relative: float,
    absolute: float,
    most_steps: int,
    amounts: NDArray[np.float32],
    work: NDArray[np.float32],
    lanes: NDArray[np.float32],
    unfinished: NDArray[np.float32],
) -> None:
    """Let the network react in each cell; add to `unfinished` the time that is left over."""
    i = cuda.grid(1)
    if i < unfinished.size:
        lanes[REMAINING, i] = time
        integrate(codes, numbers, relative, absolute, most_steps, amounts, work, lanes, i, i + 1)
        unfinished[i] += max(lanes[REMAINING, i], ZERO)


@kernel("void(float32[:,:,:,::1], float32[::1], float32[:,:,:,::1])")
def average(
    twice: NDArray[np.float32], kept: NDArray[np.float32], amounts: NDArray[np.float32]
) -> None:
    """Replace amounts by a share of the mean of themselves and of what they are two steps later."""
    i = cuda.grid(1)
    if i < amounts.size:
        _, depth, height, width = amounts.shape
        x, y, z = i % width, i // width % height, i // (width * height) % depth
        plane = i // (width * height * depth)
        both = amounts[plane, z, y, x] + twice[plane, z, y, x]
        amounts[plane, z, y, x] = HALF * kept[plane] * both
