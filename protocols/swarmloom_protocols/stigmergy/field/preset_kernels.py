"""CPU kernels of the reaction–diffusion presets: both channels, reaction and diffusion, in a pass.

The cell functions are shared with the CUDA kernels. Rates come multiplied by the time step. Inner
loops index the whole array instead of rows cut out of it: that is what lets the compiler see that
few pieces of memory could overlap, and vectorise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import neighbour
from swarmloom_protocols.stigmergy.field.chemistry_kernels import FLOOR, ONE, ZERO, settled

__all__ = [
    "FITZHUGH_NAGUMO",
    "GRAY_SCOTT",
    "bend_at",
    "fisher_cell",
    "fisher_rows",
    "pair_cell",
    "pair_rows",
    "rows_around",
]

Row = NDArray[np.float32]
Planes = NDArray[np.float32]
Numbers = NDArray[np.int64]
Rates = tuple[float, float, float, float, float, float, float]
# Indices of a row and of those around it: z, y, south, north, below, above.
Around = tuple[int, int, int, int, int, int]

GRAY_SCOTT, FITZHUGH_NAGUMO = 0, 1
# Products and sums may become one instruction; nothing is reordered.
CONTRACT = frozenset({"contract"})
# Of the narrower type, so that values keep theirs.
FAINT: Any = np.float32(1e-15)
FOUR: Any = np.float32(4.0)
THIRD: Any = np.float32(1.0 / 3.0)


# -- cells --------------------------------------------------------------------------------------


@kernel
def gray_scott_cell(u: float, v: float, bend_u: float, bend_v: float, r: Rates) -> Any:
    """Return the next u and v; r: dt, dt·D_u, dt·D_v, dt·F, dt·(F + k), unused, unused.

    What the reaction takes is at most what is there, so that no amount falls below 0.
    """
    fed = u + r[1] * bend_u + r[3] * (ONE - u)
    # What is fainter reacts with nothing that a float32 could tell; its square may be denormal.
    active = v if v > FAINT else ZERO
    turned = min(r[0] * u * active * active, max(fed, ZERO))
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
def fisher_cell(u: float, bend_u: float, spread: float, growth: float, crowding: float) -> float:
    """Return the next amount: dt·D, dt·r and dt·r / capacity are given."""
    return settled(u + spread * bend_u + (growth - crowding * u) * u)


# -- Laplacians ---------------------------------------------------------------------------------


@kernel
def bend(low: float, left: float, centre: float, right: float, high: float) -> float:
    """Return the Laplacian in a plane."""
    bent: float = (left + right) + (low + high) - FOUR * centre
    return bent


@kernel
def planar_bend(field: Planes, plane: int, around: Around, x: int) -> float:
    """Return the Laplacian of a cell of a plane whose neighbours are all there."""
    z, y, south, north, _, _ = around
    left, right = field[plane, z, y, x - 1], field[plane, z, y, x + 1]
    low, high = field[plane, z, south, x], field[plane, z, north, x]
    return bend(low, left, field[plane, z, y, x], right, high)


@kernel
def solid_bend(field: Planes, plane: int, around: Around, x: int) -> float:
    """Return the Laplacian of a cell of a volume whose neighbours are all there."""
    z, y, _, _, below, above = around
    centre = field[plane, z, y, x]
    upright: float = (field[plane, below, y, x] - centre) + (field[plane, above, y, x] - centre)
    return planar_bend(field, plane, around, x) + upright


@kernel
def rows_around(z: int, y: int, depth: int, height: int, codes: Numbers) -> Around:
    """Return the indices of a row and of those around it, -1 for what is beyond open sides."""
    south = neighbour(y, -1, height, codes[1, 0], codes[1, 1])
    north = neighbour(y, 1, height, codes[1, 0], codes[1, 1])
    below = neighbour(z, -1, depth, codes[0, 0], codes[0, 1])
    above = neighbour(z, 1, depth, codes[0, 0], codes[0, 1])
    return z, y, south, north, below, above


@kernel
def bend_at(field: Planes, plane: int, around: Around, x: int, codes: Numbers) -> float:
    """Return the Laplacian of any cell of the row that `around` belongs to."""
    z, y, south, north, below, above = around
    left = neighbour(x, -1, field.shape[3], codes[2, 0], codes[2, 1])
    right = neighbour(x, 1, field.shape[3], codes[2, 0], codes[2, 1])
    centre = field[plane, z, y, x]
    before = field[plane, z, y, left] if left >= 0 else ZERO
    after = field[plane, z, y, right] if right >= 0 else ZERO
    low = field[plane, z, south, x] if south >= 0 else ZERO
    high = field[plane, z, north, x] if north >= 0 else ZERO
    bent = bend(low, before, centre, after, high)
    # A plane's only layer is beside itself.
    if below != z or above != z:
        low = field[plane, below, y, x] if below >= 0 else ZERO
        high = field[plane, above, y, x] if above >= 0 else ZERO
        bent += (low - centre) + (high - centre)
    return bent


@kernel
def inner_end(around: Around, width: int) -> int:
    """Return the end of the cells from 1 on that need no look at the sides; 1 if there are none."""
    return width - 1 if min(around) >= 0 and width > 2 else 1


# -- rows ---------------------------------------------------------------------------------------


@kernel
def pair_edge(
    source: Planes, model: int, r: Rates, around: Around, x: int, codes: Numbers, target: Planes
) -> None:
    """Write a cell that may lie at a side."""
    z, y = around[0], around[1]
    u, v = source[0, z, y, x], source[1, z, y, x]
    bend_u = bend_at(source, 0, around, x, codes)
    bend_v = bend_at(source, 1, around, x, codes)
    target[0, z, y, x], target[1, z, y, x] = pair_cell(model, u, v, bend_u, bend_v, r)


@kernel(fastmath=CONTRACT)
def pair_planar(
    source: Planes, model: int, r: Rates, around: Around, end: int, target: Planes
) -> None:
    """Write the cells from 1 to `end` of a row of a plane."""
    z, y = around[0], around[1]
    for x in range(1, end):
        bend_u = planar_bend(source, 0, around, x)
        bend_v = planar_bend(source, 1, around, x)
        u, v = source[0, z, y, x], source[1, z, y, x]
        target[0, z, y, x], target[1, z, y, x] = pair_cell(model, u, v, bend_u, bend_v, r)


@kernel(fastmath=CONTRACT)
def pair_solid(
    source: Planes, model: int, r: Rates, around: Around, end: int, target: Planes
) -> None:
    """Write the cells from 1 to `end` of a row of a volume."""
    z, y = around[0], around[1]
    for x in range(1, end):
        bend_u = solid_bend(source, 0, around, x)
        bend_v = solid_bend(source, 1, around, x)
        u, v = source[0, z, y, x], source[1, z, y, x]
        target[0, z, y, x], target[1, z, y, x] = pair_cell(model, u, v, bend_u, bend_v, r)


@kernel
def pair_rows(
    source: Planes,
    model: int,
    rates: Row,
    codes: Numbers,
    start: int,
    stop: int,
    target: Planes,
) -> None:
    """Write the next values of both channels for rows start to stop.

    Parameters
    ----------
    source : ndarray of float32, shape (2, Z, Y, X)
    model : int
        `GRAY_SCOTT` or `FITZHUGH_NAGUMO`.
    rates : ndarray of float32, shape (7,)
        As the cell functions take them.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    start, stop : int
        Rows of Z × Y.
    target : ndarray of float32, shape of `source`
        Only these rows are written.
    """
    _, depth, height, width = source.shape
    r = (rates[0], rates[1], rates[2], rates[3], rates[4], rates[5], rates[6])
    for row in range(start, stop):
        z, y = row // height, row % height
        around = rows_around(z, y, depth, height, codes)
        end = inner_end(around, width)
        # Two loops, since a choice within one would keep it from being vectorised.
        if depth > 1:
            pair_solid(source, model, r, around, end, target)
        else:
            pair_planar(source, model, r, around, end, target)
        pair_edge(source, model, r, around, 0, codes, target)
        for x in range(end, width):
            pair_edge(source, model, r, around, x, codes, target)


@kernel(fastmath=CONTRACT)
def fisher_planar(
    source: Planes, plane: int, rates: Row, around: Around, end: int, target: Planes
) -> None:
    """Write the cells from 1 to `end` of a row of a plane."""
    spread, growth, crowding = rates[0], rates[1], rates[2]
    z, y = around[0], around[1]
    for x in range(1, end):
        bent, u = planar_bend(source, plane, around, x), source[plane, z, y, x]
        target[plane, z, y, x] = fisher_cell(u, bent, spread, growth, crowding)


@kernel(fastmath=CONTRACT)
def fisher_solid(
    source: Planes, plane: int, rates: Row, around: Around, end: int, target: Planes
) -> None:
    """Write the cells from 1 to `end` of a row of a volume."""
    spread, growth, crowding = rates[0], rates[1], rates[2]
    z, y = around[0], around[1]
    for x in range(1, end):
        bent, u = solid_bend(source, plane, around, x), source[plane, z, y, x]
        target[plane, z, y, x] = fisher_cell(u, bent, spread, growth, crowding)


@kernel
def fisher_edge(
    source: Planes, plane: int, rates: Row, around: Around, x: int, codes: Numbers, target: Planes
) -> None:
    """Write a cell that may lie at a side."""
    z, y = around[0], around[1]
    bent, u = bend_at(source, plane, around, x, codes), source[plane, z, y, x]
    target[plane, z, y, x] = fisher_cell(u, bent, rates[0], rates[1], rates[2])


@kernel
def fisher_rows(
    source: Planes, rates: Row, codes: Numbers, start: int, stop: int, target: Planes
) -> None:
    """Write the next amounts of rows start to stop, counted through all planes.

    Parameters
    ----------
    source : ndarray of float32, shape (planes, Z, Y, X)
    rates : ndarray of float32, shape (3,)
        As `fisher_cell` takes them.
    codes, start, stop, target
        As in `pair_rows`.
    """
    _, depth, height, width = source.shape
    for row in range(start, stop):
        plane, z, y = row // (depth * height), row // height % depth, row % height
        around = rows_around(z, y, depth, height, codes)
        end = inner_end(around, width)
        if depth > 1:
            fisher_solid(source, plane, rates, around, end, target)
        else:
            fisher_planar(source, plane, rates, around, end, target)
        fisher_edge(source, plane, rates, around, 0, codes, target)
        for x in range(end, width):
            fisher_edge(source, plane, rates, around, x, codes, target)
