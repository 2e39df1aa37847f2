"""Anisotropic diffusion ∂u/∂t = ∇·(D∇u) that never leaves the range of what was there.

The usual nine-point stencil of a full tensor has negative weights beside the diagonal, and amounts
fall below 0. The stencil here follows Weickert ("Anisotropic Diffusion in Image Processing", 1998,
section 3.4.2): D is split into diffusion along the axes and the diagonals,

    D = Σ_i (D_ii − Σ_{j≠i} |D_ij|) e_i e_iᵀ + Σ_{i<j} |D_ij| (e_i ± e_j)(e_i ± e_j)ᵀ,

the sign being that of D_ij. All weights are ≥ 0 exactly when D is diagonally dominant, in two
dimensions |D_xy| ≤ min(D_xx, D_yy), and for such tensors alone a stencil of the nearest neighbours
can be. The same split serves three dimensions.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.anisotropic_kernels import planar_rows, solid_rows
from swarmloom_protocols.stigmergy.field.anisotropic_stencils import PLANAR_DIRECTIONS, stencil_of
from swarmloom_protocols.stigmergy.field.boundaries import Boundaries, boundary_codes
from swarmloom_protocols.stigmergy.field.chemistry_grids import (
    Field,
    checked_amounts,
    checked_step,
    checked_steps,
    grid_view,
    iterate,
    iterate_on_gpu,
)

__all__ = [
    "AnisotropicDiffusion",
    "DiffusionByTensor",
    "anisotropic_steps",
    "largest_anisotropic_step",
]

# Stencils of a tensor of each cell take four times the memory of a plane.
MOST_KEPT = 4


class AnisotropicDiffusion:
    """Diffusion by one tensor on one grid, whose stencil is made once for many calls.

    Parameters
    ----------
    tensor : array-like, shape (2, 2), (Y, X, 2, 2), (3, 3) or (Z, Y, X, 3, 3)
        D in cells² per unit of time, constant or of each cell, with the axes in the order (y, x)
        or (z, y, x): symmetric, positive semidefinite and diagonally dominant. Two dimensions
        spread within each layer only.
    shape : tuple of int
        Shape of the amounts: (Y, X), (Z, Y, X) or (planes, Z, Y, X).
    boundaries : optional
        As `boundary_codes` takes them. Nothing passes a reflecting side, so that mass is
        conserved; beyond an absorbing one amounts are 0.

    Attributes
    ----------
    largest_step : float
        The longest stable time step, 1 over the largest sum of a cell's edge weights, in (0, ∞];
        1 / (2·(D_xx + D_yy − |D_xy|)) for a constant tensor on a plane.

    Raises
    ------
    InputError
        The tensor cannot be treated; the message names the cell and what is allowed.
    """

    def __init__(
        self, tensor: ArrayLike, shape: tuple[int, ...], boundaries: Boundaries = "reflecting"
    ) -> None:
        self._shape = tuple(shape)
        self._codes = boundary_codes(boundaries)
        if len(self._shape) not in (2, 3, 4):
            raise InputError(f"amounts: shape {self._shape} has not 2 to 4 axes")
        volume = ((1,) * (3 - len(self._shape)) + self._shape)[-3:]
        self._stencil = stencil_of(tensor, volume, self._codes)
        self.largest_step = self._stencil.largest_step

    def steps(
        self, amounts: ArrayLike, dt: float, steps: int = 1, device: Device = "auto"
    ) -> Field:
        """Do explicit steps; arguments, result and errors are those of `anisotropic_steps`."""
        field = checked_amounts(amounts)
        if field.shape != self._shape:
            raise InputError(f"amounts: shape {field.shape} is not {self._shape} of the stencil")
        share = np.float32(checked_step(dt, self.largest_step))
        grid, count = grid_view(field, min(3, field.ndim)), checked_steps(steps)
        if field.size == 0 or count == 0:
            return field.copy()
        on_gpu = resolve(device, size=field.size) == "cuda"
        done = (self._on_gpu if on_gpu else self._on_cpu)(grid, share, count)
        return done.reshape(field.shape)

    def _on_cpu(self, grid: Field, share: Any, steps: int) -> Field:
        weights, directions, layers, lines, _ = self._stencil
        edges, codes = weights * share, self._codes
        nothing = np.zeros(grid.shape[-1], np.float32)

        def rows(source: Field, target: Field, start: int, stop: int) -> None:
            if len(directions) == PLANAR_DIRECTIONS:
                planar_rows(source, edges, lines, codes, nothing, start, stop, target)
            else:
                given = edges, directions, layers, lines, codes, nothing
                solid_rows(source, *given, start, stop, target)

        return iterate(rows, grid, steps)

    def _on_gpu(self, grid: Field, share: Any, steps: int) -> Field:
        from swarmloom.cuda import numba_cuda
        from swarmloom_protocols.stigmergy.field.anisotropic_cuda import anisotropic

        weights, directions, layers, lines, _ = self._stencil
        arrays = weights * share, directions, layers, lines, self._codes
        there = [numba_cuda().to_device(array) for array in arrays]

        def launch(source: Any, target: Any) -> None:
            anisotropic.launch(grid.size, source, *there, target)

        return iterate_on_gpu(launch, grid, steps)


class DiffusionByTensor:
    """Keeps the stencils of the latest tensors, which are known again by their values.

    Parameters
    ----------
    boundaries : optional
        As `boundary_codes` takes them.
    """

    def __init__(self, boundaries: Boundaries) -> None:
        self._boundaries = boundaries
        self._kept: dict[tuple[Any, ...], AnisotropicDiffusion] = {}

    def of(self, tensor: ArrayLike, shape: tuple[int, ...]) -> AnisotropicDiffusion:
        """Return the diffusion by a tensor on a grid; arguments are `AnisotropicDiffusion`'s."""
        values = np.ascontiguousarray(tensor, np.float64)
        key = shape, values.shape, hashlib.blake2b(values.data).digest()
        found = self._kept.pop(key, None)
        # The latest comes last.
        self._kept[key] = found or AnisotropicDiffusion(values, shape, self._boundaries)
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return self._kept[key]


