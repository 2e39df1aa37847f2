"""All detectors at once: which of the seven patterns a frame, its history and tracks show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between
from swarmloom_protocols.stigmergy.patterns.branching_exploration import branching_exploration
from swarmloom_protocols.stigmergy.patterns.circular_reinforcement import circular_reinforcement
from swarmloom_protocols.stigmergy.patterns.cluster_formation import (
    clustered_field,
    clustered_walkers,
)
from swarmloom_protocols.stigmergy.patterns.convergent_trails import convergent_trails
from swarmloom_protocols.stigmergy.patterns.gradient_chains import gradient_chains
from swarmloom_protocols.stigmergy.patterns.inputs import (
    SMALLEST_SIDE,
    as_field,
    as_history,
    as_tracks,
)
from swarmloom_protocols.stigmergy.patterns.null_models import check_draws, holm
from swarmloom_protocols.stigmergy.patterns.pattern import Pattern, PatternKind
from swarmloom_protocols.stigmergy.patterns.spiral_dynamics import spiral_dynamics
from swarmloom_protocols.stigmergy.patterns.wave_propagation import wave_propagation

__all__ = ["Region", "detect"]

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
# First and end row, first and end column.
Region = tuple[int, int, int, int]

FEWEST_WALKERS = 2


@dataclass(frozen=True)
class _Scene:
    """What detectors look at, cut to a region whose first cell is `corner`."""

    field: Float32Array
    history: Float32Array | None
    tracks: Float64Array | None
    corner: tuple[int, int]
    draws: int


def detect(
    field: ArrayLike,
    *,
    rng: np.random.Generator,
    history: ArrayLike | None = None,
    tracks: ArrayLike | None = None,
    level: float = 0.05,
    kinds: Iterable[PatternKind | str] | None = None,
    region: Region | None = None,
    correct: bool = False,
    draws: int = 199,
) -> list[Pattern]:
    """Find the patterns that a field, its history and walkers' tracks show.

    Parameters
    ----------
    field : array-like, shape (Y, X)
        The frame to look at; for gradient chains as it was before the tracks.
    rng : numpy.random.Generator
        Draws from the null models; each kind has its own stream, so that its p-value does not
        depend on which other kinds are looked for.
    history : array-like, shape (T, Y, X), optional
        Frames evenly spaced in time, for waves and spirals.
    tracks : array-like, shape (N, T, 2), optional
        Positions (y, x) of walkers within the frame, for convergent trails, circulation, chains
        and clusters.
    level : float, optional
        Largest p-value of what is returned (0 to 1).
    kinds : iterable of PatternKind or str, optional
        What to look for; all kinds that the inputs allow by default.
    region : (int, int, int, int), optional
        First and end row, first and end column to look at. Walkers that leave it are left out.
    correct : bool, optional
        Whether p-values are corrected for the number of kinds looked for (Holm 1979): then the
        chance of one or more patterns in a scene without any is at most `level`.
    draws : int, optional
        Draws from each null model (at least 19). With `correct`, the smallest p-value is
        kinds / (draws + 1).

    Returns
    -------
    list of Pattern
        Those with a p-value of at most `level` and a strength above 0, in the order of
        `PatternKind`; positions are the whole frame's.

    Raises
    ------
    InputError
        An input is not finite or of another shape, frames or walkers do not fit the field, or a
        kind is unknown or needs an input that is not given.
    """
    between("level", level, 0.0, 1.0)
    scene = _scene(field, history, tracks, region, check_draws(draws))
    wanted = _wanted(kinds, scene)
    streams = dict(zip(PatternKind, rng.spawn(len(PatternKind)), strict=True))
    found = [_DETECTORS[kind](scene, streams[kind]) for kind in wanted]
    p_values = [pattern.p_value for pattern in found]
    if correct:
        p_values = holm(p_values)
    return [
        _placed(pattern, p_value, scene.corner)
        for pattern, p_value in zip(found, p_values, strict=True)
        if p_value <= level and pattern.strength > 0.0
    ]


def _convergence(scene: _Scene, rng: np.random.Generator) -> Pattern:
    return convergent_trails(_given(scene.tracks), rng=rng, draws=scene.draws)


def _branching(scene: _Scene, rng: np.random.Generator) -> Pattern:
    return branching_exploration(scene.field, rng=rng, draws=scene.draws)


def _circulation(scene: _Scene, rng: np.random.Generator) -> Pattern:
    return circular_reinforcement(_given(scene.tracks), rng=rng, draws=scene.draws)


def _chains(scene: _Scene, rng: np.random.Generator) -> Pattern:
    return gradient_chains(_given(scene.tracks), scene.field, rng=rng, draws=scene.draws)


def _clusters(scene: _Scene, rng: np.random.Generator) -> Pattern:
    if scene.tracks is None:
        return clustered_field(scene.field)
    height, width = scene.field.shape
    return clustered_walkers(scene.tracks[:, -1], (height, width), rng=rng, draws=scene.draws)


def _waves(scene: _Scene, rng: np.random.Generator) -> Pattern:
    return wave_propagation(_given(scene.history), rng=rng, draws=scene.draws)


def _spirals(scene: _Scene, rng: np.random.Generator) -> Pattern:
    return spiral_dynamics(_given(scene.history), rng=rng, draws=scene.draws)


_DETECTORS: dict[PatternKind, Callable[[_Scene, np.random.Generator], Pattern]] = {
    PatternKind.CONVERGENT_TRAILS: _convergence,
    PatternKind.BRANCHING_EXPLORATION: _branching,
    PatternKind.CIRCULAR_REINFORCEMENT: _circulation,
    PatternKind.GRADIENT_CHAINS: _chains,
    PatternKind.CLUSTER_FORMATION: _clusters,
    PatternKind.WAVE_PROPAGATION: _waves,
    PatternKind.SPIRAL_DYNAMICS: _spirals,
}
_NEEDS = {
    PatternKind.CONVERGENT_TRAILS: "tracks",
    PatternKind.CIRCULAR_REINFORCEMENT: "tracks",
    PatternKind.GRADIENT_CHAINS: "tracks",
    PatternKind.WAVE_PROPAGATION: "history",
    PatternKind.SPIRAL_DYNAMICS: "history",
}


def _given(values: NDArray[np.floating] | None) -> NDArray[np.floating]:
    if values is None:
        raise InputError("an input of this kind of pattern is not given")
    return values


def _wanted(kinds: Iterable[PatternKind | str] | None, scene: _Scene) -> list[PatternKind]:
    """Return the kinds to look for, in their order."""
    lacking = {kind for kind, name in _NEEDS.items() if getattr(scene, name) is None}
    if kinds is None:
        return [kind for kind in PatternKind if kind not in lacking]
    asked = {_kind(kind) for kind in kinds}
    for kind in sorted(asked & lacking):
        walkers = " of two walkers within the region" if _NEEDS[kind] == "tracks" else ""
        raise InputError(f"kinds: {kind} needs {_NEEDS[kind]}{walkers}")
    return [kind for kind in PatternKind if kind in asked]


def _kind(kind: PatternKind | str) -> PatternKind:
    try:
        return PatternKind(kind)
    except ValueError:
        allowed = ", ".join(PatternKind)
        raise InputError(f"kinds: {kind!r} is not one of {allowed}") from None


def _scene(
    field: ArrayLike,
    history: ArrayLike | None,
    tracks: ArrayLike | None,
    region: Region | None,
    draws: int,
) -> _Scene:
    frame = as_field(field)
    frames = None if history is None else as_history(history)
    if frames is not None and frames.shape[1:] != frame.shape:
        raise InputError(f"history: frames of {frames.shape[1:]} cells; field has {frame.shape}")
    paths = None if tracks is None else _within_frame(as_tracks(tracks), frame.shape)
    top, bottom, left, right = _checked_region(region, frame.shape)
    return _Scene(
        field=np.ascontiguousarray(frame[top:bottom, left:right]),
        history=None if frames is None else np.ascontiguousarray(frames[:, top:bottom, left:right]),
        tracks=None if paths is None else _staying(paths, (top, bottom, left, right)),
        corner=(top, left),
        draws=draws,
    )


def _within_frame(paths: Float64Array, shape: tuple[int, ...]) -> Float64Array:
    if not ((paths >= -0.5) & (paths <= np.array(shape) - 0.5)).all():
        raise InputError(f"tracks: positions outside the field of {shape} cells")
    return paths


def _checked_region(region: Region | None, shape: tuple[int, ...]) -> Region:
    if region is None:
        return 0, shape[0], 0, shape[1]
    top, bottom, left, right = region
    fits = 0 <= top <= bottom <= shape[0] and 0 <= left <= right <= shape[1]
    if not fits or min(bottom - top, right - left) < SMALLEST_SIDE:
        sides = f"within the field of {shape} cells, each side at least {SMALLEST_SIDE}"
        raise InputError(f"region: {region}; allowed: (top, bottom, left, right) {sides}")
    return top, bottom, left, right


def _staying(paths: Float64Array, region: Region) -> Float64Array | None:
    """Return the walkers that stay in the region, about its corner; None with fewer than two."""
    top, bottom, left, right = region
    low, high = np.array((top, left)), np.array((bottom, right))
    inside = ((paths >= low - 0.5) & (paths <= high - 0.5)).all(axis=(1, 2))
    return paths[inside] - low if inside.sum() >= FEWEST_WALKERS else None


def _placed(pattern: Pattern, p_value: float, corner: tuple[int, int]) -> Pattern:
    y, x = pattern.location
    return replace(pattern, p_value=p_value, location=(y + corner[0], x + corner[1]))
