"""A system together with small displacements from its orbit: the variational equations."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.consensus.chaos.systems import System, copy_state

__all__ = [
    "make_tangent_step",
    "orthonormalise",
    "subtract_projection",
    "vector_length",
    "work_shapes",
]

FloatArray = NDArray[np.float64]

# Products of lengths are turned into logarithms before they leave these bounds.
LEAST_PRODUCT = 1e-100
MOST_PRODUCT = 1e100


def work_shapes(system: System, count: int) -> tuple[tuple[int, int], tuple[int, int, int]]:
    """Return the shapes of the scratch arrays that a tangent step of `count` vectors needs."""
    stages = 1 if system.kind == "map" else 5
    return (stages + system.dimension, system.dimension), (stages, count, system.dimension)


def make_tangent_step(system: System) -> Callable[..., None]:
    """Return ``step(state, tangents, parameters, dt, work, tangent_work)`` for `specialise`.

    It moves the state (D) and the rows of `tangents` (K, D) on, in place; the scratch arrays have
    `work_shapes`. For flows it is Runge–Kutta of order 4 on the equations and their variation
    together, which is the exact derivative of the step itself.
    """
    return _make_map_step(system) if system.kind == "map" else _make_flow_step(system)


def _make_map_step(system: System) -> Callable[..., None]:
    rule, jacobian = system.rule, system.jacobian

    def step(
        state: FloatArray,
        tangents: FloatArray,
        parameters: FloatArray,
        dt: float,
        work: FloatArray,
        tangent_work: FloatArray,
    ) -> None:
        # A vector at a time and in place: a third faster than by `_multiply` and `_copy`.
        image, matrix = work[0], work[1:]
        jacobian(state, parameters, matrix)
        for k in range(tangents.shape[0]):
            for i in range(state.size):
                total = 0.0
                for j in range(state.size):
                    total += matrix[i, j] * tangents[k, j]
                tangent_work[0, k, i] = total
            for i in range(state.size):
                tangents[k, i] = tangent_work[0, k, i]
        rule(state, parameters, image)
        for i in range(state.size):
            state[i] = image[i]

    return step


@kernel
def _multiply(matrix: FloatArray, vectors: FloatArray, images: FloatArray) -> None:
    """Write matrix · v for every row v."""
    for k in range(vectors.shape[0]):
        for i in range(matrix.shape[0]):
            total = 0.0
            for j in range(matrix.shape[1]):
                total += matrix[i, j] * vectors[k, j]
            images[k, i] = total


@kernel
def _copy(source: FloatArray, target: FloatArray) -> None:
    for k in range(source.shape[0]):
        copy_state(source[k], target[k])


@kernel
def _ahead(here: FloatArray, reach: float, slope: FloatArray, there: FloatArray) -> None:
    """Write here + reach · slope, over rows and columns."""
    for k in range(here.shape[0]):
        for i in range(here.shape[1]):
            there[k, i] = here[k, i] + reach * slope[k, i]


def _make_flow_step(system: System) -> Callable[..., None]:
    rule, jacobian = system.rule, system.jacobian

    def step(
        state: FloatArray,
        tangents: FloatArray,
        parameters: FloatArray,
        dt: float,
        work: FloatArray,
        tangent_work: FloatArray,
    ) -> None:
        # Rows 0 to 3 are slopes, row 4 is where the next one is taken.
        copy_state(state, work[4])
        _copy(tangents, tangent_work[4])
        for stage in range(4):
            rule(work[4], parameters, work[stage])
            jacobian(work[4], parameters, work[5:])
            _multiply(work[5:], tangent_work[4], tangent_work[stage])
            if stage < 3:
                reach = dt if stage == 2 else 0.5 * dt
                _ahead_of(state, reach, work[stage], work[4])
                _ahead(tangents, reach, tangent_work[stage], tangent_work[4])
        for stage in range(4):
            share = dt / 3.0 if 0 < stage < 3 else dt / 6.0
            _ahead_of(state, share, work[stage], state)
            _ahead(tangents, share, tangent_work[stage], tangents)

    return step


@kernel
def _ahead_of(here: FloatArray, reach: float, slope: FloatArray, there: FloatArray) -> None:
    for i in range(here.size):
        there[i] = here[i] + reach * slope[i]


@kernel
def orthonormalise(tangents: FloatArray, products: FloatArray, logarithms: FloatArray) -> None:
    """Gram–Schmidt on the rows, in place, in their order; keep account of their lengths.

    Parameters
    ----------
    tangents : float64[K, D]
        Orthonormal afterwards.
    products : float64[K]
        Multiplied with the lengths; kept within bounds by moving their logarithms.
    logarithms : float64[K]
        Where those go. A row of length 0 adds −inf and begins again along an axis.
    """
    for k in range(tangents.shape[0]):
        for before in range(k):
            subtract_projection(tangents[k], tangents[before])
        length = vector_length(tangents[k])
        products[k] *= length
        if not LEAST_PRODUCT < products[k] < MOST_PRODUCT:
            logarithms[k] += math.log(products[k])
            products[k] = 1.0
        for i in range(tangents.shape[1]):
            axis = 1.0 if i == k else 0.0
            tangents[k, i] = axis if length == 0.0 else tangents[k, i] / length


@kernel
def subtract_projection(vector: FloatArray, unit: FloatArray) -> None:
    """Take the part along a unit vector out of another, in place."""
    share = 0.0
    for i in range(vector.size):
        share += vector[i] * unit[i]
    for i in range(vector.size):
        vector[i] -= share * unit[i]


@kernel
def vector_length(vector: FloatArray) -> float:
    """Return the Euclidean length of a vector."""
    squares = 0.0
    for i in range(vector.size):
        squares += vector[i] * vector[i]
    return math.sqrt(squares)
