"""Whether an arm pays: credit per cost beside a control group, with its standard error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError

__all__ = ["PayoffRecord"]

_COUNT, _CREDIT, _COST, _CREDIT2, _CROSS, _COST2, _SEEN = range(7)


class PayoffRecord:
    """Discounted sums of credit and cost by arm.

    An arm's payoff is the ratio of its summed credit to its summed cost, with the variance of a
    ratio of means (W. G. Cochran, *Sampling Techniques*, 3rd ed. 1977, eq. 6.13). Where no arm has
    cost anything, it is the mean credit.

    Parameters
    ----------
    arms : int
        How many.
    memory : float
        Outcomes of an arm after which one of its outcomes counts 1/e.

    Raises
    ------
    InputError
        If the memory is below one outcome.
    """

    def __init__(self, arms: int, memory: float) -> None:
        if not memory >= 1.0:
            raise InputError(f"memory is {memory}; allowed: ≥ 1")
        self._keep = float(np.exp(-1.0 / memory))
        self._sums: npt.NDArray[np.float64] = np.zeros((arms, 7))

    def learn(self, arm: int, credit: float, cost: float) -> None:
        """Count one outcome of an arm."""
        seen = self._sums[arm, _SEEN] + 1.0
        self._sums[arm] *= self._keep
        terms = (1.0, credit, cost, credit * credit, credit * cost, cost * cost)
        self._sums[arm, :_SEEN] += terms
        self._sums[arm, _SEEN] = seen

    def seen(self, arm: int) -> int:
        """Count the outcomes of an arm, none discounted."""
        return int(self._sums[arm, _SEEN])

    def payoff(self, arm: int) -> tuple[float, float]:
        """Give an arm's credit per cost and its variance; (0, inf) for fewer than two outcomes."""
        sums = self._sums[arm]
        if sums[_SEEN] < 2:
            return 0.0, float("inf")
        if not self._sums[:, _COST].any():
            mean = sums[_CREDIT] / sums[_COUNT]
            return float(mean), float(sums[_CREDIT2] / sums[_COUNT] - mean**2) / sums[_COUNT]
        if sums[_COST] <= 0.0:
            return 0.0, float("inf")
        ratio = sums[_CREDIT] / sums[_COST]
        spread = sums[_CREDIT2] - 2.0 * ratio * sums[_CROSS] + ratio**2 * sums[_COST2]
        return float(ratio), float(max(spread, 0.0) / sums[_COST] ** 2)

    def advantage(self, arm: int, other: int) -> float:
        """Give by how many standard errors an arm pays more than another; 0 where unknown."""
        (mine, mine_variance), (theirs, their_variance) = self.payoff(arm), self.payoff(other)
        variance = mine_variance + their_variance
        if not np.isfinite(variance):
            return 0.0
        # Rounding alone must not look like a difference without any variance.
        floor = 1e-9 * max(abs(mine), abs(theirs), 1e-300)
        return float((mine - theirs) / max(np.sqrt(max(variance, 0.0)), floor))

    def snapshot(self) -> dict[str, Any]:
        """Give the sums."""
        return {"sums": self._sums.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take a snapshot back."""
        self._sums = np.array(state["sums"], dtype=np.float64).reshape(self._sums.shape)
