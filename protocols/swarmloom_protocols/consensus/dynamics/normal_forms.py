"""Normal-form coefficients of bifurcations of equilibria, from directional differences.

Kuznetsov, "Elements of applied bifurcation theory", 3rd edition: fold 5.4.1, Hopf (5.62), flip
(5.56); transcritical and pitchfork by Lyapunov–Schmidt reduction (Golubitsky & Schaeffer,
"Singularities and groups in bifurcation theory I", section I.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.consensus.dynamics.continuation import Family

__all__ = ["Reduction", "flip_coefficient", "lyapunov_coefficient", "reduce_to_null_space"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Truncation of about its square, rounding of the Jacobian's error by its square.
STEP = 1e-3


@dataclass(frozen=True, slots=True)
class Reduction:
    """What is left of a system at an equilibrium with an eigenvalue of 0 (of 1, for a map).

    The amplitude ξ along the null vector obeys g(ξ, μ) = drive·μ + ½·square·ξ² + cross·ξμ +
    ⅙·cubic·ξ³ + …

    Attributes
    ----------
    drive : float
        ⟨p, F_μ⟩: 0 where branches cross.
    square : float
        ⟨p, F″(q, q)⟩.
    cross : float
        ⟨p, F″(q, w)⟩, w along the branch that goes on.
    cubic : float
        ⟨p, F‴(q, q, q) + 3·F″(q, h)⟩, h what the other components follow with.
    """

    drive: float
    square: float
    cross: float
    cubic: float


def reduce_to_null_space(family: Family, point: FloatArray) -> Reduction:
    """Return the coefficients at a singular equilibrium.

    Parameters
    ----------
    family : Family
    point : ndarray of float64, shape (D + 1,)
        State and parameter.

    Returns
    -------
    Reduction
        With null vectors q of length 1, its largest component above 0, and p with ⟨p, q⟩ = 1.
    """
    whole = family.jacobian(point)
    matrix, drive = whole[:, :-1], whole[:, -1]
    left, _, right = np.linalg.svd(matrix)
    q, p = _upright(right[-1]), left[:, -1]
    p = p / (p @ q) if abs(p @ q) > 1e-8 else p
    q_long = np.append(q, 0.0)
    bend = _second(family, point, q_long, q_long)
    others = _solved(matrix, p, q, -(bend - (p @ bend) * q))
    w = np.append(_solved(matrix, p, q, -(drive - (p @ drive) * q)), 1.0)
    twist = _third(family, point, q_long, q_long) @ q_long
    follow = _second(family, point, q_long, np.append(others, 0.0))
    return Reduction(
        float(p @ drive),
        float(p @ bend),
        float(p @ _second(family, point, q_long, w)),
        float(p @ (twist + 3 * follow)),
    )


def lyapunov_coefficient(family: Family, point: FloatArray) -> tuple[float, float]:
    """Return the first Lyapunov coefficient of a Hopf bifurcation and its angular frequency.

    Parameters
    ----------
    family : Family
        Of a flow.
    point : ndarray of float64, shape (D + 1,)
        State and parameter where a pair of eigenvalues is ±iω.

    Returns
    -------
    coefficient, frequency : float
        Below 0 for a stable cycle that grows from the equilibrium ("super"), above for an unstable
        one that shrinks onto it. The eigenvector has length 1.
    """
    matrix = family.jacobian(point)[:, :-1]
    values, vectors = np.linalg.eig(matrix)
    pair = _axis_pair(values)
    omega, q = abs(float(values[pair].imag)), vectors[:, pair]
    q = q.conj() if values[pair].imag < 0 else q
    transposed, adjoint = np.linalg.eig(matrix.T)
    p = adjoint[:, int(np.argmin(abs(transposed + 1j * omega)))]
    p = p / np.vdot(q, p)
    both, double = _complex_second(family, point, q, q.conj()), _complex_second(family, point, q, q)
    steady = _solved_complex(matrix, both)
    fast = _solved_complex(2j * omega * np.eye(len(q)) - matrix, double)
    total = _complex_third(family, point, q)
    total -= 2 * _complex_second(family, point, q, steady)
    total += _complex_second(family, point, q.conj(), fast)
    return float(np.vdot(p, total).real) / (2 * omega), omega


def _solved_complex(matrix: NDArray[Any], rest: ComplexArray) -> ComplexArray:
    return np.asarray(np.linalg.solve(matrix, rest), np.complex128)


def _axis_pair(values: ComplexArray) -> int:
    """Return the row of the complex eigenvalue nearest to the imaginary axis."""
    turning = np.where(abs(values.imag) > 1e-12, abs(values.real), math.inf)
    return int(np.argmin(turning))


def flip_coefficient(family: Family, point: FloatArray) -> float:
    """Return the normal-form coefficient of a period doubling of a map.

    Parameters
    ----------
    family : Family
        Of a map.
    point : ndarray of float64, shape (D + 1,)
        State and parameter where a multiplier is −1.

    Returns
    -------
    float
        Above 0 for a stable cycle of twice the period ("super").
    """
    # The family's Jacobian is that of f(x) − x.
    steady = family.jacobian(point)[:, :-1]
    left, _, right = np.linalg.svd(steady + 2 * np.eye(len(steady)))
    q, p = _upright(right[-1]), left[:, -1]
    p, q_long = p / (p @ q), np.append(q, 0.0)
    bend = _second(family, point, q_long, q_long)
    follow = np.append(np.linalg.solve(-steady, bend), 0.0)
    twist = _third(family, point, q_long, q_long) @ q_long
    return float(p @ (twist + 3 * _second(family, point, q_long, follow))) / 6


def _upright(vector: FloatArray) -> FloatArray:
    """Return a vector or its opposite: the one whose largest component is above 0."""
    return vector if vector[np.argmax(abs(vector))] > 0 else -vector


def _solved(matrix: FloatArray, p: FloatArray, q: FloatArray, rest: FloatArray) -> FloatArray:
    """Solve a singular system whose right side lies in its range, across the null vector."""
    size = len(matrix)
    bordered = np.zeros((size + 1, size + 1))
    bordered[:size, :size], bordered[:size, size], bordered[size, :size] = matrix, p, q
    solution: FloatArray = np.linalg.lstsq(bordered, np.append(rest, 0.0), rcond=None)[0]
    return solution[:size]


def _width(point: FloatArray, direction: FloatArray) -> float:
    length = float(np.linalg.norm(direction))
    return STEP * math.sqrt(max(1.0, float(abs(point).max()))) / max(length, 1e-300)


def _second(family: Family, point: FloatArray, u: FloatArray, v: FloatArray) -> FloatArray:
    """Return F″(u, v) by a central difference of the Jacobian along u."""
    width = _width(point, u)
    change = family.jacobian(point + width * u) - family.jacobian(point - width * u)
    value: FloatArray = change @ v / (2 * width)
    return value


def _third(family: Family, point: FloatArray, u: FloatArray, v: FloatArray) -> FloatArray:
    """Return the matrix F‴(u, v, ·) by polarisation."""
    if u is v:
        return _third_along(family, point, u)
    return (_third_along(family, point, u + v) - _third_along(family, point, u - v)) / 4


def _third_along(family: Family, point: FloatArray, u: FloatArray) -> FloatArray:
    if not u.any():
        return np.zeros((len(u) - 1, len(u)))
    width = _width(point, u)
    ends = family.jacobian(point + width * u) + family.jacobian(point - width * u)
    return (ends - 2 * family.jacobian(point)) / width**2


def _complex_second(
    family: Family, point: FloatArray, u: ComplexArray, v: ComplexArray
) -> ComplexArray:
    a, b = (np.append(part, 0.0) for part in (u.real, u.imag))
    c, d = (np.append(part, 0.0) for part in (v.real, v.imag))

    def bend(one: FloatArray, other: FloatArray) -> FloatArray:
        return _second(family, point, one, other) if one.any() else np.zeros(len(u))

    turned: ComplexArray = bend(a, c) - bend(b, d) + 1j * (bend(a, d) + bend(b, c))
    return turned


def _complex_third(family: Family, point: FloatArray, q: ComplexArray) -> ComplexArray:
    """Return F‴(q, q, q̄)."""
    a, b = (np.append(part, 0.0) for part in (q.real, q.imag))
    squares = _third(family, point, a, a) - _third(family, point, b, b)
    matrix = squares + 2j * _third(family, point, a, b)
    value: ComplexArray = matrix @ np.append(q.conj(), 0.0)
    return value
