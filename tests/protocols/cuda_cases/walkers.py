"""Walkers: lengths of flights, sensors, and a few steps of every strategy."""

from functools import partial

import numpy as np

from swarmloom_protocols.stigmergy.walkers.levy import levy_lengths
from swarmloom_protocols.stigmergy.walkers.sensors import Sensors, sense
from swarmloom_protocols.stigmergy.walkers.strategies import (
    BiasedRandomWalk,
    BoundaryFollow,
    GradientAscent,
    GradientDescent,
    LevyFlight,
    SpiralSearch,
    SwarmCentering,
)
from swarmloom_protocols.stigmergy.walkers.walkers import Walkers
from tests.naive import levy
from tests.naive import walkers as naive
from tests.protocols.cuda_cases.case import Case

STIGMERGY = "swarmloom_protocols.stigmergy.walkers"
SENSORS = Sensors(radius=1.5, angular_resolution=60.0, thresholds=0.2)
KINDS = {"y": ("absorbing", "reflecting"), "x": "periodic"}
SIDES = (("absorbing", "reflecting"), ("periodic", "periodic"))
STEPS = 2
SEED = 12
IN_PLANE = (
    GradientAscent(sensors=SENSORS),
    GradientDescent(step=0.7, sensors=SENSORS),
    BiasedRandomWalk(along="gradient", sensors=SENSORS),
    LevyFlight(exponent=2.2),
    SpiralSearch(step=1.3, arm_spacing=1.5),
    BoundaryFollow(level=0.6, sensors=SENSORS),
    SwarmCentering(rate=0.3, radius=3.0),
)
IN_SPACE = (BiasedRandomWalk(), LevyFlight(exponent=1.7, max_length=30.0), SpiralSearch())


def lengths(count, exponent, high, seed, device="cpu"):
    return levy_lengths(count, exponent, max_length=high, seed=seed, device=device)


def naive_lengths(count, exponent, high, seed):
    return levy.levy_lengths(count, exponent, max_length=high, seed=seed)


def swarm(rng, size, shape):
    places = rng.uniform(-0.5, np.array(shape) - 0.5, (size, len(shape)))
    ways = rng.standard_normal(places.shape)
    return places, ways / np.linalg.norm(ways, axis=1, keepdims=True)


def readings(field, positions, headings, device="cpu"):
    return sense(
        field, positions, headings=headings, sensors=SENSORS, boundaries=KINDS, device=device
    )


def naive_readings(field, positions, headings):
    args = SENSORS.directions(), SENSORS.radius, SENSORS.thresholds, SIDES, headings
    return naive.sense(field, positions, *args).astype(np.float32)


def sensing(rng, size):
    return rng.random((2, 9, 11)), *swarm(rng, size // 8 + (size > 0), (9, 11))


def moves(flat, places, ways, deep, high_places, high_ways, kind=None, device="cpu"):
    """Positions after a few steps of some strategies, in the plane and then in space."""
    ends = []
    for strategies, field, start, headings in (
        (IN_PLANE, flat, places, ways),
        (IN_SPACE, deep, high_places, high_ways),
    ):
        for strategy in (one for one in strategies if kind in (None, one.kind)):
            walkers = Walkers(
                len(start),
                field.shape,
                strategy=strategy,
                positions=start,
                headings=headings,
                boundaries=KINDS,
                seed=SEED,
            )
            walkers.move(field, STEPS, device=device)
            ends.append(walkers.positions.ravel())
    return np.concatenate(ends)


def naive_moves(flat, places, ways, deep, high_places, high_ways, kind=None):
    deep_sides = (("reflecting", "reflecting"), *SIDES)
    ends = []
    for strategies, *world in (
        (IN_PLANE, places, ways, flat, SIDES),
        (IN_SPACE, high_places, high_ways, deep, deep_sides),
    ):
        for strategy in (one for one in strategies if kind in (None, one.kind)):
            ends.append(naive.moved(strategy, *world, SEED, STEPS).ravel())
    return np.concatenate(ends)


def moving(rng, size):
    count = size // 10 + (size > 0)
    # Steep enough for a slope's direction to have the digits that the comparison asks for.
    rise, across = np.ogrid[:9, :11]
    flat = (0.1 * rise + 0.06 * across + 0.1 * rng.random((9, 11))).astype(np.float32)
    deep = rng.random((5, 6, 7), np.float32)
    return flat, *swarm(rng, count, flat.shape), deep, *swarm(rng, count, deep.shape)


CASES = {
    f"{STIGMERGY}.levy_cuda.fill": Case(
        lengths, naive_lengths, lambda rng, size: (size, 1.6, 200.0, int(rng.integers(99)))
    ),
    f"{STIGMERGY}.sensing_cuda.sense": Case(readings, naive_readings, sensing),
} | {
    f"{STIGMERGY}.strategy_cuda.{name}": Case(
        partial(moves, kind=kind), partial(naive_moves, kind=kind), moving
    )
    for kind, name in enumerate(("climb", "drift", "fly", "spiral", "follow", "centre"))
}
