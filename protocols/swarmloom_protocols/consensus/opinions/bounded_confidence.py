"""Means of the opinions within reach of each: the step of Hegselmann and Krause, everybody hearing.

Which way is taken depends on the dimension: sorting on a line, cells in the plane and in space,
tiles of matrix products above.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.jit import kernel
from swarmloom_protocols.consensus.opinions.arguments import FloatArray, opinions_of, per_expert
from swarmloom_protocols.consensus.opinions.distances import (
    TILE_ELEMENTS,
    TILE_MARGIN,
    squared_distance,
)
from swarmloom_protocols.consensus.opinions.grid_kernels import cell_sums, grid_means
from swarmloom_protocols.consensus.opinions.line_kernels import (
    line_means,
    line_windows,
    running_sums,
    search_windows,
)

__all__ = ["LineMeans", "bounded_means", "means_within"]

# The best of 1 to 64 at n = 1e4 and 1e5 in plane and space: vector instructions want long runs. A
# short radius is better served by cells of half of it, down to a few opinions each.
OPINIONS_PER_CELL = 64.0
FEWEST_PER_CELL = 2.0
# Gaps are cut where an axis is so many times as long as the range between these quantiles.
LONG = 4.0
INNER = (0.01, 0.99)
# What one opinion costs in the grid, in elements of `swarmloom.device.bands`.
GRID_ROW_ELEMENTS = 512
# Pairs from which a GPU is worth trying; not measured, for want of one.
PAIRS_WORTH_A_GPU = 1 << 28


def bounded_means(
    opinions: ArrayLike,
    radius: ArrayLike,
    *,
    confidence: ArrayLike = 1.0,
    device: Device = "auto",
) -> FloatArray:
    """Return the mean of all opinions within reach of each, their own included.

    Parameters
    ----------
    opinions : array-like of float, shape (n,) or (n, D)
        Where everybody stands.
    radius : float or array-like of float, shape (n,)
        How far everybody listens (Euclidean distance, itself allowed), from 0; may be infinite.
    confidence : float or array-like of float, shape (n,), optional
        How much each counts in the means of others, above 0 to 1.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute. The GPU measures all pairs; "auto" does not take it on a line.

    Returns
    -------
    ndarray of float64, shape (n, D)

    Raises
    ------
    InputError
        An argument has another shape or is out of its range.

    Notes
    -----
    The model is that of Hegselmann and Krause, Journal of Artificial Societies and Social
    Simulation 5 (3), 2002. Work: O(n log n) on a line, O(n^(2 − 1/D)) for D = 2 and 3, O(n² D)
    above; memory O(n).
    """
    values = opinions_of("opinions", opinions)
    radii = per_expert("radius", radius, len(values), low=0.0, high=np.inf)
    weights = per_expert("confidence", confidence, len(values), low=0.0, high=1.0, above=True)
    return means_within(values, radii, weights, device=device)


def means_within(
    values: FloatArray, radii: FloatArray, confidence: FloatArray, *, device: Device = "auto"
) -> FloatArray:
    """Return what `bounded_means` returns, of arguments that are checked already."""
    n, dimensions = values.shape
    pairs = n * n if dimensions > 1 else 0
    if resolve(device, size=pairs, worth=PAIRS_WORTH_A_GPU) == "cuda":
        return _on_cuda(values, radii, confidence)
    ways: dict[int, Callable[[FloatArray, FloatArray, FloatArray], FloatArray]] = {
        1: lambda values, radii, confidence: LineMeans(radii, confidence)(values),
        2: _by_cells,
        3: _by_cells,
    }
    return ways.get(dimensions, _by_tiles)(values, radii, confidence)


class LineMeans:
    """Means on a line, step after step: the order of opinions is kept as long as it holds.

    Parameters
    ----------
    radii, confidence : ndarray of float64, shape (n,)
        How far each listens, and how much each counts.
    """

    def __init__(self, radii: FloatArray, confidence: FloatArray) -> None:
        self._radii = radii
        self._one_radius = bool(np.all(radii == radii[0]))
        # Weights that are all the same cancel, if not to the last bit.
        self._equal = bool(np.all(confidence == confidence[0]))
        self._confidence = np.ones_like(confidence) if self._equal else confidence
        self._order: NDArray[np.int64] | None = None
        self._weight_sums = np.empty((len(radii) + 1, 2))
        self._value_sums = np.empty((len(radii) + 1, 2))
        self._firsts = np.empty(len(radii), np.int32)
        self._ends = np.empty(len(radii), np.int32)

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the means of opinions of shape (n, 1)."""
        line, order = self._sorted(values[:, 0])
        weighted = line if self._equal else line * self._confidence[order]
        running_sums(weighted, self._value_sums)
        if self._one_radius:
            line_windows(line, float(self._radii[0]), self._firsts, self._ends)
        else:
            search_windows(line, self._radii[order], self._firsts, self._ends)
        means, sums = np.empty(len(line)), (self._value_sums, self._weight_sums)
        line_means(line, self._firsts, self._ends, *sums, self._one_radius, means)
        placed = np.empty(len(line))
        placed[order] = means
        return placed[:, np.newaxis]

    def _sorted(self, values: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
        if self._order is not None:
            line = values[self._order]
            if np.all(line[1:] >= line[:-1]):
                return line, self._order
        self._order = np.argsort(values, kind="stable")
        running_sums(self._confidence[self._order], self._weight_sums)
        return values[self._order], self._order


def _cell_side(extents: FloatArray, n: int, radius: float) -> float:
    """Return the side of cells that suit so many opinions and such a radius."""
    least, most = (
        _cube_side(extents, max(1.0, n / each)) for each in (FEWEST_PER_CELL, OPINIONS_PER_CELL)
    )
    return max(least, min(most, radius / 2.0))


def _cube_side(extents: FloatArray, cells: float) -> float:
    """Return the side of cubes of which about `cells` fill a box; flat axes count as one cell."""
    axes = extents[extents > 0.0]
    while axes.size:
        # Powers before the product: extents of 1e200 must not overflow.
        side = float(np.prod(axes ** (1.0 / axes.size)) * cells ** (-1.0 / axes.size))
        if np.all(axes >= side):
            return side
        axes = axes[axes >= side]
    return 1.0


def _without_gaps(places: FloatArray, reach: float) -> FloatArray:
    """Return places with wide gaps along an axis cut to what nobody hears across.

    A few opinions far from the others would spread the cells so far that all others share one.
    """
    inner = np.subtract(*np.quantile(places, INNER[::-1], axis=0))
    long = np.flatnonzero(np.ptp(places, axis=0) > LONG * inner)
    if not long.size:
        return places
    near = places.copy()
    for axis in long:
        order = np.argsort(places[:, axis], kind="stable")
        gaps = np.diff(places[order, axis])
        widest = max(2.0 * reach, float(inner[axis]) / np.sqrt(len(places)))
        cut = np.concatenate([[0.0], np.cumsum(np.maximum(gaps - widest, 0.0))])
        # Those in the middle stay, so that the many lose no digits to the few.
        near[order, axis] -= cut - cut[len(cut) // 2]
    return near


def _by_cells(values: FloatArray, radii: FloatArray, confidence: FloatArray) -> FloatArray:
    n, dimensions = values.shape
    places = np.zeros((n, 3))
    places[:, 3 - dimensions :] = values
    near = _without_gaps(places, float(radii.max()))
    lows = near.min(axis=0)
    extents = near.max(axis=0) - lows
    side = _cell_side(extents, n, float(np.median(radii)))
    shape = np.floor(extents / side).astype(np.int64) + 1
    cells = np.minimum(np.floor((near - lows) / side).astype(np.int64), shape - 1)
    keys = (cells[:, 0] * shape[1] + cells[:, 1]) * shape[2] + cells[:, 2]
    order = np.argsort(keys, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=int(shape.prod())))])
    columns, weights = np.ascontiguousarray(places[order].T), confidence[order]
    grid = columns if near is places else np.ascontiguousarray(near[order].T)
    sums = np.empty((int(shape[0] * shape[1]), int(shape[2]) + 1, 4, 2))
    cell_sums(columns, weights, starts, int(shape[2]), sums)
    reach = np.minimum(radii[order], 2.0 * float(extents.sum()) + side)
    means = np.empty((3, n))

    def fill(first: int, end: int) -> None:
        grid_means(
            columns, grid, reach, weights, starts, sums, shape, lows, side, first, end, means
        )  # fmt: skip

    map_bands(fill, n, GRID_ROW_ELEMENTS)
    placed = np.empty_like(values)
    placed[order] = means[3 - dimensions :].T
    return placed


