"""Deposits in rational arithmetic: exact, whatever their order."""

import math
from fractions import Fraction

import numpy as np


def deposited(values, cells, amounts):
    result = np.array(values, np.float32)
    flat = result.reshape(-1)
    given = np.broadcast_to(amounts, np.shape(cells))
    for cell in set(np.asarray(cells).tolist()):
        added = sum(Fraction(float(a)) for a, c in zip(given, cells, strict=True) if c == cell)
        flat[cell] = np.float32(float(Fraction(float(flat[cell])) + added))
    return result


def cell_of(position, shape, periodic):
    """The multi-index of a position, or None outside."""
    index = []
    for coordinate, size, wraps in zip(position, shape, periodic, strict=True):
        if not math.isfinite(coordinate) or size == 0:
            return None
        i = math.floor(Fraction(coordinate) + Fraction(1, 2))
        if wraps:
            i %= size
        if not 0 <= i < size:
            return None
        index.append(i)
    return tuple(index)
