"""Stochastic differential equations dX = f(X)·dt + b(X)·dZ, in Itô's sense.

Each component has its own noise. Euler–Maruyama and Milstein after Higham, "An algorithmic
introduction to numerical simulation of stochastic differential equations", SIAM Review 43, 2001,
and Kloeden & Platen, "Numerical solution of stochastic differential equations", 1992, section 10.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import map_bands
from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import generator, positive, whole
from swarmloom_protocols.consensus.chaos.systems import System, copy_state, user_system
from swarmloom_protocols.consensus.dynamics.noise import Noise
from swarmloom_protocols.consensus.dynamics.simulation import (
    DONE,
    ESCAPED,
    NOT_FINITE,
    OUTCOMES,
    Outcome,
)
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = [
    "Ensemble",
    "NoisyMethod",
    "StochasticSystem",
    "follow_increments",
    "noisy",
    "simulate_noisy",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
NoisyMethod = Literal["EulerMaruyama", "Milstein"]

# Values of noise that are drawn at a time: what a second-level cache holds.
PIECE = 1 << 16


@dataclass(frozen=True, eq=False, slots=True)
class StochasticSystem:
    """A flow with noise on each of its components; made by `noisy`.

    Attributes
    ----------
    drift : System
        f.
    diffusion : System
        b, of the same dimension: component i is what the noise of component i is multiplied by.
    """

    drift: System
    diffusion: System


@kernel
def _constant(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    for i in range(p.size):
        out[i] = p[i]


@kernel
def _constant_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = 0.0


def noisy(
    system: System,
    strength: ArrayLike | Callable[[FloatArray, FloatArray], Any],
    *,
    parameters: Mapping[str, float] | None = None,
    jacobian: Callable[[FloatArray, FloatArray], Any] | None = None,
) -> StochasticSystem:
    """Add noise to a flow.

    Parameters
    ----------
    system : System
        A flow: the drift.
    strength : array-like of float, shape () or (D,), or callable
        What the noise of each component is multiplied by: numbers, or ``strength(state,
        parameters)`` that returns D of them.
    parameters : mapping of str to float, optional
        Of the callable.
    jacobian : callable, optional
        Of the callable, for Milstein's method; central differences by default.

    Returns
    -------
    StochasticSystem

    Raises
    ------
    InputError
        The system is a map, or the strength is not finite or of another shape.
    """
    if system.kind != "flow":
        raise InputError(f"system: {system.name} is a map; allowed: flows")
    if callable(strength):
        diffusion = user_system(
            f"noise of {system.name}",
            strength,
            kind="flow",
            start=system.start,
            parameters=parameters,
            jacobian=jacobian,
        )
    else:
        diffusion = _additive(system, np.asarray(strength, np.float64))
    # Loops over both live with a drift of their own: another noise has other machine code.
    shipped = system.shipped and diffusion.shipped
    compiled = system.compiled and diffusion.compiled
    drift = replace(system, shipped=shipped, compiled=compiled, _kernels={})
    return StochasticSystem(drift, diffusion)


def _additive(system: System, strength: FloatArray) -> System:
    if strength.shape not in ((), (system.dimension,)) or not np.isfinite(strength).all():
        allowed = f"one finite number or {system.dimension}"
        raise InputError(f"strength: {strength!r}; allowed: {allowed}")
    each = np.broadcast_to(strength, system.dimension).tolist()
    named = {f"strength {i}": value for i, value in enumerate(each)}
    functions = _constant, _constant_jacobian
    name, start = f"noise of {system.name}", system.start
    return System(name, "flow", system.dimension, *functions, named, start, shipped=True)


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Paths of a stochastic system.

    Attributes
    ----------
    times : ndarray of float64, shape (rows,)
    states : ndarray of float64, shape (paths, rows, D)
        NaN from where a path escaped or was no number any more.
    outcomes : tuple of str
        "Complete", "Escaped" or "NotFinite", of each path.
    """

    times: FloatArray
    states: FloatArray
    outcomes: tuple[Outcome, ...]


