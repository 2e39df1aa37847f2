"""Who influences whom in a set of series: transfer entropy of Gaussian variables.

Barnett, Barrett & Seth, "Granger causality and transfer entropy are equivalent for Gaussian
variables", Phys. Rev. Lett. 103 (2009): half the logarithm of how much worse a series is predicted
from its own past than from its own and the other's. It is a measure of prediction; a common cause
that is not among the series looks like an influence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from swarmloom.errors import InputError
from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus.chaos.embedding import as_series

__all__ = ["Influence", "influences", "transfer_entropy"]

FloatArray = NDArray[np.float64]

# An error below this share of the target's mean square is rounding: the prediction is exact.
EXACT = 1e-24


@dataclass(frozen=True, slots=True)
class Influence:
    """What one series tells about the next value of another.

    Attributes
    ----------
    entropy : float
        Transfer entropy in nats per step, never negative; without influence about lags / 2N. 0
        where the target's own past foretells it exactly, infinite where only both pasts do.
    p_value : float
        Of no influence, by the likelihood ratio (χ² with as many degrees as lags).
    """

    entropy: float
    p_value: float


def transfer_entropy(
    source: ArrayLike, target: ArrayLike, *, lags: int = 1, given: ArrayLike | None = None
) -> Influence:
    """Measure the influence of a series on another, both taken for Gaussian.

    Parameters
    ----------
    source, target : array-like of float, shape (N,)
        Evenly sampled at the same times.
    lags : int, optional
        Past values of each that are taken into account.
    given : array-like of float, shape (N,) or (N, K), optional
        Other series whose past is known anyway; removes what they cause in both.

    Returns
    -------
    Influence

    Raises
    ------
    InputError
        A series is unusable, their lengths differ, or they are too short for the lags.
    """
    columns = [as_series(source, "source"), as_series(target, "target")]
    if given is not None:
        columns.append(as_series(given, "given"))
    lengths = {len(column) for column in columns}
    if len(lengths) != 1 or columns[0].shape[1] != 1 or columns[1].shape[1] != 1:
        shapes = ", ".join(str(column.shape) for column in columns)
        raise InputError(f"source, target, given: shapes {shapes}; allowed: (N,), (N,), (N, K)")
    past = {name: _past(column, lags) for name, column in zip("stg", columns, strict=False)}
    known = np.hstack([past["t"], past.get("g", past["t"][:, :0])])
    wanted = columns[1][lags:, 0]
    if len(wanted) <= known.shape[1] + 2 * lags + 1:
        raise InputError(f"target: {lengths.pop()} values; too few for {lags} lags")
    without, with_it = (_unexplained(x, wanted) for x in (known, np.hstack([known, past["s"]])))
    entropy = _gain(without, with_it)
    return Influence(entropy, float(chdtrc(lags, 2.0 * len(wanted) * entropy)))


def _past(column: FloatArray, lags: int) -> FloatArray:
    count = len(column) - whole("lags", lags, 1)
    if count < 1:
        raise InputError(f"lags is {lags}; allowed: fewer than the {len(column)} values")
    return np.hstack([column[lags - lag : lags - lag + count] for lag in range(1, lags + 1)])


def _unexplained(known: FloatArray, wanted: FloatArray) -> float:
    """Return the mean square that a linear prediction leaves, 0 where that is rounding."""
    columns = np.column_stack([np.ones(len(wanted)), known])
    solution = np.linalg.lstsq(columns, wanted, rcond=None)[0]
    rest = wanted - columns @ solution
    error, size = float(rest @ rest), float(wanted @ wanted)
    return error / len(wanted) if error > EXACT * size else 0.0


def _gain(without: float, with_it: float) -> float:
    if without == 0.0:
        return 0.0
    return 0.5 * max(0.0, math.log(without / with_it)) if with_it > 0.0 else math.inf


def influences(log: ArrayLike, *, lags: int = 1, conditional: bool = True) -> FloatArray:
    """Return the transfer entropy between all pairs of a crew's series.

    Parameters
    ----------
    log : array-like of float, shape (N, agents)
        A number per agent and step, such as its confidence.
    lags : int, optional
        As in `transfer_entropy`.
    conditional : bool, optional
        Whether the past of all other agents is known anyway, so that influence by way of a third
        does not count.

    Returns
    -------
    ndarray of float64, shape (agents, agents)
        ``[i, j]`` from i to j, in nats per step; 0 on the diagonal.
    """
    series = as_series(log, "log")
    agents = series.shape[1]
    found = np.zeros((agents, agents))
    for i in range(agents):
        for j in range(agents):
            others = [k for k in range(agents) if k not in (i, j)]
            given = series[:, others] if conditional and others else None
            if i != j:
                pair = series[:, i], series[:, j]
                found[i, j] = transfer_entropy(*pair, lags=lags, given=given).entropy
    return found
