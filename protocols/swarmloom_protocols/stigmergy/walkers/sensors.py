"""Sensors: readings of a field on a ring around each walker, and the slope that they imply."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive
from swarmloom_protocols.stigmergy.field.grid_field import GridField
from swarmloom_protocols.stigmergy.walkers.arguments import (
    Boundaries,
    Float32Array,
    box_of,
    columns_of,
    field_of,
    inside,
    spatial,
)
from swarmloom_protocols.stigmergy.walkers.sensing_kernels import sense_walkers

__all__ = ["Sensors", "sense", "sensed_gradient"]

Float64Array = NDArray[np.float64]

# Fewer directions do not determine a slope.
FEWEST_IN_PLANE, FEWEST_IN_SPACE = 3, 6
GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))


@dataclass(frozen=True)
class Sensors:
    """A ring of sensors around a walker (in 3-D a sphere of them).

    Parameters
    ----------
    radius : float
        Distance of the sensors, in cells, > 0.
    angular_resolution : float
        Degrees between neighbouring directions. In the plane it divides 360 and there are at
        least three directions; in space the sensors lie on a Fibonacci lattice with this mean
        spacing (González, Mathematical Geosciences 42, 2010).
    thresholds : float or sequence of float
        A reading whose absolute value is below it reads 0: of every plane of the field, or one
        for each. In units of the field, so that 0.1 hides a field whose values are all below it;
        0 hides nothing.

    Raises
    ------
    InputError
        A parameter is out of its range.
    """

    radius: float = 2.0
    angular_resolution: float = 30.0
    thresholds: float | Sequence[float] = 0.1

    def __post_init__(self) -> None:
        positive("radius", self.radius)
        count = 360.0 / between("angular_resolution", self.angular_resolution, 0.1, 120.0)
        if abs(count - round(count)) > 1e-6:
            message = f"angular_resolution is {self.angular_resolution}; allowed: a divisor of 360"
            raise InputError(message)
        for threshold in np.ravel(self.thresholds):
            between("thresholds", float(threshold), 0.0)

    def directions(self, dimensions: int = 2) -> Float64Array:
        """Return unit vectors, the first ahead, then from x towards y.

        Parameters
        ----------
        dimensions : {2, 3}

        Returns
        -------
        ndarray of float64, shape (k, dimensions)
            As (y, x) or (z, y, x).
        """
        if dimensions == 2:
            turns = np.arange(round(360.0 / self.angular_resolution))
            angles = np.radians(self.angular_resolution) * turns
            return np.column_stack([np.sin(angles), np.cos(angles)])
        count = max(FEWEST_IN_SPACE, round(4.0 * np.pi / np.radians(self.angular_resolution) ** 2))
        turns = np.arange(count)
        height = 1.0 - (2.0 * turns + 1.0) / count
        flat = np.sqrt(1.0 - height**2)
        angles = GOLDEN_ANGLE * turns
        return np.column_stack([height, flat * np.sin(angles), flat * np.cos(angles)])

    def slope_weights(self, dimensions: int = 2) -> Float64Array:
        """Return the weight of each reading in the slope, which fits a + g·offset to them best.

        Returns
        -------
        ndarray of float64, shape (k, dimensions)
            Per cell; columns of the pseudo-inverse of [1, offsets].
        """
        offsets = self.radius * self.directions(dimensions)
        fitted = np.linalg.pinv(np.column_stack([np.ones(len(offsets)), offsets]))
        weights: Float64Array = fitted[1:].T
        return weights

    def ring(self, dimensions: int) -> Float32Array:
        """Return offset and weight of each sensor as the kernels read them, shape (k, 6)."""
        offsets = self.radius * self.directions(dimensions)
        ring = np.zeros((len(offsets), 6), np.float32)
        ring[:, 3 - dimensions : 3] = offsets
        ring[:, 6 - dimensions :] = self.slope_weights(dimensions)
        return ring

    def threshold_of(self, planes: int) -> Float32Array:
        """Return the threshold of each plane.

        Raises
        ------
        InputError
            There are several thresholds, but not one for each plane.
        """
        thresholds = np.ravel(np.asarray(self.thresholds, np.float32))
        if len(thresholds) not in (1, planes):
            raise InputError(f"thresholds: {len(thresholds)} for {planes} planes; allowed: 1 each")
        return np.broadcast_to(thresholds, planes).copy()


def sense(
    field: ArrayLike | GridField,
    positions: ArrayLike,
    *,
    headings: ArrayLike | None = None,
    sensors: Sensors | None = None,
    boundaries: Boundaries = "reflecting",
    device: Device = "auto",
) -> Float32Array:
    """Read a field in k directions around each walker.

    Parameters
    ----------
    field : array-like of float32, or PheromoneField
        (Y, X), (planes, Y, X), (Z, Y, X) or (planes, Z, Y, X); which, the positions tell. The
        planes of a pheromone field are the layers of each channel, one after the other.
    positions : array-like of float, shape (n, 2) or (n, 3)
        In cells, as (y, x) or (z, y, x); cell i covers [i − ½, i + ½). As float32 they have to be
        within the grid, its upper edge left out.
    headings : array-like of float, shape (n, 2), optional
        Unit vectors that the first sensor looks along; the x axis by default. In space sensors
        do not turn.
    sensors : Sensors, optional
        Radius 2, every 30°, thresholds 0.1 by default.
    boundaries : Boundary or str, pair, or mapping of axis to either, optional
        What lies beyond the edges, as in `swarmloom_protocols.stigmergy.field.boundaries`:
        the grid again, its mirror image, or 0.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    ndarray of float32, shape (planes, n, k)
        Linear along each axis between cell centres, so exact for linear fields; NaN where a cell
        beside the sensor is NaN.

    Raises
    ------
    InputError
        Shapes do not fit, or a position is not finite or outside the grid.

    Notes
    -----
    O(planes · n · k), whatever the size of the grid.
    """
    sensors = sensors or Sensors()
    dimensions = spatial("positions", positions).shape[1]
    planes = field_of(field, dimensions)
    sizes = planes.shape[4 - dimensions :]
    places = inside("positions", positions, sizes)
    ring = sensors.ring(dimensions)
    arguments = (
        planes,
        columns_of(places),
        _ahead(headings, places.shape),
        ring,
        sensors.threshold_of(len(planes)),
        box_of(sizes, boundaries),
    )
    readings = np.empty((len(planes), len(places), len(ring)), np.float32)
    if resolve(device, size=readings.size) == "cuda":
        from swarmloom_protocols.stigmergy.walkers.sensing_cuda import sense as launch

        launch(readings.size, arguments, (readings,))
    else:
        width = len(planes) * len(ring)
        map_bands(
            lambda low, high: sense_walkers(low, high, *arguments, readings), len(places), width
        )
    return readings


def _ahead(headings: ArrayLike | None, shape: tuple[int, ...]) -> Float32Array:
    if headings is None:
        ahead = np.zeros((3, shape[0]), np.float32)
        ahead[2] = 1.0
        return ahead
    if shape[1] == 3:
        raise InputError("headings: allowed in the plane only; in space sensors do not turn")
    vectors = spatial("headings", headings)
    if vectors.shape != shape:
        raise InputError(f"headings: shape {vectors.shape}; allowed: that of positions, {shape}")
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.allclose(lengths, 1.0, atol=1e-3):
        row = int(np.argmax(np.abs(lengths - 1.0)))
        raise InputError(f"headings[{row}] is of length {lengths[row]:g}; allowed: unit vectors")
    return columns_of(vectors)


def sensed_gradient(
    readings: ArrayLike, *, headings: ArrayLike | None = None, sensors: Sensors, dimensions: int = 2
) -> Float32Array:
    """Estimate the slope of a field from readings, by least squares.

    Parameters
    ----------
    readings : array-like of float, shape (…, n, k)
        What `sense` returned.
    headings : array-like of float, shape (n, 2), optional
        As given to `sense`.
    sensors : Sensors
        As given to `sense`.
    dimensions : {2, 3}, optional
        Axes of space.

    Returns
    -------
    ndarray of float32, shape (…, n, dimensions)
        Per cell, as (y, x) or (z, y, x); exact for linear fields above the thresholds.

    Raises
    ------
    InputError
        The last axis is not one reading a direction.
    """
    values = np.asarray(readings, np.float64)
    weights = sensors.slope_weights(dimensions)
    if values.ndim < 2 or values.shape[-1] != len(weights):
        message = f"readings: shape {values.shape}; allowed: (…, walkers, {len(weights)})"
        raise InputError(message)
    slope = values @ weights
    if headings is None:
        return slope.astype(np.float32)
    ahead = _ahead(headings, (values.shape[-2], dimensions))
    left, along = slope[..., 0], slope[..., 1]
    turned = [along * ahead[1] + left * ahead[2], along * ahead[2] - left * ahead[1]]
    return np.stack(turned, axis=-1).astype(np.float32)
