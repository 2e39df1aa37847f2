"""Well-known maps and flows, with Jacobians: what diagnostics are checked against."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.consensus.chaos.systems import Kind, Rule, System

__all__ = [
    "circle_map",
    "coupled_logistic_maps",
    "damped_oscillator",
    "double_well",
    "henon",
    "logistic",
    "lorenz",
    "rossler",
    "tent",
    "torus",
    "van_der_pol",
]

FloatArray = NDArray[np.float64]

TWO_PI = 2.0 * math.pi
# Starts of coupled maps: irrational steps, so that no two maps begin alike.
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


@functools.cache
def _kernels(rule: Rule, jacobian: Rule) -> dict[Any, Any]:
    """Return where the loops over a system are kept, one place for all its parameters."""
    return {}


def _system(
    name: str,
    kind: Kind,
    functions: tuple[Rule, Rule],
    start: tuple[float, ...],
    parameters: dict[str, float],
) -> System:
    checked = {key: between(key, value, -math.inf) for key, value in parameters.items()}
    parts = (name, kind, len(start), *functions, checked, start)
    return System(*parts, shipped=True, _kernels=_kernels(*functions))


@kernel
def _logistic(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0] = p[0] * x[0] * (1.0 - x[0])


@kernel
def _logistic_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0, 0] = p[0] * (1.0 - 2.0 * x[0])


def logistic(r: float = 4.0) -> System:
    """Return x → r x (1 − x) on [0, 1], r from 0 to 4; λ = ln 2 at r = 4 (May 1976)."""
    return _system("logistic", "map", (_logistic, _logistic_jacobian), (0.3,), {"r": r})


@kernel
def _tent(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0] = p[0] * min(x[0], 1.0 - x[0])


@kernel
def _tent_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0, 0] = p[0] if x[0] < 0.5 else -p[0]


def tent(slope: float = 1.9999) -> System:
    """Return x → slope · min(x, 1 − x) on [0, 1], slope from 0 to 2; λ = ln slope.

    At a slope of 2 every orbit in binary floating point is 0 after some fifty steps.
    """
    return _system("tent", "map", (_tent, _tent_jacobian), (0.3,), {"slope": slope})


@kernel
def _henon(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0] = 1.0 - p[0] * x[0] * x[0] + x[1]
    out[1] = p[1] * x[0]


@kernel
def _henon_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0, 0] = -2.0 * p[0] * x[0]
    out[0, 1] = 1.0
    out[1, 0] = p[1]
    out[1, 1] = 0.0


def henon(a: float = 1.4, b: float = 0.3) -> System:
    """Return (x, y) → (1 − a x² + y, b x) (Hénon 1976); λ = .4192, −1.6232."""
    functions = (_henon, _henon_jacobian)
    return _system("henon", "map", functions, (0.1, 0.1), {"a": a, "b": b})


@kernel
def _circle(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    moved = x[0] + p[0] - p[1] / TWO_PI * math.sin(TWO_PI * x[0])
    out[0] = moved - math.floor(moved)


@kernel
def _circle_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0, 0] = 1.0 - p[1] * math.cos(TWO_PI * x[0])


def circle_map(frequency: float = GOLDEN, coupling: float = 0.5) -> System:
    """Return θ → θ + frequency − coupling/2π · sin 2πθ mod 1 (Arnold 1965); λ = 0 or locked."""
    parameters = {"frequency": frequency, "coupling": coupling}
    return _system("circle map", "map", (_circle, _circle_jacobian), (0.2,), parameters)


@kernel
def _coupled(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    mean = 0.0
    for i in range(x.size):
        out[i] = p[0] * x[i] * (1.0 - x[i])
        mean += out[i] / x.size
    for i in range(x.size):
        out[i] = (1.0 - p[1]) * out[i] + p[1] * mean


@kernel
def _coupled_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    for j in range(x.size):
        slope = p[0] * (1.0 - 2.0 * x[j])
        for i in range(x.size):
            out[i, j] = p[1] / x.size * slope
        out[j, j] += (1.0 - p[1]) * slope


def coupled_logistic_maps(count: int = 32, r: float = 4.0, coupling: float = 0.3) -> System:
    """Return globally coupled maps x_i → (1 − c) f(x_i) + c ⟨f(x)⟩, f logistic (Kaneko 1990).

    On the synchronised state λ = ln 2 along it and ln 2 + ln(1 − c) across it, at r = 4.

    Parameters
    ----------
    count : int, optional
        Maps.
    r : float, optional
        Of each map.
    coupling : float, optional
        c, from 0 to 1.
    """
    start = (GOLDEN * np.arange(1, whole("count", count, 1) + 1)) % 1.0
    parameters = {"r": r, "coupling": coupling}
    functions = (_coupled, _coupled_jacobian)
    return _system("coupled logistic maps", "map", functions, tuple(start.tolist()), parameters)


@kernel
def _lorenz(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0] = p[0] * (x[1] - x[0])
    out[1] = x[0] * (p[1] - x[2]) - x[1]
    out[2] = x[0] * x[1] - p[2] * x[2]


@kernel
def _lorenz_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0, 0] = -p[0]
    out[0, 1] = p[0]
    out[0, 2] = 0.0
    out[1, 0] = p[1] - x[2]
    out[1, 1] = -1.0
    out[1, 2] = -x[0]
    out[2, 0] = x[1]
    out[2, 1] = x[0]
    out[2, 2] = -p[2]


def lorenz(sigma: float = 10.0, rho: float = 28.0, beta: float = 8.0 / 3.0) -> System:
    """Return Lorenz's flow (1963); λ = .9056, 0, −14.5723, their sum −(sigma + 1 + beta)."""
    parameters = {"sigma": sigma, "rho": rho, "beta": beta}
    return _system("lorenz", "flow", (_lorenz, _lorenz_jacobian), (1.0, 1.0, 20.0), parameters)


