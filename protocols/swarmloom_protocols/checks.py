"""Checks of arguments that several protocols share; each error says what is allowed."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError

__all__ = ["between", "generator", "positive", "row", "rows", "seeded", "whole"]

IntArray = npt.NDArray[np.int64]

# Of the whole numbers that an error message writes out.
MOST_BITS = 256


def between(name: str, value: float, low: float, high: float = math.inf) -> float:
    """Return a finite number within [low, high], or raise `InputError`."""
    if not (_finite(value) and low <= value <= high):
        limits = f", {low:g} to {high:g}" if high < math.inf else f", from {low:g}"
        unlimited = low == -math.inf and high == math.inf
        allowed = "finite" if unlimited else f"finite{limits}"
        raise InputError(f"{name} is {_shown(value)}; allowed: {allowed}")
    return float(value)


def positive(name: str, value: float, high: float = math.inf) -> float:
    """Return a finite number within (0, high], or raise `InputError`."""
    if not (_finite(value) and 0.0 < value <= high):
        most = f", at most {high:g}" if high < math.inf else ""
        raise InputError(f"{name} is {_shown(value)}; allowed: finite, above 0{most}")
    return float(value)


def whole(name: str, value: int, least: int | None = None, most: int | None = None) -> int:
    """Return a whole number within bounds, or raise `InputError`.

    Parameters
    ----------
    name : str
        What the error calls it.
    value : int
        Python's or NumPy's, in an array of no axes too; neither a bool nor a float, whole or not.
    least, most : int, optional
        The bounds, themselves allowed; none by default.

    Returns
    -------
    int

    Raises
    ------
    InputError
        It is not a whole number, or beyond a bound.
    """
    number = _index(value)
    if (
        number is not None
        and (least is None or number >= least)
        and (most is None or number <= most)
    ):
        return number
    limits = "" if least is None else f" from {least}"
    limits += "" if most is None else f" to {most}"
    raise InputError(f"{name} is {_shown(value)}; allowed: whole numbers{limits}")


def row(name: str, value: int) -> int:
    """Return a row, which counts from 0, or raise `InputError`."""
    number = _index(value)
    if number is None or number < 0:
        raise InputError(f"{name} is {_shown(value)}; rows count from 0")
    return number


def rows(name: str, values: Sequence[int] | IntArray) -> IntArray:
    """Return a vector of rows, or raise `InputError`."""
    try:
        given = np.asarray(values)
    except ValueError:
        given = np.empty((0, 0))
    whole_numbers = given.dtype.kind in "iu" or not given.size
    if given.ndim != 1 or not whole_numbers or given.min(initial=0) < 0:
        raise InputError(f"{name} must be a sequence of rows, which are whole numbers from 0")
    return given.astype(np.int64, copy=False)


def generator(name: str, value: np.random.Generator) -> np.random.Generator:
    """Return a generator of random numbers, or raise `InputError`."""
    if not isinstance(value, np.random.Generator):
        raise InputError(f"{name} is {_shown(value)}; allowed: a numpy.random.Generator")
    return value


def seeded(name: str, seed: int | np.random.Generator) -> np.random.Generator:
    """Return a generator as it is, one that begins at a seed (≥ 0), or raise `InputError`."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(whole(name, seed, 0))


def _index(value: object) -> int | None:
    """Return a whole number as Python's, None for all else; truth values are none."""
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _finite(value: float) -> bool:
    """Tell whether a value is a number that float has."""
    try:
        return math.isfinite(value)
    except (TypeError, OverflowError):
        return False


def _shown(value: object) -> str:
    # Python refuses to write out the digits of numbers that are long enough.
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return f"a whole number of {value.bit_length()} bits"
    return repr(value) if isinstance(value, str | np.ndarray) else str(value)
