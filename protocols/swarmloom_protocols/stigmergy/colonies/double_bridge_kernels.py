"""The kernel of the double bridge: one run."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams32 import uniform32

__all__ = ["cross_bridge"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ENDS, BRANCHES = 2, 2


@kernel
def _chance_of_first(first: float, second: float, offset: float, exponent: float) -> float:
    """Return (k + x₁)ⁿ / ((k + x₁)ⁿ + (k + x₂)ⁿ) by the ratio of both, which cannot overflow."""
    log_ratio = exponent * (math.log(offset + second) - math.log(offset + first))
    return 1.0 / (1.0 + math.exp(min(log_ratio, 700.0)))


@kernel
def _receive(amounts: Floats, arrivals: Ints, now: int, kept: float) -> None:
    """Let the trail evaporate and the ants of this step mark the branch that they come from."""
    for point in range(amounts.size):
        amounts[point] = kept * amounts[point] + float(arrivals[now + point])


@kernel
def cross_bridge(
    amounts: Floats,
    arrivals: Ints,
    travel: Ints,
    ants: int,
    offset: float,
    exponent: float,
    departure_mark: float,
    kept: float,
    seed: int,
    stream: int,
    crossings: Ints,
) -> None:
    """Let a colony walk to and fro, and count who took which branch.

    Parameters
    ----------
    amounts : ndarray of float64, shape (4,)
        Pheromone at the choice points, [2·end + branch], nest first; overwritten.
    arrivals : ndarray of int64, shape (4·room,)
        Zeros: how many reach choice point c at step t is in [4·(t mod room) + c]; `room` is above
        the longest travel. Overwritten.
    travel : ndarray of int64, shape (2,)
        Steps that a crossing of each branch takes, at least 1.
    ants : int
        One sets out from the nest in each step until all are under way.
    offset, exponent : float
        k > 0 and n of the choice function.
    departure_mark : float
        What an ant leaves where it enters a branch; it leaves 1 where it comes out.
    kept : float
        Share of the pheromone that outlasts a step.
    seed, stream : int
        Of the run's random numbers.
    crossings : ndarray of int64, shape (2·steps,)
        Zeros: ants of both ends that take branch b at step t in [2·t + b]; overwritten.
    """
    points = ENDS * BRANCHES
    room = arrivals.size // points
    departures = 0
    for step in range(crossings.size // BRANCHES):
        now = points * (step % room)
        _receive(amounts, arrivals, now, kept)
        for end in range(ENDS):
            here = BRANCHES * end
            leaving = arrivals[now + here] + arrivals[now + here + 1]
            arrivals[now + here] = arrivals[now + here + 1] = 0
            if end == 0 and step < ants:
                leaving += 1
            for _ in range(leaving):
                first = _chance_of_first(amounts[here], amounts[here + 1], offset, exponent)
                branch = 0 if float(uniform32(seed, stream, departures)) < first else 1
                departures += 1
                crossings[BRANCHES * step + branch] += 1
                amounts[here + branch] += departure_mark
                then = points * ((step + travel[branch]) % room)
                arrivals[then + BRANCHES * (1 - end) + branch] += 1
