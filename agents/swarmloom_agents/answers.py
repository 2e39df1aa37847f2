"""What counts as an answer, and what is garbage that another expert should do better."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from swarmloom.types import Task

__all__ = ["option_of", "parse_answer"]

_STATED = re.compile(
    r"\b(?:final answer|answer|option)\b\s*(?:is)?\s*[:=]?\s*\(?([^\s().,;:]+)", re.I
)
_WRAPPING = " \t\r\n\"'`*().,;:!"


def parse_answer(task: Task, text: str) -> str | None:
    """Take the answer out of what an expert said.

    Parameters
    ----------
    task : Task
        With `options` the answer must be one of that many; its payload may list them under
        ``"options"``.
    text : str
        What the expert said.

    Returns
    -------
    str or None
        The answer, normalised so that equal answers are equal strings; None for garbage: nothing
        said, or no recognisable option.
    """
    said = text.strip()
    if not said:
        return None
    return said if task.options is None else option_of(said, task.options, _labels(task.payload))


def option_of(text: str, options: int, labels: tuple[str, ...] = ()) -> str | None:
    """Find which option a text names.

    Parameters
    ----------
    text : str
        A bare option ("B", "(b)", "7.") or a sentence that states one ("The answer is B").
    options : int
        How many there are.
    labels : tuple of str
        The options by name; without them any single word counts, letters and numbers only within
        the first `options` ones.

    Returns
    -------
    str or None
        The option as its label is written, or as given without labels (letters in upper case).
    """
    stated = _STATED.findall(text)
    candidates = [text.strip(_WRAPPING), *(word.strip(_WRAPPING) for word in reversed(stated))]
    for candidate in candidates:
        option = _labelled(candidate, labels) if labels else _plain(candidate, options)
        if option is not None:
            return option
    return None


def _labels(payload: Any) -> tuple[str, ...]:
    labels = payload.get("options", ()) if isinstance(payload, Mapping) else ()
    return tuple(str(label) for label in labels)


def _labelled(candidate: str, labels: tuple[str, ...]) -> str | None:
    folded = {label.strip().casefold(): label for label in labels}
    return folded.get(candidate.casefold())


def _plain(candidate: str, options: int) -> str | None:
    if len(candidate.split()) != 1 or not any(map(str.isalnum, candidate)):
        return None
    if len(candidate) == 1 and candidate.isalpha() and options <= 26:
        letter = candidate.upper()
        return letter if ord(letter) - ord("A") < options else None
    if candidate.isdecimal():
        return candidate if int(candidate) <= options else None
    return candidate
