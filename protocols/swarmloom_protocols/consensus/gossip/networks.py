"""Networks on which gossip runs: who can talk to whom."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["Neighbours", "adjacency_of", "neighbours_of"]

IntArray = npt.NDArray[np.int64]


class Neighbours(NamedTuple):
    """Neighbour lists in one run each; empty lists in a network where everybody knows everybody.

    Attributes
    ----------
    first : int64[n + 1]
        Neighbours of node i are ``others[first[i]:first[i + 1]]``.
    others : int64[links]
    """

    first: IntArray
    others: IntArray

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.first) - 1


def adjacency_of(graph: Any) -> sparse.csr_array:
    """Return an undirected graph as a symmetric 0/1 matrix without loops.

    Parameters
    ----------
    graph : networkx.Graph or array or scipy.sparse array
        A square adjacency matrix; whatever is not 0 is a link.

    Raises
    ------
    InputError
        Not square, not symmetric, NaN, no node, or not connected.
    """
    matrix: Any = sparse.csr_array(_matrix(graph))
    n = matrix.shape[0]
    if n == 0 or matrix.shape != (n, n):
        raise InputError(f"graph has shape {matrix.shape}; allowed: square, from one node")
    if np.isnan(matrix.data).any():
        raise InputError("graph has NaN among its links")
    links: Any = sparse.csr_array(matrix != 0)
    links.setdiag(False)
    links.eliminate_zeros()
    if (links != links.T).nnz:
        raise InputError("graph is not symmetric: gossip goes both ways")
    parts = connected_components(links, directed=False)[0]
    if parts > 1:
        raise InputError(f"graph has {parts} parts that cannot hear of each other")
    links.sort_indices()
    return sparse.csr_array(links.astype(np.float64))


def neighbours_of(graph: Any) -> Neighbours:
    """Return a graph's neighbour lists; an int stands for that many nodes, all linked."""
    if isinstance(graph, int | np.integer) and not isinstance(graph, bool):
        if graph < 1:
            raise InputError(f"graph is {graph}; allowed: a number of nodes from 1, or a graph")
        return Neighbours(np.zeros(int(graph) + 1, np.int64), np.empty(0, np.int64))
    links = adjacency_of(graph)
    return Neighbours(links.indptr.astype(np.int64), links.indices.astype(np.int64))


def _matrix(graph: Any) -> Any:
    if hasattr(graph, "adj"):
        import networkx

        if not len(graph):
            return np.empty((0, 0))
        return networkx.to_scipy_sparse_array(graph, weight=None, format="csr")
    return graph if sparse.issparse(graph) else np.atleast_2d(real_array("graph", graph))
