"""Gradient chains: walkers that climb the field behind one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from swarmloom_protocols.checks import positive
from swarmloom_protocols.stigmergy.patterns.inputs import as_field, as_tracks, is_constant
from swarmloom_protocols.stigmergy.patterns.null_models import sign_flip_p_value
from swarmloom_protocols.stigmergy.patterns.pattern import Pattern, PatternKind

__all__ = ["gradient_chains"]

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHORTEST_CHAIN = 3
# A walker follows the gradient if its moves keep within about 70° of it on average.
FOLLOWING = 1.0 / 3.0
# The next of a chain lies within 45° of uphill.
AHEAD = np.sqrt(0.5)


def gradient_chains(
    tracks: ArrayLike,
    field: ArrayLike,
    *,
    rng: np.random.Generator,
    smoothing: float = 1.5,
    reach: float = 8.0,
    draws: int = 199,
) -> Pattern:
    """Test whether walkers climb the field, and link those that do to chains.

    Parameters
    ----------
    tracks : array-like, shape (N, T, 2)
        Positions (y, x) of N walkers at T moments, in cells. Moves outside the frame are left out.
    field : array-like, shape (Y, X)
        What they may be climbing, as it was before them: in a field that the walkers laid
        themselves and that evaporates, any walker has moved towards what is fresh.
    rng : numpy.random.Generator
        Draws from the null.
    smoothing : float, optional
        Standard deviation of the Gaussian before the gradient is taken, in cells (> 0).
    reach : float, optional
        Farthest that the next walker of a chain may be ahead, in cells (> 0).
    draws : int, optional
        Draws from the null (at least 19).

    Returns
    -------
    Pattern
        Strength is the alignment if above 0, the mean cosine between moves and gradient, weighted
        by the moves' lengths; or 0 if no chain has three walkers. Parameters: alignment, path of
        all walkers in cells, walkers in the longest chain. Located at that chain, or at the
        walkers' mean without one.

    Raises
    ------
    InputError
        An input is not finite or of another shape, or a parameter is out of range.

    Notes
    -----
    Null: the walkers are independent, and each one's track is as likely as its reversal, which
    changes the sign of its alignment with any given field (the gradient is read at the middle of
    a move). A chain links a climbing walker to the nearest climbing walker that is ahead, within
    45° of uphill, and higher up, at the last moment.
    """
    paths, frame = as_tracks(tracks), as_field(field)
    positive("smoothing", smoothing, 100.0)
    positive("reach", reach)
    slopes = _unit_gradient(frame, smoothing)
    sums = _uphill_alignments(paths, slopes)
    path = float(sums[:, 1].sum())
    alignment = float(sums[:, 0].sum()) / path if path > 0.0 else 0.0
    climbing = sums[:, 0] > FOLLOWING * sums[:, 1]
    members = _longest_chain(paths[climbing, -1], frame, slopes, reach)
    chained = len(members) >= SHORTEST_CHAIN
    middle = members.mean(axis=0) if len(members) else paths[:, -1].mean(axis=0)
    return Pattern(
        PatternKind.GRADIENT_CHAINS,
        strength=min(max(alignment, 0.0), 1.0) * chained,
        p_value=sign_flip_p_value(sums[:, 0], rng, draws),
        location=(float(middle[0]), float(middle[1])),
        extent=float(np.hypot(*(members - middle).T).max(initial=0.0)),
        parameters={"alignment": alignment, "path": path, "chain": float(len(members))},
    )


def _unit_gradient(frame: NDArray[np.float32], smoothing: float) -> Float64Array:
    """Return the direction of the gradient, shape (2, Y, X); 0 where the field is flat."""
    if is_constant(frame):
        return np.zeros((2, *frame.shape))
    smooth = ndimage.gaussian_filter(frame.astype(np.float64), smoothing)
    slopes = np.stack((np.gradient(smooth, axis=0), np.gradient(smooth, axis=1)))
    steepness = np.hypot(*slopes)
    return slopes / np.where(steepness > 0.0, steepness, 1.0)


def _sample(values: Float64Array, positions: Float64Array) -> Float64Array:
    """Interpolate linearly at positions (…, 2); 0 outside the frame."""
    return np.asarray(
        ndimage.map_coordinates(values, np.moveaxis(positions, -1, 0), order=1, mode="constant")
    )


def _uphill_alignments(paths: Float64Array, slopes: Float64Array) -> Float64Array:
    """Return how far each walker climbed along the slopes and how far it went, shape (N, 2)."""
    moves = np.diff(paths, axis=1)
    lengths = np.hypot(moves[..., 0], moves[..., 1])
    middles = 0.5 * (paths[:, 1:] + paths[:, :-1])
    uphill = np.stack([_sample(slope, middles) for slope in slopes], axis=-1)
    steepness = np.hypot(uphill[..., 0], uphill[..., 1])
    sloping = steepness > 0.0
    climbs = (moves * uphill).sum(axis=-1) / np.where(sloping, steepness, 1.0)
    return np.stack((climbs.sum(axis=1), (lengths * sloping).sum(axis=1)), axis=1)


def _longest_chain(
    positions: Float64Array, frame: NDArray[np.float32], slopes: Float64Array, reach: float
) -> Float64Array:
    """Return the positions of the walkers of the longest chain, the last one first."""
    if not len(positions):
        return positions
    heights = _sample(frame.astype(np.float64), positions)
    uphill = np.stack([_sample(slope, positions) for slope in slopes], axis=-1)
    ahead = _next_ahead(positions, heights, uphill, reach)
    # Each link leads higher up, so that whoever is higher is done before.
    lengths = np.ones(len(positions), np.int64)
    for walker in np.argsort(-heights, kind="stable"):
        if ahead[walker] >= 0:
            lengths[walker] += lengths[ahead[walker]]
    chain = [int(lengths.argmax())]
    while ahead[chain[-1]] >= 0:
        chain.append(int(ahead[chain[-1]]))
    return positions[chain]


def _next_ahead(
    positions: Float64Array, heights: Float64Array, uphill: Float64Array, reach: float
) -> IntArray:
    """Return for each walker the nearest one ahead of it and higher up, or −1."""
    ahead = np.full(len(positions), -1)
    pairs = cKDTree(positions).query_pairs(reach, output_type="ndarray")
    pairs = np.concatenate((pairs, pairs[:, ::-1]))
    ways = positions[pairs[:, 1]] - positions[pairs[:, 0]]
    distances = np.hypot(*ways.T)
    forward = (ways * uphill[pairs[:, 0]]).sum(axis=1) >= AHEAD * distances
    usable = forward & (distances > 0.0) & (heights[pairs[:, 1]] > heights[pairs[:, 0]])
    # The nearest is written last.
    order = np.flatnonzero(usable)[np.argsort(-distances[usable], kind="stable")]
    ahead[pairs[order, 0]] = pairs[order, 1]
    return ahead
