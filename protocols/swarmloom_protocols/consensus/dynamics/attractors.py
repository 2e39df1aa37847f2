"""Which kind of attractor a system settles on, from three independent kinds of evidence.

Signs of the Lyapunov exponents (Strogatz, "Nonlinear dynamics and chaos", sections 9.3 and 10.5;
Haken, Phys. Lett. A 94, 1983: a bounded orbit of a flow that ends in no fixed point has an exponent
of 0), recurrence of the orbit, and the 0–1 test of one of its components. Chaos is a
"StrangeAttractor" where volumes shrink and "Chaotic" where they do not (Grebogi, Ott, Pelikan &
Yorke, Physica D 13, 1984, on why the words differ).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom_protocols.checks import generator, positive, whole
from swarmloom_protocols.consensus.chaos.lyapunov import LyapunovSpectrum, lyapunov_spectrum
from swarmloom_protocols.consensus.chaos.systems import System
from swarmloom_protocols.consensus.dynamics.equilibria import equilibrium, multipliers, stable
from swarmloom_protocols.consensus.dynamics.integrators import simulate
from swarmloom_protocols.consensus.dynamics.periods import Period, cycle_length, flow_period
from swarmloom_protocols.consensus.dynamics.simulation import Outcome
from swarmloom_protocols.consensus.dynamics.trajectories import (
    CHAOTIC,
    SHRINKS,
    leaves,
    thinned,
)
from swarmloom_protocols.consensus.dynamics.zero_one_test import FEWEST_VALUES, zero_one_test

__all__ = ["Attractor", "AttractorKind", "find_attractor"]

FloatArray = NDArray[np.float64]
AttractorKind = Literal["FixedPoint", "LimitCycle", "Torus", "StrangeAttractor", "Chaotic"]

# A growth of e⁵ over the whole run cannot be told from none.
FINITE_TIME = 5.0
STANDARD_ERRORS = 4.0
# An extent below this share of the size of the state is rest.
REST = 1e-6
FEWEST_ROWS = 64
MOST_STEPS = 10**9


@dataclass(frozen=True, slots=True)
class Attractor:
    """Where a system settles.

    Attributes
    ----------
    kind : {"FixedPoint", "LimitCycle", "Torus", "StrangeAttractor", "Chaotic"} or None
        None where the orbit escapes or is on its way out. A map's cycle of several points is a
        "LimitCycle".
    outcome : {"Complete", "BudgetSpent", "Escaped", "NotFinite"}
        How the simulation ended.
    agreed : bool
        Whether the exponents and the record say the same; if not, take `kind` with care and a
        longer run. False too for an orbit on its way out that passed no bound.
    exponents, standard_errors : ndarray of float64, shape (D,)
        Lyapunov exponents; NaN where there are none.
    dimension : float
        By Kaplan and Yorke.
    zero_one : float
        K of the 0–1 test; NaN where the record is too short or at rest.
    period : Period or None
        Of a closed orbit.
    position : ndarray of float64, shape (D,)
        The fixed point, or the mean state; NaN for angles.
    extent : ndarray of float64, shape (D,)
        Range of each component; within 2π for angles.
    """

    kind: AttractorKind | None
    outcome: Outcome
    agreed: bool
    exponents: FloatArray
    standard_errors: FloatArray
    dimension: float
    zero_one: float
    period: Period | None
    position: FloatArray
    extent: FloatArray


def find_attractor(
    system: System,
    *,
    rng: np.random.Generator,
    start: ArrayLike | None = None,
    dt: float = 0.01,
    transient: float = 200.0,
    duration: float = 1000.0,
    bound: float = 1e6,
    angles: Sequence[int] = (),
) -> Attractor:
    """Find out on what a system settles.

    Parameters
    ----------
    system : System
        A map or a flow.
    rng : numpy.random.Generator
        Draws the frequencies of the 0–1 test.
    start : array-like of float, shape (D,), optional
        The system's own by default; other starts may lead to other attractors.
    dt : float, optional
        Step of a flow, by Runge–Kutta of order 4; ignored for maps.
    transient : float, optional
        Time (iterations of a map) before anything is measured.
    duration : float, optional
        Time measured, 64 steps at least: many periods. An exponent within 5/`duration` of 0 counts
        as 0, so that chaos weaker than that passes for order.
    bound : float, optional
        A component beyond it has escaped.
    angles : sequence of int, optional
        Components in radians that only matter modulo 2π, from 0: the clock of a forced system,
        whose velocity is the forcing's angular frequency. `bound` is for the turns that they add
        up to as well.

    Returns
    -------
    Attractor

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    generator("rng", rng)
    step = 1.0 if system.kind == "map" else positive("dt", dt)
    length = positive("duration", duration)
    turning = _checked_angles(system, angles)
    follow = partial(simulate, system, dt=dt, bound=bound, most_steps=MOST_STEPS)
    before = follow(transient, start=start, every=MOST_STEPS)
    if before.outcome != "Complete":
        return _none(system, before.outcome)
    steps = max(FEWEST_ROWS, math.floor(length / step))
    begin = _wrapped(before.last[None], turning)[0]
    run = follow(steps * step, start=begin)
    if run.outcome != "Complete" or leaves(_unrolled(run.states, turning)):
        return _none(system, run.outcome)
    spectrum = _spectrum(system, begin, steps, step)
    return _typed(system, spectrum, run.states, turning, (step, rng))