@kernel
def _select(
    products: FloatArray, values: FloatArray, norms: FloatArray, radii: FloatArray, first: int
) -> None:
    """Replace scalar products by 1 where the two are within reach, else by 0."""
    for row in range(products.shape[0]):
        i = first + row
        reach = radii[i] * radii[i]
        for j in range(products.shape[1]):
            scale = norms[i] + norms[j]
            distance2 = scale - 2.0 * products[row, j]
            if abs(distance2 - reach) <= TILE_MARGIN * scale:
                distance2 = squared_distance(values, i, j)
            products[row, j] = 1.0 if distance2 <= reach else 0.0


def _by_tiles(values: FloatArray, radii: FloatArray, confidence: FloatArray) -> FloatArray:
    n = len(values)
    middle = values.mean(axis=0)
    centred = values - middle
    norms = np.einsum("ij,ij->i", centred, centred)
    weighted = np.column_stack([centred * confidence[:, np.newaxis], confidence])
    means = np.empty_like(values)
    height = max(1, TILE_ELEMENTS // n)
    for first in range(0, n, height):
        tile = centred[first : first + height] @ centred.T
        _select(tile, values, norms, radii, first)
        sums = tile @ weighted
        means[first : first + height] = sums[:, :-1] / sums[:, -1:] + middle
    return means


def _on_cuda(values: FloatArray, radii: FloatArray, confidence: FloatArray) -> FloatArray:
    from swarmloom_protocols.consensus.opinions.opinions_cuda import pair_means

    columns = np.empty(values.shape[::-1])
    pair_means(len(values), (np.ascontiguousarray(values.T), radii, confidence), (columns,))
    return np.ascontiguousarray(columns.T)
