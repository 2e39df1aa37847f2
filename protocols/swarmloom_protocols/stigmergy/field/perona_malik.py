"""Perona–Malik diffusion: noise is smoothed, edges higher than a threshold are kept.

∂u/∂t = ∇·(g(|∇u|)∇u) with a conductance g that falls from 1 towards 0 (Perona & Malik, "Scale-space
and edge detection using anisotropic diffusion", IEEE PAMI 12, 1990, equations 7 and 8: one
conductance for each edge between two cells, of their difference). Differences below the threshold K
(for "rational"; K/√2 for "exponential") are smoothed, those above are slowly steepened.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive
from swarmloom_protocols.stigmergy.field.boundaries import Boundaries
from swarmloom_protocols.stigmergy.field.chemistry_grids import (
    Field,
    checked_amounts,
    checked_step,
    checked_steps,
    iterate,
    iterate_on_gpu,
    layers_on_grid,
    spread_axes,
)
from swarmloom_protocols.stigmergy.field.perona_malik_kernels import (
    CONSTANT,
    EXPONENTIAL,
    RATIONAL,
    perona_malik_rows,
)

__all__ = ["Conductance", "perona_malik_steps"]

Conductance = Literal["exponential", "rational", "constant"]
KINDS = {"exponential": EXPONENTIAL, "rational": RATIONAL, "constant": CONSTANT}


def perona_malik_steps(
    amounts: ArrayLike,
    conductance: Conductance = "exponential",
    threshold: float = 1.0,
    rate: float = 1.0,
    dt: float = 0.1,
    steps: int = 1,
    boundaries: Boundaries = "reflecting",
    device: Device = "auto",
    axes: int | None = None,
) -> Field:
    """Do explicit steps of ∂u/∂t = rate·∇·(g(|∇u|)∇u).

    Parameters
    ----------
    amounts : array-like of float32, shape (…, Y, X) or (…, Z, Y, X)
        Amounts ≥ 0 in cells of side 1; not changed.
    conductance : {"exponential", "rational", "constant"}, optional
        g(s) = e^{−(s/K)²}, 1 / (1 + (s/K)²), or 1, which is isotropic diffusion.
    threshold : float, optional
        K > 0, in amounts per cell side.
    rate : float, optional
        Diffusion coefficient > 0 where the field is flat, in cells² per unit of time.
    dt : float, optional
        Time of a step, at most 1 / (2·axes·rate), with the axes longer than one cell.
    steps : int, optional
        How many.
    boundaries : optional
        As `boundary_codes` takes them.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; a GPU keeps the field from the first step to the last.
    axes : int, optional
        How many of the last axes are space: 2 or 3; nothing flows along the others, which may be
        channels and layers. Needed for arrays of more than two axes.

    Returns
    -------
    ndarray of float32, shape of `amounts`
        Within the range of the amounts given (and 0, with an absorbing side), to rounding.

    Raises
    ------
    InputError
        An argument is out of its range; the message gives the largest time step.
    DeviceError
        "cuda" is not usable here.
    """
    field = checked_amounts(amounts)
    (grid, codes), count = layers_on_grid(field, boundaries, axes), checked_steps(steps)
    if conductance not in get_args(Conductance):
        allowed = ", ".join(map(repr, get_args(Conductance)))
        raise InputError(f"conductance: {conductance!r} is not one of {allowed}")
    # Smaller thresholds have squares that a float32 does not hold.
    sharpness = np.float32(max(positive("threshold", threshold), 1e-18) ** -2.0)
    most = 1.0 / (2.0 * spread_axes(grid.shape[1:], codes) * positive("rate", rate))
    share = rate * checked_step(dt, most)
    shares = np.full(len(grid), share, np.float32)
    if field.size == 0:
        return field.copy()
    given = KINDS[conductance], sharpness, shares, codes
    on_gpu = resolve(device, size=field.size) == "cuda"
    done = (_on_gpu if on_gpu else _on_cpu)(grid, given, count)
    return done.reshape(field.shape)


Given = tuple[int, Any, Field, NDArray[np.int64]]


def _on_cpu(grid: Field, given: Given, steps: int) -> Field:
    nothing = np.zeros(grid.shape[-1], np.float32)

    def rows(source: Field, target: Field, start: int, stop: int) -> None:
        perona_malik_rows(source, *given, nothing, start, stop, target)

    return iterate(rows, grid, steps)


def _on_gpu(grid: Field, given: Given, steps: int) -> Field:
    from swarmloom.cuda import numba_cuda
    from swarmloom_protocols.stigmergy.field.perona_malik_cuda import perona_malik

    kind, sharpness, shares, codes = given
    there = numba_cuda().to_device(shares), numba_cuda().to_device(codes)

    def launch(source: Any, target: Any) -> None:
        perona_malik.launch(grid.size, source, kind, sharpness, *there, target)

    return iterate_on_gpu(launch, grid, steps)
