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
# Buffers of the band's northern neighbour and of zeros, beside the two that take turns.
NORTH, ZEROS = 2, 3


@kernel(fastmath=CONTRACT)
def _step_piece(
    rings: Field,
    places: tuple[int, int, int],
    northern: Field,
    shift: int,
    rates: Field,
    layer: Field,
    y: int,
    begin: int,
    end: int,
) -> None:
    """Copy what the piece begin to end of a row still needs and write its next values.

    `places` are the rows of the southern neighbour and of the copy in `rings`, and that of the
    northern neighbour in `northern`, whose cells are at `shift`. Views are made here alone: what
    is handed from function to function has to be counted, at a cost that shows beside a piece.
    """
    loss, rate_y, rate_x = rates[0], rates[2], rates[3]
    south, centre = rings[places[0], PAD + begin :], rings[places[1], begin:]
    north, row = northern[places[2], shift + begin :], layer[y, begin:end]
    # The copy leads by a cache line, for each piece needs one cell of the next.
    lead = PAD if begin else 0
    fresh, copied = layer[y, begin + lead : end + PAD], rings[places[1], PAD + begin + lead :]
    for x in range(fresh.size):
        copied[x] = fresh[x]
    for x in range(row.size):
        value = centre[PAD + x]
        flow = rate_x * second_difference(centre[PAD - 1 + x], value, centre[PAD + 1 + x])
        flow += rate_y * second_difference(south[x], value, north[x])
        row[x] = next_value(value, flow, loss)


@kernel
def _step_row_in_place(
    cells: Field,
    rings: Field,
    places: tuple[int, int, int],
    northern: Field,
    shift: int,
    rates: Field,
    layer: Field,
    y: int,
) -> None:
    """Overwrite a row; fetch the row after next from `cells` meanwhile."""
    width = layer.shape[1]
    ahead = (y + 2) * width
    for begin in range(0, width, PIECE):
        end = min(begin + PIECE, width)
        for index in range(ahead + begin, ahead + end, PAD):
            prefetch(cells, index)
        _step_piece(rings, places, northern, shift, rates, layer, y, begin, end)


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
    height = len(layer)
    cells = layer.reshape(layer.size)
    low, high = codes[1]
    copy_row(halo[0, 0], rings[(start + 1) % 2, PAD:])
    copy_row(halo[1, 0], rings[NORTH, PAD:])
    for y in range(start, stop):
        centre, south, north = y % 2, (y + 1) % 2, NORTH
        if y == 0 and low != PERIODIC:
            south = ZEROS if low == ABSORBING else centre
        if y + 1 == height and high != PERIODIC:
            north = ZEROS if high == ABSORBING else centre
        set_outer_ghosts(layer[y], rings[centre], codes[2, 0], codes[2, 1])
        if y + 1 < stop:
            places = south, centre, y + 1
            _step_row_in_place(cells, rings, places, layer, 0, rates, layer, y)
        else:
            places = south, centre, north
            _step_row_in_place(cells, rings, places, rings, PAD, rates, layer, y)