def simulate_noisy(
    system: StochasticSystem,
    steps: int,
    *,
    rng: np.random.Generator,
    starts: ArrayLike | None = None,
    paths: int = 1,
    dt: float = 0.01,
    method: NoisyMethod = "EulerMaruyama",
    noise: Noise | None = None,
    every: int = 1,
    bound: float = 1e6,
) -> Ensemble:
    """Follow paths of a flow with noise.

    Parameters
    ----------
    system : StochasticSystem
        What to follow.
    steps : int
        Of each path, ≥ 0.
    rng : numpy.random.Generator
        Where randomness comes from.
    starts : array-like of float, shape (paths, D), optional
        Where they begin; the system's own start by default.
    paths : int, optional
        How many, where no `starts` are given.
    dt : float, optional
        Time of a step.
    method : {"EulerMaruyama", "Milstein"}, optional
        Strong order ½ and 1; the same where the strength does not depend on the state.
    noise : Noise, optional
        White of amplitude 1 by default.
    every : int, optional
        Of so many steps one is kept.
    bound : float, optional
        A component beyond it has escaped; its path ends.

    Returns
    -------
    Ensemble

    Raises
    ------
    InputError
        An argument is out of its range, or Milstein's method is asked of a noise that is not white.
    """
    generator("rng", rng)
    begin, drawn = _starts(system.drift, starts, paths), noise or Noise("White")
    step, kept = positive("dt", dt), whole("every", every, 1)
    white = drawn.colour == "White" and not drawn.correlation_time
    if method == "Milstein" and not white:
        raise InputError('method: "Milstein" needs white noise; allowed: "EulerMaruyama"')
    count, edge = whole("steps", steps, 0), positive("bound", bound)
    states = np.full((len(begin), count // kept + 1, begin.shape[1]), np.nan)
    states[:, 0] = begin
    codes = np.zeros(len(begin), np.int64)
    source = drawn.stream(begin.size, step, rng=rng)
    rows = max(1, PIECE // max(1, begin.size))
    for first in range(0, count, rows):
        taken = min(rows, count - first)
        push = source.increments(taken).reshape(taken, *begin.shape)
        _advance(system, begin, push, step, method, (first, kept), edge, states, codes)
    return _ensemble(kept * step, states, codes)


def follow_increments(
    system: StochasticSystem,
    push: ArrayLike,
    *,
    starts: ArrayLike | None = None,
    dt: float = 0.01,
    method: NoisyMethod = "EulerMaruyama",
    bound: float = 1e6,
) -> Ensemble:
    """Follow paths along given increments of the noise, such as one path at several resolutions.

    Parameters
    ----------
    system : StochasticSystem
        What to follow.
    push : array-like of float, shape (steps, paths, D)
        dZ of each step.
    starts, dt, method, bound
        As in `simulate_noisy`.

    Returns
    -------
    Ensemble
        With every step.

    Raises
    ------
    InputError
        An argument is out of its range or the shapes do not fit.
    """
    given = np.ascontiguousarray(push, np.float64)
    if given.ndim != 3 or given.shape[2] != system.drift.dimension:
        raise InputError(
            f"push: shape {given.shape}; allowed: (steps, paths, {system.drift.dimension})"
        )
    begin = _starts(system.drift, starts, given.shape[1])
    if len(begin) != given.shape[1]:
        raise InputError(f"starts: {len(begin)} for {given.shape[1]} paths of push")
    states = np.full((len(begin), len(given) + 1, begin.shape[1]), np.nan)
    states[:, 0] = begin
    codes, step = np.zeros(len(begin), np.int64), positive("dt", dt)
    _advance(system, begin, given, step, method, (0, 1), positive("bound", bound), states, codes)
    return _ensemble(step, states, codes)


def _ensemble(spacing: float, states: FloatArray, codes: IntArray) -> Ensemble:
    times = spacing * np.arange(states.shape[1], dtype=np.float64)
    return Ensemble(times, states, tuple(OUTCOMES[code] for code in codes.tolist()))


def _starts(system: System, starts: ArrayLike | None, paths: int) -> FloatArray:
    if starts is None:
        return np.tile(system.state(), (whole("paths", paths, 1), 1))
    given = real_array("starts", starts).copy()
    if given.ndim != 2 or given.shape[1] != system.dimension or not np.isfinite(given).all():
        allowed = f"finite, (paths, {system.dimension})"
        raise InputError(f"starts: shape {given.shape}; allowed: {allowed}")
    return given


def _advance(
    system: StochasticSystem,
    current: FloatArray,
    push: FloatArray,
    dt: float,
    method: NoisyMethod,
    rows: tuple[int, int],
    bound: float,
    states: FloatArray,
    codes: IntArray,
) -> None:
    """Take the steps of `push`: `current` is moved, `states` and `codes` are written."""
    if method not in get_args(NoisyMethod):
        allowed = ", ".join(map(repr, get_args(NoisyMethod)))
        raise InputError(f"method is {method!r}; allowed: {allowed}")
    diffusion = system.diffusion
    step = _PathStep(diffusion.rule, diffusion.jacobian)
    run = system.drift.specialise(_PathLoop(step))
    given = system.drift.values, diffusion.values, dt, method == "Milstein", *rows, bound

    def some(start: int, stop: int) -> None:
        run(current[start:stop], push[:, start:stop], *given, states[start:stop], codes[start:stop])

    map_bands(some, len(current), len(push) * current.shape[1])


@dataclass(frozen=True, slots=True)
class _PathStep:
    """Writes one step over a drift for one diffusion."""

    rule: Callable[..., None]
    jacobian: Callable[..., None]

    def __call__(self, system: System) -> Callable[..., None]:
        drift, diffusion, jacobian = system.rule, self.rule, self.jacobian

        def step(
            x: FloatArray,
            push: FloatArray,
            parameters: FloatArray,
            strengths: FloatArray,
            dt: float,
            milstein: bool,
            work: FloatArray,
        ) -> None:
            drift(x, parameters, work[0])
            diffusion(x, strengths, work[1])
            if milstein:
                jacobian(x, strengths, work[2:])
            for i in range(x.size):
                moved = work[0, i] * dt + work[1, i] * push[i]
                if milstein:
                    moved += 0.5 * work[1, i] * work[2 + i, i] * (push[i] * push[i] - dt)
                x[i] += moved

        return step


@dataclass(frozen=True, slots=True)
class _PathLoop:
    """Writes the loop over paths and steps."""

    step: _PathStep

    def __call__(self, system: System) -> Callable[..., None]:
        step = system.specialise(self.step)

        def run(
            current: FloatArray,
            push: FloatArray,
            parameters: FloatArray,
            strengths: FloatArray,
            dt: float,
            milstein: bool,
            first: int,
            every: int,
            bound: float,
            states: FloatArray,
            codes: IntArray,
        ) -> None:
            work = np.empty((2 + current.shape[1], current.shape[1]))
            # Step by step, not path by path: the noise is read in the order it lies in.
            for t in range(push.shape[0]):
                for path in range(current.shape[0]):
                    if codes[path] != DONE:
                        continue
                    x = current[path]
                    step(x, push[t, path], parameters, strengths, dt, milstein, work)
                    for i in range(x.size):
                        # Written so that NaN is caught too.
                        if not abs(x[i]) <= bound:
                            codes[path] = ESCAPED if abs(x[i]) > bound else NOT_FINITE
                    if codes[path] == DONE and (first + t + 1) % every == 0:
                        copy_state(x, states[path, (first + t + 1) // every])

        return run
