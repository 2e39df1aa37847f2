"""Distances of opinions: measured, and how far a product of matrices settles them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["TILE_ELEMENTS", "TILE_MARGIN", "squared_distance"]

FloatArray = NDArray[np.float64]

# Scalar products that are kept at once.
TILE_ELEMENTS = 1 << 22
# Pairs this near to the edge are measured again: a matrix product cancels digits.
TILE_MARGIN = 1e-12


@kernel
def squared_distance(points: FloatArray, i: int, j: int) -> float:
    """Return the squared distance of two rows of an array of shape (n, D)."""
    total = 0.0
    for axis in range(points.shape[1]):
        away = points[i, axis] - points[j, axis]
        total += away * away
    return total
