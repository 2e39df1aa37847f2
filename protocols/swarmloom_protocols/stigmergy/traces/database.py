"""A trace store's SQLite file: recognised or refused, never damaged."""

from __future__ import annotations

from pathlib import Path

from swarmloom.errors import StoreError, StoreLockedError
from swarmloom.sqlite_files import ProcessConnection, SqliteKind

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


class Database(ProcessConnection):
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
        kept = ("INSERT INTO numbers VALUES ('log_size', ?)", (log_size,))
        super().__init__(_FILE, path, timeout, first=[kept])
