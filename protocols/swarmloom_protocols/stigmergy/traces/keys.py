"""Writing keys as text, so that equal keys are the same text in every process.

Keys that Python takes for equal share a cell in memory: 1, 1.0 and True are one key. They have one
text, too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable
from numbers import Integral
from typing import Any

from swarmloom.errors import InputError

__all__ = ["decoded", "encoded", "json_text"]

# Made once: json.dumps makes one for each call that is not quite plain.
_encode = json.JSONEncoder(separators=(",", ":")).encode

_ALLOWED = "a str, int, float, bool, None or bytes, or a tuple of these"


def encoded(key: Hashable) -> str:
    """Write a key as JSON in ASCII.

    Parameters
    ----------
    key : hashable

    Returns
    -------
    str
        The same for equal keys; bytes as ``{"bytes": hexadecimal}``, tuples as arrays.

    Raises
    ------
    InputError
        If the key is of another type, or not a number.
    """
    # Most keys are these, and there are many of them.
    if key.__class__ is int:
        return str(key)
    return _encode(key if key.__class__ is str else _plain(key, key))


def decoded(text: str) -> Hashable:
    """Read what `encoded` wrote.

    Raises
    ------
    InputError
        If it is nothing that `encoded` writes.
    """
    try:
        return _key(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{text!r} is no key; allowed: what encoded() writes") from error


def json_text(what: str, value: Any) -> str:
    """Write what goes with a trace as JSON.

    Raises
    ------
    InputError
        If JSON has no place for it.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{what} cannot be written ({error}); allowed: text, finite numbers, true, false, "
            "null, lists and dictionaries of these"
        ) from error


def _plain(part: Any, key: Hashable) -> Any:
    if part is None or isinstance(part, str):
        return part if part is None else str.__str__(part)
    if isinstance(part, Integral):
        # NumPy's whole numbers, too: they equal Python's, and so do their hashes.
        return int(part)
    if isinstance(part, float) and not math.isnan(part):
        return int(part) if part.is_integer() else float(part)
    if isinstance(part, bytes):
        return {"bytes": part.hex()}
    if isinstance(part, tuple):
        return [_plain(inner, key) for inner in part]
    raise InputError(f"key {key!r} cannot be written to a file; allowed: {_ALLOWED}")


def _key(part: Any) -> Hashable:
    if isinstance(part, list):
        return tuple(_key(inner) for inner in part)
    if isinstance(part, dict):
        return bytes.fromhex(part["bytes"])
    return part  # type: ignore[no-any-return]
