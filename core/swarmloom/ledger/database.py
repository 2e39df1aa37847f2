"""Opening the ledger's SQLite file: recognised or refused, never damaged."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swarmloom.errors import LedgerError

__all__ = [
    "APPLICATION_ID",
    "SCHEMA_VERSION",
    "open_database",
    "open_reader",
    "reported",
    "transaction",
]

APPLICATION_ID = int.from_bytes(b"SWLM", "big")
SCHEMA_VERSION = 1

_SCHEMA = (
    """
    CREATE TABLE runs (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        started REAL NOT NULL,
        status TEXT NOT NULL,
        job TEXT NOT NULL,
        tasks INTEGER NOT NULL DEFAULT 0,
        finished INTEGER NOT NULL DEFAULT 0,
        calls INTEGER NOT NULL DEFAULT 0,
        cost REAL NOT NULL DEFAULT 0
    ) STRICT
    """,
    """
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (key),
        kind TEXT NOT NULL,
        task TEXT NOT NULL,
        time REAL NOT NULL,
        data TEXT NOT NULL,
        checksum INTEGER NOT NULL
    ) STRICT
    """,
    # SQLite ends every index entry with the row's seq, so both also give the order of recording.
    "CREATE INDEX events_by_run ON events (run)",
    "CREATE INDEX events_by_task ON events (run, task) WHERE task <> ''",
    "CREATE UNIQUE INDEX one_outcome_a_task ON events (run, task) WHERE kind = 'outcome'",
)

_WAYS_OUT = (
    "SWARMLOOM_LEDGER__PATH can name another file, ledger.enabled = false keeps the record in "
    "memory"
)
_ADVICE = {
    sqlite3.SQLITE_BUSY: "another process keeps it locked; wait for that one or stop it",
    sqlite3.SQLITE_LOCKED: "another connection keeps it locked; wait for that one or stop it",
    sqlite3.SQLITE_FULL: "the disk is full; make room and resume the run",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written (full, or failing?)",
    sqlite3.SQLITE_READONLY: f"the file or its folder is read-only; {_WAYS_OUT}",
    sqlite3.SQLITE_PERM: "access is not permitted; check the owner of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: f"the file cannot be opened or made; {_WAYS_OUT}",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; move it away, or put a backup in its place",
    sqlite3.SQLITE_NOTADB: "this is no SQLite file; move it away or use another path",
}

_PRIMARY_CODE = 0xFF
_RETRY_INTERVAL = 0.02


@contextmanager
def reported(name: str) -> Iterator[None]:
    """Turn what SQLite raises within the block into a `LedgerError`.

    Parameters
    ----------
    name : str
        The ledger's file, for the message.

    Raises
    ------
    LedgerError
        Naming the file, what is wrong and what to do.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        advice = _ADVICE.get(code)
        message = f"{advice} ({error})" if advice else str(error)
        raise LedgerError(f"ledger {name}: {message}") from error


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


def open_database(path: Path | None, timeout: float) -> sqlite3.Connection:
    """Open a ledger file, made when there is none.

    Parameters
    ----------
    path : Path or None
        None opens a private one in memory.
    timeout : float
        Seconds to wait for other processes' locks.

    Returns
    -------
    sqlite3.Connection
        In autocommit mode, usable from any thread, one at a time.

    Raises
    ------
    LedgerError
        For a folder, a foreign or damaged file, a newer schema, a file that cannot be written.
        The file is left as it was.
    """
    if path is not None:
        _prepare_folder(path)
    name = str(path or ":memory:")
    with reported(name):
        connection = sqlite3.connect(
            name, timeout=timeout, isolation_level=None, check_same_thread=False
        )
        try:
            _set_up(connection, name, timeout)
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: Path, timeout: float) -> sqlite3.Connection:
    """Open a ledger file that is only read; nothing has to be written for that.

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
    LedgerError
        For a missing, foreign or damaged file, or a newer schema.
    """
    name = str(path)
    with reported(name):
        try:
            return _reader(path, "mode=rw", timeout)
        except sqlite3.OperationalError:
            # A log that nobody has open needs a shared index beside it, for which a full disk or a
            # read-only folder has no place. Without a log the file can be read as it lies there.
            if _has_log(path):
                raise
            return _reader(path, "mode=ro&immutable=1", timeout)


def _reader(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA query_only = ON")
        if not _is_ours(connection, str(path)):
            raise LedgerError(f"ledger {path}: the file is empty; nothing has been recorded there")
    except BaseException:
        connection.close()
        raise
    return connection


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _prepare_folder(path: Path) -> None:
    if path.is_dir():
        raise LedgerError(f"ledger {path}: this is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"ledger {path}: its folder cannot be made ({error.strerror or error}); {_WAYS_OUT}"
        ) from error


def _set_up(connection: sqlite3.Connection, name: str, timeout: float) -> None:
    with transaction(connection):
        if not _is_ours(connection, name):
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    mode = _journal_mode(connection, time.monotonic() + timeout)
    # Where the file system cannot do WAL, only a full sync keeps the file safe.
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")


def _is_ours(connection: sqlite3.Connection, name: str) -> bool:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not application and not version and not objects:
        return False
    if application != APPLICATION_ID:
        raise LedgerError(f"ledger {name}: this SQLite file belongs to another program")
    if version != SCHEMA_VERSION:
        raise LedgerError(
            f"ledger {name}: written with schema {version}, this version of swarmloom reads "
            f"{SCHEMA_VERSION}; upgrade swarmloom or use another file"
        )
    return True


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
