"""What the field's chemistry shares: checked arrays, and loops of steps on either device."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import map_bands
from swarmloom.errors import InputError
from swarmloom_protocols.checks import whole
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, Boundaries, boundary_codes

__all__ = [
    "LARGEST_AMOUNT",
    "Field",
    "channels_on_grid",
    "checked_amounts",
    "checked_step",
    "checked_steps",
    "grid_view",
    "iterate",
    "iterate_on_gpu",
    "layers_on_grid",
    "spread_axes",
]

Field = NDArray[np.float32]
Step = Callable[[Field, Field, int, int], Any]

# What a field may hold, and whatever is put into it: products of two amounts are still finite as
# float32.
LARGEST_AMOUNT = 1e18


def checked_amounts(amounts: ArrayLike, *, signed: bool = False) -> Field:
    """Return finite float32 amounts, C-contiguous, or raise `InputError`; may be the array given.

    Parameters
    ----------
    amounts : array-like
        Of any shape.
    signed : bool, optional
        Whether values below 0 are allowed.
    """
    array = np.ascontiguousarray(amounts, np.float32)
    if array.size == 0:
        return array
    # Extremes pass NaN on, and need no array of booleans.
    low, high = float(array.min()), float(array.max())
    least = -LARGEST_AMOUNT if signed else 0.0
    if not (least <= low and high <= LARGEST_AMOUNT):
        raise InputError(
            f"amounts lie between {low:g} and {high:g}; allowed: {least:g} to {LARGEST_AMOUNT:g}"
        )
    return array


def grid_view(amounts: Field, axes: int) -> Field:
    """Return a view of shape (planes, Z, Y, X).

    Parameters
    ----------
    amounts : ndarray of float32, shape (…, Y, X) or (…, Z, Y, X)
    axes : int
        How many of the last axes are space, 2 or 3; Z is 1 for 2.
    """
    planes = math.prod(amounts.shape[: amounts.ndim - axes])
    return amounts.reshape(planes, *(1,) * (3 - axes), *amounts.shape[amounts.ndim - axes :])


def layers_on_grid(
    amounts: Field, boundaries: Boundaries, axes: int | None
) -> tuple[Field, NDArray[np.int64]]:
    """Return layers between which nothing flows as (planes, Z, Y, X), and codes of their sides.

    Parameters
    ----------
    amounts : ndarray of float32, shape (…, Y, X) or (…, Z, Y, X)
    boundaries : Boundaries
        As `boundary_codes` takes them.
    axes : int or None
        How many of the last axes are space, 2 or 3; None only where there are no others.

    Raises
    ------
    InputError
        `axes` is missing or not allowed: three axes may be a volume as well as channels × a plane.
    """
    shape = amounts.shape
    if axes is None and amounts.ndim != 2:
        raise InputError(
            f"amounts: shape {shape} needs axes=2 if it is (…, Y, X), axes=3 if (…, Z, Y, X)"
        )
    space = 2 if axes is None else whole("axes", axes)
    if space not in (2, 3) or amounts.ndim < space:
        raise InputError(f"axes is {space}; allowed: 2 or 3, of amounts with at least as many axes")
    return grid_view(amounts, space), boundary_codes(boundaries, space)


def channels_on_grid(
    amounts: Field, boundaries: Boundaries, channels: int
) -> tuple[Field, NDArray[np.int64]]:
    """Return channels as (channels, Z, Y, X), and codes of their sides.

    Parameters
    ----------
    amounts : ndarray of float32, shape (channels, Y, X) or (channels, Z, Y, X)
        In the first case there is no z, and no side of it to pass.
    boundaries : Boundaries
        As `boundary_codes` takes them.
    channels : int
        Length that the first axis must have.

    Raises
    ------
    InputError
        The shape is another one.
    """
    shape = amounts.shape
    if amounts.ndim not in (3, 4) or shape[0] != channels:
        raise InputError(
            f"amounts: shape {shape} is not ({channels}, Y, X) or ({channels}, Z, Y, X)"
        )
    space = amounts.ndim - 1
    return grid_view(amounts, space), boundary_codes(boundaries, space)


def checked_step(dt: float, bound: float) -> float:
    """Return a time step above 0 and within its stability bound, or raise `InputError`.

    Parameters
    ----------
    dt : float
        Time of a step.
    bound : float
        Longest stable step.
    """
    # A bound that was computed and printed must be usable as it was printed.
    if not (math.isfinite(dt) and 0.0 < dt <= bound * (1.0 + 1e-6)):
        raise InputError(f"dt is {dt}; allowed: above 0, at most {bound:.7g}, to stay stable here")
    return float(dt)


def checked_steps(steps: int) -> int:
    """Return a number of steps, at least 0, or raise `InputError`."""
    return whole("steps", steps, 0)


def spread_axes(volume: tuple[int, ...], codes: NDArray[np.int64]) -> int:
    """Count the axes of a (Z, Y, X) grid that something can flow along, at least 1.

    A single layer, row or column loses through absorbing sides; an axis that is not there has none
    (see `boundary_codes`).
    """
    absorbing: list[bool] = (codes == ABSORBING).any(axis=1).tolist()
    return max(1, sum(n > 1 or open_end for n, open_end in zip(volume, absorbing, strict=True)))


def iterate(step: Step, field: Field, steps: int, together: int = 1) -> Field:
    """Do steps on the CPU, spread over threads; `field` itself is only read.

    Parameters
    ----------
    step : callable
        ``step(source, target, start, stop)`` writes the rows start to stop of `target`.
    field : ndarray of float32, shape (planes, Z, Y, X)
        The state at the beginning.
    steps : int
        How many, from 0.
    together : int, optional
        Planes whose rows count as one.

    Returns
    -------
    ndarray of float32, shape of `field`
        The state at the end, always a new array.
    """
    width = max(1, field.shape[-1] * together)
    source, target = field, np.empty_like(field)
    for _ in range(steps):
        map_bands(partial(step, source, target), field.size // width, width)
        source, target = target, np.empty_like(field) if source is field else source
    return source if steps else field.copy()


def iterate_on_gpu(launch: Callable[[Any, Any], None], field: Field, steps: int) -> Field:
    """Do steps on the GPU, where the field stays from the first to the last; as `iterate`.

    Parameters
    ----------
    launch : callable
        ``launch(source, target)`` fills a device array from another one.
    field : ndarray of float32
    steps : int

    Returns
    -------
    ndarray of float32, shape of `field`
    """
    from swarmloom.cuda import numba_cuda

    source = numba_cuda().to_device(field)
    target = numba_cuda().device_array(field.shape, field.dtype)
    for _ in range(steps):
        launch(source, target)
        source, target = target, source
    done: Field = source.copy_to_host()
    return done
