"""Arguments that the models of opinions share, checked and brought into one form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = [
    "FloatArray",
    "Graph",
    "Matrix",
    "graph_of",
    "listening_graph",
    "opinions_of",
    "per_expert",
    "rows_scaled",
    "trust_matrix",
    "trust_of",
    "weighted_columns",
]

FloatArray = NDArray[np.float64]
Graph = Any
"""A SciPy sparse matrix, a square array or a networkx graph; entry (i, j): i listens to j."""
Matrix = Any
"""A `scipy.sparse.csr_array` of float64 with sorted indices and without stored zeros."""

# Rows of a trust matrix that somebody typed or divided sum to 1 within this.
ROW_SUM_TOLERANCE = 1e-9
MOST_EXPERTS = 1 << 31
MOST_OPINION = 1e150


def opinions_of(name: str, values: ArrayLike) -> FloatArray:
    """Return opinions as a new C-contiguous float64 array of shape (n, D).

    Parameters
    ----------
    name : str
        What errors call it.
    values : array-like of float, shape (n,) or (n, D)
        A vector is taken for opinions in one dimension.

    Raises
    ------
    InputError
        It is not of real numbers, has other axes, no expert, no dimension, or an entry that is
        not finite or beyond ±1e150, whose squares would be infinite.
    """
    given = real_array(name, values)
    opinions = np.array(given, ndmin=1)
    opinions = opinions[:, np.newaxis] if opinions.ndim == 1 else opinions
    if opinions.ndim != 2 or not opinions.size or len(opinions) >= MOST_EXPERTS:
        raise InputError(
            f"{name}: shape {given.shape}; allowed: (n,) or (n, D), 0 < n < 2**31, D > 0"
        )
    wrong = ~(np.abs(opinions) <= MOST_OPINION).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{name}[{row}] is {opinions[row].tolist()}; allowed: finite numbers up to 1e150"
        )
    return opinions


def per_expert(
    name: str, values: ArrayLike, n: int, *, low: float, high: float, above: bool = False
) -> FloatArray:
    """Return one number an expert, float64 of shape (n,); a scalar is everybody's.

    Parameters
    ----------
    name : str
        What errors call it.
    values : array-like of float, shape () or (n,)
        The numbers.
    n : int
        Experts.
    low, high : float
        Bounds, themselves allowed.
    above : bool, optional
        Whether `low` itself is not allowed.

    Raises
    ------
    InputError
        No real numbers, another shape, or a number out of bounds, the first of which is named.
    """
    numbers = real_array(name, values)
    if numbers.shape not in ((), (n,)):
        raise InputError(f"{name}: shape {numbers.shape}; allowed: a number or shape ({n},)")
    numbers = np.array(np.broadcast_to(numbers, n))
    fits = (numbers > low if above else numbers >= low) & (numbers <= high)
    if not fits.all():
        row = int(np.argmin(fits))
        least = f"above {low:g}" if above else f"from {low:g}"
        raise InputError(f"{name}[{row}] is {numbers[row]:g}; allowed: {least} to {high:g}")
    return numbers


def graph_of(name: str, graph: Graph, n: int | None = None) -> Matrix:
    """Return a graph as a CSR array of weights ≥ 0.

    Parameters
    ----------
    name : str
        What errors call it.
    graph : sparse matrix, array-like or networkx graph
        Entry (i, j) is how much i listens to j. The nodes of a networkx graph are taken in its
        own order, with the edge attribute "weight" or 1.
    n : int, optional
        Nodes that it has to have.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (n, n)

    Raises
    ------
    InputError
        It is not square, has not `n` nodes, or a weight is negative or not finite.
    """
    if hasattr(graph, "adjacency") and hasattr(graph, "nodes"):
        import networkx

        graph = networkx.to_scipy_sparse_array(graph, dtype=np.float64, format="csr")
    given: Any = graph if sparse.issparse(graph) else real_array(name, graph)
    matrix = sparse.csr_array(given)
    matrix = matrix.astype(np.float64, copy=True)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or n not in (None, matrix.shape[0]):
        nodes = "n" if n is None else n
        raise InputError(f"{name}: shape {matrix.shape}; allowed: ({nodes}, {nodes})")
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    wrong = ~(np.isfinite(matrix.data) & (matrix.data > 0.0))
    if wrong.any():
        place = int(np.argmax(wrong))
        row = int(np.searchsorted(matrix.indptr, place, "right")) - 1
        where = f"{name}[{row}, {matrix.indices[place]}]"
        raise InputError(f"{where} is {matrix.data[place]:g}; allowed: finite weights from 0")
    return _narrow(matrix)


def _narrow(matrix: Matrix) -> Matrix:
    """Return a matrix with 32-bit indices, whatever it was made from: kernels compile once."""
    parts = matrix.data, matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return sparse.csr_array(parts, shape=matrix.shape)


def listening_graph(name: str, graph: Graph, n: int | None = None) -> Matrix:
    """Return a graph as `graph_of` does, without loops; each node must listen to another one.

    Raises
    ------
    InputError
        What `graph_of` raises, or a node is isolated.
    """
    matrix = graph_of(name, graph, n)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    matrix.data[rows == matrix.indices] = 0.0
    matrix.eliminate_zeros()
    degrees = np.diff(matrix.indptr)
    if not degrees.all():
        node = int(np.argmin(degrees))
        raise InputError(
            f"{name}: node {node} is isolated; allowed: every node listens to another one "
            "(leave out what stands alone)"
        )
    return matrix


def trust_of(name: str, weights: Graph, n: int | None = None) -> Matrix:
    """Return a trust matrix, whose rows sum to 1.

    Raises
    ------
    InputError
        What `graph_of` raises, or a row does not sum to 1.
    """
    matrix = graph_of(name, weights, n)
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    wrong = ~(np.abs(sums - 1.0) <= ROW_SUM_TOLERANCE)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{name}: row {row} sums to {sums[row]:.12g}; allowed: 1 (trust_matrix makes it so)"
        )
    return matrix


def trust_matrix(graph: Graph, *, own: float = 0.0) -> Matrix:
    """Make a graph's weights into shares of attention, row by row.

    Parameters
    ----------
    graph : sparse matrix, array-like or networkx graph
        Who listens to whom, and how much (≥ 0).
    own : float, optional
        Share that everybody gives to their own opinion, 0 to 1; the rest is divided by weights.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (n, n)
        Rows sum to 1.

    Raises
    ------
    InputError
        A node is isolated, a weight negative, `own` out of its range.
    """
    matrix = listening_graph("graph", graph)
    keep = float(per_expert("own", own, 1, low=0.0, high=1.0)[0])
    shares = rows_scaled(matrix, 1.0 - keep)
    return sparse.csr_array(shares + sparse.eye_array(shares.shape[0]) * keep) if keep else shares


def rows_scaled(matrix: Matrix, total: float = 1.0) -> Matrix:
    """Return a matrix whose rows, none of them empty, sum to `total`."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    scaled = matrix.copy()
    scaled.data *= np.repeat(total / sums, np.diff(matrix.indptr))
    return scaled


def weighted_columns(matrix: Matrix, confidence: FloatArray) -> Matrix:
    """Return a trust matrix in which everybody counts by their confidence too."""
    if np.all(confidence == confidence[0]):
        return matrix
    weighted = matrix.copy()
    weighted.data *= confidence[matrix.indices]
    return rows_scaled(weighted)
