"""A trace store's SQLite file: recognised or refused, never damaged."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swarmloom.errors import InputError, TraceStoreError, TraceStoreLockedError

__all__ = ["Database"]

_APPLICATION_ID = int.from_bytes(b"SWTR", "big")
_SCHEMA_VERSION = 1

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
_TABLES = {"numbers", "channels", "trails", "log", "items"}

_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written (full, or failing?)",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only; make it writable, or use "
    "another path",
    sqlite3.SQLITE_PERM: "access is not permitted; check the owner of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened or made; check the path and its owner",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; move it away, or put a snapshot in its place",
    sqlite3.SQLITE_NOTADB: "this is no SQLite file; move it away, or use another path",
}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PRIMARY_CODE = 0xFF
_RETRY_INTERVAL = 0.02


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
    TraceStoreError
        For a folder, a foreign or damaged file, a newer schema, or a file that cannot be written.
        It is left as it was.
    """

    def __init__(self, path: Path, timeout: float, log_size: int) -> None:
        if path.is_dir():
            raise TraceStoreError(f"trace store {path}: this is a folder; name a file in it")
        self._path, self._timeout = path, timeout
        self._lock, self._fork_lock = threading.Lock(), threading.Lock()
        self._inherited: list[sqlite3.Connection] = []
        self._process = os.getpid()
        self._connection: sqlite3.Connection | None = None
        with self._reported():
            self._connection = self._opened(log_size)

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
            # IMMEDIATE waits for other writers at the start, where waiting is safe.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

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
                self._connection = self._connected()
            # A thread of the parent may have held it when the child was made.
            self._lock = threading.Lock()
            self._process = os.getpid()

    def _current(self) -> sqlite3.Connection:
        if self._connection is None:
            raise TraceStoreError(f"trace store {self._path}: it is closed; open it again")
        return self._connection

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        return connection

    def _opened(self, log_size: int) -> sqlite3.Connection:
        connection = self._connected()
        try:
            if not self._is_ours(connection):
                self._make(connection, log_size)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make(self, connection: sqlite3.Connection, log_size: int) -> None:
        connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been faster.
        if not self._is_ours(connection):
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO numbers VALUES ('log_size', ?)", (log_size,))
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        connection.execute("COMMIT")
        self._use_log(connection, time.monotonic() + self._timeout)

    def _is_ours(self, connection: sqlite3.Connection) -> bool:
        """Whether this is a store; False if the file is empty."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in rows}
        if not application and not version and not tables:
            return False
        if application != _APPLICATION_ID:
            raise TraceStoreError(
                f"trace store {self._path}: this SQLite file belongs to another program"
            )
        if version != _SCHEMA_VERSION:
            raise TraceStoreError(
                f"trace store {self._path}: written with schema {version}, this version of "
                f"swarmloom reads {_SCHEMA_VERSION}; upgrade swarmloom or use another file"
            )
        if not tables >= _TABLES:
            missing = ", ".join(sorted(_TABLES - tables))
            raise TraceStoreError(
                f"trace store {self._path}: the file is damaged, it lacks {missing}; move it away, "
                "or put a snapshot in its place"
            )
        return True

    @staticmethod
    def _use_log(connection: sqlite3.Connection, deadline: float) -> None:
        # SQLite's own waiting does not cover the switch to a write-ahead log, which needs the file
        # for itself. The mode stays with the file.
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_INTERVAL)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Name the file and say what to do about an error of SQLite."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error) from error
        except UnicodeEncodeError as error:
            raise InputError(
                f"{error.object!r} cannot be written; allowed: Unicode text"
            ) from error

    def _error(self, error: sqlite3.Error) -> TraceStoreError:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code in _LOCKED:
            return TraceStoreLockedError(
                f"trace store {self._path}: another process kept it locked for longer than "
                f"{self._timeout:g} s; nothing was changed. Wait for that process or stop it, or "
                "open the store with a longer timeout"
            )
        advice = _ADVICE.get(code)
        return TraceStoreError(
            f"trace store {self._path}: {f'{advice} ({error})' if advice else error}"
        )
