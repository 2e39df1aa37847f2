"""What callers hand in, as arrays of real numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError

__all__ = ["real_array"]


def real_array(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return real numbers as an array of float64, C-contiguous and writeable.

    Parameters
    ----------
    name : str
        What the error calls them.
    values : array-like of float
        Of any shape; NaN and infinities are let through. Copied only where they are of another
        type or layout, or read-only: compiled functions then meet one type of array alone.

    Raises
    ------
    InputError
        They are complex, text or other objects, or rows of different lengths.
    """
    try:
        given = np.asarray(values)
        if given.dtype.kind in "biuf":
            return np.require(given, np.float64, ["C", "W"])
        found = f" of type {given.dtype}"
    except (TypeError, ValueError, OverflowError) as error:
        found = f": {error}"
    raise InputError(f"{name}{found[:200]}; allowed: real numbers in rows of equal length")
