"""Gossip that learns whom to tell: links are weighed by spike timing.

A node "fires" when it first hears a rumour. A link from a node that fired to one that fired later
is strengthened, the more the shorter the time between; a link to a node that had fired before is
weakened: the message was of no use. This is pair-based spike-timing-dependent plasticity (Song,
Miller and Abbott 2000, "Competitive Hebbian learning through spike-timing-dependent synaptic
plasticity", equation 1), taken for what it is: a rule that prefers fast and useful links.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, generator, positive, whole
from swarmloom_protocols.consensus.gossip.networks import neighbours_of

__all__ = ["AdaptiveGossip", "Plasticity", "Wave", "weight_change"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Plasticity:
    """How timing changes a link.

    Attributes
    ----------
    gain, loss : float
        Largest strengthening and weakening of one pair of firings, from 0.
    window : float
        Time after which an effect has fallen by e, in the unit of the latencies.
    """

    gain: float = 0.1
    loss: float = 0.105
    window: float = 1.0

    def __post_init__(self) -> None:
        between("gain", self.gain, 0.0)
        between("loss", self.loss, 0.0)
        positive("window", self.window)


def weight_change(lag: npt.ArrayLike, rule: Plasticity) -> FloatArray:
    """Return what a pair of firings does to the link between them.

    Parameters
    ----------
    lag : float64[...]
        When the receiver fired less when the sender fired.
    rule : Plasticity

    Returns
    -------
    float64[...]
        ``gain · exp(−lag / window)`` for a positive lag, ``−loss · exp(lag / window)`` for a
        negative one, 0 for none.
    """
    times = np.asarray(lag, np.float64)
    size = np.exp(-np.abs(times) / rule.window)
    change: FloatArray = np.where(times > 0.0, rule.gain * size, -rule.loss * size)
    return np.where(times == 0.0, 0.0, change)


class Wave(NamedTuple):
    """How one rumour went through the network.

    Attributes
    ----------
    fired : float64[n]
        When each node first heard it; infinite for who never did.
    messages : int
    """

    fired: FloatArray
    messages: int


class AdaptiveGossip:
    """A network whose nodes each tell their 3 to 8 best neighbours, and learn which these are.

    Parameters
    ----------
    latency : networkx.Graph or float64[n, n]
        How long a message takes between two nodes, above 0; 0 (or no link) where they cannot talk.
        Symmetric, connected. A graph's links need the attribute ``weight``.
    least, most : int
        Fan-out: a node tells its neighbours of weight ½ or more, but at least and at most so many.
    rule : Plasticity, optional

    Attributes
    ----------
    weights : float64[links]
        Of every directed link, in [0, 1], all ½ at first.
    """

    def __init__(
        self, latency: Any, *, least: int = 3, most: int = 8, rule: Plasticity | None = None
    ) -> None:
        self._least, self._most = whole("least", least, 1), whole("most", most, least)
        self._rule = rule or Plasticity()
        self._latency = _latencies(latency)
        self._first, self._others = neighbours_of(self._latency)
        self._nodes = self._first.shape[0] - 1
        self._senders = np.repeat(np.arange(self._nodes), np.diff(self._first))
        self._delays = self._latency[self._senders, self._others]
        self.weights = np.full(self._others.shape[0], 0.5)

    def fan_out(self, node: int) -> int:
        """Return how many neighbours a node tells."""
        links = self.weights[self._first[node] : self._first[node + 1]]
        wanted = int((links >= 0.5).sum())
        return min(max(wanted, self._least), self._most, len(links))

    def spread(self, source: int, *, learn: bool = True, rng: np.random.Generator) -> Wave:
        """Let a rumour run from a node until nobody has anything to tell.

        Parameters
        ----------
        source : int
        learn : bool
            Whether the links over which it went are weighed anew afterwards.
        rng : numpy.random.Generator
            Whom to tell among links of equal weight.

        Returns
        -------
        Wave
        """
        whole("source", source, 0, self._nodes - 1)
        generator("rng", rng)
        fired, used = np.full(self._nodes, np.inf), []
        arrivals = [(0.0, source)]
        while arrivals:
            now, node = heapq.heappop(arrivals)
            if fired[node] < np.inf:
                continue
            fired[node] = now
            for link in self._told(node, rng):
                used.append(link)
                heapq.heappush(arrivals, (now + self._delays[link], int(self._others[link])))
        if learn:
            self._learn(np.array(used, np.int64), fired)
        return Wave(fired, len(used))

    def _told(self, node: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        begin, end = self._first[node], self._first[node + 1]
        order = np.lexsort((rng.random(end - begin), -self.weights[begin:end]))
        told: npt.NDArray[np.int64] = begin + order[: self.fan_out(node)]
        return told

    def _learn(self, used: npt.NDArray[np.int64], fired: FloatArray) -> None:
        lag = fired[self._others[used]] - fired[self._senders[used]]
        # Bounds as in the source: a weight can neither vanish below 0 nor grow without end.
        self.weights[used] = np.clip(self.weights[used] + weight_change(lag, self._rule), 0.0, 1.0)


def _latencies(latency: Any) -> FloatArray:
    if hasattr(latency, "adj"):
        import networkx

        latency = networkx.to_numpy_array(latency, weight="weight")
    matrix = np.array(latency, np.float64)
    if not (np.isfinite(matrix).all() and (matrix >= 0.0).all()):
        raise InputError("latency: allowed are finite times from 0, 0 for no link")
    if matrix.ndim != 2 or not np.array_equal(matrix, matrix.T):
        raise InputError("latency: allowed is a square, symmetric matrix")
    return matrix
