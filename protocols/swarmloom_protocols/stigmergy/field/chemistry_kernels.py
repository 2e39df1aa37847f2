"""What the kernels of the field's chemistry share: values beyond the sides, and no denormals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import neighbour

__all__ = ["FLOOR", "ONE", "ZERO", "row_at", "rows_beside", "rows_upright", "settled", "value_at"]

Row = NDArray[np.float32]

# Of the narrower type, so that values keep theirs. What is smaller becomes 0 (see
# `swarmloom.denormals`), chosen so high that products of what is left are no denormals either.
FLOOR: Any = np.float32(1e-30)
ZERO: Any = np.float32(0.0)
ONE: Any = np.float32(1.0)


@kernel
def settled(value: float) -> float:
    """Return 0 for what is below `FLOOR`, rounding errors below 0 included."""
    kept: float = ZERO if value < FLOOR else value
    return kept


@kernel
def value_at(row: Row, x: int) -> float:
    """Return a value of a row, or 0 at the index -1."""
    value: float = row[x] if x >= 0 else ZERO
    return value


@kernel
def row_at(layer: NDArray[np.float32], y: int, nothing: Row) -> Row:
    """Return a row of a layer, or zeros at the index -1."""
    return layer[y] if y >= 0 else nothing


@kernel
def rows_beside(
    volume: NDArray[np.float32], z: int, y: int, codes: NDArray[np.int64], nothing: Row
) -> tuple[Row, Row]:
    """Return the rows south and north of one of a volume; zeros beyond open sides."""
    height = volume.shape[1]
    south = row_at(volume[z], neighbour(y, -1, height, codes[1, 0], codes[1, 1]), nothing)
    north = row_at(volume[z], neighbour(y, 1, height, codes[1, 0], codes[1, 1]), nothing)
    return south, north


@kernel
def rows_upright(
    volume: NDArray[np.float32], z: int, y: int, codes: NDArray[np.int64], nothing: Row
) -> tuple[Row, Row]:
    """Return the rows below and above one of a volume; zeros beyond open sides."""
    depth = volume.shape[0]
    z_low = neighbour(z, -1, depth, codes[0, 0], codes[0, 1])
    z_high = neighbour(z, 1, depth, codes[0, 0], codes[0, 1])
    below = volume[z_low, y] if z_low >= 0 else nothing
    above = volume[z_high, y] if z_high >= 0 else nothing
    return below, above
