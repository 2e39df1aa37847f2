"""Colonies: navigation fields, foraging, the double bridge, sorting."""

import dataclasses
import math

import numpy as np

from swarmloom_protocols.stigmergy.colonies import double_bridge
from swarmloom_protocols.stigmergy.colonies.foraging import Foragers, forage_worlds
from swarmloom_protocols.stigmergy.colonies.sorting import Response, SortingColony, scatter
from swarmloom_protocols.stigmergy.colonies.wayfinding import navigation_field
from tests.naive import double_bridge as naive_bridge
from tests.naive import foraging, sorting, wayfinding
from tests.protocols.cuda_cases.case import Case


def potential(walls, goals, smoothing, costs, device):
    field = navigation_field(walls, goals, smoothing=smoothing, costs=costs, device=device)
    return field.potential


def labyrinth(rng, size):
    # A thread a cell and round: a map of `size` cells would keep the simulator busy for a minute.
    side = max(1, math.isqrt(size) // 2)
    walls = rng.random((side, side + 1)) < 0.3
    walls[0, :2] = False
    smoothing = 0.3 if size == 128 else 0.0
    return walls, np.array([(0, 1)]), smoothing, rng.uniform(1.0, 4.0, walls.shape)


def in_one(arrays):
    return np.concatenate([np.asarray(array, np.float64).reshape(-1) for array in arrays])


def harvest(food, foragers, steps, seed, device):
    found = forage_worlds(food, foragers, steps, np.random.default_rng(seed), device=device)
    return in_one(getattr(found, field.name) for field in dataclasses.fields(found))


def naive_harvest(food, foragers, steps, seed):
    return in_one(foraging.forage_worlds(food, foragers, steps, np.random.default_rng(seed)))


def ants_that(strategy):
    def arguments(rng, size):
        food = rng.integers(0, 3, (2, 5, 7))
        ants = 1 + min(size, 300) // 30
        foragers = Foragers(strategy=strategy, ants=ants, nest_radius=1.5, faintest=0.01)
        return food, foragers, 12, int(rng.integers(2**32))

    return arguments


BRIDGE = {"travel": 3, "ants": 5, "steps": 20, "departure_mark": 0.25, "evaporation": 0.01}


def bridge(runs, seed, device):
    rng = np.random.default_rng(seed)
    return double_bridge.double_bridge(runs, rng, device=device, **BRIDGE).crossings


def naive_crossings(runs, seed):
    return naive_bridge.double_bridge(runs, np.random.default_rng(seed), **BRIDGE)


def runs_of(rng, size):
    return 1 + size // 30, int(rng.integers(2**32))


def sorted_items(items, seed, device):
    colony = SortingColony(items, 3, np.random.default_rng(seed), Response(radius=1))
    colony.run(10, device)
    return in_one([colony.items, colony.loads])


def naive_items(items, seed):
    response = Response(radius=1)
    return in_one(sorting.sort_items(items, 3, 10, np.random.default_rng(seed), response))


def scattered(rng, size):
    return scatter((1 + size // 100, 5, 4), 9, 2, rng), int(rng.integers(2**32))


CASES = {
    "swarmloom_protocols.stigmergy.colonies.sorting_cuda.sort_worlds": Case(
        sorted_items, naive_items, scattered
    ),
    "swarmloom_protocols.stigmergy.colonies.double_bridge_cuda.cross": Case(
        bridge, naive_crossings, runs_of
    ),
    "swarmloom_protocols.stigmergy.colonies.wayfinding_cuda.relax": Case(
        potential, wayfinding.navigation_field, labyrinth
    ),
    "swarmloom_protocols.stigmergy.colonies.foraging_cuda.move": Case(
        harvest, naive_harvest, ants_that("levy")
    ),
    "swarmloom_protocols.stigmergy.colonies.foraging_cuda.settle": Case(
        harvest, naive_harvest, ants_that("correlated")
    ),
    "swarmloom_protocols.stigmergy.colonies.foraging_cuda.spread": Case(
        harvest, naive_harvest, ants_that("trail")
    ),
}
