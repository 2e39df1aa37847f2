"""One step of a band of rows, in place.

Memory is read once and written once, and what is written was read before, so that no cache line is
fetched only to be overwritten. Each row is worked on in pieces that stay in the first-level cache:
a piece is copied (the old values are needed by the next row), computed, and written where it came
from, while the piece of the row after next is on its way from memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, PERIODIC
from swarmloom_protocols.stigmergy.field.diffusion_kernels import (
    CONTRACT,
    PAD,
    copy_row,
    next_value,
    second_difference,
    set_outer_ghosts,
)
from swarmloom_protocols.stigmergy.field.prefetch import prefetch

__all__ = ["step_band"]

Field = NDArray[np.float32]

# Cells of a piece: four of its copies fit into a first-level cache of 32 KB.
PIECE = 512


@kernel(fastmath=CONTRACT)
def _step_piece(south: Field, centre: Field, north: Field, rates: Field, target: Field) -> None:
    """Write the next values of a piece; only `centre` has `PAD` cells before its first."""
    loss, rate_y, rate_x = rates[0], rates[2], rates[3]
    for x in range(target.size):
        value = centre[PAD + x]
        flow = rate_x * second_difference(centre[PAD - 1 + x], value, centre[PAD + 1 + x])
        flow += rate_y * second_difference(south[x], value, north[x])
        target[x] = next_value(value, flow, loss)


@kernel
def _step_row_in_place(
    cells: Field, ahead: int, south: Field, centre: Field, north: Field, rates: Field, row: Field
) -> None:
    """Copy a row into `centre` and overwrite it; fetch what is at `ahead` of `cells` meanwhile."""
    width = row.size
    # The copy leads by a cache line, for each piece needs one cell of the next.
    copy_row(row[:PAD], centre[PAD:])
    for begin in range(0, width, PIECE):
        end = min(begin + PIECE, width)
        for index in range(ahead + begin, ahead + end, PAD):
            prefetch(cells, index)
        if begin + PAD < width:
            copy_row(row[begin + PAD : min(end + PAD, width)], centre[begin + 2 * PAD :])
        _step_piece(south[begin:], centre[begin:], north[begin:], rates, row[begin:end])


@kernel
def step_band(
    layer: Field,
    start: int,
    stop: int,
    rates: Field,
    codes: NDArray[np.int64],
    halo: Field,
    rings: Field,
) -> None:
    """Take one step of the rows start to stop of a layer, in place.

    Parameters
    ----------
    layer : ndarray of float32, shape (Y, X)
        Only these rows are overwritten, and read as far as no other band overwrites them.
    start, stop : int
        First and end row.
    rates : ndarray of float32, shape (4,)
        Share lost, then D·dt/h² of z (not read), y and x.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    halo : ndarray of float32, shape (2, 1, X)
        The rows before and after, as they were, where there are any.
    rings : ndarray of float32, four of `row_buffers`
        The last one holds zeros.
    """
    height, width = layer.shape
    cells, nothing = layer.reshape(layer.size), rings[3, PAD : PAD + width]
    low, high = codes[1]
    copy_row(halo[0, 0], rings[(start + 1) % 2, PAD:])
    for y in range(start, stop):
        row, centre = layer[y], rings[y % 2]
        inner = centre[PAD : PAD + width]
        south, north = rings[(y + 1) % 2, PAD : PAD + width], halo[1, 0]
        if y == 0 and low != PERIODIC:
            south = nothing if low == ABSORBING else inner
        if y + 1 < stop:
            north = layer[y + 1]
        elif y + 1 == height and high != PERIODIC:
            north = nothing if high == ABSORBING else inner
        set_outer_ghosts(row, centre, codes[2, 0], codes[2, 1])
        _step_row_in_place(cells, (y + 2) * width, south, centre, north, rates, row)
