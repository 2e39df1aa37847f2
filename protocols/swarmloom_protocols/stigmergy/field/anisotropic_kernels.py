"""The CPU kernel of a step of anisotropic diffusion, which the CUDA kernel shares parts of.

A tensor field is a set of weights ≥ 0 on the edges between a cell and its neighbours along the
axes and the diagonals (`anisotropic.edge_weights` makes them), and a step moves
weight × difference along each edge. What one cell gives the other takes, so mass is conserved to
rounding, and a cell's new value is a weighted mean of old ones, so no value leaves their range.

Edges are kept staggered: the edge that leads back from a cell along the step (s_z, s_y, s_x) has
on each axis the cell's index, or the next one where s = −1; the edge that leads on has the cell's
index, or the next one where s = 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import neighbour
from swarmloom_protocols.stigmergy.field.chemistry_kernels import ZERO, row_at, settled, value_at

__all__ = ["moved", "planar_rows", "settle", "shifted", "solid_rows"]

Row = NDArray[np.float32]
Numbers = NDArray[np.int64]


@kernel
def moved(back_weight: float, back: float, on_weight: float, on: float, centre: float) -> float:
    """Return what flows into a cell along one direction, from both sides."""
    return back_weight * (back - centre) + on_weight * (on - centre)


@kernel
def shifted(index: int, step: int, size: int, low: int, high: int) -> int:
    """Return the index a step of −1, 0 or 1 away, as `neighbour` does."""
    return index if step == 0 else neighbour(index, step, size, low, high)


@kernel
def _add_inner(
    back_weights: Row, back: Row, on_weights: Row, on: Row, centre: Row, flows: Row
) -> None:
    for x in range(flows.size):
        flows[x] += moved(back_weights[x], back[x], on_weights[x], on[x], centre[x])


@kernel
def add_direction(
    back_weights: Row,
    back: Row,
    on_weights: Row,
    on: Row,
    centre: Row,
    step: int,
    low: int,
    high: int,
    flows: Row,
) -> None:
    """Add what flows into each cell of a row along one direction.

    Parameters
    ----------
    back_weights, on_weights : ndarray of float32, shape (X + 1,)
        Of the rows of edges that lead back and on.
    back, on, centre : ndarray of float32, shape (X,)
        The rows before and after along the direction, and the row itself.
    step : int
        Of the direction along x.
    low, high : int
        Boundary codes of x.
    flows : ndarray of float32, shape (X,)
        Added to.
    """
    size = centre.size
    from_back, from_on = (1 if step < 0 else 0), (1 if step > 0 else 0)
    if size > 2:
        _add_inner(
            back_weights[1 + from_back : size - 1 + from_back],
            back[1 - step : size - 1 - step],
            on_weights[1 + from_on : size - 1 + from_on],
            on[1 + step : size - 1 + step],
            centre[1 : size - 1],
            flows[1 : size - 1],
        )
    for x in range(0, size, max(1, size - 1)):
        before = value_at(back, shifted(x, -step, size, low, high))
        after = value_at(on, shifted(x, step, size, low, high))
        weights = back_weights[x + from_back], on_weights[x + from_on]
        flows[x] += moved(weights[0], before, weights[1], after, centre[x])


@kernel
def row_of(volume: NDArray[np.float32], z: int, y: int, nothing: Row) -> Row:
    """Return a row of a volume, or zeros where an index is -1."""
    return volume[z, y] if z >= 0 and y >= 0 else nothing


@kernel
def settle(centre: Row, flows: Row) -> None:
    """Turn what flows into a row's cells into their new values."""
    for x in range(flows.size):
        flows[x] = settled(centre[x] + flows[x])


@kernel
def planar_flow(
    weights: tuple[Row, ...], south: Row, centre: Row, north: Row, at: tuple[int, int, int]
) -> float:
    """Return what flows into a cell of a plane along its four directions.

    Parameters
    ----------
    weights : tuple of 7 rows of shape (X + 1,)
        Along y back and on, along x, along (1, 1) back and on, along (1, −1) back and on.
    south, centre, north : ndarray of float32, shape (X,)
        The row and its neighbours along y.
    at : (int, int, int)
        Index of the cell before along x, or -1, of the cell, and of the one after.
    """
    left, x, right = at
    own = centre[x]
    y_back, y_on, along_x, plus_back, plus_on, minus_back, minus_on = weights
    flow = moved(y_back[x], south[x], y_on[x], north[x], own)
    flow += moved(along_x[x], value_at(centre, left), along_x[x + 1], value_at(centre, right), own)
    flow += moved(plus_back[x], value_at(south, left), plus_on[x + 1], value_at(north, right), own)
    flow += moved(
        minus_back[x + 1], value_at(south, right), minus_on[x], value_at(north, left), own
    )
    return flow


