"""Sensing: multilinear interpolation of a field at any positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import neighbour

__all__ = ["interpolated", "sensed"]

Float64Array = NDArray[np.float64]

# Of the narrower type, so that values keep theirs.
ZERO: Any = np.float32(0.0)


@kernel
def cell_below(coordinate: float) -> int:
    """Return the largest whole number not above a coordinate of at least -1."""
    return int(coordinate + 1.0) - 1


@kernel
def inside(index: int, size: int, low: int, high: int) -> int:
    """Return the index of a cell at most one outside of the grid, or -1 where the value is 0."""
    if index < 0:
        return neighbour(0, -1, size, low, high)
    if index >= size:
        return neighbour(size - 1, 1, size, low, high)
    return index


@kernel
def corner(layer: NDArray[np.float32], codes: NDArray[np.int64], z: int, y: int, x: int) -> float:
    """Return the value of a cell at most one outside of the grid."""
    depth, height, width = layer.shape
    z = inside(z, depth, codes[0, 0], codes[0, 1])
    y = inside(y, height, codes[1, 0], codes[1, 1])
    x = inside(x, width, codes[2, 0], codes[2, 1])
    value: float = layer[z, y, x] if z >= 0 and y >= 0 and x >= 0 else ZERO
    return value


@kernel
def between_two(
    layer: NDArray[np.float32], codes: NDArray[np.int64], z: int, y: int, x: float
) -> float:
    """Return the linear interpolation along x."""
    left = cell_below(x)
    share = x - left
    low = float(corner(layer, codes, z, y, left))
    if share == 0.0:
        return low
    return low + share * (corner(layer, codes, z, y, left + 1) - low)


@kernel
def between_four(
    layer: NDArray[np.float32], codes: NDArray[np.int64], z: int, y: float, x: float
) -> float:
    """Return the bilinear interpolation along y and x."""
    south = cell_below(y)
    share = y - south
    low = between_two(layer, codes, z, south, x)
    if share == 0.0:
        return low
    return low + share * (between_two(layer, codes, z, south + 1, x) - low)


@kernel
def interpolated(
    layer: NDArray[np.float32], codes: NDArray[np.int64], z: float, y: float, x: float
) -> float:
    """Return the trilinear interpolation between the up to eight cells around a position.

    Parameters
    ----------
    layer : ndarray of float32, shape (Z, Y, X)
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them: they say what the value one cell outside is.
    z, y, x : float
        Within [−½, size − ½) of each axis.

    Returns
    -------
    float
        In double precision; exact where the field is linear.
    """
    below = cell_below(z)
    share = z - below
    low = between_four(layer, codes, below, y, x)
    if share == 0.0:
        return low
    return low + share * (between_four(layer, codes, below + 1, y, x) - low)


@kernel
def _interpolate(
    layer: NDArray[np.float32],
    codes: NDArray[np.int64],
    positions: Float64Array,
    values: NDArray[np.float32],
) -> None:
    for i in range(values.size):
        z, y, x = positions[i, 0], positions[i, 1], positions[i, 2]
        values[i] = interpolated(layer, codes, z, y, x)


def sensed(
    layer: NDArray[np.float32],
    codes: NDArray[np.int64],
    positions: Float64Array,
    *,
    device: Device = "auto",
) -> NDArray[np.float32]:
    """Return the interpolated values at positions, in O(k) for k of them.

    Parameters
    ----------
    layer : ndarray of float32, shape (Z, Y, X)
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    positions : ndarray of float64, shape (k, 3)
        In cells, (z, y, x), each within [−½, size − ½).
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    ndarray of float32, shape (k,)
    """
    values = np.empty(len(positions), np.float32)

    def one_band(start: int, stop: int) -> None:
        _interpolate(layer, codes, positions[start:stop], values[start:stop])

    if resolve(device, size=values.size) == "cuda":
        from swarmloom_protocols.stigmergy.field.sensing_cuda import sense

        sense(values.size, (layer, codes, positions), (values,))
    else:
        map_bands(one_band, values.size)
    return values
