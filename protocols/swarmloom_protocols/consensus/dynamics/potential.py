"""Potential fields V over D dimensions, with their gradients and Hessians.

A field is evaluated on batches of points, so that all starts of a search and all members of a
crew cost one call. Analytic fields carry their derivatives; a user's function may, and central
differences stand in for what it leaves out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = [
    "Potential",
    "double_well",
    "gaussian_wells",
    "mexican_hat",
    "potential_of",
]

FloatArray = NDArray[np.float64]
Batched = Callable[[FloatArray], FloatArray]

# Steps that balance truncation against rounding: ε^(1/3) for first derivatives by central
# differences, ε^(1/4) for second ones (Press et al., Numerical Recipes, section 5.7).
FIRST_STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
SECOND_STEP = float(np.finfo(np.float64).eps) ** (1 / 4)


@dataclass(frozen=True, slots=True)
class Potential:
    """A potential field and its first two derivatives, evaluated on batches of N points.

    Attributes
    ----------
    dimension : int
        D, at least 1.
    values : callable
        (N, D) to (N,).
    gradients : callable
        (N, D) to (N, D).
    hessians : callable
        (N, D) to (N, D, D), symmetric.
    """

    dimension: int
    values: Batched
    gradients: Batched
    hessians: Batched

    def points(self, points: ArrayLike) -> FloatArray:
        """Return points as a batch of float64.

        Parameters
        ----------
        points : array-like of float, shape (N, D) or (D,)
            Where the field is wanted.

        Returns
        -------
        ndarray of float64, shape (N, D)

        Raises
        ------
        InputError
            The last axis is not of length D.
        """
        batch = np.atleast_2d(real_array("points", points))
        if batch.ndim != 2 or batch.shape[1] != self.dimension:
            shape, wanted = np.shape(points), self.dimension
            raise InputError(f"points: shape {shape}; allowed: (N, {wanted}) or ({wanted},)")
        return batch

    def forces(self, points: FloatArray) -> FloatArray:
        """Return −∇V, shape (N, D): the drift of an opinion that rolls downhill."""
        return -self.gradients(points)


def double_well(
    a: float = 1.0, b: float = 1.0, dimension: int = 1, stiffness: float = 1.0
) -> Potential:
    """Return V = −a·x₀²/2 + b·x₀⁴/4 + stiffness·Σ_{i>0} xᵢ²/2.

    Parameters
    ----------
    a, b : float, optional
        Above 0. The minima lie at x₀ = ±√(a/b), a barrier of a²/(4b) above them at the origin: a
        maximum in one dimension, a saddle in more.
    dimension : int, optional
        D, at least 1.
    stiffness : float, optional
        Curvature across the line of the wells, above 0.

    Returns
    -------
    Potential

    Raises
    ------
    InputError
        A parameter is out of its range.
    """
    a, b, c = positive("a", a), positive("b", b), positive("stiffness", stiffness)
    count = whole("dimension", dimension, 1)
    return Potential(
        count,
        lambda x: x[:, 0] ** 2 * (b * x[:, 0] ** 2 / 4 - a / 2) + c * (x[:, 1:] ** 2).sum(1) / 2,
        partial(_double_well_gradients, a, b, c),
        partial(_double_well_hessians, a, b, c),
    )


def _double_well_gradients(a: float, b: float, c: float, x: FloatArray) -> FloatArray:
    gradients = c * x
    gradients[:, 0] = x[:, 0] * (b * x[:, 0] ** 2 - a)
    return gradients


def _double_well_hessians(a: float, b: float, c: float, x: FloatArray) -> FloatArray:
    hessians = np.zeros((*x.shape, x.shape[1]))
    hessians[:] = c * np.eye(x.shape[1])
    hessians[:, 0, 0] = 3 * b * x[:, 0] ** 2 - a
    return hessians


def mexican_hat(a: float = 1.0, b: float = 1.0, dimension: int = 2) -> Potential:
    """Return V = −a·r²/2 + b·r⁴/4 with r² = Σ xᵢ²: a maximum within a valley r = √(a/b).

    The floor of the valley is level: its points are critical with D − 1 curvatures of 0.

    Parameters
    ----------
    a, b : float, optional
        Above 0.
    dimension : int, optional
        D, at least 1.

    Returns
    -------
    Potential

    Raises
    ------
    InputError
        A parameter is out of its range.
    """
    a, b = positive("a", a), positive("b", b)

    def hessians(x: FloatArray) -> FloatArray:
        outer = x[:, :, None] * x[:, None, :]
        level = (b * (x**2).sum(1) - a)[:, None, None]
        bends: FloatArray = 2 * b * outer + level * np.eye(x.shape[1])
        return bends

    return Potential(
        whole("dimension", dimension, 1),
        lambda x: (x**2).sum(1) * (b * (x**2).sum(1) / 4 - a / 2),
        lambda x: x * (b * (x**2).sum(1, keepdims=True) - a),
        hessians,
    )


def gaussian_wells(
    centres: ArrayLike, widths: ArrayLike, depths: ArrayLike, confinement: float = 0.0
) -> Potential:
    """Return V = −Σₖ depthₖ·exp(−|x − cₖ|²/(2·widthₖ²)) + confinement·|x|²/2.

    Parameters
    ----------
    centres : array-like of float, shape (K, D)
        Where the wells are, K ≥ 1; what crews agree on, say.
    widths : array-like of float, shape (K,) or ()
        Above 0.
    depths : array-like of float, shape (K,) or ()
        Below 0 for hills.
    confinement : float, optional
        Curvature of the bowl that holds all of them.

    Returns
    -------
    Potential

    Raises
    ------
    InputError
        A shape is wrong, a number is not finite, or a width is not above 0.
    """
    middle = np.atleast_2d(real_array("centres", centres).copy())
    width = np.broadcast_to(real_array("widths", widths).copy(), len(middle))
    depth = np.broadcast_to(real_array("depths", depths).copy(), len(middle))
    finite = all(np.isfinite(array).all() for array in (middle, width, depth))
    if middle.ndim != 2 or middle.size == 0 or not finite or width.min() <= 0:
        raise InputError(
            f"centres of shape {middle.shape}, widths, depths; allowed: finite, centres (K, D)"
            " with K and D from 1, widths above 0"
        )
    wells = _Wells(middle, width**-2.0, depth, float(confinement))
    return Potential(middle.shape[1], wells.values, wells.gradients, wells.hessians)


@dataclass(frozen=True, slots=True)
class _Wells:
    centres: FloatArray
    sharpness: FloatArray
    depths: FloatArray
    confinement: float

    def _parts(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return offsets (N, K, D) and the depth of each well where the points are, (N, K)."""
        away = x[:, None, :] - self.centres
        return away, self.depths * np.exp(-self.sharpness * (away**2).sum(2) / 2)

    def values(self, x: FloatArray) -> FloatArray:
        sunk: FloatArray = self._parts(x)[1].sum(1)
        bowl: FloatArray = self.confinement * (x**2).sum(1) / 2
        return bowl - sunk

    def gradients(self, x: FloatArray) -> FloatArray:
        away, depth = self._parts(x)
        pull: FloatArray = np.einsum("nk,nkd->nd", depth * self.sharpness, away)
        return pull + self.confinement * x

    def hessians(self, x: FloatArray) -> FloatArray:
        away, depth = self._parts(x)
        sharp = depth * self.sharpness
        level: FloatArray = (sharp.sum(1) + self.confinement)[:, None, None] * np.eye(x.shape[1])
        outer: FloatArray = np.einsum("nk,nkd,nke->nde", sharp * self.sharpness, away, away)
        return level - outer


