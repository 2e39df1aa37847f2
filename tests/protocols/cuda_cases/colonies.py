"""Colonies: navigation fields."""

import math

import numpy as np

from swarmloom_protocols.stigmergy.colonies.wayfinding import navigation_field
from tests.naive import wayfinding
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


CASES = {
    "swarmloom_protocols.stigmergy.colonies.wayfinding_cuda.relax": Case(
        potential, wayfinding.navigation_field, labyrinth
    ),
}
