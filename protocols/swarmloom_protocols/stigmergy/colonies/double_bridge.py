"""The double bridge: a colony chooses between two ways of which it knows nothing but its trail.

Ants walk to and fro between nest and food over a bridge with two branches. At either end each takes
branch i with probability (k + xᵢ)ⁿ / Σⱼ (k + xⱼ)ⁿ, where xᵢ is the pheromone of its choice point
there (Deneubourg, Aron, Goss & Pasteels 1990, "The self-organizing exploratory pattern of the
Argentine ant", Journal of Insect Behavior 3, with k = 20 and n = 2; Goss, Aron, Deneubourg &
Pasteels 1989, "Self-organized shortcuts in the Argentine ant", Naturwissenschaften 76, for branches
of two lengths). The first ants to arrive come by the short branch; the choice function turns
their head start into a decision of all.

An ant marks the choice point that it reaches, where others are about to choose. Marking where it
sets out too repeats the choice that it has just made and adds nothing about lengths: colonies then
often settle on the long branch (`departure_mark`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, generator, positive, whole
from swarmloom_protocols.stigmergy.colonies.double_bridge_kernels import cross_bridge

__all__ = ["BridgeRuns", "double_bridge"]

CHOICE_POINTS = 4
COUNT_LIMIT = 1 << 32
# A step takes about as long as this many elements of a long loop.
ELEMENTS_PER_STEP = 256

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BridgeRuns:
    """What the ants of several runs chose.

    Attributes
    ----------
    crossings : ndarray of int64, shape (runs, steps, 2)
        How many ants set out on the first branch, which is the short one, and on the second.
    """

    crossings: Ints

    def first_share(self, last: float = 0.5) -> NDArray[np.float64]:
        """Return the share of ants on the first branch over the `last` part of each run.

        Parameters
        ----------
        last : float, optional
            In (0, 1].

        Returns
        -------
        ndarray of float64, shape (runs,)
            NaN where nobody set out in that time.

        Raises
        ------
        InputError
            `last` is not in (0, 1].
        """
        positive("last", last, 1.0)
        steps = self.crossings.shape[1]
        first, second = self.crossings[:, steps - math.ceil(steps * last) :].sum(axis=1).T
        with np.errstate(invalid="ignore"):
            shares: NDArray[np.float64] = first / (first + second)
        return shares


def double_bridge(
    runs: int,
    rng: np.random.Generator,
    *,
    ratio: float = 2.0,
    travel: int = 10,
    ants: int = 100,
    steps: int = 1000,
    offset: float = 20.0,
    exponent: float = 2.0,
    departure_mark: float = 0.0,
    evaporation: float = 0.0,
    device: Device = "auto",
) -> BridgeRuns:
    """Run the double bridge several times.

    Parameters
    ----------
    runs : int
        Independent colonies, at least 1.
    rng : numpy.random.Generator
        Gives one seed for the kernel's random numbers by counter.
    ratio : float, optional
        Length of the second branch over that of the first, at least 1.
    travel : int, optional
        Steps that a crossing of the first branch takes, at least 1; the second takes
        round(`ratio` · `travel`).
    ants : int, optional
        At least 1. One sets out from the nest in each step until all are under way; at an end they
        turn round at once.
    steps : int, optional
        To run, at least 1.
    offset, exponent : float, optional
        k > 0 and n > 0 of the choice function.
    departure_mark : float, optional
        What an ant leaves where it enters a branch, at least 0; it leaves 1 where it comes out.
    evaporation : float, optional
        Share of the pheromone that goes in a step, in [0, 1); not a rate per time, as the
        evaporation of `PheromoneField` is.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    BridgeRuns

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    _check_counts(runs, travel, ants, steps)
    between("ratio", ratio, 1.0, 1e4)
    positive("offset", offset)
    positive("exponent", exponent)
    between("departure_mark", departure_mark, 0.0)
    between("evaporation", evaporation, 0.0, math.nextafter(1.0, 0.0))
    branches = np.array([travel, round(ratio * travel)], np.int64)
    resolve(device, size=0)
    seed = int(generator("rng", rng).integers(1 << 32))
    settings = (branches, ants, offset, exponent, departure_mark, 1.0 - evaporation, seed)
    return BridgeRuns(_run(runs, steps, settings, device).reshape(runs, steps, 2))


def _run(
    runs: int,
    steps: int,
    settings: tuple[Ints, int, float, float, float, float, int],
    device: Device,
) -> Ints:
    longest = int(settings[0].max())
    amounts = np.zeros((runs, CHOICE_POINTS))
    arrivals = np.zeros((runs, CHOICE_POINTS * (longest + 1)), np.int64)
    crossings = np.zeros((runs, 2 * steps), np.int64)

    def one_band(start: int, stop: int) -> None:
        for run in range(start, stop):
            cross_bridge(amounts[run], arrivals[run], *settings, run, crossings[run])

    if resolve(device, size=crossings.size) == "cuda":
        from swarmloom_protocols.stigmergy.colonies.double_bridge_cuda import cross

        cross(runs, (amounts, arrivals, *settings), (crossings,))
    else:
        map_bands(one_band, runs, steps * ELEMENTS_PER_STEP)
    return crossings


def _check_counts(runs: int, travel: int, ants: int, steps: int) -> None:
    for name, value in (("runs", runs), ("travel", travel), ("ants", ants), ("steps", steps)):
        whole(name, value, 1, COUNT_LIMIT - 1)
    # A departure takes a random number by its counter, and every ant may leave in every step.
    if ants * steps > COUNT_LIMIT * travel:
        raise InputError(f"ants · steps / travel is {ants * steps // travel}; allowed: 2**32")
