"""The panel's memory: finished tasks, the answers paid for, and the grades."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.panel_learning import History

__all__ = ["Journal"]


class Column:
    """A one-dimensional array that grows by doubling."""

    def __init__(self, values: NDArray[np.generic]) -> None:
        self._room = values.copy()
        self._length = values.shape[0]

    @property
    def values(self) -> NDArray[np.generic]:
        """The entries so far, a view."""
        return self._room[: self._length]

    def append(self, value: float) -> None:
        """Add one entry."""
        if self._length == self._room.shape[0]:
            room = np.empty(max(64, 2 * self._length), self._room.dtype)
            room[: self._length] = self.values
            self._room = room
        self._room[self._length] = value
        self._length += 1


TASK_COLUMNS = {"topic": np.int64, "n_options": np.int64, "truth": np.int64,
                "verdict": np.int64, "confidence": np.float64}
CALL_COLUMNS = {"item": np.int64, "expert": np.int64, "answer": np.int64, "cost": np.float64}


class Journal:
    """Tasks and calls in the order in which they were recorded."""

    def __init__(self, arrays: dict[str, NDArray[np.generic]] | None = None) -> None:
        kinds = TASK_COLUMNS | CALL_COLUMNS
        given = arrays or {name: np.empty(0, kind) for name, kind in kinds.items()}
        self._columns = {name: Column(given[name].astype(kind)) for name, kind in kinds.items()}

    def __len__(self) -> int:
        return self["topic"].shape[0]

    def __getitem__(self, name: str) -> NDArray:
        return self._columns[name].values

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Copies of all columns."""
        return {name: column.values.copy() for name, column in self._columns.items()}

    def add_task(
        self, topic: int, n_options: int, verdict: int, confidence: float
    ) -> int:
        """Open a task and return its item number."""
        row = {"topic": topic, "n_options": n_options, "truth": -1,
               "verdict": verdict, "confidence": confidence}
        for name, value in row.items():
            self._columns[name].append(value)
        return len(self) - 1

    def add_call(self, item: int, expert: int, answer: int, cost: float) -> None:
        """Add one paid answer to a task."""
        row = {"item": item, "expert": expert, "answer": answer, "cost": cost}
        for name, value in row.items():
            self._columns[name].append(value)

    def history(self) -> History:
        """The journal with the calls of each task side by side."""
        item = self["item"]
        order = np.argsort(item, kind="stable")
        first = np.searchsorted(item[order], np.arange(len(self) + 1))
        return History(
            first,
            self["expert"][order],
            self["answer"][order],
            self["topic"],
            self["n_options"],
            self["truth"],
        )

    def calls_of(self, item: int) -> IntArray:
        """Positions of the calls of one task."""
        return np.flatnonzero(self["item"] == item)
