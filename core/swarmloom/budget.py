"""Hard limits on calls, cost and seconds, and what each call is taken to cost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from swarmloom.types import Ballot, BoolArray, Expert, Float64Array, IntArray

__all__ = ["Budget"]


class Budget:
    """What a run may still spend; a call is reserved at its price before it is sent.

    Parameters
    ----------
    experts : sequence of Expert
        For their declared prices.
    calls : int or None
        Calls in all; None for no limit.
    cost : float or None
        Cost in all, in the unit of the experts' prices.
    seconds : float or None
        Wall-clock seconds after which no call is sent and those in flight are given up.
    clock : callable
        Monotonic seconds.

    Attributes
    ----------
    prices : ndarray of float64, shape (E,)
        Price of a call: declared, or the mean of what the calls have cost.
    in_flight : ndarray of int64, shape (E,)
        Calls sent and not yet answered.

    Notes
    -----
    Under a limit on cost, an expert gets one call at a time until it has shown what a call really
    costs. After that only the spread around its mean can take the total over the limit.
    """

    def __init__(
        self,
        experts: Sequence[Expert],
        calls: int | None = None,
        cost: float | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls, self.cost, self.seconds = calls, cost, seconds
        self.prices: Float64Array = np.array([e.price for e in experts], dtype=np.float64)
        self.in_flight: IntArray = np.zeros(len(experts), dtype=np.int64)
        self.spent_calls = 0
        self.spent_cost = 0.0
        self._answers: IntArray = np.zeros(len(experts), dtype=np.int64)
        self._reserved = 0.0
        self._clock = clock
        self._started = clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, without those between its parts."""
        return self._clock() - self._started

    @property
    def calls_left(self) -> float:
        """Calls that may still be sent."""
        if self.calls is None:
            return math.inf
        return self.calls - self.spent_calls - int(self.in_flight.sum())

    @property
    def cost_left(self) -> float:
        """Cost that may still be reserved."""
        return math.inf if self.cost is None else self.cost - self.spent_cost - self._reserved

    @property
    def seconds_left(self) -> float:
        """Seconds until the limit."""
        return math.inf if self.seconds is None else self.seconds - self.elapsed

    @property
    def exhausted(self) -> str:
        """Name of the limit that is reached, "" while none is."""
        if self.calls_left < 1:
            return "calls"
        if self.cost is not None and self.cost_left <= 0:
            return "cost"
        return "seconds" if self.seconds_left <= 0 else ""

    def affordable(self) -> BoolArray:
        """Tell which experts a single call may be sent to.

        Returns
        -------
        ndarray of bool, shape (E,)
        """
        if self.exhausted:
            return np.zeros(len(self.prices), dtype=np.bool_)
        fits = self.prices <= self.cost_left + 1e-12
        if self.cost is not None:
            fits &= (self._answers > 0) | (self.in_flight == 0)
        return np.asarray(fits, dtype=np.bool_)

    def fitting(self, experts: IntArray) -> IntArray:
        """Cut an assignment, first come first served, to what is affordable together.

        Parameters
        ----------
        experts : ndarray of int64, shape (T,)
            Expert of each task, −1 for none.

        Returns
        -------
        ndarray of int64, shape (T,)
            The same with −1 where the budget ends.
        """
        if self.calls is None and self.cost is None:
            return experts
        sent = experts >= 0
        if self.cost is not None:
            sent &= (self._answers[experts] > 0) | _first_of_each(experts)
        within = np.cumsum(sent) <= self.calls_left
        within &= np.cumsum(np.where(sent, self.prices[experts], 0.0)) <= self.cost_left + 1e-12
        return np.where(sent & within, experts, -1)

    def reserve(self, experts: IntArray) -> Float64Array:
        """Count calls as sent; give the prices at which they are reserved."""
        prices = self.prices[experts]
        np.add.at(self.in_flight, experts, 1)
        self._reserved += float(prices.sum())
        return prices

    def release(self, expert: int, price: float) -> None:
        """Take back one reservation: the call was answered, or never sent."""
        self.in_flight[expert] -= 1
        self._reserved = max(0.0, self._reserved - price)

    def book(self, ballot: Ballot) -> None:
        """Bill one answer, and learn from it what a call of its expert costs."""
        self.spent_calls += 1
        self.spent_cost += ballot.cost
        if ballot.error is None:
            self._answers[ballot.expert] += 1
            step = (ballot.cost - self.prices[ballot.expert]) / self._answers[ballot.expert]
            self.prices[ballot.expert] += step

    def resume(self, elapsed: float) -> None:
        """Take up a run that has used some of its seconds."""
        self._started = self._clock() - elapsed


def _first_of_each(experts: IntArray) -> BoolArray:
    first = np.zeros(len(experts), dtype=np.bool_)
    first[np.unique(experts, return_index=True)[1]] = True
    return first
