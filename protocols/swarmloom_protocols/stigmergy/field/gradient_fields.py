"""Six vector fields that an agent can follow, made of one field of amounts.

With c the amounts and what point sources and sinks add to them, κ the half level and ∇ the central
difference, which takes what lies outside from the boundaries:

| kind | field | an agent that follows it |
|---|---|---|
| Attraction | ∇c | climbs to more |
| Repulsion | −∇c | descends to less |
| Exploitation | c/(κ + c) · ∇c | climbs where much is marked, and drifts freely where little is |
| Exploration | −κ/(κ + c) · ∇c | leaves marks where they are faint, and ignores well-used trails |
| Convergence | −∇(∇²c) | goes to where attraction flows together: crests of trails |
| Divergence | ∇(∇²c) | goes to where attraction flows apart: the feet of trails |

The factors of Exploitation and of −Exploration add to 1 (they are a Hill function and what it
leaves), so that Exploitation − Exploration = Attraction. ∇²c is the divergence of Attraction;
Convergence points down its slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive
from swarmloom_protocols.stigmergy.field.boundaries import Boundaries
from swarmloom_protocols.stigmergy.field.chemistry_grids import (
    Field,
    checked_amounts,
    layers_on_grid,
)
from swarmloom_protocols.stigmergy.field.gradient_kernels import (
    EXPLOITATION,
    EXPLORATION,
    PLAIN,
    gradient_rows,
    laplacian_rows,
    superpose_rows,
)

__all__ = ["GradientKind", "gradient_field"]

Codes = NDArray[np.int64]


class GradientKind(StrEnum):
    """The kinds of gradient field; the module says what each is."""

    ATTRACTION = "attraction"
    REPULSION = "repulsion"
    EXPLORATION = "exploration"
    EXPLOITATION = "exploitation"
    CONVERGENCE = "convergence"
    DIVERGENCE = "divergence"


SIGNS = {
    GradientKind.ATTRACTION: 1.0,
    GradientKind.REPULSION: -1.0,
    GradientKind.CONVERGENCE: -1.0,
    GradientKind.DIVERGENCE: 1.0,
}
OF_LAPLACIAN = (GradientKind.CONVERGENCE, GradientKind.DIVERGENCE)


def gradient_field(
    amounts: ArrayLike,
    kind: GradientKind | str = GradientKind.ATTRACTION,
    sources: ArrayLike | None = None,
    sinks: ArrayLike | None = None,
    half_level: float = 1.0,
    softening: float = 1.0,
    boundaries: Boundaries = "reflecting",
    device: Device = "auto",
    axes: int | None = None,
) -> Field:
    """Compute a gradient field.

    Parameters
    ----------
    amounts : array-like of float32, shape (…, Y, X) or (…, Z, Y, X)
        Amounts ≥ 0 in cells of side 1; not changed.
    kind : GradientKind or str, optional
        "attraction", "repulsion", "exploration", "exploitation", "convergence" or "divergence".
    sources, sinks : array-like, shape (n, 3) or (n, 4), optional
        Points (y, x, strength), in volumes (z, y, x, strength), with strengths q ≥ 0, which add
        and take q / √(r² + σ²) at the distance r; over a periodic axis to the nearest image.
    half_level : float, optional
        κ > 0 of exploration and exploitation, in amounts.
    softening : float, optional
        σ > 0 of sources and sinks, in cells.
    boundaries : optional
        As `boundary_codes` takes them: the outermost cell of a reflecting side sees its own value
        outside, so that nothing leads through the wall.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.
    axes : int, optional
        How many of the last axes are space: 2 or 3; the others may be channels and layers, of which
        each has its own field. Needed for arrays of more than two axes.

    Returns
    -------
    ndarray of float32, shape of `amounts` with an axis of 2 (y, x) or 3 (z, y, x) more
        In amounts per cell, and per cell³ for convergence and divergence; as many components as
        there are axes of space.

    Raises
    ------
    InputError
        An argument is out of its range.
    DeviceError
        "cuda" is not usable here.
    """
    field = checked_amounts(amounts)
    grid, codes = layers_on_grid(field, boundaries, axes)
    components = axes or 2
    of_laplacian, weighting = _weighting(kind, positive("half_level", half_level))
    given = ("sources", sources, 1.0), ("sinks", sinks, -1.0)
    points = np.concatenate([_points(*one, components) for one in given])
    spread = np.float32(positive("softening", softening, 1e9) ** 2)
    if field.size == 0:
        return np.zeros((*field.shape, components), np.float32)
    chain = _on_gpu if resolve(device, size=field.size) == "cuda" else _on_cpu
    vectors = chain(grid, points, spread, of_laplacian, weighting, codes, components)
    return vectors.reshape(*field.shape, components)


def _weighting(kind: GradientKind | str, half_level: float) -> tuple[bool, tuple[int, Any]]:
    """Return whether the gradient is the Laplacian's, and the kernel's kind and level."""
    try:
        known = GradientKind(kind)
    except ValueError:
        allowed = ", ".join(repr(str(one)) for one in GradientKind)
        raise InputError(f"kind: {kind!r} is not one of {allowed}") from None
    weighted = {GradientKind.EXPLOITATION: EXPLOITATION, GradientKind.EXPLORATION: EXPLORATION}
    level = np.float32(half_level if known in weighted else SIGNS[known])
    if not (0.0 < abs(level) < math.inf):
        raise InputError(f"half_level is {half_level}; allowed: above 0 and finite as float32")
    return known in OF_LAPLACIAN, (weighted.get(known, PLAIN), level)


def _points(name: str, points: ArrayLike | None, sign: float, axes: int) -> Field:
    """Return rows of z, y, x and signed strength."""
    if points is None:
        return np.zeros((0, 4), np.float32)
    array = np.asarray(points, np.float64)
    if array.ndim != 2 or array.shape[1] != axes + 1:
        place = "(y, x, strength)" if axes == 2 else "(z, y, x, strength)"
        raise InputError(f"{name}: shape {array.shape} is not (n, {axes + 1}) of {place}")
    wrong = ~(np.isfinite(array).all(axis=1) & (np.abs(array) <= 1e9).all(axis=1))
    wrong |= array[:, -1] < 0.0
    if wrong.any():
        first = int(np.argmax(wrong))
        raise InputError(
            f"{name}: {array[first].tolist()} at index {first}; allowed: finite, at most 1e9, with"
            " strengths from 0"
        )
    array = np.pad(array, ((0, 0), (4 - array.shape[1], 0)))
    array[:, 3] *= sign
    return array.astype(np.float32)


# -- devices ------------------------------------------------------------------------------------


def _on_cpu(
    grid: Field,
    points: Field,
    spread: Any,
    of_laplacian: bool,
    weighting: tuple[int, Any],
    codes: Codes,
    axes: int,
) -> Field:
    nothing = np.zeros(grid.shape[-1], np.float32)
    total = grid
    if len(points):
        cells = np.array(grid.shape[1:], np.float32)
        total = _by_rows(partial(superpose_rows, grid, points, spread, cells, codes), grid.shape)
    potential = total
    if of_laplacian:
        potential = _by_rows(partial(laplacian_rows, total, codes, nothing), grid.shape)
    fill = partial(gradient_rows, total, potential, *weighting, codes, nothing)
    return _by_rows(fill, (*grid.shape, axes))


def _by_rows(fill: Callable[[int, int, Field], None], shape: tuple[int, ...]) -> Field:
    target = np.empty(shape, np.float32)
    rows = math.prod(shape[:3])
    map_bands(lambda start, stop: fill(start, stop, target), rows, target.size // rows)
    return target


def _on_gpu(
    grid: Field,
    points: Field,
    spread: Any,
    of_laplacian: bool,
    weighting: tuple[int, Any],
    codes: Codes,
    axes: int,
) -> Field:
    from swarmloom.cuda import numba_cuda
    from swarmloom_protocols.stigmergy.field.gradient_cuda import gradient, laplacian, superpose

    library, cells = numba_cuda(), np.array(grid.shape[1:], np.float32)
    sides, total = library.to_device(codes), library.to_device(grid)
    if len(points):
        bare, total = total, library.device_array(grid.shape, np.float32)
        given = library.to_device(points), spread, library.to_device(cells), sides
        superpose.launch(grid.size, bare, *given, total)
    potential = total
    if of_laplacian:
        potential = library.device_array(grid.shape, np.float32)
        laplacian.launch(grid.size, total, sides, potential)
    vectors = library.device_array((*grid.shape, axes), np.float32)
    gradient.launch(grid.size, total, potential, *weighting, sides, vectors)
    done: Field = vectors.copy_to_host()
    return done
