"""The panel's memory: finished tasks, the answers paid for, and the grades."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.consensus._types import IntArray
from swarmloom_protocols.consensus.panel.learning import History

__all__ = ["CALL_COLUMNS", "TASK_COLUMNS", "Journal", "most_code", "one_task"]

TASK_COLUMNS: dict[str, type] = {
    "topic": np.int64,
    "n_options": np.int64,
    "truth": np.int64,
    "verdict": np.int64,
    "confidence": np.float64,
    "start": np.int64,
    "asked": np.int64,
    "surveyed": np.int64,
}
CALL_COLUMNS: dict[str, type] = {
    "item": np.int64,
    "expert": np.int64,
    "answer": np.int64,
    "cost": np.float64,
}


def one_task(topic: int, n_options: int, experts: IntArray, answers: IntArray) -> History:
    """Return a task without truth by itself."""
    row = np.array([topic, n_options, -1])
    return History(np.array([0, experts.shape[0]]), experts, answers, row[:1], row[1:2], row[2:])


def most_code(task: History) -> int:
    """Return the highest number of an answer to one task, its truth included; −1 for none."""
    return int(max(task.answer.tolist() + task.truth.tolist()))


class _Columns:
    """One-dimensional arrays of one length that grow together, by doubling."""

    def __init__(self, kinds: Mapping[str, type], given: Mapping[str, NDArray[Any]]) -> None:
        self._rooms: dict[str, NDArray[Any]] = {
            name: given[name].astype(kind) for name, kind in kinds.items()
        }
        self.length = len(next(iter(self._rooms.values())))
        self._capacity = self.length

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return the entries so far, a view."""
        return self._rooms[name][: self.length]

    def append(self, row: tuple[float, ...]) -> None:
        """Add one entry to every column."""
        place = self.length
        if place >= self._capacity:
            self._grow(place + 1)
        for room, value in zip(self._rooms.values(), row, strict=True):
            room[place] = value
        self.length = place + 1

    def extend(self, count: int, rows: tuple[int | NDArray[Any], ...]) -> None:
        """Add ``count`` entries to every column; ``rows`` has one array or number for each."""
        start, end = self.length, self.length + count
        if end > self._capacity:
            self._grow(end)
        for room, values in zip(self._rooms.values(), rows, strict=True):
            room[start:end] = values
        self.length = end

    def _grow(self, needed: int) -> None:
        self._capacity = max(64, 2 * self.length, needed)
        for name, room in self._rooms.items():
            self._rooms[name] = np.empty(self._capacity, room.dtype)
            self._rooms[name][: self.length] = room[: self.length]


class Journal:
    """Tasks and calls in the order in which they were recorded.

    Parameters
    ----------
    arrays : mapping of str to array, optional
        What `arrays` returned, to go on from there.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
        kinds = TASK_COLUMNS | CALL_COLUMNS
        given = arrays or {name: np.empty(0) for name in kinds}
        self._tasks = _Columns(TASK_COLUMNS, given)
        self._calls = _Columns(CALL_COLUMNS, given)
        self.graded = int((self["truth"] >= 0).sum())
        """Number of tasks whose truth is known."""
        self._later: dict[int, list[int]] = {}
        start, asked, item = self["start"], self["asked"], self["item"]
        position = np.arange(item.shape[0])
        for call in np.flatnonzero(position >= start[item] + asked[item]):
            self._later.setdefault(int(item[call]), []).append(int(call))

    def __len__(self) -> int:
        return self._tasks.length

    def __getitem__(self, name: str) -> NDArray[Any]:
        return (self._tasks if name in TASK_COLUMNS else self._calls)[name]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return copies of all columns."""
        return {name: self[name].copy() for name in TASK_COLUMNS | CALL_COLUMNS}

    def add_task(
        self,
        topic: int,
        n_options: int,
        experts: IntArray,
        answers: IntArray,
        costs: NDArray[np.float64],
        verdict: tuple[int, float],
        surveyed: bool = False,
    ) -> int:
        """Add a finished task with its calls, verdict and confidence; return its item number."""
        item, count = self._tasks.length, len(experts)
        self._tasks.append((topic, n_options, -1, *verdict, self._calls.length, count, surveyed))
        self._calls.extend(count, (item, experts, answers, costs))
        return item

    def reveal(self, item: int, truth: int) -> None:
        """Enter the truth of a task that had none."""
        self["truth"][item] = truth
        self.graded += 1

    def add_later(self, item: int, expert: int, answer: int, cost: float) -> None:
        """Add an answer bought after the task was finished."""
        self._later.setdefault(item, []).append(self._calls.length)
        self._calls.append((item, expert, answer, cost))

    def experts_of(self, item: int) -> list[int]:
        """Who has answered a task."""
        experts: list[int] = self["expert"][self._calls_of(item)].tolist()
        return experts

    def judged(self, items: IntArray) -> History:
        """Return tasks as their verdicts were made: without audits, their truth unknown."""
        asked = self["asked"][items]
        first = np.append(0, np.cumsum(asked))
        calls = np.repeat(self["start"][items] - first[:-1], asked) + np.arange(first[-1])
        return History(
            first,
            self["expert"][calls],
            self["answer"][calls],
            self["topic"][items],
            self["n_options"][items],
            np.full(items.shape[0], -1),
        )

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

    def history(
        self,
        latest: int,
        since: IntArray,
        former: IntArray | None = None,
        *,
        surveyed: bool = False,
    ) -> History:
        """Return the latest tasks with the calls of each side by side.

        Parameters
        ----------
        latest : int
            Number of tasks.
        since : int64[experts]
            Calls of an expert to tasks before this one are left out, or
        former : int64[experts], optional
            are those of the expert of this number; −1 to leave them out.
        surveyed : bool
            Only tasks of the survey, which asked without heed of the answers.
        """
        oldest = max(len(self) - latest, 0)
        item, expert = self["item"], self["expert"]
        before = np.full(since.shape[0], -1) if former is None else former
        expert = np.where(item < since[expert], before[expert], expert)
        taken = self["surveyed"] > 0 if surveyed else np.ones(len(self), np.bool_)
        taken[:oldest] = False
        tasks = np.flatnonzero(taken)
        kept = np.flatnonzero(taken[item] & (expert >= 0))
        kept = kept[np.argsort(item[kept], kind="stable")]
        return History(
            np.append(np.searchsorted(item[kept], tasks), kept.shape[0]),
            expert[kept],
            self["answer"][kept],
            self["topic"][tasks],
            self["n_options"][tasks],
            self["truth"][tasks],
        )
