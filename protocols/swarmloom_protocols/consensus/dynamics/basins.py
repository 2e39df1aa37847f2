"""Basins of attraction: which starts, and which experts' opinions, end on which attractor.

Every start is followed through a transient; then mean and deviation of its state over a window say
where it ended (Stender & Hoffmann, "bSTAB: an open-source software for computing the basin
stability of multi-stable dynamical systems", Nonlinear Dyn. 107, 2022). Starts whose ends agree are
one basin. On an attractor that is no point such averages scatter; by how much is known from the
parts of the window, as in batch means (Schmeiser, Operations Research 30, 1982). The share of
starts in a basin is its stability (Menck, Heitzig, Marwan & Kurths, Nature Physics 9, 2013).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import map_bands
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.consensus.chaos.systems import WORK_ROWS, System, copy_state
from swarmloom_protocols.consensus.dynamics.attractors import Attractor, find_attractor
from swarmloom_protocols.consensus.dynamics.linkage import linked_labels, nearest_linked
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["ESCAPES", "Basins", "find_basins", "grid_of_starts"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# The label of starts that end on no attractor.
ESCAPES = -1
# Ends are compared by mean and deviation of each component.
FEATURES = 2
# Parts of the window whose averages tell by how much those of the whole scatter.
PARTS = 8
# From so many basins of a single start on, if most are such, something is amiss.
LONELY = 4


@dataclass(frozen=True, slots=True)
class _Pace:
    """How long each start is followed and looked at, in steps."""

    dt: float
    transient: int
    window: int
    bound: float


@dataclass(frozen=True, slots=True)
class _Ends:
    """Mean and deviation of late states, and how far chance moves them; NaN for escapes."""

    places: FloatArray
    scatters: FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class Basins:
    """Basins of attraction of a system.

    Attributes
    ----------
    labels : ndarray of int64, shape (starts,)
        The basin of each start, 0 for the largest; −1 for starts that escape.
    fractions : ndarray of float64, shape (basins,)
        Shares of the starts; with `escaped` they sum to 1.
    escaped : float
        Share of the starts that leave all bounds.
    ends : ndarray of float64, shape (basins, 2·D)
        Mean and standard deviation of the state on each attractor.
    representatives : ndarray of int64, shape (basins,)
        A start of each basin.
    """

    labels: IntArray
    fractions: FloatArray
    escaped: float
    ends: FloatArray
    representatives: IntArray
    _system: System
    _starts: FloatArray
    _pace: _Pace
    _tolerance: float
    _found: _Ends

    def capture(self, opinions: ArrayLike) -> IntArray:
        """Follow opinions to where they end.

        Parameters
        ----------
        opinions : array-like of float, shape (experts, D)
            Where the experts stand now.

        Returns
        -------
        ndarray of int64, shape (experts,)
            Basin of each; −1 for those that escape or end on an attractor that no start led to.

        Raises
        ------
        InputError
            The opinions are of another shape or not finite.
        """
        found = _ends(self._system, _checked(self._system, opinions, "opinions"), self._pace)
        # A start that escapes has NaN for its end, which nothing is near to.
        places = found.places, found.scatters
        rows = nearest_linked(*places, self._found.places, self._found.scatters, self._tolerance)
        return np.where(rows >= 0, np.append(self.labels, ESCAPES)[rows], ESCAPES)

    def experts_captured(self, opinions: ArrayLike) -> IntArray:
        """Count the experts in each basin.

        Parameters
        ----------
        opinions : array-like of float, shape (experts, D)
            Where the experts stand now.

        Returns
        -------
        ndarray of int64, shape (basins,)
            Experts that end on no known attractor are not counted.

        Raises
        ------
        InputError
            The opinions are of another shape or not finite.
        """
        labels = self.capture(opinions)
        return np.bincount(labels[labels >= 0], minlength=len(self.ends)).astype(np.int64)

    def attractor(
        self, basin: int, *, rng: np.random.Generator, duration: float = 1000.0
    ) -> Attractor:
        """Find out which kind of attractor a basin belongs to.

        Parameters
        ----------
        basin : int
            Which, from 0.
        rng : numpy.random.Generator
            As in `find_attractor`.
        duration : float, optional
            As in `find_attractor`.

        Returns
        -------
        Attractor

        Raises
        ------
        InputError
            There is no such basin.
        """
        row = self.representatives[whole("basin", basin, 0, len(self.ends) - 1)]
        pace = self._pace
        time = pace.transient * (pace.dt if self._system.kind == "flow" else 1.0)
        return find_attractor(
            self._system,
            rng=rng,
            start=self._starts[row],
            dt=pace.dt,
            transient=time,
            duration=duration,
            bound=pace.bound,
        )


def grid_of_starts(low: ArrayLike, high: ArrayLike, sides: int | tuple[int, ...]) -> FloatArray:
    """Return the middles of the cells of a grid over a box.

    Parameters
    ----------
    low, high : array-like of float, shape (D,)
        Corners of the box.
    sides : int or tuple of int
        Cells along each axis.

    Returns
    -------
    ndarray of float64, shape (cells, D)
        Along the last axis first.

    Raises
    ------
    InputError
        The box is empty or not finite, or a number of cells is below 1.
    """
    both: Any = [low, high]
    corners = real_array("low, high", both)
    if corners.ndim != 2 or not np.isfinite(corners).all() or not (corners[0] < corners[1]).all():
        raise InputError(f"low, high are {low!r}, {high!r}; allowed: finite vectors, low < high")
    dimension = corners.shape[1]
    given = (sides,) * dimension if isinstance(sides, int) else tuple(sides)
    if len(given) != dimension:
        raise InputError(
            f"sides: {len(given)} numbers; allowed: one, or one for each of {dimension}"
        )
    lines = [(np.arange(whole("sides", count, 1)) + 0.5) / count for count in given]
    unit = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, dimension)
    starts: FloatArray = corners[0] + (corners[1] - corners[0]) * unit
    return starts


def find_basins(
    system: System,
    starts: ArrayLike,
    *,
    dt: float = 0.02,
    transient: float = 100.0,
    window: float = 50.0,
    tolerance: float = 0.02,
    bound: float = 1e6,
) -> Basins:
    """Sort starts by where they end.

    Parameters
    ----------
    system : System
        A map or a flow.
    starts : array-like of float, shape (starts, D)
        Such as `grid_of_starts`.
    dt : float, optional
        Step of a flow, by Runge–Kutta of order 4; ignored for maps.
    transient : float, optional
        Time before a start has settled, iterations for a map. A start that has not left its place
        by then is a basin of its own kind: unstable equilibria keep what lies on them exactly.
    window : float, optional
        Time over which it is then looked at; many periods where attractors are not points.
    tolerance : float, optional
        Ends that differ by less in each mean and deviation are on one attractor, as are ends that
        a chain of such neighbours joins. Where both ends scatter, as on cycles and strange
        attractors, four times the smaller of their scatters does as well.
    bound : float, optional
        A component beyond it has escaped.

    Returns
    -------
    Basins

    Warns
    -----
    RuntimeWarning
        Most basins hold a single start: the window is too short for what they end on, they have
        not settled, or, as where nothing damps motion, there are no attractors.

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    given = _checked(system, starts, "starts")
    step = 1.0 if system.kind == "map" else positive("dt", dt)
    before = int(between("transient", transient, 0.0, 1e12) / step)
    after = max(1, int(positive("window", window, 1e12) / step))
    pace = _Pace(step, before, after, positive("bound", bound))
    reach = positive("tolerance", tolerance)
    found = _ends(system, given, pace)
    labels, ends, first = _sorted_ends(found, reach)
    counts = np.bincount(labels[labels >= 0], minlength=len(ends))
    total = max(1, len(given))
    escaped = float((labels < 0).sum() / total)
    lonely = int((counts == 1).sum())
    if lonely >= LONELY and 2 * lonely > len(counts):
        text = f"{system.name}: {lonely} of {len(counts)} basins hold one start; take a longer"
        warnings.warn(f"{text} transient or window", RuntimeWarning, stacklevel=2)
    return Basins(labels, counts / total, escaped, ends, first, system, given, pace, reach, found)


