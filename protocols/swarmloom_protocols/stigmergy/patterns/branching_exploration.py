"""Branching exploration: one connected trail that forks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, special, stats

from swarmloom_protocols.stigmergy.patterns.inputs import as_field, is_constant
from swarmloom_protocols.stigmergy.patterns.null_models import (
    check_draws,
    monte_carlo_p_value,
    phase_randomised,
)
from swarmloom_protocols.stigmergy.patterns.pattern import Pattern, PatternKind
from swarmloom_protocols.stigmergy.patterns.trail_graph import TrailGraph, trail_graph
from swarmloom_protocols.stigmergy.patterns.trail_mask import EIGHT, trail_mask

__all__ = ["branching_exploration"]

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

# The share of the frame, its highest cells, whose connection is tested.
TESTED_SHARE = 0.1
SMOOTHING = 1.5


def branching_exploration(
    field: ArrayLike, *, rng: np.random.Generator, draws: int = 199
) -> Pattern:
    """Test whether the high cells of a frame hang together, and find where trails fork.

    Parameters
    ----------
    field : array-like, shape (Y, X)
        Amounts; trails are higher than most of the frame.
    rng : numpy.random.Generator
        Draws from the null.
    draws : int, optional
        Draws from the null (at least 19).

    Returns
    -------
    Pattern
        Strength is the share of the excess of the highest tenth of the cells that lies in its
        largest connected part, or 0 where no trail forks. Located at the middle of the junctions.
        Parameters: junctions, endpoints, components, cycles, largest degree and length of the
        trail graph.

    Raises
    ------
    InputError
        The frame is not finite or of another shape, or `draws` is too small.

    Notes
    -----
    Null: a stationary Gaussian field with the same spectrum, seen through any monotone scale.
    Amounts are replaced by normal scores of their ranks, against which fields with random phases
    are compared. The statistic is a cluster mass (Bullmore et al. 1999) in relative form.
    """
    frame = as_field(field)
    check_draws(draws)
    graph = trail_graph(trail_mask(frame))
    forks = graph.junctions if len(graph.junctions) else np.array([np.array(frame.shape) / 2 - 0.5])
    middle = forks.mean(axis=0)
    share, p_value = (0.0, 1.0) if is_constant(frame) else _connection(frame, rng, draws)
    return Pattern(
        PatternKind.BRANCHING_EXPLORATION,
        strength=share * bool(len(graph.junctions)),
        p_value=p_value,
        location=(float(middle[0]), float(middle[1])),
        extent=float(np.hypot(*(forks - middle).T).max()),
        parameters=_counts(graph),
    )


def _counts(graph: TrailGraph) -> dict[str, float]:
    return {
        "junctions": float(len(graph.junctions)),
        "endpoints": float(len(graph.endpoints)),
        "components": float(graph.components),
        "cycles": float(graph.cycles),
        "largest_degree": float(graph.degrees.max(initial=0)),
        "length": graph.length,
    }


def _connection(frame: Float32Array, rng: np.random.Generator, draws: int) -> tuple[float, float]:
    """Return the largest connected share of the excess, and its p-value."""
    scores = _normal_scores(frame)
    share = _largest_share(scores)
    null = [_largest_share(phase_randomised(scores, rng)) for _ in range(draws)]
    return share, monte_carlo_p_value(share, null)


def _normal_scores(frame: Float32Array) -> Float64Array:
    ranks = stats.rankdata(frame).reshape(frame.shape)
    return np.asarray(special.ndtri((ranks - 0.5) / frame.size))


def _largest_share(scores: Float64Array) -> float:
    smooth = ndimage.gaussian_filter(scores, SMOOTHING, mode="wrap")
    tested = int((1.0 - TESTED_SHARE) * smooth.size)
    excess = smooth - np.partition(smooth, tested, axis=None)[tested]
    above = excess > 0.0
    labels, count = ndimage.label(above, EIGHT)
    if not count:
        return 0.0
    masses = np.bincount(labels[above], excess[above])
    return float(masses.max() / masses.sum())
