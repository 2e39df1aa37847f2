"""How fast averaging converges on a network: predicted from the spectral gap, and measured.

Averages over neighbours tend to the mean as fast as the second largest eigenvalue of the averaging
matrix falls (Boyd, Ghosh, Prabhakar and Shah 2006; Levin, Peres and Wilmer, "Markov chains and
mixing times", ch. 12). Where the gap stays constant as the network grows (complete graphs,
expanders) or falls as 1/log n (hypercubes), O(log n) rounds are enough; on a ring the gap is
about π²/n², and rounds grow as n².
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, generator, whole
from swarmloom_protocols.consensus.gossip.networks import adjacency_of

__all__ = ["Convergence", "averaging_matrix", "convergence", "spectral_gap"]

_SMALL = 300


class Convergence(NamedTuple):
    """Rounds of averaging, as the spectrum predicts them and as they were.

    Attributes
    ----------
    nodes : int
    gap : float
        1 − |λ₂| of the averaging matrix.
    predicted : float
        ln(tolerance) / ln |λ₂|: an upper limit, reached by the slowest start.
    measured : int
        Rounds from a random start until the distance from the mean had fallen by `tolerance`.
    worst : int
        The same from the slowest start, the second eigenvector.
    """

    nodes: int
    gap: float
    predicted: float
    measured: int
    worst: int


def averaging_matrix(graph: Any) -> sparse.csr_array:
    """Return the lazy Metropolis matrix of a graph: symmetric, doubly stochastic, positive.

    A node weighs a neighbour by ½ / max(degree of both) and keeps the rest (Xiao and Boyd 2004,
    "Fast linear iterations for distributed averaging"; the half makes it lazy).

    Parameters
    ----------
    graph : networkx.Graph or adjacency matrix
        Undirected and connected.

    Returns
    -------
    scipy.sparse.csr_array, float64[n, n]
    """
    links = sparse.coo_array(adjacency_of(graph))
    degree = np.bincount(links.row, minlength=links.shape[0])
    weight = 0.5 / np.maximum(degree[links.row], degree[links.col])
    matrix = sparse.coo_array((weight, (links.row, links.col)), shape=links.shape)
    kept = 1.0 - np.asarray(matrix.sum(axis=1)).ravel()
    return sparse.csr_array(matrix + sparse.diags_array(kept))


def spectral_gap(matrix: sparse.csr_array) -> float:
    """Return 1 − |λ₂| of a symmetric stochastic matrix.

    Raises
    ------
    InputError
        Not square, not symmetric, or rows that do not sum to 1.
    """
    return 1.0 - _second(matrix)[0]


def convergence(graph: Any, *, tolerance: float = 1e-2, rng: np.random.Generator) -> Convergence:
    """Compare the predicted with the measured number of rounds of averaging on a graph.

    Parameters
    ----------
    graph : networkx.Graph or adjacency matrix
        Undirected and connected.
    tolerance : float
        By how much the distance from the mean is to fall, within (0, 1).
    rng : numpy.random.Generator
        Of the random start.

    Returns
    -------
    Convergence
    """
    between("tolerance", tolerance, 1e-300, 1.0 - 1e-12)
    matrix = averaging_matrix(graph)
    second, slowest = _second(matrix)
    start = generator("rng", rng).standard_normal(matrix.shape[0])
    predicted = np.log(tolerance) / np.log(second) if second > 0.0 else 0.0
    return Convergence(
        matrix.shape[0],
        1.0 - second,
        float(predicted),
        rounds_to_mean(matrix, start, tolerance),
        rounds_to_mean(matrix, slowest, tolerance),
    )


def rounds_to_mean(
    matrix: sparse.csr_array, start: Any, tolerance: float, most_rounds: int = 10_000_000
) -> int:
    """Count rounds until the Euclidean distance from the mean has fallen by `tolerance`."""
    whole("most_rounds", most_rounds, 1)
    away = np.asarray(start, np.float64) - np.mean(start)
    goal, rounds = tolerance * np.linalg.norm(away), 0
    while np.linalg.norm(away) > goal and rounds < most_rounds:
        away = matrix @ away
        away -= away.mean()  # Rounding must not bring the mean back in.
        rounds += 1
    return rounds


def _second(matrix: sparse.csr_array) -> tuple[float, Any]:
    """Return the second largest modulus of an eigenvalue and its eigenvector."""
    _check_averaging(matrix)
    n = matrix.shape[0]
    if n == 1:
        return 0.0, np.zeros(1)
    if n <= _SMALL:
        values, vectors = np.linalg.eigh(matrix.toarray())
    else:
        # The largest two by modulus of W − 11ᵀ/n are found without a shift that hides one sign.
        start = np.random.default_rng(0).standard_normal(n)
        values, vectors = eigsh(matrix, k=3, which="LM", v0=start - start.mean() + 1e-3)
    moduli = np.abs(values)
    moduli[np.argmax(values)] = -1.0
    place = int(np.argmax(moduli))
    return float(min(max(moduli[place], 0.0), 1.0)), vectors[:, place]


def _check_averaging(matrix: sparse.csr_array) -> None:
    n = matrix.shape[0]
    if matrix.shape != (n, n) or not np.isfinite(matrix.data).all():
        raise InputError(f"matrix of shape {matrix.shape}; allowed: square and finite")
    rows = np.asarray(matrix.sum(axis=1)).ravel()
    if abs(matrix - matrix.T).max() > 1e-12 or np.abs(rows - 1.0).max() > 1e-9:
        raise InputError("matrix: allowed are symmetric ones whose rows sum to 1")
