"""Memories of a crew in one SQLite file: each fades with time and gains strength with use."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError, StoreError, StoreLockedError
from swarmloom_agents.memory_file import (
    Change,
    MemoryFile,
    State,
    digest_of,
    record_of,
    text_of,
    vector_of,
)
from swarmloom_agents.memory_index import MemoryIndex
from swarmloom_agents.seams import MemoryRecord, ScopeInfo
from swarmloom_protocols.checks import between, positive
from swarmloom_protocols.stigmergy.decay_kernels import decayed

__all__ = ["TrailStorage"]

Float32Array = npt.NDArray[np.float32]

_LOG = logging.getLogger(__name__)
# A memory that was never used and of middling importance is worth 1.
_STRENGTH_PER_IMPORTANCE = 2.0
_USE = 1.0
# Looking for faded memories reads all; done this often, they stay 1/16 of a half-life too long.
_SWEEPS_PER_HALF_LIFE = 16.0
# A day; SQLite counts milliseconds in 32 bits.
_LONGEST_TIMEOUT = 86400.0


class TrailStorage:
    """CrewAI's storage protocol over memories whose strength is a trail.

    A memory starts with a strength of twice its importance (1 for the default importance), is
    worth x₀·2^(−t/h) after t seconds, and gains 1 each time that it is recalled, up to
    `most`. A search ranks by similarity · s / (1 + s), s being the strength, divided by the
    largest value that the second factor takes. Memories whose strength is below `floor` are
    forgotten when one is saved, h/16 after the last were. The same text saved again in the same
    scope strengthens what is there instead of taking a second place.

    Ages are measured in time of the file: it goes with the clock but never back, and by 3·h at most
    between one change of the file and the next. So neither a long pause nor a clock that was set
    wrong forgets everything.

    Parameters
    ----------
    path : str or Path or None
        The SQLite file, made when there is none, which several processes may share; None keeps
        memories in memory, of which a forked child has a copy.
    half_life : float or None
        Seconds (> 0) after which a memory is worth half; None: memories do not fade.
    most : float
        Largest strength (≥ 1).
    floor : float
        Smallest strength (≥ 0, < 1) of a memory that is kept.
    clock : callable, optional
        Gives the time in seconds since 1970; the system's by default.
    timeout : float
        Seconds (≥ 0) to wait while others have the file locked.

    Raises
    ------
    StoreError
        If the file is a folder, damaged, foreign, of another schema, locked or not writable.
    InputError
        If a parameter is out of its range.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        half_life: float | None = 30 * 86400.0,
        most: float = 4.0,
        floor: float = 0.01,
        clock: Callable[[], float] = time.time,
        timeout: float = 10.0,
    ) -> None:
        self.path = None if path is None else Path(path).absolute()
        self._half_life = None if half_life is None else positive("half_life", half_life)
        self._most, self._floor = between("most", most, 1.0), between("floor", floor, 0.0)
        if self._floor >= 1.0:
            raise InputError(f"floor is {floor}; allowed: 0 up to, but without, 1")
        if not callable(clock):
            raise InputError(f"clock is {clock!r}; allowed: a function that gives seconds")
        wait = between("timeout", timeout, 0.0, _LONGEST_TIMEOUT)
        self._file = MemoryFile(self.path, wait, clock, self._half_life)
        self._index = MemoryIndex()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # CrewAI copies crews with their memory; the copies remember together.
        return self

    def close(self) -> None:
        """Close the file; what was saved is there."""
        self._file.close()

    @property
    def name(self) -> str:
        """The file, for messages."""
        return self._file.name

    # -- writing --------------------------------------------------------------------------------

    def save(self, records: list[MemoryRecord]) -> None:
        """Keep memories, and now and then forget those that have faded.

        Parameters
        ----------
        records : list of MemoryRecord
            Each with its embedding, all embeddings of the file of one length.

        Raises
        ------
        StoreError
            If the file cannot be written, or an embedding is of another length than the file's.
        InputError
            If an embedding is not finite or a text is no Unicode. Nothing is saved then.
        """
        for record in records:
            vector_of("embedding", record.embedding or ())
        with self._file.changing() as change:
            for record in records:
                self._keep(change, record)
            self._forget_faded(change)

    def _keep(self, change: Change, record: MemoryRecord) -> None:
        known = change.connection.execute(
            "SELECT id FROM memories WHERE scope = ? AND digest = ? AND source IS ? AND id <> ?",
            (record.scope, digest_of(record.content), record.source, record.id),
        ).fetchone()
        if known:
            self._strengthen(change, known)
        else:
            self._check_length(change.connection, len(record.embedding or ()))
            change.insert(record, self._first_strength(record), change.time)

    def _first_strength(self, record: MemoryRecord) -> float:
        return min(self._most, _STRENGTH_PER_IMPORTANCE * record.importance)

    def check_width(self, width: int) -> None:
        """Compare the length of an embedder's vectors with that of the file's.

        Parameters
        ----------
        width : int
            Numbers of a vector.

        Raises
        ------
        StoreError
            If the file was made with another embedder.
        """
        with self._file.viewing() as (connection, _, _):
            self._check_length(connection, width)

    def _check_length(self, connection: sqlite3.Connection, width: int) -> None:
        row = connection.execute(
            "SELECT length(embedding) FROM memories WHERE embedding IS NOT NULL LIMIT 1"
        ).fetchone()
        if row and width and row[0] != 4 * width:
            raise StoreError(
                f"memory {self.name}: it holds embeddings of {row[0] // 4} numbers, this one has "
                f"{width}; use the embedder that the file was made with, or another file"
            )

    def touch_records(self, record_ids: list[str]) -> None:
        """Strengthen memories that were recalled; CrewAI calls it after each recall."""
        try:
            with self._file.changing() as change:
                self._strengthen(change, record_ids)
        except StoreLockedError as error:
            # CrewAI says nothing of what fails here.
            _LOG.warning("what was recalled gains no strength: %s", error)
            raise

    def _strengthen(self, change: Change, ids: Iterable[str]) -> None:
        rows = _rows(change.connection, "id, strength, touched", ids)
        strengths = np.minimum(self._most, self._faded(rows, change.time) + _USE)
        change.set_strengths([(row[0], s) for row, s in zip(rows, strengths.tolist(), strict=True)])

    def _faded(self, rows: Sequence[sqlite3.Row], now: float) -> Float32Array:
        """Return what the strength of each row is worth now."""
        strengths = np.array([row["strength"] for row in rows], np.float32)
        times = np.array([row["touched"] for row in rows], np.float64)
        return decayed(strengths, times, now, self._half_life, device="cpu")

    def _forget_faded(self, change: Change) -> None:
        if self._half_life is None:
            return
        if change.time - change.swept < self._half_life / _SWEEPS_PER_HALF_LIFE:
            return
        rows = change.connection.execute("SELECT id, strength, touched FROM memories").fetchall()
        faded = self._faded(rows, change.time) < self._floor
        change.remove([row["id"] for row, gone in zip(rows, faded, strict=True) if gone])
        change.swept = change.time

    def update(self, record: MemoryRecord) -> None:
        """Replace the memory with the same id; its strength stays."""
        vector_of("embedding", record.embedding or ())
        with self._file.changing() as change:
            rows = _rows(change.connection, "strength, touched", [record.id])
            change.remove([record.id])
            self._check_length(change.connection, len(record.embedding or ()))
            change.insert(
                record, *(rows[0] if rows else (self._first_strength(record), change.time))
            )

    def delete(
        self,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        record_ids: list[str] | None = None,
        older_than: datetime | None = None,
        metadata_filter: dict[str, Any] | None = None,
    ) -> int:
        """Delete the memories that meet all conditions given, and say how many."""
        before = None if older_than is None else text_of(older_than)
        wanted = None if record_ids is None else set(record_ids)
        with self._file.changing() as change:
            found = [
                row["id"]
                for row in _found(change.connection, scope_prefix, categories, metadata_filter)
                if (wanted is None or row["id"] in wanted)
                and (before is None or row["created"] < before)
            ]
            change.remove(found)
        return len(found)

    def reset(self, scope_prefix: str | None = None) -> None:
        """Delete all memories of a scope, of every scope by default."""
        self.delete(scope_prefix)

    # -- reading --------------------------------------------------------------------------------

    def search(
        self,
        query_embedding: list[float],
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        metadata_filter: dict[str, Any] | None = None,
        limit: int = 10,
        min_score: float = 0.0,
    ) -> list[tuple[MemoryRecord, float]]:
        """Rank memories by similarity and strength.

        Returns
        -------
        list of (MemoryRecord, float)
            The best first, at most `limit`, their scores in [0, 1] and above `min_score`.

        Raises
        ------
        StoreError
            If the file cannot be read.
        InputError
            If the query is not finite or of another length than the file's embeddings.
        """
        query = vector_of("query_embedding", query_embedding)
        with self._file.viewing() as (connection, state, now):
            index = self._followed(connection, state)
            scores = self._scores(index, query, now)
            scores[~index.in_scopes(lambda scope: _is_below(scope, scope_prefix))] = 0.0
            if categories or metadata_filter:
                found = _found(connection, scope_prefix, categories, metadata_filter)
                rows = [index.row_of[row["id"]] for row in found]
                scores[np.setdiff1d(np.arange(scores.size), rows)] = 0.0
            best = _best(scores, limit, min_score)
            records = _records(connection, [index.ids[row] for row in best])
        return list(zip(records, scores[best].tolist(), strict=True))

    def _followed(self, connection: sqlite3.Connection, state: State) -> MemoryIndex:
        if self._index.process != os.getpid():
            self._index = MemoryIndex()
        self._index.follow(connection, state)
        return self._index

    def _scores(self, index: MemoryIndex, query: Float32Array, now: float) -> Float32Array:
        if index.width and index.width != query.size:
            raise InputError(
                f"query_embedding: {query.size} numbers; the memories' have {index.width} (memory "
                f"{self.name}); use the embedder that the file was made with, or another file"
            )
        if not index.width:
            return np.zeros(len(index.ids), np.float32)
        direction = query / np.maximum(np.linalg.norm(query), np.float32(1e-30))
        strength = decayed(index.strengths, index.touched, now, self._half_life, device="cpu")
        largest = self._most / (1.0 + self._most)
        score = index.similarities(direction) * strength / (1.0 + strength) / largest
        return score.astype(np.float32)

    def strength(self, record_id: str) -> float:
        """Return what a memory is worth now, 0 where there is none."""
        with self._file.viewing() as (connection, _, now):
            rows = _rows(connection, "strength, touched", [record_id])
        return float(self._faded(rows, now)[0]) if rows else 0.0

    def get_record(self, record_id: str) -> MemoryRecord | None:
        """Return a memory by its id."""
        with self._file.viewing() as (connection, _, _):
            records = _records(connection, [record_id])
        return records[0] if records else None

    def list_records(
        self, scope_prefix: str | None = None, limit: int = 200, offset: int = 0
    ) -> list[MemoryRecord]:
        """Return the memories of a scope, the newest first."""
        with self._file.viewing() as (connection, _, _):
            found = _found(connection, scope_prefix, None, None)
            found.sort(key=lambda row: str(row["created"]), reverse=True)
            return _records(connection, [row["id"] for row in found[offset : offset + limit]])

    def get_scope_info(self, scope: str) -> ScopeInfo:
        """Describe a scope and all below it."""
        rows = self._all(scope)
        times = [datetime.fromisoformat(row["created"]) for row in rows]
        return ScopeInfo(
            path=scope,
            record_count=len(rows),
            categories=sorted({one for row in rows for one in json.loads(row["categories"])}),
            oldest_record=min(times, default=None),
            newest_record=max(times, default=None),
            child_scopes=self.list_scopes(scope),
        )

    def list_scopes(self, parent: str = "/") -> list[str]:
        """Return the scopes immediately below another one."""
        start = parent.rstrip("/") + "/"
        below = (row["scope"].removeprefix(start) for row in self._all(parent))
        names = {name.split("/")[0] for name in below if not name.startswith("/")}
        return sorted(start + name for name in names if name)

    def list_categories(self, scope_prefix: str | None = None) -> dict[str, int]:
        """Count the memories of each category."""
        rows = self._all(scope_prefix)
        return dict(Counter(one for row in rows for one in json.loads(row["categories"])))

    def count(self, scope_prefix: str | None = None) -> int:
        """Count the memories of a scope."""
        return len(self._all(scope_prefix))

    def _all(self, scope_prefix: str | None) -> list[sqlite3.Row]:
        with self._file.viewing() as (connection, _, _):
            return _found(connection, scope_prefix, None, None)

    # -- the same, awaited ----------------------------------------------------------------------

    async def asave(self, records: list[MemoryRecord]) -> None:
        """Keep memories as `save` does."""
        self.save(records)

    async def asearch(
        self,
        query_embedding: list[float],
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        metadata_filter: dict[str, Any] | None = None,
        limit: int = 10,
        min_score: float = 0.0,
    ) -> list[tuple[MemoryRecord, float]]:
        """Rank memories as `search` does."""
        return self.search(
            query_embedding, scope_prefix, categories, metadata_filter, limit, min_score
        )

    async def adelete(
        self,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        record_ids: list[str] | None = None,
        older_than: datetime | None = None,
        metadata_filter: dict[str, Any] | None = None,
    ) -> int:
        """Delete memories as `delete` does."""
        return self.delete(scope_prefix, categories, record_ids, older_than, metadata_filter)


