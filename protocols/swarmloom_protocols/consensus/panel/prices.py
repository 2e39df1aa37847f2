"""What a call of each expert costs: as declared until its answers have shown it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.panel.checks import checked_prices

__all__ = ["PriceBook"]

_STALE = 0.05
"""Relative change of a price at which look-aheads made with the old one are thrown away."""


@kernel
def _enter(billed: FloatArray, quoted: FloatArray, experts: IntArray, costs: FloatArray) -> bool:
    """Count what answers cost; say whether a quoted price has become stale."""
    stale = False
    for call in range(experts.shape[0]):
        expert = experts[call]
        billed[0, expert] += costs[call]
        billed[1, expert] += 1.0
        mean, price = billed[0, expert] / billed[1, expert], quoted[expert]
        stale |= abs(mean - price) > _STALE * max(mean, price)
    return stale


class PriceBook:
    """Prices by the mean of what answers really cost.

    Parameters
    ----------
    declared : float64[experts]
        Prices to start with, at least 0.
    quoted : float64[experts], optional
        The prices that decisions use; they follow the means in steps, so that look-aheads can be
        kept.
    billed : float64[2, experts], optional
        Sum of costs and number of answers so far.

    Attributes
    ----------
    declared, quoted : float64[experts]
        Read-only.

    Raises
    ------
    InputError
        Prices that are not finite or negative, no expert.
    """

    def __init__(
        self,
        declared: ArrayLike,
        quoted: ArrayLike | None = None,
        billed: FloatArray | None = None,
    ) -> None:
        self.declared = checked_prices(declared)
        self.quoted = self.declared if quoted is None else checked_prices(quoted)
        self._billed: FloatArray = (
            np.zeros((2, self.declared.shape[0])) if billed is None else billed.copy()
        )

    def bill(self, experts: IntArray, costs: FloatArray) -> bool:
        """Count what answers cost; say whether a quoted price changed.

        Parameters
        ----------
        experts : int64[answers]
            Who answered, without repetition.
        costs : float64[answers]
        """
        if not _enter(self._billed, self.quoted, experts, costs):
            return False
        means = self._means()
        stale: BoolArray = abs(means - self.quoted) > _STALE * np.maximum(means, self.quoted)
        self.quoted = checked_prices(np.where(stale, means, self.quoted))
        return True

    def _means(self) -> FloatArray:
        spent, answers = self._billed
        means: FloatArray = np.where(answers > 0.0, spent / np.maximum(answers, 1.0), self.declared)
        return means

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arguments that make this book again, as arrays (copies)."""
        return {
            "declared": self.declared.copy(),
            "quoted": self.quoted.copy(),
            "billed": self._billed.copy(),
        }
