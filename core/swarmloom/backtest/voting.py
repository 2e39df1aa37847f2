"""Counting votes and walking cascades over a whole table at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["cascade", "log_odds_weights", "vote"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def vote(codes: IntArray, gold: IntArray, weights: FloatArray) -> FloatArray:
    """Probability that the weightiest answer is right, ties broken by lot (in expectation).

    Parameters
    ----------
    codes : ndarray of int64, shape (n, E)
        Answers, −1 for none; who gives none does not vote.
    gold : ndarray of int64, shape (n,)
        Right answers.
    weights : ndarray of float64, shape (E,) or (n, E)
        Weight of each vote; negative ones speak against an answer.

    Returns
    -------
    ndarray of float64, shape (n,)
        1/m where the right answer is among m leaders, else 0; 0 where nobody voted.
    """
    n = len(codes)
    base = int(max(codes.max(initial=-1), gold.max(initial=-1))) + 1
    rows, experts = np.nonzero(codes >= 0)
    keys, place = np.unique(rows * base + codes[rows, experts], return_inverse=True)
    sums = np.bincount(place, weights=np.broadcast_to(weights, codes.shape)[rows, experts])
    best = np.full(n, -np.inf)
    np.maximum.at(best, keys // base, sums)
    leads = np.isclose(sums, best[keys // base], rtol=1e-9, atol=1e-12)
    leaders = np.bincount(keys[leads] // base, minlength=n)
    hits = keys[leads & (keys % base == gold[keys // base])] // base
    right = np.zeros(n)
    right[hits] = 1.0 / leaders[hits]
    return right


def log_odds_weights(
    right: npt.NDArray[np.bool_], options: Sequence[int | None]
) -> npt.NDArray[np.float64]:
    """Weights of a vote that are optimal for independent experts with evenly spread errors.

    The log-likelihood ratio of the naive Bayes vote, log(p · (m − 1) / (1 − p)) for m options;
    with m = 2 that is the log-odds rule of Nitzan and Paroush (1982, International Economic
    Review 23). p is estimated as (right + 1) / (seen + 2).

    Parameters
    ----------
    right : ndarray of bool, shape (seen, E)
        What is known of the experts: whether each was right on the graded items.
    options : sequence of int or None, n of them
        Number of options of each item to be voted on; None (free text) counts as 2.

    Returns
    -------
    ndarray of float64, shape (n, E)
    """
    reliability = (right.sum(axis=0) + 1.0) / (len(right) + 2.0)
    wrong_options = np.array([(count or 2) - 1 for count in options], dtype=np.float64)
    log_odds = np.log(reliability) - np.log1p(-reliability)
    return np.asarray(log_odds[None, :] + np.log(wrong_options)[:, None])


def cascade(codes: IntArray, order: IntArray, agreement: int) -> tuple[IntArray, IntArray]:
    """Ask one expert after the other until enough of their answers agree.

    Parameters
    ----------
    codes : ndarray of int64, shape (n, E)
        Answers, −1 for none.
    order : ndarray of int64, shape (k,)
        Whom to ask, in this order.
    agreement : int
        Stop when an answer has been given that often (≥ 1).

    Returns
    -------
    answers : ndarray of int64, shape (n,)
        The answer agreed on; without agreement the last answer that anyone gave, −1 if none.
    asked : ndarray of int64, shape (n,)
        How many of `order` were asked.
    """
    answers = np.full(len(codes), -1, dtype=np.int64)
    asked = np.zeros(len(codes), dtype=np.int64)
    open_rows = np.arange(len(codes))
    for step, expert in enumerate(order):
        given = codes[open_rows, expert]
        asked[open_rows] += 1
        spoken = given >= 0
        answers[open_rows[spoken]] = given[spoken]
        earlier = codes[np.ix_(open_rows, order[: step + 1])]
        votes = (earlier == given[:, None]).sum(axis=1)
        open_rows = open_rows[~spoken | (votes < agreement)]
    return answers, asked