def _found(
    connection: sqlite3.Connection,
    scope_prefix: str | None,
    categories: list[str] | None,
    metadata_filter: dict[str, Any] | None,
) -> list[sqlite3.Row]:
    """Read the short columns of the entries that meet all conditions given."""
    rows = connection.execute(
        "SELECT id, scope, categories, metadata, created FROM memories ORDER BY rowid"
    )
    return [
        row
        for row in rows
        if _is_below(row["scope"], scope_prefix)
        and (not categories or set(categories) & set(json.loads(row["categories"])))
        and (not metadata_filter or _holds(json.loads(row["metadata"]), metadata_filter))
    ]


def _rows(connection: sqlite3.Connection, columns: str, ids: Iterable[str]) -> list[sqlite3.Row]:
    select = f"SELECT {columns} FROM memories WHERE id = ?"
    rows = (connection.execute(select, (one,)).fetchone() for one in ids)
    return [row for row in rows if row is not None]


def _records(connection: sqlite3.Connection, ids: Iterable[str]) -> list[MemoryRecord]:
    return [record_of(row) for row in _rows(connection, "*", ids)]


def _best(scores: Float32Array, limit: int, min_score: float) -> list[int]:
    """Return the rows of the largest scores, the first first among equals."""
    order = np.argsort(-scores, kind="stable")[: max(limit, 0)]
    best: list[int] = order[scores[order] > min_score].tolist()
    return best


def _is_below(scope: str, prefix: str | None) -> bool:
    start = (prefix or "/").rstrip("/")
    return scope == start or scope.startswith(start + "/")


def _holds(metadata: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(key in metadata and metadata[key] == value for key, value in wanted.items())
