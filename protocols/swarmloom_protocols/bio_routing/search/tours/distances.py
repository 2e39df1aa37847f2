"""Distances between cities: of points in the plane, rounded or not, or from a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["Cities", "Rounding", "distance", "permutation", "tour_length"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]

# "none": Euclidean. The others are TSPLIB's EUC_2D (nearest), CEIL_2D (up) and ATT, whose distance
# is the Euclidean one over √10, rounded to nearest and then up where that was below.
Rounding = Literal["none", "nearest", "up", "att"]
NONE, NEAREST, UP, ATT, MATRIX = range(5)
CODES = dict(zip(get_args(Rounding), range(4), strict=True))


@kernel
def distance(points: FloatArray, costs: FloatArray, code: int, a: int, b: int) -> float:
    """Return the distance of two cities.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        Empty where the distances come from a matrix.
    costs : ndarray of float64, shape (n, n)
        The matrix; empty where they come from points.
    code : int
        MATRIX, or how to round the distance of points.
    a, b : int
        The cities.
    """
    if code == MATRIX:
        return float(costs[a, b])
    x = points[a, 0] - points[b, 0]
    y = points[a, 1] - points[b, 1]
    if code == ATT:
        exact = np.sqrt((x * x + y * y) / 10.0)
        near = np.floor(exact + 0.5)
        return float(near + 1.0 if near < exact else near)
    exact = np.sqrt(x * x + y * y)
    if code == NEAREST:
        return float(np.floor(exact + 0.5))
    return float(np.ceil(exact) if code == UP else exact)


@kernel
def sum_of_edges(points: FloatArray, costs: FloatArray, code: int, order: IndexArray) -> float:
    """Return the length of the round tour in `order`; arguments as those of `distance`."""
    total = 0.0
    for i in range(order.size):
        total += distance(points, costs, code, order[i - 1], order[i])
    return total


@dataclass(frozen=True)
class Cities:
    """Validated cities: what `distance` takes.

    Attributes
    ----------
    points : ndarray of float64, shape (n, 2), or (0, 2) where a matrix was given
    costs : ndarray of float64, shape (n, n), or (0, 0) where points were given
    code : int
        How distances come about; see `distance`.
    """

    points: FloatArray
    costs: FloatArray
    code: int

    @classmethod
    def of(
        cls,
        points: ArrayLike | None = None,
        costs: ArrayLike | None = None,
        rounding: Rounding = "none",
    ) -> Cities:
        """Check and keep either points or a matrix of costs.

        Parameters
        ----------
        points : array-like of float, shape (n, 2), optional
            Finite; cities may coincide.
        costs : array-like of float, shape (n, n), optional
            Symmetric, finite, from 0. The diagonal is not read.
        rounding : {"none", "nearest", "up", "att"}, optional
            Of the distances of points.

        Raises
        ------
        InputError
            Not exactly one of the two is given, or it is not as above; an entry is named.
        """
        if (points is None) == (costs is None):
            raise InputError("give either points or costs")
        if rounding not in CODES:
            raise InputError(f"rounding is {rounding!r}; allowed: {', '.join(CODES)}")
        if points is not None:
            return cls(_places(points), np.empty((0, 0)), CODES[rounding])
        if rounding != "none":
            raise InputError(f"rounding is {rounding!r}; of a matrix of costs: none")
        return cls(np.empty((0, 2)), _matrix(costs), MATRIX)

    def __len__(self) -> int:
        return max(len(self.points), len(self.costs))

    def length(self, order: IndexArray) -> float:
        """Return the length of a round tour; `order` is not checked."""
        return float(sum_of_edges(self.points, self.costs, self.code, order))

    def relabelled(self, order: IndexArray) -> Cities:
        """Return the same cities with new numbers: city `order[i]` becomes city i."""
        if self.code == MATRIX:
            return Cities(
                self.points, np.ascontiguousarray(self.costs[np.ix_(order, order)]), MATRIX
            )
        return Cities(np.ascontiguousarray(self.points[order]), self.costs, self.code)


def tour_length(
    order: ArrayLike,
    points: ArrayLike | None = None,
    *,
    costs: ArrayLike | None = None,
    rounding: Rounding = "none",
) -> float:
    """Return the length of a round tour.

    Parameters
    ----------
    order : array-like of int, shape (n,)
        A permutation of the cities, which count from 0.
    points, costs, rounding
        As `Cities.of` takes them.

    Raises
    ------
    InputError
        `order` is no permutation of the cities, or another argument is wrong.
    """
    cities = Cities.of(points, costs, rounding)
    return cities.length(permutation(order, len(cities)))


def permutation(order: ArrayLike, n: int) -> IndexArray:
    """Return `order` as int32, or raise `InputError` where it is no permutation of n cities."""
    given = np.asarray(order)
    if given.size == 0 == n:
        return np.empty(0, np.int32)
    if given.shape != (n,) or given.dtype.kind not in "iu":
        raise InputError(f"order has shape {given.shape} of {given.dtype}; allowed: ({n},) of int")
    if not np.array_equal(np.sort(given), np.arange(n)):
        raise InputError(f"order is not a permutation of the cities 0 to {n - 1}")
    return given.astype(np.int32)


def _places(points: ArrayLike) -> FloatArray:
    places = real_array("points", points)
    if places.size == 0:
        return np.empty((0, 2))
    if places.ndim != 2 or places.shape[1] != 2:
        raise InputError(f"points has shape {places.shape}; allowed: (n, 2)")
    _refuse("points", ~np.isfinite(places), places, "finite numbers")
    if np.abs(places).max() > np.sqrt(np.finfo(float).max) / 4.0:
        raise InputError("points: the square of a distance overflows; give smaller coordinates")
    return places


def _matrix(costs: ArrayLike | None) -> FloatArray:
    matrix = real_array("costs", [] if costs is None else costs)
    if matrix.size == 0:
        return np.empty((0, 0))
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"costs has shape {matrix.shape}; allowed: n rows of n")
    off_diagonal = ~np.eye(len(matrix), dtype=bool)
    _refuse("costs", ~(np.isfinite(matrix) & (matrix >= 0)) & off_diagonal, matrix, "from 0")
    _refuse("costs", (matrix != matrix.T) & off_diagonal, matrix, "the same in both directions")
    return matrix


def _refuse(name: str, wrong: NDArray[np.bool_], values: FloatArray, allowed: str) -> None:
    found = np.argwhere(wrong)
    if len(found):
        at = ", ".join(map(str, found[0]))
        raise InputError(f"{name}[{at}] is {values[tuple(found[0])]:g}; allowed: {allowed}")
