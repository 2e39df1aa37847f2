"""The panel's memory: finished tasks, the answers paid for, and the grades."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.consensus._types import IntArray
from swarmloom_protocols.consensus.panel.learning import History

__all__ = ["Journal"]

_TASK_COLUMNS: dict[str, type] = {
    "topic": np.int64,
    "n_options": np.int64,
    "truth": np.int64,
    "verdict": np.int64,
    "confidence": np.float64,
    "start": np.int64,
    "asked": np.int64,
}
_CALL_COLUMNS: dict[str, type] = {
    "item": np.int64,
    "expert": np.int64,
    "answer": np.int64,
    "cost": np.float64,
}


class _Column:
    """A one-dimensional array that grows by doubling."""

    def __init__(self, values: NDArray[Any]) -> None:
        self._room = values.copy()
        self._length = values.shape[0]

    @property
    def values(self) -> NDArray[Any]:
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


class Journal:
    """Tasks and calls in the order in which they were recorded.

    Parameters
    ----------
    arrays : mapping of str to array, optional
        What `arrays` returned, to go on from there.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
        kinds = _TASK_COLUMNS | _CALL_COLUMNS
        given = arrays or {name: np.empty(0) for name in kinds}
        self._columns = {name: _Column(given[name].astype(kind)) for name, kind in kinds.items()}
        self._later: dict[int, list[int]] = {}
        start, asked, item = self["start"], self["asked"], self["item"]
        position = np.arange(item.shape[0])
        for call in np.flatnonzero(position >= start[item] + asked[item]):
            self._later.setdefault(int(item[call]), []).append(int(call))

    def __len__(self) -> int:
        return int(self["topic"].shape[0])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name].values

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return copies of all columns."""
        return {name: column.values.copy() for name, column in self._columns.items()}

    def add_task(
        self,
        topic: int,
        n_options: int,
        experts: IntArray,
        answers: IntArray,
        costs: NDArray[np.float64],
        verdict: tuple[int, float],
    ) -> int:
        """Add a finished task with its calls, verdict and confidence; return its item number."""
        item = len(self)
        start = self["item"].shape[0]
        row = (topic, n_options, -1, *verdict, start, experts.shape[0])
        for name, value in zip(_TASK_COLUMNS, row, strict=True):
            self._columns[name].append(value)
        for call in zip(experts.tolist(), answers.tolist(), costs.tolist(), strict=True):
            self._add_call(item, *call)
        return item

    def add_later(self, item: int, expert: int, answer: int, cost: float) -> None:
        """Add an answer bought after the task was finished."""
        self._add_call(item, expert, answer, cost)
        self._later.setdefault(item, []).append(self["item"].shape[0] - 1)

    def _add_call(self, item: int, expert: int, answer: int, cost: float) -> None:
        for name, value in zip(_CALL_COLUMNS, (item, expert, answer, cost), strict=True):
            self._columns[name].append(value)

    def experts_of(self, item: int) -> list[int]:
        """Who has answered a task."""
        experts: list[int] = self["expert"][self._calls_of(item)].tolist()
        return experts

    def verdict_calls(self, item: int) -> tuple[IntArray, IntArray]:
        """Return experts and answers that a task's verdict was made of, audits left out."""
        start, asked = int(self["start"][item]), int(self["asked"][item])
        return self["expert"][start : start + asked], self["answer"][start : start + asked]

    def _calls_of(self, item: int) -> list[int]:
        start, asked = int(self["start"][item]), int(self["asked"][item])
        return [*range(start, start + asked), *self._later.get(item, [])]

    def task(self, item: int) -> History:
        """Return one task with its calls."""
        calls = self._calls_of(item)
        one = slice(item, item + 1)
        return History(
            np.array([0, len(calls)]),
            self["expert"][calls],
            self["answer"][calls],
            self["topic"][one],
            self["n_options"][one],
            self["truth"][one],
        )

    def history(self, latest: int, since: IntArray) -> History:
        """Return the latest tasks with the calls of each side by side.

        Parameters
        ----------
        latest : int
            Number of tasks.
        since : int64[experts]
            Calls of an expert to tasks before this one are left out.
        """
        oldest = max(len(self) - latest, 0)
        item = self["item"]
        kept = np.flatnonzero((item >= oldest) & (item >= since[self["expert"]]))
        kept = kept[np.argsort(item[kept], kind="stable")]
        return History(
            np.searchsorted(item[kept], np.arange(oldest, len(self) + 1)),
            self["expert"][kept],
            self["answer"][kept],
            self["topic"][oldest:],
            self["n_options"][oldest:],
            self["truth"][oldest:],
        )
