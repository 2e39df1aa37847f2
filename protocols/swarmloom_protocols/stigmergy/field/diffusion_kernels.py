"""CPU kernels of one step of a plane: isotropic diffusion and evaporation in one pass.

The explicit scheme (FTCS: forward in time, centred in space) on cells u with the share
r = D·dt/h² of each axis,

    v = u + Σ_axes r·(u₋ + u₊ − 2u),    u' = v − (1 − e^{−k·dt})·v.

It is written as what flows and what is lost, not as weights: rounding the flows is unbiased, while
rounded weights would make mass drift. What falls below `FLOOR` becomes 0 (see
`swarmloom.denormals`), chosen so high that products of what is left are no denormals either.

Rows are read from buffers with a ghost cell at each end and `PAD` cells before the first, so that
no cell is a special case and rows begin where vector registers do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, PERIODIC
from swarmloom_protocols.stigmergy.field.prefetch import prefetch

__all__ = [
    "CONTRACT",
    "FLOOR",
    "PAD",
    "PIECE",
    "ZERO",
    "aligned_zeros",
    "copy_row",
    "fetch_row",
    "next_value",
    "row_buffers",
    "second_difference",
    "set_ghosts",
    "set_outer_ghosts",
    "step_two_rows",
]

Row = NDArray[np.float32]

# Of the narrower type, so that values keep theirs.
FLOOR: Any = np.float32(1e-30)
ZERO: Any = np.float32(0.0)
# float32 values of a cache line, which is also the widest vector register.
PAD = 16
# Cells between hints to the prefetcher: long beside a loop's start, short beside its queue.
PIECE = 256
# Products and sums may become one instruction; nothing is reordered.
CONTRACT = frozenset({"contract"})


def aligned_zeros(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a zeroed float32 array in C order that begins at a cache line."""
    size = int(np.prod(shape))
    room = np.zeros(size + PAD, np.float32)
    start = -room.ctypes.data // room.itemsize % PAD
    return room[start : start + size].reshape(shape)


def row_buffers(count: int, width: int) -> NDArray[np.float32]:
    """Return zeroed buffers for rows with ghost cells, each at the start of a cache line.

    Parameters
    ----------
    count : int
        Rows.
    width : int
        Cells of a row, X.

    Returns
    -------
    ndarray of float32, shape (count, PAD + X rounded up + PAD)
        The cell x of a row is at PAD + x.
    """
    return aligned_zeros((count, PAD * (2 + -(-width // PAD))))


@kernel(fastmath=CONTRACT)
def second_difference(low: float, centre: float, high: float) -> float:
    """Return the second difference along an axis."""
    return low + high - (centre + centre)


@kernel(fastmath=CONTRACT)
def next_value(centre: float, flow: float, loss: float) -> float:
    """Return a cell's next value: what flows in is added, then a share is lost."""
    spread = centre + flow
    left = spread - loss * spread
    kept: float = ZERO if abs(left) < FLOOR else left
    return kept


@kernel
def copy_row(source: Row, target: Row) -> None:
    """Copy a row to the start of another one."""
    for x in range(source.size):
        target[x] = source[x]


@kernel
def set_outer_ghosts(row: Row, padded: Row, low: int, high: int) -> None:
    """Write the ghost cells that a row has in a buffer, as the boundary codes say."""
    width = row.size
    before = row[width - 1] if low == PERIODIC else row[0]
    after = row[0] if high == PERIODIC else row[width - 1]
    padded[PAD - 1] = ZERO if low == ABSORBING else before
    padded[PAD + width] = ZERO if high == ABSORBING else after


@kernel
def set_ghosts(rings: NDArray[np.float32], place: int, width: int, low: int, high: int) -> None:
    """Write the ghost cells of a row that is in a buffer already.

    It takes no view of the row, for each view has to be counted.
    """
    before = rings[place, PAD + width - 1] if low == PERIODIC else rings[place, PAD]
    after = rings[place, PAD] if high == PERIODIC else rings[place, PAD + width - 1]
    rings[place, PAD - 1] = ZERO if low == ABSORBING else before
    rings[place, PAD + width] = ZERO if high == ABSORBING else after


@kernel
def fetch_row(source: Row, low: int, high: int, padded: Row) -> None:
    """Copy a row into a buffer and write its ghost cells."""
    copy_row(source, padded[PAD:])
    set_outer_ghosts(source, padded, low, high)


@kernel(fastmath=CONTRACT)
def _step_piece(
    rings: NDArray[np.float32],
    places: tuple[int, int, int, int],
    begin: int,
    end: int,
    rates: Row,
    targets: NDArray[np.float32],
    first: int,
    second: int,
    shift: int,
) -> None:
    """Write the cells begin to end of two rows; arguments as of `step_two_rows`."""
    loss, rate_y, rate_x = rates[0], rates[2], rates[3]
    low, high = rings[places[0], PAD + begin :], rings[places[3], PAD + begin :]
    here, there = rings[places[1], begin:], rings[places[2], begin:]
    out_here = targets[first, shift + begin : shift + end]
    out_there = targets[second, shift + begin : shift + end]
    for x in range(out_here.size):
        one, other = here[PAD + x], there[PAD + x]
        flow = rate_x * second_difference(here[PAD - 1 + x], one, here[PAD + 1 + x])
        flow += rate_y * second_difference(low[x], one, other)
        out_here[x] = next_value(one, flow, loss)
        flow = rate_x * second_difference(there[PAD - 1 + x], other, there[PAD + 1 + x])
        flow += rate_y * second_difference(one, other, high[x])
        out_there[x] = next_value(other, flow, loss)


@kernel
def step_two_rows(
    rings: NDArray[np.float32],
    places: tuple[int, int, int, int],
    width: int,
    rates: Row,
    targets: NDArray[np.float32],
    first: int,
    second: int,
    shift: int,
    memory: Row,
    ahead: int,
) -> None:
    """Write the next values of two rows of a plane that follow each other.

    Parameters
    ----------
    rings : ndarray of float32, of `row_buffers`
        Rows with their ghost cells.
    places : (int, int, int, int)
        Where in `rings` the row before both, they themselves and the row after them are.
    width : int
        Cells of a row, X.
    rates : ndarray of float32, shape (4,)
        Share lost, then D·dt/h² of z, y and x.
    targets : ndarray of float32, shape (rows, at least `shift` + X)
        May be `rings`.
    first, second : int
        Rows of `targets` that are overwritten.
    shift : int
        Where in them the first cell is.
    memory : ndarray of float32
        Where to fetch as many cells from meanwhile.
    ahead : int
        The first of them; a negative number fetches nothing.
    """
    piece = PIECE if ahead >= 0 else width
    for begin in range(0, width, piece):
        end = min(begin + piece, width)
        if ahead >= 0:
            for index in range(ahead + 2 * begin, ahead + 2 * end, PAD):
                prefetch(memory, index)
        _step_piece(rings, places, begin, end, rates, targets, first, second, shift)