@kernel
def _rossler(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0] = -x[1] - x[2]
    out[1] = x[0] + p[0] * x[1]
    out[2] = p[1] + x[2] * (x[0] - p[2])


@kernel
def _rossler_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[:] = 0.0
    out[0, 1] = -1.0
    out[0, 2] = -1.0
    out[1, 0] = 1.0
    out[1, 1] = p[0]
    out[2, 0] = x[2]
    out[2, 2] = x[0] - p[2]


def rossler(a: float = 0.2, b: float = 0.2, c: float = 5.7) -> System:
    """Return Rössler's flow (1976); λ = .0714, 0, −5.394."""
    functions = (_rossler, _rossler_jacobian)
    return _system("rossler", "flow", functions, (1.0, 1.0, 0.0), {"a": a, "b": b, "c": c})


@kernel
def _van_der_pol(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0] = x[1]
    out[1] = p[0] * (1.0 - x[0] * x[0]) * x[1] - x[0]


@kernel
def _van_der_pol_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0, 0] = 0.0
    out[0, 1] = 1.0
    out[1, 0] = -2.0 * p[0] * x[0] * x[1] - 1.0
    out[1, 1] = p[0] * (1.0 - x[0] * x[0])


def van_der_pol(mu: float = 1.0) -> System:
    """Return x″ = mu (1 − x²) x′ − x; a limit cycle of amplitude 2, period 6.6633 at mu = 1."""
    functions = (_van_der_pol, _van_der_pol_jacobian)
    return _system("van der pol", "flow", functions, (0.5, 0.0), {"mu": mu})


@kernel
def _oscillator(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0] = x[1]
    out[1] = -p[0] * p[0] * x[0] - 2.0 * p[1] * x[1]


@kernel
def _oscillator_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0, 0] = 0.0
    out[0, 1] = 1.0
    out[1, 0] = -p[0] * p[0]
    out[1, 1] = -2.0 * p[1]


def damped_oscillator(frequency: float = 1.0, damping: float = 0.1) -> System:
    """Return x″ = −frequency² x − 2 damping x′; both λ = −damping where it oscillates."""
    parameters = {"frequency": frequency, "damping": damping}
    functions = (_oscillator, _oscillator_jacobian)
    return _system("damped oscillator", "flow", functions, (1.0, 0.0), parameters)


@kernel
def _double_well(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0] = x[1]
    out[1] = x[0] - x[0] * x[0] * x[0] + p[1] - p[0] * x[1]


@kernel
def _double_well_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[0, 0] = 0.0
    out[0, 1] = 1.0
    out[1, 0] = 1.0 - 3.0 * x[0] * x[0]
    out[1, 1] = -p[0]


def double_well(damping: float = 0.5, tilt: float = 0.0) -> System:
    """Return x″ = x − x³ + tilt − damping x′: wells at ±1 and a saddle at 0 without tilt."""
    functions = (_double_well, _double_well_jacobian)
    parameters = {"damping": damping, "tilt": tilt}
    return _system("double well", "flow", functions, (0.1, 0.0), parameters)


@kernel
def _torus(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    for k in range(2):
        u, v = x[2 * k], x[2 * k + 1]
        inward = 1.0 - u * u - v * v
        out[2 * k] = inward * u - p[k] * v
        out[2 * k + 1] = inward * v + p[k] * u


@kernel
def _torus_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    out[:] = 0.0
    for k in range(2):
        u, v, i = x[2 * k], x[2 * k + 1], 2 * k
        out[i, i] = 1.0 - 3.0 * u * u - v * v
        out[i, i + 1] = -2.0 * u * v - p[k]
        out[i + 1, i] = -2.0 * u * v + p[k]
        out[i + 1, i + 1] = 1.0 - u * u - 3.0 * v * v


def torus(first: float = 1.0, second: float = math.sqrt(2.0)) -> System:
    """Return two Stuart–Landau oscillators on unit circles; λ = 0, 0, −2, −2.

    Parameters
    ----------
    first, second : float, optional
        Angular frequencies; the orbit fills a 2-torus where their ratio is irrational.
    """
    parameters = {"first": first, "second": second}
    return _system("torus", "flow", (_torus, _torus_jacobian), (0.5, 0.0, 0.7, 0.2), parameters)
