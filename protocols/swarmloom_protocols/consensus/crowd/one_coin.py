"""One accuracy for each worker: estimated with the truths, or known beforehand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive
from swarmloom_protocols.consensus.crowd.fits import (
    Fit,
    by_accuracy,
    class_prior,
    climb,
    evidence_start,
    known_accuracy,
    vote_shares,
)
from swarmloom_protocols.consensus.crowd.vote_kernels import add_right, coin_posteriors
from swarmloom_protocols.consensus.crowd.votes import CrowdVotes

__all__ = ["log_odds", "majority", "one_coin"]

FloatArray = NDArray[np.float64]


def majority(votes: CrowdVotes) -> Fit:
    """Take the shares of the votes as probabilities.

    Returns
    -------
    Fit
        Known truths have probability 1, and change nothing else.
    """
    return Fit(vote_shares(votes))


def log_odds(votes: CrowdVotes) -> Fit:
    """Weigh votes by the accuracies that gold items and history show.

    Bayes' rule for independent workers, whose wrong votes fall evenly on the wrong labels: each
    vote weighs log(p·(K − 1)/(1 − p)), which is negative for who is worse than chance (S. Nitzan
    and J. Paroush, International Economic Review 23 (1982), 289–297, for two labels).

    Returns
    -------
    Fit
        With the log likelihood of the votes.

    Raises
    ------
    InputError
        Neither gold items with votes nor a history are given.
    """
    accuracy = known_accuracy(votes)
    if accuracy is None:
        raise InputError('method "log_odds" needs gold items that were voted on, or a history')
    posterior, reached = by_accuracy(votes, accuracy)
    return Fit(posterior, log_likelihood=reached)


def one_coin(
    votes: CrowdVotes,
    *,
    right: float = 2.0,
    wrong: float = 1.0,
    most_iterations: int = 100,
    tolerance: float = 1e-4,
) -> Fit:
    """Estimate truths and one accuracy for each worker.

    The model of Dawid and Skene with one parameter a worker: right with probability p, else any
    of the other labels (Y. Zhang, X. Chen, D. Zhou and M. I. Jordan, "Spectral methods meet EM",
    Journal of Machine Learning Research 17 (2016), section 2).

    Parameters
    ----------
    votes : CrowdVotes
        The votes; a history is added to each worker's counts.
    right, wrong : float, optional
        Pseudo-votes of each worker, above 0.
    most_iterations : int, optional
        Rounds at most.
    tolerance : float, optional
        Largest change of a probability that ends it.

    Returns
    -------
    Fit
        It climbs the log likelihood plus the log density of the pseudo-votes and the history.
    """
    own = np.array([positive("right", right), positive("wrong", wrong)])
    pseudo_votes = votes.past_votes() + own
    cast = np.bincount(votes.workers, minlength=votes.n_workers) + pseudo_votes.sum(1)
    others = max(1, votes.n_labels - 1)

    def step(posterior: FloatArray) -> tuple[FloatArray, float]:
        hits = pseudo_votes[:, 0].copy()
        add_right(votes.starts, votes.workers, votes.labels, posterior, hits)
        hit, miss = np.log(hits / cast), np.log(np.maximum(cast - hits, 1e-300) / cast)
        prior = class_prior(posterior, 0.01)
        following = np.empty_like(posterior)
        given = votes.starts, votes.workers, votes.labels, hit, miss - np.log(others), prior
        reached = coin_posteriors(*given, votes.gold, following)
        penalty = pseudo_votes[:, 0] @ hit + pseudo_votes[:, 1] @ miss + 0.01 * prior.sum()
        return following, reached + float(penalty)

    return climb(step, evidence_start(votes), most_iterations, tolerance)
