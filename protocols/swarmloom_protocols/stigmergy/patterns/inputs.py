"""Checks of what detectors are given: frames, histories of frames, tracks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError

__all__ = ["SMALLEST_SIDE", "as_field", "as_history", "as_tracks", "is_constant"]

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

SMALLEST_SIDE = 8
FEWEST_FRAMES = 8
# Differences below float32's rounding of the values are no structure.
ROUNDING = 1e-6


def as_field(field: ArrayLike) -> Float32Array:
    """Return a frame as a contiguous float32 array.

    Parameters
    ----------
    field : array-like, shape (Y, X)
        Finite; each side at least 8 cells.

    Returns
    -------
    ndarray of float32, shape (Y, X)

    Raises
    ------
    InputError
        It has another shape, is too small, or holds NaN or infinite values.
    """
    return _grid("field", field, "(Y, X)", 2)


def as_history(history: ArrayLike) -> Float32Array:
    """Return frames as a contiguous float32 array.

    Parameters
    ----------
    history : array-like, shape (T, Y, X)
        Finite, evenly spaced in time; at least 8 frames of at least 8 cells a side.

    Returns
    -------
    ndarray of float32, shape (T, Y, X)

    Raises
    ------
    InputError
        It has another shape, is too short or small, or holds NaN or infinite values.
    """
    frames = _grid("history", history, "(T, Y, X)", 3)
    if frames.shape[0] < FEWEST_FRAMES:
        raise InputError(f"history: {frames.shape[0]} frames; at least {FEWEST_FRAMES} are needed")
    return frames


def as_tracks(tracks: ArrayLike) -> Float64Array:
    """Return tracks as a contiguous float64 array.

    Parameters
    ----------
    tracks : array-like, shape (N, T, 2)
        Positions (y, x) in cells, finite; at least two walkers and two moments.

    Returns
    -------
    ndarray of float64, shape (N, T, 2)

    Raises
    ------
    InputError
        It has another shape, or holds NaN or infinite values.
    """
    paths = np.ascontiguousarray(tracks, np.float64)
    if paths.ndim != 3 or paths.shape[2] != 2 or min(paths.shape[:2]) < 2:
        raise InputError(f"tracks: shape {paths.shape}; allowed: (N, T, 2) with N and T at least 2")
    _check_finite("tracks", paths)
    return paths


def is_constant(values: NDArray[np.floating]) -> bool:
    """Return whether an array holds one value, up to the rounding of float32."""
    return bool(np.ptp(values) <= ROUNDING * np.abs(values).max())


def _grid(name: str, values: ArrayLike, shape: str, dimensions: int) -> Float32Array:
    given = np.asarray(values)
    if given.ndim != dimensions or min(given.shape[-2:]) < SMALLEST_SIDE:
        sides = f"{shape} with sides of at least {SMALLEST_SIDE} cells"
        raise InputError(f"{name}: shape {given.shape}; allowed: {sides}")
    _check_finite(name, given)
    with np.errstate(over="ignore"):
        frames = np.ascontiguousarray(given, np.float32)
    _check_finite(f"{name} as float32", frames)
    return frames


def _check_finite(name: str, values: NDArray[np.floating]) -> None:
    wrong = np.count_nonzero(~np.isfinite(values))
    if wrong:
        raise InputError(f"{name}: {wrong} values are NaN or infinite; allowed: finite")
