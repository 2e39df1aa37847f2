"""Which places are near one another: by hops in a graph, or by the angle between vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive
from swarmloom_protocols.stigmergy.traces.lexical import lexical_vectors

__all__ = ["CosineNeighbourhood", "HopNeighbourhood", "Neighbourhood"]

Near = list[tuple[Hashable, float]]
Embedding = Callable[[Sequence[Any]], npt.ArrayLike]

_FIRST_ROOM = 64


class Neighbourhood(Protocol):
    """What is near what, and how much it counts."""

    @property
    def default_radius(self) -> float:
        """How far to look when nothing is said."""

    def learn(self, places: Iterable[Hashable]) -> None:
        """Hear of places that traces were left at."""

    def __contains__(self, place: Hashable) -> bool:
        """Whether a place can have neighbours."""

    def around(self, place: Hashable, radius: float) -> Near:
        """Give the places within a radius and their weights, nearest first, itself with 1."""


class HopNeighbourhood:
    """Nodes of a graph: what is h hops away counts ``decay**h``.

    Parameters
    ----------
    graph : networkx graph, or mapping of node to neighbours
        Read at each call, so that it may grow.
    decay : float
        What one hop leaves of a weight, in (0, 1].

    Raises
    ------
    InputError
        If `decay` is outside of its range.

    Examples
    --------
    >>> ways = HopNeighbourhood({"hall": ["kitchen"], "kitchen": ["hall", "cellar"], "cellar": []})
    >>> ways.around("hall", 2)
    [('hall', 1.0), ('kitchen', 0.5), ('cellar', 0.25)]
    """

    default_radius = 1.0

    def __init__(self, graph: Mapping[Any, Iterable[Hashable]], decay: float = 0.5) -> None:
        self._graph, self._decay = graph, positive("decay", decay, 1.0)

    def learn(self, places: Iterable[Hashable]) -> None:
        """Do nothing: the graph has all there is to know."""

    def __contains__(self, place: Hashable) -> bool:
        return place in self._graph

    def around(self, place: Hashable, radius: float) -> Near:
        """Give the nodes within some hops, nearest first.

        Parameters
        ----------
        place : hashable
        radius : int
            Hops, ≥ 1.

        Returns
        -------
        list of (hashable, float)
            `place` itself comes first, with 1; it comes alone if it is no node.

        Raises
        ------
        InputError
            If `radius` is no whole number from 1.
        """
        if not 1 <= radius < math.inf or radius != int(radius):
            raise InputError(f"radius is {radius}; allowed: a whole number of hops, from 1")
        found: dict[Hashable, float] = {place: 1.0}
        edge = [place]
        for hop in range(1, int(radius) + 1):
            weight = self._decay**hop
            reached = [to for node in edge if node in self._graph for to in self._graph[node]]
            edge = [to for to in dict.fromkeys(reached) if to not in found]
            found |= dict.fromkeys(edge, weight)
        return list(found.items())


class CosineNeighbourhood:
    """Places whose vectors point the same way: at cosine distance d one counts 1 − (d/radius)².

    Compares with every known place: O(N·D) for N places of D numbers each.

    Parameters
    ----------
    embed : callable, optional
        Gives places their vectors: a sequence of N places to an array of shape (N, D). By default
        `lexical_vectors`, which sees shared words and parts of words and no meaning.
    default_radius : float
        In (0, 2].
    nearest : int
        Neighbours that count at most (≥ 1).

    Raises
    ------
    InputError
        If a number is outside of its range.
    """

    def __init__(
        self, embed: Embedding | None = None, *, default_radius: float = 0.7, nearest: int = 64
    ) -> None:
        self.default_radius = positive("default_radius", default_radius, 2.0)
        self._nearest = int(between("nearest", nearest, 1))
        self._embed: Embedding = lexical_vectors if embed is None else embed
        self._lock = Lock()
        self._rows: dict[Hashable, int] = {}
        self._places: list[Hashable] = []
        self._vectors = np.zeros((0, 0), dtype=np.float32)

    def learn(self, places: Iterable[Hashable]) -> None:
        """Give new places their vectors.

        Parameters
        ----------
        places : iterable of hashable
            Known ones are passed over.

        Raises
        ------
        InputError
            If `embed` gives anything but finite vectors of one size, one for each place.
        """
        with self._lock:
            new = [place for place in dict.fromkeys(places) if place not in self._rows]
            if new:
                self._append(new, self._embedded(new))

    def __contains__(self, place: Hashable) -> bool:
        # Any text can have neighbours; a tuple is a place and what was done there.
        return not isinstance(place, tuple)

    def around(self, place: Hashable, radius: float) -> Near:
        """Give the known places within a cosine distance, nearest first.

        Parameters
        ----------
        place : hashable
            Need not be known.
        radius : float
            Cosine distance, 0 < radius ≤ 2, at which a place counts nothing any more.

        Returns
        -------
        list of (hashable, float)
            `place` itself comes first, with 1.

        Raises
        ------
        InputError
            If `radius` is outside of its range.
        """
        radius = positive("radius", radius, 2.0)
        with self._lock:
            row = self._rows.get(place)
            vectors = self._vectors[: len(self._rows)]
        if not len(vectors):
            return [(place, 1.0)]
        own = self._embedded([place])[0] if row is None else vectors[row]
        distances = 1.0 - vectors @ own
        return [(place, 1.0), *self._within(distances, radius, row)]

    def _within(self, distances: npt.NDArray[Any], radius: float, own: int | None) -> Near:
        near = np.flatnonzero(distances < radius)
        near = near[np.argsort(distances[near], kind="stable")][: self._nearest + 1]
        # Rounding may put a place at a small negative distance from itself.
        weights = 1.0 - (np.maximum(distances[near], 0.0) / radius) ** 2
        found = zip(near.tolist(), weights.tolist(), strict=True)
        return [(self._places[row], weight) for row, weight in found if row != own][: self._nearest]

    def _embedded(self, places: list[Hashable]) -> npt.NDArray[np.float32]:
        vectors = np.array(self._embed(places), dtype=np.float32, ndmin=2)
        size = self._vectors.shape[1] or vectors.shape[-1]
        if vectors.shape != (len(places), size) or not np.isfinite(vectors).all():
            raise InputError(
                f"embed gave {vectors.shape} for {len(places)} places; allowed: finite numbers, "
                f"shape ({len(places)}, {size})"
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0.0)
        return vectors

    def _append(self, new: list[Hashable], vectors: npt.NDArray[np.float32]) -> None:
        used = len(self._rows)
        if used + len(new) > len(self._vectors):
            room = max(_FIRST_ROOM, 2 * len(self._vectors), used + len(new))
            grown = np.zeros((room, vectors.shape[1]), dtype=np.float32)
            grown[:used] = self._vectors[:used].reshape(used, vectors.shape[1])
            self._vectors = grown
        self._vectors[used : used + len(new)] = vectors
        self._places += new
        self._rows.update({place: used + i for i, place in enumerate(new)})
