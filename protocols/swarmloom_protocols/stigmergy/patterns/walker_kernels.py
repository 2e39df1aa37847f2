"""What walkers' tracks say of a place: how far moves point at it, how often they go round it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import positive
from swarmloom_protocols.stigmergy.patterns.inputs import as_tracks

__all__ = ["align_walker", "inward_alignments", "polarisation", "swept_turns"]

Float64Array = NDArray[np.float64]


@kernel
def align_walker(
    tracks: Float64Array, walker: int, y: float, x: float, radius: float, sums: Float64Array
) -> None:
    """Write how far one walker came nearer and how far it went, as `inward_alignments` says."""
    nearer, path = 0.0, 0.0
    for t in range(tracks.shape[1] - 1):
        y_move = tracks[walker, t + 1, 0] - tracks[walker, t, 0]
        x_move = tracks[walker, t + 1, 1] - tracks[walker, t, 1]
        y_way = y - 0.5 * (tracks[walker, t, 0] + tracks[walker, t + 1, 0])
        x_way = x - 0.5 * (tracks[walker, t, 1] + tracks[walker, t + 1, 1])
        way = math.sqrt(y_way * y_way + x_way * x_way)
        if 0.0 < way <= radius:
            nearer += (y_move * y_way + x_move * x_way) / way
            path += math.sqrt(y_move * y_move + x_move * x_move)
    sums[walker, 0] = nearer
    sums[walker, 1] = path


@kernel
def _align(
    tracks: Float64Array,
    y: float,
    x: float,
    radius: float,
    sums: Float64Array,
    start: int,
    stop: int,
) -> None:
    for walker in range(start, stop):
        align_walker(tracks, walker, y, x, radius, sums)


def inward_alignments(
    tracks: ArrayLike, hub: tuple[float, float], radius: float, *, device: Device = "auto"
) -> Float64Array:
    """Measure how far walkers' moves near a place point at it.

    Parameters
    ----------
    tracks : array-like, shape (N, T, 2)
        Positions (y, x), in cells.
    hub : (float, float)
        The place.
    radius : float
        Moves whose middle is farther away are left out (> 0).
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    ndarray of float64, shape (N, 2)
        For each walker the lengths of its moves as seen along the way to the hub (negative where
        they lead away), and the lengths of its moves, both added up, in cells. Taken from the
        middle of a move, the first changes its sign and nothing else when time runs backwards;
        cosines without lengths would count slow moves against a slope more than fast ones down it.

    Raises
    ------
    InputError
        The tracks are not finite or of another shape, or the radius is not above 0.
    """
    paths = as_tracks(tracks)
    place = float(hub[0]), float(hub[1]), positive("radius", radius)
    sums = np.empty((len(paths), 2))
    if resolve(device, size=paths.size) == "cuda":
        from swarmloom_protocols.stigmergy.patterns.walker_cuda import align

        align(len(paths), (paths, *place), (sums,))
    else:
        map_bands(
            lambda start, stop: _align(paths, *place, sums, start, stop),
            len(paths),
            row_elements=paths.shape[1],
        )
    return sums


@kernel
def _sweep(
    tracks: Float64Array, centres: Float64Array, turns: Float64Array, start: int, stop: int
) -> None:
    for walker in range(start, stop):
        for c in range(centres.shape[0]):
            y = tracks[walker, 0, 0] - centres[c, 0]
            x = tracks[walker, 0, 1] - centres[c, 1]
            total = 0.0
            for t in range(1, tracks.shape[1]):
                y_next = tracks[walker, t, 0] - centres[c, 0]
                x_next = tracks[walker, t, 1] - centres[c, 1]
                # The angle of one step, from its sine and cosine: never more than half a turn.
                total += math.atan2(x * y_next - y * x_next, x * x_next + y * y_next)
                y, x = y_next, x_next
            turns[walker, c] = total / (2.0 * math.pi)


def swept_turns(tracks: ArrayLike, centres: ArrayLike) -> Float64Array:
    """Measure how often each walker goes round each of several places.

    Parameters
    ----------
    tracks : array-like, shape (N, T, 2)
        Positions (y, x), in cells.
    centres : array-like, shape (C, 2)
        The places (y, x).

    Returns
    -------
    ndarray of float64, shape (N, C)
        Net turns, positive from x towards y; a step at a centre counts 0.

    Raises
    ------
    InputError
        The tracks are not finite or of another shape.
    """
    paths = as_tracks(tracks)
    places = np.ascontiguousarray(centres, np.float64).reshape(-1, 2)
    turns = np.empty((len(paths), len(places)))
    map_bands(
        lambda start, stop: _sweep(paths, places, turns, start, stop),
        len(paths),
        row_elements=paths.shape[1] * max(1, len(places)),
    )
    return turns


def polarisation(headings: ArrayLike) -> tuple[float, float]:
    """Measure whether walkers head the same way.

    Parameters
    ----------
    headings : array-like, shape (N,)
        Directions in radians, finite, of at least one walker.

    Returns
    -------
    order, p_value : float
        φ = |mean of e^{iθ}| in [0, 1], and the chance of as much among N uniform directions:
        exp(√(1 + 4N + 4N²(1 − φ²)) − (1 + 2N)), Rayleigh's test with the correction of Zar
        (1999), which goes to exp(−Nφ²) for many walkers.

    Raises
    ------
    InputError
        There is no heading, or one is not finite.
    """
    angles = np.asarray(headings, np.float64)
    if angles.ndim != 1 or not angles.size or not np.isfinite(angles).all():
        raise InputError(f"headings: shape {angles.shape}; allowed: (N,), N at least 1, finite")
    count = angles.size
    order = float(min(1.0, abs(np.exp(1j * angles).mean())))
    root = math.sqrt(1.0 + 4.0 * count + 4.0 * count * count * (1.0 - order * order))
    return order, min(1.0, math.exp(root - (1.0 + 2.0 * count)))
