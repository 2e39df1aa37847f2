"""How far a colony has converged: λ-branching and entropy of its trails.

Gambardella, Dorigo, "Ant-Q", 1995 (λ-branching); Dorigo, Stützle, "Ant Colony Optimization", MIT
Press 2004, section 3.6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import between
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["branching", "entropy"]

FloatArray = NDArray[np.float64]


def branching(starts: ArrayLike, trails: ArrayLike, lam: float = 0.05) -> float:
    """Return the mean number of options of a node whose trail stands out.

    Parameters
    ----------
    starts : array-like of int, shape (n + 1,)
        Where the options of each node begin.
    trails : array-like of float, shape (e,)
        Finite, from 0.
    lam : float, optional
        An option counts from τ_min + `lam` · (τ_max − τ_min) of its node on; in [0, 1].

    Returns
    -------
    float
        Over nodes that have options; NaN without any. A colony that has converged has 1 in directed
        problems and about 2 in symmetric ones.
    """
    first, values = _rows(starts, trails)
    return float(_branching(first, values, between("lam", lam, 0.0, 1.0)))


def entropy(starts: ArrayLike, weights: ArrayLike) -> float:
    """Return the mean entropy of a node's choice, in bits.

    Parameters
    ----------
    starts : array-like of int, shape (n + 1,)
        Where the options of each node begin.
    weights : array-like of float, shape (e,)
        What options weigh: an ant takes one in proportion; finite, from 0.

    Returns
    -------
    float
        Over nodes that have options, of an ant that has taken none yet; NaN without any.
    """
    return float(_entropy(*_rows(starts, weights)))


def _rows(starts: ArrayLike, values: ArrayLike) -> tuple[NDArray[np.int64], FloatArray]:
    first, numbers = np.asarray(starts, np.int64), real_array("values", values)
    if first.ndim != 1 or numbers.ndim != 1 or first.size < 1 or first[-1] != numbers.size:
        raise InputError(f"starts end at {first[-1:]}; allowed: the {numbers.size} options' end")
    if not (np.isfinite(numbers) & (numbers >= 0.0)).all():
        raise InputError("trails and weights: allowed: finite, from 0")
    return first, numbers


@kernel
def _branching(starts: NDArray[np.int64], trails: FloatArray, lam: float) -> float:
    standing, nodes = 0, 0
    for node in range(starts.size - 1):
        row = trails[starts[node] : starts[node + 1]]
        if row.size:
            nodes += 1
            least = row.min()
            level = least + lam * (row.max() - least)
            for trail in row:
                standing += trail >= level
    return standing / nodes if nodes else np.nan


@kernel
def _entropy(starts: NDArray[np.int64], weights: FloatArray) -> float:
    bits, nodes = 0.0, 0
    for node in range(starts.size - 1):
        row = weights[starts[node] : starts[node + 1]]
        total = row.sum()
        if total > 0.0:
            nodes += 1
            for weight in row:
                if weight > 0.0:
                    bits -= weight / total * np.log2(weight / total)
    return bits / nodes if nodes else np.nan
