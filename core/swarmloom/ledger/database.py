"""The ledger's SQLite file."""

from __future__ import annotations

from swarmloom.errors import LedgerError
from swarmloom.sqlite_files import SqliteKind

__all__ = ["LEDGER_FILE"]

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

LEDGER_FILE = SqliteKind("ledger", b"SWLM", 1, _SCHEMA, LedgerError, _WAYS_OUT)
