"""Arguments that sensors, walkers and their traces share, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import whole
from swarmloom_protocols.stigmergy.field.boundaries import Boundary, boundary_codes
from swarmloom_protocols.stigmergy.field.grid_field import GridField

__all__ = ["Boundaries", "box_of", "columns_of", "field_of", "inside", "plane_of", "spatial"]

Float32Array = NDArray[np.float32]
Boundaries = (
    Boundary
    | str
    | tuple[Boundary | str, Boundary | str]
    | Mapping[str, Boundary | str | tuple[Boundary | str, Boundary | str]]
)


def spatial(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return vectors as float64 of shape (n, 2) or (n, 3), all of them finite."""
    vectors = np.asarray(values, np.float64)
    if vectors.ndim != 2 or vectors.shape[1] not in (2, 3):
        raise InputError(f"{name}: shape {vectors.shape}; allowed: (n, 2) or (n, 3), as (y, x)")
    wrong = ~np.isfinite(vectors).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"{name}[{row}] is {vectors[row].tolist()}; allowed: finite numbers")
    return vectors


def inside(name: str, values: ArrayLike, sizes: Sequence[int]) -> NDArray[np.float64]:
    """Return positions, all of them within the cells of a grid of these sizes."""
    places = spatial(name, values)
    if places.shape[1] != len(sizes):
        message = f"{name}: {places.shape[1]} coordinates; allowed: {len(sizes)}, one an axis"
        raise InputError(message)
    # As float32, which the kernels compute in and which rounds up to the edge.
    kept = places.astype(np.float32)
    beyond = ((kept < -0.5) | (kept >= np.asarray(sizes) - 0.5)).any(axis=1)
    if beyond.any():
        row = int(np.argmax(beyond))
        allowed = ", ".join(f"-0.5 to {size - 0.5}" for size in sizes) + " without the upper ends"
        raise InputError(f"{name}[{row}] is {places[row].tolist()}; allowed: {allowed}")
    return places


def columns_of(vectors: NDArray[np.float64]) -> Float32Array:
    """Return vectors (n, 2) or (n, 3) as float32 of shape (3, n): z, y, x; z is 0 in the plane."""
    columns = np.zeros((3, len(vectors)), np.float32)
    columns[3 - vectors.shape[1] :] = vectors.T
    return columns


def field_of(field: ArrayLike | GridField, dimensions: int) -> Float32Array:
    """Return a field as float32 of shape (planes, Z, Y, X).

    Parameters
    ----------
    field : array-like or PheromoneField
        One plane (of `dimensions` axes), planes first (one axis more), or already of four axes. Of
        a pheromone field, the layers of each channel one after the other.
    dimensions : {2, 3}
        Axes of space.

    Raises
    ------
    InputError
        The field has other axes, or none of its cells.
    """
    if isinstance(field, GridField):
        if len(field.shape) != dimensions:
            raise InputError(f"field: a grid of {field.shape}; allowed: {dimensions} axes")
        field = field.view().reshape(-1, *field.shape)
    array = np.ascontiguousarray(field, np.float32)
    if array.ndim == dimensions:
        array = array[np.newaxis]
    if array.ndim == 3 and dimensions == 2:
        array = array[:, np.newaxis]
    if array.ndim != 4 or not array.size or (dimensions == 2 and array.shape[1] != 1):
        shapes = "(Y, X), (planes, Y, X)" if dimensions == 2 else "(Z, Y, X)"
        allowed = f"{shapes} or (planes, {1 if dimensions == 2 else 'Z'}, Y, X)"
        raise InputError(f"field: shape {np.shape(field)}; allowed: {allowed}, not empty")
    return array


def plane_of(
    field: ArrayLike | GridField, channel: int | str, layer: int, planes: int
) -> tuple[int, int, int]:
    """Return which of a field's planes is sensed, which channel that is, and of how many.

    Parameters
    ----------
    field : array-like or PheromoneField
    channel : int or str
        Plane of an array; index or name of a field's channel.
    layer : int
        Of a field's channel; an array has one.
    planes : int
        Of the field, as `field_of` returns it.

    Raises
    ------
    InputError
        There is no such channel or layer.
    """
    layers = field.layers if isinstance(field, GridField) else 1
    channels = planes // layers
    if isinstance(channel, str):
        names = field.channels if isinstance(field, GridField) else ()
        if channel not in names:
            raise InputError(f"channel: {channel!r} is not among the names {list(names)}")
        channel = names.index(channel)
    channel = whole("channel", channel, 0, channels - 1)
    return channel * layers + whole("layer", layer, 0, layers - 1), channel, channels


def box_of(sizes: Sequence[int], boundaries: Boundaries) -> NDArray[np.int64]:
    """Return size, low and high boundary code of z, y and x; shape (3, 3)."""
    full = (1,) * (3 - len(sizes)) + tuple(sizes)
    return np.column_stack([np.array(full, np.int64), boundary_codes(boundaries)])
