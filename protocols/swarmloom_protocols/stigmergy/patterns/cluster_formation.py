"""Cluster formation: walkers closer together than by chance, amounts beside their like."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, special
from scipy.spatial import cKDTree

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.patterns.inputs import SMALLEST_SIDE, as_field, is_constant
from swarmloom_protocols.stigmergy.patterns.null_models import check_draws, monte_carlo_p_value
from swarmloom_protocols.stigmergy.patterns.pattern import Pattern, PatternKind
from swarmloom_protocols.stigmergy.patterns.trail_mask import EIGHT, trail_mask

__all__ = ["clustered_field", "clustered_walkers", "moran", "walker_clusters"]

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

SCALES = 8
FEWEST_WALKERS = 5
SMALLEST_CLUSTER = 4
# Poisson deviations above the mean density at which a cluster begins.
DENSE_DEVIATIONS = 3.0


def clustered_walkers(
    positions: ArrayLike,
    shape: tuple[int, int],
    *,
    rng: np.random.Generator,
    draws: int = 199,
) -> Pattern:
    """Test whether walkers gather.

    Parameters
    ----------
    positions : array-like, shape (N, 2)
        (y, x) in cells, all within the frame, at one moment.
    shape : (int, int)
        Cells of the frame (Y, X): the window in which they might be.
    rng : numpy.random.Generator
        Draws from the null.
    draws : int, optional
        Draws from the null (at least 19).

    Returns
    -------
    Pattern
        Strength is the share of walkers in clusters beyond the share of area that clusters take.
        Located at the largest cluster. With fewer than five walkers the p-value is 1.

    Raises
    ------
    InputError
        Positions are not finite, of another shape or outside the frame, or `draws` is too small.

    Notes
    -----
    Null: complete spatial randomness, N independent uniform positions in the window. Statistic:
    Ripley's K (1976) at eight radii up to a quarter of the shorter side, each standardised by the
    mean and deviation of observation and draws together, the largest of the eight. Window edges
    need no correction, for the draws have them too.
    """
    points = _checked_positions(positions, shape)
    check_draws(draws)
    labels, density_area = walker_clusters(points, shape)
    inside = float(np.mean(labels > 0)) if len(labels) else 0.0
    members = points[labels == _largest(labels)] if inside else points
    middle = members.mean(axis=0) if len(members) else np.zeros(2)
    share = max(0.0, inside - density_area / math.prod(shape))
    return Pattern(
        PatternKind.CLUSTER_FORMATION,
        strength=share,
        p_value=_ripley_p_value(points, shape, rng, draws),
        location=(float(middle[0]), float(middle[1])),
        extent=float(np.hypot(*(members - middle).T).max(initial=0.0)),
        parameters={"clusters": float(labels.max(initial=0)), "share_inside": inside},
    )


def walker_clusters(positions: ArrayLike, shape: tuple[int, int]) -> tuple[IntArray, int]:
    """Label the clusters of walkers by the density on the grid.

    Parameters
    ----------
    positions : array-like, shape (N, 2)
        (y, x) in cells, within the frame.
    shape : (int, int)
        Cells of the frame (Y, X).

    Returns
    -------
    labels : ndarray of int64, shape (N,)
        1, 2, … for the members of each cluster, 0 for those of none.
    area : int
        Cells of all clusters.

    Notes
    -----
    Density by a Gaussian as wide as half the mean distance between N walkers; clusters are the
    8-connected areas three Poisson deviations above the mean with at least four walkers.
    """
    points = _checked_positions(positions, shape)
    bins = np.clip(np.rint(points), 0, np.array(shape) - 1).astype(np.int64)
    counts = np.zeros(shape)
    np.add.at(counts, tuple(bins.T), 1.0)
    width = max(1.0, 0.5 * math.sqrt(math.prod(shape) / max(1, len(points))))
    density = ndimage.gaussian_filter(counts, width, mode="reflect")
    mean = len(points) / math.prod(shape)
    dense = mean + DENSE_DEVIATIONS * math.sqrt(mean / (4.0 * math.pi * width * width))
    areas, count = ndimage.label(density > dense, EIGHT)
    labels = areas[tuple(bins.T)]
    enough = np.bincount(labels, minlength=count + 1) >= SMALLEST_CLUSTER
    enough[0] = False
    numbers = np.where(enough, np.cumsum(enough), 0)
    return numbers[labels], int(enough[areas].sum())


def clustered_field(field: ArrayLike) -> Pattern:
    """Test whether amounts lie beside their like.

    Parameters
    ----------
    field : array-like, shape (Y, X)
        Amounts.

    Returns
    -------
    Pattern
        Strength is Moran's I if above 0, or 0 where no area rises above the background. Located at
        the largest such area.

    Raises
    ------
    InputError
        The frame is not finite or of another shape.

    Notes
    -----
    Null: any arrangement of the same amounts over the cells is as likely as any other, so that a
    field that diffuses is never of the null: use walkers where there are some. The p-value is
    that of the normal distribution with the moments of Moran's I under permutation (Cliff & Ord
    1981, section 2.3).
    """
    frame = as_field(field)
    value, score = moran(frame)
    areas, count = ndimage.label(trail_mask(frame, smallest_area=SMALLEST_CLUSTER), EIGHT)
    largest = areas == _largest(areas.ravel())
    cells = np.argwhere(largest) if count else np.empty((0, 2))
    middle = cells.mean(axis=0) if count else np.array(frame.shape) / 2.0 - 0.5
    return Pattern(
        PatternKind.CLUSTER_FORMATION,
        strength=min(max(value, 0.0), 1.0) * (count > 0),
        p_value=max(float(special.ndtr(-score)), np.finfo(np.float64).tiny),
        location=(float(middle[0]), float(middle[1])),
        extent=float(np.hypot(*(cells - middle).T).max(initial=0.0)),
        parameters={"moran": value, "standard_score": score, "clusters": float(count)},
    )


def moran(field: ArrayLike) -> tuple[float, float]:
    """Return Moran's I of a frame with four neighbours a cell, and its standard score.

    Parameters
    ----------
    field : array-like, shape (Y, X)
        Amounts.

    Returns
    -------
    value, score : float
        I = N/W · Σ wᵢⱼ zᵢ zⱼ / Σ zᵢ² (Moran 1950), expected −1/(N − 1), and (I − expected) over
        its standard deviation under permutations of the cells; (0, 0) for a constant frame.

    Raises
    ------
    InputError
        The frame is not finite or of another shape.
    """
    frame = as_field(field)
    if is_constant(frame):
        return 0.0, 0.0
    away = frame.astype(np.float64)
    away -= away.mean()
    squares = float(np.sum(away * away))
    pairs = float(np.sum(away[1:] * away[:-1]) + np.sum(away[:, 1:] * away[:, :-1]))
    links = away[1:].size + away[:, 1:].size
    value = away.size / links * pairs / squares
    kurtosis = away.size * float(np.sum(away**4)) / squares**2
    deviation = math.sqrt(_moran_variance(frame.shape, kurtosis))
    return value, (value + 1.0 / (away.size - 1)) / deviation


def _moran_variance(shape: tuple[int, ...], kurtosis: float) -> float:
    """Return the variance of Moran's I on a grid under permutation (Cliff & Ord 1981)."""
    height, width = shape
    n = height * width
    total = 2.0 * ((height - 1) * width + height * (width - 1))
    # Cells by their number of neighbours: corners, rims, the rest.
    corners, rims = 4, 2 * (height + width - 4)
    degrees = 4 * corners + 9 * rims + 16 * (n - corners - rims)
    s1, s2 = 2.0 * total, 4.0 * degrees
    first = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * total**2)
    second = kurtosis * ((n * n - n) * s1 - 2 * n * s2 + 6 * total**2)
    product = (n - 1.0) * (n - 2.0) * (n - 3.0) * total**2
    return (first - second) / product - 1.0 / (n - 1.0) ** 2


