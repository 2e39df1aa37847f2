"""CPU kernels of the trail: deposits, mean filter and evaporation in one pass, in place.

A cell u of Jones's "diffusion map" (Artificial Life 16 (2010) 127) becomes the mean of the 3 × 3
cells around it, then loses a share. With w of the filter applied (1 in the paper) and the share k
lost, v = u + w/9·(Σ₃ₓ₃ − 9u) and u' = v − k·v: written as what flows and what is lost, whose
rounding is unbiased. Beyond a reflecting edge, and in walls, lies the cell's own value, so that
mass is kept. Rows roll through buffers, and each cell is read and written once.

What falls below `FLOOR` becomes 0, rounding errors below 0 too: neither denormals are left, nor
what has denormals as its products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.physarum.agent_kernels import product

__all__ = ["next_trail", "open_flow", "settle", "spread_rows", "take_halo"]

FLOOR: Any = np.float32(1e-28)
ZERO: Any = np.float32(0.0)
EIGHT: Any = np.float32(8.0)

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@kernel
def open_flow(own: Any, around: Any, share: Any) -> Any:
    """Return what flows into a cell of which nine cells sum up to `around`."""
    return product(share, around - (EIGHT * own + own))


@kernel
def walled_flow(own: Any, around: Any, share: Any, links: Any) -> Any:
    """Return what flows into a cell with `links` open ones among its nine, itself counted."""
    flow = product(share, around - product(np.float32(links), own))
    return flow if links else ZERO


@kernel
def next_trail(own: Any, flow: Any, loss: Any) -> Any:
    """Return a cell's next value."""
    spread = own + flow
    left = spread - product(loss, spread)
    return left if left > FLOOR else ZERO


@kernel
def _take_parts(trail: Floats, counts: NDArray[np.uint8], y: int, amount: Any, row: Floats) -> None:
    row[:] = ZERO
    # Whole numbers, whose sums are exact in any order.
    for part in range(counts.shape[0]):
        for x in range(trail.size):
            row[x + 1] += np.float32(counts[part, y, x])
    for x in range(trail.size):
        row[x + 1] = trail[x] + product(amount, row[x + 1])


@kernel
def take_row(
    trail: Floats, counts: NDArray[np.uint8], y: int, amount: Any, mirror: Any, row: Floats
) -> None:
    """Write a row with its deposits, and what lies beyond its two ends.

    Parameters
    ----------
    trail : ndarray of float32, shape (Y, X)
    counts : ndarray of uint8, shape (parts, Y, X)
        Deposits.
    y : int
    amount : float32
        Trail in a deposit.
    mirror : int
        0 for periodic ends, else reflecting ones.
    row : ndarray of float32, shape (X + 2,)
        Overwritten.
    """
    parts, _, width = counts.shape
    if parts == 1:
        for x in range(width):
            row[x + 1] = trail[y, x] + product(amount, np.float32(counts[0, y, x]))
    else:
        _take_parts(trail[y], counts, y, amount, row)
    row[0] = row[1] if mirror else row[width]
    row[width + 1] = row[width] if mirror else row[1]


@kernel
def _clear_row(counts: NDArray[np.uint8], y: int) -> None:
    for part in range(counts.shape[0]):
        counts[part, y, :] = 0


@kernel
def _sum_across(row: Floats, sums: Floats) -> None:
    for x in range(row.size - 2):
        sums[x] = row[x] + row[x + 2] + row[x + 1]


@kernel
def _write_row(
    rates: Floats, row: Floats, before: Floats, here: Floats, after: Floats, trail: Floats
) -> None:
    loss, share = rates[0], rates[1]
    for x in range(trail.size):
        around = before[x] + after[x] + here[x]
        trail[x] = next_trail(row[x + 1], open_flow(row[x + 1], around, share), loss)


