"""The CUDA kernels of `swarmloom_protocols.stigmergy.walkers.strategies`, a thread a walker."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom.random_streams32 import Word32
from swarmloom_protocols.stigmergy.walkers.strategy_kernels import (
    Float32Array,
    centre_all,
    climb_all,
    drift_all,
    fly_all,
    follow_all,
    spiral_all,
)

__all__ = ["MOVERS", "centre", "climb", "drift", "fly", "follow", "spiral"]

cuda = numba_cuda()

SIGNATURE = (
    "void(int64, int64, float32[:, ::1], float32[:, ::1], uint8[::1], float32[:, ::1],"
    " float32[:, :, ::1], int64[:, ::1], float32[:, ::1], float32[::1], uint32)"
)


@kernel(SIGNATURE)
def climb(
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
    """Make all steps of a walker of `GradientAscent` and `GradientDescent` a thread."""
    i = cuda.grid(1)
    if i < stopped.size:
        walkers = positions, headings, stopped, state
        climb_all(i, i + 1, number, steps, walkers, (plane, box, ring, settings, seed))


@kernel(SIGNATURE)
def drift(
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
    """Make all steps of a walker of `BiasedRandomWalk` a thread."""
    i = cuda.grid(1)
    if i < stopped.size:
        walkers = positions, headings, stopped, state
        drift_all(i, i + 1, number, steps, walkers, (plane, box, ring, settings, seed))


@kernel(SIGNATURE)
def fly(
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
    """Make all steps of a walker of `LevyFlight` a thread."""
    i = cuda.grid(1)
    if i < stopped.size:
        walkers = positions, headings, stopped, state
        fly_all(i, i + 1, number, steps, walkers, (plane, box, ring, settings, seed))


@kernel(SIGNATURE)
def spiral(
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
    """Make all steps of a walker of `SpiralSearch` a thread."""
    i = cuda.grid(1)
    if i < stopped.size:
        walkers = positions, headings, stopped, state
        spiral_all(i, i + 1, number, steps, walkers, (plane, box, ring, settings, seed))


@kernel(SIGNATURE)
def follow(
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
    """Make all steps of a walker of `BoundaryFollow` a thread."""
    i = cuda.grid(1)
    if i < stopped.size:
        walkers = positions, headings, stopped, state
        follow_all(i, i + 1, number, steps, walkers, (plane, box, ring, settings, seed))


@kernel(SIGNATURE)
def centre(
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
    """Make all steps of a walker of `SwarmCentering` a thread."""
    i = cuda.grid(1)
    if i < stopped.size:
        walkers = positions, headings, stopped, state
        centre_all(i, i + 1, number, steps, walkers, (plane, box, ring, settings, seed))


# By the numbers of the kinds.
MOVERS = (climb, drift, fly, spiral, follow, centre)
