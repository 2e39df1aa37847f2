"""What several ways to allocate take, read and checked in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["matrix_of", "units_of"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def matrix_of(name: str, values: ArrayLike) -> FloatArray:
    """Return a matrix as `real_array` does.

    Raises
    ------
    InputError
        As `real_array`, or another number of dimensions than two.
    """
    matrix = real_array(name, values)
    if matrix.ndim != 2:
        raise InputError(f"{name} of shape {matrix.shape}: must be a matrix, rows by columns")
    return matrix


def units_of(name: str, values: ArrayLike) -> IntArray:
    """Return whole numbers of at least 0 as int64, a copy.

    Raises
    ------
    InputError
        As `real_array`, or a number that is negative, fractional, NaN or not below 2⁶².
    """
    numbers = real_array(name, values)
    good = (numbers >= 0.0) & (numbers < 2.0**62) & (numbers == np.floor(numbers))
    if not good.all():
        shown = ", ".join(f"{number:g}" for number in numbers[~good][:5])
        raise InputError(f"{name}: {shown}; must be whole numbers of at least 0")
    return numbers.astype(np.int64)
