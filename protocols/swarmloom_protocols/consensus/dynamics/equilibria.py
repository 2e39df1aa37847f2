"""States that stay where they are: zeros of a flow's velocity, fixed points of a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom_protocols.consensus.chaos.systems import System

__all__ = ["equilibrium", "multipliers", "residual", "residual_jacobian", "stable"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

MOST_STEPS = 50
TOLERANCE = 1e-12
HALVINGS = 20


def residual(system: System, state: FloatArray) -> FloatArray:
    """Return what has to be 0: the velocity of a flow, f(x) − x of a map; shape (D,)."""
    value = system(state)
    return value if system.kind == "flow" else value - state


def residual_jacobian(system: System, state: FloatArray) -> FloatArray:
    """Return the Jacobian of `residual`, shape (D, D)."""
    matrix = system.jacobian_at(state)
    return matrix if system.kind == "flow" else matrix - np.eye(system.dimension)


def multipliers(system: System, state: FloatArray) -> ComplexArray:
    """Return the eigenvalues of the system's Jacobian, shape (D,), the largest real part first.

    Rates of growth for flows, factors of an iteration for maps.
    """
    values = np.asarray(np.linalg.eigvals(system.jacobian_at(state)), np.complex128)
    ordered: ComplexArray = values[np.argsort(-values.real, kind="stable")]
    return ordered


def stable(system: System, values: ComplexArray) -> bool:
    """Tell from its eigenvalues whether an equilibrium attracts."""
    return bool(values.real.max() < 0 if system.kind == "flow" else abs(values).max() < 1)


def equilibrium(system: System, guess: ArrayLike | None = None) -> FloatArray | None:
    """Return an equilibrium near a state, by Newton's method with halved steps.

    Parameters
    ----------
    system : System
    guess : array-like of float, shape (D,), optional
        The system's own start by default.

    Returns
    -------
    ndarray of float64, shape (D,), or None
        None where none was reached.

    Raises
    ------
    InputError
        The guess is no finite state.
    """
    state = system.state(guess, argument="guess")
    size = float(np.linalg.norm(residual(system, state)))
    for _ in range(MOST_STEPS):
        if size <= TOLERANCE * (1 + abs(state).max()):
            return state
        matrix, rest = residual_jacobian(system, state), residual(system, state)
        if not (np.isfinite(matrix).all() and np.isfinite(rest).all()):
            return None
        step = np.linalg.lstsq(matrix, rest, rcond=None)[0]
        for halving in range(HALVINGS):
            tried = state - step * 0.5**halving
            new = _size(system, tried)
            if new < size:
                break
        else:
            return None
        state, size = tried, new
    return state if size <= TOLERANCE**0.75 * (1 + abs(state).max()) else None


def _size(system: System, state: FloatArray) -> float:
    if not np.isfinite(state).all():
        return float("inf")
    value = float(np.linalg.norm(residual(system, state)))
    return value if np.isfinite(value) else float("inf")
