"""What holds the panel's spending: a price of money, and an allowance for audits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from swarmloom_protocols.consensus.panel.settings import PanelSettings

__all__ = ["Budget"]

_STALE = 0.05
"""Change of log price at which look-aheads made with the old price are thrown away."""

_UNSETTLED = 250.0
"""Tasks after a change until steps of the price are as small as ever again."""

_FIRST_STEPS = 20.0
"""Tasks after a change over which they are at their largest."""


@dataclass
class Budget:
    """Price of money that holds the mean cost of a task at the target.

    The price (utility per unit of cost) is an integral controller in log space: it rises after a
    dear task and falls after a cheap one, so over a long stream the mean cost must meet the
    target unless the price stands at its bounds. The price that was right with an expert that has
    turned bad may be far off without it: from then on steps are large and fall with the number of
    tasks since (Robbins and Monro 1951, "A stochastic approximation method"), or the search would
    be paid for with a debt that takes thousands of tasks to work off. Its start and its bounds are
    set for costs in units of the target: prices in dollars, cents or tokens give the same
    decisions.

    Attributes
    ----------
    settings : PanelSettings
    price : float
        Price of money now.
    quoted : float
        The price that decisions use; follows `price` in steps, so that look-aheads can be kept.
    spent, audit_spent : float
        Money paid so far, audits included; the part of it that went into audits.
    tasks : int
    changed_at : int
        ``tasks`` when an expert was last found to have turned bad, -1 if none was. From then on
        debts are worked off three times as slowly.
    """

    settings: PanelSettings
    price: float
    quoted: float
    spent: float = 0.0
    audit_spent: float = 0.0
    tasks: int = 0
    changed_at: int = -1

    @classmethod
    def fresh(cls, settings: PanelSettings) -> Budget:
        """Nothing spent yet."""
        start = settings.price_start / settings.money_unit
        return cls(settings, start, start)

    def pay_task(self, cost: float) -> None:
        """Count a finished task and move the price."""
        self.spent += cost
        self.tasks += 1
        target = self.settings.target_cost
        if target is not None:
            self._move(min(3.0, (cost - self._aim(target)) / target))

    def pay_audit(self, cost: float) -> None:
        """Count an answer bought for learning only and move the price."""
        self.spent += cost
        self.audit_spent += cost
        if self.settings.target_cost is not None:
            self._move(min(3.0, cost / self.settings.target_cost))

    def _aim(self, target: float) -> float:
        """Cost to aim at: the target less what works off an overspent sum."""
        owed = self.spent - target * self.tasks
        repay = self.settings.repay_tasks * (1.0 if self.changed_at < 0 else 3.0)
        correction = owed / repay if repay else 0.0
        return target - min(max(correction, -0.5 * target), 0.5 * target)

    def _move(self, surplus: float) -> None:
        unit = self.settings.money_unit
        low, high = self.settings.price_floor / unit, self.settings.price_ceiling / unit
        self.price = min(max(self.price * math.exp(self._step() * surplus), low), high)

    def _step(self) -> float:
        """Rate of change of the price."""
        if self.changed_at < 0:
            return self.settings.price_step
        since = self.tasks - self.changed_at
        return self.settings.price_step * max(_UNSETTLED / (since + _FIRST_STEPS), 1.0)

    def unsettle(self) -> None:
        """Search for the price anew: an expert has turned bad."""
        self.changed_at = self.tasks

    def requote(self, now: bool = False) -> bool:
        """Bring `quoted` up to date where it is stale, or ``now``; say whether it changed."""
        if not now and abs(math.log(self.price / self.quoted)) <= _STALE:
            return False
        self.quoted = self.price
        return True

    def audit_room(self, price_sum: float, surveyed: float = 0.0) -> float:
        """Money that audits may still cost, ``price_sum`` being one answer of every expert.

        What was ``surveyed`` is known already: that money allows for no audits.
        """
        settings = self.settings
        spent = max(self.spent - surveyed, 0.0)
        allowed = settings.audit_share * spent
        allowed += settings.audit_root * math.sqrt(spent * price_sum)
        if settings.target_cost is not None:
            unspent = settings.target_cost * self.tasks - self.spent
            allowed += settings.audit_unspent * max(unspent, 0.0)
        return allowed - self.audit_spent
