"""Checks of what users hand to a trace store; each error says what is allowed."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive

__all__ = ["end_after", "finite", "log_length", "note", "steady_clock", "trust_weights", "unfit"]

_LARGEST = sys.float_info.max
_STARTED = time.time() - time.monotonic()


def steady_clock() -> float:
    """Return seconds since 1970 that never jump while the process lives.

    `time.monotonic`, counted from 1970, so that what one process has written out another one can
    read back.
    """
    return time.monotonic() + _STARTED


def note(text: str | None) -> Any:
    """Read a note that was written as JSON."""
    return None if text is None else json.loads(text)


def log_length(log_size: int) -> int:
    """Return how many deposits a log is to keep, or raise `InputError`."""
    if not isinstance(log_size, int) or log_size < 1:
        raise InputError(f"log_size is {log_size!r}; allowed: a whole number from 1")
    return log_size


def finite(what: str, value: float) -> float:
    """Return a finite number, or raise `InputError`."""
    return between(what, value, -math.inf)


def end_after(when: float, ttl: float) -> float:
    """Return when a time to live is over, or raise `InputError`."""
    try:
        end = when + ttl
        # The usual case at once: claims are many.
        if ttl > 0.0 and end < math.inf:
            return float(end)
    except (TypeError, OverflowError):
        pass
    positive("ttl", ttl)
    raise InputError(f"ttl is {ttl}, which ends beyond the largest number; allowed: an earlier end")


def trust_weights(trust: Any) -> Mapping[str, float]:
    """Return weights of agents, or raise `InputError`."""
    if not isinstance(trust, Mapping):
        raise InputError(f"trust is {trust!r}; allowed: 'learned', or weights by agent")
    for agent, weight in trust.items():
        if not 0.0 <= weight <= _LARGEST:
            raise InputError(f"trust of {agent!r} is {weight}; allowed: finite, from 0")
    return trust


def unfit(key: Any, amount: Any, now: Any, error: TypeError) -> Exception:
    """Say which argument is of a type that cannot be; the error itself if none of them is."""
    try:
        hash(key)
    except TypeError:
        return InputError(f"key {key!r} cannot be hashed; allowed: any hashable, as a str or tuple")
    if not isinstance(amount, int | float | np.number):
        return InputError(f"amount is {amount!r}; allowed: a finite number")
    if now is not None and not isinstance(now, int | float | np.number):
        return InputError(f"now is {now!r}; allowed: a finite number")
    return error
