"""Evaporation, deposits and bounds of trails in one pass over the options.

Each option looks up which of the solutions took it, rather than each solution writing to its
options: no two threads meet, and the sums come in the same order on any device.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.jit import kernel

__all__ = ["Renewal", "renew", "renewed_trail", "strength"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]

# No option may become impossible by a small trail: above float32's least normal number.
LEAST_STRENGTH = 1e-37
LEAST_TRAIL = 1e-300


class Renewal(NamedTuple):
    """How trails change after an iteration.

    Attributes
    ----------
    kept : float
        Share of a trail that evaporation leaves, in [0, 1].
    everywhere : bool
        Whether all trails evaporate, or those alone that get a deposit (as in ACS).
    both_ways : bool
        Whether a step marks the option back as well.
    low, high : float
        Bounds of every trail.
    alpha : float
        Exponent of trails in what an option weighs.
    """

    kept: float
    everywhere: bool
    both_ways: bool
    low: float
    high: float
    alpha: float


@kernel
def renewed_trail(
    trail: float, deposit: float, kept: float, everywhere: bool, low: float, high: float
) -> float:
    """Return one trail after evaporation and its deposits, within its bounds."""
    if everywhere or deposit > 0.0:
        trail = trail * kept + deposit
    return min(max(trail, low), high)


@kernel
def strength(trail: float, alpha: float, desirability: Any) -> Any:
    """Return what an option weighs, trail^α times its desirability, as a float32 above 0."""
    # By logarithms: a GPU's own power is a function that is called, not inlined.
    powered = trail if alpha == 1.0 else math.exp(alpha * math.log(max(trail, LEAST_TRAIL)))
    return np.float32(max(powered * np.float64(desirability), LEAST_STRENGTH))


@kernel
def renew_band(
    start: int,
    stop: int,
    sources: IndexArray,
    targets: IndexArray,
    desirability: NDArray[np.float32],
    following: IndexArray,
    amounts: FloatArray,
    rule: Renewal,
    trails: FloatArray,
    choice: NDArray[np.float32],
) -> None:
    """Renew the entries `start` to `stop`."""
    deposits = np.zeros(stop - start)
    for solution in range(amounts.size):
        gather(
            sources[start:stop],
            targets[start:stop],
            following[solution],
            amounts[solution],
            rule.both_ways,
            deposits,
        )
    kept, everywhere, low, high, alpha = rule.kept, rule.everywhere, rule.low, rule.high, rule.alpha
    for entry in range(start, stop):
        trail = renewed_trail(trails[entry], deposits[entry - start], kept, everywhere, low, high)
        trails[entry] = trail
        choice[entry] = strength(trail, alpha, desirability[entry])


@kernel
def gather(
    sources: IndexArray,
    targets: IndexArray,
    row: IndexArray,
    amount: float,
    both_ways: bool,
    deposits: FloatArray,
) -> None:
    """Add what one solution leaves on each option."""
    for entry in range(deposits.size):
        node, target = sources[entry], targets[entry]
        if row[node] == target or (both_ways and row[target] == node):
            deposits[entry] += amount


def renew(
    sources: IndexArray,
    targets: IndexArray,
    desirability: NDArray[np.float32],
    following: IndexArray,
    amounts: FloatArray,
    rule: Renewal,
    trails: FloatArray,
    choice: NDArray[np.float32],
    *,
    device: Device = "auto",
) -> None:
    """Evaporate all trails, add the deposits of some solutions, and weigh the options anew.

    Parameters
    ----------
    sources, targets : ndarray of int32, shape (e,)
        Node of each option, and where it leads.
    desirability : ndarray of float32, shape (e,)
        What an option weighs without trails.
    following : ndarray of int32, shape (solutions, n)
        Target that each solution took at each node, −1 for none.
    amounts : ndarray of float64, shape (solutions,)
        What each leaves on each of its options, above 0.
    rule : Renewal
        Evaporation and bounds.
    trails : ndarray of float64, shape (e,)
        Overwritten.
    choice : ndarray of float32, shape (e,)
        Overwritten: trail^α · desirability.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; the trails are the same.
    """
    work = trails.size * (1 + amounts.size)
    if resolve(device, size=work) == "cuda":
        from swarmloom_protocols.bio_routing.search.trail_cuda import renew as renew_on_gpu

        given = (trails.copy(), sources, targets, desirability, following, amounts, *rule)
        renew_on_gpu(trails.size, given, (trails, choice))
        return

    def band(start: int, stop: int) -> None:
        renew_band(
            start, stop, sources, targets, desirability, following, amounts, rule, trails, choice
        )

    map_bands(band, trails.size, 1 + amounts.size)
