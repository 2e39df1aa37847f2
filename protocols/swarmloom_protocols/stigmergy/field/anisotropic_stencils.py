"""Stencils of a tensor field: the weights ≥ 0 of the edges between cells, or why there are none."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.boundaries import PERIODIC, REFLECTING
from swarmloom_protocols.stigmergy.field.chemistry_grids import Field

__all__ = ["PLANAR_DIRECTIONS", "Stencil", "edge_weights", "stencil_of"]

Tensors = NDArray[Any]
Codes = NDArray[np.int64]

# Entries of a tensor may differ from symmetry and dominance by rounding in float32.
ROUNDING = 1e-6
PLANAR_DIRECTIONS = 4


class Stencil(NamedTuple):
    """What the kernels are given of a tensor field.

    Attributes
    ----------
    edges : ndarray of float32, shape (directions, layers, lines, X + 1)
        Weights of the staggered edges, per unit of time.
    directions : ndarray of int64, shape (directions, 3)
        Steps −1, 0 or 1 along z, y and x.
    layers, lines : ndarray of int64, shapes (Z + 1,) and (Y + 1,)
        Where the edges of a staggered index lie in `edges`.
    largest_step : float
        1 over the largest sum of a cell's weights.
    """

    edges: Field
    directions: Codes
    layers: Codes
    lines: Codes
    largest_step: float


def stencil_of(tensor: ArrayLike, volume: tuple[int, ...], codes: Codes) -> Stencil:
    """Make the stencil of a tensor field.

    Parameters
    ----------
    tensor : array-like, shape (2, 2), (Y, X, 2, 2), (3, 3) or (Z, Y, X, 3, 3)
        Symmetric, positive semidefinite, diagonally dominant.
    volume : (int, int, int)
        Cells along z, y and x.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.

    Returns
    -------
    Stencil
        Of a constant tensor it has first, inner and last edges only along z and y.

    Raises
    ------
    InputError
        The tensor cannot be treated; the message names the first such cell.
    """
    tensors = _checked_tensor(tensor, volume)
    if 0 in volume:
        nothing = np.zeros(0, np.int64)
        return Stencil(np.zeros((0,) * 4, np.float32), nothing, nothing, nothing, math.inf)
    depth, height, width = volume
    directions, weights = _directional_weights(tensors)
    constant = tensors.shape[:3] == (1, 1, 1)
    kept = (min(depth, 3), min(height, 3), width) if constant else volume
    planar = len(directions) == PLANAR_DIRECTIONS
    if planar:
        kept = (1, *kept[1:])
    edges = np.array(
        [
            edge_weights(np.broadcast_to(weight, kept), step, codes).astype(np.float32)
            for step, weight in zip(directions, weights, strict=True)
        ]
    )
    places = _places(depth, kept[0]), _places(height, kept[1])
    longest = _largest_step(directions, edges)
    # No edge leads out of a layer: the staggered one beyond it is not needed.
    narrow = np.ascontiguousarray(edges[:, :1]) if planar else edges
    return Stencil(narrow, np.array(directions, np.int64), *places, longest)


def _checked_tensor(tensor: ArrayLike, volume: tuple[int, ...]) -> Tensors:
    """Return tensors of shape (Z or 1, Y or 1, X or 1, d, d), or raise `InputError`."""
    tensors = np.asarray(tensor)
    if tensors.dtype.kind != "f":
        tensors = np.asarray(tensor, np.float64)
    axes = tensors.shape[-1] if tensors.ndim else 0
    if axes not in (2, 3) or tensors.shape not in ((axes, axes), (*volume[-axes:], axes, axes)):
        grid = ", ".join(map(str, volume))
        raise InputError(
            f"tensor: shape {tensors.shape} is not (2, 2), (Y, X, 2, 2), (3, 3) or "
            f"(Z, Y, X, 3, 3) of the grid (Z, Y, X) = ({grid})"
        )
    _refuse(tensors, ~np.isfinite(tensors).all(axis=(-2, -1)), "is not finite")
    slack = ROUNDING * np.abs(tensors).max(axis=(-2, -1), initial=0.0)
    crossed = np.abs(tensors - tensors.swapaxes(-2, -1)).max(axis=(-2, -1))
    _refuse(tensors, crossed > slack, "is not symmetric")
    # Dominance implies that no eigenvalue is below 0.
    beyond = np.asarray(_axis_weights(tensors).min(axis=-1) < -slack)
    if beyond.any():
        _refuse(tensors, beyond, _undominated(tensors[beyond][0]))
    return tensors.reshape((1,) * (5 - tensors.ndim) + tensors.shape)


def _undominated(tensor: Tensors) -> str:
    least = float(np.linalg.eigvalsh(tensor).min())
    if least < -ROUNDING * float(np.abs(tensor).max()):
        return f"is not positive semidefinite: its least eigenvalue is {least:.4g}"
    planar = len(tensor) == 2
    rule = "|Dxy| <= min(Dxx, Dyy)" if planar else "Dii >= the sum of its row's other |Dij|"
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
    weights : ndarray of floats, shape (Z, Y, X)
        Of the cells.
    step : (int, int, int)
        −1, 0 or 1 along z, y and x.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.

    Returns
    -------
    ndarray of floats, shape (Z + 1, Y + 1, X + 1)
        Mean of the two cells that an edge joins; outside it is the outermost cell's, or the one
        at the other side where periodic. 0 for edges through a reflecting side, whatever other
        side they cross.
    """
    edges: Tensors = np.asarray(weights)
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


def _largest_step(directions: list[tuple[int, ...]], weights: Field) -> float:
    total = np.zeros(tuple(n - 1 for n in weights.shape[1:]))
    for step, edges in zip(directions, weights, strict=True):
        for sign in (-1, 1):
            cells = (slice(1, None) if s * sign > 0 else slice(0, -1) for s in step)
            total += edges[tuple(cells)]
    heaviest = float(total.max(initial=0.0))
    return 1.0 / heaviest if heaviest > 0.0 else math.inf