def _checked_positions(positions: ArrayLike, shape: tuple[int, int]) -> Float64Array:
    points = np.asarray(positions, np.float64).reshape(-1, 2)
    if min(shape) < SMALLEST_SIDE:
        raise InputError(f"shape: {shape}; allowed: sides of at least {SMALLEST_SIDE} cells")
    inside = (points >= -0.5) & (points <= np.array(shape) - 0.5)
    if not inside.all():
        outside = int((~inside).any(axis=1).sum())
        raise InputError(f"positions: {outside} are NaN or outside the frame of {shape} cells")
    return points


def _largest(labels: NDArray[np.integer]) -> int:
    """Return the label, above 0, that occurs most."""
    counts = np.bincount(labels, minlength=2)
    return int(counts[1:].argmax()) + 1


def _ripley_p_value(
    points: Float64Array, shape: tuple[int, int], rng: np.random.Generator, draws: int
) -> float:
    if len(points) < FEWEST_WALKERS:
        return 1.0
    radii = min(shape) / 4.0 * np.arange(1, SCALES + 1) / SCALES
    window = np.array(shape, np.float64)
    samples = [points, *(rng.random((draws, *points.shape)) * window)]
    pairs = np.array([_pairs_within(sample, radii) for sample in samples])
    deviations = pairs.std(axis=0)
    scores = (pairs - pairs.mean(axis=0)) / np.where(deviations > 0.0, deviations, 1.0)
    largest = scores.max(axis=1)
    return monte_carlo_p_value(largest[0], largest[1:])


def _pairs_within(points: Float64Array, radii: Float64Array) -> Float64Array:
    """Return the ordered pairs of points within each radius, which are Ripley's K but for scale."""
    tree = cKDTree(points)
    return np.asarray(tree.count_neighbors(tree, radii), np.float64) - len(points)
