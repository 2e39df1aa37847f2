"""Steps, deposits and sensing of the pheromone field."""

import numpy as np

from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.deposits import deposited
from swarmloom_protocols.stigmergy.field.diffusion import diffused
from swarmloom_protocols.stigmergy.field.sensing import sensed
from tests.naive import deposits, diffusion
from tests.protocols.cuda_cases.case import Case

MIXED = boundary_codes(
    {"z": "periodic", "y": ("absorbing", "reflecting"), "x": ("reflecting", "absorbing")}
)
RATES = np.array([[0.02, 0.1, 0.07, 0.12], [0.0, 0.0, 0.2, 0.25]], np.float32)
PACKAGE = "swarmloom_protocols.stigmergy.field"


def volumes(rng, size):
    height = max(1, size // 40) if size else 0
    return rng.random((2, 2, height, 10), np.float32), RATES, MIXED, 3


def batch(rng, size):
    cells = rng.integers(0, max(1, size // 3), size)
    return rng.random(max(1, size), np.float32), cells, rng.lognormal(0.0, 2.0, size)


def places(rng, size):
    layer = rng.random((2, 3, 4), np.float32)
    return layer, MIXED, rng.uniform(-0.5, np.array([1.5, 2.5, 3.5]), (size, 3))


CASES = {
    f"{PACKAGE}.diffusion_cuda.step": Case(diffused, diffusion.diffused, volumes),
    f"{PACKAGE}.deposits_cuda.accumulate": Case(deposited, deposits.deposited, batch),
    f"{PACKAGE}.deposits_cuda.settle": Case(deposited, deposits.deposited, batch),
    f"{PACKAGE}.sensing_cuda.sense": Case(sensed, diffusion.sensed, places),
}
