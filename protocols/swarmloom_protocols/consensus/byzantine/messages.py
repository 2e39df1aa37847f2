"""What replicas send each other, as canonical bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from swarmloom.errors import InputError

__all__ = ["MOST_BYTES", "MOST_TEXT", "Message", "Phase", "message_bytes", "message_from", "short"]

MOST_TEXT = 1024
"""Longest value or name of a decision, in bytes of JSON: a change of view holds many copies."""

MOST_BYTES = 1 << 24
"""Longest message that is read: more than a change of view by 100 replicas takes."""


class Phase(StrEnum):
    """Kinds of messages, in the order in which a decision meets them."""

    PROPOSE = "propose"
    PREPARE = "prepare"
    COMMIT = "commit"
    CHANGE = "change"
    DECIDE = "decide"


@dataclass(frozen=True, slots=True)
class Message:
    """One statement of one replica, to be signed by it.

    Attributes
    ----------
    instance : str
        Which decision it belongs to; a message of another one counts for nothing.
    phase : Phase
    view : int
        For `Phase.CHANGE` the view that the sender goes to.
    sender : int
    value : str
        What is proposed or voted for; in a change what had been prepared.
    prepared_view : int
        In a change, the view in which `value` was prepared, −1 for nothing.
    proof : tuple of bytes
        Signed messages that justify this one: prepares for a change, changes for a proposal,
        commits for a decision.
    """

    instance: str
    phase: Phase
    view: int
    sender: int
    value: str = ""
    prepared_view: int = -1
    proof: tuple[bytes, ...] = ()


def message_bytes(message: Message) -> bytes:
    """Write a message so that equal messages have equal bytes."""
    proof = [base64.b64encode(part).decode() for part in message.proof]
    fields = asdict(message) | {"proof": proof}
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def message_from(data: bytes) -> Message:
    """Read a message back.

    Raises
    ------
    InputError
        Too long, not a message, or not written as `message_bytes` writes it.
    """
    if len(data) > MOST_BYTES:
        raise InputError(f"a message of {len(data)} bytes; allowed: at most {MOST_BYTES}")
    try:
        message = _message(json.loads(data))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"not a message: {error}") from None
    if message_bytes(message) != data:
        raise InputError("a message that is not in its canonical form")
    return message


def short(name: str, text: object) -> str:
    """Return a text of at most `MOST_TEXT` bytes of JSON.

    Raises
    ------
    InputError
        It is longer, or no text that can be written.
    """
    if not isinstance(text, str):
        raise InputError(f"{name} is {text!r}; allowed: texts")
    size = len(json.dumps(text))
    if size > MOST_TEXT:
        raise InputError(f"{name} takes {size} bytes; allowed: at most {MOST_TEXT}")
    return text


def _message(fields: Mapping[str, Any]) -> Message:
    return Message(
        short("instance", fields["instance"]),
        Phase(fields["phase"]),
        _whole(fields["view"], 0),
        _whole(fields["sender"], 0),
        short("value", fields["value"]),
        _whole(fields["prepared_view"], -1),
        tuple(base64.b64decode(part, validate=True) for part in fields["proof"]),
    )


def _whole(value: object, least: int) -> int:
    if type(value) is not int or value < least:
        raise ValueError(f"{value!r} is not a whole number from {least}")
    return value
