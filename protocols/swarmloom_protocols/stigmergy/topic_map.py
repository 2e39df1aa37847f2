"""Places of topics in an embedding, and which of them are near one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Embedder", "TopicMap"]

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

Embedder = Callable[[Sequence[str]], npt.ArrayLike]

_NOTHING = np.zeros(0, dtype=np.int64), np.zeros(0)


class TopicMap:
    """Topics in the order of their rows, each with its nearest ones.

    Parameters
    ----------
    embed : callable
        ``embed(names)`` gives an array of shape (len(names), d), d always the same; rows need not
        be of length one. A row of zeros is near nothing.
    neighbours : int
        Topics that are kept as near ones of each, at most (≥ 1).
    least : float
        Cosine below which topics are not near, in (0, 1).

    Notes
    -----
    A new topic is compared with all that are there: O(topics · d). Its near ones among them take it
    into their own lists where it is nearer than their farthest. Memory: 4·d bytes a topic, and
    about 100 bytes a neighbour.
    """

    def __init__(self, embed: Embedder, *, neighbours: int = 16, least: float = 0.2) -> None:
        if neighbours < 1:
            raise InputError(f"neighbours is {neighbours}; at least 1")
        if not 0.0 < least < 1.0:
            raise InputError(f"least is {least}; allowed: between 0 and 1")
        self._embed = embed
        self._neighbours, self._least = neighbours, least
        self._places: Float32Array = np.zeros((0, 0), dtype=np.float32)
        self._used = 0
        self._near: list[dict[int, float]] = []
        self._read: dict[int, tuple[IntArray, Float64Array]] = {}

    def __len__(self) -> int:
        """Return how many topics are placed."""
        return self._used

    def extend(self, names: Sequence[str]) -> None:
        """Place further topics; they take the next rows.

        Parameters
        ----------
        names : sequence of str

        Raises
        ------
        InputError
            If the embedding gives no finite array of as many rows as names, or of another width
            than before; nothing has changed.
        """
        if not names:
            return
        placed = self._unit_rows(names)
        first = self._used
        self._grow(placed)
        cosines = placed @ self._places[: self._used].T
        for offset, row in enumerate(cosines):
            self._link(first + offset, row[: first + offset])

    def _unit_rows(self, names: Sequence[str]) -> Float32Array:
        given = np.asarray(self._embed(names), dtype=np.float32)
        width = self._places.shape[1] or (given.shape[1] if given.ndim == 2 else 0)
        if given.shape != (len(names), width) or not width or not np.isfinite(given).all():
            raise InputError(
                f"the embedding of {len(names)} topics has shape {given.shape}; allowed: finite, "
                f"({len(names)}, {width or 'd'})"
            )
        length = np.linalg.norm(given, axis=1, keepdims=True)
        unit: Float32Array = np.divide(given, length, out=np.zeros_like(given), where=length > 0.0)
        return unit

    def _grow(self, placed: Float32Array) -> None:
        total = self._used + len(placed)
        if total > len(self._places):
            room = np.zeros((max(total, 2 * len(self._places)), placed.shape[1]), np.float32)
            if self._used:
                room[: self._used] = self._places[: self._used]
            self._places = room
        self._places[self._used : total] = placed
        self._used = total

    def _link(self, topic: int, cosines: Float32Array) -> None:
        """Make a topic and those near it among the earlier ones neighbours."""
        near = np.flatnonzero(cosines >= self._least)
        nearest = near[np.argsort(-cosines[near], kind="stable")]
        values = np.minimum(cosines[nearest], 1.0).tolist()
        pairs = list(zip(nearest.tolist(), values, strict=True))
        self._near.append(dict(pairs[: self._neighbours]))
        for other, cosine in pairs:
            self._read.pop(other, None)
            self._take(self._near[other], topic, cosine)

    def _take(self, near: dict[int, float], topic: int, cosine: float) -> None:
        if len(near) == self._neighbours:
            farthest = min(near, key=near.__getitem__)
            if near[farthest] >= cosine:
                return
            del near[farthest]
        near[topic] = cosine

    def near(self, topic: int) -> tuple[IntArray, Float64Array]:
        """Give a topic's near ones.

        Parameters
        ----------
        topic : int
            Its row; one that is not placed is near nothing.

        Returns
        -------
        rows : ndarray of int64, shape (n,)
        cosines : ndarray of float64, shape (n,)
            In (0, 1].
        """
        if not 0 <= topic < self._used:
            return _NOTHING
        found = self._read.get(topic)
        if found is None:
            near = self._near[topic]
            rows = np.fromiter(near, np.int64, len(near))
            found = self._read[topic] = rows, np.fromiter(near.values(), np.float64, len(near))
        return found

    def cosines(self, topics: IntArray) -> tuple[IntArray, sparse.csr_array]:
        """Give the cosines of several topics and all that are near one of them.

        Parameters
        ----------
        topics : ndarray of int64, shape (T,)

        Returns
        -------
        near : ndarray of int64, shape (N,)
            Rows, ascending.
        cosines : scipy.sparse.csr_array, shape (T, N)
        """
        from scipy import sparse

        found = [self.near(topic) for topic in topics.tolist()]
        rows = np.concatenate([_NOTHING[0], *(rows for rows, _ in found)])
        values = np.concatenate([_NOTHING[1], *(cosines for _, cosines in found)])
        near, column = np.unique(rows, return_inverse=True)
        task = np.repeat(np.arange(len(found)), [len(rows) for rows, _ in found])
        return near, sparse.csr_array((values, (task, column)), shape=(len(found), len(near)))
