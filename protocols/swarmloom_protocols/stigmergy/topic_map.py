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

Near = tuple[IntArray, Float64Array]

# Rows, ascending, of the topics that are near enough to be neighbours, and their cosines.
Found = tuple[IntArray, Float32Array]

_NOTHING: Near = np.zeros(0, dtype=np.int64), np.zeros(0)
_NONE_FOUND: Found = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
_DECIMALS = 5
# Names whose places are kept though they are no topics yet, and those of them that stay compared
# with all topics: about as many as a swarm's window has open.
_PASSING, _COMPARED = 1024, 128


class TopicMap:
    """Topics in the order of their rows, each with its nearest ones.

    What is near depends on the names alone, and on how many there are, not on their order.

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
    A new topic is compared with all that are there, once: O(topics · d), limited by the speed of
    memory. Its near ones among them take it into their own lists
    where it is nearer than their farthest. Memory: 4·d bytes a topic, and about 100 bytes a
    neighbour.
    """

    def __init__(self, embed: Embedder, *, neighbours: int = 16, least: float = 0.2) -> None:
        if neighbours < 1:
            raise InputError(f"neighbours is {neighbours}; at least 1")
        if not 0.0 < least < 1.0:
            raise InputError(f"least is {least}; allowed: between 0 and 1")
        self._embed = embed
        self._neighbours, self._least = neighbours, least
        self._rows: dict[str, int] = {}
        self._names: list[str] = []
        self._places: Float32Array = np.zeros((0, 0), dtype=np.float32)
        self._near: list[dict[int, float]] = []
        self._bars: Float64Array = np.ones(1)
        self._read: dict[int, Near] = {}
        self._passing: dict[str, Float32Array] = {}
        self._compared: dict[str, tuple[int, Found]] = {}

    def __len__(self) -> int:
        """Return how many topics are placed."""
        return len(self._names)

    # -- placing --------------------------------------------------------------------------------

    def extend(self, names: Sequence[str]) -> None:
        """Place further topics; they take the next rows.

        Parameters
        ----------
        names : sequence of str
            Each of them new.

        Raises
        ------
        InputError
            If the embedding gives no finite array of as many rows as names, or of another width
            than before; nothing has changed.
        """
        if not names:
            return
        placed, first = self._places_of(names), len(self)
        self._grow(placed)
        self._names += names
        self._rows.update({name: first + offset for offset, name in enumerate(names)})
        for topic, (name, place) in enumerate(zip(names, placed, strict=True), first):
            self._link(topic, self._found_of(name, place, topic))
            self._passing.pop(name, None)
            self._compared.pop(name, None)

    def _places_of(self, names: Sequence[str]) -> Float32Array:
        known = self._passing.get(names[0]) if len(names) == 1 else None
        return self._unit_rows(names) if known is None else known[None]

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
        used, total = len(self), len(self) + len(placed)
        if total > len(self._places):
            room = np.zeros((max(total, 2 * len(self._places)), placed.shape[1]), np.float32)
            if used:
                room[:used] = self._places[:used]
            self._places = room
            self._bars = np.resize(self._bars, len(room))
        self._places[used:total] = placed

    def _found(self, exact: Float32Array, first: int = 0) -> Found:
        """Find what is near enough, by the products with the topics from row `first` on."""
        rows = np.flatnonzero(exact >= self._least - 10.0**-_DECIMALS)
        # Rounded, so that names of the same words are equally near.
        cosines = np.clip(np.round(exact[rows], _DECIMALS), -1.0, 1.0)
        near = cosines >= self._least
        return rows[near] + first, cosines[near]

    def _found_of(self, name: str, place: Float32Array, count: int) -> Found:
        """Find what is near a name among the first topics, going on from an earlier search."""
        before, (rows, cosines) = self._compared.get(name, (0, _NONE_FOUND))
        if before == count:
            return rows, cosines
        # By NumPy itself: BLAS would split so short a product between threads and wait for them far
        # longer than it takes, and its sums hang on how many are computed at a time.
        more = self._found(np.einsum("td,d->t", self._places[before:count], place), before)
        return np.concatenate([rows, more[0]]), np.concatenate([cosines, more[1]])

    def _nearest(self, found: Found) -> dict[int, float]:
        """Rows and cosines of the nearest ones; among equally near ones names decide."""
        near, cosines = found
        if len(near) > self._neighbours:
            last = np.partition(cosines, -self._neighbours)[-self._neighbours]
            kept = cosines >= last
            near, cosines = near[kept], cosines[kept]
        pairs = zip(near.tolist(), cosines.astype(np.float64).tolist(), strict=True)
        order = sorted(pairs, key=lambda pair: (-pair[1], self._names[pair[0]]))
        return dict(order[: self._neighbours])

    def _link(self, topic: int, found: Found) -> None:
        """Make a topic and those near it among the earlier ones neighbours."""
        self._near.append(self._nearest(found))
        self._bar_at(topic)
        rows, cosines = found
        taking = cosines >= self._bars[rows]
        for other, cosine in zip(rows[taking].tolist(), cosines[taking].tolist(), strict=True):
            self._read.pop(other, None)
            self._take(other, topic, cosine)

    def _take(self, other: int, topic: int, cosine: float) -> None:
        near = self._near[other]
        near[topic] = cosine
        if len(near) > self._neighbours:
            del near[max(near, key=lambda row: (-near[row], self._names[row]))]
        self._bar_at(other)

    def _bar_at(self, topic: int) -> None:
        """Note how near a further topic has to be to get into the list of one."""
        near = self._near[topic]
        full = len(near) == self._neighbours
        self._bars[topic] = min(near.values()) if full else self._least

    # -- reading --------------------------------------------------------------------------------

    def row(self, name: str) -> int:
        """Return the row of a topic that is placed."""
        return self._rows[name]

    def near(self, name: str) -> Near:
        """Give a topic's near ones among those that are placed.

        Parameters
        ----------
        name : str
            Need not be placed itself; then it costs O(topics · d).

        Returns
        -------
        rows : ndarray of int64, shape (n,)
            Ascending.
        cosines : ndarray of float64, shape (n,)
            In (0, 1].
        """
        row = self._rows.get(name)
        if row is None:
            return self._near_passing(name)
        found = self._read.get(row)
        if found is None:
            found = self._read[row] = _arrays(self._near[row])
        return found

    def _near_passing(self, name: str) -> Near:
        place = self._passing.get(name)
        if place is None:
            if len(self._passing) == _PASSING:
                self._passing.clear()
            place = self._passing[name] = self._unit_rows([name])[0]
        count = len(self)
        if not count:
            return _NOTHING
        found = self._found_of(name, place, count)
        if len(self._compared) >= _COMPARED:
            self._compared.clear()
        self._compared[name] = count, found
        return _arrays(self._nearest(found))

    def cosines(self, names: Sequence[str]) -> tuple[IntArray, sparse.csr_array]:
        """Give the cosines of several topics and all that are near one of them.

        Parameters
        ----------
        names : sequence of str, length T

        Returns
        -------
        near : ndarray of int64, shape (N,)
            Rows, ascending.
        cosines : scipy.sparse.csr_array, shape (T, N)
        """
        from scipy import sparse

        found = [self.near(name) for name in names]
        rows = np.concatenate([_NOTHING[0], *(rows for rows, _ in found)])
        values = np.concatenate([_NOTHING[1], *(cosines for _, cosines in found)])
        near, column = np.unique(rows, return_inverse=True)
        task = np.repeat(np.arange(len(found)), [len(rows) for rows, _ in found])
        return near, sparse.csr_array((values, (task, column)), shape=(len(found), len(near)))


def _arrays(near: dict[int, float]) -> Near:
    rows = np.array(sorted(near), dtype=np.int64)
    return rows, np.array([near[row] for row in rows.tolist()], dtype=np.float64)
