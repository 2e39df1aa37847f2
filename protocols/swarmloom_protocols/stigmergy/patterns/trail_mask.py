"""Where the trails of a frame are: smoothed, cut with hysteresis above the background."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from swarmloom_protocols.checks import between, positive
from swarmloom_protocols.stigmergy.patterns.inputs import as_field, is_constant

__all__ = ["noise_scale", "trail_mask"]

BoolArray = NDArray[np.bool_]
Float32Array = NDArray[np.float32]

# The standard deviation of normal numbers by their median absolute deviation.
DEVIATIONS_PER_MAD = 1.4826
LOW_DEVIATIONS, HIGH_DEVIATIONS = 3.0, 6.0
EIGHT = np.ones((3, 3), bool)


def trail_mask(
    field: ArrayLike,
    *,
    smoothing: float = 1.5,
    floor: float = 0.25,
    smallest_area: int = 60,
    largest_hole: int = 20,
) -> BoolArray:
    """Return which cells belong to trails.

    Parameters
    ----------
    field : array-like, shape (Y, X)
        Amounts; trails are higher than most of the frame.
    smoothing : float, optional
        Standard deviation of the Gaussian, in cells (> 0, at most 100).
    floor : float, optional
        Share (0 to 1) of the trails' height below which nothing is a trail, however quiet the
        background is. The trails' height is what `smallest_area` cells reach.
    smallest_area : int, optional
        Cells below which a trail is dropped (at least 1).
    largest_hole : int, optional
        Cells up to which a hole in a trail is filled.

    Returns
    -------
    ndarray of bool, shape (Y, X)
        Empty for a constant frame.

    Raises
    ------
    InputError
        The frame is not finite, not two-dimensional or too small, or a parameter is out of range.

    Notes
    -----
    Hysteresis (Canny 1986): connected cells above median + 3σ of which one is above median + 6σ,
    where σ is the median absolute deviation, scaled. Without noise σ is 0 and every cell of a
    trail's skirts would pass; the floor keeps the outline at the same part of the profile.
    """
    frame = as_field(field)
    positive("smoothing", smoothing, 100.0)
    between("floor", floor, 0.0, 1.0)
    area = min(int(between("smallest_area", smallest_area, 1)), frame.size)
    if is_constant(frame):
        return np.zeros(frame.shape, bool)
    excess, deviation = _above_background(ndimage.gaussian_filter(frame, smoothing))
    height = np.partition(excess, excess.size - area, axis=None)[excess.size - area]
    low = max(LOW_DEVIATIONS * deviation, floor * height)
    high = max(HIGH_DEVIATIONS * deviation, low)
    mask = _large_components(excess > low, excess > high, area)
    return _without_small_holes(mask, largest_hole)


def noise_scale(values: NDArray[np.floating]) -> tuple[float, float]:
    """Return the median and the scaled median absolute deviation."""
    middle = float(np.median(values))
    return middle, DEVIATIONS_PER_MAD * float(np.median(np.abs(values - middle)))


def _above_background(smooth: Float32Array) -> tuple[Float32Array, float]:
    background, deviation = noise_scale(smooth)
    return smooth - np.float32(background), deviation


def _large_components(low: BoolArray, high: BoolArray, smallest_area: int) -> BoolArray:
    """Return the components of `low` that reach into `high` and have enough cells."""
    labels, count = ndimage.label(low, EIGHT)
    keep = np.bincount(labels.ravel(), minlength=count + 1) >= smallest_area
    reached = np.zeros(count + 1, bool)
    reached[labels[high]] = True
    keep &= reached
    keep[0] = False
    return keep[labels]


def _without_small_holes(mask: BoolArray, largest_hole: int) -> BoolArray:
    labels, _ = ndimage.label(~mask)
    small = np.bincount(labels.ravel()) <= largest_hole
    small[0] = False
    return mask | small[labels]
