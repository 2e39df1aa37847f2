"""Symplectic steps for systems q″ = a(q), whose states are positions, then velocities.

Störmer–Verlet (Hairer, Lubich & Wanner, "Geometric numerical integration illustrated by the
Störmer–Verlet method", Acta Numerica 12, 2003) is of order 2; Yoshida's composition of three such
steps ("Construction of higher order symplectic integrators", Phys. Lett. A 150, 1990) of order 4.
Both keep the energy within a band for exponentially long times, where other methods drift.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos.systems import System

__all__ = ["YOSHIDA_INNER", "YOSHIDA_OUTER", "check_separable", "make_verlet", "make_yoshida"]

FloatArray = NDArray[np.float64]
Stepper = Callable[[FloatArray, FloatArray, float, FloatArray], None]

YOSHIDA_OUTER = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))
YOSHIDA_INNER = 1.0 - 2.0 * YOSHIDA_OUTER
# Of Jacobians by differences.
TOLERANCE = 1e-7


def make_verlet(system: System) -> Stepper:
    """Return half a kick, a drift and half a kick; for `System.specialise`."""
    rule = system.rule

    def verlet(state: FloatArray, parameters: FloatArray, dt: float, work: FloatArray) -> None:
        half = state.size // 2
        rule(state, parameters, work[0])
        for i in range(half):
            state[half + i] += 0.5 * dt * work[0, half + i]
            state[i] += dt * state[half + i]
        rule(state, parameters, work[0])
        for i in range(half):
            state[half + i] += 0.5 * dt * work[0, half + i]

    return verlet


def make_yoshida(system: System) -> Stepper:
    """Return three steps of Störmer and Verlet, the middle one backwards in time."""
    verlet = system.specialise(make_verlet)

    def yoshida(state: FloatArray, parameters: FloatArray, dt: float, work: FloatArray) -> None:
        verlet(state, parameters, YOSHIDA_OUTER * dt, work)
        verlet(state, parameters, YOSHIDA_INNER * dt, work)
        verlet(state, parameters, YOSHIDA_OUTER * dt, work)

    return yoshida


def check_separable(system: System, state: FloatArray) -> None:
    """Make sure that a system is q′ = v, v′ = a(q), as far as a state and its Jacobian tell.

    Raises
    ------
    InputError
        It is not: velocities act on themselves, or positions do not follow them.
    """
    half, matrix = system.dimension // 2, system.jacobian_at(state)
    separable = system.kind == "flow" and system.dimension == 2 * half
    if separable:
        scale = TOLERANCE * (1.0 + abs(matrix).max())
        wanted = np.zeros_like(matrix)
        wanted[:half, half:] = np.eye(half)
        wanted[half:, :half] = matrix[half:, :half]
        follows = abs(system(state)[:half] - state[half:]) <= scale
        separable = bool((abs(matrix - wanted) <= scale).all() and follows.all())
    if not separable:
        raise InputError(
            f"method: {system.name} is not q′ = v, v′ = a(q), as symplectic methods need; allowed:"
            ' "RungeKutta4", "Adaptive"'
        )
