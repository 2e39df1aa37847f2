"""What a simulation returns, and why it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["BUDGET", "DONE", "ESCAPED", "NOT_FINITE", "OUTCOMES", "Outcome", "Simulation"]

FloatArray = NDArray[np.float64]
Outcome = Literal["Complete", "BudgetSpent", "Escaped", "NotFinite"]

# Kernels return codes: rows of OUTCOMES.
DONE, BUDGET, ESCAPED, NOT_FINITE = 0, 1, 2, 3
OUTCOMES: tuple[Outcome, ...] = ("Complete", "BudgetSpent", "Escaped", "NotFinite")


@dataclass(frozen=True, slots=True)
class Simulation:
    """States of one run.

    Attributes
    ----------
    times : ndarray of float64, shape (rows,)
        Beginning with 0; iterations for maps.
    states : ndarray of float64, shape (rows, D)
        All finite and within the bound, but for the first where the start is not.
    last : ndarray of float64, shape (D,)
        After the last step, kept or not, in bounds or not.
    outcome : {"Complete", "BudgetSpent", "Escaped", "NotFinite"}
        Why it ended: time is up, steps are spent, a component passed the bound, or one is NaN or
        infinite. Rows stop before what is out of bounds.
    steps : int
        Steps taken.
    """

    times: FloatArray
    states: FloatArray
    last: FloatArray
    outcome: Outcome
    steps: int
