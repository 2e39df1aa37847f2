"""Ballots as every module of this package reads them: checks, shapes, agents of one model."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = [
    "NO_ANSWER",
    "any_array",
    "ballots",
    "coded",
    "compact",
    "distinct_counts",
    "group_ballots",
    "group_rows",
    "weights_of",
]

NO_ANSWER = -1

Groups = Sequence[Hashable] | NDArray[Any]


def ballots(votes: ArrayLike, name: str = "votes") -> IntArray:
    """Return votes as the kernels read them, or raise `InputError`.

    Parameters
    ----------
    votes : array-like of int, shape (items, agents)
        A code of an answer, which means something within its item only; −1 is no answer.
    name : str, optional
        What the error calls them.

    Returns
    -------
    ndarray of int64, shape (items, agents), C-contiguous
        The codes 0, 1, … of each item in the order in which its agents gave them first.

    Raises
    ------
    InputError
        They are no matrix of whole numbers from −1, or have no agent.
    """
    given = any_array(name, votes)
    if given.ndim != 2 or not given.shape[1]:
        raise InputError(f"{name}: shape {given.shape}; allowed: (items, agents ≥ 1)")
    if given.dtype.kind not in "iu" and given.size:
        raise InputError(f"{name}: {given.dtype} values; allowed: whole numbers, -1 for no answer")
    if given.size and (given.min() < NO_ANSWER or given.max() > np.iinfo(np.int64).max):
        raise InputError(f"{name}: holds {given.min()}; allowed: from -1, which is no answer")
    return compact(np.ascontiguousarray(given, np.int64))[0]


def any_array(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return values as an array of whatever type, or raise `InputError` where rows differ."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name}: {error}; allowed: rows of equal length") from error


def compact(votes: IntArray) -> tuple[IntArray, IntArray]:
    """Count the codes of each item from 0, in the order of their first appearance.

    Parameters
    ----------
    votes : ndarray of int64, shape (items, agents)
        Any codes from −1.

    Returns
    -------
    codes : ndarray of int64, shape (items, agents)
        −1, or from 0 to one below the item's number of distinct answers.
    originals : ndarray of int64, shape (items, agents)
        The given code of each new code; −1 beyond.
    """
    codes, originals = np.empty_like(votes), np.full_like(votes, NO_ANSWER)
    _compact(votes, codes, originals)
    return codes, originals


@kernel
def _compact(votes: IntArray, codes: IntArray, originals: IntArray) -> None:
    for item in range(votes.shape[0]):
        known = 0
        for agent in range(votes.shape[1]):
            codes[item, agent] = NO_ANSWER
            if votes[item, agent] == NO_ANSWER:
                continue
            code = 0
            while code < known and originals[item, code] != votes[item, agent]:
                code += 1
            if code == known:
                originals[item, code] = votes[item, agent]
                known += 1
            codes[item, agent] = code


def coded(answers: Sequence[Sequence[Hashable | None]]) -> IntArray:
    """Turn answers of any kind into ballots.

    Parameters
    ----------
    answers : sequence of sequence of hashable, items × agents
        Equal values are the same answer; None is no answer.

    Returns
    -------
    ndarray of int64, shape (items, agents)
        See `ballots`.

    Raises
    ------
    InputError
        The items have different numbers of agents, or none.
    """
    lengths = {len(item) for item in answers}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError(f"answers: items of {sorted(lengths)} agents; allowed: one number, from 1")
    votes = np.empty((len(answers), lengths.pop()), np.int64)
    for row, item in zip(votes, answers, strict=True):
        known: dict[Hashable | None, int] = {None: NO_ANSWER}
        row[:] = [known.setdefault(answer, len(known) - 1) for answer in item]
    return votes


def distinct_counts(codes: IntArray) -> IntArray:
    """Return how many distinct answers each item of `ballots` has, int64 of shape (items,)."""
    counts: IntArray = codes.max(axis=1, initial=NO_ANSWER) + 1
    return counts


def group_rows(groups: Groups | None, n_agents: int) -> IntArray:
    """Return the groups of agents as rows, or raise `InputError`.

    Parameters
    ----------
    groups : sequence of hashable, length agents, or None
        Whatever names an agent's model. None in place of all, or of one agent's name, is a model
        that nobody knows: a group of its own.
    n_agents : int
        How many agents there are.

    Returns
    -------
    ndarray of int64, shape (agents,)
        0, 1, … in the order of the groups' first agents.
    """
    if groups is None:
        return np.arange(n_agents)
    if len(groups) != n_agents:
        raise InputError(f"groups: {len(groups)} names; allowed: {n_agents}, one an agent")
    known: dict[Hashable, int] = {}
    names = (object() if name is None else name for name in groups)
    return np.array([known.setdefault(name, len(known)) for name in names], np.int64)


def group_ballots(codes: IntArray, rows: IntArray) -> IntArray:
    """Let each group vote for what most of its agents say.

    Parameters
    ----------
    codes : ndarray of int64, shape (items, agents)
        See `ballots`.
    rows : ndarray of int64, shape (agents,)
        See `group_rows`.

    Returns
    -------
    ndarray of int64, shape (items, groups)
        Of answers that tie within a group, the one with the lowest code, which is the one given
        first; −1 where none of its agents answered.
    """
    votes = np.empty((len(codes), int(rows.max()) + 1), np.int64)
    _group_ballots(codes, rows, votes, np.zeros(codes.shape[1], np.int64))
    return votes


@kernel
def _group_ballots(codes: IntArray, rows: IntArray, votes: IntArray, counts: IntArray) -> None:
    for item in range(codes.shape[0]):
        for group in range(votes.shape[1]):
            counts[:] = 0
            best = NO_ANSWER
            for agent in range(codes.shape[1]):
                code = codes[item, agent]
                if rows[agent] == group and code != NO_ANSWER:
                    counts[code] += 1
            for code in range(counts.size):
                if counts[code] > (counts[best] if best >= 0 else 0):
                    best = code
            votes[item, group] = best


def weights_of(weights: ArrayLike, n_agents: int) -> FloatArray:
    """Return weights of agents (float64, finite, from 0), or raise `InputError`."""
    vector = real_array("weights", weights)
    if vector.shape != (n_agents,):
        raise InputError(f"weights: shape {vector.shape}; allowed: ({n_agents},), one an agent")
    wrong = np.flatnonzero(~np.isfinite(vector) | (vector < 0.0))
    if wrong.size:
        first = int(wrong[0])
        raise InputError(f"weights[{first}] is {vector[first]}; allowed: finite, from 0")
    with np.errstate(over="ignore"):
        total = vector.sum()
    # Only their ratios count, and a sum that overflows has none.
    return vector if np.isfinite(total) else vector / vector.max()
