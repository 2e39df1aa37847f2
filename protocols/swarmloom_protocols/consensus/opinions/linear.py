"""Models whose step is a matrix: DeGroot and Friedkin–Johnsen, with their limits in closed form.

On the CPU a step is SciPy's product of a sparse matrix; nothing here is faster than that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus.opinions.arguments import (
    FloatArray,
    Graph,
    Matrix,
    graph_of,
    opinions_of,
    per_expert,
    trust_of,
)
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["affine_steps", "friedkin_johnsen_limit", "social_influence"]


def affine_steps(
    matrix: Graph,
    opinions: ArrayLike,
    offset: ArrayLike = 0.0,
    *,
    steps: int = 1,
    device: Device = "auto",
) -> FloatArray:
    """Return x after steps of x ← M x + b.

    Parameters
    ----------
    matrix : sparse matrix or array-like of float, shape (n, n)
        M, of weights from 0.
    opinions : array-like of float, shape (n,) or (n, D)
        x.
    offset : array-like of float, optional
        b, of the shape of the opinions or broadcast to it.
    steps : int, optional
        How many (≥ 0).
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; on a GPU the opinions stay there between the steps.

    Returns
    -------
    ndarray of float64, shape (n, D)

    Raises
    ------
    InputError
        Shapes do not fit, a weight is negative, an opinion not finite.
    """
    values = opinions_of("opinions", opinions)
    weights = graph_of("matrix", matrix, len(values))
    added = real_array("offset", offset)
    added = added[:, np.newaxis] if added.ndim == 1 else added
    if added.ndim > 2 or np.broadcast_shapes(added.shape, values.shape) != values.shape:
        raise InputError(f"offset: shape {added.shape}; allowed: {values.shape}")
    steps = whole("steps", steps, 0)
    return stepped(weights, values, np.broadcast_to(added, values.shape), steps, device)


def stepped(
    matrix: Matrix, values: FloatArray, offset: FloatArray | None, steps: int, device: Device
) -> FloatArray:
    """Return what `affine_steps` returns, of checked arguments; no offset adds nothing."""
    work = matrix.nnz * values.shape[1] * steps
    if steps and resolve(device, size=work) == "cuda":
        return _stepped_on_cuda(matrix, values, offset, steps)
    # SciPy multiplies a vector faster than a matrix of one column.
    shape = values.shape
    now = values[:, 0] if shape[1] == 1 else values
    added = None if offset is None else offset.reshape(now.shape)
    for _ in range(steps):
        now = matrix @ now
        if added is not None:
            now += added
    return now.reshape(shape)


def _stepped_on_cuda(
    matrix: Matrix, values: FloatArray, offset: FloatArray | None, steps: int
) -> FloatArray:
    from swarmloom.cuda import numba_cuda
    from swarmloom_protocols.consensus.opinions.opinions_cuda import affine_step

    cuda = numba_cuda()
    added = np.zeros_like(values) if offset is None else np.ascontiguousarray(offset)
    given = [matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data, added]
    on_gpu = [cuda.to_device(array) for array in given]
    now, then = cuda.to_device(values), cuda.device_array(values.shape, values.dtype)
    for _ in range(steps):
        affine_step.launch(values.size, *on_gpu, now, then)
        now, then = then, now
    result: FloatArray = now.copy_to_host()
    return result


def social_influence(weights: Graph) -> FloatArray:
    """Return what each one's first opinion is worth in DeGroot's consensus.

    Parameters
    ----------
    weights : sparse matrix, array-like or networkx graph
        Trust matrix, rows sum to 1.

    Returns
    -------
    ndarray of float64, shape (n,)
        π with πᵀW = πᵀ and Σπ = 1 (DeGroot, Journal of the American Statistical Association 69,
        1974): where opinions converge, they converge to π·x₀.

    Raises
    ------
    InputError
        It is no trust matrix, or it has several groups that listen to nobody outside, so that no
        single consensus exists.
    """
    matrix = trust_of("weights", weights)
    members = _closed_group(matrix)
    within = matrix[members][:, members].T.tocsc()
    influence = np.zeros(matrix.shape[0])
    influence[members] = _stationary(within)
    return influence


def _closed_group(matrix: Matrix) -> np.ndarray:
    """Return the members of the one group that nobody leaves."""
    count, labels = csgraph.connected_components(matrix, connection="strong")
    edges = matrix.tocoo()
    leaving = labels[edges.row] != labels[edges.col]
    closed = np.setdiff1d(np.arange(count), labels[edges.row[leaving]])
    if len(closed) != 1:
        raise InputError(
            f"weights: {len(closed)} groups listen to nobody outside; allowed: one, else "
            "opinions reach no common consensus"
        )
    return np.flatnonzero(labels == closed[0])


def _stationary(transposed: Matrix) -> FloatArray:
    """Return π of an irreducible matrix of which the transpose is given."""
    size = transposed.shape[0]
    if size == 1:
        return np.ones(1)
    system = sparse.csc_array(transposed - sparse.eye_array(size, format="csc"))
    rest = splu(sparse.csc_matrix(system[1:, 1:])).solve(-system[1:, [0]].toarray().ravel())
    influence = np.concatenate([[1.0], rest])
    influence /= influence.sum()
    return influence


def friedkin_johnsen_limit(
    weights: Graph, susceptibility: ArrayLike, opinions: ArrayLike
) -> FloatArray:
    """Return where Friedkin–Johnsen opinions settle: (I − ΛW)⁻¹ (I − Λ) x₀.

    Parameters
    ----------
    weights : sparse matrix, array-like or networkx graph
        W, a trust matrix.
    susceptibility : float or array-like of float, shape (n,)
        Λ's diagonal: how much each gives way to others, 0 to 1.
    opinions : array-like of float, shape (n,) or (n, D)
        x₀.

    Returns
    -------
    ndarray of float64, shape (n, D)
        Friedkin and Johnsen, Journal of Mathematical Sociology 15, 1990.

    Raises
    ------
    InputError
        An argument is out of its range, or somebody hears nobody stubborn, not even in turn, so
        that the matrix has no inverse.
    """
    first = opinions_of("opinions", opinions)
    n = len(first)
    matrix = trust_of("weights", weights, n)
    share = per_expert("susceptibility", susceptibility, n, low=0.0, high=1.0)
    _check_anchored(matrix, share)
    system = sparse.eye_array(n, format="csc") - sparse.diags_array(share) @ matrix
    limit = splu(sparse.csc_matrix(system)).solve((1.0 - share)[:, np.newaxis] * first)
    return np.asarray(limit, np.float64)


def _check_anchored(matrix: Matrix, share: FloatArray) -> None:
    """Raise unless everybody hears somebody stubborn, if only through others."""
    n = matrix.shape[0]
    stubborn = np.flatnonzero(share < 1.0)
    reached = np.zeros(n, bool)
    if stubborn.size:
        # From a node beside all, along the edges that opinions travel.
        edges = matrix.T.tocoo()
        rows = np.concatenate([edges.row, np.full(stubborn.size, n)])
        columns = np.concatenate([edges.col, stubborn])
        ways = sparse.csr_array((np.ones(rows.size), (rows, columns)), shape=(n + 1, n + 1))
        order = csgraph.breadth_first_order(ways, n, return_predecessors=False)
        reached[order[order < n]] = True
    if not reached.all():
        node = int(np.argmin(reached))
        raise InputError(
            f"susceptibility: {node} hears nobody with less than 1, not even through others; "
            "allowed: everybody hears somebody who is stubborn"
        )
