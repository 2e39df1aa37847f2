"""Steps of diffusion and evaporation: their coefficients, their limit, and the choice of kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive
from swarmloom_protocols.stigmergy.field.diffusion_kernels import step_rows
from swarmloom_protocols.stigmergy.field.evaporation import lost_share

__all__ = ["diffused", "largest_step", "step_rates", "take_steps"]

Field = NDArray[np.float32]
Float64Array = NDArray[np.float64]


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
    fastest = float(np.max(diffusion, initial=0.0))
    inverse = float(np.sum(2.0 * fastest / spacing[3 - dimensions :] ** 2))
    return 1.0 / inverse if inverse else np.inf


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


def take_steps(
    source: Field, other: Field, rates: Field, codes: NDArray[np.int64], steps: int
) -> tuple[Field, Field]:
    """Take steps on the CPU, from one buffer into the other and back.

    Parameters
    ----------
    source, other : ndarray of float32, shape (planes, Z, Y, X)
        The field and a buffer; both are overwritten.
    rates : ndarray of float32, shape (planes, 4)
        Of `step_rates`, for each plane.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    steps : int

    Returns
    -------
    field, buffer : ndarray of float32
        `source` and `other` or the other way round.
    """
    nothing = np.zeros(source.shape[3], np.float32)
    n_rows = source.size // max(1, source.shape[3])

    def one_band(start: int, stop: int) -> None:
        step_rows(source, rates, codes, nothing, start, stop, other)

    for _ in range(steps if source.size else 0):
        map_bands(one_band, n_rows, source.shape[3])
        source, other = other, source
    return source, other


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
    values = np.array(amounts, np.float32, order="C")
    if resolve(device, size=values.size * steps) == "cuda":
        from swarmloom_protocols.stigmergy.field.diffusion_cuda import diffuse_on_gpu

        return diffuse_on_gpu(values, rates, codes, steps)
    return take_steps(values, np.empty_like(values), rates, codes, steps)[0]