def anisotropic_steps(
    amounts: ArrayLike,
    tensor: ArrayLike,
    boundaries: Boundaries = "reflecting",
    dt: float = 0.1,
    steps: int = 1,
    device: Device = "auto",
) -> Field:
    """Do explicit steps of ∂u/∂t = ∇·(D∇u).

    Parameters
    ----------
    amounts : array-like of float32, shape (Y, X), (Z, Y, X) or (planes, Z, Y, X)
        Amounts ≥ 0 in cells of side 1; not changed.
    tensor : array-like, shape (2, 2), (Y, X, 2, 2), (3, 3) or (Z, Y, X, 3, 3)
        D in cells² per unit of time, constant or of each cell, with the axes in the order (y, x)
        or (z, y, x): symmetric, positive semidefinite and diagonally dominant. Two dimensions
        spread within each layer only.
    boundaries : optional
        As `boundary_codes` takes them. Nothing passes a reflecting side, so that mass is
        conserved; beyond an absorbing one amounts are 0.
    dt : float, optional
        Time of a step, at most `largest_anisotropic_step`.
    steps : int, optional
        How many.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; a GPU keeps the field from the first step to the last.

    Returns
    -------
    ndarray of float32, shape of `amounts`
        Within the range of the amounts given (and 0, with an absorbing side), to rounding.

    Raises
    ------
    InputError
        Amounts are negative, NaN or infinite, the tensor cannot be treated (the message names the
        cell and the allowed range), or the time step is unstable (the message gives the largest).
    DeviceError
        "cuda" is not usable here.
    """
    diffusion = AnisotropicDiffusion(tensor, np.shape(amounts), boundaries)
    return diffusion.steps(amounts, dt, steps, device)


def largest_anisotropic_step(
    tensor: ArrayLike, shape: tuple[int, ...], boundaries: Boundaries = "reflecting"
) -> float:
    """Give the longest stable time step: 1 over the largest sum of a cell's edge weights.

    Parameters
    ----------
    tensor : array-like
        As in `anisotropic_steps`.
    shape : tuple of int
        Shape of the amounts.
    boundaries : optional
        As `boundary_codes` takes them.

    Returns
    -------
    float
        In (0, ∞]; 1 / (2·(D_xx + D_yy − |D_xy|)) for a constant tensor on a plane.

    Raises
    ------
    InputError
        The tensor cannot be treated.
    """
    return AnisotropicDiffusion(tensor, shape, boundaries).largest_step
