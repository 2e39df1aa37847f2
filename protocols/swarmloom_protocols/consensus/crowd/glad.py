"""Hard and easy items: GLAD with steps in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.consensus.crowd.fits import Fit, climb, evidence_start
from swarmloom_protocols.consensus.crowd.glad_kernels import (
    SMALLEST,
    add_ability_terms,
    easiness_step,
    glad_posteriors,
)
from swarmloom_protocols.consensus.crowd.votes import CrowdVotes

__all__ = ["glad"]

FloatArray = NDArray[np.float64]

# Of the prior of easiness: items differ less than workers do.
PRECISION = 4.0


def glad(votes: CrowdVotes, *, most_iterations: int = 200, tolerance: float = 1e-4) -> Fit:
    """Estimate truths, the ability of each worker and the easiness of each item.

    A worker of ability α is right on an item of easiness β ≥ 0 with probability 1/(1 + e^(−αβ)),
    and else gives any of the other labels (J. Whitehill, P. Ruvolo, T. Wu, J. Bergsma and
    J. Movellan, "Whose vote should count more", NIPS 2009). Here α has the prior N(1, 1) and β
    N(1, ¼), where the original's β is the exponential of a normal number. All truths are equally
    likely beforehand: estimated shares feed on items that are too hard to tell. Instead of
    climbing gradients, each round maximises the quadratic bound of T. S. Jaakkola and M. I. Jordan
    ("Bayesian parameter estimation via variational methods", Statistics and Computing 10 (2000),
    equation 7) that touches the logistic function where it stands: one division for each worker
    and item.

    Parameters
    ----------
    votes : CrowdVotes
        The votes; those of a history are taken as on items of easiness 1.
    most_iterations : int, optional
        Rounds at most.
    tolerance : float, optional
        Largest change of a probability that ends it.

    Returns
    -------
    Fit
        It climbs the log likelihood plus the log densities of the priors and the history.
    """
    ability, easiness = np.ones(votes.n_workers), np.ones(votes.n_items)
    right, wrong = votes.past_votes().T
    cast = votes.starts, votes.workers, votes.labels
    prior = np.full(votes.n_labels, -np.log(votes.n_labels))

    def step(posterior: FloatArray) -> tuple[FloatArray, float]:
        touching = _tangents(ability)
        slope, curvature = 1 + (right - wrong) / 2, 1 + (right + wrong) * touching
        add_ability_terms(*cast, posterior, ability, easiness, slope, curvature)
        ability[:] = slope / curvature
        easiness_step(*cast, posterior, ability, PRECISION, easiness)
        following = np.empty_like(posterior)
        reached = glad_posteriors(*cast, ability, easiness, prior, votes.gold, following)
        return following, reached + _log_prior(ability, easiness, right, wrong)

    return climb(step, evidence_start(votes), most_iterations, tolerance)


def _tangents(ability: FloatArray) -> FloatArray:
    safe = np.where(np.abs(ability) < SMALLEST, 1.0, ability)
    return np.where(np.abs(ability) < SMALLEST, 0.25, np.tanh(safe / 2) / (2 * safe))


def _log_prior(
    ability: FloatArray, easiness: FloatArray, right: FloatArray, wrong: FloatArray
) -> float:
    past = right @ np.logaddexp(0, -ability) + wrong @ np.logaddexp(0, ability)
    squares = np.sum((ability - 1) ** 2) + PRECISION * np.sum((easiness - 1) ** 2)
    return -float(past + squares / 2)
