"""What every method of truth inference shares: the loop, its result, and where it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus.crowd.vote_kernels import coin_posteriors, label_counts
from swarmloom_protocols.consensus.crowd.votes import UNKNOWN, CrowdVotes

__all__ = ["Fit", "class_prior", "climb", "evidence_start", "known_accuracy", "vote_shares"]

FloatArray = NDArray[np.float64]

# Pseudo-votes at the accuracy that all workers share, of a worker of whom little is known.
SHARED_VOTES = 4.0


@dataclass(frozen=True, slots=True)
class Fit:
    """What a method found.

    Attributes
    ----------
    posterior : ndarray of float64, shape (items, labels)
        Probability of each truth.
    confusion : ndarray of float64, shape (workers, labels, labels), or None
        Probability of a label, [worker, truth, label], where the method estimates that.
    iterations : int
        Rounds done.
    converged : bool
        The last round changed no probability by more than the tolerance.
    log_likelihood : float
        What the method climbs, as it says; NaN where it climbs nothing.
    warnings : tuple of str
        What a reader should know.
    """

    posterior: FloatArray
    confusion: FloatArray | None = None
    iterations: int = 0
    converged: bool = True
    log_likelihood: float = float("nan")
    warnings: tuple[str, ...] = field(default=())


def climb(
    step: Callable[[FloatArray], tuple[FloatArray, float]],
    start: FloatArray,
    most_iterations: int,
    tolerance: float,
) -> Fit:
    """Repeat a step until it changes no probability by more than the tolerance.

    Parameters
    ----------
    step : callable
        Takes a posterior; returns the next one, in another array, and what the method climbs.
    start : ndarray of float64, shape (items, labels)
        The first posterior.
    most_iterations : int
        Rounds at most.
    tolerance : float
        Largest change of a probability that ends it.

    Returns
    -------
    Fit
    """
    whole("most_iterations", most_iterations, 1)
    posterior, reached, change, done = start, float("nan"), np.inf, 0
    while done < most_iterations and change > tolerance:
        following, reached = step(posterior)
        change = float(np.abs(following - posterior).max(initial=0.0))
        posterior, done = following, done + 1
    return Fit(posterior, None, done, change <= tolerance, reached)


def vote_shares(votes: CrowdVotes) -> FloatArray:
    """Return the share of each item's votes that each label has.

    Returns
    -------
    ndarray of float64, shape (items, labels)
        Even shares where an item has no votes; 1 for known truths.
    """
    shares = np.zeros((votes.n_items, votes.n_labels))
    label_counts(votes.starts, votes.labels, shares)
    shares[np.diff(votes.starts) == 0] = 1.0
    shares /= shares.sum(1, keepdims=True)
    return _with_gold(votes, shares)


def _with_gold(votes: CrowdVotes, posterior: FloatArray) -> FloatArray:
    known = np.flatnonzero(votes.gold != UNKNOWN)
    posterior[known] = 0.0
    posterior[known, votes.gold[known]] = 1.0
    return posterior


def known_accuracy(votes: CrowdVotes) -> FloatArray | None:
    """Estimate accuracies from gold items and history alone.

    Each worker's counts are joined with a few pseudo-votes at the accuracy that all workers show
    together, so that who is unknown counts as one of them.

    Returns
    -------
    ndarray of float64, shape (workers,), or None
        Within (0, 1); None where nothing is known.
    """
    counts = votes.past_votes() + votes.gold_votes()
    if counts.sum() == 0:
        return None
    right, wrong = counts.sum(0)
    shared = (right + 1) / (right + wrong + 2)
    return np.asarray((counts[:, 0] + SHARED_VOTES * shared) / (counts.sum(1) + SHARED_VOTES))


def evidence_start(votes: CrowdVotes) -> FloatArray:
    """Return where methods start: weighted votes where accuracies are known, else vote shares.

    Returns
    -------
    ndarray of float64, shape (items, labels)
    """
    accuracy = known_accuracy(votes)
    if accuracy is None:
        return vote_shares(votes)
    return by_accuracy(votes, accuracy)[0]


def by_accuracy(votes: CrowdVotes, accuracy: FloatArray) -> tuple[FloatArray, float]:
    """Apply Bayes' rule with accuracies, even errors and an even prior.

    Parameters
    ----------
    votes : CrowdVotes
        The votes.
    accuracy : ndarray of float64, shape (workers,)
        Within (0, 1).

    Returns
    -------
    posterior : ndarray of float64, shape (items, labels)
    float
        The log likelihood.
    """
    posterior = np.empty((votes.n_items, votes.n_labels))
    prior = np.full(votes.n_labels, -np.log(votes.n_labels))
    return posterior, coin_posteriors(
        votes.starts,
        votes.workers,
        votes.labels,
        np.log(accuracy),
        np.log((1 - accuracy) / max(1, votes.n_labels - 1)),
        prior,
        votes.gold,
        posterior,
    )


def class_prior(posterior: FloatArray, smoothing: float) -> FloatArray:
    """Return the log share of each truth, with a pseudo-item of `smoothing` for each.

    Returns
    -------
    ndarray of float64, shape (labels,)
    """
    counts = posterior.sum(0) + smoothing
    return np.asarray(np.log(counts / counts.sum()))
