"""Numbers as language models write them: checked before a tool uses them."""

from __future__ import annotations

import math

from swarmloom.errors import InputError

__all__ = ["Number", "number", "whole"]

Number = float | str


def number(name: str, value: Number) -> float:
    """Read a number.

    Parameters
    ----------
    name : str
        The argument, for the message.
    value : float or str

    Raises
    ------
    InputError
        If it is none, or not finite.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        read = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {value!r}; allowed: a number") from None
    except OverflowError:
        # What the number is may be too long to be written out.
        raise InputError(f"{name} is beyond float; allowed: a finite number") from None
    if not math.isfinite(read):
        raise InputError(f"{name} is {value!r}; allowed: a finite number")
    return read


def whole(name: str, value: Number, most: float = math.inf) -> int:
    """Read a whole number from 1.

    Parameters
    ----------
    name : str
        The argument, for the message.
    value : float or str
    most : float
        The largest one allowed.

    Raises
    ------
    InputError
        If it is none, or outside the range.
    """
    read = number(name, value)
    if not 1 <= read <= most or read != int(read):
        limit = "" if math.isinf(most) else f" to {most}"
        raise InputError(f"{name} is {value!r}; allowed: a whole number from 1{limit}")
    return int(read)
