"""What truth inference returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.crowd.fits import Fit
from swarmloom_protocols.consensus.crowd.vote_kernels import add_right
from swarmloom_protocols.consensus.crowd.votes import UNKNOWN, CrowdVotes

__all__ = ["CrowdResult", "crowd_result"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Probabilities this close are a tie: their difference is rounding.
TIE = 1e-9
# Votes below which a low accuracy may be chance.
ENOUGH_VOTES = 5
# Of a worker's votes, the share of one label, and the chance of that for one who votes as all do,
# from which the worker is taken to press one key.
ONE_LABEL = 0.95
SELDOM = 1e-3


@dataclass(frozen=True, slots=True)
class CrowdResult:
    """Truths and workers, as votes show them.

    Attributes
    ----------
    posterior : ndarray of float64, shape (items, labels)
        Probability of each truth; rows sum to 1.
    answers : ndarray of int64, shape (items,)
        The most probable truths, the lowest label among equals.
    accuracy : ndarray of float64, shape (workers,)
        Expected share of right votes under the posterior, the history's included; NaN for who has
        no votes.
    confusion : ndarray of float64, shape (workers, labels, labels), or None
        Probability of [worker, truth, label], where the method estimates that.
    iterations : int
        Rounds done, the largest number where methods are joined.
    converged : bool
        Whether the last round changed next to nothing.
    log_likelihood : float
        What the method climbs, as its own page says; NaN where it climbs nothing.
    warnings : tuple of str
        What a reader should know before trusting this.
    """

    posterior: FloatArray
    answers: IntArray
    accuracy: FloatArray
    confusion: FloatArray | None
    iterations: int
    converged: bool
    log_likelihood: float
    warnings: tuple[str, ...]

    def share_right(self, truth: ArrayLike) -> float:
        """Return the share of right answers, ties counted in expectation.

        Parameters
        ----------
        truth : array-like of int, shape (items,)
            The right labels, −1 where unknown.

        Returns
        -------
        float
            NaN where no truth is known.

        Raises
        ------
        InputError
            The truths are not one for each item, or no labels.
        """
        right = np.asarray(truth, np.int64)
        n_labels = self.posterior.shape[1]
        if right.shape != self.answers.shape or right.max(initial=-1) >= n_labels:
            raise InputError(
                f"truth: shape {right.shape}, largest {right.max(initial=-1)}; allowed: a label"
                f" of 0 to {n_labels - 1}, or −1, for each of {self.answers.size} items"
            )
        known = np.flatnonzero(right >= 0)
        if known.size == 0:
            return float("nan")
        best = self.posterior >= self.posterior.max(1, keepdims=True) - TIE
        return float(np.mean(best[known, right[known]] / best[known].sum(1)))


def crowd_result(votes: CrowdVotes, fit: Fit) -> CrowdResult:
    """Complete what a method found: answers, accuracies, and warnings about the votes."""
    accuracy = _accuracy(votes, fit.posterior)
    best = fit.posterior >= fit.posterior.max(1, keepdims=True, initial=0.0) - TIE
    return CrowdResult(
        fit.posterior,
        best.argmax(1),
        accuracy,
        fit.confusion,
        fit.iterations,
        fit.converged,
        fit.log_likelihood,
        (*fit.warnings, *_warnings(votes, accuracy), *_unfinished(fit)),
    )


def _cast(votes: CrowdVotes) -> FloatArray:
    past: FloatArray = votes.past_votes().sum(1)
    return past + np.bincount(votes.workers, minlength=votes.n_workers)


def _accuracy(votes: CrowdVotes, posterior: FloatArray) -> FloatArray:
    right, cast = votes.past_votes()[:, 0].copy(), _cast(votes)
    add_right(votes.starts, votes.workers, votes.labels, posterior, right)
    accuracy = np.full(right.size, np.nan)
    np.divide(right, cast, out=accuracy, where=cast > 0)
    return accuracy


def _unfinished(fit: Fit) -> tuple[str, ...]:
    if fit.converged:
        return ()
    return (f"not converged after {fit.iterations} iterations",)


def _warnings(votes: CrowdVotes, accuracy: FloatArray) -> list[str]:
    said = []
    if votes.repeats:
        said.append(f"{votes.repeats} repeated votes of workers on the same item count fully")
    silent = int(np.count_nonzero((np.diff(votes.starts) == 0) & (votes.gold == UNKNOWN)))
    if silent:
        said.append(f"{silent} items have no votes")
    worse = (accuracy < 1 / votes.n_labels) & (_cast(votes) >= ENOUGH_VOTES)
    if worse.any():
        named = ", ".join(map(str, np.flatnonzero(worse)[:10]))
        said.append(f"{np.count_nonzero(worse)} workers are worse than chance: {named}")
    lazy = _one_label_workers(votes)
    if lazy.size:
        named = ", ".join(map(str, lazy[:10]))
        said.append(f"{lazy.size} workers give one label whatever the item: {named}")
    return said


def _one_label_workers(votes: CrowdVotes) -> IntArray:
    """Return who gives one label nearly always, seldom as that would be for the others' votes."""
    flat = np.bincount(
        votes.workers * votes.n_labels + votes.labels, minlength=votes.n_workers * votes.n_labels
    )
    counts = flat.reshape(votes.n_workers, votes.n_labels)
    cast, most = counts.sum(1), counts.max(1, initial=0)
    pressed = (cast > 0) & (most >= ONE_LABEL * cast)
    # A pseudo-vote for each label, for labels that the others give hardly ever.
    others = counts[~pressed].sum(0) + 1.0
    usual = (others / others.sum())[counts.argmax(1)]
    return np.flatnonzero(pressed & (binom.sf(most - 1, cast, usual) < SELDOM))
