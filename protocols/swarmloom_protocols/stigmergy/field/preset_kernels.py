"""CPU kernels of the reaction–diffusion presets: both channels, reaction and diffusion, in a pass.

The cell functions are shared with the CUDA kernels. Rates come multiplied by the time step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import neighbour
from swarmloom_protocols.stigmergy.field.chemistry_kernels import (
    FLOOR,
    ONE,
    ZERO,
    rows_beside,
    rows_upright,
    settled,
    value_at,
)

__all__ = [
    "FITZHUGH_NAGUMO",
    "GRAY_SCOTT",
    "bend",
    "fisher_cell",
    "fisher_rows",
    "pair_cell",
    "pair_rows",
]

Row = NDArray[np.float32]
Numbers = NDArray[np.int64]
Rates = tuple[float, float, float, float, float, float, float]

GRAY_SCOTT, FITZHUGH_NAGUMO = 0, 1
# Of the narrower type, so that values keep theirs.
FOUR: Any = np.float32(4.0)
THIRD: Any = np.float32(1.0 / 3.0)


@kernel
def bend(low: float, left: float, centre: float, right: float, high: float) -> float:
    """Return the Laplacian in a plane."""
    bent: float = (left + right) + (low + high) - FOUR * centre
    return bent


@kernel
def gray_scott_cell(u: float, v: float, bend_u: float, bend_v: float, r: Rates) -> Any:
    """Return the next u and v; r: dt, dt·D_u, dt·D_v, dt·F, dt·(F + k), unused, unused.

    What the reaction takes is at most what is there, so that no amount falls below 0.
    """
    fed = u + r[1] * bend_u + r[3] * (ONE - u)
    turned = min(r[0] * u * v * v, max(fed, ZERO))
    left = v + r[2] * bend_v - r[4] * v
    return settled(fed - turned), settled(left + turned)


@kernel
def flushed(value: float) -> float:
    """Return 0 instead of what is smaller than `FLOOR` on either side of 0."""
    kept: float = ZERO if abs(value) < FLOOR else value
    return kept


@kernel
def fitzhugh_nagumo_cell(u: float, w: float, bend_u: float, bend_w: float, r: Rates) -> Any:
    """Return the next u and w; r: dt, dt·D_u, dt·D_w, dt·ε, dt·ε·a, dt·ε·b, I."""
    rise = u - THIRD * u * u * u - w + r[6]
    next_u = u + r[1] * bend_u + r[0] * rise
    next_w = w + r[2] * bend_w + (r[3] * u + r[4] - r[5] * w)
    return flushed(next_u), flushed(next_w)


@kernel
def pair_cell(model: int, u: float, v: float, bend_u: float, bend_v: float, r: Rates) -> Any:
    """Return the next values of a cell of `GRAY_SCOTT` or `FITZHUGH_NAGUMO`."""
    if model == GRAY_SCOTT:
        return gray_scott_cell(u, v, bend_u, bend_v, r)
    return fitzhugh_nagumo_cell(u, v, bend_u, bend_v, r)


@kernel
def bend_row(south: Row, centre: Row, north: Row, low: int, high: int, bends: Row) -> None:
    """Write the Laplacian of a row in its plane; `low` and `high` are boundary codes of x."""
    size = centre.size
    for x in range(1, size - 1):
        bends[x] = bend(south[x], centre[x - 1], centre[x], centre[x + 1], north[x])
    for x in range(0, size, max(1, size - 1)):
        left = value_at(centre, neighbour(x, -1, size, low, high))
        right = value_at(centre, neighbour(x, 1, size, low, high))
        bends[x] = bend(south[x], left, centre[x], right, north[x])


@kernel
def add_upright(below: Row, centre: Row, above: Row, bends: Row) -> None:
    """Add the second differences along z of a row."""
    for x in range(bends.size):
        bends[x] += (below[x] - centre[x]) + (above[x] - centre[x])


@kernel
def bend_rows(
    volume: NDArray[np.float32], z: int, y: int, codes: Numbers, nothing: Row, bends: Row
) -> None:
    """Write the Laplacian of the row at (z, y) of a volume."""
    south, north = rows_beside(volume, z, y, codes, nothing)
    bend_row(south, volume[z, y], north, codes[2, 0], codes[2, 1], bends)
    if volume.shape[0] > 1:
        below, above = rows_upright(volume, z, y, codes, nothing)
        add_upright(below, volume[z, y], above, bends)


@kernel
def gray_scott_row(u: Row, v: Row, r: Rates, out_u: Row, out_v: Row) -> None:
    """Turn a row's Laplacians, which `out_u` and `out_v` hold, into its next values."""
    for x in range(u.size):
        out_u[x], out_v[x] = gray_scott_cell(u[x], v[x], out_u[x], out_v[x], r)


