"""Couplings between the choices of a round, so that the tasks of a group spread or gather.

The draws of `swarmloom_protocols.entanglement.draws` say where a task leans, whatever the others
do; a coupling says what one choice is worth beside another. Two tasks of a group on one expert are
penalised or rewarded, each pair by its group's value over the number of a task's partners. A choice
so gains or loses the value times the share of the partners that are with the same expert, at most
the value itself, however large the group. It is the Potts model with one state an expert (R. B.
Potts, "Some generalized order-disorder transformations", Mathematical Proceedings of the Cambridge
Philosophical Society 48, 1952), at a scale that does not grow with the group.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from swarmloom.errors import InputError

__all__ = ["couple_groups"]

IntArray = npt.NDArray[np.int64]


def couple_groups(
    allowed: npt.NDArray[np.bool_],
    group: npt.NDArray[np.integer],
    value: Sequence[float],
    max_pairs: int,
) -> sparse.csr_array | None:
    """Couple the choices of the same expert for two tasks of a group.

    Parameters
    ----------
    allowed : ndarray of bool, shape (T, E)
        Which choices take part.
    group : ndarray of int, shape (T,)
        Each task's group, counted from 0; negative for a task that is not coupled.
    value : sequence of float
        For each group what it is worth to a task that all its partners are with its expert, in
        log-odds: above 0 gathers them, below 0 spreads them.
    max_pairs : int
        Pairs of choices above which there is no coupling.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (T·E, T·E), or None
        Row index ``task · E + expert``, each pair stored once, above the diagonal. None for no
        pairs, or for too many.

    Raises
    ------
    InputError
        If a group has no value.
    """
    if len(group) and int(np.max(group)) >= len(value):
        raise InputError(f"group {int(np.max(group))} has no value; there are {len(value)}")
    groups = [np.flatnonzero(group == one) for one in range(len(value))]
    experts = allowed.shape[1]
    most = sum(len(rows) * (len(rows) - 1) // 2 for rows in groups) * experts
    if most > max_pairs:
        return None
    found = [
        _pairs(allowed, rows, worth)
        for rows, worth in zip(groups, value, strict=True)
        if len(rows) > 1 and worth != 0.0
    ]
    if not sum(len(data) for _, _, data in found):
        return None
    first, second, data = (np.concatenate(column) for column in zip(*found, strict=True))
    return sparse.csr_array((data, (first, second)), shape=(allowed.size,) * 2)


def _pairs(
    allowed: npt.NDArray[np.bool_], rows: IntArray, worth: float
) -> tuple[IntArray, IntArray, npt.NDArray[np.float64]]:
    """Give both choices and the value of each pair within one group."""
    upper = np.triu_indices(len(rows), k=1)
    one, other = rows[upper[0]], rows[upper[1]]
    pair, expert = np.nonzero(allowed[one] & allowed[other])
    experts = allowed.shape[1]
    data = np.full(len(pair), worth / (len(rows) - 1))
    return one[pair] * experts + expert, other[pair] * experts + expert, data
