"""Whom the panel considers at all, and how boldly."""

from __future__ import annotations

import numpy as np

from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.panel_learning import Rates, shifted_rates
from swarmloom_protocols.consensus.panel_likelihood import RIGHT
from swarmloom_protocols.consensus.panel_settings import PanelSettings

__all__ = ["choose_pool", "estimated_accuracy", "explored"]


def estimated_accuracy(rates: Rates) -> FloatArray:
    """Probability of each expert to be right, all topics weighing the same.

    Returns
    -------
    float64[experts]
    """
    accuracy: FloatArray = rates.outcome[..., RIGHT] @ rates.difficulty.mean(axis=0)
    return accuracy


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


def choose_pool(
    accuracy: FloatArray,
    labels: IntArray,
    prices: FloatArray,
    price_of_money: float,
    settings: PanelSettings,
) -> BoolArray:
    """Leave out experts that two others, no dearer, beat by more than the error.

    Choosing among many candidates favours those whose luck was good; a short pool does not.
    The pool is chosen anew at every refit, so nobody is out for ever.

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
    error = settings.prune_error / np.sqrt(labels + 2.0)
    worth = accuracy - settings.prune_price * price_of_money * prices
    lead = worth[:, None] - worth[None, :]
    beats = (lead > np.hypot(error[:, None], error[None, :])) & (prices[:, None] <= prices[None, :])
    np.fill_diagonal(beats, False)
    pool: BoolArray = beats.sum(axis=0) < 2
    inside = np.flatnonzero(pool)
    if inside.shape[0] > settings.pool_limit:
        hopeful = worth[inside] + error[inside]
        pool[inside[np.argsort(-hopeful, kind="stable")[settings.pool_limit :]]] = False
    return pool
