"""Where walkers have been, on a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

__all__ = ["Occupancy"]

Float64Array = NDArray[np.float64]

MOST_BINS = 512
FEWEST_BINS = 8
HUB_SMOOTHING = 2.0


class Occupancy:
    """How often each place was visited, whatever the order.

    Parameters
    ----------
    tracks : ndarray of float64, shape (N, T, 2)

    Attributes
    ----------
    visits : ndarray of float64, shape (Y, X)
        Positions in each bin.
    origin : ndarray of float64, shape (2,)
        Position of the middle of bin (0, 0), in cells.
    bin_size : float
        Side of a bin: a cell, or more for tracks that reach far.
    span : float
        Longest side of what was visited, in cells.
    """

    def __init__(self, tracks: Float64Array) -> None:
        low, high = tracks.min(axis=(0, 1)), tracks.max(axis=(0, 1))
        self.span = float((high - low).max())
        self.bin_size = max(1.0, self.span / MOST_BINS)
        self.origin = low
        bins = np.rint((tracks - low) / self.bin_size).astype(np.int64).reshape(-1, 2)
        shape = np.maximum(bins.max(axis=0) + 1, FEWEST_BINS)
        counts = np.bincount(
            np.ravel_multi_index(tuple(bins.T), tuple(shape)), minlength=shape.prod()
        )
        self.visits = counts.reshape(shape).astype(np.float64)

    def position(self, bins: ArrayLike) -> Float64Array:
        """Return positions in cells of (fractional) bins."""
        return np.asarray(self.origin + self.bin_size * np.asarray(bins, np.float64))

    def densest(self) -> tuple[float, float]:
        """Return the place that was visited most, after smoothing."""
        smooth = ndimage.gaussian_filter(self.visits, HUB_SMOOTHING, mode="constant")
        y, x = self.position(np.unravel_index(smooth.argmax(), smooth.shape)).tolist()
        return y, x
