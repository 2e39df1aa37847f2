"""The CUDA kernels of `swarmloom_protocols.stigmergy.walkers.strategies`, a thread a walker."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import CudaKernel, kernel, numba_cuda
from swarmloom.random_streams32 import Word32
from swarmloom_protocols.stigmergy.walkers.strategy_kernels import (
    Float32Array,
    Swarm,
    World,
    centre_all,
    climb_all,
    drift_all,
    fly_all,
    follow_all,
    spiral_all,
)

__all__ = ["MOVERS", "centre", "climb", "drift", "fly", "follow", "spiral"]

cuda = numba_cuda()

Mover = Callable[[int, int, int, int, Swarm, World], None]

# Whose loop `_move` runs is said by `_mover`.
move_all: Mover = climb_all

SIGNATURE = (
    "void(int64, int64, float32[:, ::1], float32[:, ::1], uint8[::1], float32[:, ::1],"
    " float32[:, :, ::1], int64[:, ::1], float32[:, ::1], float32[::1], uint32)"
)


def _move(
    number: int,
    steps: int,
    positions: Float32Array,
    headings: Float32Array,
    stopped: NDArray[np.uint8],
    state: Float32Array,
    plane: Float32Array,
    box: NDArray[np.int64],
    ring: Float32Array,
    settings: Float32Array,
    seed: Word32,
) -> None:
    i = cuda.grid(1)
    if i < stopped.size:
        walkers = positions, headings, stopped, state
        move_all(i, i + 1, number, steps, walkers, (plane, box, ring, settings, seed))


def _mover(name: str, loop: Mover) -> CudaKernel:
    """Make the kernel of one strategy, in which ``move_all`` is its loop."""
    return kernel(SIGNATURE)(FunctionType(_move.__code__, globals() | {"move_all": loop}, name))


climb = _mover("climb", climb_all)
drift = _mover("drift", drift_all)
fly = _mover("fly", fly_all)
spiral = _mover("spiral", spiral_all)
follow = _mover("follow", follow_all)
centre = _mover("centre", centre_all)

# By the numbers of the kinds.
MOVERS = (climb, drift, fly, spiral, follow, centre)
