"""Topological charges of a phase: which squares of four cells it winds round."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = ["charge_at", "phase_charges"]

Float32Array = NDArray[np.float32]
HALF_TURN = np.float32(math.pi)


@kernel
def _jump(before: float, after: float) -> int:
    """Return the turns by which a step of the phase has to be corrected to be the shorter way."""
    step = after - before
    return 1 if step < -HALF_TURN else (-1 if step > HALF_TURN else 0)


@kernel
def charge_at(phases: Float32Array, t: int, y: int, x: int) -> int:
    """Return the charge of the square of the cells (y, x) to (y + 1, x + 1) of frame t.

    The differences round a square add up to nothing; what is left are the whole turns by which
    they had to be wrapped.
    """
    first, second = phases[t, y, x], phases[t, y, x + 1]
    third, fourth = phases[t, y + 1, x + 1], phases[t, y + 1, x]
    return _jump(first, second) + _jump(second, third) + _jump(third, fourth) + _jump(fourth, first)


@kernel
def _charges(phases: Float32Array, charges: NDArray[np.int8], start: int, stop: int) -> None:
    """Write the rows from `start` to `stop`, counted over all frames."""
    height, width = charges.shape[1:]
    for row in range(start, stop):
        t, y = row // height, row % height
        for x in range(width):
            charges[t, y, x] = charge_at(phases, t, y, x)


def phase_charges(phases: ArrayLike, *, device: Device = "auto") -> NDArray[np.int8]:
    """Find the phase singularities of frames.

    Parameters
    ----------
    phases : array-like of float32, shape (T, Y, X)
        In [−π, π]; NaN has no charge.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    ndarray of int8, shape (T, Y − 1, X − 1)
        Turns of the phase round the square of the cells (y, x) to (y + 1, x + 1): 1 where it grows
        from x towards y, −1 where it falls, 0 where it comes back.

    Raises
    ------
    InputError
        The phases have other dimensions.
    """
    angles = np.ascontiguousarray(phases, np.float32)
    if angles.ndim != 3:
        raise InputError(f"phases: shape {angles.shape}; allowed: (T, Y, X)")
    shape = len(angles), max(0, angles.shape[1] - 1), max(0, angles.shape[2] - 1)
    charges = np.empty(shape, np.int8)
    if resolve(device, size=charges.size) == "cuda":
        from swarmloom_protocols.stigmergy.patterns.phase_charges_cuda import charge

        charge(charges.size, (angles,), (charges,))
    else:
        one_band = partial(_charges, angles, charges)
        map_bands(one_band, shape[0] * shape[1], row_elements=shape[2])
    return charges
