"""Claims in a SQLite file, each given or refused within one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable, Iterable

from swarmloom_protocols.stigmergy.traces.database import Database
from swarmloom_protocols.stigmergy.traces.keys import decoded, encoded
from swarmloom_protocols.stigmergy.traces.records import Counts, Item

__all__ = ["SqliteClaims"]

_ADD = "INSERT OR IGNORE INTO items (board, key) VALUES (?, ?)"
_TOKEN = "UPDATE numbers SET value = value + 1 WHERE name = 'token' RETURNING value"
_OPEN = "board = ? AND result IS NULL"
_MINE = "board = ? AND key = ? AND token = ?"


class SqliteClaims:
    """Who holds which key, in a file; see `records.ClaimBook`.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, board: str, keys: Iterable[Hashable]) -> int:
        """Put keys on a board; return how many were not there."""
        rows = [(board, encoded(key)) for key in keys]
        with self._database.writing() as connection:
            before = connection.total_changes
            connection.executemany(_ADD, rows)
            return connection.total_changes - before

    def take(self, board: str, key: Hashable, agent: str, now: float, expires: float) -> int | None:
        """Claim one key, put there if missing; its token, or None if it is held or done."""
        text = encoded(key)
        with self._database.writing() as connection:
            sql = "SELECT place, result, expires FROM items WHERE board = ? AND key = ?"
            found = connection.execute(sql, (board, text)).fetchone()
            if found is None:
                place = connection.execute(_ADD, (board, text)).lastrowid
                assert place is not None
            elif found[1] is None and found[2] <= now:
                place = found[0]
            else:
                return None
            return _granted(connection, place, agent, expires)

    def next(
        self, board: str, agent: str, now: float, expires: float
    ) -> tuple[Hashable, int] | None:
        """Claim the first key that nobody holds; it and its token, or None if there is none."""
        sql = f"SELECT place, key FROM items WHERE {_OPEN} AND expires <= ? ORDER BY place LIMIT 1"
        with self._database.writing() as connection:
            free = connection.execute(sql, (board, now)).fetchone()
            if free is None:
                return None
            place, text = free
            return decoded(text), _granted(connection, place, agent, expires)

    def renew(self, board: str, key: Hashable, token: int, expires: float) -> bool:
        """Move a claim's end; False if it was lost."""
        sql = f"UPDATE items SET expires = ? WHERE {_MINE} AND result IS NULL"
        return self._changed(sql, (expires, board, encoded(key), token))

    def release(self, board: str, key: Hashable, token: int) -> bool:
        """Give a claim up; False if it was lost."""
        sql = f"""
            UPDATE items SET agent = NULL, token = 0, expires = -9e999
            WHERE {_MINE} AND result IS NULL
        """
        if not board:
            sql = f"DELETE FROM items WHERE {_MINE} AND result IS NULL"
        return self._changed(sql, (board, encoded(key), token))

    def finish(self, board: str, key: Hashable, token: int, result: str) -> bool:
        """Record a result; False if the claim was lost."""
        sql = f"UPDATE items SET result = coalesce(result, ?) WHERE {_MINE}"
        return self._changed(sql, (result, board, encoded(key), token))

    def result(self, board: str, key: Hashable) -> str | None:
        """Return a key's result; None while there is none."""
        with self._database.reading() as connection:
            sql = "SELECT result FROM items WHERE board = ? AND key = ?"
            row = connection.execute(sql, (board, encoded(key))).fetchone()
        return row[0] if row else None

    def results(self, board: str) -> list[tuple[Hashable, str]]:
        """Give the keys that are done and their results, in the board's order."""
        sql = "SELECT key, result FROM items WHERE board = ? AND result IS NOT NULL ORDER BY place"
        with self._database.reading() as connection:
            rows = connection.execute(sql, (board,)).fetchall()
        return [(decoded(text), result) for text, result in rows]

    def counts(self, board: str, now: float) -> Counts:
        """Count a board's keys."""
        sql = """
            SELECT count(*) FILTER (WHERE result IS NULL AND expires <= ?),
                   count(*) FILTER (WHERE result IS NULL AND expires > ?),
                   count(*) FILTER (WHERE result IS NOT NULL)
            FROM items WHERE board = ?
        """
        with self._database.reading() as connection:
            return Counts(*connection.execute(sql, (now, now, board)).fetchone())

    def next_end(self, board: str, now: float) -> float | None:
        """Return when the first of the claims that are held ends; None if none is held."""
        sql = f"SELECT min(expires) FROM items WHERE {_OPEN} AND expires > ?"
        with self._database.reading() as connection:
            (end,) = connection.execute(sql, (board, now)).fetchone()
        return None if end is None else float(end)

    def sweep(self, connection: sqlite3.Connection, now: float) -> int:
        """Drop claims outside of boards that ended by then; return how many."""
        sql = f"DELETE FROM items WHERE {_OPEN} AND expires <= ?"
        return connection.execute(sql, ("", now)).rowcount

    def items(self, connection: sqlite3.Connection) -> tuple[list[Item], int]:
        """Give everything, by board and place, and the last token."""
        sql = "SELECT board, key, agent, token, expires, result FROM items ORDER BY board, place"
        rows = connection.execute(sql).fetchall()
        (token,) = connection.execute("SELECT value FROM numbers WHERE name = 'token'").fetchone()
        return [Item(row[0], decoded(row[1]), *row[2:]) for row in rows], token

    def replace(self, connection: sqlite3.Connection, items: Iterable[Item], token: int) -> None:
        """Hold this and nothing else; tokens go on from the higher one."""
        connection.execute("DELETE FROM items")
        connection.executemany(
            "INSERT INTO items (board, key, agent, token, expires, result) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [(item.board, encoded(item.key), *item[2:]) for item in items],
        )
        sql = "UPDATE numbers SET value = max(value, ?) WHERE name = 'token'"
        connection.execute(sql, (token,))

    def _changed(self, sql: str, values: tuple[object, ...]) -> bool:
        with self._database.writing() as connection:
            return connection.execute(sql, values).rowcount > 0


def _granted(connection: sqlite3.Connection, place: int, agent: str, expires: float) -> int:
    """Give an item to an agent; return the token."""
    (token,) = connection.execute(_TOKEN).fetchone()
    connection.execute(
        "UPDATE items SET agent = ?, token = ?, expires = ? WHERE place = ?",
        (agent, token, expires, place),
    )
    return int(token)
