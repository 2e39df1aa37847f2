"""Agreement of every pair of agents beyond chance, from answers alone.

The sums behind it are additive over items, so a stream needs memory for the pairs only
(`AgreementCounts`), and a batch may be cut into bands of items on any device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.ballots import ballots, distinct_counts

__all__ = ["AgreementCounts", "add_pair", "agreement", "chance_rates", "pair_sums"]

# What is summed of each pair of agents: items both answered, answered alike, expected alike.
N_SUMS = 3
# Items whose sums are kept apart and added in order, so that any device adds the same numbers.
BAND_ITEMS = 4096
# Bands whose sums are in memory at once.
CHUNK_ITEMS = 16 * BAND_ITEMS


@kernel
def add_pair(
    votes: IntArray, chance: FloatArray, first: int, second: int, start: int
) -> tuple[float, float, float]:
    """Return the three sums of one pair over the band of items from `start`.

    Parameters
    ----------
    votes : ndarray of int64, shape (items, agents)
        −1 is no answer.
    chance : ndarray of float64, shape (items,)
        Chance that two agents who know nothing give the same answer.
    first, second : int
        The pair.
    start : int
        First item.

    Returns
    -------
    tuple of three float
        Items that both answered, items with the same answer, expected ones.
    """
    both = alike = expected = 0.0
    for item in range(start, min(start + BAND_ITEMS, votes.shape[0])):
        answer, other = votes[item, first], votes[item, second]
        if answer >= 0 and other >= 0:
            both += 1.0
            alike += 1.0 if answer == other else 0.0
            expected += chance[item]
    return both, alike, expected


@kernel
def _add_bands(
    votes: IntArray, chance: FloatArray, sums: FloatArray, start: int, stop: int
) -> None:
    """Fill the sums of the bands from `start` to `stop`, for pairs of a lower and a higher row."""
    n_agents = votes.shape[1]
    for band in range(start, stop):
        both, alike, expected = sums[band, 0], sums[band, 1], sums[band, 2]
        for item in range(band * BAND_ITEMS, min((band + 1) * BAND_ITEMS, votes.shape[0])):
            for first in range(n_agents):
                answer = votes[item, first]
                if answer >= 0:
                    for second in range(first + 1, n_agents):
                        other = votes[item, second]
                        both[first, second] += 1.0 if other >= 0 else 0.0
                        alike[first, second] += 1.0 if other == answer else 0.0
                        expected[first, second] += chance[item] if other >= 0 else 0.0


def pair_sums(votes: IntArray, chance: FloatArray, *, device: Device = "auto") -> FloatArray:
    """Count how often the agents of each pair give the same answer, and how often by chance.

    Parameters
    ----------
    votes : ndarray of int64, shape (items, agents), C-contiguous
        −1 is no answer.
    chance : ndarray of float64, shape (items,)
        Chance that two agents who know nothing give the same answer.
    device : {"auto", "cpu", "cuda"}, optional
        Where to count.

    Returns
    -------
    ndarray of float64, shape (3, agents, agents)
        Symmetric, with a diagonal of 0: items that both answered, items with the same answer, and
        the number expected by chance.
    """
    n_items, n_agents = votes.shape
    where = resolve(device, size=min(n_items, CHUNK_ITEMS) * n_agents * n_agents)
    total = np.zeros((N_SUMS, n_agents, n_agents))
    for first in range(0, n_items, CHUNK_ITEMS):
        chunk = slice(first, first + CHUNK_ITEMS)
        total += _chunk_sums(votes[chunk], chance[chunk], where)
    return total


def _chunk_sums(votes: IntArray, chance: FloatArray, where: Literal["cpu", "cuda"]) -> FloatArray:
    """Return the sums of a few bands."""
    n_items, n_agents = votes.shape
    n_bands = -(-n_items // BAND_ITEMS)
    sums = np.zeros((n_bands, N_SUMS, n_agents, n_agents))
    if where == "cuda":
        from swarmloom_protocols.consensus.answers.agreement_cuda import add

        add(n_bands * n_agents * n_agents, (votes, chance), (sums,))
        return np.asarray(sums.sum(axis=0))
    row = BAND_ITEMS * n_agents * n_agents // 2
    map_bands(partial(_add_bands, votes, chance, sums), n_bands, row_elements=row)
    upper = sums.sum(axis=0)
    return np.asarray(upper + upper.transpose(0, 2, 1))


def chance_rates(codes: IntArray) -> FloatArray:
    """Return the chance of agreeing on each item, where codes mean nothing beyond it.

    One in 2 k + 2, for k distinct answers given: open answers have no known number of options, and
    the agents give about half of the plausible ones (crews of nine give 3.3 of the 10 options of
    MMLU-Pro).
    """
    return np.asarray(0.5 / (distinct_counts(codes) + 1.0), np.float64)


def agreement(sums: FloatArray) -> FloatArray:
    """Correct agreement for chance, as κ does (Scott 1955; Bennett, Alpert & Goldstein 1954).

    Parameters
    ----------
    sums : ndarray of float64, shape (3, agents, agents)
        See `pair_sums`.

    Returns
    -------
    ndarray of float64, shape (agents, agents)
        (alike − expected) / (both − expected): 1 always alike, 0 as by chance, below 0 less often.
        NaN for pairs that answered no item together, and on the diagonal.
    """
    both, alike, expected = sums
    beyond = both - expected
    known = both > 0.0
    rates = np.full(both.shape, np.nan)
    rates[known] = (alike[known] - expected[known]) / beyond[known]
    np.fill_diagonal(rates, np.nan)
    return rates


@dataclass
class AgreementCounts:
    """Agreement of a stream of items, in memory for the pairs only.

    Attributes
    ----------
    sums : ndarray of float64, shape (3, agents, agents)
        See `pair_sums`.
    items : int
        Items that at least two agents answered.
    """

    sums: FloatArray
    items: int = 0

    @classmethod
    def empty(cls, n_agents: int) -> AgreementCounts:
        """Return the counts of no item."""
        return cls(np.zeros((N_SUMS, n_agents, n_agents)))

    def add(self, votes: ArrayLike, *, device: Device = "auto") -> None:
        """Add items.

        Parameters
        ----------
        votes : array-like of int, shape (items, agents)
            −1 is no answer.
        device : {"auto", "cpu", "cuda"}, optional
            Where to count.

        Raises
        ------
        InputError
            They are no ballots of as many agents.
        """
        codes = ballots(votes)
        if codes.shape[1] != self.sums.shape[1]:
            raise InputError(f"votes: {codes.shape[1]} agents; allowed: {self.sums.shape[1]}")
        self.add_coded(codes, device=device)

    def add_coded(self, codes: IntArray, *, device: Device = "auto") -> None:
        """Add checked ballots of groups, whose codes count the answers of all agents."""
        self.sums += pair_sums(codes, chance_rates(codes), device=device)
        self.items += int(((codes >= 0).sum(axis=1) > 1).sum())

    @property
    def rates(self) -> FloatArray:
        """Agreement of each pair, see `agreement`."""
        return agreement(self.sums)
