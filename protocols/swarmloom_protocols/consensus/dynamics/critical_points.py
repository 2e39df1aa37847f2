"""Critical points of a potential field: found from many starts, made distinct, classified.

Each start follows Levenberg–Marquardt steps on the gradient, whose damping is in proportion to
|∇V| (Fan & Yuan, "On the quadratic convergence of the Levenberg-Marquardt method without
nonsingularity assumption", Computing 74, 2005). Steps become Newton's near the end, so that minima,
maxima and saddles all attract, and a singular Hessian stops nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.consensus.dynamics.potential import Potential
from swarmloom_protocols.consensus.opinions.components import joined_labels
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["CriticalKind", "CriticalPoint", "critical_points", "index_sum"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
CriticalKind = Literal["LocalMinimum", "LocalMaximum", "SaddlePoint", "FlatRegion"]

# Beyond this many dimensions a grid of starts is mostly corners; a low-discrepancy set is not.
GRID_DIMENSIONS = 3
MOST_DAMPING = 1e6
LEAST_DAMPING = 1e-6
# A step shorter than this share of the box cannot be told from rounding.
SHORTEST_STEP = 1e-14
# Two ends nearer than this share of the box's diagonal are one point.
SAME_POINT = 1e-5
# Ends on a level floor lie as far apart as their starts did.
FLOOR_SPACING = 1.5


@dataclass(frozen=True, slots=True)
class CriticalPoint:
    """A place where a potential field has no slope.

    Attributes
    ----------
    kind : {"LocalMinimum", "LocalMaximum", "SaddlePoint", "FlatRegion"}
        "FlatRegion" where a curvature is 0 and the others have one sign: a level floor, or a point
        of higher order such as that of x⁴.
    position : ndarray of float64, shape (D,)
        Of a region, one of its points near the middle.
    value : float
        V there.
    eigenvalues : ndarray of float64, shape (D,)
        Of the Hessian, ascending.
    starts : int
        How many starts ended there: the share of the box that Newton's method leads to it.
    spread : float
        Largest distance from `position` of an end that belongs to it; 0 to rounding for a point.
    """

    kind: CriticalKind
    position: FloatArray
    value: float
    eigenvalues: FloatArray
    starts: int
    spread: float


def critical_points(
    potential: Potential,
    low: ArrayLike,
    high: ArrayLike,
    starts: int = 400,
    flatness: float = 1e-6,
    tolerance: float = 1e-9,
    most_steps: int = 200,
    rng: np.random.Generator | None = None,
) -> tuple[CriticalPoint, ...]:
    """Find the critical points within a box.

    Parameters
    ----------
    potential : Potential
        The field, twice differentiable.
    low, high : array-like of float, shape (D,)
        Corners of the box.
    starts : int, optional
        At least this many: a grid in up to three dimensions, Sobol points in more. What no start
        leads to is not found.
    flatness : float, optional
        Curvatures below this share of the largest at any start count as 0. Where a Hessian is
        singular the point is known to about the square root of the gradient's accuracy only: a
        field without its own gradient needs some 1e-4.
    tolerance : float, optional
        Slope that counts as none, as a share of the largest at any start.
    most_steps : int, optional
        Of each start.
    rng : numpy.random.Generator, optional
        Shifts the Sobol points.

    Returns
    -------
    tuple of CriticalPoint
        By value, then by position.

    Raises
    ------
    InputError
        The box is empty or not finite, a number is out of its range, or the field has no slope
        that is a number at any start.
    """
    box = _checked_box(potential, low, high)
    begin = _starts(*box, whole("starts", starts, 1), rng)
    slopes, bends = potential.gradients(begin), potential.hessians(begin)
    if not np.isfinite(slopes).any():
        raise InputError("potential: its gradient is finite at no start; allowed: one that is")
    scale = _largest(slopes)
    ends, found = _descend(
        potential,
        begin,
        box,
        positive("tolerance", tolerance) * scale,
        whole("most_steps", most_steps, 1),
    )
    ends = ends[found & ((ends >= box[0]) & (ends <= box[1])).all(axis=1)]
    if not len(ends):
        return ()
    flat = positive("flatness", flatness) * _largest(bends)
    return _distinct(potential, ends, flat, box, len(begin))


def index_sum(points: tuple[CriticalPoint, ...]) -> int:
    """Return Σ (−1)^(number of downward directions): a check that none is missing.

    Parameters
    ----------
    points : tuple of CriticalPoint
        All within a box.

    Returns
    -------
    int
        1 for a field that rises outwards all along the box's border, whose critical points are
        isolated and have all been found (Poincaré–Hopf; Milnor, "Topology from the differentiable
        viewpoint", section 6).

    Raises
    ------
    InputError
        A point is a "FlatRegion", whose index is not given by its curvatures.
    """
    if any(point.kind == "FlatRegion" for point in points):
        raise InputError(
            "points: one is a FlatRegion; allowed: points with curvatures other than 0"
        )
    return sum((-1) ** int((point.eigenvalues < 0).sum()) for point in points)


def _checked_box(
    potential: Potential, low: ArrayLike, high: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    corners = [real_array("low, high", corner).reshape(-1) for corner in (low, high)]
    shapes = {corner.shape for corner in corners}
    fits = shapes == {(potential.dimension,)}
    if not fits or not np.isfinite(corners).all() or not (corners[0] < corners[1]).all():
        raise InputError(
            f"low, high are {low!r}, {high!r}; allowed: finite, low < high,"
            f" {potential.dimension} numbers each"
        )
    return corners[0], corners[1]


def _starts(
    low: FloatArray, high: FloatArray, count: int, rng: np.random.Generator | None
) -> FloatArray:
    """Return starts inside the box, none on its planes of symmetry."""
    dimension = low.size
    if dimension > GRID_DIMENSIONS:
        # It takes a second to import, and fields of few dimensions do without.
        from scipy.stats import qmc

        bits = math.ceil(math.log2(count))
        even = qmc.Sobol(dimension, scramble=False).random_base2(bits)
        # A random shift keeps them even and takes them off the planes of symmetry.
        unit = (even + (rng or np.random.default_rng(0)).random(dimension)) % 1.0
    else:
        sides = math.ceil(count ** (1 / dimension))
        # An even number of cells: no start lies on a middle plane, where symmetry would hold it.
        line = (np.arange(sides + sides % 2) + 0.5) / (sides + sides % 2)
        unit = np.stack(np.meshgrid(*[line] * dimension, indexing="ij"), -1).reshape(-1, dimension)
    return low + (high - low) * unit


def _largest(array: FloatArray) -> float:
    finite = array[np.isfinite(array)]
    return float(abs(finite).max(initial=0.0))


def _descend(
    potential: Potential,
    begin: FloatArray,
    box: tuple[FloatArray, FloatArray],
    tolerance: float,
    most_steps: int,
) -> tuple[FloatArray, BoolArray]:
    """Return where the starts end and whether there is no slope there."""
    x, slopes = begin.copy(), potential.gradients(begin)
    steep, damping = _lengths(slopes), np.ones(len(x))
    active = np.isfinite(steep)
    steep[~active] = np.inf
    shortest, width = SHORTEST_STEP * np.linalg.norm(box[1] - box[0]), box[1] - box[0]
    for _ in range(most_steps):
        rows = np.flatnonzero(active & (steep > 0))
        if not len(rows):
            break
        steps = _damped_steps(potential, x[rows], slopes[rows], damping[rows] * steep[rows])
        tried = x[rows] + steps
        new = potential.gradients(tried)
        better = _lengths(new) < steep[rows]
        done = rows[better]
        x[done], slopes[done] = tried[better], new[better]
        steep[done] = _lengths(slopes[done])
        damping[rows] = np.where(better, damping[rows] / 10, damping[rows] * 8).clip(LEAST_DAMPING)
        # Ends are polished beyond the tolerance, until steps are no longer of use.
        useful = better | (steep[rows] > tolerance)
        active[rows] = useful & (damping[rows] < MOST_DAMPING) & (_lengths(steps) > shortest)
        active &= (abs(x - (box[0] + box[1]) / 2) < width).all(axis=1)
    return x, steep <= tolerance


def _lengths(vectors: FloatArray) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(vectors, axis=1)
    return lengths


def _damped_steps(
    potential: Potential, x: FloatArray, slopes: FloatArray, damping: FloatArray
) -> FloatArray:
    """Return −(H² + damping·I)⁻¹·H·∇V, by the eigenvectors of H."""
    values, axes = np.linalg.eigh(np.nan_to_num(potential.hessians(x)))
    along = np.einsum("nde,nd->ne", axes, slopes)
    shares = values / (values**2 + np.maximum(damping[:, None], np.finfo(float).tiny))
    steps: FloatArray = -np.einsum("nde,ne->nd", axes, shares * along)
    return steps


def _distinct(
    potential: Potential,
    ends: FloatArray,
    flat: float,
    box: tuple[FloatArray, FloatArray],
    starts: int,
) -> tuple[CriticalPoint, ...]:
    eigenvalues = np.asarray(np.linalg.eigvalsh(potential.hessians(ends)), np.float64)
    kinds = np.array([_kind(one, flat) for one in eigenvalues])
    spacing = float(((box[1] - box[0]) * starts ** (-1 / len(box[0]))).max())
    same = SAME_POINT * float(np.linalg.norm(box[1] - box[0]))
    points = []
    for kind in get_args(CriticalKind):
        of_kind = np.flatnonzero(kinds == kind)
        reach = FLOOR_SPACING * spacing if kind == "FlatRegion" else same
        for group in _groups(ends[of_kind], reach):
            points.append(_point(potential, kind, ends, eigenvalues, of_kind[group]))
    return tuple(sorted(points, key=lambda point: (point.value, *point.position.tolist())))


def _kind(eigenvalues: FloatArray, flat: float) -> CriticalKind:
    up, down = (eigenvalues > flat).any(), (eigenvalues < -flat).any()
    if up and down:
        return "SaddlePoint"
    if (abs(eigenvalues) <= flat).any():
        return "FlatRegion"
    return "LocalMinimum" if up else "LocalMaximum"


def _groups(points: FloatArray, reach: float) -> list[IntArray]:
    """Return the rows of each set of points linked by distances of at most `reach`."""
    if not len(points):
        return []
    labels = joined_labels(points, reach)
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _point(
    potential: Potential,
    kind: CriticalKind,
    ends: FloatArray,
    eigenvalues: FloatArray,
    rows: IntArray,
) -> CriticalPoint:
    members = ends[rows]
    chosen = rows[np.argmin(_lengths(members - members.mean(axis=0)))]
    position = ends[chosen]
    return CriticalPoint(
        kind,
        position,
        float(potential.values(position[None])[0]),
        eigenvalues[chosen],
        len(rows),
        float(_lengths(members - position).max()),
    )
