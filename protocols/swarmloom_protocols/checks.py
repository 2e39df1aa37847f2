"""Checks of arguments that several protocols share; each error says what is allowed."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError

__all__ = ["between", "positive", "row", "rows", "whole"]

IntArray = npt.NDArray[np.int64]


def between(name: str, value: float, low: float, high: float = math.inf) -> float:
    """Return a finite number within [low, high], or raise `InputError`."""
    if not (math.isfinite(value) and low <= value <= high):
        raise InputError(f"{name} is {value}; allowed: finite, {low:g} to {high:g}")
    return float(value)


def positive(name: str, value: float, high: float = math.inf) -> float:
    """Return a finite number within (0, high], or raise `InputError`."""
    if not (math.isfinite(value) and 0.0 < value <= high):
        raise InputError(f"{name} is {value}; allowed: finite, above 0, at most {high:g}")
    return float(value)


def whole(name: str, value: int) -> int:
    """Return a whole number, Python's or NumPy's, or raise `InputError`; bools are none."""
    if isinstance(value, bool | np.bool_):
        raise InputError(f"{name} is {value}; allowed: whole numbers")
    try:
        return operator.index(value)
    except TypeError:
        raise InputError(f"{name} is {value!r}; allowed: whole numbers") from None


def row(name: str, value: int) -> int:
    """Return a row, which counts from 0, or raise `InputError`."""
    if value < 0:
        raise InputError(f"{name} is {value}; rows count from 0")
    return int(value)


def rows(name: str, values: Sequence[int] | IntArray) -> IntArray:
    """Return a vector of rows, or raise `InputError`."""
    vector = np.asarray(values, dtype=np.int64)
    if vector.ndim != 1 or vector.min(initial=0) < 0:
        raise InputError(f"{name} must be a sequence of rows, which count from 0")
    return vector
