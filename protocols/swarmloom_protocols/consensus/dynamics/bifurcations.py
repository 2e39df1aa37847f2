"""Bifurcations of equilibria along a branch: found, located, typed.

Test functions change sign (Kuznetsov, "Elements of applied bifurcation theory", section 10.2.2):
the parameter's share of the tangent at a fold, the determinant of the bordered Jacobian where
branches cross, the product of sums of eigenvalues at a Hopf point, det(A + 1) where a map's period
doubles. The normal form's coefficients then say which kind it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom_protocols.consensus.chaos.systems import System
from swarmloom_protocols.consensus.dynamics.continuation import (
    Branch,
    Family,
    continue_equilibria,
)
from swarmloom_protocols.consensus.dynamics.equilibria import multipliers
from swarmloom_protocols.consensus.dynamics.normal_forms import (
    flip_coefficient,
    lyapunov_coefficient,
    reduce_to_null_space,
)

__all__ = [
    "Bifurcation",
    "BifurcationKind",
    "Criticality",
    "bifurcations_on",
    "find_bifurcations",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
BifurcationKind = Literal[
    "SaddleNode", "Transcritical", "Pitchfork", "Hopf", "PeriodDoubling", "NeimarkSacker"
]
Criticality = Literal["super", "sub"]
Test = Callable[[Family, FloatArray, FloatArray], float]

# A coefficient below this share of the others, or of 1, is 0 but for differences and location.
VANISHES = 1e-4
# Two locations nearer than this, in state and parameter, are one bifurcation.
SAME_PLACE = 1e-6
# Eigenvalues on the axis, on the circle, or real but for the accuracy of the location.
ON_AXIS = 1e-5
LOCATED = 1e-13
# Eigenvalues that cross at an ordinary Hopf point.
PAIR = 2
# How far from a located point branches may cross, and how well they have to.
NEARBY = 1e-2
CROSSES = 1e-8


@dataclass(frozen=True, slots=True)
class Bifurcation:
    """Where and how the equilibria of a system change.

    Attributes
    ----------
    kind : {"SaddleNode", "Transcritical", "Pitchfork", "Hopf", "PeriodDoubling", "NeimarkSacker"}
        The last two of maps, "Hopf" of flows.
    criticality : {"super", "sub"} or None
        Of "Pitchfork", "Hopf" and "PeriodDoubling": whether what branches off is stable, as far as
        the directions concerned go. None for the other kinds, where the coefficient is NaN, and
        where it vanishes, as it does when all cycles of a centre appear at once.
    parameter : float
        Where.
    state : ndarray of float64, shape (D,)
    eigenvalues : ndarray of complex128, shape (D,)
        Of the Jacobian there.
    coefficient : float
        Of the normal form: ξ² of "SaddleNode" and "Transcritical", ξ³ of "Pitchfork" and
        "PeriodDoubling", the first Lyapunov coefficient of "Hopf"; NaN for "NeimarkSacker", and
        for "Hopf" where a further eigenvalue is on the axis, as where a fold is at the same place.
    frequency : float
        Angular, of "Hopf" in time, of "NeimarkSacker" per iteration; NaN for the others.
    """

    kind: BifurcationKind
    criticality: Criticality | None
    parameter: float
    state: FloatArray
    eigenvalues: ComplexArray
    coefficient: float
    frequency: float


def find_bifurcations(
    system: System,
    parameter: str,
    low: float,
    high: float,
    *,
    guess: ArrayLike | None = None,
    step: float | None = None,
) -> tuple[Bifurcation, ...]:
    """Follow an equilibrium through a range of a parameter and type its bifurcations.

    Parameters
    ----------
    system : System
        A map or a flow, its own value of the parameter within the range.
    parameter : str
        Which of its parameters.
    low, high : float
        The range.
    guess : array-like of float, shape (D,), optional
        Near the equilibrium; the system's own start by default.
    step : float, optional
        As in `continue_equilibria`.

    Returns
    -------
    tuple of Bifurcation
        In the order of the branch. Branches that cross it are not followed.

    Raises
    ------
    InputError
        As in `continue_equilibria`.
    """
    return bifurcations_on(
        continue_equilibria(system, parameter, low, high, guess=guess, step=step)
    )


def bifurcations_on(branch: Branch) -> tuple[Bifurcation, ...]:
    """Find and type the bifurcations on a branch.

    Parameters
    ----------
    branch : Branch
        From `continue_equilibria`.

    Returns
    -------
    tuple of Bifurcation
        In the order of the branch.
    """
    family, points, tangents = branch.family, branch.points, branch.tangents
    found: list[Bifurcation] = []
    tests = FLOW_TESTS if family.system.kind == "flow" else MAP_TESTS
    values = {
        test: [test(family, *pair) for pair in zip(points, tangents, strict=True)] for test in tests
    }
    for row in range(len(points) - 1):
        for test, typed in tests.items():
            if (values[test][row] < 0) == (values[test][row + 1] < 0):
                continue
            place = _located(family, test, points[row], points[row + 1], tangents[row])
            bifurcation = typed(family, place)
            if bifurcation is not None and not _known(bifurcation, found):
                found.append(bifurcation)
    return tuple(found)


def _known(new: Bifurcation, found: list[Bifurcation]) -> bool:
    """Tell whether another test has found the same bifurcation."""
    return any(
        old.kind == new.kind
        and abs(old.parameter - new.parameter) < SAME_PLACE * (1 + abs(new.parameter))
        and abs(old.state - new.state).max() < math.sqrt(SAME_PLACE) * (1 + abs(new.state).max())
        for old in found
    )


def _located(
    family: Family, test: Test, first: FloatArray, last: FloatArray, tangent: FloatArray
) -> FloatArray:
    """Return the point between two of a branch where a test function is 0."""
    length = float((last - first) @ tangent)

    def point_at(reach: float) -> FloatArray:
        guess = first + reach / length * (last - first)
        corrected = family.corrected(guess, tangent)
        return guess if corrected is None else corrected[0]

    def value_at(reach: float) -> float:
        point = point_at(reach)
        there = family.tangent(point, tangent)
        return test(family, point, tangent if there is None else there)

    # SciPy's optimisers take a second to import, and finding attractors does without them.
    from scipy.optimize import brentq

    ends = value_at(0.0), value_at(length)
    if ends[0] == 0 or ends[1] == 0 or (ends[0] < 0) == (ends[1] < 0):
        # The change is at an end, to rounding.
        return point_at(0.0 if abs(ends[0]) <= abs(ends[1]) else length)
    return point_at(float(brentq(value_at, 0.0, length, xtol=LOCATED, rtol=1e-14)))


# -- Test functions ---------------------------------------------------------------------------


def _turns(family: Family, point: FloatArray, tangent: FloatArray) -> float:
    return float(tangent[-1])


def _crosses(family: Family, point: FloatArray, tangent: FloatArray) -> float:
    return float(np.linalg.det(np.vstack([family.jacobian(point), tangent])))


def _oscillates(family: Family, point: FloatArray, tangent: FloatArray) -> float:
    values = multipliers(family.at(point), point[:-1])
    sums = [one + other for one, other in combinations(values, 2)]
    return float(np.prod(sums).real) if sums else 1.0


def _doubles(family: Family, point: FloatArray, tangent: FloatArray) -> float:
    return float(np.prod(multipliers(family.at(point), point[:-1]) + 1).real)


def _circles(family: Family, point: FloatArray, tangent: FloatArray) -> float:
    values = multipliers(family.at(point), point[:-1])
    products = [one * other - 1 for one, other in combinations(values, 2)]
    return float(np.prod(products).real) if products else 1.0


# -- Typing -----------------------------------------------------------------------------------


def _bifurcation(
    family: Family,
    point: FloatArray,
    kind: BifurcationKind,
    coefficient: float,
    criticality: Criticality | None = None,
    frequency: float = math.nan,
) -> Bifurcation:
    state, values = point[:-1], multipliers(family.at(point), point[:-1])
    return Bifurcation(kind, criticality, float(point[-1]), state, values, coefficient, frequency)


def _typed_singular(family: Family, point: FloatArray) -> Bifurcation | None:
    """Tell a fold from a crossing of branches, and crossings from each other."""
    crossing = _crossing(family, point)
    point = point if crossing is None else crossing
    form = reduce_to_null_space(family, point)
    scale = max(1.0, abs(form.cross), abs(form.square), abs(form.cubic))
    if abs(form.drive) > VANISHES * scale:
        if abs(form.square) <= VANISHES * scale:
            return None
        return _bifurcation(family, point, "SaddleNode", form.square / 2)
    if abs(form.square) > VANISHES * scale:
        return _bifurcation(family, point, "Transcritical", form.square / 2)
    cubic = form.cubic / 6
    critical = _criticality(-cubic, scale)
    return _bifurcation(family, point, "Pitchfork", cubic, critical)


def _crossing(family: Family, point: FloatArray) -> FloatArray | None:
    """Return the place near a point where branches cross, None where they do not.

    Newton's method on branches is slow there; on F + b·p = 0, Aᵀp = 0, ⟨p, F_μ⟩ = 0, |p| = 1 it
    is not (Moore, "The numerical treatment of non-trivial bifurcation points", Numer. Funct. Anal.
    Optim. 2, 1980).
    """
    size = point.size - 1
    whole = family.jacobian(point)
    begin = np.concatenate([point, np.linalg.svd(whole[:, :-1])[0][:, -1], [0.0]])

    def unfolded(unknown: FloatArray) -> FloatArray:
        place, left, gap = unknown[: size + 1], unknown[size + 1 : -1], unknown[-1]
        inner = family.residual(place) + gap * left
        return np.concatenate([inner, family.jacobian(place).T @ left, [left @ left - 1]])

    from scipy.optimize import root

    solution = root(unfolded, begin, tol=1e-14).x
    place = np.asarray(solution[: size + 1], np.float64)
    rest = abs(unfolded(solution)).max()
    near = abs(place - point).max() <= NEARBY * (1 + abs(point).max())
    return place if near and rest < CROSSES and abs(solution[-1]) < CROSSES else None


def _criticality(sign: float, scale: float = 1.0) -> Criticality | None:
    """Return "super" above 0, "sub" below, None for 0 to within differences."""
    if abs(sign) <= VANISHES * scale:
        return None
    return "super" if sign > 0 else "sub"


def _typed_hopf(family: Family, point: FloatArray) -> Bifurcation | None:
    values = multipliers(family.at(point), point[:-1])
    scale = max(1.0, float(abs(values).max()))
    turning = abs(values.imag) > ON_AXIS * scale
    critical = abs(values.real) <= ON_AXIS * scale
    if not (turning & critical).any():
        # Two real eigenvalues whose sum is 0 make no oscillation.
        return None
    if critical.sum() > PAIR:
        # A fold or another pair is at the same place, where the coefficient has a pole.
        frequency = float(abs(values.imag[turning & critical]).max())
        return _bifurcation(family, point, "Hopf", math.nan, None, frequency)
    coefficient, frequency = lyapunov_coefficient(family, point)
    return _bifurcation(family, point, "Hopf", coefficient, _criticality(-coefficient), frequency)


def _typed_doubling(family: Family, point: FloatArray) -> Bifurcation | None:
    coefficient = flip_coefficient(family, point)
    return _bifurcation(family, point, "PeriodDoubling", coefficient, _criticality(coefficient))


def _typed_circle(family: Family, point: FloatArray) -> Bifurcation | None:
    values = multipliers(family.at(point), point[:-1])
    on_circle = (abs(values.imag) > ON_AXIS) & (abs(abs(values) - 1) <= ON_AXIS)
    if not on_circle.any():
        return None
    angle = abs(float(np.angle(values[on_circle][0])))
    return _bifurcation(family, point, "NeimarkSacker", math.nan, None, angle)


Typing = Callable[[Family, FloatArray], Bifurcation | None]
FLOW_TESTS: dict[Test, Typing] = {
    _turns: _typed_singular,
    _crosses: _typed_singular,
    _oscillates: _typed_hopf,
}
MAP_TESTS: dict[Test, Typing] = {
    _turns: _typed_singular,
    _crosses: _typed_singular,
    _doubles: _typed_doubling,
    _circles: _typed_circle,
}
