"""A potential field known at the nodes of a grid, interpolated by tensor-product splines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import NdBSpline, make_interp_spline

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.dynamics.potential import Potential
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["Interpolation", "gridded_potential"]

FloatArray = NDArray[np.float64]
Interpolation = Literal["multilinear", "cubic"]


def gridded_potential(
    values: ArrayLike, axes: Sequence[ArrayLike], interpolation: Interpolation = "cubic"
) -> Potential:
    """Return the field through given values.

    Parameters
    ----------
    values : array-like of float, shape (n₀, …, n_{D−1})
        V at the nodes.
    axes : sequence of array-like of float, shapes (n₀,), …, (n_{D−1},)
        Coordinates of the nodes, increasing; at least 2 an axis, 4 for "cubic".
    interpolation : {"cubic", "multilinear"}, optional
        "cubic" has continuous curvature. "multilinear" has kinks at the nodes: a gradient within
        each cell, no Hessian.

    Returns
    -------
    Potential
        NaN outside the grid.

    Raises
    ------
    InputError
        Shapes do not fit, an axis does not increase or is too short, or a number is not finite.
        The Hessian of a "multilinear" field raises it too.

    Notes
    -----
    Not-a-knot splines along each axis in turn (de Boor, "A practical guide to splines", chapter
    XVII): exact for polynomials of degree 3 in each coordinate.
    """
    if interpolation not in get_args(Interpolation):
        allowed = ", ".join(map(repr, get_args(Interpolation)))
        raise InputError(f"interpolation is {interpolation!r}; allowed: {allowed}")
    degree = 3 if interpolation == "cubic" else 1
    table = real_array("values", values).copy()
    nodes = [real_array("axes", axis).copy() for axis in axes]
    _check_grid(table, nodes, degree + 1)
    spline = _through(table, nodes, degree)
    second = partial(_hessians, spline) if degree == 3 else _no_hessians
    return Potential(len(nodes), partial(_at, spline), partial(_gradients, spline), second)


def _check_grid(table: FloatArray, nodes: list[FloatArray], fewest: int) -> None:
    if not nodes or table.shape != tuple(axis.size for axis in nodes):
        sizes = tuple(axis.size for axis in nodes)
        raise InputError(f"values: shape {table.shape}; allowed: the axes' lengths, {sizes}")
    if not np.isfinite(table).all():
        raise InputError("values: one is not finite; allowed: finite numbers")
    for i, axis in enumerate(nodes):
        if axis.ndim != 1 or axis.size < fewest or not (np.diff(axis) > 0).all():
            raise InputError(f"axes[{i}]; allowed: at least {fewest} increasing numbers")
        if not np.isfinite(axis).all():
            raise InputError(f"axes[{i}]: one is not finite; allowed: finite numbers")


def _through(table: FloatArray, nodes: list[FloatArray], degree: int) -> NdBSpline:
    coefficients, knots = table, []
    for i, axis in enumerate(nodes):
        along = make_interp_spline(axis, coefficients, degree, axis=i)
        knots.append(along.t)
        # make_interp_spline keeps its coefficients with the interpolated axis first.
        coefficients = np.moveaxis(along.c, 0, i)
    return NdBSpline(tuple(knots), np.ascontiguousarray(coefficients), degree, extrapolate=False)


def _at(spline: NdBSpline, x: FloatArray, orders: tuple[int, ...] | None = None) -> FloatArray:
    values: FloatArray = np.asarray(spline(x, nu=orders), np.float64)
    return values


def _gradients(spline: NdBSpline, x: FloatArray) -> FloatArray:
    axes = np.eye(x.shape[1], dtype=int)
    return np.stack([_at(spline, x, tuple(axis.tolist())) for axis in axes], axis=1)


def _hessians(spline: NdBSpline, x: FloatArray) -> FloatArray:
    axes = np.eye(x.shape[1], dtype=int)
    rows = [[_at(spline, x, tuple((i + j).tolist())) for j in axes] for i in axes]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def _no_hessians(x: FloatArray) -> FloatArray:
    raise InputError(
        'interpolation is "multilinear", whose field has kinks and no curvature; allowed where'
        ' curvature is needed: "cubic"'
    )
