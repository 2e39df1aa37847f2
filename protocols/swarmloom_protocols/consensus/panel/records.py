"""Finished tasks as learning takes them: their calls side by side, repetitions counted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import FloatArray, IntArray

__all__ = ["Distinct", "History", "distinct_tasks"]


class History(NamedTuple):
    """Finished tasks, their calls in one run each.

    Attributes
    ----------
    first : int64[tasks + 1]
        Calls of task ``i`` are ``first[i]`` to ``first[i + 1]``.
    expert, answer : int64[calls]
    topic, n_options, truth : int64[tasks]
        ``truth`` is the index of the right answer, -1 where not graded.
    """

    first: IntArray
    expert: IntArray
    answer: IntArray
    topic: IntArray
    n_options: IntArray
    truth: IntArray


class Distinct(NamedTuple):
    """Tasks of a history that differ.

    Attributes
    ----------
    task : int64[distinct]
        The first of each kind.
    repeats : float64[distinct]
        How many are like it.
    """

    task: IntArray
    repeats: FloatArray


@kernel
def distinct_tasks(history: History) -> Distinct:
    """Find the tasks of one topic that the same experts gave the same answers to.

    Most tasks of a long history are such repetitions: a round of learning has to weigh one of
    them only. By a hash table with linear probing.
    """
    tasks = history.topic.shape[0]
    size = 4
    while size < 2 * tasks:
        size *= 2
    slots = np.full(size, -1)
    task_of, repeats, found = np.empty(tasks, np.int64), np.zeros(tasks), 0
    for task in range(tasks):
        slot = _hashed(history, task) & (size - 1)
        while slots[slot] >= 0 and not _same_task(history, task, task_of[slots[slot]]):
            slot = (slot + 1) & (size - 1)
        if slots[slot] < 0:
            slots[slot], task_of[found] = found, task
            found += 1
        repeats[slots[slot]] += 1.0
    return Distinct(task_of[:found], repeats[:found])


@kernel
def _hashed(history: History, task: int) -> int:
    """Mix all that a task is told by (Fowler, Noll and Vo's 1a, by numbers instead of bytes)."""
    code = (history.topic[task] * 1009 + history.n_options[task]) * 1009 + history.truth[task]
    for call in range(history.first[task], history.first[task + 1]):
        code = (code ^ (history.expert[call] * 1009 + history.answer[call])) * 1099511628211
    return int(code ^ (code >> 32))


@kernel
def _same_task(history: History, one: int, other: int) -> bool:
    start, begin = history.first[one], history.first[other]
    calls = history.first[one + 1] - start
    same = (
        history.topic[one] == history.topic[other]
        and history.n_options[one] == history.n_options[other]
        and history.truth[one] == history.truth[other]
        and history.first[other + 1] - begin == calls
    )
    for call in range(calls if same else 0):
        same &= history.expert[start + call] == history.expert[begin + call]
        same &= history.answer[start + call] == history.answer[begin + call]
    return bool(same)
