"""Small changes of a parameter that hold a system where it would not stay.

`hold_at_edge` moves a parameter until the largest Lyapunov exponent is 0, the border of chaos.
`ogy` and `pyragas` hold a map on an unstable fixed point: Ott, Grebogi & Yorke, "Controlling
chaos", Phys. Rev. Lett. 64 (1990), with the point known; Pyragas, "Continuous control of chaos by
self-controlling feedback", Phys. Lett. A 170 (1992), from the last two states alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.consensus.chaos.systems import WORK_ROWS, System
from swarmloom_protocols.consensus.chaos.tangents import (
    make_tangent_step,
    orthonormalise,
    work_shapes,
)
from swarmloom_protocols.consensus.dynamics.equilibria import equilibrium

__all__ = ["ControlRun", "EdgeRun", "fixed_point", "hold_at_edge", "ogy", "pyragas"]

FloatArray = NDArray[np.float64]

# An exponent of one window counts for this much at most; superstable cycles have −inf.
MOST_SEEN = 1.0
# Of the parameter, for the derivative by it.
PARAMETER_STEP = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class EdgeRun:
    """A parameter that was moved towards the border of chaos.

    Attributes
    ----------
    values : ndarray of float64, shape (windows,)
        The parameter in each window.
    exponents : ndarray of float64, shape (windows,)
        The largest Lyapunov exponent seen in each, at most 1 on either side of 0.
    value : float
        Mean parameter of the last quarter of the windows.
    exponent : float
        Mean exponent of those.
    """

    values: FloatArray
    exponents: FloatArray
    value: float
    exponent: float


def _make_edge(system: System) -> Callable[..., None]:
    step = system.specialise(make_tangent_step)

    def edge(
        state: FloatArray,
        parameters: FloatArray,
        index: int,
        rule: tuple[float, float, float, float, float],
        window: int,
        values: FloatArray,
        exponents: FloatArray,
        work: FloatArray,
        tangent_work: FloatArray,
    ) -> None:
        dt, low, high, gain, relax = rule
        tangents, unit = np.zeros((1, state.size)), np.ones(1)
        tangents[0, 0] = 1.0
        for w in range(values.size):
            growth = np.zeros(1)
            unit[0] = 1.0
            for _ in range(window):
                step(state, tangents, parameters, 1.0 if dt == 0.0 else dt, work, tangent_work)
                orthonormalise(tangents, unit, growth)
            seen = (growth[0] + math.log(unit[0])) / (window * (1.0 if dt == 0.0 else dt))
            values[w], exponents[w] = parameters[index], min(max(seen, -MOST_SEEN), MOST_SEEN)
            moved = parameters[index] - gain / (1.0 + w / relax) * exponents[w]
            parameters[index] = min(max(moved, low), high)

    return edge


def hold_at_edge(
    system: System,
    parameter: str,
    *,
    low: float,
    high: float,
    windows: int = 2_000,
    window: int = 100,
    gain: float = 0.02,
    relax: float = 100.0,
    rises: bool = True,
    start: ArrayLike | None = None,
    dt: float = 0.01,
) -> EdgeRun:
    """Move a parameter against the largest Lyapunov exponent until that is 0.

    Parameters
    ----------
    system : System
        Begins with the parameter that it has.
    parameter : str
        Which one to move, a coupling for example.
    low, high : float
        Bounds of the parameter.
    windows : int, optional
        Changes of the parameter.
    window : int, optional
        Steps between two of them, over which the exponent is measured.
    gain : float, optional
        Change by a unit of the exponent, in the first windows.
    relax : float, optional
        Windows after which the gain is half, a third, …: stochastic approximation (Robbins & Monro
        1951), so that the parameter comes to rest.
    rises : bool, optional
        Whether the exponent rises with the parameter, on the whole.
    start : array-like of float, shape (D,), optional
        Where the orbit begins.
    dt : float, optional
        Time step of a flow.

    Returns
    -------
    EdgeRun
        The parameter rests where the exponent crosses 0; there may be several such places (each
        periodic window has two), and from where it begins decides on which.

    Raises
    ------
    InputError
        The parameter is unknown, an argument is out of its range, or the orbit escaped.
    """
    values = system.with_parameters(**{parameter: system.parameters.get(parameter, 0.0)}).values
    index = list(system.parameters).index(parameter)
    bounds = between("low", low, -math.inf), between("high", high, low)
    between(parameter, values[index], *bounds)
    step = positive("dt", dt) if system.kind == "flow" else 0.0
    signed = positive("gain", gain) * (1.0 if rises else -1.0)
    rule = (step, *bounds, signed, positive("relax", relax))
    found = np.empty((2, whole("windows", windows, 4)))
    work = [np.empty(shape) for shape in work_shapes(system, 1)]
    run = system.specialise(_make_edge)
    state = system.state(start)
    run(state, values, index, rule, whole("window", window, 1), *found, *work)
    if not np.isfinite(state).all():
        raise InputError(f"{system.name}: the orbit leaves all bounds between {low} and {high}")
    last = found[:, -(windows // 4) :].mean(axis=1)
    return EdgeRun(found[0], found[1], float(last[0]), float(last[1]))


@dataclass(frozen=True, slots=True, eq=False)
class ControlRun:
    """A map that was held on a fixed point.

    Attributes
    ----------
    states : ndarray of float64, shape (steps, D)
        The orbit.
    changes : ndarray of float64, shape (steps,)
        What was added to the parameter at each step.
    point : ndarray of float64, shape (D,)
        The fixed point.
    caught : int
        First step from which the orbit stays within a thousandth of its size of the point; −1 if
        it did not in the end.
    """

    states: FloatArray
    changes: FloatArray
    point: FloatArray
    caught: int


def fixed_point(system: System, guess: ArrayLike) -> FloatArray:
    """Return a fixed point of a map near a guess, by Newton's method; shape (D,).

    Raises
    ------
    InputError
        The system is a flow, or the method does not converge from there.
    """
    if system.kind != "map":
        raise InputError(f"{system.name}: a flow; allowed: maps")
    point = equilibrium(system, guess)
    if point is None:
        raise InputError(f"guess: {guess!r}: no fixed point of {system.name} was found from there")
    return point


def _unstable(
    system: System, parameter: str, guess: ArrayLike
) -> tuple[FloatArray, float, FloatArray]:
    """Return a fixed point, its unstable multiplier, and the vector f with f · ∂F/∂p = 1 along it.

    F is the map, p the parameter.
    """
    _known(system, parameter)
    point = fixed_point(system, guess)
    multipliers, left = np.linalg.eig(system.jacobian_at(point).T)
    outside = np.flatnonzero(abs(multipliers) > 1.0)
    if outside.size != 1:
        raise InputError(
            f"{system.name}: {outside.size} unstable directions at {point!r}; allowed: one"
        )
    value = system.parameters[parameter]
    above = system.with_parameters(**{parameter: value + PARAMETER_STEP})(point)
    below = system.with_parameters(**{parameter: value - PARAMETER_STEP})(point)
    along = left[:, outside[0]].real
    reaction = float(along @ (above - below)) / (2.0 * PARAMETER_STEP)
    if reaction == 0.0:
        raise InputError(f"{parameter}: moves nothing along the unstable direction")
    return point, float(multipliers[outside[0]].real), along / reaction


def _make_held(system: System) -> Callable[..., None]:
    step = system.stepper

    def held(
        state: FloatArray,
        parameters: FloatArray,
        index: int,
        aim: tuple[FloatArray, FloatArray, bool, float],
        kicks: FloatArray,
        states: FloatArray,
        changes: FloatArray,
    ) -> None:
        point, gains, delayed, most = aim
        work, usual = np.empty((WORK_ROWS, state.size)), parameters[index]
        for i in range(changes.size):
            states[i] = state
            change = 0.0
            for axis in range(state.size):
                reference = states[i - 1, axis] if delayed and i > 0 else point[axis]
                change += gains[axis] * (state[axis] - reference)
            if (delayed and i == 0) or not abs(change) <= most:
                change = 0.0
            changes[i] = change
            parameters[index] = usual + change
            step(state, parameters, 1.0, work)
            for axis in range(state.size):
                state[axis] += kicks[i, axis]

    return held


def _held(
    system: System,
    parameter: str,
    point: FloatArray,
    gains: FloatArray,
    how: tuple[bool, float, int, float],
    start: ArrayLike | None,
    rng: np.random.Generator | None,
) -> ControlRun:
    delayed, most, steps, noise = how
    kicks = np.zeros((whole("steps", steps, 1), system.dimension))
    if between("noise", noise, 0.0) > 0.0:
        if rng is None:
            raise InputError("rng: none; allowed with noise: a numpy.random.Generator")
        kicks = rng.normal(0.0, noise, kicks.shape)
    states, changes = np.empty_like(kicks), np.empty(len(kicks))
    aim = (point, gains, delayed, positive("most", most))
    index = list(system.parameters).index(parameter)
    run = system.specialise(_make_held)
    run(system.state(start), system.values, index, aim, kicks, states, changes)
    far = np.flatnonzero(~(abs(states - point).max(axis=1) <= 1e-3 * max(1.0, abs(point).max())))
    caught = 0 if not far.size else int(far[-1]) + 1
    return ControlRun(states, changes, point, caught if caught < len(states) else -1)


def ogy(
    system: System,
    parameter: str,
    guess: ArrayLike,
    *,
    most: float,
    steps: int = 5_000,
    start: ArrayLike | None = None,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> ControlRun:
    """Hold a map on an unstable fixed point with the method of Ott, Grebogi & Yorke.

    Parameters
    ----------
    system : System
        A map.
    parameter : str
        What may be changed a little at every step.
    guess : array-like of float, shape (D,)
        Near the point.
    most : float
        Largest change of the parameter; the orbit is waited for until a smaller one will do.
    steps : int, optional
        Length of the run.
    start : array-like of float, shape (D,), optional
        Where the orbit begins.
    noise : float, optional
        Deviation of normal noise that is added to every component at every step.
    rng : numpy.random.Generator, optional
        For the noise.

    Returns
    -------
    ControlRun

    Raises
    ------
    InputError
        No fixed point is near the guess, it has not exactly one unstable direction, or an argument
        is out of its range.
    """
    point, multiplier, along = _unstable(system, parameter, guess)
    return _held(
        system, parameter, point, -multiplier * along, (False, most, steps, noise), start, rng
    )


def pyragas(
    system: System,
    parameter: str,
    guess: ArrayLike,
    *,
    most: float,
    steps: int = 5_000,
    start: ArrayLike | None = None,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> ControlRun:
    """Hold a map on an unstable fixed point by feedback of its last change.

    The parameters are those of `ogy`. The orbit is compared with its previous state, not with the
    point; the point is only needed for the strength of the feedback, and for the report.

    Raises
    ------
    InputError
        As in `ogy`; the method also needs an unstable multiplier between −3 and −1 (Ushio 1996: a
        point with a multiplier above 1 cannot be held by delayed feedback).
    """
    point, multiplier, along = _unstable(system, parameter, guess)
    if not -3.0 < multiplier < -1.0:
        raise InputError(f"{system.name}: multiplier {multiplier:.4g}; allowed: between -3 and -1")
    # Stable for strengths from −(1 + a) / 2 to 1; their middle is taken.
    gains = (1.0 - multiplier) / 4.0 * along
    return _held(system, parameter, point, gains, (True, most, steps, noise), start, rng)


def _known(system: System, parameter: str) -> None:
    system.with_parameters(**{parameter: system.parameters.get(parameter, 0.0)})
