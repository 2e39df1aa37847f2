"""Load balancing by diffusion: neighbours even out their loads until all have the same.

First-order diffusion (G. Cybenko, "Dynamic load balancing for distributed memory multiprocessors",
Journal of Parallel and Distributed Computing 7, 1989): in every round each node sends a share of
the difference over every link. The slowest deviation shrinks by a factor that the spectrum of the
network gives, so that the rounds follow from it: few on a hypercube, O(n²) on a ring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.consensus.gossip.networks import adjacency_of

__all__ = ["Balance", "balance_load"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Balance:
    """Loads after balancing.

    Attributes
    ----------
    load : ndarray of float64, shape (n,)
    rounds : int
    predicted : float
        Rounds after which the spectrum promises the tolerance at the latest (Euclidean norm).
    contraction : float
        Factor of the slowest deviation in a round, below 1.
    moved : float
        Load sent over links, all rounds together.
    """

    load: FloatArray
    rounds: int
    predicted: float
    contraction: float
    moved: float


def balance_load(
    graph: Any, load: ArrayLike, *, tolerance: float = 1e-2, most_rounds: int = 1_000_000
) -> Balance:
    """Even out loads over the links of a network.

    Parameters
    ----------
    graph : networkx.Graph or adjacency matrix
        Undirected and connected.
    load : float64[n]
        Load of each node at the start, which can be divided at will.
    tolerance : float
        Stop where the Euclidean distance from the mean has fallen by this factor.
    most_rounds : int
        Rounds after which to stop anyhow.

    Returns
    -------
    Balance

    Raises
    ------
    InputError
        A graph that is not symmetric or not connected, loads that do not fit it or are not finite.

    Notes
    -----
    Sends 2 / (λ₂ + λₙ) of a difference, λ being the eigenvalues of the Laplacian, which is the
    best share that is the same everywhere (C. Xu and F. Lau, Load Balancing in Parallel Computers,
    1997). They take O(n³) time; the rounds O(links) each.
    """
    links = adjacency_of(graph)
    loads = np.array(load, np.float64)
    if loads.shape != links.shape[:1] or not np.isfinite(loads).all():
        raise InputError(f"load of shape {loads.shape}: want {links.shape[:1]}, all finite")
    shrink = positive("tolerance", tolerance, 1.0)
    whole("most_rounds", most_rounds, 0)
    if len(loads) == 1:
        return Balance(loads, 0, 0.0, 0.0, 0.0)
    degree = np.asarray(links.sum(axis=1)).ravel()
    laplacian = sparse.csr_array(sparse.diags_array(degree) - links)
    spectrum = np.linalg.eigvalsh(laplacian.toarray())
    share = 2.0 / (spectrum[1] + spectrum[-1])
    contraction = float(max(1.0 - share * spectrum[1], 0.0))
    goal = shrink * np.linalg.norm(loads - loads.mean())
    rounds, moved = 0, 0.0
    ends = sparse.coo_array(sparse.triu(links)).coords
    while np.linalg.norm(loads - loads.mean()) > goal and rounds < most_rounds:
        moved += share * float(np.abs(loads[ends[0]] - loads[ends[1]]).sum())
        loads = loads - share * (laplacian @ loads)
        rounds += 1
    promised = np.log(shrink) / np.log(contraction) if contraction > 1e-12 else 1.0
    return Balance(loads, rounds, float(promised), contraction, moved)
