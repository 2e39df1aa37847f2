"""Choosing among options of which success and failure are known, more or less well."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive

__all__ = ["Policy", "chosen"]

Float64Array = npt.NDArray[np.float64]
Policy = Literal["thompson", "mean", "ucb"]


def chosen(
    success: Float64Array,
    failure: Float64Array,
    policy: Policy,
    prior: tuple[float, float],
    rng: np.random.Generator,
) -> int:
    """Choose one option; ties are broken by the generator.

    ``"thompson"`` draws each option's rate from its Beta posterior and takes the highest (Thompson
    1933): what is little known is tried, the less the more is known. ``"mean"`` takes the highest
    posterior mean and tries nothing on purpose. ``"ucb"`` takes the highest posterior mean plus
    √(2 ln N / n), with n the option's observations and N those of all, each with its prior (UCB1,
    Auer, Cesa-Bianchi & Fischer 2002; with amounts that fade, Garivier & Moulines 2011).

    Parameters
    ----------
    success, failure : ndarray of float64, shape (K,)
        Observations of each option, ≥ 0.
    policy : {"thompson", "mean", "ucb"}
    prior : (float, float)
        Successes and failures (> 0) that each option starts with.
    rng : numpy.random.Generator

    Returns
    -------
    int
        0…K.

    Raises
    ------
    InputError
        For another policy, or a prior that is not positive.
    """
    won = success + positive("prior", prior[0])
    lost = failure + positive("prior", prior[1])
    scores = _scores(won, lost, policy, rng)
    best = np.flatnonzero(scores == scores.max())
    return int(best[0] if len(best) == 1 else rng.choice(best))


def _scores(
    won: Float64Array, lost: Float64Array, policy: Policy, rng: np.random.Generator
) -> Float64Array:
    if policy == "thompson":
        return rng.beta(won, lost)
    known = won + lost
    mean: Float64Array = won / known
    if policy == "mean":
        return mean
    if policy == "ucb":
        # Below e observations the logarithm would favour what is known.
        bonus: Float64Array = np.sqrt(2.0 * np.log(max(known.sum(), np.e)) / known)
        return mean + bonus
    raise InputError(f"policy is {policy!r}; allowed: {', '.join(get_args(Policy))}")
