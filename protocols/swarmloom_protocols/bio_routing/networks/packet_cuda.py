"""The CUDA kernel of `swarmloom_protocols.bio_routing.networks.packet_kernels`, a thread an ant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.bio_routing.networks.packet_kernels import LOST, Wires, walk

__all__ = ["walk_each"]

cuda = numba_cuda()

IntArray = NDArray[np.int64]
IndexArray = NDArray[np.int32]

ENTERED = 1


@kernel(
    "void(int64[::1], int64[::1], int64[::1], float32[:, ::1], int64[::1], int64[::1], "
    "int64[::1], int64[::1], uint32, int32[:, ::1], int32[:, ::1])"
)
def walk_each(
    sources: IntArray,
    targets: IntArray,
    rows: IntArray,
    weights: NDArray[np.float32],
    link_sources: IntArray,
    link_targets: IntArray,
    out_starts: IntArray,
    out_links: IntArray,
    seed: int,
    entered: IndexArray,
    paths: IndexArray,
) -> None:
    """Let each ant walk; `entered`, of zeros, and `paths` have an ant a column."""
    ant = cuda.grid(1)
    if ant >= paths.shape[1]:
        return
    if targets[ant] < 0:
        for place in range(paths.shape[0]):
            paths[place, ant] = LOST
        return
    wires = Wires(link_sources, link_targets, out_starts, out_links)
    walk(
        sources[ant],
        targets[ant],
        weights[rows[ant]],
        wires,
        seed,
        ant,
        ENTERED,
        entered[:, ant],
        paths[:, ant],
    )
