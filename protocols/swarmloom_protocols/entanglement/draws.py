"""Shared draws: an order of the experts that all know without a message, and what follows from it.

Three sources give the same thing. A shared seed gives a permutation. GHZ states measured in Z give
every expert the same number, and each turns its own place by it. W states elect one expert after
another. Without noise nobody can tell them apart, which is why the seed is the honest default; with
noise some experts of a GHZ state turn by another number, and some elections of a W state have no
winner or several.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement.states import sample_ghz, sample_w

__all__ = ["draw_order", "elect", "preferences"]

IntArray = npt.NDArray[np.int64]

# So many more bits than needed leave no number preferred by more than one part in 65,536.
_SPARE_BITS = 16


def draw_order(
    kind: str, experts: int, elections: int, rng: np.random.Generator, visibility: float = 1.0
) -> IntArray:
    """Draw each expert's rank in an order that all share.

    Parameters
    ----------
    kind : str
        "shared_seed", "ghz" or "w".
    experts : int
        At least 1.
    elections : int
        How many leaders a W state elects, one after the other; the others share the next rank.
    rng : numpy.random.Generator
    visibility : float
        Probability that an expert's qubit keeps its state; of no effect on a shared seed.

    Returns
    -------
    ndarray of int64, shape (experts,)
        Ranks from 0; a permutation where there is no noise and everybody is elected.

    Raises
    ------
    InputError
        If the kind is unknown or a number is out of range.
    """
    if experts < 1:
        raise InputError(f"needed is 1 expert at least, not {experts}")
    if kind == "shared_seed":
        return rng.permutation(experts)
    if kind == "ghz":
        return _turned(experts, rng, 1.0 - visibility)
    if kind == "w":
        return _elected(experts, elections, rng, 1.0 - visibility)
    raise InputError(f"kind is {kind!r}; allowed: shared_seed, ghz, w")


def elect(kind: str, experts: int, rng: np.random.Generator, visibility: float = 1.0) -> IntArray:
    """Hold one election.

    Parameters
    ----------
    kind, experts, rng, visibility
        As for `draw_order`.

    Returns
    -------
    ndarray of int64
        Who believes to be the leader; exactly one where there is no noise.
    """
    return np.flatnonzero(draw_order(kind, experts, 1, rng, visibility) == 0)


def preferences(order: IntArray, index: IntArray) -> npt.NDArray[np.float64]:
    """Say how much each task prefers each expert.

    A task prefers the expert whose rank is its index, by 1, and the one k ranks behind by
    1 / (k + 1), in a circle. Different indices so prefer different experts, the same ones the same.

    Parameters
    ----------
    order : ndarray of int64, shape (E,)
        Ranks of the experts; negative for those that take no part.
    index : ndarray of int64, shape (T,)

    Returns
    -------
    ndarray of float64, shape (T, E)
        0 for those that take no part.
    """
    members = order >= 0
    count = max(int(members.sum()), 1)
    behind = (order[None, :] - index[:, None]) % count
    return np.where(members[None, :], 1.0 / (behind + 1.0), 0.0)


def _turned(experts: int, rng: np.random.Generator, noise: float) -> IntArray:
    bits = int(experts - 1).bit_length() + _SPARE_BITS
    outcomes = sample_ghz(experts, bits, rng, depolarising=noise).astype(np.int64)
    number = (outcomes << np.arange(bits)[:, None]).sum(axis=0)
    return np.asarray((np.arange(experts) + number) % experts, dtype=np.int64)


def _elected(experts: int, elections: int, rng: np.random.Generator, noise: float) -> IntArray:
    held = min(elections, experts)
    order = np.full(experts, held, dtype=np.int64)
    waiting = np.arange(experts)
    for rank in range(held):
        if len(waiting) == 0:
            break
        won = sample_w(len(waiting), 1, rng, depolarising=noise)[0].astype(np.bool_)
        order[waiting[won]] = rank
        waiting = waiting[~won]
    return order
