"""The CUDA kernel of `swarmloom_protocols.bio_routing.search.walk_kernels`, a thread an ant."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom.jit import kernel as cpu_kernel
from swarmloom_protocols.bio_routing.search import walk_kernels
from swarmloom_protocols.bio_routing.search.tours.distances import ATT, MATRIX, NEAREST, UP
from swarmloom_protocols.bio_routing.search.walk_kernels import Graph, Scratch

__all__ = ["construct"]

cuda = numba_cuda()

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]


@cpu_kernel
def away(graph: Graph, here: int, there: int) -> float:
    """Return what `tours.distances.distance` does, whose NumPy functions no GPU has."""
    if graph.code == MATRIX:
        return float(graph.matrix[here, there])
    x = graph.points[here, 0] - graph.points[there, 0]
    y = graph.points[here, 1] - graph.points[there, 1]
    square = x * x + y * y
    if graph.code == ATT:
        exact = math.sqrt(square / 10.0)
        near = float(math.floor(exact + 0.5))
        return near + 1.0 if near < exact else near
    if graph.code == NEAREST:
        return float(math.floor(math.sqrt(square) + 0.5))
    return float(math.ceil(math.sqrt(square))) if graph.code == UP else math.sqrt(square)


walk = walk_kernels.rebuilt((walk_kernels.rescue, walk_kernels.walk), {"away": away})["walk"]


@kernel(
    "void(int64[::1], int32[::1], float64[::1], float64[::1], float64[::1], float64[:, ::1], "
    "float64[:, ::1], int64, int64, int64, int64, float64, float32[::1], float64, uint32, "
    "float32[:, ::1], float64[:, ::1], int32[:, ::1], int32[:, ::1], float32[:, ::1], "
    "int32[:, ::1], int32[:, ::1], int32[::1], float64[::1], int64[::1])"
)
def construct(
    starts: NDArray[np.int64],
    targets: IndexArray,
    option_costs: FloatArray,
    loads: FloatArray,
    capacities: FloatArray,
    points: FloatArray,
    matrix: FloatArray,
    code: int,
    rules: int,
    origin: int,
    sink: int,
    penalty: float,
    choice: NDArray[np.float32],
    greediness: float,
    seed: int,
    free: NDArray[np.float32],
    room: FloatArray,
    left: IndexArray,
    place: IndexArray,
    weights: NDArray[np.float32],
    following: IndexArray,
    sequences: IndexArray,
    lengths: IndexArray,
    costs: FloatArray,
    queries: NDArray[np.int64],
) -> None:
    """Let each ant build one solution; all two-dimensional arrays of ants have an ant a column."""
    ant = cuda.grid(1)
    if ant >= costs.size:
        return
    graph = Graph(
        starts,
        targets,
        option_costs,
        loads,
        capacities,
        points,
        matrix,
        code,
        rules,
        origin,
        sink,
        penalty,
    )
    scratch = Scratch(free[:, ant], room[:, ant], left[:, ant], place[:, ant], weights[:, ant])
    cost, length, asked = walk(
        graph,
        choice,
        0,
        greediness,
        seed,
        ant,
        0,
        following[:, ant],
        sequences[:, ant],
        scratch,
    )
    for step in range(length, sequences.shape[0]):
        sequences[step, ant] = -1
    costs[ant], lengths[ant], queries[ant] = cost, length, asked
