"""The shape of a landscape over a grid: how connected, rough and fractal it is, when it percolates.

A landscape is a height at each cell of a grid, such as how many experts stand where, or what
a potential is there. Valleys are what lies at or below a level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.consensus.opinions.arguments import FloatArray, opinions_of
from swarmloom_protocols.consensus.opinions.percolation import spanning_count
from swarmloom_protocols.consensus.real_numbers import real_array
from swarmloom_protocols.stigmergy.patterns.box_counting import BoxDimension, box_dimension

__all__ = [
    "Connectivity",
    "LandscapeTopology",
    "PercolationLevel",
    "Roughness",
    "connectivity",
    "density_landscape",
    "landscape_topology",
    "percolation_level",
    "roughness",
]

# Least squares over fewer lags would be a line through two points.
FEWEST_LAGS = 3


@dataclass(frozen=True)
class Connectivity:
    """How the set cells of a mask hang together.

    Attributes
    ----------
    components : int
        Groups of set cells that share edges.
    largest_share : float
        Share of the set cells that are in the largest one; 0 where none is set.
    crosses : bool
        Whether a component joins the first row with the last.
    """

    components: int
    largest_share: float
    crosses: bool


@dataclass(frozen=True)
class Roughness:
    """How heights differ with distance.

    Attributes
    ----------
    deviation : float
        Root mean square of the heights about their mean.
    slope : float
        Root mean square of the difference between neighbours.
    exponent : float
        H of the structure function √⟨(h(x + l) − h(x))²⟩ ~ l^H: 1 for a ramp, ½ for a random walk,
        0 for noise; NaN where the landscape is flat.
    """

    deviation: float
    slope: float
    exponent: float


@dataclass(frozen=True)
class PercolationLevel:
    """The lowest water that floods a way through.

    Attributes
    ----------
    level : float
        Height at which the cells at or below it first join the first row with the last.
    share : float
        Share of the cells that are opened by then, lowest first: about .593 where heights are
        independent of each other.
    """

    level: float
    share: float


@dataclass(frozen=True)
class LandscapeTopology:
    """All four measures of one landscape.

    Attributes
    ----------
    connectivity : Connectivity
        Of the cells at or below the level.
    roughness : Roughness
        Of the heights.
    fractal_dimension : BoxDimension or None
        Of the edge of those cells; None where there is no edge.
    percolation : PercolationLevel
        Of the heights.
    """

    connectivity: Connectivity
    roughness: Roughness
    fractal_dimension: BoxDimension | None
    percolation: PercolationLevel


def _heights(values: ArrayLike) -> FloatArray:
    heights = real_array("heights", values)
    if heights.ndim != 2 or min(heights.shape) < 2:
        raise InputError(f"heights: shape {heights.shape}; allowed: (Y, X), both from 2")
    if not np.isfinite(heights).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(heights))[0])
        raise InputError(f"heights{list(place)} is {heights[place]}; allowed: finite numbers")
    return heights


def density_landscape(opinions: ArrayLike, cells: int = 64, *, blur: float = 1.5) -> FloatArray:
    """Count how many experts stand where in a plane of opinions.

    Parameters
    ----------
    opinions : array-like of float, shape (n, 2)
        Where everybody stands.
    cells : int, optional
        Cells along each axis (≥ 2), from the least to the greatest opinion.
    blur : float, optional
        Standard deviation of the Gaussian that the counts are smoothed with, in cells; 0 for none.

    Returns
    -------
    ndarray of float64, shape (cells, cells)
        Share of the experts in each cell; the sum is 1.

    Raises
    ------
    InputError
        Opinions have other than two dimensions, or an argument is out of its range.
    """
    values = opinions_of("opinions", opinions)
    if values.shape[1] != 2:
        raise InputError(f"opinions: {values.shape[1]} dimensions; allowed: 2")
    cells, blur = whole("cells", cells, 2), between("blur", blur, 0.0)
    lows, extents = values.min(axis=0), np.ptp(values, axis=0)
    places = (values - lows) / np.where(extents > 0.0, extents, 1.0) * cells
    rows, columns = np.minimum(places.astype(np.int64), cells - 1).T
    counts = np.bincount(rows * cells + columns, minlength=cells * cells).reshape(cells, cells)
    # Mirrored at the edges, so that nothing is lost there.
    shares: FloatArray = ndimage.gaussian_filter(counts / len(values), blur, mode="reflect")
    return shares


def connectivity(mask: ArrayLike) -> Connectivity:
    """Describe how the set cells of a mask hang together.

    Parameters
    ----------
    mask : array-like of bool, shape (Y, X)
        What is set; cells that share an edge are neighbours.

    Returns
    -------
    Connectivity

    Raises
    ------
    InputError
        The mask has not two axes, or no cell.
    """
    cells = np.asarray(mask, bool)
    if cells.ndim != 2 or not cells.size:
        raise InputError(f"mask: shape {cells.shape}; allowed: (Y, X)")
    labels, count = ndimage.label(cells)
    if not count:
        return Connectivity(0, 0.0, False)
    sizes = np.bincount(labels.ravel())[1:]
    joined = np.intersect1d(labels[0], labels[-1])
    return Connectivity(int(count), float(sizes.max() / sizes.sum()), bool(np.any(joined > 0)))


def roughness(heights: ArrayLike) -> Roughness:
    """Measure how heights differ with distance.

    Parameters
    ----------
    heights : array-like of float, shape (Y, X)
        The landscape. The exponent is fitted over lags of 1, 2, 4, … up to a quarter of the
        shorter side, which has to be 16 or more.

    Returns
    -------
    Roughness

    Raises
    ------
    InputError
        A height is not finite, or the landscape is too small.
    """
    surface = _heights(heights)
    lags = 2 ** np.arange(int(np.log2(min(surface.shape) / 4.0)) + 1)
    if min(surface.shape) < 16 or len(lags) < FEWEST_LAGS:
        raise InputError(f"heights: shape {surface.shape}; allowed: sides from 16")
    # Heights of 1e200 must not overflow when squared.
    scale = float(np.abs(surface).max()) or 1.0
    differences = np.array([_difference(surface / scale, int(lag)) for lag in lags])
    exponent = np.nan
    if np.all(differences > 0.0):
        exponent = float(np.polyfit(np.log(lags), np.log(differences), 1)[0])
    deviation = float((surface / scale).std() * scale)
    return Roughness(deviation, float(differences[0] * scale), exponent)


def _difference(surface: FloatArray, lag: int) -> float:
    """Return the root mean square difference over a lag, along both axes."""
    down = surface[lag:] - surface[:-lag]
    across = surface[:, lag:] - surface[:, :-lag]
    squares = float((down**2).sum() + (across**2).sum())
    return float(np.sqrt(squares / (down.size + across.size)))


def percolation_level(heights: ArrayLike) -> PercolationLevel:
    """Find the lowest water that floods a way from the first row to the last.

    Parameters
    ----------
    heights : array-like of float, shape (Y, X)
        The landscape; of equal heights the first in memory is flooded first.

    Returns
    -------
    PercolationLevel

    Raises
    ------
    InputError
        A height is not finite, or a side is below 2.
    """
    surface = _heights(heights)
    order = np.argsort(surface, axis=None, kind="stable")
    count = spanning_count(order, (surface.shape[0], surface.shape[1]))
    return PercolationLevel(float(surface.ravel()[order[count - 1]]), count / surface.size)


def landscape_topology(heights: ArrayLike, level: float | None = None) -> LandscapeTopology:
    """Measure connectivity, roughness, fractal dimension and percolation of a landscape.

    Parameters
    ----------
    heights : array-like of float, shape (Y, X)
        The landscape, of 16 cells or more along each side.
    level : float, optional
        Height up to which cells count as valley; the median by default.

    Returns
    -------
    LandscapeTopology

    Raises
    ------
    InputError
        A height is not finite, the landscape is too small, or the level is not finite.
    """
    surface = _heights(heights)
    height = float(np.median(surface)) if level is None else between("level", level, -np.inf)
    valley = surface <= height
    return LandscapeTopology(
        connectivity(valley),
        roughness(surface),
        _edge_dimension(valley),
        percolation_level(surface),
    )


def _edge_dimension(valley: NDArray[np.bool_]) -> BoxDimension | None:
    edge = valley & ~ndimage.binary_erosion(valley, border_value=1)
    return box_dimension(edge) if edge.any() else None
