"""What passes between members and between processes: lessons, load, notes and claims.

A trace store in memory holds notes and claims of one process. One in a file is shared: every
process adds what its finished tasks taught under the id of its run, and reads what the others
added since it last looked.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Container, Hashable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from swarmloom.errors import ConfigurationError, InputError, StoreError, SwarmloomError
from swarmloom_plugins.stigmergy_rows import (
    FINISHED,
    LOAD,
    LONGEST_BY,
    LONGEST_NOTE,
    LONGEST_TOPIC,
    MEMBER,
    NOTE,
    Author,
    author_of,
    by_member,
    by_process,
    by_run,
    finished_row,
    lesson_row,
    load_row,
    note_row,
    text,
)
from swarmloom_plugins.stigmergy_trails import KINDS, Lesson
from swarmloom_protocols.stigmergy.traces.claims import Claim
from swarmloom_protocols.stigmergy.traces.records import Change, Deposit
from swarmloom_protocols.stigmergy.traces.store import TraceStore

__all__ = ["CrewTraces", "News", "Note", "Told"]

_EARLIER = "earlier"
_TASK = "task"

# A run that has been silent for so long when it is first seen is one of the earlier ones.
_SILENT = 3600.0
# Claims that ended so many seconds ago and that nobody took over are not taken up again.
_CLAIM_FORGOTTEN = 86400.0


class Told(NamedTuple):
    """A lesson that came from elsewhere: of another swarm, or of a member of one."""

    lesson: Lesson
    who: str
    member: bool


_Seen = dict[tuple[Hashable, str, str], float]


class News(NamedTuple):
    """What others added since `CrewTraces.took` was last called.

    Attributes
    ----------
    told : list of Told
    finished : float
        Tasks.
    version : int
        Of the store, as it was read.
    seen : dict
        Amounts that what was told comes from.
    """

    told: list[Told]
    finished: float
    version: int
    seen: _Seen


class Note(NamedTuple):
    """A member's free word about an expert's work on a topic."""

    expert: str
    by: str
    worked: bool
    text: str
    time: float


class CrewTraces:
    """The crew's trace store, and what is known of it.

    Not safe for concurrent use: the protocol holds the lock.

    Parameters
    ----------
    path : str or None
        The shared file; None keeps everything in memory.
    load_half_life : float
        Seconds after which another process's word on its load is worth half.

    Raises
    ------
    ConfigurationError
        If the file cannot be used; it is left as it was.
    """

    def __init__(self, path: str | None, load_half_life: float) -> None:
        self.path = path
        self._load_half_life = load_half_life
        self._process = secrets.token_hex(6)
        self._store = _opened(path)
        self._own_runs: set[str] = set()
        self._version = 0
        self._seen: _Seen = {}
        self._peers: dict[str, str] = {}
        self._notes: dict[str, dict[tuple[str, str], Note]] = {}
        self._loads: dict[str, dict[str, tuple[float, float]]] = {}
        self._in_flight: dict[str, str] = {}
        self._unwritten: list[Deposit] = []
        self._wrote = False
        self._claims: dict[int, tuple[str, Claim]] = {}

    @property
    def shared(self) -> bool:
        """Whether other processes may see it."""
        return self.path is not None

    def close(self) -> None:
        """Write what is still to be written, tidy up and let go of the file."""
        try:
            self._write([])
            if self.shared and self._wrote:
                # Whoever finds the file busy leaves this to the next one.
                with suppress(StoreError):
                    self._store.sweep(claims_kept=_CLAIM_FORGOTTEN)
        finally:
            self._store.close()

    # -- lessons --------------------------------------------------------------------------------

    def begin(self, run: str) -> None:
        """Say which run is at work: what is in the store under its id is this process's own."""
        self._own_runs.add(run)

    def teach(self, run: str, lessons: Sequence[Lesson], finished: int) -> None:
        """Share what finished tasks taught.

        Parameters
        ----------
        run : str
            Id of the run they belong to.
        lessons : sequence of Lesson
        finished : int
            How many tasks.

        Raises
        ------
        StoreError
            If the file cannot be written; it is tried again with the next ones.
        """
        self.begin(run)
        author = by_run(run)
        rows = [lesson_row(lesson, author) for lesson in lessons]
        self._write([*rows, finished_row(finished, author)])

    def check(self, topic: str, by: str, note: str) -> None:
        """Raise `InputError` for a member's word that is too long or cannot be written."""
        text("topic", topic, LONGEST_TOPIC)
        text("by", by, LONGEST_BY, 1)
        text("note", note, LONGEST_NOTE)

    def tell(self, lesson: Lesson, by: str, note: str) -> None:
        """Share a member's word and keep its note; a new note replaces its last one.

        Raises
        ------
        StoreError
            If the file cannot be written.
        """
        author = by_member(self._process, by)
        rows = [lesson_row(lesson, author)] if self.shared else []
        if note:
            rows.append(note_row(lesson, author, note))
        self._write(rows)

    def _write(self, deposits: Sequence[Deposit]) -> None:
        rows = [*self._unwritten, *deposits]
        if not rows:
            return
        try:
            self._store.deposit_many(rows)
        except StoreError:
            # It goes first the next time.
            self._unwritten = rows
            raise
        self._unwritten, self._wrote = [], True

    def follow(self) -> News:
        """Read what was added since the last time, notes and load included.

        Rows that are not the protocol's own are passed over. Lessons and tasks are told again
        until `took` is called.

        Returns
        -------
        News

        Raises
        ------
        StoreError
            If the file cannot be read.
        """
        version, rows = self._store.changes(self._version)
        news = News([], 0.0, version, {})
        for row in rows:
            author = author_of(row)
            if author is None:
                continue
            if row.channel == NOTE:
                self._take_note(row, author)
            elif row.channel == LOAD:
                self._loads.setdefault(_about(row)[1], {})[author.place] = (row.meta, row.time)
            elif not self._is_own(author):
                news = self._with(news, row, author)
        return news

    def took(self, news: News) -> None:
        """Note that what `follow` gave has been learned: it is not told again."""
        self._version = news.version
        self._seen.update(news.seen)

    def _is_own(self, author: Author) -> bool:
        if author.kind == MEMBER:
            return author.place == self._process
        return author.place in self._own_runs

    def _with(self, news: News, row: Change, author: Author) -> News:
        seen = row.key, row.channel, row.agent
        news.seen[seen] = row.amount
        added = max(0.0, row.amount - self._seen.get(seen, 0.0))
        if row.channel == FINISHED:
            return news._replace(finished=news.finished + added)
        if added > 0.0:
            news.told.append(self._told(row, author, added))
        return news

    def _told(self, row: Change, author: Author, amount: float) -> Told:
        lesson = Lesson(*_about(row), row.channel, amount)
        if author.kind == MEMBER:
            return Told(lesson, author.name, True)
        if author.place not in self._peers:
            silent = time.time() - row.time > _SILENT
            self._peers[author.place] = _EARLIER if silent else author.place
        return Told(lesson, self._peers[author.place], False)

    # -- notes ----------------------------------------------------------------------------------

    def _take_note(self, row: Change, author: Author) -> None:
        topic, expert = _about(row)
        note = Note(expert, author.name, row.meta["worked"], row.meta["text"], row.time)
        self._notes.setdefault(topic, {})[expert, author.name] = note

    def notes(self, topic: str) -> list[Note]:
        """Give the notes on a topic, the last one first."""
        return sorted(self._notes.get(topic, {}).values(), key=lambda note: -note.time)

    # -- load -----------------------------------------------------------------------------------

    def started(self, task: str, expert: str, publish: bool) -> None:
        """Note that a call is sent, and tell other processes where that matters to them."""
        self._in_flight[task] = expert
        self._publish(expert, publish)

    def ended(self, task: str, publish: Container[str]) -> None:
        """Note that a task's call is over; `publish` names the experts whose load is shared."""
        expert = self._in_flight.pop(task, None)
        if expert is not None:
            self._publish(expert, expert in publish)

    def idle(self, publish: Container[str]) -> None:
        """Note that no call is out any more."""
        busy = set(self._in_flight.values())
        self._in_flight.clear()
        for expert in busy:
            self._publish(expert, expert in publish)

    def _publish(self, expert: str, publish: bool) -> None:
        if publish and self.shared:
            self._write([load_row(expert, self.own_load(expert), by_process(self._process))])

    def own_load(self, expert: str) -> int:
        """Count the calls that this process has sent to an expert and that are not over."""
        return sum(busy == expert for busy in self._in_flight.values())

    def load(self, experts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Give the calls that other processes have out, fading with the age of their word.

        Parameters
        ----------
        experts : sequence of str

        Returns
        -------
        ndarray of float64, shape (len(experts),)
        """
        now = time.time()
        return np.array(
            [
                math.fsum(
                    count * 2.0 ** (-max(0.0, now - when) / self._load_half_life)
                    for process, (count, when) in self._loads.get(expert, {}).items()
                    if process != self._process
                )
                for expert in experts
            ],
            dtype=np.float64,
        )

    # -- claims ---------------------------------------------------------------------------------

    def claim(self, task: str, by: str, ttl: float) -> Claim | None:
        """Claim a task; None if somebody holds it or it is done."""
        text("task", task, LONGEST_TOPIC)
        text("by", by, LONGEST_BY, 1)
        claim = self._store.claim((_TASK, task), agent=by, ttl=ttl)
        if claim is not None:
            self._claims[claim.token] = task, claim
        return claim

    def claimed(self, task: str, token: int, by: str) -> Claim:
        """Give a claim that was made here.

        Raises
        ------
        InputError
            If there is no such claim of this agent.
        """
        of, claim = self._claims.get(token, ("", None))
        if claim is None or of != task or claim.agent != by:
            raise InputError(
                f"{by!r} has no claim on {task!r} with token {token}; claim_task gives one"
            )
        return claim

    def result(self, task: str) -> Any:
        """Give what was recorded when a claimed task was finished, None before."""
        return self._store.result((_TASK, task))

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Give what is kept in memory; of a shared file only how far it was read."""
        claims = [[task, c.agent, c.token, c.expires] for task, c in self._claims.values()]
        following = {
            "path": self.path,
            "own_runs": sorted(self._own_runs),
            "peers": dict(self._peers),
            "seen": [[*seen, amount] for seen, amount in self._seen.items()],
        }
        kept = None if self.shared else self._store.snapshot()
        return {"store": kept, "following": following, "claims": claims}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave; a shared file stays as it is.

        Raises
        ------
        InputError
            If the state is damaged; nothing has changed.
        """
        claims = {
            token: (task, self._store.claimed((_TASK, task), agent=by, token=token, expires=end))
            for task, by, token, end in state["claims"]
        }
        following = state["following"]
        seen = {(_key(key), *rest): amount for key, *rest, amount in following["seen"]}
        if not self.shared and state["store"] is not None:
            self._store.restore(state["store"])
        if following["path"] == self.path:
            self._own_runs |= set(following["own_runs"])
            self._peers, self._seen = dict(following["peers"]), seen
        # Notes and load are read again, and of lessons only what was not there yet.
        self._claims, self._version, self._notes = claims, 0, {}


def _about(row: Change) -> tuple[str, str]:
    """Topic and expert of a lesson or note; of a load the expert comes second."""
    assert isinstance(row.key, tuple)
    first, second = row.key
    return first, second


def _key(key: Any) -> Any:
    """Make a key of what JSON may have made of it."""
    return tuple(key) if isinstance(key, list) else key


def _opened(path: str | None) -> TraceStore:
    if path is None:
        return _with_channels(TraceStore())
    try:
        store = _with_channels(TraceStore.open(path))
    except SwarmloomError as error:
        raise ConfigurationError(
            f"plugins.config.stigmergy.store is {path!r}, which cannot be used: {error}"
        ) from error
    return store


def _with_channels(store: TraceStore) -> TraceStore:
    for channel in (*KINDS[2:], FINISHED, NOTE):
        store.channel(channel)
    store.channel(LOAD, expires_after=_SILENT)
    return store
