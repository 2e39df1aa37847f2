"""Kinds of pheromone that packet ants lay: what a link costs, and how much a trip is worth.

A kind has ants and trails of its own. Its two rules are functions over arrays, called once a round
for all links or all trips, so that a kind of anybody's own costs no more than those here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.path_sets import soft_max_prices
from swarmloom_protocols.checks import between, positive
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = [
    "KINDS",
    "CostRule",
    "DepositRule",
    "PheromoneKind",
    "TripQuality",
    "Trips",
    "hops",
    "latencies",
    "link_costs",
    "load_prices",
    "losses",
    "narrowness",
    "trip_amounts",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CostRule = Callable[[Network, FloatArray], ArrayLike]
# Of deposits that take a share of what lies there: all of it would leave nothing to explore.
MOST_SHARE = 0.95
# Of what a link costs: sums along paths stay finite.
MOST_COST = 1e300
# Sharpness of the load's prices; see `networks.traffic`.
SHARPNESS = 20.0


class Trips(NamedTuple):
    """Trips of a round's ants, each from every node of its path to the path's end.

    Attributes
    ----------
    nodes, targets : ndarray of int64, shape (t,)
        Where the trip begins and ends.
    costs : ndarray of float64, shape (t,)
        What its links cost under the kind.
    best, means, deviations : ndarray of float64, shape (t,)
        Least cost in the last one to two windows, mean and standard deviation of the trips from
        that node to that destination, this round's among them.
    counts : ndarray of int64, shape (t,)
        How many trips there were.
    degrees : ndarray of int64, shape (t,)
        Working links out of the node.
    """

    nodes: IntArray
    targets: IntArray
    costs: FloatArray
    best: FloatArray
    means: FloatArray
    deviations: FloatArray
    counts: IntArray
    degrees: IntArray


DepositRule = Callable[[Trips], ArrayLike]


@dataclass(frozen=True)
class TripQuality:
    """AntNet's reinforcement: how good a trip was beside what its node has seen.

    r = 0.7 · best / T + 0.3 · (s − best) / ((s − best) + (T − best)) with the upper end of the
    mean's confidence interval s = μ + z σ / √w, squashed to 1 / (1 + exp(a / (r · degree))), in
    units of the squash of 1 and times the gain (Di Caro & Dorigo 1998, section 4.1).

    Parameters
    ----------
    gain : float
        Share of a node's trails that the best trip takes over, in (0, 0.95]. The paper's algorithm
        has 1; small gains do not oscillate under load.
    confidence : float
        γ of z = 1 / √(1 − γ), in [0, 1).
    window : int
        w, trips.
    squash : float
        a, ≥ 0; 10 in the paper, under which many links at a node are told apart slowly.
    """

    gain: float = 0.02
    confidence: float = 0.95
    window: int = 300
    squash: float = 60.0

    def __post_init__(self) -> None:
        positive("gain", self.gain, MOST_SHARE)
        between("confidence", self.confidence, 0.0, 1.0 - 1e-9)
        positive("window", self.window)
        between("squash", self.squash, 0.0)

    def __call__(self, trips: Trips) -> FloatArray:
        """Return the share that each trip's link takes over at its node.

        Parameters
        ----------
        trips : Trips
            Of a round.

        Returns
        -------
        ndarray of float64, shape (t,)
        """
        z = 1.0 / math.sqrt(1.0 - self.confidence)
        worse = trips.costs - trips.best
        upper = trips.means + z * trips.deviations / np.sqrt(np.minimum(trips.counts, self.window))
        room = np.maximum(upper - trips.best, 0.0)
        # Where all trips cost the same, nothing or not, each is the best.
        near = np.divide(trips.best, trips.costs, out=np.ones(len(worse)), where=worse > 0.0)
        # worse / room may be huge, and room infinite where squares of costs are.
        ratio = np.where(worse > 0.0, np.inf, 0.0)
        stable = 1.0 / (1.0 + np.divide(worse, room, out=ratio, where=room > 0.0))
        quality = np.maximum(0.7 * near + 0.3 * stable, 1e-3)
        most = 1.0 + np.exp(self.squash / trips.degrees)
        squashed: FloatArray = most / (
            1.0 + np.exp(np.minimum(self.squash / (quality * trips.degrees), 700.0))
        )
        return self.gain * squashed


@dataclass(frozen=True)
class PheromoneKind:
    """A kind of pheromone.

    Parameters
    ----------
    name : str
        Not empty; its ants' random numbers follow from it.
    cost : callable
        ``cost(network, loads) -> (m,)``: what each link costs, 0 to 1e300; `loads` is the
        traffic on the links as the ants measure it.
    deposit : callable
        ``deposit(trips) -> (t,)``: what each trip of `Trips` lays on its first link, ≥ 0; of
        relative kinds at most 0.95.
    relative : bool
        Whether a deposit r takes the node's other trails to (1 − r) of what they were, as in
        AntNet, whose trails are probabilities; else it is added.
    evaporation : float
        Share of a trail that is lost each round, in [0, 1).
    floor, cap : float
        Limits of a trail, 0 < floor < cap; below 1e-12 single precision would lose ways.
    widest : bool
        Whether a path costs what its dearest link does; else the sum of its links' costs.
    """

    name: str
    cost: CostRule | None
    deposit: DepositRule | None
    relative: bool = True
    evaporation: float = 0.0
    floor: float = 1e-3
    cap: float = 1.0
    widest: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InputError(f"name of a kind is {self.name!r}; allowed: text, not empty")
        for rule in ("cost", "deposit"):
            if not callable(getattr(self, rule)):
                raise InputError(
                    f"kind {self.name!r} has no rule: {rule} is {getattr(self, rule)!r}; "
                    "allowed: a function"
                )
        between(f"evaporation of kind {self.name!r}", self.evaporation, 0.0, 1.0 - 1e-9)
        between(f"floor of kind {self.name!r}", self.floor, 1e-12)
        if not self.floor < self.cap < math.inf:
            raise InputError(
                f"cap of kind {self.name!r} is {self.cap}; allowed: finite, above the floor "
                f"{self.floor}"
            )


def latencies(network: Network, loads: FloatArray) -> FloatArray:
    """Return the links' delays."""
    return network.delays


