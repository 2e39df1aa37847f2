"""One process a run: a claim that ends with the process, however that ends."""

from __future__ import annotations

import glob
import sqlite3
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from swarmloom.errors import LedgerError
from swarmloom.ledger.database import LEDGER_FILE

__all__ = ["Claims"]


class Claims:
    """Claims of this process on runs of one ledger file.

    A claim is SQLite's exclusive lock on an empty file beside the ledger: the operating system
    gives it up when the process dies, on every platform, so nothing has to be cleaned up.

    Parameters
    ----------
    path : Path or None
        The ledger's file; None for a ledger in memory, which no other process sees.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._name = str(path or ":memory:")
        self._held: dict[str, sqlite3.Connection | None] = {}

    @contextmanager
    def new(self, run: str) -> Iterator[None]:
        """Claim a run that nobody works on; the claim is kept unless the block raises.

        Raises
        ------
        LedgerError
            If anybody works on the run, this process included.
        """
        if run in self._held:
            raise LedgerError(f"ledger {self._name}: this process is working on run {run} already")
        self.take(run)
        try:
            yield
        except BaseException:
            self.drop(run)
            raise

    def take(self, run: str) -> None:
        """Claim a run; taking one's own claim again does nothing.

        Raises
        ------
        LedgerError
            If another process, or another ledger of this one, is working on the run.
        """
        if run in self._held:
            return
        connection = None if self._path is None else self._try(run)
        if connection is None and self._path is not None:
            raise LedgerError(
                f"ledger {self._name}: another process is working on run {run}; "
                "wait for it or stop it"
            )
        self._held[run] = connection

    def is_taken(self, run: str) -> bool:
        """Whether anybody holds the claim on a run."""
        if run in self._held:
            return True
        if self._path is None or not self._file(run).exists():
            return False
        return self._is_locked(self._file(run))

    def clear(self, finished: Container[str]) -> None:
        """Remove the files of finished runs, which nobody will claim again."""
        if self._path is None:
            return
        start, end = f"{self._path.name}-", ".lock"
        # A process that was killed leaves SQLite's journal of the lock, too.
        for file in self._path.parent.glob(f"{glob.escape(start)}*{end}*"):
            if file.name[len(start) :].partition(end)[0] in finished:
                with suppress(OSError):
                    file.unlink(missing_ok=True)

    def drop(self, run: str, *, for_good: bool = False) -> None:
        """Give a claim up; `for_good` removes its file too."""
        connection = self._held.pop(run, None)
        if connection is None:
            return
        if for_good:
            with suppress(OSError):
                self._file(run).unlink(missing_ok=True)
        connection.close()

    def drop_all(self) -> None:
        """Give all claims up."""
        for run in list(self._held):
            self.drop(run)

    def _file(self, run: str) -> Path:
        assert self._path is not None
        return self._path.with_name(f"{self._path.name}-{run}.lock")

    @staticmethod
    def _is_locked(file: Path) -> bool:
        # Reading needs a shared lock, which the claim's exclusive one excludes. To claim would
        # write a journal, for which a full disk or a read-only folder has no place.
        with LEDGER_FILE.reported(str(file)):
            connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=0.0)
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError as error:
                code = error.sqlite_errorcode & 0xFF
                if code == sqlite3.SQLITE_CANTOPEN and not file.exists():
                    return False
                if code != sqlite3.SQLITE_BUSY:
                    raise
                return True
            finally:
                connection.close()
        return False

    def _try(self, run: str) -> sqlite3.Connection | None:
        path = self._file(run)
        with LEDGER_FILE.reported(str(path)):
            connection = sqlite3.connect(
                path, timeout=0.0, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                connection.close()
                if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                    return None
                raise
        return connection
