"""What callers hand in, as arrays of real numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError

__all__ = ["real_array"]


def real_array(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return values as float64, those that are so already as they are.

    Parameters
    ----------
    name : str
        What the error calls them.
    values : array-like of float
        Of any shape; NaN and infinities are let through.

    Raises
    ------
    InputError
        They are complex, text or other objects, or rows of different lengths.
    """
    try:
        given = np.asarray(values)
        if given.dtype.kind in "biuf":
            return np.asarray(given, np.float64)
        found = f"of type {given.dtype}"
    except (TypeError, ValueError, OverflowError) as error:
        found = str(error)
    raise InputError(f"{name}: {found[:200]}; allowed: real numbers in rows of equal length")