@kernel
def _write_walled_row(
    rates: Floats,
    row: Floats,
    before: Floats,
    here: Floats,
    after: Floats,
    links: Bytes,
    trail: Floats,
) -> None:
    loss, share = rates[0], rates[1]
    for x in range(trail.size):
        around = before[x] + after[x] + here[x]
        flow = walled_flow(row[x + 1], around, share, links[x])
        trail[x] = next_trail(row[x + 1], flow, loss)


@kernel
def spread_rows(
    trail: Floats,
    counts: NDArray[np.uint8],
    links: Bytes,
    rates: Floats,
    mirror: Any,
    halo: Floats,
    start: int,
    stop: int,
) -> None:
    """Add the deposits to rows start to stop, apply the filter and evaporate, in place.

    Parameters
    ----------
    trail : ndarray of float32, shape (Y, X)
    counts : ndarray of uint8, shape (parts, Y, X)
        Deposits; set to 0.
    links : ndarray of uint8, shape (Y, X) or (0, 0)
        Open cells among the nine of an open cell, 0 in a wall; empty where there are no walls.
    rates : ndarray of float32, shape (3,)
        Share lost, share of the filter over 9, trail in a deposit.
    mirror : int
        0 for periodic ends of the rows, else reflecting ones.
    halo : ndarray of float32, shape (2, X + 2)
        As `take_halo` gives it, before any row has been written.
    start, stop : int
        Rows.
    """
    width = trail.shape[1]
    rows, sums = np.empty((2, width + 2), np.float32), np.empty((3, width), np.float32)
    _sum_across(halo[0], sums[(start + 2) % 3])
    take_row(trail, counts, start, rates[2], mirror, rows[start % 2])
    _sum_across(rows[start % 2], sums[start % 3])
    for y in range(start, stop):
        if y + 1 < stop:
            take_row(trail, counts, y + 1, rates[2], mirror, rows[(y + 1) % 2])
        else:
            rows[(y + 1) % 2] = halo[1]
        _sum_across(rows[(y + 1) % 2], sums[(y + 1) % 3])
        _clear_row(counts, y)
        row, before, after = rows[y % 2], sums[(y + 2) % 3], sums[(y + 1) % 3]
        if links.size:
            _write_walled_row(rates, row, before, sums[y % 3], after, links[y], trail[y])
        else:
            _write_row(rates, row, before, sums[y % 3], after, trail[y])


@kernel
def take_halo(
    trail: Floats,
    counts: NDArray[np.uint8],
    amount: Any,
    frame: NDArray[np.int32],
    start: int,
    stop: int,
    halo: Floats,
) -> None:
    """Take the rows before and after a band, as `spread_rows` needs them.

    Parameters
    ----------
    trail, counts, amount
        As in `take_row`.
    frame : ndarray of int32, shape (5,)
        As in `cell_at`.
    start, stop : int
        First row and end row of the band.
    halo : ndarray of float32, shape (2, X + 2)
        Overwritten.
    """
    height = trail.shape[0]
    mirror_y, mirror_x = frame[2], frame[3]
    before, after = start - 1, stop
    if before < 0:
        before = 0 if mirror_y else height - 1
    if after >= height:
        after = height - 1 if mirror_y else 0
    take_row(trail, counts, before, amount, mirror_x, halo[0])
    take_row(trail, counts, after, amount, mirror_x, halo[1])


@kernel
def settle(
    trail: Floats, counts: NDArray[np.uint8], cells: NDArray[np.int64], more: Any, amount: Any
) -> None:
    """Add all deposits of cells whose counts ran over, and set their counts to 0.

    Parameters
    ----------
    trail : ndarray of float32, shape (cells,)
    counts : ndarray of uint8, shape (parts, cells)
    cells : ndarray of int64, shape (K,)
        Without repetition.
    more : ndarray of int64, shape (K,)
        Deposits of each beside those of `counts`.
    amount : float32
        Trail in a deposit.
    """
    for i in range(cells.size):
        deposits = more[i]
        for part in range(counts.shape[0]):
            deposits += counts[part, cells[i]]
            counts[part, cells[i]] = 0
        trail[cells[i]] += product(amount, np.float32(deposits))
