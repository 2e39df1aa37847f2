"""Other ways to split traffic: even splits, multiplicative weights, Frank–Wolfe."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.bio_routing.networks.demands import Traffic
from swarmloom_protocols.bio_routing.networks.destination_flows import FoundFlows
from swarmloom_protocols.bio_routing.networks.flow_kernels import even_flows
from swarmloom_protocols.bio_routing.networks.path_sets import soft_max_prices
from swarmloom_protocols.bio_routing.networks.tree_kernels import tree_flows

__all__ = ["even_split", "frank_wolfe", "multiplicative_weights"]

FloatArray = NDArray[np.float64]

# Multiplicative weights: how much the price of the fullest link of a round grows.
LEARNING = 0.4
# Frank–Wolfe: sharpness of the soft-max at first, rounds in which it grows by as much, its last.
FIRST, DOUBLING, LAST = 10.0, 10.0, 100.0
HALVINGS = 20


def even_split(traffic: Traffic) -> FoundFlows:
    """Split evenly, at each node, over the links that begin a way of fewest links (ECMP).

    Parameters
    ----------
    traffic : Traffic
        What is to be split.

    Returns
    -------
    FoundFlows
        Its bound is that of the room which the traffic takes at least.
    """
    net = traffic.network
    flows = np.zeros((len(traffic.pairs.roots), net.n_links))
    out = net.out_starts, net.out_links
    even_flows(traffic.pairs.roots, traffic.amounts, traffic.graph, out, flows)
    return FoundFlows(flows, traffic.lower_bound(1.0 / net.capacities))


def multiplicative_weights(traffic: Traffic) -> Iterator[FoundFlows]:
    """Route all on the cheapest ways, raise the prices of full links, and average over the rounds.

    N. Garg and J. Könemann, "Faster and simpler algorithms for multicommodity flow and other
    fractional packing problems", SIAM Journal on Computing 37 (2007), in the form of S. Arora,
    E. Hazan and S. Kale, "The multiplicative weights update method", Theory of Computing 8 (2012).

    Parameters
    ----------
    traffic : Traffic
        What is to be split.

    Yields
    ------
    FoundFlows
        The average so far.
    """
    capacities = traffic.network.capacities
    log_weights = np.zeros(len(capacities))
    total, weight = None, 0.0
    while True:
        prices = np.exp(log_weights - log_weights.max(initial=0.0)) / capacities
        flows, bound = _all_or_nothing(traffic, prices)
        utilisation = flows.sum(axis=0) / capacities
        # Rounds that overfill a link much count less: the method's width stays 1.
        fullest = max(float(utilisation.max(initial=0.0)), np.finfo(np.float64).tiny)
        log_weights += LEARNING * utilisation / fullest
        weight += 1.0 / fullest
        total = flows / fullest if total is None else total + flows / fullest
        yield FoundFlows(total / weight, bound)


def frank_wolfe(traffic: Traffic) -> Iterator[FoundFlows]:
    """Move towards the cheapest ways as far as the soft-max of utilisation falls.

    L. Fratta, M. Gerla and L. Kleinrock, "The flow deviation method", Networks 3 (1973).

    Parameters
    ----------
    traffic : Traffic
        What is to be split.

    Yields
    ------
    FoundFlows
        The split after each move.
    """
    capacities = traffic.network.capacities
    flows, bound = _all_or_nothing(traffic, 1.0 / capacities)
    yield FoundFlows(flows, bound)
    age = 0
    while True:
        beta = min(FIRST * (1.0 + age / DOUBLING), LAST)
        utilisation = flows.sum(axis=0) / capacities
        aims, bound = _all_or_nothing(traffic, soft_max_prices(utilisation, capacities, beta))
        change = aims.sum(axis=0) / capacities - utilisation
        stride = _best_stride(utilisation, change, beta)
        flows = flows + stride * (aims - flows)
        age += 1
        yield FoundFlows(flows, bound)


def _all_or_nothing(traffic: Traffic, prices: FloatArray) -> tuple[FloatArray, float]:
    """Return the flows on the cheapest ways, and the lower bound at these prices."""
    net, roots = traffic.network, traffic.pairs.roots
    flows = np.empty((len(roots), net.n_links))
    paid = tree_flows(0, len(roots), roots, traffic.amounts, prices, traffic.graph, flows)
    earned = float((prices * net.capacities)[net.link_works].sum())
    return flows, paid / earned if earned > 0.0 else 0.0


def _best_stride(utilisation: FloatArray, change: FloatArray, beta: float) -> float:
    """Find by bisection where the soft-max of utilisation is least along a change."""
    scale = beta / max(float(utilisation.max(initial=0.0)), np.finfo(np.float64).tiny)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        levels = utilisation + middle * change
        if float((np.exp(scale * (levels - levels.max(initial=0.0))) * change).sum()) > 0.0:
            high = middle
        else:
            low = middle
    return low
