"""The SQLite file of a crew's memory: its schema, its time, and how an entry is written."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError, StoreError, StoreLockedError
from swarmloom.sqlite_files import ProcessConnection, SqliteKind
from swarmloom_agents.seams import MemoryRecord

__all__ = ["Change", "MemoryFile", "State", "digest_of", "record_of", "text_of", "vector_of"]

Float32Array = npt.NDArray[np.float32]

# What searches read of all entries is before the long texts, which lie on pages of their own.
_COLUMNS = (
    "id, scope, digest, source, private, categories, metadata, importance, created, accessed, "
    "strength, touched, version, content, embedding"
)
_FILE = SqliteKind(
    label="memory",
    mark=b"SWMM",
    version=2,
    schema=(
        """
        CREATE TABLE memories (
            id TEXT PRIMARY KEY,
            scope TEXT NOT NULL,
            digest BLOB NOT NULL,
            source TEXT,
            private INTEGER NOT NULL,
            categories TEXT NOT NULL,
            metadata TEXT NOT NULL,
            importance REAL NOT NULL,
            created TEXT NOT NULL,
            accessed TEXT NOT NULL,
            strength REAL NOT NULL,
            touched REAL NOT NULL,
            version INTEGER NOT NULL,
            content TEXT NOT NULL,
            embedding BLOB
        ) STRICT
        """,
        "CREATE INDEX memories_by_text ON memories (scope, digest)",
        "CREATE INDEX memories_by_version ON memories (version)",
        """
        CREATE TABLE state (
            time REAL NOT NULL,
            seen REAL,
            swept REAL NOT NULL,
            version INTEGER NOT NULL,
            removals INTEGER NOT NULL
        ) STRICT
        """,
        "INSERT INTO state VALUES (0, NULL, 0, 0, 0)",
    ),
    error=StoreError,
    ways_out="give TrailMemory another path",
    locked_error=StoreLockedError,
)
# A clock that is set wrong may jump by decades. Three half-lives leave of a fresh entry an eighth.
_LONGEST_PAUSE = 3.0
_USUAL_HALF_LIFE = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class State:
    """What a file says of all its entries together.

    Attributes
    ----------
    time : float
        Seconds of the file's own time at the last change, in which ages are measured.
    seen : float or None
        What the clock showed then.
    swept : float
        Time of the file when faded entries were last looked for.
    version : int
        Counts changes; each entry has that of its own last one.
    removals : int
        Counts the changes that took entries away or replaced them.
    """

    time: float
    seen: float | None
    swept: float
    version: int
    removals: int

    def time_at(self, clock: float, half_life: float | None) -> float:
        """Return the file's time: it goes with the clock, never back, nor by long jumps."""
        if self.seen is None:
            return self.time
        longest = _LONGEST_PAUSE * (half_life or _USUAL_HALF_LIFE)
        return self.time + min(max(clock - self.seen, 0.0), longest)


@dataclass(slots=True)
class Change:
    """A transaction that changes a file.

    Attributes
    ----------
    connection : sqlite3.Connection
    time : float
        The file's time.
    clock : float
        Seconds since 1970.
    swept : float
        Time of the file when faded entries were last looked for.
    version, removals : int
        The file's, after the change.
    """

    connection: sqlite3.Connection
    time: float
    clock: float
    swept: float
    version: int
    removals: int

    def insert(self, record: MemoryRecord, strength: float, touched: float) -> None:
        """Write an entry, in place of the one with its id."""
        row = _row(record, strength, touched, self.version)
        marks = ", ".join("?" * len(row))
        self.connection.execute(f"REPLACE INTO memories ({_COLUMNS}) VALUES ({marks})", row)

    def set_strengths(self, strengths: Sequence[tuple[str, float]]) -> None:
        """Write the strengths of entries that were used now, by their ids."""
        accessed = text_of(datetime.fromtimestamp(self.clock, UTC))
        self.connection.executemany(
            "UPDATE memories SET strength = ?, touched = ?, accessed = ?, version = ? WHERE id = ?",
            [(strength, self.time, accessed, self.version, one) for one, strength in strengths],
        )

    def remove(self, ids: Sequence[str]) -> None:
        """Take entries away."""
        if ids:
            self.removals += 1
        self.connection.executemany("DELETE FROM memories WHERE id = ?", [(one,) for one in ids])

    def finish(self) -> None:
        """Write the file's own state."""
        self.connection.execute(
            "UPDATE state SET time = ?, seen = ?, swept = ?, version = ?, removals = ?",
            (self.time, self.clock, self.swept, self.version, self.removals),
        )


