"""The CUDA kernel of `swarmloom_protocols.stigmergy.patterns.box_counting`, a thread a box."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.patterns.box_counting import box_holds, halved

__all__ = ["coarsen", "counts"]

cuda = numba_cuda()


@kernel("void(uint8[:,:,::1], uint8[:,:,::1])")
def coarsen(cells: NDArray[np.uint8], boxes: NDArray[np.uint8]) -> None:
    """Write which boxes of 2 × 2 × 2 cells hold a set one."""
    box = cuda.grid(1)
    if box < boxes.size:
        height, width = boxes.shape[1], boxes.shape[2]
        z, y, x = box // (width * height), box // width % height, box % width
        boxes[z, y, x] = box_holds(cells, z, y, x)


def counts(cells: NDArray[np.uint8]) -> Iterator[int]:
    """Return how many boxes are set at each coarser level; the levels stay on the GPU."""
    finer, shape = cuda.to_device(cells), cells.shape
    while max(shape) > 1:
        shape = halved(shape)
        boxes = cuda.device_array(shape, np.uint8)
        coarsen.launch(boxes.size, finer, boxes)
        yield int(np.count_nonzero(boxes.copy_to_host()))
        finer = boxes
