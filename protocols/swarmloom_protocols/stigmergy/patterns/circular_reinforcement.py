"""Circular reinforcement: walkers go round a hole in their trails, most of them the same way."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from swarmloom_protocols.stigmergy.patterns.inputs import as_tracks
from swarmloom_protocols.stigmergy.patterns.null_models import sign_flip_p_value
from swarmloom_protocols.stigmergy.patterns.occupancy import Occupancy
from swarmloom_protocols.stigmergy.patterns.pattern import Pattern, PatternKind
from swarmloom_protocols.stigmergy.patterns.trail_mask import trail_mask
from swarmloom_protocols.stigmergy.patterns.walker_kernels import swept_turns

__all__ = ["circular_reinforcement"]

Float64Array = NDArray[np.float64]

MOST_LOOPS = 8
SMALLEST_HOLE = 20


def circular_reinforcement(
    tracks: ArrayLike, *, rng: np.random.Generator, draws: int = 199
) -> Pattern:
    """Test whether walkers circulate.

    Parameters
    ----------
    tracks : array-like, shape (N, T, 2)
        Positions (y, x) of N walkers at T moments, in cells. Fewer than six walkers cannot give a
        p-value of 0.05: two of 2^N sign vectors are as extreme as all the same way.
    rng : numpy.random.Generator
        Draws from the null.
    draws : int, optional
        Draws from the null (at least 19).

    Returns
    -------
    Pattern
        Strength is the share of all turns that is left when opposite ones cancel, times the mean
        turns of a walker where that is below 1. Located at the loop with the largest circulation.

    Raises
    ------
    InputError
        Tracks are not finite or of another shape, or a parameter is out of range.

    Notes
    -----
    The winding number of each walker's track about the holes of the visited area (at most the
    eight largest) and about the mean of all positions. Null: the walkers are independent and each
    is as likely to go round either way. The largest sum over the places is compared with that of
    walkers with random signs, so that choosing the best place costs what it should.
    """
    paths = as_tracks(tracks)
    holes = _holes(Occupancy(paths))
    centres = np.vstack((holes, paths.mean(axis=(0, 1))))
    turns = swept_turns(paths, centres)
    best = int(np.abs(turns.sum(axis=0)).argmax())
    net, total = float(turns[:, best].sum()), float(np.abs(turns[:, best]).sum())
    coherence = abs(net) / total if total > 0.0 else 0.0
    y, x = centres[best].tolist()
    return Pattern(
        PatternKind.CIRCULAR_REINFORCEMENT,
        strength=coherence * min(1.0, total / len(paths)),
        p_value=sign_flip_p_value(turns, rng, draws, two_sided=True),
        location=(y, x),
        extent=float(np.hypot(*(paths - centres[best]).reshape(-1, 2).T).mean()),
        parameters={
            "mean_turns": net / len(paths),
            "coherence": coherence,
            "loops": float(len(holes)),
        },
    )


def _holes(visited: Occupancy) -> Float64Array:
    """Return the middles of the largest holes in the trails, shape (at most 8, 2)."""
    mask = trail_mask(visited.visits, largest_hole=SMALLEST_HOLE)
    labels, count = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    largest = 1 + np.argsort(-sizes, kind="stable")[:MOST_LOOPS]
    middles = ndimage.center_of_mass(labels > 0, labels, largest) if count else []
    return visited.position(np.reshape(middles, (-1, 2)))