def _checked(system: System, states: ArrayLike, name: str) -> FloatArray:
    given = real_array(name, states).copy()
    if given.ndim != 2 or given.shape[1] != system.dimension or not np.isfinite(given).all():
        allowed = f"finite, (n, {system.dimension})"
        raise InputError(f"{name}: shape {given.shape}; allowed: {allowed}")
    return given


def _ends(system: System, starts: FloatArray, pace: _Pace) -> _Ends:
    """Return where each start ends."""
    parts = np.minimum(np.arange(1, PARTS + 1) * pace.window // PARTS, pace.window)
    parts = np.unique(parts[parts > 0])
    sums = np.zeros((len(starts), len(parts), FEATURES, system.dimension))
    run = system.specialise(_make_ends)
    given = system.values, pace.dt, pace.transient, parts, pace.bound

    def some(first: int, stop: int) -> None:
        run(starts[first:stop], *given, sums[first:stop])

    map_bands(some, len(starts), pace.transient + pace.window)
    return _averaged(sums, np.diff(parts, prepend=0))


def _averaged(sums: FloatArray, lengths: IntArray) -> _Ends:
    """Return averages over the parts of each window, and the scatter that their own tells."""
    shares = (lengths / lengths.sum())[:, None]
    means, variances = sums[:, :, 0], sums[:, :, 1]
    mean = (shares * means).sum(axis=1)
    within, between_parts = variances, (means - mean[:, None]) ** 2
    deviation = np.sqrt((shares * (within + between_parts)).sum(axis=1))
    parts = np.concatenate([means, np.sqrt(variances)], axis=2)
    count = len(lengths)
    # Of a single part nothing is known.
    places = np.hstack([mean, deviation])
    spread = parts.std(axis=1, ddof=1) / math.sqrt(count) if count > 1 else np.zeros_like(places)
    return _Ends(places, spread)


def _make_ends(system: System) -> Callable[..., None]:
    step = system.stepper

    def ends_of(
        starts: FloatArray,
        parameters: FloatArray,
        dt: float,
        transient: int,
        parts: IntArray,
        bound: float,
        sums: FloatArray,
    ) -> None:
        """Write mean and variance of each part, which ends before the step that `parts` says."""
        dimension = starts.shape[1]
        work, state = np.empty((WORK_ROWS, dimension)), np.empty(dimension)
        for row in range(starts.shape[0]):
            copy_state(starts[row], state)
            inside, part, seen = True, 0, 0
            for t in range(transient + parts[-1]):
                step(state, parameters, dt, work)
                for i in range(dimension):
                    # Written so that NaN is outside too.
                    inside = inside and abs(state[i]) <= bound
                if not inside:
                    break
                if t < transient:
                    continue
                seen += 1
                last = t + 1 - transient == parts[part]
                for i in range(dimension):
                    # Welford's means and squares: no cancellation far from 0.
                    away = state[i] - sums[row, part, 0, i]
                    sums[row, part, 0, i] += away / seen
                    sums[row, part, 1, i] += away * (state[i] - sums[row, part, 0, i])
                    if last:
                        sums[row, part, 1, i] /= seen
                if last:
                    part, seen = part + 1, 0
            if not inside:
                sums[row] = math.nan

    return ends_of


def _sorted_ends(found: _Ends, reach: float) -> tuple[IntArray, FloatArray, IntArray]:
    """Return labels, the mean end of each basin and a start of each, the largest basin first."""
    places = found.places
    labels = np.full(len(places), ESCAPES)
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    groups = [known[group] for group in _linked(places[known], found.scatters[known], reach)]
    groups.sort(key=lambda group: (-len(group), group[0]))
    for label, group in enumerate(groups):
        labels[group] = label
    means = np.array([places[group].mean(axis=0) for group in groups])
    first = np.array([group[0] for group in groups], np.int64)
    return labels, means.reshape(-1, places.shape[1]), first


def _linked(places: FloatArray, scatters: FloatArray, reach: float) -> list[IntArray]:
    """Return the rows of each set of ends that neighbours join.

    Ends are first gathered into cells of a grid, so that ten thousand of them on one point are one
    to compare.
    """
    if not len(places):
        return []
    cells = np.floor(places / (reach / 4)).astype(np.int64)
    _, first, cell = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    labels = linked_labels(places[first], scatters[first], reach)[cell.reshape(-1)]
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
