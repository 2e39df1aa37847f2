"""A trace store's trails in a SQLite file that several processes share."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from swarmloom_protocols.stigmergy.traces.channels import Channel
from swarmloom_protocols.stigmergy.traces.database import Database
from swarmloom_protocols.stigmergy.traces.keys import decoded, encoded
from swarmloom_protocols.stigmergy.traces.records import Cell, Contents, Trail
from swarmloom_protocols.stigmergy.traces.sqlite_claims import SqliteClaims

__all__ = ["SqliteBackend"]

_Place = tuple[str, str, str]
_Encoded = tuple[str, Channel, str, float, float, str | None]
_Checked = tuple[Hashable, Channel, str, float, float, str | None]

_TRAIL = "amount, time, deposits, version, note"
_FIND = f"SELECT {_TRAIL} FROM trails WHERE channel = ? AND key = ? AND agent = ?"
_PUT = (
    f"INSERT OR REPLACE INTO trails (channel, key, agent, {_TRAIL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_LOG = "INSERT INTO log (id, key, channel, agent, amount, time, note) VALUES (?, ?, ?, ?, ?, ?, ?)"
# The second number is what a restored store starts from; its log may be empty.
_LAST = """
    SELECT max(value, coalesce((SELECT max(id) FROM log), 0)) FROM numbers WHERE name = 'version'
"""
_LOG_ONE = f"""
    INSERT INTO log (id, key, channel, agent, amount, time, note)
    VALUES (1 + ({_LAST}), ?, ?, ?, ?, ?, ?) RETURNING id
