"""Branches of equilibria as one parameter changes, followed round folds by pseudo-arclength.

Keller, "Numerical solution of bifurcation and nonlinear eigenvalue problems", 1977; Kuznetsov,
"Elements of applied bifurcation theory", 3rd edition, section 10.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.consensus.chaos.systems import System
from swarmloom_protocols.consensus.dynamics.equilibria import (
    equilibrium,
    multipliers,
    residual,
    residual_jacobian,
    stable,
)

__all__ = ["Branch", "Family", "continue_equilibria"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
BoolArray = NDArray[np.bool_]

DIFFERENCE = float(np.finfo(np.float64).eps) ** (1 / 3)
TOLERANCE = 1e-11
CORRECTIONS = 8
# Corrections that say that a step may grow.
EASY = 3
GROWTH = 1.3
# A turn of the branch in one step beyond this angle's cosine: the step has to shrink.
STRAIGHT = 0.95
SMALLEST_STEP = 1e-7


@dataclass(frozen=True, slots=True)
class Family:
    """A system with one free parameter; a point is (x₀, …, x_{D−1}, parameter).

    Attributes
    ----------
    system : System
    parameter : str
        The name of the free parameter.
    """

    system: System
    parameter: str

    def at(self, point: FloatArray) -> System:
        """Return the system with the parameter of a point."""
        return self.system.with_parameters(**{self.parameter: float(point[-1])})

    def residual(self, point: FloatArray) -> FloatArray:
        """Return what is 0 at an equilibrium, shape (D,)."""
        return residual(self.at(point), point[:-1])

    def jacobian(self, point: FloatArray) -> FloatArray:
        """Return its derivative by state and parameter, shape (D, D + 1)."""
        width = DIFFERENCE * max(1.0, abs(float(point[-1])))
        above, below = point.copy(), point.copy()
        above[-1] += width
        below[-1] -= width
        column = (self.residual(above) - self.residual(below)) / (above[-1] - below[-1])
        return np.column_stack([residual_jacobian(self.at(point), point[:-1]), column])

    def tangent(self, point: FloatArray, along: FloatArray) -> FloatArray | None:
        """Return the unit tangent of the branch whose direction is nearest to `along`.

        None where the rule or its derivatives are no numbers.
        """
        target = np.zeros(point.size)
        target[-1] = 1.0
        matrix = np.vstack([self.jacobian(point), along])
        if not np.isfinite(matrix).all():
            return None
        # Least squares: at a branch point the tangent is what of `along` the branches allow.
        direction = np.asarray(np.linalg.lstsq(matrix, target, rcond=None)[0], np.float64)
        return direction / float(np.linalg.norm(direction))

    def corrected(self, guess: FloatArray, along: FloatArray) -> tuple[FloatArray, int] | None:
        """Return the equilibrium in the plane through a guess across `along`, and the effort.

        None where there is none near, or where the rule is no number on the way.
        """
        point = guess.copy()
        for effort in range(CORRECTIONS + 1):
            value = self.residual(point)
            matrix = np.vstack([self.jacobian(point), along])
            rest = np.append(value, (point - guess) @ along)
            if not (np.isfinite(matrix).all() and np.isfinite(rest).all()):
                return None
            better = point - np.asarray(np.linalg.lstsq(matrix, rest, rcond=None)[0], np.float64)
            if not np.isfinite(better).all():
                return None
            if abs(value).max() <= TOLERANCE * (1 + abs(point).max()):
                # One step more makes good what the tolerance leaves, but where it is singular.
                closer = abs(self.residual(better)).max() <= abs(value).max()
                return (better if closer else point), effort
            point = better
        return None


@dataclass(frozen=True, eq=False, slots=True)
class Branch:
    """A branch of equilibria.

    Attributes
    ----------
    family : Family
        Of which system and parameter.
    parameters : ndarray of float64, shape (points,)
        Along the branch; not monotonic where it turns round.
    states : ndarray of float64, shape (points, D)
    eigenvalues : ndarray of complex128, shape (points, D)
        Of the Jacobian, the largest real part first.
    stable : ndarray of bool, shape (points,)
    tangents : ndarray of float64, shape (points, D + 1)
        Unit vectors.
    complete : bool
        Whether both ends lie on the borders of the parameter's range; if not, the points were used
        up, the state left its bound or the rule its domain, or no step was short enough.
    """

    family: Family
    parameters: FloatArray
    states: FloatArray
    eigenvalues: ComplexArray
    stable: BoolArray
    tangents: FloatArray
    complete: bool

    @property
    def points(self) -> FloatArray:
        """States and parameters, shape (points, D + 1)."""
        return np.column_stack([self.states, self.parameters])


@dataclass(frozen=True, slots=True)
class _Range:
    low: float
    high: float
    step: float
    most_points: int
    bound: float

    def inside(self, point: FloatArray) -> bool:
        return self.low <= point[-1] <= self.high and bool(abs(point[:-1]).max() <= self.bound)


def continue_equilibria(
    system: System,
    parameter: str,
    low: float,
    high: float,
    *,
    guess: ArrayLike | None = None,
    step: float | None = None,
    most_points: int = 2000,
    bound: float = 1e6,
) -> Branch:
    """Follow an equilibrium as a parameter changes, in both directions from where it is now.

    Parameters
    ----------
    system : System
        A map or a flow; its own value of the parameter is where the search begins.
    parameter : str
        Which of its parameters.
    low, high : float
        Its range, around the system's own value.
    guess : array-like of float, shape (D,), optional
        Near the equilibrium; the system's own start by default.
    step : float, optional
        Longest step along the branch, a hundredth of the range by default. Two changes of
        stability within one step can be missed.
    most_points : int, optional
        In each direction.
    bound : float, optional
        A component beyond it has left.

    Returns
    -------
    Branch
        From the end that the parameter decreases to at first.

    Raises
    ------
    InputError
        An argument is out of its range, or there is no equilibrium near the guess.
    """
    if parameter not in system.parameters:
        allowed = ", ".join(system.parameters) or "none"
        raise InputError(f"parameter is {parameter!r}; allowed: {allowed}")
    least, most = between("low", low, -np.inf), between("high", high, -np.inf)
    now = between(parameter, system.parameters[parameter], least, most)
    length = (most - least) / 100 if step is None else step
    limits = _Range(
        least, most, positive("step", length), whole("most_points", most_points, 1), bound
    )
    first = equilibrium(system, guess)
    if first is None:
        raise InputError(f"guess: no equilibrium of {system.name} near {guess!r}; allowed: nearer")
    family, begin = Family(system, parameter), np.append(first, now)
    up = np.append(np.zeros(system.dimension), 1.0)
    tangents = [family.tangent(begin, sign * up) for sign in (-1, 1)]
    ways = [_follow(family, begin, one, limits) for one in tangents if one is not None]
    if len(ways) < 2:
        raise InputError(f"guess: {system.name} has no derivatives near {guess!r}; allowed: finite")
    back, forth = ways
    points = np.array(back[0][::-1] + forth[0][1:])
    directions = np.array([-tangent for tangent in back[1][::-1]] + forth[1][1:])
    return _branch(family, points, directions, back[2] and forth[2])


def _branch(family: Family, points: FloatArray, tangents: FloatArray, complete: bool) -> Branch:
    values = np.array([multipliers(family.at(point), point[:-1]) for point in points])
    steady = np.array([stable(family.system, one) for one in values])
    return Branch(family, points[:, -1], points[:, :-1], values, steady, tangents, complete)


def _follow(
    family: Family, point: FloatArray, tangent: FloatArray, limits: _Range
) -> tuple[list[FloatArray], list[FloatArray], bool]:
    """Return points and tangents from `point` on, and whether they end at the range's border."""
    points, tangents, step = [point], [tangent], limits.step
    while len(points) < limits.most_points and step > SMALLEST_STEP * limits.step:
        tried = family.corrected(points[-1] + step * tangents[-1], tangents[-1])
        turned = family.tangent(tried[0], tangents[-1]) if tried is not None else tangents[-1]
        if tried is None or turned is None or turned @ tangents[-1] < STRAIGHT:
            step /= 2
            continue
        if not limits.inside(tried[0]):
            points_left = not limits.low <= tried[0][-1] <= limits.high
            return points, tangents, points_left
        points.append(tried[0])
        tangents.append(turned)
        step = min(limits.step, step * GROWTH) if tried[1] <= EASY else step
    return points, tangents, False
