"""What networks look like from afar, and networks of a wanted shape, which NetworkX makes.

Links count as undirected here, parallel ones as one; delays and capacities play no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.hop_kernels import (
    betweenness,
    clustering,
    pairs_by_distance,
)
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.checks import between, generator, whole

__all__ = [
    "Adjacency",
    "Metrics",
    "Shape",
    "adjacency",
    "grow",
    "measure",
    "pairs_of",
    "power_law_exponent",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Shape = Literal["mesh", "hierarchical", "small_world", "scale_free"]


class Adjacency(NamedTuple):
    """Neighbours of node v: ``heads[starts[v] : ends[v]]``; int64 throughout."""

    starts: IntArray
    ends: IntArray
    heads: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """Figures of a network as an undirected graph; its equals are NetworkX's.

    Attributes
    ----------
    degrees : ndarray of int64, shape (n,)
        Neighbours of each node.
    clustering : ndarray of float64, shape (n,)
        Share of each node's pairs of neighbours that are neighbours.
    betweenness : ndarray of float64, shape (n,)
        Share of the other pairs' shortest paths that lead over each node.
    path_length : float
        Mean distance, in links, of the pairs that a path joins; NaN where there is none.
    diameter : int
        Largest distance of a pair that a path joins.
    efficiency : float
        Mean inverse distance of all pairs, 0 for those without a path.
    joined : float
        Share of the pairs that a path joins; 1 for connected networks.
    """

    degrees: IntArray
    clustering: FloatArray
    betweenness: FloatArray
    path_length: float
    diameter: int
    efficiency: float
    joined: float


def measure(network: Network) -> Metrics:
    """Measure a network: degrees, clustering, betweenness, distances.

    Compiled, since NetworkX takes seconds at a thousand nodes. Takes O(n · links).

    Parameters
    ----------
    network : Network
        Only what works counts.

    Returns
    -------
    Metrics
    """
    graph = adjacency(network.n_nodes, pairs_of(network))
    counts = pairs_by_distance(*graph)
    steps = np.arange(len(counts))
    joined, pairs = int(counts.sum()), max(network.n_nodes * (network.n_nodes - 1), 1)
    return Metrics(
        degrees=graph.ends - graph.starts,
        clustering=clustering(*graph),
        betweenness=betweenness(*graph),
        path_length=float(steps @ counts) / joined if joined else float("nan"),
        diameter=int(np.flatnonzero(counts).max(initial=0)),
        efficiency=float((counts[1:] / steps[1:]).sum()) / pairs,
        joined=joined / pairs,
    )


def pairs_of(network: Network) -> IntArray:
    """List the pairs of nodes that a working link joins, each once.

    Parameters
    ----------
    network : Network

    Returns
    -------
    ndarray of int64, shape (number of pairs, 2)
        Sorted, the smaller node first.
    """
    ends = np.stack([network.sources, network.targets], axis=1)[network.link_works]
    return np.unique(np.sort(ends, axis=1), axis=0).reshape(-1, 2)


def adjacency(n_nodes: int, pairs: IntArray) -> Adjacency:
    """List the neighbours of each node.

    Parameters
    ----------
    n_nodes : int
        Nodes.
    pairs : ndarray of int64, shape (number of pairs, 2)
        Each once.

    Returns
    -------
    Adjacency
    """
    both = np.concatenate([pairs, pairs[:, ::-1]])
    order = np.lexsort((both[:, 1], both[:, 0]))
    limits = np.searchsorted(both[order, 0], np.arange(n_nodes + 1)).astype(np.int64)
    return Adjacency(limits[:-1], limits[1:], np.ascontiguousarray(both[order, 1]))


def power_law_exponent(degrees: IntArray, least: int) -> float:
    """Estimate the exponent of a power law in the tail of degrees, by maximum likelihood.

    The approximation of Clauset, Shalizi & Newman (2009), eq. 3.7, good from `least` ≈ 6 on.

    Parameters
    ----------
    degrees : ndarray of int64, shape (n,)
        Degrees.
    least : int
        Where the tail begins, ≥ 1.

    Returns
    -------
    float

    Raises
    ------
    InputError
        No degree is as large as `least`.
    """
    tail = degrees[degrees >= whole("least", least, 1)]
    if not len(tail):
        raise InputError(f"least is {least}; allowed: at most the largest degree")
    return float(1.0 + len(tail) / np.log(tail / (least - 0.5)).sum())


def grow(
    shape: Shape,
    n_nodes: int,
    degree: int,
    rng: np.random.Generator,
    *,
    rewired: float = 0.1,
) -> Network:
    """Make a network of a shape, by NetworkX; all capacities and delays are 1.

    Parameters
    ----------
    shape : {"mesh", "hierarchical", "small_world", "scale_free"}
        A ring of nodes that are linked to their nearest `degree` ones; the tree of least depth
        whose nodes have at most `degree` neighbours; the first with a share of its links rewired
        (Watts & Strogatz 1998); or grown by links to nodes in proportion to the links they have
        (Barabási & Albert 1999), of mean degree near `degree`.
    n_nodes : int
        At least ``degree + 1``.
    degree : int
        At least 2; even, but for a tree.
    rng : numpy.random.Generator
        Whence the random numbers come.
    rewired : float, optional
        Share of the links of a small world that are rewired, 0 to 1.

    Returns
    -------
    Network
        Each link in both directions.

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    least = whole("degree", degree, 2)
    whole("n_nodes", n_nodes, least + 1)
    if known_shape(shape) != "hierarchical" and degree % 2:
        raise InputError(f"degree is {degree}; allowed: even numbers for the shape {shape!r}")
    seed, share = int(generator("rng", rng).integers(2**31)), between("rewired", rewired, 0.0, 1.0)
    graph: nx.Graph[Any]
    if shape == "mesh":
        graph = nx.circulant_graph(n_nodes, list(range(1, degree // 2 + 1)))
    elif shape == "hierarchical":
        graph = _tree(n_nodes, degree)
    elif shape == "small_world":
        graph = nx.watts_strogatz_graph(n_nodes, degree, share, seed=seed)
    else:
        graph = nx.barabasi_albert_graph(n_nodes, degree // 2, seed=seed)
    return Network.from_networkx(graph)


def known_shape(shape: str) -> str:
    """Return a shape, or raise `InputError`."""
    if shape not in get_args(Shape):
        allowed = ", ".join(map(repr, get_args(Shape)))
        raise InputError(f"shape is {shape!r}; allowed: {allowed}")
    return shape


def _tree(n_nodes: int, degree: int) -> nx.Graph[Any]:
    """Return the tree of least depth: the root has one child more than the others."""
    graph: nx.Graph[Any] = nx.empty_graph(n_nodes)
    children = np.arange(1, n_nodes)
    graph.add_edges_from(
        zip((np.maximum(children - 2, 0) // (degree - 1)).tolist(), children.tolist(), strict=True)
    )
    return graph
