"""Checks of what a panel is given."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.errors import InputError
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.panel.likelihood import ABSENT, EMPTY

__all__ = [
    "call_key",
    "checked_calls",
    "checked_costs",
    "checked_experts",
    "checked_groups",
    "checked_mask",
    "checked_prices",
    "checked_table",
    "checked_task",
    "whole_numbers",
]

_WHOLE = (int, np.integer)
_LARGEST = np.iinfo(np.int64).max


def call_key(
    topic: int, n_options: int | None, experts: ArrayLike, answers: ArrayLike
) -> tuple[int, int | None, tuple[int, ...], tuple[int, ...]] | None:
    """Return what tells one task from another, for plain lists of numbers; ``None`` for others."""
    if not (isinstance(experts, list) and isinstance(answers, list)):
        return None
    key = topic, n_options, tuple(experts), tuple(answers)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def whole_numbers(name: str, values: ArrayLike) -> IntArray:
    """Return whole numbers as an array of their own; what is empty may be of any kind."""
    try:
        array = np.array(values)
    except ValueError as error:
        raise InputError(f"{name}: must be whole numbers in rows of one length") from error
    if array.dtype == np.int64:
        return array
    kept = np.issubdtype(array.dtype, np.integer) and np.can_cast(array.dtype, np.int64)
    if array.size and not kept:
        raise InputError(f"{name} of {array.dtype}: must be whole numbers")
    return array.astype(np.int64)


def _numbers(name: str, values: ArrayLike) -> FloatArray:
    """Return numbers as an array of their own."""
    try:
        return np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} = {values!r}: must be numbers") from error


def checked_task(topic: int, n_options: int | None, n_topics: int) -> None:
    """Refuse a topic that there is not, and options that cannot be counted."""
    if not (isinstance(topic, _WHOLE) and 0 <= topic < n_topics):
        raise InputError(f"topic = {topic!r}: must be 0 to {n_topics - 1}")
    if n_options is not None and not isinstance(n_options, _WHOLE):
        raise InputError(f"n_options = {n_options!r}: must be a whole number or None")


def checked_experts(experts: ArrayLike, n_experts: int) -> IntArray:
    """Return experts as an array of their own, each named once."""
    asked = whole_numbers("experts", experts)
    listed = asked.tolist()
    if asked.ndim != 1:
        raise InputError(f"experts of shape {asked.shape}: must be a list")
    if listed and not 0 <= min(listed) <= max(listed) < n_experts:
        raise InputError(f"experts = {listed}: must be 0 to {n_experts - 1}")
    if len(set(listed)) < len(listed):
        raise InputError(f"experts = {listed}: an expert is named twice")
    return asked


def checked_calls(
    topic: int,
    n_options: int | None,
    experts: ArrayLike,
    answers: ArrayLike,
    shape: tuple[int, int],
) -> tuple[IntArray, IntArray]:
    """Return experts and answers as arrays of their own; refuse bad numbers and repetitions.

    ``shape`` is the number of topics and of experts.
    """
    checked_task(topic, n_options, shape[0])
    asked, given = checked_experts(experts, shape[1]), whole_numbers("answers", answers)
    if asked.shape != given.shape:
        raise InputError(f"experts {asked.shape} and answers {given.shape}: want two lists")
    _check_codes(given.tolist())
    return asked, given


def _check_codes(codes: list[int]) -> None:
    """Refuse a number that skips one: an answer would count that nobody gave."""
    free = 0
    for code in codes:
        if not EMPTY <= code <= free:
            raise InputError(
                f"answers = {codes}: must be -1 or more, 0, 1, ... in order of appearance"
            )
        if code == free:
            free += 1


def checked_prices(prices: ArrayLike) -> FloatArray:
    """Return the prices as a read-only array of its own."""
    checked = _numbers("prices", prices)
    if checked.ndim != 1 or checked.shape[0] == 0:
        raise InputError(f"prices of shape {checked.shape}: must be a list of one or more")
    if not (np.isfinite(checked).all() and (checked >= 0).all()):
        raise InputError(f"prices = {checked.tolist()}: must be finite and not negative")
    checked.flags.writeable = False
    return checked


def checked_costs(costs: ArrayLike, calls: int) -> FloatArray:
    """Return the costs of so many calls."""
    checked = _numbers("costs", costs)
    # Every comparison with NaN is false.
    if checked.shape != (calls,) or not all(0.0 <= cost < math.inf for cost in checked.tolist()):
        raise InputError(f"costs = {checked.tolist()}: must be {calls} finite numbers >= 0")
    return checked


def checked_table(
    topics: ArrayLike,
    n_options: ArrayLike | None,
    votes: ArrayLike,
    truths: ArrayLike | None,
    shape: tuple[int, int],
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return recorded tasks as arrays; ``shape`` is the number of topics and of experts."""
    said = whole_numbers("votes", votes)
    if said.ndim != 2 or said.shape[1] != shape[1] or (said < ABSENT).any():
        raise InputError(f"votes of shape {said.shape}: must be tasks x {shape[1]}, all >= -2")
    tasks = said.shape[0]
    place = _checked_column("topics", topics, tasks, 0, shape[0] - 1)
    given = np.zeros(tasks, np.int64) if n_options is None else n_options
    options = _checked_column("n_options", given, tasks, 0)
    known = np.full(tasks, EMPTY) if truths is None else truths
    return place, options, said, _checked_column("truths", known, tasks, EMPTY)


def _checked_column(
    name: str, values: ArrayLike, tasks: int, least: int, most: int = _LARGEST
) -> IntArray:
    column = whole_numbers(name, values)
    if column.shape != (tasks,):
        raise InputError(f"{name} of shape {column.shape}: must be ({tasks},)")
    if ((column < least) | (column > most)).any():
        raise InputError(
            f"{name}: must be {least} " + ("or more" if most == _LARGEST else f"to {most}")
        )
    return column


def checked_groups(groups: ArrayLike | None, n_experts: int) -> IntArray:
    """Return one group an expert; everybody's own by default."""
    if groups is None:
        return np.arange(n_experts)
    checked = whole_numbers("groups", groups)
    if checked.shape != (n_experts,):
        raise InputError(f"groups of shape {checked.shape}: must be ({n_experts},)")
    return checked


def checked_mask(allowed: ArrayLike, n_experts: int) -> BoolArray:
    """Return one flag an expert."""
    mask = np.asarray(allowed)
    if mask.shape != (n_experts,) or mask.dtype != np.bool_:
        raise InputError(
            f"allowed of {mask.dtype} and shape {mask.shape}: must be bool and ({n_experts},)"
        )
    return mask
