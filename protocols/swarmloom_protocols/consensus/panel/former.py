"""Experts as they were before they turned bad: what they said then still tells who was right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.panel.learning import FormerRates, Rates

__all__ = ["FormerExperts", "with_copies"]


class FormerExperts:
    """Rates of the experts that turned bad, as last learned before, in the order of the alarms.

    Without them the tasks that an expert led would have to be judged again by the others alone,
    and what was known of those would be lost with it.

    Parameters
    ----------
    rates : Rates
        Any: for the number of topics and classes.
    """

    def __init__(self, rates: Rates) -> None:
        self._experts: IntArray = np.empty(0, np.int64)
        self.rates = FormerRates(rates.outcome[:0], rates.topical[:, :0])

    def keep(self, expert: int, rates: Rates) -> None:
        """Keep an expert as it is believed to have been; an earlier self stands."""
        if expert in self._experts:
            return
        self._experts = np.append(self._experts, expert)
        self.rates = FormerRates(
            np.concatenate([self.rates.outcome, rates.outcome[expert][np.newaxis]]),
            np.concatenate([self.rates.topical, rates.topical[:, expert][:, np.newaxis]], axis=1),
        )

    def numbers(self, n_experts: int) -> IntArray:
        """Return the number of each expert's former self, from ``n_experts`` on; −1 for none."""
        number = np.full(n_experts, -1)
        number[self._experts] = n_experts + np.arange(self._experts.shape[0])
        return number

    def add_topics(self, extra: int) -> None:
        """Make room for more topics, copies of the first."""
        self.rates = self.rates._replace(topical=with_copies(self.rates.topical, extra))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything, as arrays (copies)."""
        return {
            "experts": self._experts.copy(),
            "outcome": self.rates.outcome.copy(),
            "topical": self.rates.topical.copy(),
        }

    def resume(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self._experts = arrays["experts"].copy()
        self.rates = FormerRates(arrays["outcome"].copy(), arrays["topical"].copy())


def with_copies(rows: FloatArray, count: int) -> FloatArray:
    """Add copies of the first row at the end."""
    return np.concatenate([rows, np.repeat(rows[:1], count, axis=0)])
