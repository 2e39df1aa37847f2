"""Memories of a crew in one SQLite file: each fades with time and gains strength with use."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError, StoreError, StoreLockedError
from swarmloom.sqlite_files import SqliteKind, transaction
from swarmloom_agents.seams import MemoryRecord, ScopeInfo
from swarmloom_protocols.checks import positive
from swarmloom_protocols.stigmergy.decay_kernels import decayed

__all__ = ["TrailStorage"]

Float32Array = npt.NDArray[np.float32]

_COLUMNS = (
    "id, content, scope, categories, metadata, importance, created, accessed, source, private, "
    "embedding, strength, touched"
)
_FILE = SqliteKind(
    label="memory",
    mark=b"SWMM",
    version=1,
    schema=(
        """
        CREATE TABLE memories (
            id TEXT PRIMARY KEY,
            content TEXT NOT NULL,
            scope TEXT NOT NULL,
            categories TEXT NOT NULL,
            metadata TEXT NOT NULL,
            importance REAL NOT NULL,
            created TEXT NOT NULL,
            accessed TEXT NOT NULL,
            source TEXT,
            private INTEGER NOT NULL,
            embedding BLOB,
            strength REAL NOT NULL,
            touched REAL NOT NULL
        ) STRICT
        """,
    ),
    error=StoreError,
    ways_out="give TrailMemory another path",
    locked_error=StoreLockedError,
)
# A memory that was never used and of middling importance is worth 1.
_STRENGTH_PER_IMPORTANCE = 2.0
_USE = 1.0


class TrailStorage:
    """CrewAI's storage protocol over memories whose strength is a trail.

    A memory starts with a strength of twice its importance (1 for the default importance), is
    worth x₀·2^(−t/h) after t seconds, and gains 1 each time that it is recalled, up to
    `most`. A search ranks by similarity · s / (1 + s), s being the strength, divided by the
    largest value that the second factor takes. A memory whose strength is below `floor` is
    forgotten when the next one is saved. The same text saved again in the same scope strengthens
    what is there instead of taking a second place.

    Parameters
    ----------
    path : str or Path or None
        The SQLite file, made when there is none, which several processes may share; None keeps
        memories in memory.
    half_life : float or None
        Seconds (> 0) after which a memory is worth half; None: memories do not fade.
    most : float
        Largest strength (≥ 1).
    floor : float
        Smallest strength (≥ 0) of a memory that is kept.
    clock : callable, optional
        Gives the time in seconds since 1970; the system's by default.
    timeout : float
        Seconds to wait while another process has the file locked.

    Raises
    ------
    StoreError
        If the file is a folder, damaged, foreign, of a newer schema, locked or not writable.
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
        self._most, self._floor = positive("most", most), float(floor)
        if self._most < 1.0 or not 0.0 <= self._floor < 1.0:
            raise InputError(f"most: {most} has to be at least 1, floor: {floor} in [0, 1)")
        self._clock = clock
        self._lock = threading.RLock()
        self._connection = _FILE.open(self.path, timeout)
        self._connection.row_factory = sqlite3.Row

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # CrewAI copies crews with their memory; the copies remember together.
        return self

    def close(self) -> None:
        """Close the file; what was saved is there."""
        with self._lock:
            self._connection.close()

    # -- writing --------------------------------------------------------------------------------

    def save(self, records: list[MemoryRecord]) -> None:
        """Keep memories, and forget those that have faded.

        Parameters
        ----------
        records : list of MemoryRecord
            Each with its embedding, all embeddings of the file of one length.
        """
        now = self._clock()
        with self._lock, _FILE.reported(self._name), transaction(self._connection):
            for record in records:
                self._keep(record, now)
            self._forget_faded(now)

    def _keep(self, record: MemoryRecord, now: float) -> None:
        known = self._connection.execute(
            "SELECT id FROM memories WHERE scope = ? AND content = ? AND source IS ? AND id <> ?",
            (record.scope, record.content, record.source, record.id),
        ).fetchone()
        if known:
            self._strengthen([known["id"]], now)
        else:
            self._check_length(record)
            strength = min(self._most, _STRENGTH_PER_IMPORTANCE * record.importance)
            self._write(record, strength, now)

    def _check_length(self, record: MemoryRecord) -> None:
        row = self._connection.execute(
            "SELECT length(embedding) FROM memories WHERE embedding IS NOT NULL LIMIT 1"
        ).fetchone()
        given = 4 * len(record.embedding or ())
        if row and given and row[0] != given:
            raise StoreError(
                f"memory {self._name}: it holds embeddings of {row[0] // 4} numbers, this one has "
                f"{given // 4}; use the embedder that the file was made with, or another file"
            )

    def _write(self, record: MemoryRecord, strength: float, touched: float) -> None:
        row = (*_row(record), strength, touched)
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"REPLACE INTO memories ({_COLUMNS}) VALUES ({marks})", row)

    def touch_records(self, record_ids: list[str]) -> None:
        """Strengthen memories that were recalled; CrewAI calls it after each recall."""
        now = self._clock()
        with self._lock, _FILE.reported(self._name), transaction(self._connection):
            self._strengthen(record_ids, now)

    def _strengthen(self, ids: Sequence[str], now: float) -> None:
        rows = self._rows(ids)
        accessed = _text_of(datetime.fromtimestamp(now, UTC))
        strengths = np.minimum(self._most, self._faded(rows, now) + _USE)
        self._connection.executemany(
            "UPDATE memories SET strength = ?, touched = ?, accessed = ? WHERE id = ?",
            [(float(s), now, accessed, row["id"]) for row, s in zip(rows, strengths, strict=True)],
        )

    def _faded(self, rows: Sequence[sqlite3.Row], now: float) -> Float32Array:
        """Return what the strength of each row is worth now."""
        strengths = np.array([row["strength"] for row in rows], np.float32)
        times = np.array([row["touched"] for row in rows], np.float64)
        return decayed(strengths, times, now, self._half_life, device="cpu")

    def _forget_faded(self, now: float) -> None:
        rows = self._connection.execute("SELECT id, strength, touched FROM memories").fetchall()
        faded = self._faded(rows, now) < self._floor
        self._remove(row["id"] for row, gone in zip(rows, faded, strict=True) if gone)

    def _remove(self, ids: Iterable[str]) -> None:
        self._connection.executemany("DELETE FROM memories WHERE id = ?", [(one,) for one in ids])

    def update(self, record: MemoryRecord) -> None:
        """Replace the memory with the same id; its strength stays."""
        with self._lock, _FILE.reported(self._name), transaction(self._connection):
            row = self._connection.execute(
                "SELECT strength, touched FROM memories WHERE id = ?", (record.id,)
            ).fetchone()
            strength = _STRENGTH_PER_IMPORTANCE * record.importance
            self._write(record, *(row or (min(self._most, strength), self._clock())))

    def delete(
        self,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        record_ids: list[str] | None = None,
        older_than: datetime | None = None,
        metadata_filter: dict[str, Any] | None = None,
    ) -> int:
        """Delete the memories that meet all conditions given, and say how many."""
        with self._lock, _FILE.reported(self._name), transaction(self._connection):
            before = None if older_than is None else _text_of(older_than)
            found = [
                row["id"]
                for row in self._found(scope_prefix, categories, metadata_filter)
                if (record_ids is None or row["id"] in record_ids)
                and (before is None or row["created"] < before)
            ]
            self._remove(found)
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
        """
        with self._lock, _FILE.reported(self._name):
            found = self._found(scope_prefix, categories, metadata_filter)
            now = self._clock()
        rows = [row for row in found if row["embedding"]]
        if not rows:
            return []
        scores = self._scores(query_embedding, rows, now)
        order = np.argsort(-scores, kind="stable").tolist()
        best = [i for i in order if scores[i] > min_score][:limit]
        return [(_record(rows[i]), float(scores[i])) for i in best]

    def _scores(
        self, query: Sequence[float], rows: Sequence[sqlite3.Row], now: float
    ) -> Float32Array:
        similarity = _cosines(query, b"".join(row["embedding"] for row in rows), len(rows))
        strength = self._faded(rows, now)
        largest = self._most / (1.0 + self._most)
        return (similarity * strength / (1.0 + strength) / largest).astype(np.float32)

    def strength(self, record_id: str) -> float:
        """Return what a memory is worth now, 0 where there is none."""
        with self._lock, _FILE.reported(self._name):
            rows = self._rows([record_id])
        return float(self._faded(rows, self._clock())[0]) if rows else 0.0

    def get_record(self, record_id: str) -> MemoryRecord | None:
        """Return a memory by its id."""
        with self._lock, _FILE.reported(self._name):
            rows = self._rows([record_id])
        return _record(rows[0]) if rows else None

    def list_records(
        self, scope_prefix: str | None = None, limit: int = 200, offset: int = 0
    ) -> list[MemoryRecord]:
        """Return the memories of a scope, the newest first."""
        return self._all(scope_prefix)[offset : offset + limit]

    def get_scope_info(self, scope: str) -> ScopeInfo:
        """Describe a scope and all below it."""
        records = self._all(scope)
        times = [record.created_at for record in records]
        return ScopeInfo(
            path=scope,
            record_count=len(records),
            categories=sorted({one for record in records for one in record.categories}),
            oldest_record=min(times, default=None),
            newest_record=max(times, default=None),
            child_scopes=self.list_scopes(scope),
        )

    def list_scopes(self, parent: str = "/") -> list[str]:
        """Return the scopes immediately below another one."""
        start = parent.rstrip("/") + "/"
        below = (record.scope.removeprefix(start) for record in self._all(parent))
        names = {name.split("/")[0] for name in below if not name.startswith("/")}
        return sorted(start + name for name in names if name)

    def list_categories(self, scope_prefix: str | None = None) -> dict[str, int]:
        """Count the memories of each category."""
        records = self._all(scope_prefix)
        return dict(Counter(one for record in records for one in record.categories))

    def count(self, scope_prefix: str | None = None) -> int:
        """Count the memories of a scope."""
        return len(self._all(scope_prefix))

    def _all(self, scope_prefix: str | None) -> list[MemoryRecord]:
        with self._lock, _FILE.reported(self._name):
            rows = self._found(scope_prefix, None, None)
        rows.sort(key=lambda row: str(row["created"]), reverse=True)
        return [_record(row) for row in rows]

    def _found(
        self,
        scope_prefix: str | None,
        categories: list[str] | None,
        metadata_filter: dict[str, Any] | None,
    ) -> list[sqlite3.Row]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM memories ORDER BY rowid")
        return [
            row
            for row in rows
            if _is_below(row["scope"], scope_prefix)
            and (not categories or set(categories) & set(json.loads(row["categories"])))
            and (not metadata_filter or _holds(json.loads(row["metadata"]), metadata_filter))
        ]

    def _rows(self, ids: Iterable[str]) -> list[sqlite3.Row]:
        select = f"SELECT {_COLUMNS} FROM memories WHERE id = ?"
        rows = (self._connection.execute(select, (one,)).fetchone() for one in ids)
        return [row for row in rows if row is not None]

    @property
    def _name(self) -> str:
        return str(self.path or ":memory:")

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


def _row(record: MemoryRecord) -> tuple[Any, ...]:
    vector = record.embedding
    return (
        record.id,
        record.content,
        record.scope,
        json.dumps(record.categories),
        json.dumps(record.metadata, default=str),
        record.importance,
        _text_of(record.created_at),
        _text_of(record.last_accessed),
        record.source,
        int(record.private),
        np.asarray(vector, "<f4").tobytes() if vector else None,
    )


def _record(row: sqlite3.Row) -> MemoryRecord:
    vector = row["embedding"]
    return MemoryRecord(
        id=row["id"],
        content=row["content"],
        scope=row["scope"],
        categories=json.loads(row["categories"]),
        metadata=json.loads(row["metadata"]),
        importance=row["importance"],
        created_at=datetime.fromisoformat(row["created"]),
        last_accessed=datetime.fromisoformat(row["accessed"]),
        source=row["source"],
        private=bool(row["private"]),
        embedding=None if vector is None else np.frombuffer(vector, "<f4").tolist(),
    )


def _text_of(moment: datetime) -> str:
    # CrewAI's own times are naive and in UTC; with microseconds always, texts sort as times do.
    naive = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return naive.isoformat(timespec="microseconds")


def _is_below(scope: str, prefix: str | None) -> bool:
    start = (prefix or "/").rstrip("/")
    return scope == start or scope.startswith(start + "/")


def _holds(metadata: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(key in metadata and metadata[key] == value for key, value in wanted.items())


def _cosines(query: Sequence[float], vectors: bytes, count: int) -> Float32Array:
    matrix = np.frombuffer(vectors, "<f4").reshape(count, -1)
    one = np.asarray(query, np.float32)
    if matrix.shape[1] != one.size:
        raise InputError(
            f"query_embedding: {one.size} numbers; the memories' have {matrix.shape[1]}"
        )
    length = np.linalg.norm(matrix, axis=1) * np.linalg.norm(one)
    similarity: Float32Array = matrix @ one / np.maximum(length, np.float32(1e-30))
    return similarity
