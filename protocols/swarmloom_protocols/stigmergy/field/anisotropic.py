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

import itertools
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.anisotropic_kernels import planar_rows, solid_rows
from swarmloom_protocols.stigmergy.field.boundaries import (
    PERIODIC,
    REFLECTING,
    Boundary,
    boundary_codes,
)
from swarmloom_protocols.stigmergy.field.chemistry_grids import (
    Field,
    checked_amounts,
    checked_step,
    checked_steps,
    grid_view,
    iterate,
    iterate_on_gpu,
)

__all__ = ["anisotropic_steps", "largest_anisotropic_step"]

Tensors = NDArray[np.float64]
Codes = NDArray[np.int64]
Sides = Boundary | str | tuple[Boundary | str, Boundary | str]
Boundaries = Sides | dict[str, Sides]

# Entries of a tensor may differ from symmetry and dominance by rounding in float32.
ROUNDING = 1e-6
PLANAR_DIRECTIONS = 4


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
    field = checked_amounts(amounts)
    grid, codes, count = grid_view(field), boundary_codes(boundaries), checked_steps(steps)
    tensors = _checked_tensor(tensor, grid.shape[1:])
    if field.size == 0:
        return field.copy()
    directions, weights, maps = _stencil(tensors, grid.shape[1:], codes)
    edges = (weights * checked_step(dt, _largest_step(directions, weights))).astype(np.float32)
    if resolve(device, size=field.size) == "cuda":
        done = _on_gpu(grid, edges, directions, maps, codes, count)
    else:
        done = _on_cpu(grid, edges, directions, maps, codes, count)
    return done.reshape(field.shape)


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
    volume = ((1,) * (3 - len(shape)) + tuple(shape))[-3:]
    tensors = _checked_tensor(tensor, volume)
    directions, weights, _ = _stencil(tensors, volume, boundary_codes(boundaries))
    return _largest_step(directions, weights)


# -- tensors ------------------------------------------------------------------------------------


def _checked_tensor(tensor: ArrayLike, volume: tuple[int, ...]) -> Tensors:
    """Return tensors of shape (Z or 1, Y or 1, X or 1, d, d), or raise `InputError`."""
    tensors = np.asarray(tensor, np.float64)
    axes = tensors.shape[-1] if tensors.ndim else 0
    if axes not in (2, 3) or tensors.shape not in ((axes, axes), (*volume[-axes:], axes, axes)):
        grid = ", ".join(map(str, volume))
        raise InputError(
            f"tensor: shape {tensors.shape} is not (2, 2), (Y, X, 2, 2), (3, 3) or "
            f"(Z, Y, X, 3, 3) of the grid (Z, Y, X) = ({grid})"
        )
    slack = ROUNDING * np.abs(tensors).max(axis=(-2, -1), initial=0.0)
    _refuse(tensors, ~np.isfinite(tensors).all(axis=(-2, -1)), "is not finite")
    crossed = np.abs(tensors - tensors.swapaxes(-2, -1)).max(axis=(-2, -1))
    _refuse(tensors, crossed > slack, "is not symmetric")
    smallest = np.linalg.eigvalsh(tensors).min(axis=-1)
    _refuse(tensors, smallest < -slack, "is not positive semidefinite")
    beyond = _axis_weights(tensors).min(axis=-1) < -slack
    _refuse(tensors, beyond, _undominated(axes))
    return tensors.reshape((1,) * (5 - tensors.ndim) + tensors.shape)


def _undominated(axes: int) -> str:
    rule = "|Dxy| <= min(Dxx, Dyy)" if axes == 2 else "Dii >= the sum of its row's other |Dij|"
    return f"would need negative weights; allowed: {rule}"


def _refuse(tensors: Tensors, wrong: NDArray[np.bool_] | np.bool_, problem: str) -> None:
    if np.any(wrong):
        cell = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f" of cell {cell}" if cell else ""
        raise InputError(f"tensor {tensors[cell].tolist()}{where} {problem}")


def _axis_weights(tensors: Tensors) -> Tensors:
    """Return what is left for each axis: D_ii − Σ_{j≠i} |D_ij|."""
    diagonal = np.diagonal(tensors, axis1=-2, axis2=-1)
    own: Tensors = diagonal - (np.abs(tensors).sum(axis=-1) - np.abs(diagonal))
    return own


# -- stencils -----------------------------------------------------------------------------------


def _stencil(
    tensors: Tensors, volume: tuple[int, ...], codes: Codes
) -> tuple[Codes, Tensors, tuple[Codes, Codes]]:
    """Return directions, staggered weights, and where the weights of a layer and a line lie.

    A constant tensor has first, inner and last edges only along z and y.
    """
    constant = tensors.shape[:3] == (1, 1, 1)
    depth, height, width = volume
    directions, weights = _directional_weights(tensors)
    kept = (min(depth, 3), min(height, 3), width) if constant else volume
    if len(directions) == PLANAR_DIRECTIONS:
        kept = (1, *kept[1:])
    edges = [
        edge_weights(np.broadcast_to(weight, kept), step, codes)
        for step, weight in zip(directions, weights, strict=True)
    ]
    maps = _places(depth, kept[0]), _places(height, kept[1])
    return np.array(directions, np.int64), np.array(edges), maps


