"""The CUDA kernel of `swarmloom_protocols.stigmergy.patterns.box_counting`, a thread a box."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.patterns.box_counting import halved, holds_any

__all__ = ["coarsen", "counts"]

cuda = numba_cuda()


@kernel("void(uint8[::1], int64, int64, int64, uint8[::1])")
def coarsen(
    cells: NDArray[np.uint8], depth: int, height: int, width: int, boxes: NDArray[np.uint8]
) -> None:
    """Write which boxes of 2 × 2 × 2 cells hold a set one."""
    box = cuda.grid(1)
    if box < boxes.size:
        boxes[box] = holds_any(cells, box, depth, height, width)


def counts(cells: NDArray[np.uint8], shape: tuple[int, ...]) -> Iterator[int]:
    """Return how many boxes are set at each coarser level; the levels stay on the GPU."""
    finer = cuda.to_device(cells)
    while max(shape) > 1:
        n_boxes = math.prod(halved(shape))
        boxes = cuda.device_array(n_boxes, np.uint8)
        coarsen.launch(n_boxes, finer, *shape, boxes)
        yield int(np.count_nonzero(boxes.copy_to_host()))
        finer, shape = boxes, halved(shape)
