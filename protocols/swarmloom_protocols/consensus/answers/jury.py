"""Identities about crowds that hold exactly: Condorcet's jury and Page's diversity prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, whole

__all__ = ["Diversity", "condorcet", "diversity_prediction"]


def condorcet(n_voters: int, accuracy: float) -> float:
    """Return the chance that the majority of independent voters is right, between two answers.

    Parameters
    ----------
    n_voters : int
        From 1; of an even number, ties are decided by a fair coin.
    accuracy : float
        Of each voter, 0 to 1.

    Returns
    -------
    float
        Σ_{k > n/2} C(n, k) pᵏ (1 − p)ⁿ⁻ᵏ (Condorcet 1785); 0.753498 for 11 voters of 0.6.

    Raises
    ------
    InputError
        An argument is out of bounds.
    """
    n, p = whole("n_voters", n_voters, 1), between("accuracy", accuracy, 0.0, 1.0)
    tie = 0.5 * float(binom.pmf(n // 2, n, p)) if n % 2 == 0 else 0.0
    return float(binom.sf(n // 2, n, p)) + tie


@dataclass(frozen=True, slots=True)
class Diversity:
    """The three terms of Page's diversity prediction theorem.

    Attributes
    ----------
    crowd_error : float
        Squared error of the crowd's (weighted) mean.
    individual_error : float
        (Weighted) mean of the individuals' squared errors.
    diversity : float
        (Weighted) variance of the predictions about their mean: crowd error = individual error −
        diversity, whatever the numbers are.
    """

    crowd_error: float
    individual_error: float
    diversity: float


def diversity_prediction(
    predictions: ArrayLike, truth: float, weights: ArrayLike | None = None
) -> Diversity:
    """Split a crowd's squared error into that of its members less their diversity (Page 2007).

    Parameters
    ----------
    predictions : array-like of float, shape (agents,)
        Finite.
    truth : float
        Finite.
    weights : array-like of float, shape (agents,), optional
        From 0, not all 0; equal by default.

    Returns
    -------
    Diversity

    Raises
    ------
    InputError
        The predictions are empty or not finite, or the weights do not fit.
    """
    given = np.asarray(predictions, np.float64)
    if given.ndim != 1 or not given.size or not np.isfinite(given).all():
        raise InputError(f"predictions: {given}; allowed: a vector of finite numbers")
    goal = between("truth", truth, -math.inf)
    w = np.ones(given.size) if weights is None else np.asarray(weights, np.float64)
    if w.shape != given.shape or not (w >= 0.0).all() or not 0.0 < w.sum() < math.inf:
        raise InputError(f"weights: {w}; allowed: {given.size} numbers from 0, not all 0")
    shares = w / w.sum()
    mean = float(shares @ given)
    return Diversity(
        (mean - goal) ** 2,
        float(shares @ (given - goal) ** 2),
        float(shares @ (given - mean) ** 2),
    )
