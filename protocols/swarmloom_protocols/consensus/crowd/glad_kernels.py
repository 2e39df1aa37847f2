"""CPU kernels of `glad`: closed-form steps of abilities and easiness, and the posterior."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.consensus.crowd.vote_kernels import all_normalised

__all__ = ["SMALLEST", "add_ability_terms", "easiness_step", "glad_posteriors"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Below this, tanh(x/2)/(2x) is ¼ to rounding.
SMALLEST = 1e-6


@kernel
def log_sigmoid(x: float) -> float:
    """Return log(1/(1 + e⁻ˣ)) without overflow."""
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))


@kernel
def tangent(x: float) -> float:
    """Return tanh(x/2)/(2x), twice the λ of Jaakkola and Jordan's bound that touches at x."""
    return 0.25 if abs(x) < SMALLEST else math.tanh(0.5 * x) / (2.0 * x)


@kernel
def add_ability_terms(
    starts: IntArray,
    workers: IntArray,
    labels: IntArray,
    posterior: FloatArray,
    ability: FloatArray,
    easiness: FloatArray,
    slope: FloatArray,
    curvature: FloatArray,
) -> None:
    """Add what the votes say to the quadratics whose maxima are the next abilities.

    Parameters
    ----------
    starts, workers, labels : ndarray of int64
        The votes.
    posterior : ndarray of float64, shape (items, labels)
        Probabilities of the truths.
    ability : ndarray of float64, shape (workers,)
        Where the bounds touch.
    easiness : ndarray of float64, shape (items,)
        Of the items.
    slope, curvature : ndarray of float64, shape (workers,)
        Added to.
    """
    for i in range(starts.size - 1):
        for v in range(starts[i], starts[i + 1]):
            worker = workers[v]
            slope[worker] += (posterior[i, labels[v]] - 0.5) * easiness[i]
            curvature[worker] += tangent(ability[worker] * easiness[i]) * easiness[i] ** 2


@kernel
def easiness_step(
    starts: IntArray,
    workers: IntArray,
    labels: IntArray,
    posterior: FloatArray,
    ability: FloatArray,
    precision: float,
    easiness: FloatArray,
) -> None:
    """Replace each item's easiness by the maximum of its quadratic, 0 where that is below 0.

    Parameters
    ----------
    starts, workers, labels, posterior, ability
        As in `add_ability_terms`.
    precision : float
        Of the prior, whose mean is 1.
    easiness : ndarray of float64, shape (items,)
        Overwritten.
    """
    for i in range(starts.size - 1):
        slope, curvature = precision, precision
        for v in range(starts[i], starts[i + 1]):
            able = ability[workers[v]]
            slope += (posterior[i, labels[v]] - 0.5) * able
            curvature += tangent(able * easiness[i]) * able**2
        easiness[i] = max(0.0, slope / curvature)


@kernel
def glad_posteriors(
    starts: IntArray,
    workers: IntArray,
    labels: IntArray,
    ability: FloatArray,
    easiness: FloatArray,
    log_prior: FloatArray,
    gold: IntArray,
    posterior: FloatArray,
) -> float:
    """Infer each item's truth; overwrite the posterior and return the log likelihood."""
    total, others = 0.0, math.log(max(1, posterior.shape[1] - 1))
    posterior[:] = log_prior
    for i in range(starts.size - 1):
        scores = posterior[i]
        for v in range(starts[i], starts[i + 1]):
            logit = ability[workers[v]] * easiness[i]
            scores[labels[v]] += logit + others
            total += log_sigmoid(-logit) - others
    return total + all_normalised(posterior, gold)
