"""The half step of Sinkhorn's iteration, through whole iterations."""

import numpy as np

from swarmloom_protocols.bio_routing.batches import sinkhorn
from tests.naive.batches import expert_potentials
from tests.protocols.cuda_cases.case import Case

STEPS = 3


def potentials(energies, capacities, device):
    return sinkhorn.expert_potentials(energies, capacities, 2, STEPS, device)


def by_loops(energies, capacities):
    return expert_potentials(energies, capacities, 2, STEPS)


def crowd(rng, size):
    experts = size // 40 + 2
    energies = np.where(
        rng.random((size, experts)) < 0.8, 5.0 * rng.random((size, experts)), -np.inf
    )
    return energies, rng.integers(0, size // 2 + 2, experts)


PACKAGE = "swarmloom_protocols.bio_routing.batches.sinkhorn_cuda"
CASES = {f"{PACKAGE}.half_step": Case(potentials, by_loops, crowd)}
