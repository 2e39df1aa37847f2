"""Correlated workers: enhanced Bayesian classifier combination, by variational inference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from swarmloom.errors import MemoryLimitError
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.consensus.crowd.fits import Fit, evidence_start, vote_shares
from swarmloom_protocols.consensus.crowd.vote_kernels import add_confusion, add_scores
from swarmloom_protocols.consensus.crowd.votes import MOST_TABLE_ELEMENTS, UNKNOWN, CrowdVotes

__all__ = ["ebcc"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Priors:
    """Pseudo-counts of the three kinds of Dirichlet distributions.

    Attributes
    ----------
    classes : ndarray of float64, shape (labels,)
        Items of each truth.
    subtypes : float
        Items of each subtype of a truth.
    labels : ndarray of float64, shape (workers, labels, labels · subtypes)
        Votes of each worker, [worker, label, truth and subtype].
    """

    classes: FloatArray
    subtypes: float
    labels: FloatArray


def ebcc(
    votes: CrowdVotes,
    *,
    rng: np.random.Generator,
    subtypes: int = 5,
    right: float = 4.0,
    wrong: float = 1.0,
    concentration: float = 0.1,
    most_iterations: int = 500,
    tolerance: float = 1e-3,
) -> Fit:
    """Estimate truths where workers make the same mistakes.

    Items of one truth fall into subtypes, and each worker has a confusion matrix for each: errors
    that come together are explained by a hard subtype rather than counted as independent.
    Y. Li, B. I. P. Rubinstein and T. Cohn, "Exploiting worker correlation for label aggregation in
    crowdsourcing", ICML 2019 (PMLR 97, 3886–3895), mean-field updates of section 4, with the
    empirical prior of the truths.

    Parameters
    ----------
    votes : CrowdVotes
        The votes; a history is added to each worker's pseudo-votes for every subtype.
    rng : numpy.random.Generator
        Draws the first subtypes.
    subtypes : int, optional
        Of each truth; the authors take 10, which costs twice as much and was no better here.
    right, wrong : float, optional
        Pseudo-votes of each worker for the truth and for each other label.
    concentration : float, optional
        Pseudo-items of each truth, spread over its subtypes; below 1, few are used.
    most_iterations : int, optional
        Rounds at most.
    tolerance : float, optional
        Largest change of a truth's probability that ends it.

    Returns
    -------
    Fit
        It climbs the evidence lower bound of the log likelihood, of votes and known truths.

    Raises
    ------
    InputError
        A number is not above 0.
    MemoryLimitError
        The tables of workers, labels and subtypes would not fit.
    """
    whole("subtypes", subtypes, 1)
    whole("most_iterations", most_iterations, 1)
    priors = _priors(
        votes,
        subtypes,
        positive("right", right),
        positive("wrong", wrong),
        positive("concentration", concentration),
    )
    truth = evidence_start(votes)
    shares = rng.dirichlet(np.ones(subtypes), truth.shape) * truth[:, :, None]
    change, done = np.inf, 0
    while done < most_iterations and change > tolerance:
        shares = _expected_subtypes(votes, shares, priors)
        following = shares.sum(2)
        change = float(np.abs(following - truth).max(initial=0.0))
        truth, done = following, done + 1
    bound = _evidence(votes, shares, priors)
    confusion = _confusion(votes, truth, right, wrong)
    return Fit(truth, confusion, done, change <= tolerance, bound)


def _priors(
    votes: CrowdVotes, subtypes: int, right: float, wrong: float, concentration: float
) -> Priors:
    _refuse_large(votes, subtypes)
    own = _pseudo_votes(votes, right, wrong)
    # A truth that nobody voted for would have a class of its own with no pseudo-items.
    classes = np.maximum(vote_shares(votes).sum(0), 1e-2)
    return Priors(classes, concentration / subtypes, np.repeat(own, subtypes, axis=2))


def _refuse_large(votes: CrowdVotes, subtypes: int) -> None:
    votes.table_shape(subtypes)
    elements = votes.n_items * votes.n_labels * subtypes
    if elements > MOST_TABLE_ELEMENTS:
        raise MemoryLimitError(
            f"{elements} items × labels × subtypes; allowed: up to {MOST_TABLE_ELEMENTS}"
        )


def _pseudo_votes(votes: CrowdVotes, right: float, wrong: float) -> FloatArray:
    return votes.past_confusion() + wrong + (right - wrong) * np.eye(votes.n_labels)


def _posterior_counts(
    votes: CrowdVotes, shares: FloatArray, priors: Priors
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the parameters of the Dirichlet distributions of truths, subtypes and labels."""
    table = priors.labels.copy()
    flat = shares.reshape(votes.n_items, table.shape[2])
    add_confusion(votes.starts, votes.workers, votes.labels, flat, table)
    sizes = shares.sum(0)
    return priors.classes + sizes.sum(1), priors.subtypes + sizes, table


def _mean_log(counts: FloatArray, axis: int) -> FloatArray:
    """Return the mean logarithm of what is Dirichlet distributed along an axis."""
    return np.asarray(digamma(counts) - digamma(counts.sum(axis, keepdims=True)))


def _expected_subtypes(votes: CrowdVotes, shares: FloatArray, priors: Priors) -> FloatArray:
    """Return the next probabilities of [item, truth, subtype]."""
    classes, sizes, table = _posterior_counts(votes, shares, priors)
    prior = _mean_log(classes, 0)[:, None] + _mean_log(sizes, 1)
    scores = np.empty((votes.n_items, prior.size))
    scores[:] = prior.ravel()
    add_scores(votes.starts, votes.workers, votes.labels, _mean_log(table, 1), scores)
    following = scores.reshape(shares.shape)
    known = np.flatnonzero(votes.gold != UNKNOWN)
    own = following[known, votes.gold[known]]
    following[known] = -np.inf
    following[known, votes.gold[known]] = own
    following -= following.max((1, 2), keepdims=True)
    np.exp(following, out=following)
    following /= following.sum((1, 2), keepdims=True)
    return following


def _evidence(votes: CrowdVotes, shares: FloatArray, priors: Priors) -> float:
    """Return the evidence lower bound at the best parameters for the subtypes."""
    classes, sizes, table = _posterior_counts(votes, shares, priors)
    gained = _log_beta(classes, 0) - _log_beta(priors.classes, 0)
    gained += _log_beta(sizes, 1) - _log_beta(np.full_like(sizes, priors.subtypes), 1)
    gained += _log_beta(table, 1) - _log_beta(priors.labels, 1)
    taken = shares[shares > 0]
    return gained - float(taken @ np.log(taken))


def _log_beta(counts: FloatArray, axis: int) -> float:
    """Return the sum of the logarithms of Dirichlet distributions' normalising constants."""
    return math.fsum((gammaln(counts).sum(axis) - gammaln(counts.sum(axis))).ravel())


def _confusion(votes: CrowdVotes, truth: FloatArray, right: float, wrong: float) -> FloatArray:
    """Return each worker's confusion matrix over all subtypes, [worker, truth, label]."""
    table = _pseudo_votes(votes, right, wrong)
    add_confusion(votes.starts, votes.workers, votes.labels, truth, table)
    table /= table.sum(1, keepdims=True)
    return np.ascontiguousarray(table.transpose(0, 2, 1))