def _places(size: int, kept: int) -> Codes:
    """Return where the edges of a staggered index lie among those of fewer equal cells."""
    index = np.arange(size + 1)
    return index if size == kept else np.where(index == size, kept, np.minimum(index, kept - 1))


def _directional_weights(tensors: Tensors) -> tuple[list[tuple[int, ...]], list[Tensors]]:
    """Split tensors into weights ≥ 0 of steps (s_z, s_y, s_x); planes have no step along z."""
    axes = tensors.shape[-1]
    unit = np.eye(3, dtype=int)[3 - axes :]
    own = np.maximum(_axis_weights(tensors), 0.0)
    directions = [tuple(row) for row in unit.tolist()]
    weights = [own[..., i] for i in range(axes)]
    for i, j in itertools.combinations(range(axes), 2):
        for sign in (1, -1):
            directions.append(tuple((unit[i] + sign * unit[j]).tolist()))
            weights.append(np.maximum(sign * tensors[..., i, j], 0.0))
    return directions, weights


def edge_weights(weights: Tensors, step: tuple[int, ...], codes: Codes) -> Tensors:
    """Give the weights of the staggered edges along one direction.

    Parameters
    ----------
    weights : ndarray of float64, shape (Z, Y, X)
        Of the cells.
    step : (int, int, int)
        −1, 0 or 1 along z, y and x.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.

    Returns
    -------
    ndarray of float64, shape (Z + 1, Y + 1, X + 1)
        Mean of the two cells that an edge joins; outside it is the outermost cell's, or the one
        at the other side where periodic. 0 for edges through a reflecting side, whatever other
        side they cross.
    """
    edges = np.asarray(weights, np.float64)
    for axis in range(3):
        wrapped = codes[axis, 0] == PERIODIC
        around = [(1, 1) if one == axis else (0, 0) for one in range(3)]
        edges = np.pad(edges, around, mode="wrap" if wrapped else "edge")
    before, after = (
        edges[tuple(_side(one, n, back) for one, n in zip(step, weights.shape, strict=True))]
        for back in (True, False)
    )
    edges = 0.5 * (before + after)
    for axis in range(3):
        _close(edges, axis, step[axis], codes[axis])
    return edges


def _side(step: int, size: int, back: bool) -> slice:
    """Return the padded cells before or after the staggered edges of an axis."""
    first = step > 0 if back else step < 0
    return slice(0, size + 1) if first else slice(1, size + 2)


def _close(edges: Tensors, axis: int, step: int, codes: NDArray[np.int64]) -> None:
    along = np.moveaxis(edges, axis, 0)
    if step == 0:
        return
    if codes[0] == REFLECTING:
        along[0] = 0.0
    if codes[1] == REFLECTING:
        along[-1] = 0.0


def _largest_step(directions: Codes, weights: Tensors) -> float:
    total = np.zeros(tuple(n - 1 for n in weights.shape[1:]))
    for step, edges in zip(directions.tolist(), weights, strict=True):
        for sign in (-1, 1):
            cells = (slice(1, None) if s * sign > 0 else slice(0, -1) for s in step)
            total += edges[tuple(cells)]
    heaviest = float(total.max(initial=0.0))
    return 1.0 / heaviest if heaviest > 0.0 else float("inf")


# -- devices ------------------------------------------------------------------------------------


def _on_cpu(
    grid: Field,
    edges: Field,
    directions: Codes,
    maps: tuple[Codes, Codes],
    codes: Codes,
    steps: int,
) -> Field:
    nothing = np.zeros(grid.shape[-1], np.float32)

    def rows(source: Field, target: Field, start: int, stop: int) -> None:
        if len(directions) == PLANAR_DIRECTIONS:
            planar_rows(source, edges, maps[1], codes, nothing, start, stop, target)
        else:
            solid_rows(source, edges, directions, *maps, codes, nothing, start, stop, target)

    return iterate(rows, grid, steps)


def _on_gpu(
    grid: Field,
    edges: Field,
    directions: Codes,
    maps: tuple[Codes, Codes],
    codes: Codes,
    steps: int,
) -> Field:
    from swarmloom.cuda import numba_cuda
    from swarmloom_protocols.stigmergy.field.anisotropic_cuda import anisotropic

    given: list[Any] = [
        numba_cuda().to_device(array) for array in (edges, directions, *maps, codes)
    ]
    launch = partial(_launch, anisotropic, grid.size, given)
    return iterate_on_gpu(launch, grid, steps)


def _launch(kernel: Any, size: int, given: list[Any], source: Any, target: Any) -> None:
    kernel.launch(size, source, *given, target)
