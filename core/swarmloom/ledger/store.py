"""The ledger itself: runs begin, events are appended, and both can be read back."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from swarmloom.errors import InputError, LedgerError
from swarmloom.events import EventKind
from swarmloom.ledger.claims import Claims
from swarmloom.ledger.database import LEDGER_FILE
from swarmloom.ledger.encoding import decode, encode, to_json
from swarmloom.ledger.records import RunRecord, RunView, view_of
from swarmloom.sqlite_files import transaction
from swarmloom.types import Event

__all__ = ["Ledger", "default_path"]

_PAGE = 1000
_ID_BYTES = 6
_INSERT = "INSERT INTO events (run, kind, task, time, data, checksum) VALUES (?, ?, ?, ?, ?, ?)"
_COUNT = """
    UPDATE runs SET tasks = tasks + ?, finished = finished + ?, calls = calls + ?, cost = cost + ?
    WHERE key = ?
"""


def default_path() -> Path:
    """Where runs are recorded when nothing else is said: the user's data folder."""
    from platformdirs import user_data_path

    return user_data_path("swarmloom", appauthor=False) / "ledger.sqlite"


class Ledger:
    """The durable record of runs.

    Safe to use from any thread; several processes may use the same file, each for runs of its own.

    Parameters
    ----------
    path : str or Path or None
        The SQLite file, made when there is none; None keeps everything in memory.
    timeout : float
        Seconds to wait while another process has the file locked.
    read_only : bool
        Only read a file that is there; that needs no room on the disk and no right to write.

    Raises
    ------
    LedgerError
        If the file is a folder, damaged, foreign, of a newer schema, locked or not writable. The
        file is left as it was.

    Notes
    -----
    What `begin`, `append` and `finish` have returned from survives the end of the process, however
    it ends: the write-ahead log holds it and is with the operating system. It is not forced to the
    disk each time (``synchronous=NORMAL``), so a power failure may take the last moments; the file
    stays whole.

    Examples
    --------
    >>> from swarmloom import Event, Ledger
    >>> ledger = Ledger(None)
    >>> run = ledger.begin({"seed": 7})
    >>> ledger.append(run, [Event("budget_exhausted", {"limit": "calls"})])
    >>> [event.kind for event in ledger.events(run)]
    ['run_started', 'budget_exhausted']
    """

    def __init__(
        self, path: str | Path | None, *, timeout: float = 10.0, read_only: bool = False
    ) -> None:
        self.path = None if path is None else Path(path).absolute()
        self._name = str(self.path or ":memory:")
        self._lock = threading.RLock()
        self._keys: dict[str, int] = {}
        self._latest = ""
        self._read_only = read_only
        self._connection = (
            LEDGER_FILE.open_reader(self.path, timeout)
            if read_only and self.path is not None
            else LEDGER_FILE.open(self.path, timeout)
        )
        self._claims = Claims(self.path)

    # -- writing ----------------------------------------------------------------------------

    def begin(self, data: Mapping[str, Any]) -> str:
        """Record the start of a run; the run is this ledger's until `finish` or `close`.

        Parameters
        ----------
        data : mapping
            JSON-ready data of the ``run_started`` event; its ``job`` says how to start it again.

        Returns
        -------
        str
            The run's id.

        Raises
        ------
        LedgerError
            If it cannot be recorded; then there is no such run.
        """
        event = Event(EventKind.RUN_STARTED, data)
        row = encode(event)
        job = to_json(data.get("job") or {}, "the job of a run")
        run = secrets.token_hex(_ID_BYTES)
        with self._lock, self._claims.new(run), self._writing() as connection:
            key = connection.execute(
                "INSERT INTO runs (id, started, status, job) VALUES (?, ?, 'running', ?)",
                (run, event.time, job),
            ).lastrowid
            connection.execute(_INSERT, (key, *row))
        self._latest = run
        return run

    def resume(self, run: str) -> None:
        """Go on with a run that stopped.

        Parameters
        ----------
        run : str
            Its id.

        Raises
        ------
        InputError
            If there is no such run, or it is finished.
        LedgerError
            If another process is working on it, or the file is damaged.
        """
        self.check()
        with self._lock:
            key = self._key(run)
            self._refuse_finished(run, key)
            with self._claims.new(run), self._writing() as connection:
                # Asked again under the claim: another process may have finished it just now.
                self._refuse_finished(run, key)
                connection.execute("UPDATE runs SET status = 'running' WHERE key = ?", (key,))
                connection.execute(_INSERT, (key, *encode(Event(EventKind.RUN_RESUMED))))
            self._latest = run

    def append(self, run: str, events: Sequence[Event]) -> None:
        """Record events of a run, all or none; they are durable when this returns.

        Parameters
        ----------
        run : str
            Its id.
        events : sequence of Event

        Raises
        ------
        InputError
            If there is no such run.
        LedgerError
            If an event is not JSON, a task would have a second outcome, another process is working
            on the run, or the file cannot be written; nothing of this call is recorded then.
        """
        rows = [encode(event) for event in events]
        with self._lock:
            key = self._key(run)
            self._claims.take(run)
            with self._writing() as connection:
                try:
                    connection.executemany(_INSERT, [(key, *row) for row in rows])
                except sqlite3.IntegrityError as error:
                    raise LedgerError(_second_outcome(self._name, run, events)) from error
                connection.execute(_COUNT, (*_counts(events), key))

    def finish(self, run: str, status: str) -> None:
        """Record that work on a run has ended.

        Parameters
        ----------
        run : str
            Its id.
        status : str
            "finished", or "interrupted" for a run that may be resumed.
        """
        with self._lock:
            key = self._key(run)
            with self._writing() as connection:
                connection.execute("UPDATE runs SET status = ? WHERE key = ?", (status, key))
            self._claims.drop(run, for_good=status == "finished")

    # -- reading ----------------------------------------------------------------------------

    @property
    def latest(self) -> str:
        """The run that this object began or resumed last; "" before the first."""
        return self._latest

    def events(
        self, run: str, *, kinds: Sequence[str] | None = None, task: str | None = None
    ) -> Iterator[Event]:
        """Read events of a run, in the order of recording.

        Parameters
        ----------
        run : str
            Its id.
        kinds : sequence of str, optional
            Only these kinds.
        task : str, optional
            Only events about this task.

        Returns
        -------
        iterator of Event

        Raises
        ------
        InputError
            If there is no such run.
        LedgerError
            While iterating, if an event is not what was written.
        """
        conditions, values = ["run = ?", "seq > ?"], []
        if task is not None:
            conditions.append("task = ? AND task <> ''" if task else "task = ?")
            values.append(task)
        if kinds is not None:
            conditions.append(f"kind IN ({', '.join('?' * len(kinds))})")
            values.extend(str(kind) for kind in kinds)
        query = (
            "SELECT seq, kind, task, time, data, checksum FROM events "
            f"WHERE {' AND '.join(conditions)} ORDER BY seq LIMIT {_PAGE}"
        )
        return self._pages(query, self._key(run), values)

    def runs(self) -> list[RunRecord]:
        """List all runs, the oldest first."""
        query = (
            "SELECT id, started, status, tasks, finished, calls, cost, job FROM runs ORDER BY key"
        )
        return [self._record(row) for row in self._fetch(query)]

    def record(self, run: str) -> RunRecord:
        """Give one run's line.

        Raises
        ------
        InputError
            If there is no such run.
        """
        query = (
            "SELECT id, started, status, tasks, finished, calls, cost, job FROM runs WHERE key = ?"
        )
        return self._record(self._fetch(query, (self._key(run),))[0])

    def view(self, run: str) -> RunView:
        """Read a run as a whole.

        Raises
        ------
        InputError
            If there is no such run.
        """
        record = self.record(run)
        return view_of(record, self.events(run))

    def tasks(self, run: str) -> list[str]:
        """List the ids of a run's tasks, in the order they were opened."""
        return [event.task for event in self.events(run, kinds=[EventKind.TASK_OPENED])]

    def find(self, name: str) -> str:
        """Find a run by what a person writes.

        Parameters
        ----------
        name : str
            An id, the beginning of exactly one, or "last" for the one that started last.

        Returns
        -------
        str
            The run's id.

        Raises
        ------
        InputError
            If there is none or more than one; the message names the nearest.
        """
        ids: list[str] = [run for (run,) in self._fetch("SELECT id FROM runs ORDER BY key")]
        if not ids:
            raise InputError(f"ledger {self._name} holds no runs")
        if name == "last" or name in ids:
            return ids[-1] if name == "last" else name
        found = [run for run in ids if name and run.startswith(name)]
        if len(found) > 1:
            raise InputError(f"run {name!r} may be any of {', '.join(found)}; write more of it")
        if not found:
            raise self._unknown(name, ids)
        return found[0]

    def check(self) -> None:
        """Check the whole file.

        Raises
        ------
        LedgerError
            If it is damaged.
        """
        problems = [text for (text,) in self._fetch("PRAGMA integrity_check") if text != "ok"]
        if problems:
            raise LedgerError(
                f"ledger {self._name}: the file is damaged; move it away, or put a backup in its "
                f"place ({problems[0]})"
            )

    def close(self) -> None:
        """Give up runs that are not finished, which can be resumed, and close the file."""
        with self._lock:
            self._claims.drop_all()
            if not self._read_only:
                self._clear_claims()
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- within -----------------------------------------------------------------------------

    def _clear_claims(self) -> None:
        # Closing must not fail for want of tidiness: another process may have damaged the file.
        with suppress(LedgerError):
            finished = self._fetch("SELECT id FROM runs WHERE status = 'finished'")
            self._claims.clear({run for (run,) in finished})

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, LEDGER_FILE.reported(self._name), transaction(self._connection):
            yield self._connection

    def _fetch(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock, LEDGER_FILE.reported(self._name):
            return self._connection.execute(query, values).fetchall()

    def _pages(self, query: str, key: int, values: Sequence[Any]) -> Iterator[Event]:
        # Page by page, so that neither the lock nor a read transaction outlasts a page.
        last = 0
        while page := self._fetch(query, (key, last, *values)):
            for seq, *row in page:
                yield self._decoded(seq, row)
            last = page[-1][0]

    def _decoded(self, seq: int, row: Sequence[Any]) -> Event:
        kind, task, at, data, checksum = row
        try:
            return decode(seq, (kind, task, at, data, checksum))
        except LedgerError as error:
            raise LedgerError(f"ledger {self._name}: {error}") from None

    def _key(self, run: str) -> int:
        if run not in self._keys:
            found = self._fetch("SELECT key FROM runs WHERE id = ?", (run,))
            if not found:
                raise self._unknown(run, [name for (name,) in self._fetch("SELECT id FROM runs")])
            self._keys[run] = found[0][0]
        return self._keys[run]

    def _unknown(self, name: str, ids: Sequence[str]) -> InputError:
        near = get_close_matches(name, ids, n=1, cutoff=0.0)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return InputError(f"ledger {self._name} holds no run {name!r}{hint}")

    def _refuse_finished(self, run: str, key: int) -> None:
        if self._fetch("SELECT status FROM runs WHERE key = ?", (key,)) == [("finished",)]:
            raise InputError(f"run {run} is finished; there is nothing to resume")

    def _record(self, row: Sequence[Any]) -> RunRecord:
        run, started, status, tasks, finished, calls, cost, job = row
        if status == "running" and self.path is not None and not self._claims.is_taken(run):
            status = "interrupted"
        return RunRecord(run, started, status, tasks, finished, calls, cost, json.loads(job))


def _counts(events: Sequence[Event]) -> tuple[int, int, int, float]:
    kinds = [event.kind for event in events]
    costs = [float(e.data.get("cost", 0.0)) for e in events if e.kind == EventKind.BALLOT]
    opened, finished = kinds.count(EventKind.TASK_OPENED), kinds.count(EventKind.OUTCOME)
    return opened, finished, len(costs), sum(costs)


def _second_outcome(name: str, run: str, events: Sequence[Event]) -> str:
    tasks = ", ".join(repr(e.task) for e in events if e.kind == EventKind.OUTCOME)
    return f"ledger {name}: run {run} already has an outcome of a task among {tasks}"
