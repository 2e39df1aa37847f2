"""CPU kernel of one step of a volume: isotropic diffusion and evaporation in one pass.

Rows of a volume are short, and the start of each would cost more than its cells. The rows of a
layer are therefore computed as one long row, in which a cell's neighbours along x, y and z lie at
five fixed distances; the first and the last cell of each row, whose neighbours along x are others,
are computed once more. A layer's outer rows are taken one by one, and so are those beside an
absorbing side along z, from buffers with zeros for what is not there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import neighbour
from swarmloom_protocols.stigmergy.field.diffusion_kernels import (
    CONTRACT,
    PAD,
    PIECE,
    ZERO,
    next_value,
    second_difference,
)
from swarmloom_protocols.stigmergy.field.prefetch import prefetch

__all__ = ["step_volume"]

Cells = NDArray[np.float32]
IntArray = NDArray[np.int64]
# Where, in an array of cells, a run of rows and those south, north, below and above it begin.
Places = tuple[int, int, int, int, int]

# Cells between those that are computed and those that are fetched.
AHEAD = 2048


@kernel(fastmath=CONTRACT)
def _next_in_volume(
    along_x: tuple[float, float, float],
    along_y: tuple[float, float],
    along_z: tuple[float, float],
    rates: tuple[float, float, float, float],
) -> float:
    """Return a cell's next value; it is in the middle of `along_x`, its neighbours beside it."""
    value = along_x[1]
    flow = rates[3] * second_difference(along_x[0], value, along_x[2])
    flow += rates[2] * second_difference(along_y[0], value, along_y[1])
    flow += rates[1] * second_difference(along_z[0], value, along_z[1])
    return next_value(value, flow, rates[0])


@kernel(fastmath=CONTRACT)
def _step_piece(
    cells: Cells, places: Places, begin: int, end: int, rates: Cells, target: Cells, first: int
) -> None:
    """Write the cells begin to end of a run of rows as if it were one row."""
    given = rates[0], rates[1], rates[2], rates[3]
    here = cells[places[0] + begin - 1 : places[0] + end + 1]
    south, north = cells[places[1] + begin :], cells[places[2] + begin :]
    below, above = cells[places[3] + begin :], cells[places[4] + begin :]
    out = target[first + begin : first + end]
    for x in range(out.size):
        along_x, along_y = (here[x], here[x + 1], here[x + 2]), (south[x], north[x])
        out[x] = _next_in_volume(along_x, along_y, (below[x], above[x]), given)


@kernel
def _cell(cells: Cells, index: int) -> float:
    """Return a cell without a look at whether the index is below 0."""
    value: float = cells[np.uintp(index)]
    return value


@kernel
def _ends_of_rows(width: int, low: int, high: int) -> tuple[tuple[int, int, int], ...]:
    """Return x of the first and the last cell of a row, each before that of its neighbours."""
    last = width - 1
    first_of = 0, neighbour(0, -1, width, low, high), neighbour(0, 1, width, low, high)
    last_of = last, neighbour(last, -1, width, low, high), neighbour(last, 1, width, low, high)
    return first_of, last_of


@kernel(fastmath=CONTRACT)
def _step_ends(
    cells: Cells,
    places: Places,
    row: int,
    ends: tuple[tuple[int, int, int], ...],
    rates: Cells,
    target: Cells,
    first: int,
) -> None:
    """Write the first and the last cell of the row that begins at `row` of a run."""
    given = rates[0], rates[1], rates[2], rates[3]
    for x, left, right in ends:
        low = _cell(cells, places[0] + row + left) if left >= 0 else ZERO
        high = _cell(cells, places[0] + row + right) if right >= 0 else ZERO
        along_x = low, _cell(cells, places[0] + row + x), high
        along_y = _cell(cells, places[1] + row + x), _cell(cells, places[2] + row + x)
        along_z = _cell(cells, places[3] + row + x), _cell(cells, places[4] + row + x)
        target[np.uintp(first + row + x)] = _next_in_volume(along_x, along_y, along_z, given)


@kernel
def _step_run(
    cells: Cells,
    places: Places,
    size: int,
    width: int,
    ends: tuple[tuple[int, int, int], ...],
    rates: Cells,
    target: Cells,
    first: int,
) -> None:
    """Write a run of `size` cells of whole rows to `target` from `first` on."""
    step = max(1, PIECE // width) * width
    for start in range(0, size, step):
        stop = min(start + step, size)
        for begin in range(start, stop, PIECE):
            end = min(begin + PIECE, stop)
            for index in range(begin + AHEAD, end + AHEAD, PAD):
                prefetch(cells, places[4] + index)
                prefetch(target, first + index)
            _step_piece(cells, places, begin, end, rates, target, first)
        for row in range(start, stop, width):
            _step_ends(cells, places, row, ends, rates, target, first)


@kernel
def _start_beside(
    row: int, index: int, step: int, size: int, sides: IntArray, pitch: int, width: int
) -> int:
    """Return where the row beside a row begins, −1 where nothing is; rows lie `pitch` apart."""
    there = neighbour(index, step, size, sides[0], sides[1])
    return (row + (there - index) * pitch) * width if there >= 0 else -1


@kernel
def _collect(cells: Cells, places: Places, buffers: Cells, width: int) -> Places:
    """Copy a row and those around it into buffers, zeros for what is not there; return where."""
    pitch = PAD + width
    for k in range(5):
        for x in range(width):
            there = places[k] >= 0
            buffers[PAD + k * pitch + x] = cells[places[k] + x] if there else ZERO
    return PAD, PAD + pitch, PAD + 2 * pitch, PAD + 3 * pitch, PAD + 4 * pitch


@kernel
def step_volume(
    source: NDArray[np.float32],
    rates: NDArray[np.float32],
    codes: IntArray,
    buffers: Cells,
    start: int,
    stop: int,
    target: NDArray[np.float32],
) -> None:
    """Write the next values of the rows start to stop, counted through all planes.

    Parameters
    ----------
    source : ndarray of float32, shape (planes, Z, Y, X)
    rates : ndarray of float32, shape (planes, 4)
        Share lost in the step, then D·dt/h² of z, y and x.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    buffers : ndarray of float32, shape (5·(X + `PAD`) + `PAD`,)
        Overwritten.
    start, stop : int
        Rows of planes × Z × Y.
    target : ndarray of float32, shape of `source`
        Only these rows are written.
    """
    _, depth, height, width = source.shape
    cells, out = source.reshape(source.size), target.reshape(target.size)
    ends, row = _ends_of_rows(width, codes[2, 0], codes[2, 1]), start
    while row < stop:
        y, z, plane = row % height, row // height % depth, rates[row // (depth * height)]
        south = _start_beside(row, y, -1, height, codes[1], 1, width)
        north = _start_beside(row, y, 1, height, codes[1], 1, width)
        below = _start_beside(row, z, -1, depth, codes[0], height, width)
        above = _start_beside(row, z, 1, depth, codes[0], height, width)
        places, first = (row * width, south, north, below, above), row * width
        if 0 < y < height - 1 and min(below, above) >= 0:
            rows = min(height - 1 - y, stop - row)
            _step_run(cells, places, rows * width, width, ends, plane, out, first)
        else:
            rows, places = 1, _collect(cells, places, buffers, width)
            _step_run(buffers, places, width, width, ends, plane, out, first)
        row += rows
