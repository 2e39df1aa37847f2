"""Pairs of agents that make the same mistakes far more often than others make them together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.agreement import agreement, chance_rates, pair_sums
from swarmloom_protocols.consensus.answers.ballots import distinct_counts

__all__ = [
    "SharedErrors",
    "clone_clusters",
    "cluster_members",
    "near_clones",
    "sampled_errors",
    "shared_errors",
]

# Both erred, erred alike; the terms of what was to be expected; both answered, chance of agreeing.
N_SUMS = 9
# Of an answer given by nobody else among those who erred: as if this many had erred, with this
# chance of having given it, or with that of a blind guess where there are few wrong answers.
PRIOR_VOTERS = 2.0
PRIOR_CHANCE = 0.2
# Most distinct answers to an item that are taken for all the options there are, in the chance of
# errors alike and in that of agreement: where there are more, few voices do not show all of them.
FEW_OPTIONS, SEEN_OPTIONS = 4, 5
# Shrinks the excess of pairs that erred together on few items.
PRIOR_ITEMS = 5.0
CLONE_EXCESS = 0.5
CLONE_DEVIATIONS = 3.0
CLONE_AGREEMENT = 0.2
CLONE_QUANTILE = 0.4
LEAST_AGREEMENT = 0.15
# Others, of whom two at a time explain a pair's agreement.
MOST_OTHERS = 30
# In smaller crews, two who are right together where the rest errs look like copies.
FEWEST_AGENTS = 5
# Pairs times items that a warning is worth.
MOST_WORK = 4_000_000


@kernel
def _leader(counts: IntArray, without: int, other: int) -> int:
    """Return the code of the most, one vote for `without` and for `other` left out; −1: none."""
    best, most = -1, 0
    for code in range(counts.size):
        left = counts[code] - (1 if code == without else 0) - (1 if code == other else 0)
        if left > most:
            best, most = code, left
    return best


@kernel
def _add(
    codes: IntArray, reference: IntArray, chance: FloatArray, sums: FloatArray, counts: IntArray
) -> None:
    """Add all items; a reference of −2 stands for the plurality of those outside the pair."""
    n_agents = codes.shape[1]
    for item in range(codes.shape[0]):
        counts[:] = 0
        answered = 0
        for agent in range(n_agents):
            if codes[item, agent] >= 0:
                counts[codes[item, agent]] += 1
                answered += 1
        for first in range(n_agents):
            for second in range(first + 1, n_agents):
                one, two = codes[item, first], codes[item, second]
                if one < 0 or two < 0:
                    continue
                sums[7, first, second] += 1.0
                sums[8, first, second] += chance[item]
                truth = reference[item]
                if truth == -2:
                    truth = _leader(counts, one, two)
                    if truth < 0:
                        continue
                if one == truth or two == truth:
                    continue
                alike = 1.0 if one == two else 0.0
                # Others who erred, and how many of them gave one of the pair's answers.
                known = 0 <= truth < counts.size
                erred = answered - 2 - (counts[truth] if known else 0)
                gave = 0.5 * (counts[one] + counts[two]) - 1.0 - alike
                # Chance is seen + blind · prior, of a prior that is known once all items are.
                seen, blind = gave / (erred + PRIOR_VOTERS), PRIOR_VOTERS / (erred + PRIOR_VOTERS)
                sums[0, first, second] += 1.0
                sums[1, first, second] += alike
                sums[2, first, second] += seen
                sums[3, first, second] += blind
                sums[4, first, second] += seen * seen
                sums[5, first, second] += seen * blind
                sums[6, first, second] += blind * blind


@dataclass
class SharedErrors:
    """Errors that pairs of agents share, summed over items.

    Attributes
    ----------
    sums : ndarray of float64, shape (9, agents, agents)
        Symmetric: items on which both erred, and erred alike; with s the share of others who erred
        that gave the pair's answers, and b the weight of a blind guess beside it, sums of s, b, s²,
        s b and b²; items that both answered, and the sum of their `chance_rates`.
    options : int
        Most distinct answers that an item had.
    """

    sums: FloatArray
    options: int = 0

    @classmethod
    def empty(cls, n_agents: int) -> SharedErrors:
        """Return the sums of no item."""
        return cls(np.zeros((N_SUMS, n_agents, n_agents)))

    def add(self, codes: IntArray, right: IntArray | None = None) -> None:
        """Add items, see `shared_errors`."""
        reference = np.full(len(codes), -2) if right is None else right
        sums = np.zeros_like(self.sums)
        most = int(distinct_counts(codes).max(initial=0))
        _add(codes, reference, chance_rates(codes), sums, np.zeros(max(1, most), np.int64))
        self.sums += sums + sums.transpose(0, 2, 1)
        self.options = max(self.options, most)

    @property
    def both(self) -> FloatArray:
        """Items on which both erred, of shape (agents, agents)."""
        return np.asarray(self.sums[0])

    @property
    def alike(self) -> FloatArray:
        """Items on which both gave the same wrong answer, of shape (agents, agents)."""
        return np.asarray(self.sums[1])

    @property
    def prior(self) -> float:
        """Chance that two who err give the same answer, where nobody else erred.

        With up to four answers to choose from, of which k were seen, 1 / (k − 1): all wrong ones
        are as likely, and with two there is no other. 0.2 with more.
        """
        return 1.0 / max(1, self.options - 1) if self.options <= FEW_OPTIONS else PRIOR_CHANCE

    @property
    def expected(self) -> FloatArray:
        """Items on which they would err alike by chance, of shape (agents, agents)."""
        return np.asarray(self.sums[2] + self.prior * self.sums[3])

    @property
    def variance(self) -> FloatArray:
        """Variance of that number, of shape (agents, agents)."""
        p, (seen, seen_blind, blind) = self.prior, self.sums[4:7]
        squares = seen + 2.0 * p * seen_blind + p * p * blind
        return np.asarray(np.maximum(0.0, self.expected - squares))

    @property
    def excess(self) -> FloatArray:
        """Share of joint errors alike beyond chance, of those that could be, shrunk to 0."""
        expected = self.expected
        rates: FloatArray = (self.alike - expected) / (self.both - expected + PRIOR_ITEMS)
        return rates

    @property
    def deviations(self) -> FloatArray:
        """Errors alike beyond chance, in standard deviations (half an item added)."""
        rates: FloatArray = (self.alike - self.expected) / np.sqrt(self.variance + 0.5)
        return rates

    def beyond_guessing(self, rates: FloatArray) -> FloatArray:
        """Correct agreement for a chance of one in so many options, where they are few.

        Agreement by one common factor is a product of two loadings only where its zero is that
        of blind guesses. From six options on nothing is corrected: few voices do not show all of
        many options, and the chance that agreement was counted with is near enough.

        Parameters
        ----------
        rates : ndarray of float64, shape (agents, agents)
            Agreement beyond `chance_rates` of the same items.
        """
        if self.options > SEEN_OPTIONS:
            return rates
        met = self.sums[7]
        taken = np.divide(self.sums[8], met, out=np.zeros_like(met), where=met > 0.0)
        chance = np.maximum(taken, 1.0 / max(2, self.options))
        corrected: FloatArray = 1.0 - (1.0 - rates) * (1.0 - taken) / (1.0 - chance)
        return corrected


def clone_clusters(errors: SharedErrors, rates: FloatArray) -> IntArray:
    """Return a cluster of each agent: near-clones and their near-clones have the same.

    Parameters
    ----------
    errors : SharedErrors
        Counted without a reference.
    rates : ndarray of float64, shape (agents, agents)
        Agreement beyond chance of the same agents.

    Returns
    -------
    ndarray of int64, shape (agents,)
        Near-clones share half of their possible errors beyond chance, 3 deviations above it, and
        agree by 0.2 more than what each agrees with the others can explain. The second is for two
        strong agents, who are right together where most err. There are none in crews of fewer
        than 5, nor where no item has more than two answers.
    """
    n_agents = len(rates)
    labels = np.arange(n_agents)
    if n_agents < FEWEST_AGENTS:
        return labels
    close = (errors.excess > CLONE_EXCESS) & (errors.deviations > CLONE_DEVIATIONS)
    rates = errors.beyond_guessing(rates)
    for first, second in np.argwhere(np.triu(close, 1)):
        explained = _explained(rates, int(first), int(second))
        if rates[first, second] - explained > CLONE_AGREEMENT:
            labels[labels == labels[second]] = labels[first]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _explained(rates: FloatArray, first: int, second: int) -> float:
    """Return the agreement of a pair that one common factor would give (Spearman 1904).

    With loadings a, agreement is a_i a_j, and so R_ik R_jl / R_kl for any two others k and l that
    agree by 0.15 or more: less says too little to divide by. The 0.4-quantile over them: where
    others are clones too, most ratios are too high. 1 where there are none.
    """
    others = np.setdiff1d(np.arange(len(rates)), [first, second])[:MOST_OTHERS]
    one, two = np.triu_indices(others.size, 1)
    one, two = others[np.r_[one, two]], others[np.r_[two, one]]
    apart = rates[one, two] >= LEAST_AGREEMENT
    one, two = one[apart], two[apart]
    ratios = rates[first, one] * rates[second, two] / rates[one, two]
    known = ratios[~np.isnan(ratios)]
    return float(np.quantile(known, CLONE_QUANTILE)) if known.size else 1.0


def cluster_members(labels: IntArray) -> tuple[tuple[int, ...], ...]:
    """Return the rows of each cluster of two agents or more."""
    members = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    return tuple(tuple(rows.tolist()) for rows in members if rows.size > 1)


def sampled_errors(codes: IntArray) -> SharedErrors:
    """Return `shared_errors` of all items, or of evenly spaced ones where the work is much."""
    step = max(1, codes.size * codes.shape[1] // MOST_WORK)
    return shared_errors(np.ascontiguousarray(codes[::step]))


def shared_errors(codes: IntArray, right: IntArray | None = None) -> SharedErrors:
    """Count the errors that pairs of agents share.

    Parameters
    ----------
    codes : ndarray of int64, shape (items, agents)
        Compact codes, see `swarmloom_protocols.consensus.answers.ballots.ballots`.
    right : ndarray of int64, shape (items,), optional
        The right code, −1 where nobody gave it, or a verdict in its place. Without it, what most
        of the agents outside the pair say stands for it, so that clones cannot vote their own
        errors right.

    Returns
    -------
    SharedErrors
        Chance is what the others do: of those who erred on the item, the share that gave the
        pair's answers.
    """
    found = SharedErrors.empty(codes.shape[1])
    found.add(codes, right)
    return found


def near_clones(codes: IntArray) -> IntArray:
    """Group agents that answer as copies of one another, from their answers alone.

    Parameters
    ----------
    codes : ndarray of int64, shape (items, agents)
        Ballots.

    Returns
    -------
    ndarray of int64, shape (agents,)
        To be passed as ``groups``; see `clone_clusters`. The models' names, where they are known,
        do better: on few items copies are missed.
    """
    rates = agreement(pair_sums(codes, chance_rates(codes)))
    return clone_clusters(shared_errors(codes), rates)
