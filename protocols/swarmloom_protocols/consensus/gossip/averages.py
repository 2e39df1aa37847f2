"""Averages by gossip: nobody collects, and everybody ends with the mean."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom_protocols.checks import generator, positive, whole
from swarmloom_protocols.consensus.gossip.kernels import (
    FloatArray,
    draw_partners,
    pairwise_sweep,
    push_sum_round,
)
from swarmloom_protocols.consensus.gossip.networks import Neighbours, neighbours_of
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["Average", "pairwise_gossip", "push_sum"]


_LARGEST = 1e300


class Average(NamedTuple):
    """What gossip came to.

    Attributes
    ----------
    estimates : float64[n] or float64[n, columns]
        Each node's estimate of the mean.
    errors : float64[rounds]
        After each round the largest error of an estimate, in units of the values' spread (their
        largest distance from the mean).
    """

    estimates: FloatArray
    errors: FloatArray

    @property
    def rounds(self) -> int:
        """Rounds (push-sum) or sweeps of n meetings (pairwise) that were taken."""
        return len(self.errors)


def push_sum(
    values: npt.ArrayLike,
    graph: Any = None,
    *,
    tolerance: float = 1e-6,
    most_rounds: int = 1_000_000,
    rng: np.random.Generator,
) -> Average:
    """Average by push-sum (Kempe, Dobra and Gehrke 2003, "Gossip-based computation", Protocol 1).

    In each round every node keeps half of its sum and of its weight and sends the other half to a
    partner; sum over weight tends to the mean everywhere. No sum and no weight is ever lost.

    Parameters
    ----------
    values : float64[n] or float64[n, columns]
        What each node begins with.
    graph : int or networkx.Graph or adjacency matrix, optional
        Who can talk to whom; everybody to everybody by default.
    tolerance : float
        Stop when no error is larger.
    most_rounds : int
        Rounds after which it stops in any case; then the last error is above `tolerance`.
    rng : numpy.random.Generator

    Returns
    -------
    Average

    Raises
    ------
    InputError
        Values that are not finite, or a graph that is not connected or of another size.
    """
    start, network, seed = _start(values, graph, rng)
    shares = np.column_stack([np.ones(len(start)), start])
    after, partners = np.empty_like(shares), np.empty(len(start), np.int64)

    def estimates(round_number: int) -> FloatArray:
        nonlocal shares, after
        draw_partners(partners, *network, seed, round_number)
        push_sum_round(shares, after, partners)
        shares, after = after, shares
        result: FloatArray = shares[:, 1:] / shares[:, :1]
        return result

    return _until_close(start, estimates, tolerance, most_rounds, np.shape(values))


def pairwise_gossip(
    values: npt.ArrayLike,
    graph: Any = None,
    *,
    tolerance: float = 1e-6,
    most_rounds: int = 1_000_000,
    rng: np.random.Generator,
) -> Average:
    """Average by meetings in pairs (Boyd, Ghosh, Prabhakar and Shah 2006, "Randomized gossip").

    A random node and a random neighbour of it take the mean of their two values. A round of the
    result is n such meetings. Parameters as for `push_sum`.
    """
    start, network, seed = _start(values, graph, rng)
    current = start.copy()

    def estimates(round_number: int) -> FloatArray:
        pairwise_sweep(current, *network, seed, round_number)
        return current

    return _until_close(start, estimates, tolerance, most_rounds, np.shape(values))


def _start(
    values: npt.ArrayLike, graph: Any, rng: np.random.Generator
) -> tuple[FloatArray, Neighbours, int]:
    start = real_array("values", values)
    if start.ndim not in (1, 2) or start.shape[0] == 0 or not np.isfinite(start).all():
        raise InputError("values: allowed are finite numbers, one row a node, from one node")
    if np.abs(start).max() > _LARGEST:
        raise InputError(f"values: allowed are numbers of up to {_LARGEST:g}, so that sums exist")
    network = neighbours_of(start.shape[0] if graph is None else graph)
    if network.nodes != start.shape[0]:
        raise InputError(f"{start.shape[0]} values for a graph of {network.nodes} nodes")
    seed = int(generator("rng", rng).integers(2**32))
    return start.reshape(start.shape[0], -1), network, seed


def _until_close(
    start: FloatArray, estimates: Any, tolerance: float, most_rounds: int, shape: tuple[int, ...]
) -> Average:
    positive("tolerance", tolerance)
    whole("most_rounds", most_rounds, 1)
    mean = start.mean(axis=0)
    spread = float(np.abs(start - mean).max())
    current = start
    errors: list[float] = []
    # Nobody has anything to learn where all values are the same, or there is one node.
    while spread > 0.0 and (not errors or errors[-1] > tolerance) and len(errors) < most_rounds:
        current = estimates(len(errors))
        errors.append(float(np.abs(current - mean).max()) / spread)
    return Average(current.reshape(shape), np.array(errors))
