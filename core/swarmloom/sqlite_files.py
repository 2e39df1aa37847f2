"""SQLite files of Swarmloom: recognised or refused when opened, never damaged.

Each kind of file (the ledger, traces, memories) has a mark in its header, a schema with a version,
and an error of its own, raised with what is wrong and what to do.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarmloom.errors import InputError, SwarmloomError

__all__ = ["ProcessConnection", "SqliteKind", "Statement", "transaction"]

Statement = tuple[str, tuple[Any, ...]]

_PRIMARY_CODE = 0xFF
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_WAIT = "nothing was changed; wait for that one or stop it"
_REPLACE = "move it away, or put a backup in its place"
_CREATED_TABLE = re.compile(r"\s*CREATE TABLE (\w+)")
_RETRY_INTERVAL = 0.02
_FORK_PATIENCE = 2.0


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all that the block writes, or nothing of it.

    Parameters
    ----------
    connection : sqlite3.Connection
        In autocommit mode (``isolation_level=None``).
    """
    # IMMEDIATE waits for other writers at the start, where waiting is safe.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@dataclass(frozen=True, slots=True)
class SqliteKind:
    """One kind of SQLite file.

    Attributes
    ----------
    label : str
        What messages call it: "ledger".
    mark : bytes
        Four bytes that tell it from other programs' files (SQLite's ``application_id``).
    version : int
        Of its schema; files of another version are refused.
    schema : tuple of str
        The statements that make a new file.
    error : type of SwarmloomError
        What is raised for everything that goes wrong.
    ways_out : str
        What the user can do where the file cannot be written.
    locked_error : type of SwarmloomError, optional
        A more special one for files that another process keeps locked.
    page_size : int, optional
        Bytes of a page of a new file; SQLite's own by default.
    log_pages : int, optional
        Pages after which the write-ahead log is copied into the file; SQLite's own by default.
    """

    label: str
    mark: bytes
    version: int
    schema: tuple[str, ...]
    error: type[SwarmloomError]
    ways_out: str
    locked_error: type[SwarmloomError] | None = None
    page_size: int | None = None
    log_pages: int | None = None

    @contextmanager
    def reported(self, name: str) -> Iterator[None]:
        """Turn what SQLite raises within the block into this kind's error.

        Parameters
        ----------
        name : str
            The file, for the message.
        """
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
            advice = _advice(code, self.ways_out)
            message = f"{advice} ({error})" if advice else str(error)
            kind = self.error if code not in _LOCKED else self.locked_error or self.error
            raise kind(f"{self.label} {name}: {message}") from error

    def open(
        self, path: Path | None, timeout: float, *, first: Sequence[Statement] = ()
    ) -> sqlite3.Connection:
        """Open a file, made when there is none.

        Parameters
        ----------
        path : Path or None
            None opens a private one in memory.
        timeout : float
            Seconds to wait for other processes' locks.
        first : sequence of (str, tuple)
            Statements with their values that complete a new file.

        Returns
        -------
        sqlite3.Connection
            In autocommit mode, usable from any thread, one at a time.

        Raises
        ------
        SwarmloomError
            The kind's own, for a folder, a foreign or damaged file, another schema, a file that
            cannot be written. The file is left as it was.
        """
        if path is not None:
            self._prepare_folder(path)
        name = str(path or ":memory:")
        with self.reported(name):
            connection = sqlite3.connect(
                name, timeout=timeout, isolation_level=None, check_same_thread=False
            )
            try:
                self._set_up(connection, name, timeout, first)
            except BaseException:
                connection.close()
                raise
        return connection

    def open_reader(self, path: Path, timeout: float) -> sqlite3.Connection:
        """Open a file that is only read; nothing has to be written for that.

        Parameters
        ----------
        path : Path
        timeout : float
            Seconds to wait for other processes' locks.

        Returns
        -------
        sqlite3.Connection
            In autocommit mode, usable from any thread, one at a time; it refuses to write.

        Raises
        ------
        SwarmloomError
            The kind's own, for a missing, foreign or damaged file, or another schema.
        """
        with self.reported(str(path)):
            try:
                return self._reader(path, "mode=rw", timeout)
            except sqlite3.OperationalError:
                # A log that nobody has open needs a shared index beside it, for which a full disk
                # or a read-only folder has no place. Without a log the file can be read as it lies.
                if _has_log(path):
                    raise
                return self._reader(path, "mode=ro&immutable=1", timeout)

    def _reader(self, path: Path, mode: str, timeout: float) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}",
            uri=True,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            if not self._is_ours(connection, str(path)):
                nothing = "the file is empty; nothing has been recorded there"
                raise self.error(f"{self.label} {path}: {nothing}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare_folder(self, path: Path) -> None:
        if path.is_dir():
            raise self.error(f"{self.label} {path}: this is a folder; name a file in it")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"its folder cannot be made ({error.strerror or error})"
            raise self.error(f"{self.label} {path}: {reason}; {self.ways_out}") from error

    def _set_up(
        self,
        connection: sqlite3.Connection,
        name: str,
        timeout: float,
        first: Sequence[Statement],
    ) -> None:
        if self.log_pages is not None:
            connection.execute(f"PRAGMA wal_autocheckpoint = {self.log_pages}")
        # Opening a file that is there waits for nobody who writes.
        if not self._is_ours(connection, name):
            self._make(connection, name, first)
        mode = _journal_mode(connection, time.monotonic() + timeout)
        # Where the file system cannot do WAL, only a full sync keeps the file safe.
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")

    def _make(self, connection: sqlite3.Connection, name: str, first: Sequence[Statement]) -> None:
        if self.page_size is not None:
            connection.execute(f"PRAGMA page_size = {self.page_size}")
        with transaction(connection):
            # Another process may have been faster.
            if self._is_ours(connection, name):
                return
            for statement in self.schema:
                connection.execute(statement)
            for statement, values in first:
                connection.execute(statement, values)
            connection.execute(f"PRAGMA application_id = {int.from_bytes(self.mark, 'big')}")
            connection.execute(f"PRAGMA user_version = {self.version}")

    def _is_ours(self, connection: sqlite3.Connection, name: str) -> bool:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in rows}
        if not application and not version and not tables:
            return False
        if application != int.from_bytes(self.mark, "big"):
            foreign = "this SQLite file belongs to another program"
            raise self.error(f"{self.label} {name}: {foreign}")
        if version != self.version:
            raise self.error(
                f"{self.label} {name}: written with schema {version}, this version of swarmloom "
                f"reads {self.version}; upgrade swarmloom or use another file"
            )
        if missing := self._tables() - tables:
            lacks = f"the file is damaged, it lacks {', '.join(sorted(missing))}"
            raise self.error(f"{self.label} {name}: {lacks}; {_REPLACE}")
        return True

    def _tables(self) -> set[str]:
        return {found[1] for text in self.schema if (found := _CREATED_TABLE.match(text))}


