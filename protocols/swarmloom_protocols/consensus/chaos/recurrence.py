"""Recurrence quantification without the recurrence matrix.

Marwan, Romano, Thiel & Kurths, "Recurrence plots for the analysis of complex systems", Physics
Reports 438 (2007). A point recurs where two states are within a radius; lines along the diagonal
are stretches of parallel evolution, vertical ones are stretches of standing still. Memory grows
with the length of the series, time with the recurrences found (`recurrence_kernels`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.consensus.chaos.embedding import embed
from swarmloom_protocols.consensus.chaos.recurrence_kernels import (
    Grid,
    auto_lines,
    cell_numbers,
    cell_order,
    cross_lines,
)
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = [
    "RecurrenceMeasures",
    "RecurrenceMonitor",
    "RecurrenceSettings",
    "cross_recurrence",
    "line_lengths",
    "recurrence",
    "recurrence_windows",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Norm = Literal["maximum", "euclidean"]

AXES = 3
# Cells are a little wider than the radius, so that rounding puts no neighbour two cells away.
WIDER = 1.0 + 1e-9


@dataclass(frozen=True, slots=True)
class RecurrenceSettings:
    """What counts as a recurrence and as a line.

    Attributes
    ----------
    radius : float
        Largest distance of two states that recur, itself included (≥ 0).
    norm : {"maximum", "euclidean"}
        Of the distance.
    dimension, delay : int
        Of the embedding; a vector series may be left as it is with a dimension of 1.
    theiler : int
        Pairs of states closer in time than this are left out of everything. 0 leaves nothing out,
        1 the main diagonal, on which every state recurs with itself.
    main_diagonal : bool
        Whether the main diagonal is a diagonal line of its own (AccRQA counts it, pyunicorn and
        PyRQA do not). Vertical lines and the recurrence rate include it wherever `theiler` is 0.
    least_diagonal, least_vertical : int
        Shortest lines that count as such.
    """

    radius: float
    norm: Norm = "maximum"
    dimension: int = 1
    delay: int = 1
    theiler: int = 0
    main_diagonal: bool = False
    least_diagonal: int = 2
    least_vertical: int = 2

    def __post_init__(self) -> None:
        between("radius", self.radius, 0.0)
        if self.norm not in ("maximum", "euclidean"):
            raise InputError(f"norm is {self.norm!r}; allowed: 'maximum', 'euclidean'")
        for name in ("dimension", "delay", "least_diagonal", "least_vertical"):
            whole(name, getattr(self, name), 1)
        if whole("theiler", self.theiler, 0) and self.main_diagonal:
            raise InputError(f"main_diagonal: left out by theiler = {self.theiler}; allowed: 0")

    @property
    def span(self) -> int:
        """Values of the series beside the first that a state takes."""
        return (self.dimension - 1) * self.delay


@dataclass(frozen=True, slots=True, eq=False)
class RecurrenceMeasures:
    """Measures of a recurrence plot; NaN where there is nothing to average.

    Attributes
    ----------
    recurrence_rate : float
        RR, share of the admitted pairs of states that recur.
    determinism : float
        DET, share of the recurrences on diagonal lines that are of at least the least length.
    mean_diagonal, longest_diagonal, diagonal_entropy : float, int, float
        L, L_max, and ENTR in nats, of the diagonal lines of at least the least length.
    laminarity : float
        LAM, as DET for vertical lines.
    trapping_time, longest_vertical, vertical_entropy : float, int, float
        TT, V_max, and the entropy of the vertical lines.
    diagonal_lengths, vertical_lengths : ndarray of int64
        How many lines there are of length 0, 1, 2, …
    """

    recurrence_rate: float
    determinism: float
    mean_diagonal: float
    longest_diagonal: int
    diagonal_entropy: float
    laminarity: float
    trapping_time: float
    longest_vertical: int
    vertical_entropy: float
    diagonal_lengths: IntArray
    vertical_lengths: IntArray

    @property
    def divergence(self) -> float:
        """DIV, 1 / L_max; inf where there is no line."""
        return 1.0 / self.longest_diagonal if self.longest_diagonal else math.inf


def recurrence(
    series: ArrayLike, settings: RecurrenceSettings, *, device: Device = "auto"
) -> RecurrenceMeasures:
    """Quantify the recurrences of a series.

    Parameters
    ----------
    series : array-like of float, shape (N,) or (N, D)
        Evenly sampled.
    settings : RecurrenceSettings
        What counts.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute. The GPU compares all pairs, the CPU those in neighbouring cells.

    Returns
    -------
    RecurrenceMeasures

    Raises
    ------
    InputError
        The series is empty, too short for the embedding, or not finite.
    """
    points = embed(series, settings.dimension, settings.delay)
    diagonals, verticals = line_lengths(points, settings, device=device)
    n = len(points)
    found = 2 * int(np.arange(n + 1) @ diagonals) + (n if settings.theiler == 0 else 0)
    apart = max(0, n - max(settings.theiler, 1))
    admitted = apart * (apart + 1) + (n if settings.theiler == 0 else 0)
    both_halves = 2 * diagonals
    both_halves[n] += int(settings.main_diagonal)
    rate = found / admitted if admitted else math.nan
    return _measures(rate, both_halves, verticals, settings)


def cross_recurrence(
    first: ArrayLike, second: ArrayLike, settings: RecurrenceSettings
) -> RecurrenceMeasures:
    """Quantify where one series is near another, at any pair of times.

    Parameters
    ----------
    first, second : array-like of float, shape (N,) or (N, D), (M,) or (M, D)
        On the same scale. Vertical lines are those of one state of `first` along the time of
        `second`.
    settings : RecurrenceSettings
        `theiler` has to be 0 and `main_diagonal` False: no pair is a state with itself.

    Returns
    -------
    RecurrenceMeasures

    Raises
    ------
    InputError
        A series is unusable, their widths differ, or a setting does not apply.
    """
    if settings.theiler or settings.main_diagonal:
        raise InputError("theiler, main_diagonal: allowed for cross recurrences: 0 and False")
    rows = embed(first, settings.dimension, settings.delay)
    columns = embed(second, settings.dimension, settings.delay)
    if rows.shape[1] != columns.shape[1]:
        raise InputError(f"second: {columns.shape[1]} columns, first has {rows.shape[1]}")
    diagonals = np.zeros(min(len(rows), len(columns)) + 1, np.int64)
    verticals = np.zeros(len(columns) + 1, np.int64)
    cells = _Cells(_three_axes(columns), settings)
    moved = _three_axes(rows)
    reach = (settings.radius, settings.norm == "euclidean", cells.exact(rows.shape[1]))
    found = cross_lines(cells.grid, moved, cells.of(moved), reach, diagonals, verticals)
    return _measures(found / (len(rows) * len(columns)), diagonals, verticals, settings)


def line_lengths(
    points: FloatArray, settings: RecurrenceSettings, *, device: Device = "auto"
) -> tuple[IntArray, IntArray]:
    """Count the lines of a recurrence plot by length.

    Parameters
    ----------
    points : ndarray of float64, shape (N, D)
        States, embedded already.
    settings : RecurrenceSettings
        Its embedding is ignored.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    diagonals : ndarray of int64, shape (N + 1,)
        Of the half above the main diagonal.
    verticals : ndarray of int64, shape (N + 1,)
        Of the whole plot.
    """
    n = len(points)
    if resolve(device, size=n * n) == "cuda":
        from swarmloom_protocols.consensus.chaos.recurrence_cuda import lines

        return lines(points, settings.radius, settings.norm == "euclidean", settings.theiler)
    diagonals, verticals = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    if n:
        spread = _three_axes(points)
        cells = _Cells(spread, settings)
        reach = (settings.radius, settings.norm == "euclidean", cells.exact(points.shape[1]))
        numbers = cells.of(spread)
        auto_lines(cells.grid, spread, numbers, reach, settings.theiler, diagonals, verticals)
    return diagonals, verticals


def _three_axes(points: FloatArray) -> FloatArray:
    """Put three axes far apart in the embedding first; less than three are filled with zeros."""
    width = points.shape[1]
    if width <= AXES:
        return np.ascontiguousarray(np.pad(points, ((0, 0), (0, AXES - width))))
    leading = [0, width // 2, width - 1]
    rest = [axis for axis in range(width) if axis not in leading]
    return np.ascontiguousarray(points[:, leading + rest])


class _Cells:
    """Points sorted into cells that are at least as wide as the radius."""

    def __init__(self, points: FloatArray, settings: RecurrenceSettings) -> None:
        self.low = points[:, :AXES].min(axis=0)
        with np.errstate(over="ignore"):
            extent = points[:, :AXES].max(axis=0) - self.low
        most = int((2 * len(points) + 64) ** (1.0 / AXES))
        # Axes without extent, or of one beyond all numbers, are not cut.
        cut = (extent > 0.0) & np.isfinite(extent)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            fitting = np.where(cut, extent / (settings.radius * WIDER), 1.0)
        self.counts = np.clip(fitting, 1.0, most).astype(np.int64)
        self.sides = np.where(cut, extent / self.counts, 1.0)
        self.euclidean = settings.norm == "euclidean"
        begins, order = cell_order(self.of(points), int(self.counts.prod()))
        self.grid = Grid(np.ascontiguousarray(points[order]), order, begins, self.counts)

    def of(self, points: FloatArray) -> IntArray:
        """Return the cell of each point; those outside go to the nearest."""
        return cell_numbers(points, self.low, self.sides, self.counts)

    def exact(self, width: int) -> bool:
        """Tell whether three axes decide what is near."""
        return width <= AXES and not self.euclidean


def _measures(
    rate: float, diagonals: IntArray, verticals: IntArray, settings: RecurrenceSettings
) -> RecurrenceMeasures:
    det, mean, longest, entropy = _of_lines(diagonals, settings.least_diagonal)
    lam, trapped, highest, vertical_entropy = _of_lines(verticals, settings.least_vertical)
    along, across = (det, mean, longest, entropy), (lam, trapped, highest, vertical_entropy)
    return RecurrenceMeasures(rate, *along, *across, diagonals, verticals)


def _of_lines(counts: IntArray, least: int) -> tuple[float, float, int, float]:
    """Return the share of points on lines, the mean and greatest length, and the entropy."""
    lengths = np.arange(counts.size)
    points, lines = int(lengths @ counts), counts[least:]
    on_lines, n_lines = int(lengths[least:] @ lines), int(lines.sum())
    share = on_lines / points if points else math.nan
    if not n_lines:
        return share, math.nan, 0, math.nan
    shares = lines[lines > 0] / n_lines
    entropy = float(-(shares * np.log(shares)).sum())
    return share, on_lines / n_lines, int(np.flatnonzero(counts)[-1]), entropy


def recurrence_windows(
    series: ArrayLike, settings: RecurrenceSettings, *, window: int, step: int
) -> list[RecurrenceMeasures]:
    """Quantify the recurrences within windows that move along a series, over threads.

    Parameters
    ----------
    series : array-like of float, shape (N,) or (N, D)
        Evenly sampled.
    settings : RecurrenceSettings
        What counts.
    window : int
        States in each window, embedded.
    step : int
        Between the first states of two windows.

    Returns
    -------
    list of RecurrenceMeasures
        In the order of time; a last window that would be shorter is left out.
    """
    points = embed(series, settings.dimension, settings.delay)
    whole("window", window, 2, len(points))
    starts = range(0, len(points) - window + 1, whole("step", step, 1))
    plain = replace(settings, dimension=1, delay=1)

    def band(first: int, stop: int) -> list[RecurrenceMeasures]:
        chosen = starts[first:stop]
        return [recurrence(points[at : at + window], plain, device="cpu") for at in chosen]

    parts = map_bands(band, len(starts), row_elements=window * window)
    return [measures for part in parts for measures in part]


class RecurrenceMonitor:
    """Recurrences of a stream within the last window of states, in bounded memory.

    Parameters
    ----------
    settings : RecurrenceSettings
        What counts.
    window : int
        States in the window, embedded.
    step : int
        New states between two measurements.
    """

    def __init__(self, settings: RecurrenceSettings, *, window: int, step: int) -> None:
        self._settings = settings
        self._kept = whole("window", window, 2) + settings.span
        self._step = whole("step", step, 1)
        self._values: list[FloatArray] = []
        self._due = self._kept

    def update(self, values: ArrayLike) -> list[RecurrenceMeasures]:
        """Take new values, shape (n,) or (n, D); return the windows that they complete.

        However a stream is cut into calls, the windows are those of `recurrence_windows` on the
        whole of it.

        Raises
        ------
        InputError
            A value is not finite, or the width differs from that of the values before.
        """
        new = real_array("values", values)
        fresh = embed(new, 1) if new.size else np.empty((0, 1))
        if len(fresh) and self._values and fresh.shape[1] != self._values[0].size:
            raise InputError(f"values: width {fresh.shape[1]}; before: {self._values[0].size}")
        return [measures for row in fresh for measures in self._take(row)]

    def _take(self, row: FloatArray) -> list[RecurrenceMeasures]:
        self._values.append(row)
        del self._values[: -self._kept]
        self._due -= 1
        if self._due:
            return []
        self._due = self._step
        return [recurrence(np.array(self._values), self._settings, device="cpu")]
