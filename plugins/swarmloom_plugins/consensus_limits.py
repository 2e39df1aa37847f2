"""How certain and how dear the answer to a task may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from swarmloom.types import Ballot, BoolArray, Float64Array

__all__ = ["AskLimits", "Limits"]

# Prices are means of measured costs.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class AskLimits:
    """Limits of one task.

    Attributes
    ----------
    certainty : float or None
        Posterior at which it is done; None: as for all tasks.
    cost : float or None
        What its answers may cost together, by the experts' prices.
    """

    certainty: float | None = None
    cost: float | None = None


class Limits:
    """Limits of all tasks and of single ones.

    Parameters
    ----------
    certainty : float or None
        Posterior at which a task is done; None: by the value of another answer.
    """

    def __init__(self, certainty: float | None) -> None:
        self.certainty = certainty
        self._of: dict[str, AskLimits] = {}

    @contextmanager
    def limited(self, task: str, limits: AskLimits) -> Iterator[None]:
        """Set limits to one task while the block is open."""
        self._of[task] = limits
        try:
            yield
        finally:
            del self._of[task]

    def certainty_of(self, task: str) -> float | None:
        """Give the certainty wanted of a task; None by value."""
        own = self._of.get(task)
        return self.certainty if own is None or own.certainty is None else own.certainty

    def affordable(
        self, task: str, ballots: Sequence[Ballot], allowed: BoolArray, prices: Float64Array
    ) -> BoolArray:
        """Tell whose answer the task's own limit on cost allows, shape (experts,).

        Parameters
        ----------
        task : str
        ballots : sequence of Ballot
            What was spent already.
        allowed : ndarray of bool, shape (experts,)
            Returned itself where the task has no such limit.
        prices : ndarray of float64, shape (experts,)
        """
        own = self._of.get(task)
        if own is None or own.cost is None:
            return allowed
        left = own.cost - sum(ballot.cost for ballot in ballots)
        free: BoolArray = allowed & (prices <= left + _ROUNDING)
        return free