@dataclass(slots=True)
class _Held:
    """What one process has of a file."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: sqlite3.Connection | None = None


class ProcessConnection:
    """A connection for one thread at a time, of which each process that is forked has its own.

    SQLite forbids to use a connection that a parent has opened, and even to close it; and what it
    knows of a file's locks, and locks that a thread of the parent held, would stay as they were in
    the child for ever. So a fork waits for the threads that use such a connection, for two seconds
    at most, and closes it; parent and child open the file anew when they next use it. Where there
    is no file, the child has a copy.

    Parameters
    ----------
    kind : SqliteKind
    path : Path or None
        None for a private one in memory.
    timeout : float
        Seconds to wait for other processes' locks.
    first : sequence of (str, tuple)
        Statements with their values that complete a new file.
    patience : float, optional
        Seconds to wait for other threads of this process; as long as it takes by default.

    Raises
    ------
    SwarmloomError
        As `SqliteKind.open` raises it.
    """

    def __init__(
        self,
        kind: SqliteKind,
        path: Path | None,
        timeout: float,
        *,
        first: Sequence[Statement] = (),
        patience: float | None = None,
    ) -> None:
        self._kind, self._path, self._timeout, self._first = kind, path, timeout, first
        self._patience = -1.0 if patience is None else patience
        self._closed = False
        # By process; those of parents stay here, since dropping one would close it.
        self._held = {os.getpid(): _Held(connection=self._opened())}
        _FORKS.add(self)

    @property
    def name(self) -> str:
        """The file, for messages."""
        return str(self._path or ":memory:")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for one statement that reads."""
        with self._reported(), self._alone() as connection:
            yield connection

    @contextmanager
    def viewing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for statements that all read the same state."""
        with self._reported(), self._alone() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for a transaction: all that the block writes, or nothing of it.

        Raises
        ------
        InputError
            If a text that is to be written is no Unicode text.
        """
        with self._reported(), self._alone() as connection, transaction(connection):
            yield connection

    def close(self) -> None:
        """Close this process's connection; closing twice does nothing."""
        held = self._own()
        with held.lock:
            self._closed = True
            if held.connection is not None:
                held.connection.close()
                held.connection = None

    def quieten(self, deadline: float) -> bool:
        """Before a fork: take the lock and close the file; False where others use it too long.

        Parameters
        ----------
        deadline : float
            As `time.monotonic` counts.
        """
        held = self._own()
        if not held.lock.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            return False
        if self._path is not None and held.connection is not None:
            held.connection.close()
            held.connection = None
        return True

    def go_on(self) -> None:
        """After a fork, in the parent and in the child: undo `quieten`."""
        [held] = list(self._held.values())[-1:]
        self._held.setdefault(os.getpid(), _Held(connection=held.connection))
        held.lock.release()

    def _own(self) -> _Held:
        # One of a child's threads wins without a lock, which another fork could leave locked.
        return self._held.setdefault(os.getpid(), _Held())

    @contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection]:
        held = self._own()
        if not held.lock.acquire(timeout=self._patience):
            kind = self._kind.locked_error or self._kind.error
            waiting = "other threads have been using it for too long; nothing was changed"
            raise kind(f"{self._kind.label} {self.name}: {waiting}")
        try:
            if self._closed:
                closed = "it is closed; open it again"
                raise self._kind.error(f"{self._kind.label} {self.name}: {closed}")
            if held.connection is None:
                held.connection = self._opened()
            yield held.connection
        finally:
            held.lock.release()

    def _opened(self) -> sqlite3.Connection:
        return self._kind.open(self._path, self._timeout, first=self._first)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Name the file and say what to do about an error of SQLite."""
        try:
            with self._kind.reported(self.name):
                yield
        except UnicodeEncodeError as error:
            raise InputError(
                f"{error.object!r} cannot be written; allowed: Unicode text"
            ) from error


class _Forks:
    """Quietens all connections of this process while it forks."""

    def __init__(self) -> None:
        self._files: weakref.WeakSet[ProcessConnection] = weakref.WeakSet()
        self._quiet: list[ProcessConnection] = []
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before, after_in_parent=self._after, after_in_child=self._after
            )

    def add(self, file: ProcessConnection) -> None:
        """Look after one more."""
        with self._lock:
            self._files.add(file)

    def _before(self) -> None:
        self._lock.acquire()
        deadline = time.monotonic() + _FORK_PATIENCE
        self._quiet = [file for file in list(self._files) if file.quieten(deadline)]

    def _after(self) -> None:
        for file in self._quiet:
            file.go_on()
        self._quiet = []
        self._lock.release()


_FORKS = _Forks()


def _advice(code: int, ways_out: str) -> str | None:
    return {
        sqlite3.SQLITE_BUSY: f"another process keeps it locked; {_WAIT}",
        sqlite3.SQLITE_LOCKED: f"another connection keeps it locked; {_WAIT}",
        sqlite3.SQLITE_FULL: "the disk is full; make room and go on",
        sqlite3.SQLITE_IOERR: "the disk cannot be read or written (full, or failing?)",
        sqlite3.SQLITE_READONLY: f"the file or its folder is read-only; {ways_out}",
        sqlite3.SQLITE_PERM: "access is not permitted; check the owner of the file and its folder",
        sqlite3.SQLITE_CANTOPEN: f"the file cannot be opened or made; {ways_out}",
        sqlite3.SQLITE_CORRUPT: f"the file is damaged; {_REPLACE}",
        sqlite3.SQLITE_NOTADB: "this is no SQLite file; move it away or use another path",
    }.get(code)


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _journal_mode(connection: sqlite3.Connection, deadline: float) -> str:
    # SQLite's own waiting does not cover the switch to WAL, which needs the file for itself.
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return str(mode)
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_INTERVAL)
