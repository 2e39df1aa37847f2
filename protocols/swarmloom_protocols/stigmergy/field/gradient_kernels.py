"""CPU kernels of gradient fields, which the CUDA kernels share parts of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, PERIODIC, neighbour
from swarmloom_protocols.stigmergy.field.chemistry_kernels import (
    FLOOR,
    ZERO,
    rows_beside,
    rows_upright,
    value_at,
)

__all__ = [
    "EXPLOITATION",
    "EXPLORATION",
    "PLAIN",
    "component",
    "gradient_rows",
    "laplacian_rows",
    "second_difference",
    "superpose_rows",
    "superposed",
    "weight_of",
]

Row = NDArray[np.float32]
Numbers = NDArray[np.int64]

PLAIN, EXPLOITATION, EXPLORATION = 0, 1, 2
# Of the narrower type, so that values keep theirs.
ONE: Any = np.float32(1.0)
HALF: Any = np.float32(0.5)


@kernel
def nearest_offset(here: Any, there: Any, size: Any, low: int) -> Any:
    """Return the way from a point to a cell along an axis, the shorter one round where periodic."""
    way = here - there
    if low == PERIODIC:
        way -= size * np.float32(math.floor(way / size + HALF))
    return way


@kernel
def superposed(
    z: int, y: int, x: int, points: NDArray[np.float32], softening: float, grid: Row, codes: Numbers
) -> float:
    """Return what point sources and sinks add to a cell.

    Parameters
    ----------
    z, y, x : int
        The cell.
    points : ndarray of float32, shape (n, 4)
        z, y, x and strength q; each adds q / √(r² + σ²).
    softening : float32
        σ², above 0.
    grid : ndarray of float32, shape (3,)
        Cells along z, y and x.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    """
    total: float = ZERO
    for k in range(points.shape[0]):
        # The converted index keeps the arithmetic in the narrower type.
        up = nearest_offset(np.float32(z), points[k, 0], grid[0], codes[0, 0])
        along = nearest_offset(np.float32(y), points[k, 1], grid[1], codes[1, 0])
        across = nearest_offset(np.float32(x), points[k, 2], grid[2], codes[2, 0])
        total += points[k, 3] / math.sqrt(up * up + along * along + across * across + softening)
    return total


@kernel
def superpose_rows(
    amounts: NDArray[np.float32],
    points: NDArray[np.float32],
    softening: float,
    grid: Row,
    codes: Numbers,
    start: int,
    stop: int,
    target: NDArray[np.float32],
) -> None:
    """Write amounts with sources and sinks for rows start to stop; arguments as `superposed`."""
    _, depth, height, width = amounts.shape
    for row in range(start, stop):
        plane, z, y = row // (depth * height), row // height % depth, row % height
        for x in range(width):
            added = superposed(z, y, x, points, softening, grid, codes)
            target[plane, z, y, x] = amounts[plane, z, y, x] + added


@kernel
def second_difference(low: float, centre: float, high: float) -> float:
    """Return u₋ − 2u + u₊ as a sum of two differences."""
    return (low - centre) + (high - centre)


@kernel
def weight_of(amount: float, kind: int, level: float) -> float:
    """Return what a gradient is multiplied with.

    Parameters
    ----------
    amount : float32
        c of the cell; below 0 it counts as 0.
    kind : int
        `PLAIN`: `level` itself; `EXPLOITATION`: c / (κ + c); `EXPLORATION`: −κ / (κ + c).
    level : float32
        A sign, or κ.
    """
    present = max(amount, ZERO)
    weight = level
    if kind == EXPLOITATION:
        weight = present / (level + present)
    if kind == EXPLORATION:
        weight = -level / (level + present)
    return weight


@kernel
def component(weight: float, low: float, high: float) -> float:
    """Return weight times the central difference, 0 instead of denormals."""
    value = weight * (HALF * (high - low))
    kept: float = ZERO if abs(value) < FLOOR else value
    return kept


@kernel
def laplacian_rows(
    source: NDArray[np.float32],
    codes: Numbers,
    nothing: Row,
    start: int,
    stop: int,
    target: NDArray[np.float32],
) -> None:
    """Write the Laplacian of rows start to stop; `nothing` are zeros of shape (X,)."""
    _, depth, height, width = source.shape
    upright = depth > 1 or codes[0, 0] == ABSORBING or codes[0, 1] == ABSORBING
    for row in range(start, stop):
        plane, z, y = row // (depth * height), row // height % depth, row % height
        south, north = rows_beside(source[plane], z, y, codes, nothing)
        below, above = rows_upright(source[plane], z, y, codes, nothing)
        centre, out = source[plane, z, y], target[plane, z, y]
        for x in range(width):
            left = value_at(centre, neighbour(x, -1, width, codes[2, 0], codes[2, 1]))
            right = value_at(centre, neighbour(x, 1, width, codes[2, 0], codes[2, 1]))
            value = second_difference(left, centre[x], right)
            value += second_difference(south[x], centre[x], north[x])
            if upright:
                value += second_difference(below[x], centre[x], above[x])
            out[x] = value


@kernel
def gradient_rows(
    amounts: NDArray[np.float32],
    potential: NDArray[np.float32],
    kind: int,
    level: float,
    codes: Numbers,
    nothing: Row,
    start: int,
    stop: int,
    vectors: NDArray[np.float32],
) -> None:
    """Write the weighted gradients of rows start to stop.

    Parameters
    ----------
    amounts : ndarray of float32, shape (planes, Z, Y, X)
        What the weight depends on.
    potential : ndarray of float32, shape of `amounts`
        What the gradient is taken of.
    kind, level
        As in `weight_of`.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    nothing : ndarray of float32, shape (X,)
        Zeros.
    start, stop : int
        Rows of planes × Z × Y.
    vectors : ndarray of float32, shape (planes, Z, Y, X, axes)
        Only these rows are written: y and x, or z, y and x.
    """
    _, depth, height, width = amounts.shape
    for row in range(start, stop):
        plane, z, y = row // (depth * height), row // height % depth, row % height
        south, north = rows_beside(potential[plane], z, y, codes, nothing)
        below, above = rows_upright(potential[plane], z, y, codes, nothing)
        centre, own, out = potential[plane, z, y], amounts[plane, z, y], vectors[plane, z, y]
        last = out.shape[1] - 1
        for x in range(width):
            weight = weight_of(own[x], kind, level)
            left = value_at(centre, neighbour(x, -1, width, codes[2, 0], codes[2, 1]))
            right = value_at(centre, neighbour(x, 1, width, codes[2, 0], codes[2, 1]))
            out[x, last] = component(weight, left, right)
            out[x, last - 1] = component(weight, south[x], north[x])
            if last == 2:
                out[x, 0] = component(weight, below[x], above[x])
