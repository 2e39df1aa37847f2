"""A trace store's trails in memory: dictionaries, and one lock for those who write.

Readers take no lock. A trail is a tuple that is replaced as a whole, and what they go through is a
copy that the interpreter makes in one step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from threading import Lock

from swarmloom_protocols.stigmergy.traces.channels import Channel
from swarmloom_protocols.stigmergy.traces.memory_claims import MemoryClaims
from swarmloom_protocols.stigmergy.traces.records import Cell, Contents, Trail

__all__ = ["MemoryBackend"]

_Entry = tuple[int, Hashable, str, str, float, float, str | None]
_Cells = dict[Hashable, dict[str, Trail]]

_NO_CELLS: _Cells = {}


class MemoryBackend:
    """Trails of one process.

    Parameters
    ----------
    log_size : int
        Deposits that the log keeps (≥ 1).
    """

    def __init__(self, log_size: int = 1000) -> None:
        self.claims = MemoryClaims()
        self._lock = Lock()
        self._channels: dict[str, Channel] = {}
        self._cells: dict[str, _Cells] = {}
        self._log: deque[_Entry] = deque(maxlen=log_size)
        self._version = 0
        # Since then the log tells of every change.
        self._log_start = 0

    def channel(self, name: str) -> Channel | None:
        """Return a channel that was declared."""
        return self._channels.get(name)

    def declare(self, channel: Channel) -> Channel:
        """Declare a channel unless its name is; return the one that holds."""
        with self._lock:
            self._cells.setdefault(channel.name, {})
            return self._channels.setdefault(channel.name, channel)

    def channels(self) -> list[Channel]:
        """Give all declared channels."""
        return list(self._channels.values())

    def version(self) -> int:
        """Return the id of the last deposit."""
        return self._version

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
        with self._lock:
            return self._add(key, channel, agent, amount, time, meta)

    def add_many(
        self, deposits: list[tuple[Hashable, Channel, str, float, float, str | None]]
    ) -> None:
        """Add all deposits."""
        with self._lock:
            for deposit in deposits:
                self._add(*deposit)

    def cell(self, key: Hashable, channel: str) -> Cell:
        """Give one key's trails on a channel, by agent."""
        cell = self._cells.get(channel, _NO_CELLS).get(key)
        return [] if cell is None else list(cell.items())

    def cells(self, keys: list[Hashable], channel: str) -> list[Cell]:
        """Give several keys' trails on a channel."""
        return [self.cell(key, channel) for key in keys]

    def trails(self, channel: str) -> list[tuple[Hashable, str, Trail]]:
        """Give the key, agent and trail of everything on a channel."""
        cells = list(self._cells.get(channel, {}).items())
        return [(key, *trail) for key, cell in cells for trail in list(cell.items())]

    def traces(
        self, key: Hashable, agent: str | None, since: float | None, any_key: bool
    ) -> list[_Entry]:
        """Give the log, oldest first."""
        with self._lock:
            log = list(self._log)
        return [
            entry
            for entry in log
            if (any_key or entry[1] == key)
            and (agent is None or entry[3] == agent)
            and (since is None or entry[5] >= since)
        ]

    def changes(self, since: int) -> tuple[int, list[tuple[Hashable, str, str, Trail]]]:
        """Give the version, and the trails changed after `since`, oldest change first.

        Costs what changed as long as the log reaches back to `since`, else a pass over everything.
        """
        with self._lock:
            in_log = since >= self._log_start and since >= self._version - len(self._log)
            found = self._from_log(since) if in_log else self._from_all(since)
            return self._version, sorted(found, key=lambda row: row[3][3])

    def sweep(self, now: float, claims_before: float) -> int:
        """Drop what is below its floor, what has expired, and claims outside of boards by end."""
        dropped = self.claims.sweep(claims_before)
        with self._lock:
            for name, channel in self._channels.items():
                dropped += _swept(self._cells[name], channel, now)
        return dropped

    def contents(self) -> Contents:
        """Give everything."""
        with self._lock:
            rows = sorted(self._from_all(-1), key=lambda row: row[3][3])
            log = [(key, name, who, x, t, meta) for _, key, name, who, x, t, meta in self._log]
            items, token = self.claims.items()
            return Contents(self.channels(), rows, log, items, token)

    def replace(self, contents: Contents) -> None:
        """Hold this and nothing else."""
        with self._lock:
            top = self._version + max(len(contents.trails), len(contents.log))
            cells: dict[str, _Cells] = {channel.name: {} for channel in contents.channels}
            first = top - len(contents.trails) + 1
            for version, (key, name, agent, trail) in enumerate(contents.trails, first):
                kept = (*trail[:3], version, trail[4])
                cells[name].setdefault(key, {})[agent] = kept
            first = top - len(contents.log) + 1
            entries = [(id_, *entry) for id_, entry in enumerate(contents.log, first)]
            self._channels = {channel.name: channel for channel in contents.channels}
            self._cells, self._version, self._log_start = cells, top, top
            self._log = deque(entries, maxlen=self._log.maxlen)
            self.claims.replace(contents.items, contents.token)

    def close(self) -> None:
        """Do nothing: there is no file."""

    def _add(
        self,
        key: Hashable,
        channel: Channel,
        agent: str,
        amount: float,
        time: float,
        meta: str | None,
    ) -> float:
        try:
            cells = self._cells[channel.name]
        except KeyError:
            # A snapshot that lacks the channel was restored a moment ago.
            cells = self._cells[channel.name] = {}
            self._channels[channel.name] = channel
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = {}
        version = self._version = self._version + 1
        self._log.append((version, key, channel.name, agent, amount, time, meta))
        old = cell.get(agent)
        if old is None:
            cell[agent] = (amount, time, 1, version, meta)
            return amount
        worth, latest, fresh = channel.merged(old[0], old[1], amount, time)
        note = old[4] if meta is None and not fresh else meta
        cell[agent] = (worth, latest, 1 if fresh else old[2] + 1, version, note)
        return worth

    def _from_log(self, since: int) -> list[tuple[Hashable, str, str, Trail]]:
        changed: dict[tuple[Hashable, str, str], None] = {}
        for id_, key, name, agent, *_ in reversed(self._log):
            if id_ <= since:
                break
            changed[key, name, agent] = None
        cells = self._cells
        return [
            (key, name, agent, cells[name][key][agent])
            for key, name, agent in changed
            if agent in cells[name].get(key, {})
        ]

    def _from_all(self, since: int) -> list[tuple[Hashable, str, str, Trail]]:
        return [
            (key, name, agent, trail)
            for name, cells in self._cells.items()
            for key, cell in cells.items()
            for agent, trail in cell.items()
            if trail[3] > since
        ]


def _swept(cells: _Cells, channel: Channel, now: float) -> int:
    """Drop a channel's trails that are worth nothing any more; return how many."""
    gone = [
        (key, agent)
        for key, cell in cells.items()
        for agent, trail in cell.items()
        if not channel.left(trail[0], trail[1], now)
    ]
    for key, agent in gone:
        del cells[key][agent]
        if not cells[key]:
            del cells[key]
    return len(gone)
