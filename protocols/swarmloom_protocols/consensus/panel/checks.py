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
    "checked_groups",
    "checked_mask",
    "checked_prices",
    "checked_table",
]


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


def checked_calls(
    topic: int, experts: ArrayLike, answers: ArrayLike, n_topics: int, n_experts: int
) -> tuple[IntArray, IntArray]:
    """Return experts and answers as arrays of their own; refuse bad numbers and repetitions."""
    asked, given = np.array(experts, np.int64), np.array(answers, np.int64)
    if not 0 <= topic < n_topics:
        raise InputError(f"topic = {topic}: must be 0 to {n_topics - 1}")
    if asked.ndim != 1 or asked.shape != given.shape:
        raise InputError(f"experts {asked.shape} and answers {given.shape}: want two lists")
    listed = asked.tolist()
    if listed and not 0 <= min(listed) <= max(listed) < n_experts:
        raise InputError(f"experts = {listed}: must be 0 to {n_experts - 1}")
    if len(set(listed)) < len(listed):
        raise InputError(f"experts = {listed}: an expert is named twice")
    if listed and min(given.tolist()) < EMPTY:
        raise InputError(f"answers = {given.tolist()}: must be -1 or more")
    return asked, given


def checked_prices(prices: ArrayLike) -> FloatArray:
    """Return the prices as a read-only array of its own."""
    checked = np.array(prices, np.float64)
    if checked.ndim != 1 or checked.shape[0] == 0:
        raise InputError(f"prices of shape {checked.shape}: must be a list of one or more")
    if not (np.isfinite(checked).all() and (checked >= 0).all()):
        raise InputError(f"prices = {checked.tolist()}: must be finite and not negative")
    checked.flags.writeable = False
    return checked


def checked_costs(costs: ArrayLike, calls: int) -> FloatArray:
    """Return the costs of so many calls."""
    checked = np.asarray(costs, np.float64)
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
    said = np.asarray(votes, np.int64)
    if said.ndim != 2 or said.shape[1] != shape[1] or (said < ABSENT).any():
        raise InputError(f"votes of shape {said.shape}: must be tasks x {shape[1]}, all >= -2")
    tasks = said.shape[0]
    place = np.asarray(topics, np.int64)
    options = np.zeros(tasks, np.int64) if n_options is None else np.asarray(n_options, np.int64)
    truth = np.full(tasks, EMPTY) if truths is None else np.asarray(truths, np.int64)
    for name, values in (("topics", place), ("n_options", options), ("truths", truth)):
        if values.shape != (tasks,):
            raise InputError(f"{name} of shape {values.shape}: must be ({tasks},)")
    if ((place < 0) | (place >= shape[0])).any():
        raise InputError(f"topics: must be 0 to {shape[0] - 1}")
    return place, options, said, truth


def checked_groups(groups: ArrayLike | None, n_experts: int) -> IntArray:
    """Return one group an expert; everybody's own by default."""
    if groups is None:
        return np.arange(n_experts)
    checked = np.array(groups, np.int64)
    if checked.shape != (n_experts,):
        raise InputError(f"groups of shape {checked.shape}: must be ({n_experts},)")
    return checked


def checked_mask(allowed: ArrayLike, n_experts: int) -> BoolArray:
    """Return one flag an expert."""
    mask = np.asarray(allowed, np.bool_)
    if mask.shape != (n_experts,):
        raise InputError(f"allowed of shape {mask.shape}: must be ({n_experts},)")
    return mask
