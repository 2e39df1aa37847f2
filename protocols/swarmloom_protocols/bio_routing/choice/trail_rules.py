"""The averaged trail: what is deposited on it, where it goes, and between which caps it stays.

A trail that sums its deposits grows with use, and an expert used twice as often looks twice as
good. The averaged trail moves towards each deposit d by a share of the way,

    τ ← κ τ + (1 − κ) d,

so that after n deposits it is a weighted mean of them and of its start, and never leaves the
interval that they span (the caps of max-min ant systems, without clipping).
"""

from __future__ import annotations

from dataclasses import dataclass

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, whole

__all__ = ["AVERAGED", "SOURCE", "Reinforcement"]


@dataclass(frozen=True, slots=True)
class Reinforcement:
    """How a trail is kept and what tasks leave on it.

    Attributes
    ----------
    persistence : float
        κ in [0, 1]: what stays of a trail at a deposit; 1 − κ evaporates.
    success : float
        Deposit of a success that took longer than the crew's mean.
    swift : float
        Deposit of a success within the mean, at least `success`.
    failure : float
        Deposit of a failure, at most `success` and ≥ 0.

    Raises
    ------
    InputError
        A value is out of its range.
    """

    persistence: float
    success: float
    swift: float
    failure: float

    def __post_init__(self) -> None:
        between("persistence", self.persistence, 0.0, 1.0)
        between("failure", self.failure, 0.0)
        between("success", self.success, 0.0)
        between("swift", self.swift, 0.0)
        if not self.failure <= self.success <= self.swift:
            raise InputError(
                f"failure {self.failure}, success {self.success}, swift {self.swift}; allowed: "
                "failure ≤ success ≤ swift"
            )

    @property
    def caps(self) -> tuple[float, float]:
        """Least and largest trail that deposits from within can lead to."""
        return self.failure, self.swift

    @property
    def start(self) -> float:
        """Trail of an expert of whom nothing is known: the middle of the caps."""
        return (self.failure + self.swift) / 2.0

    def after(self, trail: float, deposit: float, count: int) -> float:
        """Return the trail after equal deposits: d + (τ − d) · κⁿ, solved from the recursion.

        Parameters
        ----------
        trail : float
            Before the first.
        deposit : float
        count : int
            n ≥ 0.

        Returns
        -------
        float
        """
        kept = self.persistence ** whole("count", count, 0)
        return deposit + (trail - deposit) * kept


# Successes alike, whether swift or not: the trail estimates the success rate.
AVERAGED = Reinforcement(persistence=0.97, success=1.0, swift=1.0, failure=0.0)
# The source's four numbers; it leaves open what each is for, and this is our reading.
SOURCE = Reinforcement(persistence=0.9, success=1.5, swift=2.0, failure=0.5)
