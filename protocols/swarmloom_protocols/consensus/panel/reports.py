"""What a panel tells: of a task, and of itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray

__all__ = ["AskValues", "Belief", "Calibration", "PanelReport", "calibration"]


class Calibration(NamedTuple):
    """Stated confidence against truth on the graded tasks, in ten equal bins.

    Attributes
    ----------
    tasks : int64[10]
        Graded tasks whose stated confidence fell into the bin.
    stated, right : float64[10]
        Mean stated confidence and share of right verdicts; NaN in empty bins.
    """

    tasks: IntArray
    stated: FloatArray
    right: FloatArray


class AskValues(NamedTuple):
    """What stopping and asking are worth, in probability of a right verdict.

    Attributes
    ----------
    stop : float
        Probability that the best answer given so far is right; 0 where there is none.
    ask : float64[experts]
        Expected probability of a right verdict after asking the expert and going on well, less
        the price of all calls that takes; ``-inf`` for experts that cannot be asked or are
        out of the pool.
    """

    stop: float
    ask: FloatArray


class Belief(NamedTuple):
    """Posterior over the answers given.

    Attributes
    ----------
    answers : float64[named]
        Probability that the answer is right, for each distinct answer.
    other : float
        Probability that none of them is.
    """

    answers: FloatArray
    other: float


class PanelReport(NamedTuple):
    """What a panel believes and has spent.

    Attributes
    ----------
    accuracy : float64[experts]
        Estimated probability to be right, all topics weighing the same.
    topic_accuracy : float64[topics, experts]
    labels, calls : int64[experts]
        Graded answers and all answers paid for.
    pool : bool[experts]
        Who is being considered.
    price_of_money : float
        Utility per unit of cost.
    mean_cost, audit_cost : float
        Per task; the first includes the second.
    calibration : Calibration
    """

    accuracy: FloatArray
    topic_accuracy: FloatArray
    labels: IntArray
    calls: IntArray
    pool: BoolArray
    price_of_money: float
    mean_cost: float
    audit_cost: float
    calibration: Calibration


def calibration(confidence: FloatArray, verdict: IntArray, truth: IntArray) -> Calibration:
    """Compare stated confidence with grades.

    Parameters
    ----------
    confidence : float64[tasks]
    verdict, truth : int64[tasks]
        -1 where there is none.
    """
    graded = truth >= 0
    stated = confidence[graded]
    right = (verdict[graded] == truth[graded]).astype(np.float64)
    place = np.minimum((10 * stated).astype(np.int64), 9)
    tasks = np.bincount(place, minlength=10)
    with np.errstate(invalid="ignore"):
        mean_stated = np.bincount(place, stated, 10) / tasks
        mean_right = np.bincount(place, right, 10) / tasks
    return Calibration(tasks, mean_stated, mean_right)
