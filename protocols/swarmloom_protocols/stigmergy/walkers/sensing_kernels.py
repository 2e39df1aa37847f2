"""What walkers sense: a field between its cells and beyond its edges, and its slope on a ring."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, PERIODIC

__all__ = [
    "Edges",
    "Vector",
    "cell_at",
    "edges_of",
    "floor_of",
    "interpolate",
    "is_clear",
    "norm",
    "perceive",
    "perceptible",
    "sense_walkers",
    "sensor_place",
]

Float32Array = NDArray[np.float32]
# Of float32, as z, y, x.
Vector = tuple[Any, Any, Any]
# Size, low and high boundary code of z, y and x.
Edges = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]

ZERO: Any = np.float32(0.0)
ONE: Any = np.float32(1.0)
# Of unsigned indices Numba does not ask whether they count from the end.
NEXT = np.uint32(1)
# A slope whose rise over the ring is smaller, relative to the readings, is rounding.
FLAT: Any = np.float32(1e-5)


@kernel
def edges_of(box: NDArray[np.int64]) -> Edges:
    """Return a box, an array of shape (3, 3), as tuples."""
    return (
        (box[0, 0], box[0, 1], box[0, 2]),
        (box[1, 0], box[1, 1], box[1, 2]),
        (box[2, 0], box[2, 1], box[2, 2]),
    )


@kernel
def norm(vector: Vector) -> Any:
    """Return the length of a vector of float32."""
    z, y, x = vector
    return np.float32(math.sqrt(z * z + y * y + x * x))


@kernel
def cell_at(index: int, edge: tuple[int, int, int]) -> int:
    """Return the cell that stands for one at any distance, or -1 where the value outside is 0.

    At one cell's distance this is `swarmloom_protocols.stigmergy.field.boundaries.neighbour`;
    farther out a reflecting side mirrors the grid.

    Parameters
    ----------
    index : int
    edge : tuple of int
        Cells, low and high boundary code.
    """
    size, low, high = edge
    while index < 0 or index >= size:
        side = low if index < 0 else high
        if side == PERIODIC:
            return index % size
        if side == ABSORBING:
            return -1
        index = -1 - index if index < 0 else 2 * size - 1 - index
    return index


@kernel
def floor_of(value: Any) -> int:
    """Return the greatest whole number that is not above a float32."""
    whole = int(value)
    return whole - 1 if value < np.float32(whole) else whole


@kernel
def _at_edges(plane: Float32Array, place: Vector, edges: Edges) -> Any:
    # As a loop over the corners: a GPU's compiler copies a function wherever it is called.
    z, y, x = floor_of(place[0]), floor_of(place[1]), floor_of(place[2])
    deep, down, across = (
        place[0] - np.float32(z),
        place[1] - np.float32(y),
        place[2] - np.float32(x),
    )
    value = ZERO
    for corner in range(8):
        below, lower, right = corner // 4, corner // 2 % 2, corner % 2
        share = deep if below else ONE - deep
        share = share * (down if lower else ONE - down)
        share = share * (across if right else ONE - across)
        layer = cell_at(z + below, edges[0])
        row = cell_at(y + lower, edges[1])
        column = cell_at(x + right, edges[2])
        if share > ZERO and layer >= 0 and row >= 0 and column >= 0:
            value += share * plane[layer, row, column]
    return value


@kernel
def _between_four(
    plane: Float32Array, z: Any, row: Any, column: Any, down: Any, across: Any
) -> Any:
    first = plane[z, row, column]
    first = first + across * (plane[z, row, column + NEXT] - first)
    second = plane[z, row + NEXT, column]
    second = second + across * (plane[z, row + NEXT, column + NEXT] - second)
    return first + down * (second - first)


@kernel
def _far_from_edges(plane: Float32Array, place: Vector) -> Any:
    z, y, x = place
    # Towards 0, which is the floor here.
    layer, row, column = np.uint32(z), np.uint32(y), np.uint32(x)
    down, across = y - np.float32(row), x - np.float32(column)
    value = _between_four(plane, layer, row, column, down, across)
    if plane.shape[0] > 1:
        below = _between_four(plane, layer + NEXT, row, column, down, across)
        value = value + (z - np.float32(layer)) * (below - value)
    return value


@kernel
def _clear(place: Any, reach: Any, size: int) -> Any:
    return place - reach >= ZERO and place + reach < np.float32(size - 1)


@kernel
def is_clear(place: Vector, reach: Any, edges: Edges) -> Any:
    """Return whether no edge is within reach, so that there are cells on all sides."""
    plane = _clear(place[1], reach, edges[1][0]) and _clear(place[2], reach, edges[2][0])
    return plane and (edges[0][0] == 1 or _clear(place[0], reach, edges[0][0]))


@kernel
def interpolate(plane: Float32Array, place: Vector, edges: Edges) -> Any:
    """Return a field between its cells, linear along each axis.

    Parameters
    ----------
    plane : ndarray of float32, shape (Z, Y, X)
    place : tuple of float32
        z, y, x in cells, anywhere; z is 0 where there is one layer.
    edges : tuple
        See `edges_of`.
    """
    if is_clear(place, ZERO, edges):
        return _far_from_edges(plane, place)
    return _at_edges(plane, place, edges)


@kernel
def perceptible(value: Any, threshold: Any) -> Any:
    """Return what a sensor reads: a value, or 0 where its absolute value is below a threshold."""
    return ZERO if abs(value) < threshold else value


@kernel
def sensor_place(place: Vector, ahead: Vector, offset: Vector) -> Vector:
    """Return the place at an offset (z, left, ahead) from a walker, which its heading turns."""
    rise, left, forth = offset
    y = place[1] + (forth * ahead[1] + left * ahead[2])
    x = place[2] + (forth * ahead[2] - left * ahead[1])
    return place[0] + rise, y, x


@kernel
def sense_walkers(
    first: int,
    stop: int,
    field: Float32Array,
    positions: Float32Array,
    headings: Float32Array,
    ring: Float32Array,
    thresholds: Float32Array,
    box: NDArray[np.int64],
    readings: Float32Array,
) -> None:
    """Write the readings of walkers `first` to `stop`, shape (planes, walkers, directions)."""
    edges = edges_of(box)
    reach = ONE + norm((ring[0, 0], ring[0, 1], ring[0, 2]))
    for channel in range(field.shape[0]):
        plane = field[channel]
        for i in range(first, stop):
            place = positions[0, i], positions[1, i], positions[2, i]
            ahead = headings[0, i], headings[1, i], headings[2, i]
            clear = is_clear(place, reach, edges)
            for j in range(ring.shape[0]):
                sensor = sensor_place(place, ahead, (ring[j, 0], ring[j, 1], ring[j, 2]))
                value = _far_from_edges(plane, sensor) if clear else _at_edges(plane, sensor, edges)
                readings[channel, i, j] = perceptible(value, thresholds[channel])


@kernel
def perceive(
    plane: Float32Array,
    place: Vector,
    edges: Edges,
    ring: Float32Array,
    threshold: Any,
    radius: Any,
) -> tuple[Vector, Any, Any, Any]:
    """Return the slope's direction and size, the bend, and the reading at the walker.

    The bend is how far that reading is above the mean of the others. Slope and bend are 0 where
    they cannot be told from rounding, where a reading is NaN, and without sensors.

    Parameters
    ----------
    plane, place, edges
        See `interpolate`.
    ring : ndarray of float32, shape (1 + k, 6) or (0, 6)
        Offset (z, y, x) of each sensor and its weight in the least-squares slope; the first is at
        the walker, the others are all at the radius.
    threshold, radius : float32
    """
    slope_z, slope_y, slope_x, total = ZERO, ZERO, ZERO, ZERO
    here, most = ZERO, ZERO
    # A cell more than the ring needs, for its offsets are rounded.
    clear = is_clear(place, radius + ONE, edges)
    for j in range(ring.shape[0]):
        sensor = place[0] + ring[j, 0], place[1] + ring[j, 1], place[2] + ring[j, 2]
        value = _far_from_edges(plane, sensor) if clear else _at_edges(plane, sensor, edges)
        value = perceptible(value, threshold)
        slope_z += ring[j, 3] * value
        slope_y += ring[j, 4] * value
        slope_x += ring[j, 5] * value
        if j == 0:
            here = value
        total += here - value
        most = max(most, abs(value))
    slope = norm((slope_z, slope_y, slope_x))
    bend = total / np.float32(max(1, ring.shape[0] - 1))
    bend = bend if abs(bend) > FLAT * most else ZERO
    if slope * radius > FLAT * most:
        return (slope_z / slope, slope_y / slope, slope_x / slope), slope, bend, here
    return (ZERO, ZERO, ZERO), ZERO, bend, here
