"""A trace store's SQLite file: recognised or refused, never damaged."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swarmloom.errors import InputError, StoreError, StoreLockedError
from swarmloom.sqlite_files import SqliteKind, transaction

__all__ = ["Database"]

# A commit writes whole pages and a deposit touches few bytes on each of four, so small ones make
# it faster.
_PAGE_SIZE = 1024
# What is moved from the write-ahead log to the file at once, and synced: 8 MiB.
_LOG_PAGES = 8192

_SCHEMA = (
    "CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """
    CREATE TABLE channels (
        name TEXT PRIMARY KEY,
        half_life REAL,
        cap REAL,
        agent_cap REAL,
        floor REAL NOT NULL,
        expires_after REAL,
        opposite TEXT
    ) STRICT
    """,
    """
    CREATE TABLE trails (
        channel TEXT NOT NULL,
        key TEXT NOT NULL,
        agent TEXT NOT NULL,
        amount REAL NOT NULL,
        time REAL NOT NULL,
        deposits INTEGER NOT NULL,
        version INTEGER NOT NULL,
        note TEXT,
        PRIMARY KEY (channel, key, agent)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX trails_by_version ON trails (version)",
    """
    CREATE TABLE log (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        channel TEXT NOT NULL,
        agent TEXT NOT NULL,
        amount REAL NOT NULL,
        time REAL NOT NULL,
        note TEXT
    ) STRICT
    """,
    """
    CREATE TABLE items (
        place INTEGER PRIMARY KEY,
        board TEXT NOT NULL,
        key TEXT NOT NULL,
        agent TEXT,
        token INTEGER NOT NULL DEFAULT 0,
        expires REAL NOT NULL DEFAULT (-9e999),
        result TEXT,
        UNIQUE (board, key)
    ) STRICT
    """,
    "CREATE INDEX open_items ON items (board, place) WHERE result IS NULL",
    "INSERT INTO numbers VALUES ('token', 0), ('version', 0)",
)

_FILE = SqliteKind(
    label="trace store",
    mark=b"SWTR",
    version=1,
    schema=_SCHEMA,
    error=StoreError,
    ways_out="make it writable, or use another path",
    locked_error=StoreLockedError,
    page_size=_PAGE_SIZE,
    log_pages=_LOG_PAGES,
)


class Database:
    """One connection to a store's file, used by one thread at a time.

    Parameters
    ----------
    path : Path
        Made when there is none.
    timeout : float
        Seconds to wait for other processes' locks.
    log_size : int
        Deposits that the log of a new store keeps.

    Raises
    ------
    StoreError
        For a folder, a foreign or damaged file, a newer schema, or a file that cannot be written.
        It is left as it was.
    """

    def __init__(self, path: Path, timeout: float, log_size: int) -> None:
        self._path, self._timeout, self._log_size = path, timeout, log_size
        self._lock, self._fork_lock = threading.Lock(), threading.Lock()
        self._inherited: list[sqlite3.Connection] = []
        self._process = os.getpid()
        self._connection: sqlite3.Connection | None = None
        self._connection = self._opened()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for one statement that reads."""
        with self._reported(), self._own_lock():
            yield self._current()

    @contextmanager
    def viewing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for statements that all read the same state."""
        with self._reported(), self._own_lock():
            connection = self._current()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for a transaction: all that the block writes, or nothing of it."""
        with self._reported(), self._own_lock():
            connection = self._current()
            with transaction(connection):
                yield connection

    def close(self) -> None:
        """Close the connection; closing twice does nothing."""
        with self._own_lock():
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def _own_lock(self) -> threading.Lock:
        if self._process != os.getpid():
            self._leave_to_parent()
        return self._lock

    def _leave_to_parent(self) -> None:
        """After a fork: SQLite forbids to use the parent's connection, and even to close it."""
        with self._fork_lock:
            if self._process == os.getpid():
                return
            if self._connection is not None:
                self._inherited.append(self._connection)
                self._connection = self._opened()
            # A thread of the parent may have held it when the child was made.
            self._lock = threading.Lock()
            self._process = os.getpid()

    def _current(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"trace store {self._path}: it is closed; open it again")
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        kept = ("INSERT INTO numbers VALUES ('log_size', ?)", (self._log_size,))
        return _FILE.open(self._path, self._timeout, first=[kept])

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Name the file and say what to do about an error of SQLite."""
        try:
            with _FILE.reported(str(self._path)):
                yield
        except UnicodeEncodeError as error:
            raise InputError(
                f"{error.object!r} cannot be written; allowed: Unicode text"
            ) from error
