"""Equivalences of answers by their names, and answer classes that are checked and remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.free_text import normalised, numbers

__all__ = ["AnswerClasses", "Sameness", "named_equivalence"]

Sameness = Callable[[Sequence[str]], Any]
"""Gives each answer the number of its class, shape (answers,), −1 for what is no answer."""

NO_ANSWER = -1
ALLOWED = "exact, normalised, numbers, package.module:function"
_TRIAL = ("42", "forty-two", "42.")
_KEPT = 256


def named_equivalence(name: str) -> Sameness | None:
    """Give the function that says which answers are the same.

    Parameters
    ----------
    name : str
        "exact" (the same text), "normalised" (but for case, blanks and punctuation), "numbers" (the
        same value), or a function of your own, as package.module:function.

    Returns
    -------
    callable or None
        None for the same text.

    Raises
    ------
    InputError
        It is none of these; or the function cannot be imported, fails, or gives not one whole
        number for each answer.
    """
    if name == "exact":
        return None
    if name in ("normalised", "numbers"):
        return normalised() if name == "normalised" else numbers()
    found = _imported(name)
    _try(found, name)
    return found


def _imported(name: str) -> Sameness:
    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise InputError(f"equivalence is {name!r}; allowed: {ALLOWED}")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"equivalence is {name!r}, which cannot be imported: {error}; allowed: {ALLOWED}"
        ) from error
    if not callable(found):
        raise InputError(
            f"equivalence is {name!r}, which is {type(found).__name__}; allowed: a function"
        )
    function: Sameness = found
    return function


def _try(same: Sameness, name: str) -> None:
    try:
        classes = same(list(_TRIAL))
    except Exception as error:  # A user's function may raise anything.
        raise InputError(
            f"equivalence is {name!r}, which fails with {list(_TRIAL)}: "
            f"{type(error).__name__}: {error}; allowed: a function from a list of answers to the "
            "number of each one's class"
        ) from error
    try:
        _checked(classes, len(_TRIAL))
    except InputError as error:
        raise InputError(f"equivalence is {name!r}: {error}") from error


class AnswerClasses:
    """Numbers the classes of answers 0, 1, … in the order in which they appear.

    Parameters
    ----------
    same : callable, optional
        Gives each answer the number of its class, −1 for what is no answer; None: only the same
        text is the same answer.
    """

    def __init__(self, same: Sameness | None = None) -> None:
        self._same = same
        # A user's function may ask a model: what it said of the same answers is kept.
        self._kept: OrderedDict[tuple[str, ...], tuple[int, ...]] = OrderedDict()

    def of(self, answers: Iterable[str]) -> tuple[int, ...]:
        """Give each answer the number of its class, −1 for no answer.

        Parameters
        ----------
        answers : iterable of str

        Returns
        -------
        tuple of int

        Raises
        ------
        InputError
            The function gives not one whole number for each answer.
        """
        texts = tuple(answers)
        if self._same is None:
            return _renumbered(texts)
        known = self._kept.get(texts)
        if known is None:
            known = _renumbered(_checked(self._same(list(texts)), len(texts)))
            self._kept[texts] = known
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return known


def _renumbered(keys: Iterable[Hashable]) -> tuple[int, ...]:
    numbers: dict[Hashable, int] = {NO_ANSWER: NO_ANSWER}
    return tuple(numbers.setdefault(key, len(numbers) - 1) for key in keys)


def _checked(classes: object, count: int) -> list[int]:
    given = np.asarray(classes)
    if given.shape != (count,) or (count and given.dtype.kind not in "iu"):
        raise InputError(
            f"the equivalence gives {given.dtype} of shape {given.shape} for {count} answers; "
            f"allowed: {count} whole numbers"
        )
    numbers: list[int] = given.tolist()
    return numbers
