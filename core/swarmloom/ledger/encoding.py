"""Events as rows: JSON that comes back as it was, under a checksum."""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

from swarmloom.errors import LedgerError
from swarmloom.types import Event

__all__ = ["EventRow", "decode", "encode", "to_json"]

EventRow = tuple[str, str, float, str, int]


def encode(event: Event) -> EventRow:
    """Turn an event into a row.

    Parameters
    ----------
    event : Event

    Returns
    -------
    tuple of (str, str, float, str, int)
        Kind, task, time, data as JSON, checksum.

    Raises
    ------
    LedgerError
        If the data is not JSON: a key that is no string, NaN or an infinity, another type.
    """
    what = f"event {str(event.kind)!r} of task {event.task!r}"
    if not math.isfinite(event.time):
        raise LedgerError(f"{what}: its time is {event.time}; allowed: finite seconds")
    if not _is_text(event.task):
        raise LedgerError(f"{what}: its task's id is no valid text")
    data = to_json(dict(event.data), what)
    # SQLite does not keep the sign of zero.
    fields = (str(event.kind), event.task, event.time + 0.0, data)
    return (*fields, _checksum(*fields))


def decode(seq: int, row: EventRow) -> Event:
    """Turn a row back into its event.

    Parameters
    ----------
    seq : int
        The row's number, for the message.
    row : tuple of (str, str, float, str, int)

    Returns
    -------
    Event

    Raises
    ------
    LedgerError
        If the row is not what was written.
    """
    kind, task, time, text, checksum = row
    if _checksum(kind, task, time, text) != checksum:
        raise LedgerError(
            f"event {seq} is not what was written: the file is damaged; "
            "move it away, or put a backup in its place"
        )
    return Event(kind, json.loads(text), task, time)


def to_json(value: Any, what: str) -> str:
    """Write JSON, floats so that they come back exactly; refuse what would come back different.

    Parameters
    ----------
    value : object
        Made of dict with string keys, list, tuple (comes back as a list), str, int, finite float,
        bool, None.
    what : str
        Whose value it is, for the message.

    Raises
    ------
    LedgerError
        For anything else.
    """
    key = _odd_key(value)
    if key is not None:
        raise LedgerError(f"{what}: the key {key[0]!r} is no string")
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise LedgerError(f"{what} cannot be recorded as JSON: {error}") from error


def _odd_key(value: Any) -> tuple[Any] | None:
    # json.dumps would turn such a key into a string without a word.
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                return (key,)
            if (odd := _odd_key(inner)) is not None:
                return odd
    elif isinstance(value, list | tuple):
        for inner in value:
            if (odd := _odd_key(inner)) is not None:
                return odd
    return None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _checksum(kind: str, task: str, time: float, data: str) -> int:
    text = "\0".join((kind, task, repr(time), data))
    return zlib.crc32(text.encode())
