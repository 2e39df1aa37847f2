"""From the share of trust behind an answer to a probability that it is right.

Without labels, the map is learned by leaving one agent out: for every agent and item, how often
did the agent give an answer that had this share among the others? An agent's own errors count
against the others too, so that the probability errs low where agents err independently. Known
answers, where there are any, take over as they grow in number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.ballots import distinct_counts
from swarmloom_protocols.consensus.answers.tally import tallies

__all__ = ["ENOUGH_ITEMS", "Calibration", "ShareCounts", "evidence_items", "posteriors"]

# Log-odds of shares are counted in bins of this width from −WIDEST to WIDEST.
BIN_WIDTH = 0.2
WIDEST = 6.0
N_BINS = round(2 * WIDEST / BIN_WIDTH)
# Precision of the prior: an intercept of 0 and a slope of 1, each with a deviation of 0.5. A lower
# intercept for crews that nothing is known of was measured, and is worse on the whole: on single
# items the mean logarithmic loss of verdicts of three voices is 0.46 at 0 and 0.50 at −0.7, over
# GSM8K, where verdicts are right more often than their share says, and MMLU-Pro, where less.
PRIOR = 4.0
# Items that answers without labels count for, once some are graded.
UNLABELLED_ITEMS = 20.0
# Until so many items are seen, and without three voices, the probabilities are the prior's.
ENOUGH_ITEMS = 20.0
FEWEST_VOICES = 3
NEWTON_STEPS = 60
STILL = 1e-10
# Share of the answers left out that is looked at for unanimity: those with the largest shares.
UNANIMOUS = 0.05


@kernel
def share_log_odds(weight: float, total: float, voice: float) -> float:
    """Return the log-odds of an answer's share, half a voice added on either side.

    Parameters
    ----------
    weight : float
        Of those who gave the answer.
    total : float
        Sum of the weights of all who answered.
    voice : float
        Weight of the crew's most trusted agent: an answer of little trusted agents alone keeps
        little certainty.
    """
    rest = max(total - weight, 0.0)
    return float(np.log((weight + 0.5 * voice) / (rest + 0.5 * voice)))


@kernel
def _bin_of(log_odds: float) -> int:
    return max(0, min(N_BINS - 1, int(np.floor((log_odds + WIDEST) / BIN_WIDTH))))


@kernel
def _count(codes: IntArray, weights: FloatArray, item: int, backers: IntArray) -> float:
    """Count who gave each answer of an item; return the weight of all."""
    backers[:] = 0
    total = 0.0
    for agent in range(codes.shape[1]):
        if codes[item, agent] >= 0:
            total += weights[agent]
            backers[codes[item, agent]] += 1
    return total


@kernel
def _leave_one_out(
    codes: IntArray, weights: FloatArray, sums: FloatArray, counts: FloatArray
) -> None:
    """Add to `counts` [bin, given or not] the answers of each agent among those of the others."""
    n_agents, voice = codes.shape[1], weights.max()
    backers = np.zeros(sums.shape[1], np.int64)
    for item in range(codes.shape[0]):
        total = _count(codes, weights, item, backers)
        for agent in range(n_agents):
            own, mine = codes[item, agent], weights[agent]
            # Rounding must not make a voter of an agent that is alone.
            if own < 0 or mine <= 0.0 or total - mine <= 1e-12 * total:
                continue
            rest = total - mine
            for code in range(sums.shape[1]):
                others = backers[code] - (1 if code == own else 0)
                if others > 0:
                    weight = sums[item, code] - (mine if code == own else 0.0)
                    odds = share_log_odds(max(weight, 0.0), rest, voice)
                    counts[_bin_of(odds), 1 if code == own else 0] += mine / total


@kernel
def _against_key(
    codes: IntArray, weights: FloatArray, key: IntArray, sums: FloatArray, counts: FloatArray
) -> None:
    """Add to `counts` [bin, right or not] every answer of items whose right code is known."""
    voice, backers = weights.max(), np.zeros(sums.shape[1], np.int64)
    for item in range(codes.shape[0]):
        total = _count(codes, weights, item, backers)
        for code in range(sums.shape[1]):
            if backers[code] > 0 and total > 0.0:
                odds = share_log_odds(sums[item, code], total, voice)
                counts[_bin_of(odds), 1 if code == key[item] else 0] += 1.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic map of the log-odds of a share (Platt 1999).

    Attributes
    ----------
    intercept, slope : float
        Probability = 1 / (1 + exp(−intercept − slope · log-odds)); the slope is not negative, so
        that more trust never makes an answer less probable.
    """

    intercept: float = 0.0
    slope: float = 1.0

    def __call__(self, log_odds: FloatArray) -> FloatArray:
        """Return the probability of each."""
        return _logistic(self.intercept + self.slope * log_odds)


