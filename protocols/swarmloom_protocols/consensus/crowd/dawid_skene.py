"""Confusion matrices by expectation maximisation: Dawid–Skene, and its hierarchical form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.checks import positive
from swarmloom_protocols.consensus.crowd.fits import (
    Fit,
    class_prior,
    climb,
    evidence_start,
    vote_shares,
)
from swarmloom_protocols.consensus.crowd.vote_kernels import add_confusion, table_posteriors
from swarmloom_protocols.consensus.crowd.votes import CrowdVotes

__all__ = ["dawid_skene", "hierarchical_dawid_skene"]

FloatArray = NDArray[np.float64]

# Pseudo-items of each truth.
CLASS_SMOOTHING = 0.01


def dawid_skene(
    votes: CrowdVotes,
    *,
    smoothing: float = 0.01,
    most_iterations: int = 100,
    tolerance: float = 1e-4,
) -> Fit:
    """Estimate truths and a confusion matrix for each worker.

    A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates using the
    EM algorithm", Applied Statistics 28 (1979), 20–28, equations 2.3 to 2.5.

    Parameters
    ----------
    votes : CrowdVotes
        The votes; a history is added to each worker's counts.
    smoothing : float, optional
        Pseudo-votes in each cell of each matrix, and pseudo-items of each truth, above 0.
    most_iterations : int, optional
        Rounds at most.
    tolerance : float, optional
        Largest change of a probability that ends it.

    Returns
    -------
    Fit
        It climbs the log likelihood plus the log density of the pseudo-counts and the history.
    """
    positive("smoothing", smoothing)
    return _confusions(
        votes, votes.past_confusion() + smoothing, most_iterations, tolerance, smoothing
    )


def hierarchical_dawid_skene(
    votes: CrowdVotes,
    *,
    shrinkage: float = 4.0,
    most_iterations: int = 100,
    tolerance: float = 1e-4,
) -> Fit:
    """Estimate truths and confusion matrices that are shrunk towards the crowd's.

    As `dawid_skene`, with pseudo-votes for each truth that are distributed as all workers' votes
    on it are, the shares of the votes taken as truths. Workers with few votes then have the
    crowd's matrix; those with many have their own.

    Parameters
    ----------
    votes : CrowdVotes
        The votes; a history is added to each worker's counts.
    shrinkage : float, optional
        Pseudo-votes for each truth, above 0.
    most_iterations, tolerance : optional
        As in `dawid_skene`.

    Returns
    -------
    Fit
        It climbs the log likelihood plus the log density of the pseudo-votes and the history.
    """
    crowd = _expected(votes, vote_shares(votes)).sum(0) + 1.0 / votes.n_labels
    positive("shrinkage", shrinkage)
    prior = votes.past_confusion() + shrinkage * crowd / crowd.sum(0)
    return _confusions(votes, prior, most_iterations, tolerance, CLASS_SMOOTHING)


def _expected(votes: CrowdVotes, posterior: FloatArray) -> FloatArray:
    """Return expected counts of [worker, label, truth]."""
    counts = np.zeros(votes.table_shape())
    add_confusion(votes.starts, votes.workers, votes.labels, posterior, counts)
    return counts


def _confusions(
    votes: CrowdVotes,
    pseudo_votes: FloatArray,
    most_iterations: int,
    tolerance: float,
    smoothing: float,
) -> Fit:
    """Run expectation maximisation; pseudo-votes are of [worker, label, truth]."""

    def log_table(posterior: FloatArray) -> FloatArray:
        counts = _expected(votes, posterior)
        counts += pseudo_votes
        counts /= counts.sum(1, keepdims=True)
        return np.asarray(np.log(counts, out=counts))

    def step(posterior: FloatArray) -> tuple[FloatArray, float]:
        table, prior = log_table(posterior), class_prior(posterior, smoothing)
        following = np.empty_like(posterior)
        given = votes.starts, votes.workers, votes.labels, table, prior, votes.gold
        reached = table_posteriors(*given, following)
        penalty = np.vdot(pseudo_votes, table) + smoothing * prior.sum()
        return following, reached + float(penalty)

    fit = climb(step, evidence_start(votes), most_iterations, tolerance)
    confusion = np.exp(log_table(fit.posterior)).transpose(0, 2, 1)
    return replace(fit, confusion=np.ascontiguousarray(confusion))
