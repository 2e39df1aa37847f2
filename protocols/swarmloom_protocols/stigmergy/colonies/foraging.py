"""Central-place foraging: simulated ants bring items to a nest, with and without a trail.

After the Ants model of NetLogo (Wilensky 1997): ants wander, take an item where they find one, go
straight home while they mark the ground, and other searchers that smell the marks go where they
are strongest. Three ways of searching are compared: a correlated random walk, Lévy flights
(Viswanathan et al. 1999, "Optimizing the success of random searches": flight lengths
p(l) ~ l^−μ), and the correlated walk with the trail. Ants remember nothing: each leaves the nest in
a random direction, so that all that a colony knows of its food is in the trail.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, generator, positive, whole
from swarmloom_protocols.stigmergy.colonies.foraging_kernels import (
    CORRELATED,
    FULL_TURN,
    LEVY,
    NOBODY,
    TRAIL,
    forage,
)
from swarmloom_protocols.stigmergy.walkers.levy import power_law

__all__ = ["Foragers", "Harvest", "Strategy", "forage_worlds", "patches"]

Strategy = Literal["correlated", "levy", "trail"]
Float32s = NDArray[np.float32]
Ints = NDArray[np.int32]

CODES = {"correlated": CORRELATED, "levy": LEVY, "trail": TRAIL}
STREAM_LIMIT = 1 << 32
STEP_LIMIT = 1 << 31
LONGEST_FLIGHT = 2.0**20
LONGEST_SIDE = 1 << 15
MOST_ITEMS = (1 << 31) - 1
# An ant's step takes about as long as this many elements of a long loop.
ELEMENTS_PER_ANT = 32


@dataclass(frozen=True, slots=True)
class Foragers:
    """A colony, with the figures that its ants share.

    Attributes
    ----------
    strategy : {"correlated", "levy", "trail"}
        How searchers move. Only "trail" marks the ground.
    ants : int
        At least 1.
    wiggle : float
        Largest random turn of a step, in degrees up to 180; Lévy flights are straight.
    flight_exponent : float
        μ of the Lévy flights' lengths, 1.01 to 64; lengths are 1 to 2²⁰ cells, in whole steps.
    mark : float
        Amount that an ant on its way home leaves on its cell in each step, above 0.
    evaporation : float
        Share of the trail that goes in a step, in [0, 1); not a rate per time, as the
        evaporation of `PheromoneField` is: a rate k there is a share of 1 − e^(−k·dt) here.
    diffusion : float
        Share of a difference that flows to each of 4 neighbours in a step, in [0, 0.25].
    faintest : float
        Amount below which a trail is not followed, at least 0.
    reach : float
        Cells that an ant sniffs ahead, above 0.
    nest_radius : float
        In cells, above 0.
    """

    strategy: Strategy = "trail"
    ants: int = 50
    wiggle: float = 20.0
    flight_exponent: float = 1.5
    mark: float = 1.0
    evaporation: float = 0.01
    diffusion: float = 0.1
    faintest: float = 0.2
    reach: float = 3.0
    nest_radius: float = 4.0

    def __post_init__(self) -> None:
        if self.strategy not in get_args(Strategy):
            allowed = ", ".join(map(repr, get_args(Strategy)))
            raise InputError(f"strategy: {self.strategy!r} is not one of {allowed}")
        whole("ants", self.ants, 1, STREAM_LIMIT)
        between("wiggle", self.wiggle, 0.0, 180.0)
        power_law(self.flight_exponent, 1.0)
        positive("mark", self.mark, 1e6)
        between("evaporation", self.evaporation, 0.0, math.nextafter(1.0, 0.0))
        between("diffusion", self.diffusion, 0.0, 0.25)
        between("faintest", self.faintest, 0.0)
        positive("reach", self.reach)
        positive("nest_radius", self.nest_radius)


@dataclass(frozen=True, slots=True)
class Harvest:
    """What colonies brought home.

    Attributes
    ----------
    delivered : ndarray of int32, shape (worlds, steps)
        Items delivered in each step.
    food : ndarray of int32, shape (worlds, height, width)
        Items left on the ground; an item may be neither here nor there but on its way.
    trail : ndarray of float32, shape (worlds, height, width)
        At the end.
    places : ndarray of float32, shape (worlds, ants, 2)
        (y, x) of the ants at the end.
    """

    delivered: Ints
    food: Ints
    trail: Float32s
    places: Float32s

    @property
    def totals(self) -> NDArray[np.int64]:
        """Items delivered in each world, shape (worlds,)."""
        totals: NDArray[np.int64] = self.delivered.sum(axis=1, dtype=np.int64)
        return totals


def forage_worlds(
    food: ArrayLike,
    foragers: Foragers,
    steps: int,
    rng: np.random.Generator,
    *,
    device: Device = "auto",
) -> Harvest:
    """Let a colony forage in each of several worlds.

    Parameters
    ----------
    food : array-like of int, shape (worlds, height, width)
        Items on each cell, at least 0. The nest is in the middle; edges turn ants back.
    foragers : Foragers
        The colony; every world has one like it.
    steps : int
        To run, each a cell's length per ant.
    rng : numpy.random.Generator
        Gives one seed for the kernels' random numbers by counter.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute. A GPU fuses products and sums, so that trails agree with the CPU's to
        rounding, and after many steps one ant or another may part from its twin.

    Returns
    -------
    Harvest

    Raises
    ------
    InputError
        An argument is not as said.
    """
    ground = _ground(food)
    if not isinstance(foragers, Foragers):
        raise InputError(f"foragers: {foragers!r}; allowed: Foragers")
    steps = whole("steps", steps, 0, STEP_LIMIT - 1)
    if len(ground) * foragers.ants > STREAM_LIMIT:
        raise InputError(f"ants: {len(ground)} worlds of {foragers.ants}; allowed: 2**32 together")
    on = resolve(device, size=ground.size)
    worlds = Worlds.fresh(ground, foragers, steps, int(generator("rng", rng).integers(1 << 32)))
    if on == "cuda":
        from swarmloom_protocols.stigmergy.colonies.foraging_cuda import run

        run(worlds)
    else:
        _run_on_cpu(worlds)
    shape = ground.shape
    return Harvest(
        worlds.delivered, worlds.food.reshape(shape), worlds.trails[:, 0].copy(), worlds.places
    )


def patches(
    shape: tuple[int, int],
    count: int,
    items: int,
    rng: np.random.Generator,
    *,
    radius: float = 5.0,
    distance: tuple[float, float] = (30.0, 55.0),
) -> Ints:
    """Draw food in round patches around the middle of the ground.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the ground.
    count, items : int
        Patches, and items in each (together below 2³¹), on cells drawn uniformly.
    rng : numpy.random.Generator
    radius : float, optional
        Of a patch, in cells.
    distance : (float, float), optional
        Least and greatest distance of a patch's middle from that of the ground.

    Returns
    -------
    ndarray of int32, shape `shape`

    Raises
    ------
    InputError
        An argument is out of its range, or a patch has no cell on the ground.
    """
    height, width = (whole("shape", side, 1, LONGEST_SIDE) for side in shape)
    count = whole("count", count, 0, MOST_ITEMS)
    items = whole("items", items, 0, MOST_ITEMS // max(1, count))
    positive("radius", radius)
    nearest = between("distance", distance[0], 0.0)
    farthest = between("distance", distance[1], nearest)
    generator("rng", rng)
    ground = np.zeros((height, width), np.int32)
    y, x = np.mgrid[:height, :width]
    for _ in range(count):
        angle, away = rng.uniform(0.0, math.tau), rng.uniform(nearest, farthest)
        middle = (
            (height - 1) / 2 + away * math.sin(angle),
            (width - 1) / 2 + away * math.cos(angle),
        )
        inside = np.flatnonzero((y - middle[0]) ** 2 + (x - middle[1]) ** 2 <= radius**2)
        if not inside.size:
            raise InputError(f"distance: a patch at {middle} has no cell on {shape}")
        np.add.at(ground.reshape(-1), rng.choice(inside, items), 1)
    return ground


@dataclass(frozen=True, slots=True)
class Worlds:
    """State of all worlds and what their ants share, as the kernels read it."""

    places: Float32s
    ants: Ints
    cells: NDArray[np.int64]
    words: NDArray[np.uint32]
    strategy: int
    trails: Float32s
    food: Ints
    marks: Ints
    claims: Ints
    nest: Float32s
    table: Float32s
    numbers: Float32s
    chemistry: Float32s
    law: Float32s
    seed: int
    delivered: Ints

    @classmethod
    def fresh(cls, ground: Ints, foragers: Foragers, steps: int, seed: int) -> Worlds:
        worlds, height, width = ground.shape
        middle = (height - 1) / 2, (width - 1) / 2
        wiggle = foragers.wiggle / 360.0 * FULL_TURN
        kept = 1.0 - foragers.evaporation
        ants = np.zeros((worlds, foragers.ants, 3), np.int32)
        # Evenly fanned out; every world's ants are drawn apart by their random numbers.
        ants[:, :, 0] = np.arange(foragers.ants) * FULL_TURN // foragers.ants
        return cls(
            places=np.tile(np.array(middle, np.float32), (worlds, foragers.ants, 1)),
            ants=ants,
            cells=np.zeros((worlds, foragers.ants), np.int64),
            words=np.zeros((worlds, foragers.ants, 2), np.uint32),
            strategy=CODES[foragers.strategy],
            trails=np.zeros((worlds, 2, height, width), np.float32),
            food=ground.reshape(worlds, -1).copy(),
            marks=np.zeros((worlds, height * width), np.int32),
            claims=np.full((worlds, height * width), NOBODY, np.int32),
            nest=np.array([*middle, foragers.nest_radius], np.float32),
            table=_headings(foragers.reach),
            numbers=np.array([wiggle, foragers.faintest], np.float32),
            chemistry=np.array([foragers.diffusion, kept, foragers.mark], np.float32),
            law=power_law(foragers.flight_exponent, 1.0, LONGEST_FLIGHT),
            seed=seed,
            delivered=np.zeros((worlds, steps), np.int32),
        )


def _headings(reach: float) -> Float32s:
    angle = math.tau * np.arange(FULL_TURN) / FULL_TURN
    step = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return np.ascontiguousarray(np.hstack([step, reach * step]), np.float32)


def _run_on_cpu(worlds: Worlds) -> None:
    n_ants, steps = worlds.ants.shape[1], worlds.delivered.shape[1]
    work = steps * (n_ants * ELEMENTS_PER_ANT + worlds.food.shape[1])

    def one_band(start: int, stop: int) -> None:
        for world in range(start, stop):
            _run_world(worlds, world, world * n_ants)

    map_bands(one_band, len(worlds.food), work)


def _run_world(worlds: Worlds, world: int, first_stream: int) -> None:
    forage(
        worlds.places[world],
        worlds.ants[world],
        worlds.cells[world],
        worlds.words[world],
        worlds.strategy,
        worlds.trails[world],
        worlds.food[world],
        worlds.marks[world],
        worlds.claims[world],
        worlds.nest,
        worlds.table,
        worlds.numbers,
        worlds.chemistry,
        worlds.law,
        worlds.seed,
        first_stream,
        0,
        worlds.delivered[world],
    )


def _ground(food: ArrayLike) -> Ints:
    items = np.asarray(food)
    if items.ndim != 3 or not items.size or not np.issubdtype(items.dtype, np.integer):
        raise InputError(
            f"food: shape {items.shape} of {items.dtype}; allowed: (worlds, height, width) of int"
        )
    if min(items.shape[1:]) < 3:
        raise InputError(f"food: ground of {items.shape[1:]}; allowed: at least 3 × 3")
    if items.min() < 0 or items.max() > np.iinfo(np.int32).max:
        raise InputError("food: allowed: 0 to 2**31 - 1 items a cell")
    return np.ascontiguousarray(items, np.int32)
