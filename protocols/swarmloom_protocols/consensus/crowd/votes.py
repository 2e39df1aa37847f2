"""Votes of workers on items, checked and sorted by item, with what is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError, MemoryLimitError
from swarmloom_protocols.checks import whole

__all__ = ["CrowdVotes", "crowd_votes"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

UNKNOWN = -1
# Above this many, a table of workers × labels × labels leaves ordinary machines.
MOST_TABLE_ELEMENTS = 1 << 27
# Counts beyond this would swallow the votes' in rounding.
MOST_PAST_VOTES = 1e15


@dataclass(frozen=True, slots=True)
class CrowdVotes:
    """Checked votes, sorted by item.

    Attributes
    ----------
    starts : ndarray of int64, shape (items + 1,)
        The votes on item i are those from ``starts[i]`` to ``starts[i + 1]``.
    workers, labels : ndarray of int64, shape (votes,)
        Who voted, and for which label.
    n_workers, n_labels : int
        Workers, some perhaps without a vote; labels, some perhaps never used.
    gold : ndarray of int64, shape (items,)
        Known truths, −1 where unknown.
    history : ndarray of float64, shape (workers, 2) or (workers, labels, labels), or None
        Counts of earlier votes: right and wrong ones, or [worker, truth, label].
    repeats : int
        Votes beyond a worker's first on the same item.
    """

    starts: IntArray
    workers: IntArray
    labels: IntArray
    n_workers: int
    n_labels: int
    gold: IntArray
    history: FloatArray | None
    repeats: int

    @property
    def n_items(self) -> int:
        """Return the number of items, some perhaps without a vote."""
        return self.starts.size - 1

    def gold_votes(self) -> FloatArray:
        """Count each worker's right and wrong votes on items with known truth.

        Returns
        -------
        ndarray of float64, shape (workers, 2)
        """
        truth = np.repeat(self.gold, np.diff(self.starts))
        known = truth != UNKNOWN
        wrong = (truth != self.labels)[known].astype(np.int64)
        flat = np.bincount(2 * self.workers[known] + wrong, minlength=2 * self.n_workers)
        return flat.reshape(self.n_workers, 2).astype(np.float64)

    def past_votes(self) -> FloatArray:
        """Return the history as counts of right and wrong votes.

        Returns
        -------
        ndarray of float64, shape (workers, 2)
            Zeros where there is no history.
        """
        if self.history is None:
            return np.zeros((self.n_workers, 2))
        if self.history.ndim == 2:
            return self.history
        right = np.trace(self.history, axis1=1, axis2=2)
        return np.stack([right, self.history.sum((1, 2)) - right], axis=1)

    def past_confusion(self) -> FloatArray:
        """Return the history as counts of labels given for each truth.

        Returns
        -------
        ndarray of float64, shape (workers, labels, labels)
            [worker, label, truth], the kernels' order. Right and wrong counts are spread evenly
            over truths, and wrong ones over the other labels; zeros where there is no history.
        """
        size = self.table_shape()
        if self.history is None:
            return np.zeros(size)
        if self.history.ndim == 3:
            return np.ascontiguousarray(self.history.transpose(0, 2, 1))
        right, wrong = self.history[:, 0], self.history[:, 1]
        table = np.empty(size)
        table[...] = (wrong / (self.n_labels * max(1, self.n_labels - 1)))[:, None, None]
        each = np.arange(self.n_labels)
        table[:, each, each] = right[:, None] / self.n_labels
        return table

    def table_shape(self, depth: int = 1) -> tuple[int, int, int]:
        """Return the shape (workers, labels, labels × depth) of a table that fits into memory."""
        if self.n_workers * self.n_labels**2 * depth > MOST_TABLE_ELEMENTS:
            raise MemoryLimitError(
                f"confusion matrices of {self.n_workers} workers with {self.n_labels} labels would"
                f" have more than {MOST_TABLE_ELEMENTS} elements; methods without them are"
                ' "majority", "one_coin", "glad" and "log_odds"'
            )
        return self.n_workers, self.n_labels, self.n_labels * depth


def crowd_votes(
    items: ArrayLike,
    workers: ArrayLike,
    labels: ArrayLike,
    *,
    n_labels: int | None = None,
    gold: ArrayLike | None = None,
    history: ArrayLike | None = None,
) -> CrowdVotes:
    """Check votes and sort them by item.

    Parameters
    ----------
    items, workers, labels : array-like of int, shape (votes,)
        One vote each: rows of items and workers from 0, and labels 0 to `n_labels` − 1. Repeated
        votes of a worker on an item all count, as votes of their own.
    n_labels : int, optional
        Labels there are; one more than the largest used by default.
    gold : array-like of int, shape (items,), optional
        Known truths, −1 where unknown. May be longer or shorter than the items with votes.
    history : array-like of float, shape (workers, 2) or (workers, labels, labels), optional
        Counts, 0 to 1e15, of earlier votes: right and wrong ones, or [worker, truth, label]. May
        name more workers than those with votes, never fewer.

    Returns
    -------
    CrowdVotes

    Raises
    ------
    InputError
        The columns are not whole numbers of one length, a number is out of range, or the history
        is no array of counts.
    MemoryLimitError
        There would be too many items × labels, or workers.
    """
    columns = [_numbers(*pair) for pair in _named(items, workers, labels)]
    if len({column.size for column in columns}) > 1:
        sizes = ", ".join(str(column.size) for column in columns)
        raise InputError(f"items, workers and labels differ in length: {sizes}")
    item, worker, label = columns
    truths = np.empty(0, np.int64) if gold is None else _numbers("gold", gold, UNKNOWN)
    count = _label_count(n_labels, label, truths)
    past = None if history is None else _counts(history, worker, count)
    n_workers = int(worker.max(initial=-1)) + 1 if past is None else past.shape[0]
    n_items = max(int(item.max(initial=-1)) + 1, truths.size)
    if n_items * count > MOST_TABLE_ELEMENTS or n_workers > MOST_TABLE_ELEMENTS:
        raise MemoryLimitError(
            f"{n_items} items with {count} labels and {n_workers} workers; allowed: up to"
            f" {MOST_TABLE_ELEMENTS} items × labels, and workers; rows count from 0 without gaps"
        )
    order = np.lexsort((worker, item))
    known = np.full(n_items, UNKNOWN, np.int64)
    known[: truths.size] = truths
    starts = np.zeros(n_items + 1, np.int64)
    np.cumsum(np.bincount(item, minlength=n_items), out=starts[1:])
    item, worker, label = item[order], worker[order], label[order]
    again = _repeats(item, worker)
    return CrowdVotes(starts, worker, label, n_workers, count, known, past, again)


def _named(*columns: ArrayLike) -> list[tuple[str, ArrayLike]]:
    return list(zip(("items", "workers", "labels"), columns, strict=True))


def _numbers(name: str, values: ArrayLike, least: int = 0) -> IntArray:
    """Return a vector of whole numbers from `least`; an empty one may be of any kind."""
    vector = np.asarray(values)
    if vector.ndim != 1 or (vector.size and vector.dtype.kind not in "iu"):
        raise InputError(
            f"{name}: shape {vector.shape} of {vector.dtype}; allowed: a vector of whole numbers"
        )
    if vector.size and (vector.min() < least or vector.max() > np.iinfo(np.int64).max):
        raise InputError(f"{name} has {vector.min()}; allowed: whole numbers from {least}")
    return vector.astype(np.int64)


def _label_count(n_labels: int | None, labels: IntArray, gold: IntArray) -> int:
    largest = max(int(labels.max(initial=-1)), int(gold.max(initial=-1)))
    if n_labels is None and largest < 0:
        raise InputError("n_labels is needed where there are no votes")
    count = largest + 1 if n_labels is None else whole("n_labels", n_labels, 1)
    if largest >= count:
        name = "labels" if labels.max(initial=-1) >= count else "gold"
        raise InputError(f"{name} has {largest}; allowed: 0 to {count - 1}")
    return count


def _counts(history: ArrayLike, workers: IntArray, n_labels: int) -> FloatArray:
    counts = np.array(history, np.float64)
    if counts.ndim not in (2, 3) or counts.shape[1:] not in ((2,), (n_labels, n_labels)):
        raise InputError(
            f"history: shape {counts.shape}; allowed: (workers, 2) counts of right and wrong votes,"
            f" or (workers, {n_labels}, {n_labels}) counts of labels for each truth"
        )
    if workers.max(initial=-1) >= counts.shape[0]:
        raise InputError(
            f"history has {counts.shape[0]} workers; allowed: from {int(workers.max()) + 1}"
        )
    if not np.all((counts >= 0) & (counts <= MOST_PAST_VOTES)):
        raise InputError(
            f"history has NaN or a number out of range; allowed: 0 to {MOST_PAST_VOTES:g}"
        )
    return counts


def _repeats(items: IntArray, workers: IntArray) -> int:
    """Count votes beyond a worker's first on an item, sorted by item and worker."""
    return int(np.count_nonzero((np.diff(items) == 0) & (np.diff(workers) == 0)))
