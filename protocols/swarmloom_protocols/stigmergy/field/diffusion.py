"""Steps of diffusion and evaporation: their coefficients, their limit, and the choice of kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive
from swarmloom_protocols.stigmergy.field.diffusion_kernels import (
    PAD,
    aligned_zeros,
)
from swarmloom_protocols.stigmergy.field.evaporation import lost_share
from swarmloom_protocols.stigmergy.field.volume_step import step_volume
from swarmloom_protocols.stigmergy.field.wavefront import Sweeper, steps_per_sweep

__all__ = ["Stepper", "diffused", "largest_step", "step_rates"]

Field = NDArray[np.float32]
Float64Array = NDArray[np.float64]

# Room for the rounding of float32: at the very limit a value could become negative by it.
STABLE_SHARE = 1.0 - 2.0**-20


def largest_step(diffusion: ArrayLike, spacing: Float64Array, dimensions: int) -> float:
    """Return the longest stable step: Σ_axes 2·D·dt/h² ≤ 1 keeps every value non-negative.

    Parameters
    ----------
    diffusion : array-like of float
        D ≥ 0 of each channel, in length² per time.
    spacing : ndarray of float64, shape (3,)
        h of z, y and x.
    dimensions : int
        How many of the last axes there are.

    Returns
    -------
    float
        Infinite without diffusion.
    """
    fastest = float(np.asarray(diffusion, np.float64).max(initial=0.0))
    inverse = float(np.sum(2.0 * fastest / spacing[3 - dimensions :] ** 2))
    return STABLE_SHARE / inverse if inverse else np.inf


def step_rates(
    diffusion: ArrayLike,
    evaporation: ArrayLike,
    dt: float,
    spacing: Float64Array,
    dimensions: int,
) -> Field:
    """Return what a step's kernel reads of each channel.

    Parameters
    ----------
    diffusion, evaporation : array-like of float, shape (n,)
        D ≥ 0 in length² per time, k ≥ 0 per time.
    dt : float
        Length of the step, > 0.
    spacing : ndarray of float64, shape (3,)
        h of z, y and x.
    dimensions : int
        How many of the last axes there are; nothing flows along the others.

    Returns
    -------
    ndarray of float32, shape (n, 4)
        Share lost, then D·dt/h² of z, y and x.

    Raises
    ------
    InputError
        The step is not positive or longer than `largest_step`; the message says how long it may be.
    """
    longest = largest_step(diffusion, spacing, dimensions)
    # A step that was computed as the longest one may be longer by a rounding.
    if positive("dt", dt) > longest * (1.0 + 1e-9):
        raise InputError(f"dt is {dt}; a stable step is at most {longest:.9g}")
    shares = np.asarray(diffusion, np.float64)[:, None] * dt / spacing**2
    shares[:, : 3 - dimensions] = 0.0
    lost = lost_share(evaporation, dt)[:, None]
    return np.ascontiguousarray(np.hstack([lost, shares]), np.float32)


class Stepper:
    """Takes steps on the CPU; keeps what it needs for fields of one shape.

    Without diffusion along z, several steps are taken in each sweep through memory, in place (see
    `swarmloom_protocols.stigmergy.field.wavefront`). A volume is stepped into a second buffer and
    back: the planes that a wavefront would have to keep do not fit into a second-level cache.

    Parameters
    ----------
    shape : (int, int, int, int)
        Planes, Z, Y and X.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._sweepers: dict[int, Sweeper] = {}
        self._other: Field | None = None

    def take(self, field: Field, rates: Field, codes: NDArray[np.int64], steps: int) -> Field:
        """Take steps.

        Parameters
        ----------
        field : ndarray of float32
            Overwritten.
        rates : ndarray of float32, shape (planes, 4)
            Of `step_rates`, for each plane.
        codes : ndarray of int64, shape (3, 2)
            As `boundary_codes` gives them.
        steps : int
            At least 0.

        Returns
        -------
        ndarray of float32
            The result: `field` or the buffer that was kept, which is then given away for it.
        """
        if not field.size:
            return field
        if rates[:, 1].any():
            return self._through_volume(field, rates, codes, steps)
        at_once = min(steps_per_sweep(self._shape[3]), max(1, steps))
        self._sweeper(at_once).run(field, rates, codes, steps // at_once)
        if steps % at_once:
            self._sweeper(steps % at_once).run(field, rates, codes, 1)
        return field

    def sweeps(self, rates: Field, steps: int) -> int:
        """Return how often `take` goes through memory for that many steps."""
        return steps if rates[:, 1].any() else -(-steps // steps_per_sweep(self._shape[3]))

    def _sweeper(self, steps: int) -> Sweeper:
        if steps not in self._sweepers:
            self._sweepers[steps] = Sweeper(self._shape, steps)
        return self._sweepers[steps]

    def _through_volume(
        self, field: Field, rates: Field, codes: NDArray[np.int64], steps: int
    ) -> Field:
        other = aligned_zeros(self._shape) if self._other is None else self._other
        width = self._shape[3]
        for _ in range(steps):
            _step_volume_over_threads(field, rates, codes, width, other)
            field, other = other, field
        self._other = other
        return field


def _step_volume_over_threads(
    source: Field, rates: Field, codes: NDArray[np.int64], width: int, target: Field
) -> None:
    def some(start: int, stop: int) -> None:
        buffers = aligned_zeros((5 * (width + PAD) + PAD,))
        step_volume(source, rates, codes, buffers, start, stop, target)

    map_bands(some, source.size // width, width)


def diffused(
    amounts: Field,
    rates: Field,
    codes: NDArray[np.int64],
    steps: int = 1,
    *,
    device: Device = "auto",
) -> Field:
    """Return a field after steps of diffusion and evaporation.

    Parameters
    ----------
    amounts : ndarray of float32, shape (planes, Z, Y, X)
    rates : ndarray of float32, shape (planes, 4)
        Of `step_rates`, for each plane.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    steps : int, optional
        At least 0.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    ndarray of float32, shape of `amounts`
    """
    if resolve(device, size=amounts.size * steps) == "cuda":
        from swarmloom_protocols.stigmergy.field.diffusion_cuda import diffused_on_gpu

        return diffused_on_gpu(amounts, rates, codes, steps)
    values = aligned_zeros(amounts.shape)
    values[...] = amounts
    return Stepper(amounts.shape).take(values, rates, codes, steps)
