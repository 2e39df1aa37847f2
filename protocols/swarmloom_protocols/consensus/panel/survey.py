"""The survey at the start: a few tasks asked widely.

Who agrees with whom on tasks that many answer says who is good, without any grade. Each round of
tasks halves the experts that are asked, by estimated accuracy less a charge for the price
(successive halving: Karnin, Koren & Somekh 2013, "Almost optimal exploration in multi-armed
bandits"): most of the money goes to telling the hopeful apart.

While nothing is graded it goes on with a share of the money, and the panel learns from its tasks
alone. On others the next expert is asked because of what was answered before: who agrees is
believed and asked no further, and a weak pair that errs alike confirms itself without end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.panel.settings import PanelSettings

__all__ = ["Survey"]

_FEWEST = 3
"""Experts that are left in the last rounds."""

_CHARGE = 0.17
"""Accuracy that an expert as dear as the target has to be better than one that costs nothing."""


@dataclass
class Survey:
    """What the survey has spent, and whom it asks.

    Attributes
    ----------
    settings : PanelSettings
    unit : float
        Cost that money is counted in: the target, or without one the median price.
    spent : float
        Money spent on it.
    """

    settings: PanelSettings
    unit: float
    spent: float = 0.0

    @classmethod
    def at_start(cls, settings: PanelSettings, prices: FloatArray) -> Survey:
        """Everybody is to be asked."""
        unit = settings.target_cost or float(np.median(prices))
        return cls(settings, unit)

    @property
    def purse(self) -> float:
        """The most it may cost."""
        return self.settings.survey_cost * self.unit

    def starting(self, tasks: int) -> bool:
        """Say whether the next task belongs to its rounds, ``tasks`` having been recorded."""
        length = self.settings.survey_rounds * self.settings.survey_tasks
        return tasks < length and self.spent < self.purse

    def running(self, tasks: int, graded: int, spent: float) -> bool:
        """Say whether the next task belongs to it, in its rounds or after them.

        Parameters
        ----------
        tasks, graded : int
            Recorded so far, and how many of them have a grade.
        spent : float
            Money spent on all tasks so far.
        """
        if self.starting(tasks):
            return True
        going_on = graded == 0 and self.settings.survey_rounds > 0
        return going_on and self.spent < self.settings.survey_share * spent

    def pay(self, cost: float) -> None:
        """Count what a task of the survey cost."""
        self.spent += cost

    def values(
        self,
        tasks: int,
        accuracy: FloatArray,
        calls: IntArray,
        prices: FloatArray,
        allowed: BoolArray,
    ) -> FloatArray:
        """Rank whom a task of the survey asks.

        Parameters
        ----------
        tasks : int
            Tasks recorded so far.
        accuracy : float64[experts]
            Estimated.
        calls : int64[experts]
            Answers so far.
        prices : float64[experts]
        allowed : bool[experts]
            Who may be asked.

        Returns
        -------
        float64[experts]
            Above 1, the first to be asked highest; −inf for those that are not asked.
        """
        settings = self.settings
        number, place = divmod(tasks, settings.survey_tasks)
        starting = self.starting(tasks)
        number = number if starting else min(1, settings.survey_rounds - 1)
        able = np.flatnonzero(allowed)
        count = max(_FEWEST, -(-able.shape[0] // 2**number))
        worth = accuracy - _CHARGE * prices / max(self.unit, 1e-300)
        # Where not everybody can be asked on one task, those heard least come first.
        keys = (prices[able], calls[able]) if number == 0 else (prices[able], -worth[able])
        order = able[np.lexsort(keys)][: min(count, settings.survey_asks)]
        room = self.purse - self.spent
        room = room / (settings.survey_tasks - place) if number == 0 else room
        room = room if starting else np.inf
        chosen = order[np.cumsum(prices[order]) <= room * (1.0 + 1e-9)]
        values = np.full(accuracy.shape[0], -np.inf)
        values[chosen] = 2.0 - np.arange(chosen.shape[0]) / accuracy.shape[0]
        return values
