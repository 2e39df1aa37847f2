"""Array types and checks shared by the solvers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError

__all__ = ["BoolArray", "FloatArray", "IntArray", "checked_problem"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def checked_problem(
    affinity: npt.NDArray[np.floating], capacity: npt.NDArray[np.integer] | Sequence[int]
) -> tuple[FloatArray, IntArray]:
    """Give both arrays in the solvers' types, or refuse them.

    Parameters
    ----------
    affinity : ndarray of float, shape (T, E)
        −inf where not allowed.
    capacity : sequence of int, shape (E,)

    Raises
    ------
    InputError
        If the shapes do not fit, a capacity is negative or no integer, or an affinity is NaN or
        +inf.
    """
    values = np.asarray(affinity, dtype=np.float64)
    rooms = np.asarray(capacity)
    if values.ndim != 2:
        raise InputError(f"affinity has shape {values.shape}; needed is (tasks, experts)")
    if rooms.shape != values.shape[1:]:
        raise InputError(f"capacity has shape {rooms.shape}; needed is {values.shape[1:]}")
    if rooms.size and rooms.dtype.kind not in "iu":
        raise InputError(f"capacity has dtype {rooms.dtype}; needed are integers")
    if (rooms < 0).any():
        raise InputError("capacity holds negative numbers; 0 means that an expert is full")
    if np.isnan(values).any() or (values == np.inf).any():
        raise InputError("affinity holds NaN or +inf; −inf marks what is not allowed")
    return values, rooms.astype(np.int64)
