"""Orbits of chaotic systems as sequences of trials, measured against noise and even sequences.

Chaotic sequences are often proposed for exploration. Here they can be compared with what is at
hand: uniform noise, and the sequences made to be even (Sobol', Halton). At an equal number of
trials the measures are coverage, the share of the cells of a grid that were tried, and discrepancy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import generator, whole
from swarmloom_protocols.consensus.chaos.known_systems import logistic, lorenz, tent
from swarmloom_protocols.consensus.chaos.systems import System, trajectory
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["Coverage", "Schedule", "compare_schedules", "coverage", "schedule"]

FloatArray = NDArray[np.float64]
Schedule = Literal["logistic", "logistic raw", "tent", "lorenz", "uniform", "sobol", "halton"]

# Steps before the first trial, for an orbit to forget its start.
SETTLING = 1_000
LORENZ_STEP = 0.1
# Bounds of Lorenz's x, y and z at the usual parameters, a little beyond the attractor.
LORENZ_LOW = np.array([-20.0, -27.0, 0.0])
LORENZ_HIGH = np.array([20.0, 27.0, 48.0])


@dataclass(frozen=True, slots=True)
class Coverage:
    """How well schedules of one kind cover the unit cube.

    Attributes
    ----------
    mean, deviation : float
        Of the share of cells that were tried, over the repeats.
    discrepancy : float
        Mean centred L2 discrepancy (Hickernell 1998); small is even.
    """

    mean: float
    deviation: float
    discrepancy: float


def schedule(kind: Schedule, count: int, dimension: int, *, rng: np.random.Generator) -> FloatArray:
    """Return a sequence of trials in the unit cube.

    Parameters
    ----------
    kind : str
        "logistic" maps orbits of the logistic map at r = 4 to even density, u = (2/π) asin √x;
        "logistic raw" leaves them as they are; "tent" uses the tent map with slope 1.9999; "lorenz"
        takes Lorenz's x, y, z within their bounds, an orbit for every three axes; "uniform" is
        noise; "sobol" and "halton" are scrambled even sequences.
    count : int
        Trials (≥ 1).
    dimension : int
        Axes (≥ 1).
    rng : numpy.random.Generator
        For starts, noise and scrambling.

    Returns
    -------
    ndarray of float64, shape (count, dimension)
        In [0, 1].

    Raises
    ------
    InputError
        The kind is unknown, or a number is out of its range.
    """
    if kind not in get_args(Schedule):
        raise InputError(f"kind is {kind!r}; allowed: {', '.join(get_args(Schedule))}")
    whole("count", count, 1)
    whole("dimension", dimension, 1)
    return _MAKERS[kind](count, dimension, generator("rng", rng))


def _orbits(system: System, count: int, dimension: int, rng: np.random.Generator) -> FloatArray:
    starts = rng.uniform(0.01, 0.99, (dimension, 1))
    orbits = [trajectory(system, count, start=start, skip=SETTLING) for start in starts]
    return np.hstack(orbits)


def _even_logistic(count: int, dimension: int, rng: np.random.Generator) -> FloatArray:
    orbits = _orbits(logistic(), count, dimension, rng)
    return np.asarray(2.0 / np.pi * np.arcsin(np.sqrt(orbits)), np.float64)


def _lorenz(count: int, dimension: int, rng: np.random.Generator) -> FloatArray:
    parts = []
    for _ in range(-(-dimension // 3)):
        start = rng.uniform([-10.0, -10.0, 15.0], [10.0, 10.0, 35.0])
        # One trial every ten steps of integration.
        states = trajectory(lorenz(), 10 * count, start=start, dt=LORENZ_STEP / 10, skip=SETTLING)
        parts.append((states[::10] - LORENZ_LOW) / (LORENZ_HIGH - LORENZ_LOW))
    return np.asarray(np.clip(np.hstack(parts)[:, :dimension], 0.0, 1.0), np.float64)


def _sobol(count: int, dimension: int, rng: np.random.Generator) -> FloatArray:
    # Whole powers of two are what the sequence is even at; the first ones of those are taken.
    # SciPy before 1.15 knows the generator as `seed` alone; its statistics take a second to import.
    from scipy.stats import qmc

    whole_power = (count - 1).bit_length()
    return np.asarray(qmc.Sobol(dimension, seed=rng).random_base2(whole_power))[:count]


def _halton(count: int, dimension: int, rng: np.random.Generator) -> FloatArray:
    from scipy.stats import qmc

    return np.asarray(qmc.Halton(dimension, seed=rng).random(count))


_MAKERS: dict[str, Callable[[int, int, np.random.Generator], FloatArray]] = {
    "logistic": _even_logistic,
    "logistic raw": lambda count, dimension, rng: _orbits(logistic(), count, dimension, rng),
    "tent": lambda count, dimension, rng: _orbits(tent(), count, dimension, rng),
    "lorenz": _lorenz,
    "uniform": lambda count, dimension, rng: rng.uniform(size=(count, dimension)),
    "sobol": _sobol,
    "halton": _halton,
}


def coverage(points: ArrayLike, cells: int) -> float:
    """Return the share of the cells of a grid over the unit cube that hold a point.

    Parameters
    ----------
    points : array-like of float, shape (N, D)
        In [0, 1].
    cells : int
        Cells along each axis.

    Raises
    ------
    InputError
        The points are no matrix, or lie outside the cube.
    """
    given = real_array("points", points)
    if given.ndim != 2 or not ((given >= 0.0) & (given <= 1.0)).all():
        raise InputError(f"points: shape {given.shape}; allowed: (N, D) within [0, 1]")
    places = np.minimum((given * whole("cells", cells, 1)).astype(np.int64), cells - 1)
    return float(len(np.unique(places, axis=0)) / float(cells) ** given.shape[1])


def compare_schedules(
    count: int,
    dimension: int,
    cells: int,
    *,
    rng: np.random.Generator,
    repeats: int = 20,
    kinds: tuple[Schedule, ...] = get_args(Schedule),
) -> dict[str, Coverage]:
    """Measure how well schedules cover the unit cube at an equal number of trials.

    Parameters
    ----------
    count, dimension, cells
        As in `schedule` and `coverage`.
    rng : numpy.random.Generator
        A generator of its own is spawned for every schedule.
    repeats : int, optional
        Schedules of each kind.
    kinds : tuple of str, optional
        All by default.

    Returns
    -------
    dict of str to Coverage
        By kind.
    """
    from scipy.stats import qmc

    generator("rng", rng)
    whole("repeats", repeats, 2)
    found: dict[str, Coverage] = {}
    for kind in kinds:
        made = [schedule(kind, count, dimension, rng=own) for own in rng.spawn(repeats)]
        shares = [coverage(points, cells) for points in made]
        even = [float(qmc.discrepancy(points)) for points in made]
        found[kind] = Coverage(
            float(np.mean(shares)), float(np.std(shares, ddof=1)), float(np.mean(even))
        )
    return found
