"""Walks of packet ants."""

import numpy as np

from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.packet_walks import walked
from tests.naive import packets
from tests.protocols.cuda_cases.case import Case

NODES, LINKS = 7, 20


def crowd(rng, size):
    """Ants on a random network, some links without weight, some out of reach of their target."""
    ends = rng.integers(0, NODES, (LINKS, 2))
    ends[:, 1] += ends[:, 0] == ends[:, 1]
    network = Network(*ends.T % (NODES + 1), 1.0, names=[str(i) for i in range(NODES + 1)])
    network = network.fail(links=[3], nodes=[6])
    sources, targets = rng.integers(0, NODES, (2, size))
    targets = np.where(targets == sources, -1, targets)
    weights = rng.random((2, LINKS)).astype(np.float32)
    weights[:, ::7] = 0.0
    rows = rng.integers(0, 2, size)
    return network, sources, targets, rows, weights, int(rng.integers(2**32)), 4 + size % 3


CASES = {
    "swarmloom_protocols.bio_routing.networks.packet_cuda.walk_each": Case(
        walked, packets.walked, crowd
    )
}
