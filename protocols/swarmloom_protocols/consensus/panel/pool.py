"""Whom the panel considers at all, and how boldly."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.panel.learning import Rates, shifted_rates
from swarmloom_protocols.consensus.panel.likelihood import RIGHT
from swarmloom_protocols.consensus.panel.settings import PanelSettings

__all__ = [
    "choose_pool",
    "estimated_accuracy",
    "explored",
    "speakers",
    "undominated",
    "unproved",
]


def estimated_accuracy(rates: Rates) -> FloatArray:
    """Probability of each expert to be right, all topics weighing the same.

    Returns
    -------
    float64[experts]
    """
    accuracy: FloatArray = rates.outcome[..., RIGHT] @ rates.difficulty.mean(axis=0)
    return accuracy


_ENOUGH_LABELS = 20
"""Graded answers from which an expert's accuracy says who speaks for a group."""


def speakers(
    groups: IntArray, accuracy: FloatArray, labels: IntArray, prices: FloatArray
) -> BoolArray:
    """Choose one expert a group: the most accurate of those graded enough, or the cheapest.

    Near-clones as candidates of their own would be chosen by luck among equals, and the more of
    them there are, the more often. In a crew of one group all speak.

    Returns
    -------
    bool[experts]
    """
    if (groups == groups[0]).all():
        return np.ones(groups.shape[0], np.bool_)
    known = labels >= _ENOUGH_LABELS
    rank = np.where(known, -accuracy, np.inf)
    chosen = np.zeros(groups.shape[0], np.bool_)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        score = rank[members] if known[members].any() else prices[members]
        chosen[members[np.argmin(score)]] = True
    return chosen


def explored(
    topical: FloatArray, calls: IntArray, jitter: float, rng: np.random.Generator
) -> FloatArray:
    """Rates with every expert's right logit moved by noise of sd ``jitter / sqrt(1 + calls)``.

    A little of Thompson's (1933) sampling: an expert that hardly anybody asked gets its chance.

    Parameters
    ----------
    topical : float64[topics, experts, classes, 4]
    calls : int64[experts]
    """
    noise = jitter * rng.standard_normal(calls.shape[0]) / np.sqrt(1.0 + calls)
    return shifted_rates(topical, noise[:, None])


def undominated(
    accuracy: FloatArray,
    labels: IntArray,
    prices: FloatArray,
    price_of_money: float,
    settings: PanelSettings,
    doubt: float = 1.0,
) -> BoolArray:
    """Leave out experts that two others, no dearer, beat by more than ``doubt`` errors.

    Choosing among many candidates favours those whose luck was good; a short pool does not.
    The choice is made anew every time, so nobody is out for ever.

    Parameters
    ----------
    accuracy : float64[experts]
    labels : int64[experts]
        Graded answers; ungraded ones do not sharpen the error.
    prices : float64[experts]
    price_of_money : float
        Utility per unit of cost.

    Returns
    -------
    bool[experts]
    """
    error = doubt * settings.prune_error / np.sqrt(labels + 2.0)
    worth = accuracy - settings.prune_price * price_of_money * prices
    return _beaten_by(worth, error, prices) < 2


@kernel
def _beaten_by(worth: FloatArray, error: FloatArray, prices: FloatArray) -> IntArray:
    """Count for each expert those, no dearer, that lead it by more than the error of the lead."""
    beaten = np.zeros(worth.shape[0], np.int64)
    for expert in range(worth.shape[0]):
        for other in range(worth.shape[0]):
            lead = worth[other] - worth[expert]
            # An expert does not lead itself; negative leads need no square root.
            if lead > 0.0 and prices[other] <= prices[expert]:
                beaten[expert] += lead > np.hypot(error[other], error[expert])
    return beaten


def choose_pool(
    accuracy: FloatArray,
    labels: IntArray,
    prices: FloatArray,
    price_of_money: float,
    settings: PanelSettings,
) -> BoolArray:
    """Choose whom to consider: the `undominated`, at most ``settings.pool_limit`` of them.

    Where there are more, the most hopeful stay: worth plus one error.
    """
    pool = undominated(accuracy, labels, prices, price_of_money, settings)
    inside = np.flatnonzero(pool)
    if inside.shape[0] > settings.pool_limit:
        hope = accuracy - settings.prune_price * price_of_money * prices
        hope += settings.prune_error / np.sqrt(labels + 2.0)
        order = np.argsort(-hope[inside], kind="stable")
        pool[inside[order[settings.pool_limit :]]] = False
    return pool


def unproved(
    changes: Iterable[tuple[int, int]],
    tasks: int,
    labels: IntArray,
    worth: FloatArray,
    settings: PanelSettings,
) -> BoolArray:
    """Name the experts that turned bad and have not proved themselves since.

    Either too few of their answers have been graded, for too short a time, or they are still
    worth less than half of all experts are, by more than the error of their grades. However
    cheap it is, an expert that answers at random is not to be asked: to a model with one popular
    wrong answer its answers tell which that is, and nothing ungraded contradicts it.

    Parameters
    ----------
    changes : iterable of (int, int)
        Task number and expert of each change found.
    tasks : int
        Recorded so far.
    labels : int64[experts]
        Graded answers, since the change of those that changed.
    worth : float64[experts]
        Accuracy less price.

    Returns
    -------
    bool[experts]
    """
    weak = worth + settings.prune_error / np.sqrt(labels + 2.0) < np.median(worth)
    new = labels < settings.probation_grades
    waiting = np.zeros(labels.shape[0], np.bool_)
    for item, expert in changes:
        recent = tasks - item < settings.probation_tasks
        waiting[expert] |= weak[expert] or (recent and new[expert])
    return waiting
