"""Claims of one process, under one lock."""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Iterable
from threading import Lock
from typing import TypeAlias

from swarmloom_protocols.stigmergy.traces.records import Counts, Item

__all__ = ["MemoryClaims"]

# Place on the board, agent, token, end, result.
_Record: TypeAlias = tuple[int, str | None, int, float, str | None]

_WAITING = (None, 0, -math.inf, None)


class _Board:
    """The keys of one board.

    `held` has the ends of claims, `queue` the places of keys that may be free: whoever takes one
    from it looks whether it still is.
    """

    __slots__ = ("done", "first_end", "held", "places", "queue", "records")

    def __init__(self) -> None:
        self.records: dict[Hashable, _Record] = {}
        self.held: dict[Hashable, float] = {}
        self.queue: list[tuple[int, Hashable]] = []
        self.first_end = math.inf
        self.places = self.done = 0

    def add(self, key: Hashable) -> bool:
        if key in self.records:
            return False
        self.places += 1
        self.records[key] = (self.places, *_WAITING)
        heapq.heappush(self.queue, (self.places, key))
        return True

    def hold(self, key: Hashable, expires: float) -> None:
        self.held[key] = expires
        if expires < self.first_end:
            self.first_end = expires

    def free(self, key: Hashable) -> None:
        self.held.pop(key, None)
        heapq.heappush(self.queue, (self.records[key][0], key))

    def first_free(self, now: float) -> tuple[Hashable] | None:
        """Take the first free key from the queue, in a tuple; None if there is none."""
        if now >= self.first_end:
            self._free_ended(now)
        while self.queue:
            _, key = heapq.heappop(self.queue)
            record = self.records.get(key)
            if record is not None and record[4] is None and record[3] <= now:
                return (key,)
        return None

    def _free_ended(self, now: float) -> None:
        for key in [key for key, end in self.held.items() if end <= now]:
            self.free(key)
        self.first_end = min(self.held.values(), default=math.inf)


class MemoryClaims:
    """Who holds which key, in memory; see `records.ClaimBook`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._boards: dict[str, _Board] = {"": _Board()}
        self._token = 0

    def add(self, board: str, keys: Iterable[Hashable]) -> int:
        """Put keys on a board; return how many were not there."""
        with self._lock:
            put = self._boards.setdefault(board, _Board()).add
            return sum([put(key) for key in keys])

    def take(self, board: str, key: Hashable, agent: str, now: float, expires: float) -> int | None:
        """Claim one key, put there if missing; its token, or None if it is held or done."""
        with self._lock:
            found = self._boards.get(board) or self._boards.setdefault(board, _Board())
            record = found.records.get(key)
            if record is None:
                found.places = place = found.places + 1
            elif record[4] is None and record[3] <= now:
                place = record[0]
            else:
                return None
            self._token = token = self._token + 1
            found.records[key] = (place, agent, token, expires, None)
            # Nobody asks for the next key outside of boards, so none waits for its end there.
            if board:
                found.hold(key, expires)
        return token

    def next(
        self, board: str, agent: str, now: float, expires: float
    ) -> tuple[Hashable, int] | None:
        """Claim the first key that nobody holds; it and its token, or None if there is none."""
        with self._lock:
            found = self._boards.setdefault(board, _Board())
            free = found.first_free(now)
            if free is None:
                return None
            (key,) = free
            self._token += 1
            found.records[key] = (found.records[key][0], agent, self._token, expires, None)
            found.hold(key, expires)
            return key, self._token

    def renew(self, board: str, key: Hashable, token: int, expires: float) -> bool:
        """Move a claim's end; False if it was lost."""
        with self._lock:
            found = self._current(board, key, token)
            if found is None or found.records[key][4] is not None:
                return False
            place, agent, _, _, _ = found.records[key]
            found.records[key] = (place, agent, token, expires, None)
            if board:
                found.hold(key, expires)
            return True

    def release(self, board: str, key: Hashable, token: int) -> bool:
        """Give a claim up; False if it was lost."""
        with self._lock:
            found = self._current(board, key, token)
            if found is None or found.records[key][4] is not None:
                return False
            if not board:
                del found.records[key]
                return True
            found.records[key] = (found.records[key][0], *_WAITING)
            found.free(key)
            return True

    def finish(self, board: str, key: Hashable, token: int, result: str) -> bool:
        """Record a result; False if the claim was lost."""
        with self._lock:
            found = self._current(board, key, token)
            if found is None:
                return False
            place, agent, _, expires, earlier = found.records[key]
            if earlier is None:
                found.records[key] = (place, agent, token, expires, result)
                found.held.pop(key, None)
                found.done += 1
            return True

    def result(self, board: str, key: Hashable) -> str | None:
        """Return a key's result; None while there is none."""
        found = self._boards.get(board)
        record = found.records.get(key) if found else None
        return record[4] if record else None

    def results(self, board: str) -> list[tuple[Hashable, str]]:
        """Give the keys that are done and their results, in the board's order."""
        with self._lock:
            found = self._boards.get(board, _Board())
            done = [(key, record[4]) for key, record in found.records.items()]
        return [(key, result) for key, result in done if result is not None]

    def counts(self, board: str, now: float) -> Counts:
        """Count a board's keys."""
        with self._lock:
            found = self._boards.get(board, _Board())
            held = sum(end > now for end in found.held.values())
            return Counts(len(found.records) - found.done - held, held, found.done)

    def next_end(self, board: str, now: float) -> float | None:
        """Return when the first of the claims that are held ends; None if none is held."""
        with self._lock:
            held = self._boards.get(board, _Board()).held.values()
            return min((end for end in held if end > now), default=None)

    def sweep(self, now: float) -> int:
        """Drop claims outside of boards that ended by then; return how many."""
        with self._lock:
            plain = self._boards[""].records
            ended = [key for key, one in plain.items() if one[4] is None and one[3] <= now]
            for key in ended:
                del plain[key]
            return len(ended)

    def items(self) -> tuple[list[Item], int]:
        """Give everything, by board and place, and the last token."""
        with self._lock:
            listed = [
                Item(board, key, *record[1:])
                for board, found in sorted(self._boards.items())
                for key, record in found.records.items()
            ]
            return listed, self._token

    def replace(self, items: Iterable[Item], token: int) -> None:
        """Hold this and nothing else; tokens go on from the higher one."""
        boards: dict[str, _Board] = {"": _Board()}
        for item in items:
            _put(boards.setdefault(item.board, _Board()), item)
        with self._lock:
            self._boards, self._token = boards, max(token, self._token)

    def _current(self, board: str, key: Hashable, token: int) -> _Board | None:
        """Return the board on which this token is the key's last one."""
        found = self._boards.get(board)
        record = found.records.get(key) if found else None
        return found if record and record[2] == token else None


def _put(board: _Board, item: Item) -> None:
    """Put an item as it was stored on a board."""
    board.add(item.key)
    place = board.records[item.key][0]
    board.records[item.key] = (place, *item[2:])
    if item.result is not None:
        board.done += 1
    elif item.agent is not None and item.board:
        board.hold(item.key, item.expires)
