"""The experts' trust as an opinion landscape: what happens there, as events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from swarmloom.types import Float64Array
from swarmloom_protocols.consensus.monitor import LandscapeMonitor

__all__ = ["Landscape"]


class Landscape:
    """The experts' trust as an opinion landscape, watched as often as it changes."""

    def __init__(self) -> None:
        self._monitor = LandscapeMonitor()
        self._last: Float64Array = np.empty((0, 0))
        self._news: list[tuple[str, dict[str, Any]]] = []

    def watch(self, trust: Float64Array) -> None:
        """Look at the trust after a task.

        Parameters
        ----------
        trust : ndarray of float64, shape (experts, topics)
            A new topic begins a new landscape; the same trust as before is no news.
        """
        if not trust.size or np.array_equal(trust, self._last):
            return
        if trust.shape != self._last.shape:
            self._monitor = LandscapeMonitor()
        self._last = trust.copy()
        self._news += [(event.kind, dict(event.data)) for event in self._monitor.watch(trust)]

    def news(self) -> list[tuple[str, dict[str, Any]]]:
        """Give kind and data of what has happened since the last call."""
        news, self._news = self._news, []
        return news

    def state(self) -> dict[str, Any]:
        """Give all that was seen."""
        return {"monitor": self._monitor.state(), "last": self._last.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        last = np.array(state["last"], dtype=np.float64)
        self._monitor = LandscapeMonitor.from_state(state["monitor"])
        self._last = last
