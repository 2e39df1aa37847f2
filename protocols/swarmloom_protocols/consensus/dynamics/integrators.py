"""Simulation of maps and flows under a step budget, ended where states escape or are no numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.consensus.chaos.systems import WORK_ROWS, System, copy_state
from swarmloom_protocols.consensus.dynamics.simulation import (
    BUDGET,
    DONE,
    ESCAPED,
    NOT_FINITE,
    OUTCOMES,
    Simulation,
)
from swarmloom_protocols.consensus.dynamics.steppers import (
    check_separable,
    make_verlet,
    make_yoshida,
)

__all__ = ["Method", "simulate"]

FloatArray = NDArray[np.float64]
Method = Literal["RungeKutta4", "Adaptive", "StormerVerlet", "Yoshida4"]

MAKERS = {"StormerVerlet": make_verlet, "Yoshida4": make_yoshida}


def simulate(
    system: System,
    duration: float,
    *,
    start: ArrayLike | None = None,
    dt: float = 0.01,
    method: Method = "RungeKutta4",
    every: int = 1,
    most_steps: int = 1_000_000,
    bound: float = 1e6,
    tolerance: float = 1e-9,
) -> Simulation:
    """Follow a system for a time.

    Parameters
    ----------
    system : System
        A map or a flow.
    duration : float
        How long, ≥ 0; iterations of a map.
    start : array-like of float, shape (D,), optional
        The system's own by default.
    dt : float, optional
        Step of a flow; with "Adaptive" the time between the states that are looked at. Maps ignore
        it.
    method : {"RungeKutta4", "Adaptive", "StormerVerlet", "Yoshida4"}, optional
        "Adaptive" is SciPy's DOP853, of order 8. The last two are symplectic, of order 2 and 4, for
        flows q′ = v, v′ = a(q). Maps are iterated, whatever it says.
    every : int, optional
        Of so many steps one is kept.
    most_steps : int, optional
        Steps at which to give up.
    bound : float, optional
        A component beyond it has escaped.
    tolerance : float, optional
        Relative error of a step of "Adaptive"; a thousandth of it absolute.

    Returns
    -------
    Simulation

    Raises
    ------
    InputError
        An argument is out of its range, or the system is not of the form that the method needs.
    """
    if method not in get_args(Method):
        allowed = ", ".join(map(repr, get_args(Method)))
        raise InputError(f"method is {method!r}; allowed: {allowed}")
    state = system.state(start)
    if method in MAKERS and system.kind == "flow":
        check_separable(system, state)
    step = 1.0 if system.kind == "map" else positive("dt", dt)
    # A duration that is a multiple of dt but for rounding is meant as one.
    wanted = math.floor(between("duration", duration, 0.0, 1e15) / step * (1 + 1e-12))
    limits = wanted, whole("most_steps", most_steps, 0), whole("every", every, 1)
    edge = positive("bound", bound)
    if method == "Adaptive" and system.kind == "flow":
        return _adaptive(system, state, step, limits, edge, positive("tolerance", tolerance, 0.1))
    return _fixed(system, state, step, limits, edge, method)


def _fixed(
    system: System,
    state: FloatArray,
    dt: float,
    limits: tuple[int, int, int],
    bound: float,
    method: Method,
) -> Simulation:
    wanted, most_steps, every = limits
    steps = min(wanted, most_steps)
    states = np.empty((steps // every + 1, system.dimension))
    symplectic = method if method in MAKERS and system.kind == "flow" else ""
    run = system.specialise(_Loop(symplectic))
    rows, taken, code = run(state, system.values, dt, every, steps, bound, states)
    if code == DONE and wanted > most_steps:
        code = BUDGET
    times = every * dt * np.arange(rows, dtype=np.float64)
    return Simulation(times, states[:rows], state, OUTCOMES[code], taken)


@dataclass(frozen=True, slots=True)
class _Loop:
    """Writes the loop over a system for one way of stepping."""

    method: str

    def __call__(self, system: System) -> Callable[..., tuple[int, int, int]]:
        step: Any = system.specialise(MAKERS[self.method]) if self.method else system.stepper

        def run(
            state: FloatArray,
            parameters: FloatArray,
            dt: float,
            every: int,
            steps: int,
            bound: float,
            states: FloatArray,
        ) -> tuple[int, int, int]:
            work = np.empty((WORK_ROWS, state.size))
            copy_state(state, states[0])
            rows = 1
            for taken in range(1, steps + 1):
                step(state, parameters, dt, work)
                for i in range(state.size):
                    # Written so that NaN is caught too.
                    if not abs(state[i]) <= bound:
                        return rows, taken, ESCAPED if abs(state[i]) > bound else NOT_FINITE
                if taken % every == 0:
                    copy_state(state, states[rows])
                    rows += 1
            return rows, steps, DONE

        return run


def _adaptive(
    system: System,
    state: FloatArray,
    dt: float,
    limits: tuple[int, int, int],
    bound: float,
    tolerance: float,
) -> Simulation:
    """Step with error control; look at the states by its dense output."""
    # It takes a second to import, and the other methods do without.
    from scipy.integrate import DOP853

    wanted, most_steps, every = limits
    rule, parameters, slope = system.rule, system.values, np.empty(system.dimension)

    def velocity(_: float, point: FloatArray) -> FloatArray:
        rule(point, parameters, slope)
        return slope.copy()

    times = every * dt * np.arange(wanted // every + 1, dtype=np.float64)
    states, rows, taken, code = [state[None]], 1, 0, DONE
    solver = DOP853(velocity, 0.0, state, wanted * dt, rtol=tolerance, atol=tolerance / 1e3)
    while solver.status == "running" and code == DONE:
        if taken == most_steps:
            code = BUDGET
            break
        # A message means that steps shrink to nothing: velocities are no numbers further on.
        code = NOT_FINITE if solver.step() else _judged(solver.y, bound)
        taken += 1
        stop = int(np.searchsorted(times, solver.t * (1 + 1e-12), side="right"))
        if stop > rows and code == DONE:
            states.append(solver.dense_output()(np.minimum(times[rows:stop], solver.t)).T)
            rows = stop
    return Simulation(times[:rows], np.vstack(states), solver.y, OUTCOMES[code], taken)


def _judged(state: FloatArray, bound: float) -> int:
    if not np.isfinite(state).all():
        return NOT_FINITE
    return ESCAPED if abs(state).max() > bound else DONE