def potential_of(
    function: Callable[[FloatArray], FloatArray],
    dimension: int,
    gradient: Callable[[FloatArray], FloatArray] | None = None,
    hessian: Callable[[FloatArray], FloatArray] | None = None,
) -> Potential:
    """Return the field of a user's function.

    Parameters
    ----------
    function : callable
        (N, D) to (N,), by NumPy on the whole batch: ``lambda x: x[:, 0] ** 2 + x[:, 1]``.
    dimension : int
        D, at least 1.
    gradient, hessian : callable, optional
        (N, D) to (N, D) and to (N, D, D). Central differences by default: of the gradient with
        errors of about 1e-10 of the scale, of the function alone about 1e-10 for the gradient and
        1e-8 for the Hessian.

    Returns
    -------
    Potential
        Its functions raise `InputError` where a user's function returns another shape.

    Raises
    ------
    InputError
        `dimension` is out of its range.
    """
    count = whole("dimension", dimension, 1)
    values = _of_shape("function", function, ())
    first = _of_shape("gradient", gradient or partial(_slopes, values), (count,))
    if hessian is not None:
        second = hessian
    elif gradient is not None:
        second = partial(_slopes_of_gradient, first)
    else:
        second = partial(_curvatures, values)
    return Potential(count, values, first, _of_shape("hessian", second, (count, count)))


def _of_shape(name: str, function: Batched, shape: tuple[int, ...]) -> Batched:
    def checked(points: FloatArray) -> FloatArray:
        values = np.asarray(function(points), np.float64)
        if values.shape != (len(points), *shape):
            wanted = (len(points), *shape)
            raise InputError(f"{name} returned shape {values.shape}; allowed: {wanted}")
        return values

    return checked


def _shifts(x: FloatArray, step: float) -> FloatArray:
    """Return a step along each axis for each point, (N, D); exact in binary."""
    size = step * np.maximum(1.0, abs(x))
    return (x + size) - x


def _slopes(values: Batched, x: FloatArray) -> FloatArray:
    """Return the gradient by central differences, (N, D)."""
    size, axes = _shifts(x, FIRST_STEP), np.eye(x.shape[1])
    differences = [values(x + size * axis) - values(x - size * axis) for axis in axes]
    slopes: FloatArray = np.stack(differences, axis=1) / (2 * size)
    return slopes


def _slopes_of_gradient(gradients: Batched, x: FloatArray) -> FloatArray:
    size, axes = _shifts(x, FIRST_STEP), np.eye(x.shape[1])
    rows = [gradients(x + size * axis) - gradients(x - size * axis) for axis in axes]
    hessians = np.stack(rows, axis=1) / (2 * size[:, :, None])
    symmetric: FloatArray = (hessians + hessians.transpose(0, 2, 1)) / 2
    return symmetric


def _curvatures(values: Batched, x: FloatArray) -> FloatArray:
    """Return the Hessian by central second differences of the function, (N, D, D)."""
    size, axes = _shifts(x, SECOND_STEP), np.eye(x.shape[1])
    hessians = np.empty((*x.shape, x.shape[1]))
    for i, j in np.ndindex(len(axes), len(axes)):
        one, other = size * axes[i], size * axes[j]
        along = values(x + one + other) + values(x - one - other)
        across = values(x + one - other) + values(x - one + other)
        hessians[:, i, j] = (along - across) / (4 * size[:, i] * size[:, j])
    return hessians
