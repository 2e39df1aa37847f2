"""Hard limits on calls, cost and seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from swarmloom.types import BoolArray, Float64Array, IntArray

__all__ = ["Budget"]


@dataclass(slots=True)
class Budget:
    """What a run may still spend; a call is reserved before it is sent.

    Parameters
    ----------
    calls : int or None
        Calls in all; None for no limit.
    cost : float or None
        Cost in all, in the unit of the experts' prices.
    seconds : float or None
        Wall-clock seconds after which no call is sent and calls in flight are cancelled.
    clock : callable
        Monotonic seconds.

    Notes
    -----
    A call is reserved at its price. An expert that reports a higher cost than its price can take
    the total over the limit by that difference once; nothing is sent after that.
    """

    calls: int | None = None
    cost: float | None = None
    seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    spent_calls: int = 0
    spent_cost: float = 0.0
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self.started

    @property
    def calls_left(self) -> float:
        """Calls that may still be sent."""
        return math.inf if self.calls is None else self.calls - self.spent_calls

    @property
    def cost_left(self) -> float:
        """Cost that may still be spent."""
        return math.inf if self.cost is None else self.cost - self.spent_cost

    @property
    def seconds_left(self) -> float:
        """Seconds until the limit."""
        return math.inf if self.seconds is None else self.seconds - self.elapsed

    @property
    def exhausted(self) -> str:
        """Name of the limit that is reached, "" while none is."""
        if self.calls_left < 1:
            return "calls"
        if self.cost_left <= 0 and self.cost is not None:
            return "cost"
        return "seconds" if self.seconds_left <= 0 else ""

    def affordable(self, prices: Float64Array) -> BoolArray:
        """Tell which single calls fit into what is left.

        Parameters
        ----------
        prices : ndarray of float64, shape (E,)

        Returns
        -------
        ndarray of bool, shape (E,)
        """
        if self.exhausted:
            return np.zeros(len(prices), dtype=np.bool_)
        return np.asarray(prices <= self.cost_left + 1e-12, dtype=np.bool_)

    def fitting(self, experts: IntArray, prices: Float64Array) -> IntArray:
        """Cut an assignment, first come first served, to what is affordable together.

        Parameters
        ----------
        experts : ndarray of int64, shape (T,)
            Expert of each task, −1 for none.
        prices : ndarray of float64, shape (E,)

        Returns
        -------
        ndarray of int64, shape (T,)
            The same with −1 where the budget ends.
        """
        if self.calls is None and self.cost is None:
            return experts
        sent = experts >= 0
        within = np.cumsum(sent) <= self.calls_left
        within &= np.cumsum(np.where(sent, prices[experts], 0.0)) <= self.cost_left + 1e-12
        return np.where(sent & within, experts, -1)

    def book(self, cost: float) -> None:
        """Count one call and what it cost."""
        self.spent_calls += 1
        self.spent_cost += cost