"""
_CHANNEL = "name, half_life, cap, agent_cap, floor, expires_after, opposite"

# The log is cut now and then only; readers look no farther back than its size.
_CUT_EVERY = 64


class SqliteBackend:
    """Trails in a file.

    Parameters
    ----------
    path : Path
        Made when there is none.
    timeout : float
        Seconds to wait for other processes' locks.
    log_size : int
        Deposits that the log of a new store keeps (≥ 1).

    Raises
    ------
    StoreError
        If the file cannot be used; it is left as it was.
    """

    def __init__(self, path: Path, timeout: float, log_size: int) -> None:
        self._database = Database(path, timeout, log_size)
        self.claims = SqliteClaims(self._database)
        with self._database.reading() as connection:
            rows = connection.execute("SELECT value FROM numbers WHERE name = 'log_size'")
            (self._log_size,) = rows.fetchone()

    def channel(self, name: str) -> Channel | None:
        """Return a channel that was declared."""
        with self._database.reading() as connection:
            sql = f"SELECT {_CHANNEL} FROM channels WHERE name = ?"
            row = connection.execute(sql, (name,)).fetchone()
        return None if row is None else Channel(*row)

    def declare(self, channel: Channel) -> Channel:
        """Declare a channel unless its name is; return the one that holds."""
        # Most are, and whoever only reads does not wait for those who write.
        holds = self.channel(channel.name)
        if holds is not None:
            return holds
        with self._database.writing() as connection:
            _declare(connection, channel)
        holds = self.channel(channel.name)
        assert holds is not None
        return holds

    def channels(self) -> list[Channel]:
        """Give all declared channels."""
        with self._database.reading() as connection:
            return _channels(connection)

    def version(self) -> int:
        """Return the id of the last deposit."""
        with self._database.reading() as connection:
            return _version(connection)

    def add(
        self,
        key: Hashable,
        channel: Channel,
        agent: str,
        amount: float,
        time: float,
        meta: str | None,
    ) -> float:
        """Add one deposit; return what the agent's trail is worth at its last deposit."""
        text = encoded(key)
        with self._database.writing() as connection:
            place = (channel.name, text, agent)
            entry = (text, channel.name, agent, amount, time, meta)
            (id_,) = connection.execute(_LOG_ONE, entry).fetchone()
            old = connection.execute(_FIND, place).fetchone()
            trail = _merged(old, channel, amount, time, id_, meta)
            if old is None:
                # Somebody may have restored a snapshot that lacks the channel.
                _declare(connection, channel)
            connection.execute(_PUT, place + trail)
            if not id_ % _CUT_EVERY:
                self._cut(connection, id_)
        return trail[0]

    def add_many(self, deposits: list[_Checked]) -> None:
        """Add all deposits or none."""
        rows: list[_Encoded] = [(encoded(row[0]), *row[1:]) for row in deposits]
        with self._database.writing() as connection:
            for channel in {row[1].name: row[1] for row in rows}.values():
                _declare(connection, channel)
            first = _version(connection) + 1
            changed = _changed(connection, rows, first)
            connection.executemany(_PUT, [place + trail for place, trail in changed.items()])
            kept = list(enumerate(rows, first))[-self._log_size :]
            connection.executemany(
                _LOG,
                [
                    (id_, text, channel.name, agent, amount, time, meta)
                    for id_, (text, channel, agent, amount, time, meta) in kept
                ],
            )
            self._cut(connection, first + len(rows) - 1)

    def cell(self, key: Hashable, channel: str) -> Cell:
        """Give one key's trails on a channel, by agent."""
        return self.cells([key], channel)[0]

    def cells(self, keys: list[Hashable], channel: str) -> list[Cell]:
        """Give several keys' trails on a channel."""
        sql = f"SELECT agent, {_TRAIL} FROM trails WHERE channel = ? AND key = ?"
        texts = [encoded(key) for key in keys]
        with self._database.reading() as connection:
            found = [connection.execute(sql, (channel, text)).fetchall() for text in texts]
        return [[(row[0], row[1:]) for row in rows] for rows in found]

    def trails(self, channel: str) -> list[tuple[Hashable, str, Trail]]:
        """Give the key, agent and trail of everything on a channel."""
        sql = f"SELECT key, agent, {_TRAIL} FROM trails WHERE channel = ?"
        with self._database.reading() as connection:
            rows = connection.execute(sql, (channel,)).fetchall()
        return [(decoded(row[0]), row[1], row[2:]) for row in rows]

    def traces(
        self, key: Hashable, agent: str | None, since: float | None, any_key: bool
    ) -> list[tuple[int, Hashable, str, str, float, float, str | None]]:
        """Give the log, oldest first."""
        wanted = {"key = ?": None if any_key else encoded(key), "agent = ?": agent}
        asked = {test: value for test, value in wanted.items() if value is not None}
        tests = [f"id > ({_LAST}) - ?", *asked]
        values: list[Any] = [self._log_size, *asked.values()]
        if since is not None:
            tests, values = [*tests, "time >= ?"], [*values, since]
        sql = f"SELECT * FROM log WHERE {' AND '.join(tests)} ORDER BY id"
        with self._database.reading() as connection:
            rows = connection.execute(sql, values).fetchall()
        return [(row[0], decoded(row[1]), *row[2:]) for row in rows]

    def changes(self, since: int) -> tuple[int, list[tuple[Hashable, str, str, Trail]]]:
        """Give the version, and the trails changed after `since`, oldest change first."""
        sql = f"SELECT key, channel, agent, {_TRAIL} FROM trails WHERE version > ? ORDER BY version"
        with self._database.viewing() as connection:
            version = _version(connection)
            rows = connection.execute(sql, (since,)).fetchall()
        return version, [(decoded(row[0]), row[1], row[2], row[3:]) for row in rows]

    def sweep(self, now: float, claims_before: float) -> int:
        """Drop what is below its floor, what has expired, and claims outside of boards by end."""
        sql = "SELECT amount, time, channel, key, agent FROM trails WHERE channel = ?"
        with self._database.writing() as connection:
            dropped = self.claims.sweep(connection, claims_before)
            for channel in _channels(connection):
                rows = connection.execute(sql, (channel.name,)).fetchall()
                gone = [row[2:] for row in rows if not channel.left(row[0], row[1], now)]
                connection.executemany(
                    "DELETE FROM trails WHERE channel = ? AND key = ? AND agent = ?", gone
                )
                dropped += len(gone)
        return dropped

    def contents(self) -> Contents:
        """Give everything."""
        log = "SELECT key, channel, agent, amount, time, note FROM log WHERE id > ? ORDER BY id"
        sql = f"SELECT key, channel, agent, {_TRAIL} FROM trails ORDER BY version"
        with self._database.viewing() as connection:
            since = _version(connection) - self._log_size
            trails = connection.execute(sql).fetchall()
            entries = connection.execute(log, (since,)).fetchall()
            items, token = self.claims.items(connection)
            channels = _channels(connection)
        return Contents(
            channels,
            [(decoded(row[0]), row[1], row[2], row[3:]) for row in trails],
            [(decoded(row[0]), *row[1:]) for row in entries],
            items,
            token,
        )

    def replace(self, contents: Contents) -> None:
        """Hold this and nothing else."""
        trails = [(name, encoded(key), who, trail) for key, name, who, trail in contents.trails]
        log = [(encoded(key), *rest) for key, *rest in contents.log]
        with self._database.writing() as connection:
            top = _version(connection) + max(len(trails), len(log))
            for table in ("channels", "trails", "log"):
                connection.execute(f"DELETE FROM {table}")
            for channel in contents.channels:
                _declare(connection, channel)
            versions = enumerate(trails, top - len(trails) + 1)
            connection.executemany(
                _PUT, [(*row[:3], *row[3][:3], v, row[3][4]) for v, row in versions]
            )
            entries = enumerate(log, top - len(log) + 1)
            connection.executemany(_LOG, [(id_, *entry) for id_, entry in entries])
            self._cut(connection, top)
            connection.execute("UPDATE numbers SET value = ? WHERE name = 'version'", (top,))
            self.claims.replace(connection, contents.items, contents.token)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _cut(self, connection: sqlite3.Connection, last: int) -> None:
        connection.execute("DELETE FROM log WHERE id <= ?", (last - self._log_size,))


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute(_LAST).fetchone()
    return int(version)


def _channels(connection: sqlite3.Connection) -> list[Channel]:
    rows = connection.execute(f"SELECT {_CHANNEL} FROM channels ORDER BY rowid")
    return [Channel(*row) for row in rows]


def _declare(connection: sqlite3.Connection, channel: Channel) -> None:
    values = [getattr(channel, setting) for setting in channel.__slots__]
    connection.execute(
        f"INSERT OR IGNORE INTO channels ({_CHANNEL}) VALUES (?, ?, ?, ?, ?, ?, ?)", values
    )


def _merged(
    old: Trail | None, channel: Channel, amount: float, time: float, id_: int, meta: str | None
) -> Trail:
    if old is None:
        return amount, time, 1, id_, meta
    worth, latest, fresh = channel.merged(old[0], old[1], amount, time)
    note = old[4] if meta is None and not fresh else meta
    return worth, latest, 1 if fresh else old[2] + 1, id_, note


def _changed(
    connection: sqlite3.Connection, rows: list[_Encoded], first: int
) -> dict[_Place, Trail]:
    """Give the trails as many deposits leave them; each is looked up once."""
    changed: dict[_Place, Trail] = {}
    for id_, (text, channel, agent, amount, time, meta) in enumerate(rows, first):
        place = (channel.name, text, agent)
        old = changed.get(place) or connection.execute(_FIND, place).fetchone()
        changed[place] = _merged(old, channel, amount, time, id_, meta)
    return changed
