"""Single linkage: sets of points that chains of near neighbours join."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

__all__ = ["linked_labels"]


def linked_labels(points: NDArray[np.float64], reach: float) -> NDArray[np.int64]:
    """Label points by the chain of neighbours that they belong to.

    Parameters
    ----------
    points : ndarray of float64, shape (N, D)
        Finite, N ≥ 1.
    reach : float
        Largest distance between neighbours.

    Returns
    -------
    ndarray of int64, shape (N,)
        0, 1, … in the order in which sets appear.
    """
    pairs = cKDTree(points).query_pairs(reach, output_type="ndarray")
    shape = len(points), len(points)
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=shape)
    _, labels = connected_components(links, directed=False)
    return np.asarray(labels, np.int64)
