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
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING

__all__ = [
    "Field",
    "checked_amounts",
    "checked_step",
    "checked_steps",
    "grid_view",
    "iterate",
    "iterate_on_gpu",
    "spread_axes",
]

Field = NDArray[np.float32]
Step = Callable[[Field, Field, int, int], Any]

# What a float32 field may hold so that products of two amounts are still finite.
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


def grid_view(amounts: Field, channels: int | None = None) -> Field:
    """Return a view of shape (planes, Z, Y, X), or raise `InputError`.

    Parameters
    ----------
    amounts : ndarray of float32
        Shape (Y, X), (Z, Y, X) or (planes, Z, Y, X); with `channels`, (channels, Y, X) or
        (channels, Z, Y, X).
    channels : int, optional
        Length that the first axis must have.
    """
    shape = amounts.shape
    if channels is None:
        if amounts.ndim not in (2, 3, 4):
            raise InputError(
                f"amounts: shape {shape} is not (Y, X), (Z, Y, X) or (planes, Z, Y, X)"
            )
        return amounts.reshape((1,) * (4 - amounts.ndim) + shape)
    if amounts.ndim not in (3, 4) or shape[0] != channels:
        raise InputError(
            f"amounts: shape {shape} is not ({channels}, Y, X) or ({channels}, Z, Y, X)"
        )
    return amounts.reshape((channels,) + (1,) * (4 - amounts.ndim) + shape[1:])


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
    if steps != int(steps) or steps < 0:
        raise InputError(f"steps is {steps}; allowed: whole numbers from 0")
    return int(steps)


def spread_axes(volume: tuple[int, ...], codes: NDArray[np.int64]) -> int:
    """Count the axes of a (Z, Y, X) grid that something can flow along, at least 1.

    A plane has no z, whatever its boundaries; a single row or column loses through absorbing sides.
    """
    absorbing: list[bool] = (codes == ABSORBING).any(axis=1).tolist()
    flows = [
        n > 1 or (open_end and axis > 0)
        for axis, (n, open_end) in enumerate(zip(volume, absorbing, strict=True))
    ]
    return max(1, sum(flows))


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