@dataclass
class ShareCounts:
    """How often answers of each share were given by one more agent, and were right.

    Attributes
    ----------
    unlabelled, graded : ndarray of float64, shape (bins, 2)
        Answers that were not and were given by the agent left out; that were wrong and right.
    items, graded_items : float
        How many items they come from.
    """

    unlabelled: FloatArray = field(default_factory=lambda: np.zeros((N_BINS, 2)))
    graded: FloatArray = field(default_factory=lambda: np.zeros((N_BINS, 2)))
    items: float = 0.0
    graded_items: float = 0.0

    def add(self, codes: IntArray, weights: FloatArray) -> None:
        """Add items without labels: compact codes, weights of the agents."""
        _leave_one_out(codes, weights, tallies(codes, weights), self.unlabelled)
        self.items += len(codes)

    def add_graded(self, codes: IntArray, weights: FloatArray, key: IntArray) -> None:
        """Add items whose right code is known (−1: nobody's)."""
        _against_key(codes, weights, key, tallies(codes, weights), self.graded)
        self.graded_items += len(codes)

    def fit(self, n_voices: int) -> Calibration:
        """Fit the map for a crew of so many voices; without any items it is the plain one."""
        scale = min(1.0, UNLABELLED_ITEMS / self.items) if self.graded_items and self.items else 1.0
        return _fitted(self.graded + scale * _credited(self.unlabelled, n_voices))


def evidence_items(n_voices: int, items: float, graded_items: float) -> float:
    """Return how many items certainty can be learned from: graded ones, and others from 3 voices.

    With two, each is the only measure of the other.
    """
    return graded_items + (items if n_voices >= FEWEST_VOICES else 0.0)


def _logistic(x: FloatArray) -> FloatArray:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _credited(counts: FloatArray, n_voices: int) -> FloatArray:
    """Return the counts with a part of the misses at unanimity laid to the agents left out."""
    total = counts.sum(axis=1)
    if not total.any():
        return counts
    above = np.cumsum(total[::-1])[::-1]
    top = int(np.flatnonzero(above >= UNANIMOUS * total.sum())[-1])
    agreed = _fitted(counts)(np.array([-WIDEST + BIN_WIDTH * (top + 0.5)]))[0]
    own = max(0.0, 0.5 - 1.0 / n_voices) * (1.0 - agreed)
    hits = np.minimum(total, counts[:, 1] * (agreed + own) / agreed)
    return np.stack((total - hits, hits), axis=1)


def _fitted(counts: FloatArray) -> Calibration:
    """Maximise the penalised likelihood by Newton's method, steps of at most 1."""
    x = -WIDEST + BIN_WIDTH * (np.arange(N_BINS) + 0.5)
    design = np.stack((np.ones(N_BINS), x))
    total, origin = counts.sum(axis=1), np.array([0.0, 1.0])
    at = origin.copy()
    for _ in range(NEWTON_STEPS):
        p = _logistic(at @ design)
        slope = design @ (counts[:, 1] - total * p) - PRIOR * (at - origin)
        curve = (design * (total * p * (1.0 - p))) @ design.T + PRIOR * np.eye(2)
        step = np.linalg.solve(curve, slope)
        length = float(np.abs(step).max())
        at = at + step / max(1.0, length)
        if length < STILL:
            break
    return Calibration(float(at[0]), max(0.0, float(at[1])))


def posteriors(
    codes: IntArray, weights: FloatArray, calibration: Calibration
) -> tuple[FloatArray, ...]:
    """Return the probability of each answer given to each item.

    Parameters
    ----------
    codes : ndarray of int64, shape (items, agents)
        Compact codes.
    weights : ndarray of float64, shape (agents,)
        Trust.
    calibration : Calibration
        The map.

    Returns
    -------
    tuple of ndarray of float64
        For each item, by code; what is missing to 1 is "none of them". Probabilities that would
        sum to more are scaled down.
    """
    sums, half = tallies(codes, weights), 0.5 * max(float(weights.max()), 1e-300)
    total = sums.sum(axis=1)
    rest = np.maximum(total[:, None] - sums, 0.0)
    p = calibration(np.log((sums + half) / (rest + half)))
    ends = distinct_counts(codes)
    # Nobody whose word counts for anything: as many chances as answers, and one for none of them.
    p[total <= 0.0] = 1.0 / (ends[total <= 0.0, None] + 1.0)
    p *= np.arange(sums.shape[1]) < ends[:, None]
    p /= np.maximum(1.0, p.sum(axis=1))[:, None]
    return tuple(row[:end] for row, end in zip(p, ends, strict=True))
