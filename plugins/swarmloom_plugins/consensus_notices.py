"""Warnings of the consensus protocol, each told once a run."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Warnings"]

# Share of the finished tasks after which to look again.
_LOOK_EVERY = 50
_NUMBER = re.compile(r"\d+(\.\d+)?")


class Warnings:
    """Tells each warning once a run, however its numbers change.

    Attributes
    ----------
    standing : list of str
        Warnings that hold for as long as the crew stays the same.
    """

    def __init__(self) -> None:
        self.standing: list[str] = []
        self._next = 0
        self._told: set[str] = set()
        self._logged: set[str] = set()

    def due(self, tasks: int) -> bool:
        """Say whether to look for warnings, which takes a while: seldom in a long run.

        Parameters
        ----------
        tasks : int
            Finished so far.
        """
        if tasks < self._next:
            return False
        self._next = tasks + 1 + tasks // _LOOK_EVERY
        return True

    def fresh(self, texts: Iterable[str]) -> list[str]:
        """Give those of the standing and of these warnings that were not told yet.

        Parameters
        ----------
        texts : iterable of str
        """
        found = []
        for text in (*self.standing, *texts):
            if (kind := _kind(text)) not in self._told:
                self._told.add(kind)
                found.append(text)
        return found

    def is_first(self, text: str) -> bool:
        """Say whether no run was told of it before."""
        first = _kind(text) not in self._logged
        self._logged.add(_kind(text))
        return first

    def forget(self) -> None:
        """Begin a new run, to which all is news."""
        self._told.clear()
        self._next = 0


def _kind(text: str) -> str:
    return _NUMBER.sub("#", text)
