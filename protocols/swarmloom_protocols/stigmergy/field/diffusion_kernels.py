"""CPU kernels of one step: isotropic diffusion and evaporation in one pass over the rows.

The explicit scheme (FTCS: forward in time, centred in space; Crank & Nicolson 1947 discuss its
limits) on cells u with the share r = D·dt/h² of each axis,

    v = u + Σ_axes r·(u₋ + u₊ − 2u),    u' = v − (1 − e^{−k·dt})·v.

It is written as what flows and what is lost, not as weights: rounding the flows is unbiased, while
rounded weights would make mass drift. What falls below `FLOOR` becomes 0 (see
`swarmloom.denormals`), chosen so high that products of what is left are no denormals either.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import neighbour

__all__ = ["FLOOR", "next_value", "step_row", "step_rows"]

Row = NDArray[np.float32]

# Of the narrower type, so that values keep theirs.
FLOOR: Any = np.float32(1e-30)
ZERO: Any = np.float32(0.0)


@kernel
def next_value(centre: float, flow: float, loss: float) -> float:
    """Return a cell's next value: what flows in is added, then a share is lost."""
    spread = centre + flow
    left = spread - loss * spread
    kept: float = ZERO if abs(left) < FLOOR else left
    return kept


@kernel
def slope(low: float, centre: float, high: float) -> float:
    """Return the second difference along an axis."""
    return low + high - (centre + centre)


@kernel
def value_at(row: Row, x: int) -> float:
    """Return a value of a row, or 0 at the index -1."""
    return row[x] if x >= 0 else ZERO


@kernel
def edge_flow(centre: Row, x: int, rate: float, low: int, high: int) -> float:
    """Return the flow along x into a cell that may lie at the edge."""
    left = value_at(centre, neighbour(x, -1, centre.size, low, high))
    right = value_at(centre, neighbour(x, 1, centre.size, low, high))
    return rate * slope(left, centre[x], right)


@kernel
def step_row(
    centre: Row, south: Row, north: Row, rates: Row, low: int, high: int, target: Row
) -> None:
    """Write the next values of a row of a plane.

    Parameters
    ----------
    centre, south, north : ndarray of float32, shape (X,)
        The row and its neighbours along y.
    rates : ndarray of float32, shape (4,)
        Share lost, then D·dt/h² of z, y and x.
    low, high : int
        Boundary codes of x.
    target : ndarray of float32, shape (X,)
        Overwritten.
    """
    loss, rate_y, rate_x = rates[0], rates[2], rates[3]
    last = centre.size - 1
    for x in range(1, last):
        flow = rate_x * slope(centre[x - 1], centre[x], centre[x + 1])
        flow += rate_y * slope(south[x], centre[x], north[x])
        target[x] = next_value(centre[x], flow, loss)
    for x in (0, last):
        flow = edge_flow(centre, x, rate_x, low, high)
        flow += rate_y * slope(south[x], centre[x], north[x])
        target[x] = next_value(centre[x], flow, loss)


@kernel
def step_row_3d(
    centre: Row,
    south: Row,
    north: Row,
    below: Row,
    above: Row,
    rates: Row,
    low: int,
    high: int,
    target: Row,
) -> None:
    """Write the next values of a row of a volume; as `step_row`, with the neighbours along z."""
    loss, rate_z, rate_y, rate_x = rates[0], rates[1], rates[2], rates[3]
    last = centre.size - 1
    for x in range(1, last):
        flow = rate_x * slope(centre[x - 1], centre[x], centre[x + 1])
        flow += rate_y * slope(south[x], centre[x], north[x])
        flow += rate_z * slope(below[x], centre[x], above[x])
        target[x] = next_value(centre[x], flow, loss)
    for x in (0, last):
        flow = edge_flow(centre, x, rate_x, low, high)
        flow += rate_y * slope(south[x], centre[x], north[x])
        flow += rate_z * slope(below[x], centre[x], above[x])
        target[x] = next_value(centre[x], flow, loss)


@kernel
def row_at(plane: NDArray[np.float32], y: int, nothing: Row) -> Row:
    """Return a row of a plane, or zeros at the index -1."""
    return plane[y] if y >= 0 else nothing


@kernel
def step_rows(
    source: NDArray[np.float32],
    rates: NDArray[np.float32],
    codes: NDArray[np.int64],
    nothing: Row,
    start: int,
    stop: int,
    target: NDArray[np.float32],
) -> None:
    """Write the next values of rows start to stop, counted through all planes.

    Parameters
    ----------
    source : ndarray of float32, shape (planes, Z, Y, X)
    rates : ndarray of float32, shape (planes, 4)
        Share lost in the step, then D·dt/h² of z, y and x.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    nothing : ndarray of float32, shape (X,)
        Zeros.
    start, stop : int
        Rows of planes × Z × Y.
    target : ndarray of float32, shape of `source`
        Only these rows are written.
    """
    _, depth, height, _ = source.shape
    low, high = codes[2]
    for row in range(start, stop):
        plane, y = row // (depth * height), row % height
        z = row // height % depth
        layer = source[plane, z]
        south = row_at(layer, neighbour(y, -1, height, codes[1, 0], codes[1, 1]), nothing)
        north = row_at(layer, neighbour(y, 1, height, codes[1, 0], codes[1, 1]), nothing)
        out = target[plane, z, y]
        if rates[plane, 1] == ZERO:
            step_row(layer[y], south, north, rates[plane], low, high, out)
            continue
        z_low = neighbour(z, -1, depth, codes[0, 0], codes[0, 1])
        z_high = neighbour(z, 1, depth, codes[0, 0], codes[0, 1])
        below = source[plane, z_low, y] if z_low >= 0 else nothing
        above = source[plane, z_high, y] if z_high >= 0 else nothing
        step_row_3d(layer[y], south, north, below, above, rates[plane], low, high, out)
