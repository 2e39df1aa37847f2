"""One seeded pass over a table: the order of the items, and which of them are graded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from swarmloom.backtest.answers import AnswerTable
from swarmloom.errors import InputError

__all__ = ["Stream", "draw_stream"]


@dataclass(frozen=True, slots=True)
class Stream:
    """A table in the order in which its items arrive.

    Attributes
    ----------
    table : AnswerTable
        n items in order of arrival, E experts.
    costs : ndarray of float64, shape (E,)
        Price of a call.
    graded : ndarray of bool, shape (n,)
        Items whose right answer is told after they were answered.
    seed : int
        What it was drawn from.
    """

    table: AnswerTable
    costs: npt.NDArray[np.float64]
    graded: npt.NDArray[np.bool_]
    seed: int


def draw_stream(
    table: AnswerTable,
    costs: npt.NDArray[np.float64],
    *,
    seed: int,
    graded: float,
    limit: int | None = None,
) -> Stream:
    """Draw the order of arrival and the grading lottery.

    Parameters
    ----------
    table : AnswerTable
    costs : ndarray of float64, shape (E,)
    seed : int
        At least 0.
    graded : float
        Share of the items that is graded, in [0, 1]; rounded to whole items.
    limit : int, optional
        Keep only that many items of the random order.

    Returns
    -------
    Stream

    Raises
    ------
    InputError
        When `graded`, `limit` or `seed` is outside its range, or the table is empty.
    """
    if not table.items or not table.experts:
        raise InputError(
            f"the table has {len(table)} items and {len(table.experts)} experts; needed: one each"
        )
    if not 0.0 <= graded <= 1.0:
        raise InputError(f"graded is {graded}, allowed is a share from 0 to 1")
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}, allowed is at least 1")
    if seed < 0:
        raise InputError(f"seed is {seed}, allowed is at least 0")
    order_rng, lottery_rng = (
        np.random.default_rng(sequence) for sequence in np.random.SeedSequence(seed).spawn(2)
    )
    rows = order_rng.permutation(len(table))[:limit]
    chosen = lottery_rng.permutation(len(rows)) < round(graded * len(rows))
    return Stream(table.take(rows), costs, chosen, seed)