class MemoryFile:
    """A memory's file, for one thread at a time; a forked child has its own connection.

    Parameters
    ----------
    path : Path or None
        Made when there is none; None keeps entries in memory.
    timeout : float
        Seconds to wait for other processes, and for other threads.
    clock : callable
        Gives the time in seconds since 1970.
    half_life : float or None
        Seconds.
    """

    def __init__(
        self,
        path: Path | None,
        timeout: float,
        clock: Callable[[], float],
        half_life: float | None,
    ) -> None:
        self._clock, self._half_life = clock, half_life
        self._file = ProcessConnection(_FILE, path, timeout, patience=timeout)
        self.name, self.close = self._file.name, self._file.close

    @contextmanager
    def viewing(self) -> Iterator[tuple[sqlite3.Connection, State, float]]:
        """Give the connection, the file's state and its time, for statements that read."""
        with self._file.viewing() as connection:
            connection.row_factory = sqlite3.Row
            state = _state(connection)
            yield connection, state, state.time_at(self._now(), self._half_life)

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """Give a transaction: all that the block writes, or nothing of it."""
        with self._file.writing() as connection:
            connection.row_factory = sqlite3.Row
            state, clock = _state(connection), self._now()
            time = state.time_at(clock, self._half_life)
            version = state.version + 1
            change = Change(connection, time, clock, state.swept, version, state.removals)
            yield change
            change.finish()

    def _now(self) -> float:
        now = self._clock()
        if not math.isfinite(now):
            raise InputError(f"clock: it shows {now}; allowed: finite seconds")
        return now


def _state(connection: sqlite3.Connection) -> State:
    row = connection.execute("SELECT time, seen, swept, version, removals FROM state").fetchone()
    return State(*row)


def digest_of(content: str) -> bytes:
    """Return 16 bytes that stand for a text in the index."""
    return hashlib.blake2b(content.encode(), digest_size=16).digest()


def vector_of(name: str, values: Sequence[float]) -> Float32Array:
    """Return an embedding as an array.

    Parameters
    ----------
    name : str
        What the error calls it.
    values : sequence of float

    Returns
    -------
    ndarray of float32

    Raises
    ------
    InputError
        If a number is not finite, or so large that the vector's length is not.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        vector = np.asarray(values, np.float32)
        if not np.isfinite(vector @ vector):
            raise InputError(
                f"{name}: it has numbers that are not finite, or too large for lengths in float32; "
                "allowed: finite numbers, their squares' sum below 3e38"
            )
    return vector


def _row(record: MemoryRecord, strength: float, touched: float, version: int) -> tuple[Any, ...]:
    vector = record.embedding
    return (
        record.id,
        record.scope,
        digest_of(record.content),
        record.source,
        int(record.private),
        json.dumps(record.categories),
        json.dumps(record.metadata, default=str),
        record.importance,
        text_of(record.created_at),
        text_of(record.last_accessed),
        strength,
        touched,
        version,
        record.content,
        np.asarray(vector, "<f4").tobytes() if vector else None,
    )


def record_of(row: sqlite3.Row) -> MemoryRecord:
    """Build CrewAI's record of an entry from all its columns."""
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


def text_of(moment: datetime) -> str:
    """Write a time so that texts sort as times do."""
    # CrewAI's own times are naive and in UTC.
    naive = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return naive.isoformat(timespec="microseconds")
