"""The one door to truth inference on sparse votes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.errors import InputError, MemoryLimitError
from swarmloom_protocols.checks import generator
from swarmloom_protocols.consensus.crowd.dawid_skene import dawid_skene, hierarchical_dawid_skene
from swarmloom_protocols.consensus.crowd.ebcc import ebcc
from swarmloom_protocols.consensus.crowd.fits import Fit, vote_shares
from swarmloom_protocols.consensus.crowd.glad import glad
from swarmloom_protocols.consensus.crowd.one_coin import log_odds, majority, one_coin
from swarmloom_protocols.consensus.crowd.result import CrowdResult, crowd_result
from swarmloom_protocols.consensus.crowd.votes import CrowdVotes, crowd_votes

__all__ = ["Method", "average", "crowd"]

Method = Literal[
    "auto",
    "average",
    "dawid_skene",
    "ebcc",
    "glad",
    "hierarchical",
    "log_odds",
    "majority",
    "one_coin",
]

METHODS: dict[str, Callable[[CrowdVotes], Fit]] = {
    "dawid_skene": dawid_skene,
    "glad": glad,
    "hierarchical": hierarchical_dawid_skene,
    "log_odds": log_odds,
    "majority": majority,
    "one_coin": one_coin,
}

# Methods that are averaged.
MEMBERS = 4
# A truth is lost if a method finds fewer items of it than this share of its share of the votes;
# labels with less than this share of an even share of the votes may be as rare as they like.
LOST_SHARE = 0.15
NAMED_SHARE = 0.4


def crowd(
    items: ArrayLike,
    workers: ArrayLike,
    labels: ArrayLike,
    *,
    n_labels: int | None = None,
    method: Method = "auto",
    gold: ArrayLike | None = None,
    history: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> CrowdResult:
    """Infer the truth of each item, and how good each worker is, from votes alone.

    Parameters
    ----------
    items, workers, labels : array-like of int, shape (votes,)
        One vote each: who (from 0) said what (0 to `n_labels` − 1) about which item (from 0). A
        label means the same on all items. Repeated votes of a worker on an item all count; a
        warning tells how many there are.
    n_labels : int, optional
        Labels there are; one more than the largest used by default.
    method : str, optional
        "majority", "log_odds", "one_coin", "glad", "dawid_skene", "hierarchical", "ebcc" are the
        functions of these names; "average" (which "auto" is) is `average`: the mean of the
        posteriors of "ebcc", "hierarchical", "one_coin" and "majority".
    gold : array-like of int, shape (items,), optional
        Known truths, −1 where unknown. Every method takes them as certain.
    history : array-like of float, optional
        Counts of each worker's earlier votes, shape (workers, 2) for right and wrong ones, or
        (workers, labels, labels) for [worker, truth, label]. Not used by "majority".
    rng : numpy.random.Generator, optional
        Draws where "ebcc" and "average" start; from seed 0 by default.

    Returns
    -------
    CrowdResult

    Raises
    ------
    InputError
        An argument is wrong, or "log_odds" has neither gold items nor a history to go by.
    MemoryLimitError
        Confusion matrices of so many workers and labels would not fit. "average" leaves such
        methods out instead and says so.
    """
    if method not in get_args(Method):
        allowed = ", ".join(map(repr, get_args(Method)))
        raise InputError(f"method: {method!r} is not one of {allowed}")
    votes = crowd_votes(items, workers, labels, n_labels=n_labels, gold=gold, history=history)
    random = np.random.default_rng(0) if rng is None else generator("rng", rng)
    if method in ("auto", "average"):
        return crowd_result(votes, average(votes, rng=random))
    if method == "ebcc":
        return crowd_result(votes, ebcc(votes, rng=random))
    return crowd_result(votes, METHODS[method](votes))


def average(votes: CrowdVotes, *, rng: np.random.Generator) -> Fit:
    """Return the mean of the posteriors of four methods that fail on different crowds.

    "ebcc" sees correlated errors, "hierarchical" biased workers, "one_coin" has few parameters to
    get wrong, and "majority" none. A method that loses a truth, finding next to no item of a label
    that many votes give, is left out, and "dawid_skene" speaks in its place.

    Parameters
    ----------
    votes : CrowdVotes
        The votes.
    rng : numpy.random.Generator
        Draws where `ebcc` starts.

    Returns
    -------
    Fit
        It climbs nothing; the confusion matrices are the hierarchical ones.
    """
    fits = [majority(votes), one_coin(votes)]
    with suppress(MemoryLimitError):
        fits.append(hierarchical_dawid_skene(votes))
        fits.append(ebcc(votes, rng=rng))
    missing = MEMBERS - len(fits)
    sound = [fit for fit in fits if not _loses_a_truth(votes, fit)]
    lost = len(fits) - len(sound)
    if lost:
        with suppress(MemoryLimitError):
            other = dawid_skene(votes)
            sound += [] if _loses_a_truth(votes, other) else [other]
    return Fit(
        posterior=np.mean([fit.posterior for fit in sound], axis=0),
        confusion=next((fit.confusion for fit in sound if fit.confusion is not None), None),
        iterations=max(fit.iterations for fit in sound),
        converged=all(fit.converged for fit in sound),
        warnings=(*_left_out(votes, missing), *_lost(lost)),
    )


def _loses_a_truth(votes: CrowdVotes, fit: Fit) -> bool:
    """Tell whether a method takes next to no item for what many votes say.

    Workers who always give one label agree with each other; a method that believes them takes
    that label for the truth of all items, and everybody else for worse than chance.
    """
    voted = vote_shares(votes).sum(0)
    named = voted > NAMED_SHARE * votes.n_items / votes.n_labels
    return bool((fit.posterior.sum(0) < LOST_SHARE * voted)[named].any())


def _lost(count: int) -> tuple[str, ...]:
    if count == 0:
        return ()
    return (
        f"{count} of {MEMBERS} methods left out: they find next to no item of a label that many"
        " votes give; workers who always give one label do that",
    )


def _left_out(votes: CrowdVotes, missing: int) -> tuple[str, ...]:
    if missing == 0:
        return ()
    return (
        f"{missing} of {MEMBERS} methods left out: their tables would be too large for"
        f" {votes.n_workers} workers with {votes.n_labels} labels",
    )