def _checked_angles(system: System, angles: Sequence[int]) -> list[int]:
    return [whole("angles", angle, 0, system.dimension - 1) for angle in angles]


def _wrapped(states: FloatArray, angles: list[int]) -> FloatArray:
    """Return states with their angles within [0, 2π)."""
    wrapped = states.copy()
    wrapped[:, angles] %= 2 * math.pi
    return wrapped


def _unrolled(states: FloatArray, angles: list[int]) -> FloatArray:
    """Return states with cosines and sines for angles, which neither grow nor jump."""
    straight = np.delete(states, angles, axis=1)
    return np.hstack([straight, np.cos(states[:, angles]), np.sin(states[:, angles])])


def _none(system: System, outcome: Outcome) -> Attractor:
    nothing = np.full(system.dimension, math.nan)
    parts = nothing, nothing.copy(), math.nan, math.nan, None, nothing.copy(), nothing.copy()
    return Attractor(None, outcome, outcome != "Complete", *parts)


def _spectrum(system: System, state: FloatArray, steps: int, dt: float) -> LyapunovSpectrum:
    with warnings.catch_warnings():
        # A collapse leaves sound exponents or NaN; both are dealt with here.
        warnings.simplefilter("ignore", RuntimeWarning)
        return lyapunov_spectrum(system, state, steps, dt=dt, transient=0)


def _typed(
    system: System,
    spectrum: LyapunovSpectrum,
    states: FloatArray,
    angles: list[int],
    pace: tuple[float, np.random.Generator],
) -> Attractor:
    (dt, rng), seen_states = pace, _unrolled(states, angles)
    rest, period, middle = _rest(system, states), None, states.mean(axis=0)
    middle[angles] = math.nan
    wanders = math.nan
    if rest is None:
        period = _period(system, seen_states, dt)
        series = thinned(seen_states)
        wanders = zero_one_test(series, rng=rng) if series.size >= FEWEST_VALUES else math.nan
    seen = _seen(rest is not None, period, wanders)
    signs = _by_signs(system, spectrum, len(states) * dt)
    if signs == "LimitCycle" and seen == "FixedPoint" and system.kind == "map":
        # A map's exponents do not tell a cycle of one point from longer ones.
        signs = seen
    # Rest and closed orbits are seen directly; all else the exponents tell better.
    certain = seen in ("FixedPoint", "LimitCycle") or signs is None
    return Attractor(
        seen if certain else signs,
        "Complete",
        seen is not None and seen == ("Chaotic" if signs == "StrangeAttractor" else signs),
        spectrum.exponents,
        spectrum.standard_errors,
        spectrum.kaplan_yorke,
        wanders,
        period,
        middle if rest is None else rest,
        np.ptp(_wrapped(states, angles), axis=0),
    )


def _rest(system: System, states: FloatArray) -> FloatArray | None:
    """Return the stable equilibrium that a record ends in or closes in on."""
    near = equilibrium(system, states[-1])
    if near is None or not stable(system, multipliers(system, near)):
        return None
    size = max(1.0, abs(states).max())
    away = abs(states - near).max(axis=1)
    quarter = len(away) // 4
    peaks = np.array([away[i * quarter : (i + 1) * quarter].max() for i in range(4)])
    closing = (peaks[1:] <= SHRINKS * peaks[:-1]).all()
    return near if closing or peaks[3] <= REST * size else None


def _period(system: System, states: FloatArray, dt: float) -> Period | None:
    if system.kind == "flow":
        return flow_period(states, dt)
    hops = cycle_length(states)
    return Period(float(hops), 0.0, len(states) // hops) if hops else None


def _seen(at_rest: bool, period: Period | None, wanders: float) -> AttractorKind | None:
    if at_rest:
        return "FixedPoint"
    if period is not None:
        return "LimitCycle"
    if math.isnan(wanders):
        return None
    return "Chaotic" if wanders > CHAOTIC else "Torus"


def _by_signs(system: System, spectrum: LyapunovSpectrum, time: float) -> AttractorKind | None:
    values = spectrum.exponents
    if np.isnan(values).any():
        return None
    allowed = np.maximum(STANDARD_ERRORS * spectrum.standard_errors, FINITE_TIME / time)
    # The error of a sum of exponents is not that of its parts: volumes shrink evenly.
    if (values > allowed).any():
        return "StrangeAttractor" if values.sum() < -FINITE_TIME / time else "Chaotic"
    level = int(np.logical_and.accumulate(abs(values) <= allowed).sum())
    if system.kind == "map":
        return "Torus" if level else "LimitCycle"
    kinds: tuple[AttractorKind, ...] = ("FixedPoint", "LimitCycle", "Torus")
    return kinds[min(level, 2)]
