"""Early stopping replayed over recorded answers: what it would have said, at how many calls."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.jit import kernel
from swarmloom_protocols.checks import between
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.ballots import ballots, compact, weights_of
from swarmloom_protocols.consensus.answers.stopping import ROUNDING

__all__ = ["replayed"]


def replayed(
    votes: ArrayLike, weights: ArrayLike, *, share: float = 0.5
) -> tuple[IntArray, IntArray]:
    """Ask the most trusted first, on every item, until the lead exceeds a share of what is open.

    The same as a `Stopper` of rule "lead" without prices and groups, item by item.

    Parameters
    ----------
    votes : array-like of int, shape (items, agents)
        What each agent would have answered; −1 is no answer.
    weights : array-like of float, shape (agents,)
        Trust.
    share : float, optional
        0 to 1; at 1 the answers are those of the full vote.

    Returns
    -------
    answers : ndarray of int64, shape (items,)
        Codes of the votes; −1 where nobody answered.
    calls : ndarray of int64, shape (items,)
        Agents asked.

    Raises
    ------
    InputError
        Votes, weights or share are malformed.
    """
    codes = ballots(votes)
    trust = weights_of(weights, codes.shape[1])
    order = np.argsort(-trust, kind="stable")
    answers, calls = np.empty((2, len(codes)), np.int64)
    _replay(codes, trust, order, between("share", share, 0.0, 1.0), answers, calls)
    _, originals = compact(np.ascontiguousarray(votes, np.int64))
    picked = originals[np.arange(len(codes)), np.maximum(answers, 0)]
    return np.where(answers >= 0, picked, -1), calls


@kernel
def _first(codes: IntArray, weights: FloatArray, asked: IntArray, sums: FloatArray) -> int:
    """Sum the weights of those asked, in the agents' order; return the leading code."""
    sums[:] = 0.0
    best = -1
    for agent in range(codes.size):
        if asked[agent] and codes[agent] >= 0:
            sums[codes[agent]] += weights[agent]
    for agent in range(codes.size):
        if asked[agent] and codes[agent] >= 0 and (best < 0 or sums[codes[agent]] > sums[best]):
            best = codes[agent]
    return best


@kernel
def _lead(sums: FloatArray, best: int) -> float:
    rival = 0.0
    for code in range(sums.size):
        if code != best:
            rival = max(rival, sums[code])
    return (sums[best] if best >= 0 else 0.0) - rival


@kernel
def _replay(
    codes: IntArray,
    weights: FloatArray,
    order: IntArray,
    share: float,
    answers: IntArray,
    calls: IntArray,
) -> None:
    n_agents = codes.shape[1]
    asked, sums = np.zeros(n_agents, np.int64), np.zeros(n_agents)
    rounding = ROUNDING * weights.sum()
    for item in range(codes.shape[0]):
        asked[:] = 0
        answers[item], calls[item] = -1, 0
        for agent in order:
            asked[agent] = 1
            calls[item] += 1
            answers[item] = _first(codes[item], weights, asked, sums)
            left = 0.0
            for other in range(n_agents):
                left += 0.0 if asked[other] else weights[other]
            if _lead(sums, answers[item]) > share * left + rounding:
                break
