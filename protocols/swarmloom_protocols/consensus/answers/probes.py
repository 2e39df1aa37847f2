"""What is known of agents from items whose right answer is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.errors import InputError
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.ballots import (
    NO_ANSWER,
    any_array,
    ballots,
    compact,
    distinct_counts,
    group_ballots,
)
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["FEWEST_PROBES", "Probes", "options_seen"]

# Known answers from which an agent's accuracy says more than what others think of it.
FEWEST_PROBES = 5

# Of those who answered a probe, the share that gave one wrong answer, from which its key is doubted
# rather than they; and the fewest that can raise the doubt.
DOUBTED_SHARE = 0.8
FEWEST_DOUBTERS = 3
# The better half of a crew that knows less than this of the answers is less likely than wrong keys:
# on MMLU-Pro, crews of nine had 0.36 or more of ten in 95 % of cases, 0.25 of ten wrong keys.
UNLIKELY_SHARE = 1.0 / 3.0
# With two options wrong keys are given by whoever errs: below a half, the keys are as good as
# turned round.
UNLIKELY_SHARE_OF_TWO = 0.5
# From answers of so many to an item, two options are told from more.
FEWEST_TELLING = 3


@dataclass(frozen=True)
class Probes:
    """Known answers that agents gave rightly or wrongly: probes and graded tasks alike.

    Attributes
    ----------
    right, asked : ndarray of float64, shape (agents,)
        Items answered rightly, and asked. No answer is a wrong one.
    codes : ndarray of int64, shape (probes, agents)
        Answers, where they are known.
    key : ndarray of int64, shape (probes,)
        Right code of each; −1 where no agent gave it.
    options : int
        Most distinct answers to an item, as far as is known, see `options_seen`; 0 where it is not.
    """

    right: FloatArray
    asked: FloatArray
    codes: IntArray
    key: IntArray
    options: int = 0

    @classmethod
    def of_counts(cls, right: ArrayLike, asked: ArrayLike) -> Probes:
        """Take counts alone.

        Parameters
        ----------
        right, asked : array-like of float, shape (agents,)
            0 ≤ right ≤ asked.

        Raises
        ------
        InputError
            They are not, or differ in length.
        """
        hits, trials = real_array("right", right), real_array("asked", asked)
        if hits.ndim != 1 or hits.shape != trials.shape:
            raise InputError(f"probes: {hits.shape} right of {trials.shape}; allowed: (agents,)")
        if not (np.isfinite(trials).all() and (hits >= 0.0).all() and (hits <= trials).all()):
            raise InputError("probes: right and asked must be finite, with 0 ≤ right ≤ asked")
        none = np.empty((0, hits.size), np.int64)
        return cls(hits, trials, none, np.empty(0, np.int64))

    @classmethod
    def of_answers(cls, votes: ArrayLike, key: ArrayLike) -> Probes:
        """Take answers to items whose right answer is known.

        Parameters
        ----------
        votes : array-like of int, shape (probes, agents)
            −1 is no answer, which counts as a wrong one.
        key : array-like of int, shape (probes,)
            The right code of each item, in the coding of its votes; from 0.

        Raises
        ------
        InputError
            They are no ballots, or the key has another length or codes below 0.
        """
        keys, given = any_array("key", key), any_array("probes", votes)
        ballots(given, "probes")
        if keys.shape != given.shape[:1] or (keys.size and keys.dtype.kind not in "iu"):
            raise InputError(f"key: {keys.dtype} of shape {keys.shape}; allowed: a code a probe")
        if keys.min(initial=0) < 0:
            raise InputError(f"key: holds {keys.min()}; allowed: codes from 0")
        codes, originals = compact(np.ascontiguousarray(given, np.int64))
        matches = originals == keys[:, None]
        own = np.where(matches.any(axis=1), matches.argmax(axis=1), NO_ANSWER)
        right = (codes == own[:, None]) & (codes >= 0)
        asked = np.full(codes.shape[1], float(len(codes)))
        hits = right.sum(axis=0).astype(np.float64)
        return cls(hits, asked, codes, own, options_seen(codes, own))

    @property
    def suspects(self) -> tuple[int, ...]:
        """Probes whose key is doubted: most agents gave one and the same other answer."""
        doubted = []
        for row, (codes, key) in enumerate(zip(self.codes, self.key, strict=True)):
            counts = np.bincount(codes[codes >= 0])
            if key >= 0 and counts.size > key:
                counts[key] = 0
            answered = int((codes >= 0).sum())
            enough = answered >= FEWEST_DOUBTERS
            if enough and counts.max(initial=0) >= DOUBTED_SHARE * answered:
                doubted.append(row)
        return tuple(doubted)

    @property
    def unlikely(self) -> bool:
        """Whether the keys are doubted as a whole.

        The better half of the agents with five known answers or more give less than `least_share`
        of them rightly. Rounded up, it holds an honest agent where less than half of the crew lie.
        """
        tested = self.asked >= FEWEST_PROBES
        shares = np.sort(self.right[tested] / self.asked[tested])
        return bool(tested.any() and shares[shares.size // 2 :].mean() < self.least_share)

    @property
    def least_share(self) -> float:
        """Share of right answers below which the keys are doubted: a third, a half of two."""
        return UNLIKELY_SHARE_OF_TWO if 0 < self.options <= 2 else UNLIKELY_SHARE

    def seen_with(self, options: int) -> Probes:
        """Return the probes of questions that so many distinct answers were seen to, or more."""
        return replace(self, options=max(self.options, options))

    def undoubted(self) -> Probes:
        """Return the probes without those of `suspects`, as if they had not been asked."""
        kept = np.setdiff1d(np.arange(len(self.codes)), self.suspects)
        if kept.size == len(self.codes):
            return self
        codes, key = self.codes[kept], self.key[kept]
        right = (codes == key[:, None]) & (codes >= 0)
        asked = np.full(codes.shape[1], float(kept.size))
        return Probes(right.sum(axis=0).astype(np.float64), asked, codes, key, self.options)

    def grouped(self, rows: IntArray) -> Probes:
        """Return the probes of groups of agents, which answer as most of their agents do.

        Parameters
        ----------
        rows : ndarray of int64, shape (agents,)
            Group of each agent, see `swarmloom_protocols.consensus.answers.ballots.group_rows`.
        """
        n_groups = int(rows.max()) + 1
        if len(self.codes):
            codes = group_ballots(self.codes, rows)
            right = (codes == self.key[:, None]) & (codes >= 0)
            asked = np.full(n_groups, float(len(codes)))
            hits = right.sum(axis=0).astype(np.float64)
            # Agents of one model who agree do not tell that there are two options.
            options = self.options if self.options > 2 else options_seen(codes, self.key)
            return Probes(hits, asked, codes, self.key, options)
        right, asked, most = np.zeros((3, n_groups))
        np.add.at(right, rows, self.right)
        np.add.at(asked, rows, self.asked)
        # Agents of one model who were asked alike are no more evidence than one of them.
        np.maximum.at(most, rows, self.asked)
        share = np.divide(right, asked, out=np.zeros(n_groups), where=asked > 0.0)
        empty = np.empty((0, n_groups), np.int64)
        return Probes(share * most, most, empty, self.key, self.options)

    @property
    def n_items(self) -> int:
        """How many items the answers of `codes` are to."""
        return len(distinct_counts(self.codes))


def options_seen(codes: IntArray, key: IntArray | None = None) -> int:
    """Return the most distinct answers that an item has, a right one that nobody gave among them.

    Parameters
    ----------
    codes : ndarray of int64, shape (items, agents)
        See `swarmloom_protocols.consensus.answers.ballots.ballots`.
    key : ndarray of int64, shape (items,), optional
        Right codes; −1 where nobody gave it.

    Returns
    -------
    int
        0 where they are two or fewer and no item has three answers: there may be others.
    """
    kinds = distinct_counts(codes) if key is None else distinct_counts(codes) + (key < 0)
    most = int(kinds.max(initial=0))
    telling = ((codes >= 0).sum(axis=1) >= FEWEST_TELLING).any()
    return most if most > 2 or telling else 0
