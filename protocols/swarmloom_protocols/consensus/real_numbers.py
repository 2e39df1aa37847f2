"""Numbers that callers pass, read in one place: real ones, in rows of equal length."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError

__all__ = ["numbers_of"]

FloatArray = NDArray[np.float64]


def numbers_of(name: str, values: ArrayLike) -> FloatArray:
    """Return real numbers as an array of float64, C-contiguous and writeable.

    Parameters
    ----------
    name : str
        What errors call it.
    values : array-like of float
        Copied only where it is of another type or layout, or read-only.

    Raises
    ------
    InputError
        Ragged lists, text, complex numbers or anything else that no real number is.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name}: must be real numbers in rows of equal length") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} of type {array.dtype}: must be real numbers")
    return np.require(array, np.float64, ["C", "W"])
