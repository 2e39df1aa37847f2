"""Packet ants: routes of a network by pheromone of several kinds, after AntNet.

Di Caro, Dorigo, "AntNet: distributed stigmergetic control for communications networks", JAIR 9
(1998) 317–365. A forward ant samples the trails to its destination; the backward ant lays trails
along its path by how good each part of the trip was beside what the nodes there have seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device
from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.demands import DemandMap, demand_matrix
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.packet_arguments import (
    GIB,
    interaction_matrix,
    kind_weights,
    kinds_of,
    refuse_too_many,
)
from swarmloom_protocols.bio_routing.networks.packet_colony import Change, Colony, Crowd
from swarmloom_protocols.bio_routing.networks.packet_kinds import (
    PheromoneKind,
    link_costs,
)
from swarmloom_protocols.bio_routing.networks.packet_routes import (
    Route,
    lattice,
    non_dominated,
    path_cost,
    reached_from,
)
from swarmloom_protocols.bio_routing.networks.packet_scouts import (
    Scouts,
    guiding_weights,
    route_of,
    scaled,
    trail_weights,
)
from swarmloom_protocols.bio_routing.networks.packet_statistics import (
    KindStatistics,
    statistics_of,
)
from swarmloom_protocols.bio_routing.no_route import NoRouteError
from swarmloom_protocols.checks import generator, positive, whole

__all__ = ["KindStatistics", "PacketAnts", "PacketState"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PacketState:
    """All that `PacketAnts` know; see `PacketAnts.snapshot`."""

    network: Network
    names: tuple[str, ...]
    seed: int
    rounds: int
    colonies: tuple[Colony, ...]


class PacketAnts:
    """Ants that explore a network in rounds, and the routes that their trails give.

    Every kind of pheromone has ants, trails and expectations of its own. Ants of kind k perceive
    max(Σⱼ interaction[k, j] · trail of kind j, floor of kind k), and lay kind k alone.

    Parameters
    ----------
    network : Network
        Its working links count.
    kinds : sequence of PheromoneKind or str
        Names of `packet_kinds.KINDS` ("latency", "reliability", "hops", "width", "load"), or
        kinds of one's own; no two of one name.
    interaction : array-like of float, shape (K, K), optional
        Finite; by default the identity, under which each kind is what it would be alone, bit for
        bit.
    demands : array-like of float, shape (n, n), or mapping of pairs to float, optional
        Ants go where the traffic does, and measure its load; by default 1 of each pair.
    rng : numpy.random.Generator
        Source of the seed.
    ants : int, optional
        Of each kind, from each node, in a round.
    most_links : int, optional
        An ant goes no further; by default n − 1 links, within which each ant that has a way
        arrives.
    load_step : float, optional
        Weight of a round in the measured load.
    memory_limit : float, optional
        Bytes that trails, expectations and a round's ants may take at most.
    device : {"auto", "cpu", "cuda"}, optional
        Where ants walk; the trails are the same.

    Attributes
    ----------
    network : Network
        As it works.
    kinds : tuple of PheromoneKind
    interaction : ndarray of float64, shape (K, K)
    rounds : int
        Taken so far.

    Raises
    ------
    InputError
        An argument is wrong, or a kind has no rule.
    MemoryLimitError
        More ants than memory allows; nothing is allocated.
    """

    def __init__(
        self,
        network: Network,
        kinds: Sequence[PheromoneKind | str] = ("latency",),
        interaction: ArrayLike | None = None,
        *,
        rng: np.random.Generator,
        demands: ArrayLike | DemandMap | None = None,
        ants: int = 10,
        most_links: int | None = None,
        load_step: float = 0.05,
        memory_limit: float = 2 * GIB,
        device: Device = "auto",
    ) -> None:
        self.kinds = kinds_of(kinds)
        self._rows = {kind.name: row for row, kind in enumerate(self.kinds)}
        self.interaction = interaction_matrix(interaction, len(self.kinds))
        self.ants = whole("ants", ants, 1)
        longest = max(network.n_nodes - 1, 0)
        given = longest if most_links is None else whole("most_links", most_links, 1)
        self.most_links = min(given, longest)
        self.load_step = positive("load_step", load_step, 1.0)
        self.memory_limit, self.device = positive("memory_limit", memory_limit), device
        refuse_too_many(network, len(self.kinds), self.ants, self.most_links, self.memory_limit)
        wanted = np.ones((network.n_nodes,) * 2) - np.eye(network.n_nodes)
        self._demands = wanted if demands is None else demand_matrix(network, demands)
        self._seed = int(generator("rng", rng).integers(1 << 32))
        self.network, self.rounds = network, 0
        self._colonies = [Colony.fresh(network, kind) for kind in self.kinds]
        self._aim()

    @property
    def trails(self) -> FloatArray:
        """By kind, destination and link; shape (K, n, m), a copy."""
        return np.stack([colony.trails for colony in self._colonies])

    @property
    def loads(self) -> FloatArray:
        """Traffic on each link if all went the way of a kind's ants; shape (K, m), a copy."""
        return np.stack([colony.loads for colony in self._colonies])

    @property
    def unreachable(self) -> IntArray:
        """Source and target of each pair with a demand and no way, in order; shape (k, 2)."""
        return np.argwhere((self._demands > 0.0) & ~self._reached)

    def round(self, n: int = 1) -> FloatArray:
        """Let all ants walk and lay trails, `n` times.

        Parameters
        ----------
        n : int, optional
            Rounds.

        Returns
        -------
        ndarray of float64, shape (n, K)
            Mean cost of each kind's trips, by the costs of the links in their round; NaN where no
            ant arrived.

        Raises
        ------
        InputError
            A kind's rule gave a wrong number. The rounds before it count; its own leaves nothing.
        """
        whole("n", n, 0)
        means = np.empty((n, len(self.kinds)))
        for number in range(n):
            changes = [self._explored(row) for row in range(len(self.kinds))]
            for colony, change in zip(self._colonies, changes, strict=True):
                colony.settle(change)
            self.rounds += 1
            means[number] = [colony.mean_cost for colony in self._colonies]
        return means

    def routes(
        self,
        source: str | int,
        target: str | int,
        *,
        kind: str | None = None,
        count: int = 1,
        walks: int = 64,
    ) -> tuple[Route, ...]:
        """Return the cheapest of the routes that some ants find; nothing is laid.

        Parameters
        ----------
        source, target : str or int
            Names or numbers, not the same.
        kind : str, optional
            Whose trails are followed and whose costs count; the first by default.
        count : int, optional
            Routes wanted, at most.
        walks : int, optional
            Ants sent: by trails, by sharpened ones and by loosened ones in turn.

        Returns
        -------
        tuple of Route
            By rising cost, all different, none with a loop.

        Raises
        ------
        InputError
            There is no such node or kind.
        NoRouteError
            Target is out of reach, or all ants went astray within `most_links`.
        """
        first, last = self._ends(source, target)
        name = self.kinds[0].name if kind is None else kind
        row, most = self._row(name), whole("count", count, 1)
        weights, key = trail_weights(self._perceived(row, last)), self._pair_key(row, first, last)
        found = self._scouts.sent(first, last, weights, walks, key)
        routes = self._described(found, [row])
        return tuple(sorted(routes, key=lambda route: route.costs[name])[:most])

    def route(
        self,
        source: str | int,
        target: str | int,
        *,
        kind: str | None = None,
        weights: Mapping[str, float] | None = None,
        walks: int = 64,
    ) -> Route:
        """Return the best route that some ants find; nothing is laid.

        Parameters
        ----------
        source, target, kind, walks
            As of `routes`.
        weights : mapping of str to float, optional
            Of kinds, ≥ 0, not all 0, instead of one kind: the route has the least sum of weights
            times costs, each in units of the kind's mean cost of a link. These ants know how far
            the target is, by a search from there; see `front`.

        Returns
        -------
        Route

        Raises
        ------
        InputError
            There is no such node or kind, a weight is wrong, or a kind and weights are given.
        NoRouteError
            As of `routes`.
        """
        if weights is None:
            return self.routes(source, target, kind=kind, walks=walks)[0]
        if kind is not None:
            raise InputError(f"kind {kind!r} and weights are given; allowed: one of the two")
        first, last = self._ends(source, target)
        rows, vector = self._additive(weights), kind_weights(weights)
        prices = vector @ scaled(self.network, [self._costs(row) for row in rows])
        found = self._guided(first, last, rows, vector[None], walks)
        cheapest = min(found, key=lambda path: path_cost(prices, path, widest=False))
        return self._described([cheapest], rows)[0]

    def front(
        self,
        source: str | int,
        target: str | int,
        *,
        kinds: Sequence[str] | None = None,
        walks: int = 1500,
    ) -> tuple[Route, ...]:
        """Return the routes, among those that some ants find, to which no other is superior.

        The ants of each weighting of the kinds prefer links by the trails and by what they are
        dearer than the cheapest way on, which a search from the target gives.

        Parameters
        ----------
        source, target : str or int
            Names or numbers.
        kinds : sequence of str, optional
            The criteria; all kinds by default. None may be of the widest path.
        walks : int, optional
            Ants sent, over all weightings.

        Returns
        -------
        tuple of Route
            By rising cost of the first kind.

        Raises
        ------
        InputError, NoRouteError
            As of `routes`.
        """
        first, last = self._ends(source, target)
        rows = self._additive(self._rows if kinds is None else kinds)
        found = self._guided(first, last, rows, lattice(len(rows)), walks)
        routes = self._described(found, rows)
        table = np.array([list(route.costs.values()) for route in routes])
        return tuple(routes[best] for best in non_dominated(table))

    def traffic(self, kind: str | None = None, *, walks: int = 64) -> FloatArray:
        """Measure the links' traffic if all demands followed one kind's trails; nothing is laid.

        Parameters
        ----------
        kind : str, optional
            The first by default.
        walks : int, optional
            Ants of each pair, among which its demand is split.

        Returns
        -------
        ndarray of float64, shape (m,)

        Raises
        ------
        InputError
            There is no such kind.
        """
        row = self._row(self.kinds[0].name if kind is None else kind)
        pairs = np.argwhere(self._reached & (self._demands > 0.0))
        weights = self._perceived(row).astype(np.float32)
        carried = np.zeros(self.network.n_links)
        # As many walkers at a time as in a round: their paths take the memory.
        batch = max(1, self.ants * self.network.n_nodes // whole("walks", walks, 1))
        for start in range(0, len(pairs), batch):
            part = pairs[start : start + batch]
            amounts, key = self._demands[part[:, 0], part[:, 1]], self._pair_key(row, *part[0])
            carried += self._scouts.carried(part, amounts, walks, weights, key)
        return carried

    def fail(self, links: Iterable[int] | IntArray = (), nodes: Iterable[str | int] = ()) -> None:
        """Take links and nodes out of order.

        Trails on them are withdrawn, the other trails at their nodes go on, a tenth of them spread
        for exploration; what nodes expect of trips is learned anew.

        Parameters
        ----------
        links : iterable of int, optional
            One direction each; `Network.links_between` finds them.
        nodes : iterable of str or int, optional
            Names or numbers.

        Raises
        ------
        InputError
            There is no such link or node; nothing is changed.
        """
        self._rewire(self.network.fail(links, nodes))

    def repair(self, links: Iterable[int] | IntArray = (), nodes: Iterable[str | int] = ()) -> None:
        """Bring links and nodes back; their trails begin as fresh ones.

        Parameters
        ----------
        links, nodes
            As of `fail`.

        Raises
        ------
        InputError
            As of `fail`.
        """
        self._rewire(self.network.restore(links, nodes))

    def snapshot(self) -> PacketState:
        """Return all that the ants know; ants restored from it go on as these do."""
        colonies = tuple(colony.copy() for colony in self._colonies)
        return PacketState(self.network, tuple(self._rows), self._seed, self.rounds, colonies)

    def restore(self, state: PacketState) -> None:
        """Take over what a snapshot holds.

        Parameters
        ----------
        state : PacketState
            Of ants with kinds of the same names on a network of the same size.

        Raises
        ------
        InputError
            It is of others; nothing is changed.
        """
        given, own = state.network, self.network
        sizes = (given.n_nodes, given.n_links), (own.n_nodes, own.n_links)
        if state.names != tuple(self._rows) or sizes[0] != sizes[1]:
            raise InputError(
                f"snapshot is of kinds {state.names} on (nodes, links) {sizes[0]}; "
                f"allowed: {tuple(self._rows)} on {sizes[1]}"
            )
        self.network, self._seed, self.rounds = given, state.seed, state.rounds
        self._colonies = [colony.copy() for colony in state.colonies]
        self._aim()

    def statistics(self) -> dict[str, KindStatistics]:
        """Return how far the ants of each kind agree, by the kinds' names."""
        return {kind.name: self._statistics(row) for row, kind in enumerate(self.kinds)}

    def _statistics(self, row: int) -> KindStatistics:
        net, colony = self.network, self._colonies[row]
        counted = (self._reached & (self._demands.sum(axis=0) > 0.0)).T
        trails = self._perceived(row)
        return statistics_of(net, trails, counted, colony.mean_cost, colony.lost)

    def _explored(self, row: int) -> Change:
        crowd = Crowd(
            self.network, self._shares, self.ants, self.most_links, self.load_step, self.device
        )
        colony = self._colonies[row]
        weights = self._perceived(row).astype(np.float32)
        return colony.explore(crowd, weights, colony.key(self._seed, self.rounds, 0))

    def _perceived(self, row: int, target: int | None = None) -> FloatArray:
        """Return what ants of a kind perceive of all kinds' trails, of one target or of all."""
        targets = slice(None) if target is None else target
        total = np.zeros(self._colonies[row].trails[targets].shape)
        for factor, colony in zip(self.interaction[row], self._colonies, strict=True):
            if factor != 0.0:
                total += factor * colony.trails[targets]
        return np.maximum(total, self.kinds[row].floor)

    @property
    def _scouts(self) -> Scouts:
        return Scouts(self.network, self.most_links, self.memory_limit, self.device)

    def _aim(self) -> None:
        """See who reaches whom, and where ants go."""
        self._reached = reached_from(self.network)
        self._shares = np.cumsum(np.where(self._reached, self._demands, 0.0), axis=1)

    def _rewire(self, network: Network) -> None:
        for colony in self._colonies:
            colony.rewire(self.network, network)
        self.network = network
        self._aim()

    def _row(self, kind: str) -> int:
        if kind not in self._rows:
            raise InputError(f"there is no kind {kind!r}; allowed: {', '.join(self._rows)}")
        return self._rows[kind]

    def _ends(self, source: str | int, target: str | int) -> tuple[int, int]:
        first, last = self.network.node(source), self.network.node(target)
        if first == last:
            raise InputError(f"source and target are both {self.network.names[first]}")
        if not self._reached[first, last]:
            names = self.network.names
            raise NoRouteError(f"no working links lead from {names[first]} to {names[last]}")
        return first, last

    def _additive(self, names: Iterable[str]) -> list[int]:
        """Return the rows of kinds whose costs add up along a path, or raise `InputError`."""
        rows = [self._row(name) for name in names]
        for row in rows:
            if self.kinds[row].widest:
                raise InputError(
                    f"kind {self.kinds[row].name!r} is of the widest path; allowed: kinds whose "
                    "costs add up"
                )
        if not rows or len(set(rows)) < len(rows):
            raise InputError("kinds to weigh are none, or one twice; allowed: different ones")
        return rows

    def _costs(self, row: int) -> FloatArray:
        return link_costs(self.kinds[row], self.network, self._colonies[row].loads)

    def _pair_key(self, row: int, first: int, last: int) -> int:
        """Return the key of ants between two nodes, which is none of a round's."""
        number = 1 + int(first) * self.network.n_nodes + int(last)
        return self._colonies[row].key(self._seed, self.rounds, number)

    def _guided(
        self, first: int, last: int, rows: list[int], weightings: FloatArray, walks: int
    ) -> list[tuple[int, ...]]:
        """Return paths of ants that know how far the target is, under each weighting."""
        costs = scaled(self.network, [self._costs(row) for row in rows])
        trails = np.stack([self._perceived(row, last) for row in rows])
        weights = guiding_weights(self.network, (first, last), trails, costs, weightings)
        return self._scouts.sent(first, last, weights, walks, self._pair_key(rows[0], first, last))

    def _described(self, paths: Sequence[tuple[int, ...]], rows: list[int]) -> list[Route]:
        costs = {self.kinds[row]: self._costs(row) for row in rows}
        return [route_of(self.network, path, costs) for path in paths]
