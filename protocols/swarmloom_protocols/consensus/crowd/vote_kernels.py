"""CPU kernels over votes sorted by item: posteriors of the truths and expected counts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = [
    "add_confusion",
    "add_right",
    "add_scores",
    "all_normalised",
    "coin_posteriors",
    "label_counts",
    "table_posteriors",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@kernel
def label_counts(starts: IntArray, labels: IntArray, counts: FloatArray) -> None:
    """Count each item's votes for each label.

    Parameters
    ----------
    starts : ndarray of int64, shape (items + 1,)
        Where each item's votes begin.
    labels : ndarray of int64, shape (votes,)
        The label of each vote.
    counts : ndarray of float64, shape (items, labels)
        Added to.
    """
    for i in range(starts.size - 1):
        for v in range(starts[i], starts[i + 1]):
            counts[i, labels[v]] += 1.0


@kernel
def normalised(scores: FloatArray, gold: int) -> float:
    """Turn an item's log joint probabilities into its posterior, in place.

    Parameters
    ----------
    scores : ndarray of float64, shape (labels,)
        Log joint probabilities of the votes and each truth.
    gold : int
        The truth where it is known, −1 where not.

    Returns
    -------
    float
        The log probability of the votes, and of the truth where it is known.
    """
    if gold >= 0:
        joint = float(scores[gold])
        scores[:] = 0.0
        scores[gold] = 1.0
        return joint
    most = -math.inf
    for k in range(scores.size):
        most = max(most, scores[k])
    total = 0.0
    for k in range(scores.size):
        scores[k] = math.exp(scores[k] - most)
        total += scores[k]
    for k in range(scores.size):
        scores[k] /= total
    return most + math.log(total)


@kernel
def all_normalised(scores: FloatArray, gold: IntArray) -> float:
    """Turn all items' log joint probabilities into posteriors, as `normalised` does; their sum."""
    total = 0.0
    for i in range(gold.size):
        total += normalised(scores[i], gold[i])
    return total


@kernel
def add_scores(
    starts: IntArray, workers: IntArray, labels: IntArray, table: FloatArray, scores: FloatArray
) -> None:
    """Add to each item's scores the row of the table of each of its votes.

    Parameters
    ----------
    starts, workers, labels : ndarray of int64
        The votes.
    table : ndarray of float64, shape (workers, labels, width)
        What a vote adds.
    scores : ndarray of float64, shape (items, width)
        Added to.
    """
    for i in range(starts.size - 1):
        score = scores[i]
        for v in range(starts[i], starts[i + 1]):
            row = table[workers[v], labels[v]]
            for c in range(row.size):
                score[c] += row[c]


@kernel
def table_posteriors(
    starts: IntArray,
    workers: IntArray,
    labels: IntArray,
    log_table: FloatArray,
    log_prior: FloatArray,
    gold: IntArray,
    posterior: FloatArray,
) -> float:
    """Infer each item's truth from confusion matrices.

    Parameters
    ----------
    starts, workers, labels : ndarray of int64
        The votes.
    log_table : ndarray of float64, shape (workers, labels, labels)
        Log probability of [worker, label, truth].
    log_prior : ndarray of float64, shape (labels,)
        Log probability of each truth.
    gold : ndarray of int64, shape (items,)
        Known truths, −1 where unknown.
    posterior : ndarray of float64, shape (items, labels)
        Overwritten.

    Returns
    -------
    float
        The log likelihood of votes and known truths.
    """
    posterior[:] = log_prior
    add_scores(starts, workers, labels, log_table, posterior)
    return all_normalised(posterior, gold)


@kernel
def coin_posteriors(
    starts: IntArray,
    workers: IntArray,
    labels: IntArray,
    log_right: FloatArray,
    log_wrong: FloatArray,
    log_prior: FloatArray,
    gold: IntArray,
    posterior: FloatArray,
) -> float:
    """Infer each item's truth from accuracies, all wrong labels being equally likely.

    Parameters
    ----------
    log_right, log_wrong : ndarray of float64, shape (workers,)
        Log probabilities of the right label and of each single wrong one.
    starts, workers, labels, log_prior, gold, posterior
        As in `table_posteriors`.

    Returns
    -------
    float
        The log likelihood of votes and known truths.
    """
    posterior[:] = log_prior
    all_wrong = 0.0
    for i in range(starts.size - 1):
        scores = posterior[i]
        for v in range(starts[i], starts[i + 1]):
            worker = workers[v]
            all_wrong += log_wrong[worker]
            scores[labels[v]] += log_right[worker] - log_wrong[worker]
    return all_wrong + all_normalised(posterior, gold)


@kernel
def add_confusion(
    starts: IntArray, workers: IntArray, labels: IntArray, posterior: FloatArray, table: FloatArray
) -> None:
    """Add the expected counts of labels given for each truth.

    Parameters
    ----------
    starts, workers, labels : ndarray of int64
        The votes.
    posterior : ndarray of float64, shape (items, truths)
        Probabilities of the truths.
    table : ndarray of float64, shape (workers, labels, truths)
        Added to.
    """
    for i in range(starts.size - 1):
        for v in range(starts[i], starts[i + 1]):
            row = table[workers[v], labels[v]]
            for k in range(row.size):
                row[k] += posterior[i, k]


@kernel
def add_right(
    starts: IntArray, workers: IntArray, labels: IntArray, posterior: FloatArray, right: FloatArray
) -> None:
    """Add the expected counts of right votes, shape (workers,); arguments as `add_confusion`'s."""
    for i in range(starts.size - 1):
        for v in range(starts[i], starts[i + 1]):
            right[workers[v]] += posterior[i, labels[v]]
