"""Convergent trails: moves around the most visited place point at it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.device import Device
from swarmloom_protocols.stigmergy.patterns.inputs import as_tracks
from swarmloom_protocols.stigmergy.patterns.null_models import sign_flip_p_value
from swarmloom_protocols.stigmergy.patterns.occupancy import Occupancy
from swarmloom_protocols.stigmergy.patterns.pattern import Pattern, PatternKind
from swarmloom_protocols.stigmergy.patterns.walker_kernels import inward_alignments

__all__ = ["convergent_trails"]


def convergent_trails(
    tracks: ArrayLike,
    *,
    rng: np.random.Generator,
    radius: float | None = None,
    draws: int = 199,
    device: Device = "auto",
) -> Pattern:
    """Test whether walkers move in towards the place that they visit most.

    Parameters
    ----------
    tracks : array-like, shape (N, T, 2)
        Positions (y, x) of N walkers at T moments, in cells.
    rng : numpy.random.Generator
        Draws from the null.
    radius : float, optional
        Moves farther from the hub are left out; half the longest side of what was visited by
        default.
    draws : int, optional
        Draws from the null (at least 19); the smallest p-value is 1 / (draws + 1).
    device : {"auto", "cpu", "cuda"}, optional
        Where moves are compared with the hub.

    Returns
    -------
    Pattern
        Strength is the alignment if above 0: the mean cosine between moves and the way to the hub,
        weighted by the moves' lengths. Parameters: alignment, and the path of all walkers within
        the radius in cells.

    Raises
    ------
    InputError
        Tracks are not finite or of another shape, or a parameter is out of range.

    Notes
    -----
    Null: the walkers are independent, and each one's track is as likely as its reversal. That
    holds for random walks in equilibrium, correlated ones and walkers resting in a potential
    included. The hub is chosen from where walkers were, not in which order, so that the test by
    sign flips is exact.
    """
    paths = as_tracks(tracks)
    visited = Occupancy(paths)
    hub = visited.densest()
    reach = radius if radius is not None else max(0.5 * visited.span, 1.0)
    sums = inward_alignments(paths, hub, reach, device=device)
    path = float(sums[:, 1].sum())
    alignment = float(sums[:, 0].sum()) / path if path > 0.0 else 0.0
    return Pattern(
        PatternKind.CONVERGENT_TRAILS,
        strength=min(max(alignment, 0.0), 1.0),
        p_value=sign_flip_p_value(sums[:, 0], rng, draws),
        location=hub,
        extent=reach,
        parameters={"alignment": alignment, "path": path},
    )
