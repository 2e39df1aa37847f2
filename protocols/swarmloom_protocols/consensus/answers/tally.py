"""The weighted vote: sums of trust behind each answer, and the answer that leads."""

from __future__ import annotations

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.ballots import distinct_counts

__all__ = ["leaders", "tallies"]


def tallies(codes: IntArray, weights: FloatArray) -> FloatArray:
    """Sum the weights behind each answer.

    Parameters
    ----------
    codes : ndarray of int64, shape (items, agents)
        Compact codes, see `swarmloom_protocols.consensus.answers.ballots.ballots`.
    weights : ndarray of float64, shape (agents,)
        From 0.

    Returns
    -------
    ndarray of float64, shape (items, most distinct answers)
        0 beyond an item's answers.
    """
    sums = np.zeros((len(codes), max(1, int(distinct_counts(codes).max(initial=1)))))
    _tally(codes, weights, sums)
    return sums


@kernel
def _tally(codes: IntArray, weights: FloatArray, sums: FloatArray) -> None:
    for item in range(codes.shape[0]):
        for agent in range(codes.shape[1]):
            if codes[item, agent] >= 0:
                sums[item, codes[item, agent]] += weights[agent]


def leaders(codes: IntArray, sums: FloatArray) -> IntArray:
    """Return the code with the largest sum in each item, −1 where nobody answered.

    Of codes that tie, the lowest: the one whose first agent stands first. An answer of agents of
    weight 0 alone is still an answer.
    """
    return np.where(distinct_counts(codes) > 0, sums.argmax(axis=1), -1)