def losses(network: Network, loads: FloatArray) -> FloatArray:
    """Return −log of the links' reliabilities, so that those of a path multiply.

    A reliability of 0 counts as the least number above 0: such links cost most, and are no error.
    """
    return -np.log(np.maximum(network.reliabilities, np.finfo(float).tiny))


def hops(network: Network, loads: FloatArray) -> FloatArray:
    """Return 1 of each link."""
    return np.ones(network.n_links)


def narrowness(network: Network, loads: FloatArray) -> FloatArray:
    """Return 1 / capacity, of which the widest path has the least greatest one."""
    return 1.0 / network.capacities


def load_prices(network: Network, loads: FloatArray) -> FloatArray:
    """Price links by exp(20 (u / max u − 1)) / c at the utilisation u that the ants measure."""
    return soft_max_prices(loads / network.capacities, network.capacities, SHARPNESS)


KINDS = {
    "latency": PheromoneKind("latency", latencies, TripQuality()),
    "reliability": PheromoneKind("reliability", losses, TripQuality()),
    "hops": PheromoneKind("hops", hops, TripQuality()),
    "width": PheromoneKind("width", narrowness, TripQuality(), widest=True),
    "load": PheromoneKind("load", load_prices, TripQuality(squash=10.0)),
}


def link_costs(kind: PheromoneKind, network: Network, measured: FloatArray) -> FloatArray:
    """Ask a kind what links cost.

    Parameters
    ----------
    kind : PheromoneKind
        Whose rule is asked.
    network : Network
        As it works now.
    measured : ndarray of float64, shape (m,)
        Traffic on the links.

    Returns
    -------
    ndarray of float64, shape (m,)

    Raises
    ------
    InputError
        A cost is negative, NaN or above 1e300, or they are not one a link; the message names the
        kind and the link.
    """
    assert kind.cost is not None
    costs = real_array(f"costs of kind {kind.name!r}", kind.cost(network, measured))
    if costs.shape != (network.n_links,):
        raise InputError(
            f"costs of kind {kind.name!r} are of shape {costs.shape}; allowed: one of each of "
            f"the {network.n_links} links"
        )
    for link in np.flatnonzero(~((costs >= 0.0) & (costs <= MOST_COST)) & network.link_works):
        raise InputError(
            f"kind {kind.name!r}: cost of {network.link_name(int(link))} is {costs[link]}; "
            f"allowed: 0 to {MOST_COST:g}"
        )
    return costs


def trip_amounts(kind: PheromoneKind, trips: Trips) -> FloatArray:
    """Ask a kind what trips lay.

    Parameters
    ----------
    kind : PheromoneKind
        Whose rule is asked.
    trips : Trips
        Of a round.

    Returns
    -------
    ndarray of float64, shape (t,)

    Raises
    ------
    InputError
        An amount is not allowed, or they are not one a trip; the message names the kind, and the
        trip's ends.
    """
    assert kind.deposit is not None
    amounts = real_array(f"deposits of kind {kind.name!r}", kind.deposit(trips))
    if amounts.shape != trips.costs.shape:
        raise InputError(
            f"deposits of kind {kind.name!r} are of shape {amounts.shape}; allowed: one of each "
            f"of the {len(trips.costs)} trips"
        )
    most = MOST_SHARE if kind.relative else np.finfo(float).max
    for trip in np.flatnonzero(~((amounts >= 0.0) & (amounts <= most))):
        raise InputError(
            f"kind {kind.name!r}: deposit of a trip from node {trips.nodes[trip]} to "
            f"{trips.targets[trip]} is {amounts[trip]}; allowed: 0 to {most:g}"
        )
    return amounts
