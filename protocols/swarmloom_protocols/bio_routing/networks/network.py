"""A directed network: links with capacities, delays and reliabilities; some may be out of order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.repetita import read_graph
from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus.real_numbers import real_array

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Network"]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False, init=False, repr=False)
class Network:
    """Nodes 0 … n − 1 and directed links 0 … m − 1 between them; parallel links are allowed.

    Whoever walks the network by `out_links` and `in_links` meets working links only. Links that
    fail keep their numbers, so that whatever is kept by link outlives a failure.

    Parameters
    ----------
    sources, targets : array-like of int, shape (m,)
        Nodes that each link leads from and to; no link leads from a node to itself.
    capacities : array-like of float, shape (m,), or float
        Finite, above 0.
    delays : array-like of float, shape (m,), or float, optional
        Finite, ≥ 0, in any one unit; 1 by default, so that delays count links.
    reliabilities : array-like of float, shape (m,), or float, optional
        Probabilities in [0, 1] that what is sent arrives; 1 by default.
    names : sequence of str, optional
        Of the nodes, no two alike; by default "0", "1", … as far as the links reach.

    Attributes
    ----------
    n_nodes, n_links : int
        n and m, whether or not they work.
    sources, targets : ndarray of int64, shape (m,)
        Ends of the links.
    capacities, delays, reliabilities : ndarray of float64, shape (m,)
        What the links are like.
    names : tuple of str
        Of the nodes.
    link_works : ndarray of bool, shape (m,)
        False for links that have failed, or one of whose ends has.
    node_works : ndarray of bool, shape (n,)
        False for nodes that have failed.
    out_starts, in_starts : ndarray of int64, shape (n + 1,)
        Where the links of each node begin in `out_links` and `in_links`.
    out_links, in_links : ndarray of int64, shape (number of working links,)
        Working links that leave a node, or lead to it, in the order of their numbers.

    Raises
    ------
    InputError
        A link or a node is wrong; the message names it, its value and what is allowed.
    """

    sources: IntArray
    targets: IntArray
    capacities: FloatArray
    delays: FloatArray
    reliabilities: FloatArray
    names: tuple[str, ...]
    node_works: BoolArray
    link_works: BoolArray
    out_starts: IntArray
    out_links: IntArray
    in_starts: IntArray
    in_links: IntArray
    _rows: dict[str, int]
    _link_in_order: BoolArray

    def __init__(
        self,
        sources: ArrayLike,
        targets: ArrayLike,
        capacities: ArrayLike,
        delays: ArrayLike | None = None,
        reliabilities: ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        ends = _ends("sources", sources), _ends("targets", targets)
        if len(ends[0]) != len(ends[1]):
            raise InputError(f"{len(ends[0])} sources and {len(ends[1])} targets; allowed: as many")
        reached = max(int(end.max(initial=-1)) for end in ends) + 1
        self._set(sources=ends[0], targets=ends[1], names=_names(names, reached))
        self._set(_rows={name: row for row, name in enumerate(self.names)})
        self._refuse_loops_and_strangers()
        positive, largest = float(np.nextafter(0.0, 1.0)), float(np.finfo(np.float64).max)
        self._set(
            capacities=self._column("capacities", capacities, positive, largest, "finite, above 0"),
            delays=self._column(
                "delays", 1.0 if delays is None else delays, 0.0, largest, "finite, ≥ 0"
            ),
            reliabilities=self._column(
                "reliabilities", 1.0 if reliabilities is None else reliabilities, 0.0, 1.0, "0 to 1"
            ),
        )
        self._work(np.ones(self.n_links, bool), np.ones(self.n_nodes, bool))

    def __repr__(self) -> str:
        return (
            f"Network({self.n_nodes} nodes, {self.n_links} links, "
            f"{self.n_links - np.count_nonzero(self.link_works)} of them out of order)"
        )

    @classmethod
    def from_networkx(
        cls,
        graph: nx.Graph[Any],
        *,
        capacity: str = "capacity",
        delay: str = "delay",
        reliability: str = "reliability",
    ) -> Network:
        """Make a network of a graph.

        Parameters
        ----------
        graph : networkx.Graph, DiGraph, MultiGraph or MultiDiGraph
            Nodes are named by `str`; those that are the numbers 0 … n − 1 keep them, others are
            numbered in the order of the graph. An edge that is not directed becomes two links, one
            after the other.
        capacity, delay, reliability : str, optional
            Names of the edges' attributes; an edge that lacks one has 1.

        Returns
        -------
        Network

        Raises
        ------
        InputError
            As of the class.
        """
        nodes = list(graph)
        if set(nodes) == set(range(len(nodes))):
            nodes.sort()
        rows = {node: row for row, node in enumerate(nodes)}
        ends, columns = [], []
        for source, target, data in graph.edges(data=True):
            values = [data.get(name, 1.0) for name in (capacity, delay, reliability)]
            for pair in [(source, target), (target, source)][: 1 if graph.is_directed() else 2]:
                ends.append([rows[node] for node in pair])
                columns.append(values)
        sources, targets = np.array(ends, dtype=np.int64).reshape(-1, 2).T
        table = np.reshape(np.array(columns), (-1, 3)).T
        names = [str(node) for node in nodes]
        return cls(sources, targets, table[0], table[1], table[2], names)

    @classmethod
    def from_repetita(cls, path: str | PathLike[str]) -> Network:
        """Read a ``.graph`` file of REPETITA: capacities in kbit/s, delays in microseconds.

        Parameters
        ----------
        path : str or path
            The file; `repetita.read_demands` reads the demands beside it.

        Returns
        -------
        Network

        Raises
        ------
        InputError
            The file is not of that form, or as of the class.
        OSError
            The file cannot be read.
        """
        file = read_graph(path)
        return cls(file.sources, file.targets, file.capacities, file.delays, names=file.names)

    @property
    def n_nodes(self) -> int:
        """Nodes, whether or not they work."""
        return len(self.names)

    @property
    def n_links(self) -> int:
        """Links, whether or not they work."""
        return len(self.sources)

    def node(self, node: str | int) -> int:
        """Return the number of a node.

        Parameters
        ----------
        node : str or int
            Its name, or its number.

        Returns
        -------
        int

        Raises
        ------
        InputError
            There is no such node.
        """
        if isinstance(node, str):
            if node not in self._rows:
                raise InputError(f"there is no node {node!r} among the {self.n_nodes} nodes")
            return self._rows[node]
        return whole("node", node, 0, self.n_nodes - 1)

    def links_between(
        self, source: str | int, target: str | int, *, both_ways: bool = False
    ) -> IntArray:
        """Find the links from one node to another, whether or not they work.

        Parameters
        ----------
        source, target : str or int
            Names or numbers.
        both_ways : bool, optional
            Those from target to source too.

        Returns
        -------
        ndarray of int64
            In the order of their numbers.

        Raises
        ------
        InputError
            There is no such node.
        """
        first, last = self.node(source), self.node(target)
        found = (self.sources == first) & (self.targets == last)
        if both_ways:
            found |= (self.sources == last) & (self.targets == first)
        return np.flatnonzero(found)

    def link_name(self, link: int) -> str:
        """Say how errors call a link.

        Parameters
        ----------
        link : int
            Its number.

        Returns
        -------
        str
        """
        source, target = self.names[self.sources[link]], self.names[self.targets[link]]
        return f"link {link} ({source} → {target})"

    def fail(
        self, links: Iterable[int] | IntArray = (), nodes: Iterable[str | int] = ()
    ) -> Network:
        """Return the network with links and nodes out of order, besides those that are already.

        Parameters
        ----------
        links : iterable of int, optional
            One direction each; `links_between` finds them.
        nodes : iterable of str or int, optional
            Names or numbers; all their links go with them.

        Returns
        -------
        Network
            This one stays as it is.

        Raises
        ------
        InputError
            There is no such link or node.
        """
        return self._changed(links, nodes, works=False)

    def restore(
        self, links: Iterable[int] | IntArray = (), nodes: Iterable[str | int] = ()
    ) -> Network:
        """Return the network with links and nodes in order again.

        A link works where neither it nor one of its ends is out of order: a node that comes back
        brings no link with it that failed by itself.

        Parameters
        ----------
        links : iterable of int, optional
            One direction each.
        nodes : iterable of str or int, optional
            Names or numbers.

        Returns
        -------
        Network
            This one stays as it is.

        Raises
        ------
        InputError
            There is no such link or node.
        """
        return self._changed(links, nodes, works=True)

    def _changed(
        self, links: Iterable[int] | IntArray, nodes: Iterable[str | int], *, works: bool
    ) -> Network:
        link_in_order, node_works = self._link_in_order.copy(), self.node_works.copy()
        link_in_order[[whole("link", link, 0, self.n_links - 1) for link in links]] = works
        node_works[[self.node(node) for node in nodes]] = works
        changed = _copy(self)
        changed._work(link_in_order, node_works)
        return changed

    def _work(self, link_in_order: BoolArray, node_works: BoolArray) -> None:
        """Set what works, and the lists of links accordingly."""
        works = link_in_order & node_works[self.sources] & node_works[self.targets]
        out_starts, out_links = _by_node(self.sources, works, self.n_nodes)
        in_starts, in_links = _by_node(self.targets, works, self.n_nodes)
        self._set(_link_in_order=link_in_order, node_works=node_works, link_works=works)
        self._set(out_starts=out_starts, out_links=out_links)
        self._set(in_starts=in_starts, in_links=in_links)

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _refuse_loops_and_strangers(self) -> None:
        for link in np.flatnonzero(np.maximum(self.sources, self.targets) >= self.n_nodes):
            raise InputError(
                f"link {link} is between nodes {self.sources[link]} and {self.targets[link]}; "
                f"allowed: 0 to {self.n_nodes - 1}"
            )
        for link in np.flatnonzero(self.sources == self.targets):
            raise InputError(
                f"{self.link_name(int(link))} leads to where it begins; "
                "allowed: links between two nodes"
            )

    def _column(
        self, name: str, values: ArrayLike, low: float, high: float, allowed: str
    ) -> FloatArray:
        """Return one number a link within [low, high]."""
        given = real_array(name, values)
        if given.shape not in ((), (self.n_links,)):
            raise InputError(
                f"{name} are of shape {given.shape}; allowed: one number, or one of each of the "
                f"{self.n_links} links"
            )
        column = np.array(np.broadcast_to(given, self.n_links))
        for link in np.flatnonzero(~((column >= low) & (column <= high))):
            raise InputError(
                f"{name}: {self.link_name(int(link))} has {column[link]}; allowed: {allowed}"
            )
        return column


def _copy(network: Network) -> Network:
    copied: Network = object.__new__(Network)
    copied._set(**{name: getattr(network, name) for name in Network.__slots__})
    return copied


def _ends(name: str, values: ArrayLike) -> IntArray:
    given = real_array(name, values)
    if given.ndim != 1:
        raise InputError(f"{name} are of shape {given.shape}; allowed: one number a link")
    for link in np.flatnonzero(~((given >= 0.0) & (given == np.floor(given)) & (given < 2.0**31))):
        raise InputError(
            f"{name}: link {link} has {given[link]:g}; allowed: numbers of nodes, from 0"
        )
    return given.astype(np.int64)


def _names(names: Sequence[str] | None, reached: int) -> tuple[str, ...]:
    if names is None:
        return tuple(map(str, range(reached)))
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or name in seen:
            raise InputError(f"names: {name!r}; allowed: text, no two alike")
        seen.add(name)
    return tuple(names)


def _by_node(ends: IntArray, works: BoolArray, n_nodes: int) -> tuple[IntArray, IntArray]:
    """Working links by the node at one of their ends, as rows of a sparse matrix."""
    links = np.flatnonzero(works)
    order = np.argsort(ends[links], kind="stable")
    starts = np.zeros(n_nodes + 1, dtype=np.int64)
    np.cumsum(np.bincount(ends[links], minlength=n_nodes), out=starts[1:])
    return starts, links[order]