@kernel
def planar_row(
    weights: tuple[Row, ...], south: Row, centre: Row, north: Row, low: int, high: int, out: Row
) -> None:
    """Write the next values of a row of a plane; arguments as of `planar_flow`."""
    size = centre.size
    for x in range(1, size - 1):
        out[x] = settled(centre[x] + planar_flow(weights, south, centre, north, (x - 1, x, x + 1)))
    for x in range(0, size, max(1, size - 1)):
        at = neighbour(x, -1, size, low, high), x, neighbour(x, 1, size, low, high)
        out[x] = settled(centre[x] + planar_flow(weights, south, centre, north, at))


@kernel
def planar_rows(
    source: NDArray[np.float32],
    edges: NDArray[np.float32],
    lines: Numbers,
    codes: Numbers,
    nothing: Row,
    start: int,
    stop: int,
    target: NDArray[np.float32],
) -> None:
    """Write the next values of rows start to stop for a tensor of planes.

    Parameters
    ----------
    source : ndarray of float32, shape (planes, Z, Y, X)
    edges : ndarray of float32, shape (4, 1, lines, X + 1)
        Weight × dt of the staggered edges along (0, 1, 0), (0, 0, 1), (0, 1, 1) and (0, 1, −1).
    lines : ndarray of int64, shape (Y + 1,)
        Where the edges of a staggered y lie in `edges`.
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
    along_y, along_x, plus, minus = edges[0, 0], edges[1, 0], edges[2, 0], edges[3, 0]
    for row in range(start, stop):
        plane, z, y = row // (depth * height), row // height % depth, row % height
        layer, back, on = source[plane, z], lines[y], lines[y + 1]
        south = row_at(layer, neighbour(y, -1, height, codes[1, 0], codes[1, 1]), nothing)
        north = row_at(layer, neighbour(y, 1, height, codes[1, 0], codes[1, 1]), nothing)
        ways = (along_y[back], along_y[on], along_x[back])
        diagonals = (plus[back], plus[on], minus[back], minus[on])
        out = target[plane, z, y]
        planar_row(ways + diagonals, south, layer[y], north, codes[2, 0], codes[2, 1], out)


@kernel
def solid_row(
    volume: NDArray[np.float32],
    edges: NDArray[np.float32],
    directions: Numbers,
    places: tuple[Numbers, Numbers],
    codes: Numbers,
    nothing: Row,
    at: tuple[int, int],
    out: Row,
) -> None:
    """Write the next values of the row at (z, y) of a volume; arguments as of `solid_rows`."""
    (layers, lines), (z, y), (depth, height, _) = places, at, volume.shape
    out[:] = ZERO
    for k in range(len(directions)):
        step_z, step_y, step_x = directions[k]
        z_back = shifted(z, -step_z, depth, codes[0, 0], codes[0, 1])
        z_on = shifted(z, step_z, depth, codes[0, 0], codes[0, 1])
        y_back = shifted(y, -step_y, height, codes[1, 0], codes[1, 1])
        y_on = shifted(y, step_y, height, codes[1, 0], codes[1, 1])
        add_direction(
            edges[k, layers[z], lines[y + 1] if step_y < 0 else lines[y]],
            row_of(volume, z_back, y_back, nothing),
            edges[
                k,
                layers[z + 1] if step_z > 0 else layers[z],
                lines[y + 1] if step_y > 0 else lines[y],
            ],
            row_of(volume, z_on, y_on, nothing),
            volume[z, y],
            step_x,
            codes[2, 0],
            codes[2, 1],
            out,
        )
    settle(volume[z, y], out)


@kernel
def solid_rows(
    source: NDArray[np.float32],
    edges: NDArray[np.float32],
    directions: Numbers,
    layers: Numbers,
    lines: Numbers,
    codes: Numbers,
    nothing: Row,
    start: int,
    stop: int,
    target: NDArray[np.float32],
) -> None:
    """Write the next values of rows start to stop for a tensor of volumes.

    Parameters
    ----------
    source : ndarray of float32, shape (planes, Z, Y, X)
    edges : ndarray of float32, shape (directions, layers, lines, X + 1)
        Weight × dt of the staggered edges.
    directions : ndarray of int64, shape (directions, 3)
        Steps −1, 0 or 1 along z, y and x.
    layers, lines : ndarray of int64, shapes (Z + 1,) and (Y + 1,)
        Where the edges of a staggered index lie in `edges`.
    codes, nothing, start, stop, target
        As in `planar_rows`.
    """
    _, depth, height, _ = source.shape
    for row in range(start, stop):
        plane, z, y = row // (depth * height), row // height % depth, row % height
        places, out = (layers, lines), target[plane, z, y]
        solid_row(source[plane], edges, directions, places, codes, nothing, (z, y), out)
