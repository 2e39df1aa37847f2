"""How far packet ants agree: branches and bits of the choice at each node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.bio_routing.networks.network import Network

__all__ = ["KindStatistics", "statistics_of"]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

# A trail counts as a branch above this share of the way from the node's least to its greatest.
BRANCH = 0.05


@dataclass(frozen=True, slots=True)
class KindStatistics:
    """How far the ants of one kind agree.

    Attributes
    ----------
    branching : float
        Mean over nodes and destinations of the links whose trail exceeds min + 0.05 (max − min)
        (Gambardella & Dorigo's λ-branching); 1 where each node has one way.
    entropy : float
        Mean of −Σ p log₂ p of the links' chances, in bits.
    mean_cost : float
        Of the last round's trips from source to destination; NaN before the first.
    lost : int
        Ants of the last round that did not arrive.
    """

    branching: float
    entropy: float
    mean_cost: float
    lost: int


def statistics_of(
    network: Network, trails: FloatArray, counted: BoolArray, mean_cost: float, lost: int
) -> KindStatistics:
    """Return the statistics of trails.

    Parameters
    ----------
    network : Network
        As it works.
    trails : ndarray of float64, shape (n, m)
        As ants perceive them, by destination and link.
    counted : ndarray of bool, shape (n, n)
        Which nodes count, by destination and node.
    mean_cost, lost
        Of the last round.
    """
    many, bits = _branches_and_bits(network, trails)
    if not counted.any():
        return KindStatistics(np.nan, np.nan, mean_cost, lost)
    return KindStatistics(float(many[counted].mean()), float(bits[counted].mean()), mean_cost, lost)


def _branches_and_bits(network: Network, trails: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Count each node's branches and the bits of its choice, by destination and node."""
    degrees = np.diff(network.out_starts)
    nodes = np.flatnonzero(degrees)
    starts, owner = network.out_starts[nodes], np.repeat(np.arange(len(nodes)), degrees[nodes])
    many, bits = np.zeros((2, network.n_nodes, network.n_nodes))
    if len(nodes):
        own = trails[:, network.out_links]
        low, high, total = (
            part.reduceat(own, starts, axis=1) for part in (np.minimum, np.maximum, np.add)
        )
        # Where all trails of a node are alike, every link is a branch.
        above = own >= (low + BRANCH * (high - low))[:, owner]
        chances = own / total[:, owner]
        many[:, nodes] = np.add.reduceat(above.astype(float), starts, axis=1)
        bits[:, nodes] = np.add.reduceat(-chances * np.log2(chances), starts, axis=1)
    return many, bits