@kernel
def fitzhugh_nagumo_row(u: Row, w: Row, r: Rates, out_u: Row, out_w: Row) -> None:
    """Turn a row's Laplacians, which `out_u` and `out_w` hold, into its next values."""
    for x in range(u.size):
        out_u[x], out_w[x] = fitzhugh_nagumo_cell(u[x], w[x], out_u[x], out_w[x], r)


@kernel
def pair_rows(
    source: NDArray[np.float32],
    model: int,
    rates: Row,
    codes: Numbers,
    nothing: Row,
    start: int,
    stop: int,
    target: NDArray[np.float32],
) -> None:
    """Write the next values of both channels for rows start to stop.

    Three short loops a row, all in the first-level cache: in one loop there would be more rows
    than the compiler checks for overlap, and it would not vectorise.

    Parameters
    ----------
    source : ndarray of float32, shape (2, Z, Y, X)
    model : int
        `GRAY_SCOTT` or `FITZHUGH_NAGUMO`.
    rates : ndarray of float32, shape (7,)
        As the cell functions take them.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    nothing : ndarray of float32, shape (X,)
        Zeros.
    start, stop : int
        Rows of Z × Y.
    target : ndarray of float32, shape of `source`
        Only these rows are written.
    """
    height = source.shape[2]
    r = (rates[0], rates[1], rates[2], rates[3], rates[4], rates[5], rates[6])
    for row in range(start, stop):
        z, y = row // height, row % height
        u, v = source[0, z, y], source[1, z, y]
        out_u, out_v = target[0, z, y], target[1, z, y]
        bend_rows(source[0], z, y, codes, nothing, out_u)
        bend_rows(source[1], z, y, codes, nothing, out_v)
        if model == GRAY_SCOTT:
            gray_scott_row(u, v, r, out_u, out_v)
        else:
            fitzhugh_nagumo_row(u, v, r, out_u, out_v)


@kernel
def fisher_cell(u: float, bend_u: float, spread: float, growth: float, crowding: float) -> float:
    """Return the next amount: dt·D, dt·r and dt·r / capacity are given."""
    return settled(u + spread * bend_u + (growth - crowding * u) * u)


@kernel
def fisher_rows(
    source: NDArray[np.float32],
    rates: Row,
    codes: Numbers,
    nothing: Row,
    start: int,
    stop: int,
    target: NDArray[np.float32],
) -> None:
    """Write the next amounts of rows start to stop, counted through all planes.

    Parameters
    ----------
    source : ndarray of float32, shape (planes, Z, Y, X)
    rates : ndarray of float32, shape (3,)
        As `fisher_cell` takes them.
    codes, nothing, start, stop, target
        As in `pair_rows`.
    """
    _, depth, height, width = source.shape
    spread, growth, crowding = rates[0], rates[1], rates[2]
    for row in range(start, stop):
        plane, z, y = row // (depth * height), row // height % depth, row % height
        centre, out = source[plane, z, y], target[plane, z, y]
        bend_rows(source[plane], z, y, codes, nothing, out)
        for x in range(width):
            out[x] = fisher_cell(centre[x], out[x], spread, growth, crowding)
