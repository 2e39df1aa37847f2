"""What is left near a key: which keys those are, and their readings together.

A tuple is a place, its first part, and what was done there: ``("parse invoices", "camelot")``. Near
it are the tuples with a near place and the same rest. A tuple that is itself a place of the
neighbourhood, as a node of a grid is, stands for itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from threading import Lock

from swarmloom_protocols.stigmergy.traces.advice import Experience
from swarmloom_protocols.stigmergy.traces.arguments import note
from swarmloom_protocols.stigmergy.traces.channels import Channel
from swarmloom_protocols.stigmergy.traces.neighbourhoods import (
    CosineNeighbourhood,
    Neighbourhood,
)
from swarmloom_protocols.stigmergy.traces.readings import outcomes, pooled, reading
from swarmloom_protocols.stigmergy.traces.records import Backend, Reading, Trail

__all__ = ["Nearby"]

Near = list[tuple[Hashable, float]]


class Nearby:
    """Reads a store over a neighbourhood.

    Parameters
    ----------
    backend : Backend
    neighbourhood : Neighbourhood or None
        Of texts that share words, if it is None.
    """

    def __init__(self, backend: Backend, neighbourhood: Neighbourhood | None) -> None:
        self._backend = backend
        self._neighbourhood = CosineNeighbourhood() if neighbourhood is None else neighbourhood
        self._lock = Lock()
        self._seen = 0
        self._keys: dict[Hashable, dict[Hashable, None]] = {}

    @property
    def default_radius(self) -> float:
        """The neighbourhood's own radius."""
        return self._neighbourhood.default_radius

    def keys(self, key: Hashable, radius: float) -> Near:
        """Give the keys near one and their weights, itself first with 1.

        Parameters
        ----------
        key : hashable
        radius : float

        Raises
        ------
        InputError
            If the neighbourhood has no such radius.
        """
        self._follow()
        return self._near(key, radius)

    def left_near(self, query: Hashable, radius: float) -> Near:
        """Give the keys that traces were left at near a place, and their weights.

        Parameters
        ----------
        query : hashable
            A place.
        radius : float
        """
        self._follow()
        near = self._neighbourhood.around(query, radius)
        with self._lock:
            return [(key, weight) for place, weight in near for key in self._keys.get(place, ())]

    def reading(
        self,
        key: Hashable,
        channel: Channel,
        radius: float,
        weights: Mapping[str, float] | None,
        now: float,
    ) -> Reading:
        """Read one channel at a key and around it."""
        near = self.keys(key, radius)
        cells = self._backend.cells([other for other, _ in near], channel.name)
        return pooled(
            (share, reading(cell, channel, weights, now))
            for (_, share), cell in zip(near, cells, strict=True)
        )

    def gradient(
        self,
        key: Hashable,
        channel: Channel,
        radius: float,
        weights: Mapping[str, float] | None,
        now: float,
    ) -> list[tuple[Hashable, float]]:
        """Give the difference in value of each neighbour, the highest first."""
        keys = [other for other, _ in self.keys(key, radius)]
        cells = self._backend.cells(keys, channel.name)
        here, *there = [reading(cell, channel, weights, now).value for cell in cells]
        rises = [(other, value - here) for other, value in zip(keys[1:], there, strict=True)]
        return sorted(rises, key=lambda rise: -rise[1])

    def outcomes(
        self,
        keys: Sequence[Hashable],
        channels: tuple[Channel, Channel],
        radius: float,
        weights: Mapping[str, float] | None,
        now: float,
    ) -> list[tuple[float, float]]:
        """Give success and failure of each key, with what is around it if the radius is not 0."""
        if radius:
            self._follow()
        nears = [self._near(key, radius) if radius else [(key, 1.0)] for key in keys]
        flat = [other for near in nears for other, _ in near]
        good, bad = (iter(self._backend.cells(flat, channel.name)) for channel in channels)
        found = []
        for near in nears:
            won = lost = 0.0
            for _, share in near:
                success, failure = outcomes(next(good), next(bad), channels, weights, now)
                won, lost = won + share * success, lost + share * failure
            found.append((won, lost))
        return found

    def experiences(
        self,
        query: Hashable,
        channels: tuple[Channel, Channel],
        radius: float,
        weights: Mapping[str, float] | None,
        now: float,
    ) -> list[Experience]:
        """Give what is known of every key near a place."""
        near = self.left_near(query, radius)
        keys = [key for key, _ in near]
        good, bad = (self._backend.cells(keys, channel.name) for channel in channels)
        known = []
        for (key, share), won, lost in zip(near, good, bad, strict=True):
            success, failure = outcomes(won, lost, channels, weights, now)
            known.append(Experience(key, success, failure, share, *_told([*won, *lost])))
        return known

    def forget(self) -> None:
        """Look at the whole store again when keys are needed next."""
        with self._lock:
            self._seen, self._keys = 0, {}

    def _near(self, key: Hashable, radius: float) -> Near:
        place = self._place(key)
        near = self._neighbourhood.around(place, radius)
        if place is key:
            return near
        assert isinstance(key, tuple)
        return [(key, 1.0), *(((other, *key[1:]), weight) for other, weight in near[1:])]

    def _place(self, key: Hashable) -> Hashable:
        if not isinstance(key, tuple) or not key or key in self._neighbourhood:
            return key
        place: Hashable = key[0]
        return place

    def _follow(self) -> None:
        """Hear of the keys that anybody has left traces at since the last time."""
        with self._lock:
            version, rows = self._backend.changes(self._seen)
            for key, *_ in rows:
                self._keys.setdefault(self._place(key), {})[key] = None
            self._neighbourhood.learn([self._place(key) for key, *_ in rows])
            self._seen = version


def _told(trails: list[tuple[str, Trail]]) -> tuple[int, str | None]:
    """Give how many agents left something, and the last note that is a text."""
    notes = [note(trail[4]) for _, trail in sorted(trails, key=lambda one: one[1][3])]
    texts = [text for text in notes if isinstance(text, str)]
    return len({agent for agent, _ in trails}), texts[-1] if texts else None
