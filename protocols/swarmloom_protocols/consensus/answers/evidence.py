"""Evidence that the leading answer is the one that would win: e-values, valid at any time."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaln

from swarmloom_protocols.consensus._types import FloatArray, IntArray

__all__ = ["betting_evidence", "mixture_evidence", "preference"]

# Of the capital, the most that is ever bet on one answer.
LARGEST_BET = 0.8
# Logarithm beyond which evidence is as good as any.
MOST_LOG = 700.0


def betting_evidence(codes: IntArray, weights: FloatArray) -> float:
    """Return the evidence of weighted voters for the leading answer against its best rival.

    Parameters
    ----------
    codes : ndarray of int64, shape (voices,)
        Answers to one item; −1 for none.
    weights : ndarray of float64, shape (voices,)
        Trust; a voice bets 0.8 of its trust over the largest one.

    Returns
    -------
    float
        The least, over all other answers given and one that nobody gave, of the product of
        (1 + bet) for each voice of the leader and (1 − bet) for each of the rival; 1 where nobody
        answered.
    """
    heaviest = float(weights.max(initial=0.0))
    given = codes >= 0
    if heaviest <= 0.0 or not given.any():
        return 1.0
    bets = LARGEST_BET * weights / heaviest
    most = int(codes.max()) + 2
    sums = np.bincount(codes[given], weights[given], most)
    gains = np.bincount(codes[given], np.log1p(bets[given]), most)
    losses = np.bincount(codes[given], np.log1p(-bets[given]), most)
    leader = int(sums.argmax())
    rivals = np.delete(losses, leader)
    return float(np.exp(min(MOST_LOG, gains[leader] + rivals.min())))


def preference(first: int, second: int) -> float:
    """Return the probability that an answer given `first` times is preferred to one of `second`.

    P(p > ½) for p ~ Beta(first + 1, second + 1) (Aggarwal et al. 2023, adaptive consistency).
    """
    return float(betainc(second + 1, first + 1, 0.5))


def mixture_evidence(first: int, second: int) -> float:
    """Return the e-value of "the first is preferred" against "the second is, or neither".

    2ⁿ⁺¹ ∫ pᵃ (1 − p)ᵇ dp over p in (½, 1), n = a + b: the likelihood ratio against ½, averaged
    over uniform p. By Ville's inequality it ever reaches x with a chance of at most 1 / x if the
    first is not preferred.

    Parameters
    ----------
    first, second : int
        How often each was given.
    """
    log = (first + second + 1) * np.log(2.0) + betaln(first + 1, second + 1)
    return float(np.exp(min(MOST_LOG, log)) * preference(first, second))
