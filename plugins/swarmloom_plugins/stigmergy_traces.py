"""What passes between members and between processes: lessons, load, notes and claims.

A trace store in memory holds notes and claims of one process. One in a file is shared: every
process adds what its finished tasks taught under the id of its run, and reads what the others
added since it last looked.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from swarmloom.errors import ConfigurationError, InputError, SwarmloomError
from swarmloom_plugins.stigmergy_trails import KINDS, Lesson
from swarmloom_protocols.stigmergy.traces.claims import Claim
from swarmloom_protocols.stigmergy.traces.records import Change, Deposit
from swarmloom_protocols.stigmergy.traces.store import TraceStore

__all__ = ["CrewTraces", "News", "Note", "Told"]

_FINISHED, _NOTE, _LOAD = "finished", "note", "load"
_RUN, _MEMBER, _PROCESS = "run", "member", "process"
_EARLIER = "earlier"
_TASK = "task"

# A run that has been silent for so long when it is first seen is one of the earlier ones.
_SILENT = 3600.0
_LONGEST_NOTE = 500


class Told(NamedTuple):
    """A lesson that came from elsewhere: of another swarm, or of a member of one."""

    lesson: Lesson
    who: str
    member: bool


class News(NamedTuple):
    """What others added since it was last asked for."""

    told: list[Told]
    finished: float


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
        self._seen: dict[tuple[Any, str, str], float] = {}
        self._peers: dict[str, str] = {}
        self._notes: dict[str, dict[tuple[str, str], Note]] = {}
        self._loads: dict[str, dict[str, tuple[float, float]]] = {}
        self._in_flight: dict[str, str] = {}
        self._unwritten: list[Deposit] = []
        self._claims: dict[int, tuple[str, Claim]] = {}

    @property
    def shared(self) -> bool:
        """Whether other processes may see it."""
        return self.path is not None

    def close(self) -> None:
        """Write what is still to be written and let go of the file."""
        try:
            self._write([])
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
        agent = f"{_RUN}:{run}"
        deposits = [Deposit((x.topic, x.expert), x.kind, agent, x.amount) for x in lessons]
        self._write([*deposits, Deposit(_FINISHED, _FINISHED, agent, float(finished))])

    def check_note(self, note: str) -> None:
        """Raise `InputError` for a note that is too long."""
        if len(note) > _LONGEST_NOTE:
            raise InputError(f"note has {len(note)} characters; allowed: at most {_LONGEST_NOTE}")

    def tell(self, lesson: Lesson, by: str, note: str) -> None:
        """Share a member's word and keep its note; a new note replaces its last one.

        Raises
        ------
        StoreError
            If the file cannot be written.
        """
        key, agent = (lesson.topic, lesson.expert), f"{_MEMBER}:{self._process}:{by}"
        deposits = [Deposit(key, lesson.kind, agent, lesson.amount)] if self.shared else []
        if note:
            meta = {"text": note, "worked": lesson.kind == "ok"}
            deposits.append(Deposit(key, _NOTE, agent, 1.0, None, meta))
        self._write(deposits)

    def _write(self, deposits: Sequence[Deposit]) -> None:
        # What could not be written goes first the next time.
        self._unwritten += deposits
        if self._unwritten:
            self._store.deposit_many(self._unwritten)
            self._unwritten = []

    def follow(self) -> News:
        """Read what was added since the last time, notes and load included.

        Returns
        -------
        News

        Raises
        ------
        StoreError
            If the file cannot be read.
        """
        version, rows = self._store.changes(self._version)
        told: list[Told] = []
        finished = 0.0
        for row in rows:
            if row.channel == _NOTE:
                self._take_note(row)
            elif row.channel == _LOAD:
                self._loads.setdefault(_about(row)[1], {})[row.agent] = (row.meta, row.time)
            elif not self._is_own(row.agent):
                added = self._added(row)
                if row.channel == _FINISHED:
                    finished += added
                elif added > 0.0 and row.channel in KINDS:
                    told.append(self._told(row, added))
        self._version = version
        return News(told, finished)

    def _is_own(self, agent: str) -> bool:
        kind, _, rest = agent.partition(":")
        own_member = kind == _MEMBER and rest.partition(":")[0] == self._process
        return own_member or (kind == _RUN and rest in self._own_runs)

    def _added(self, row: Change) -> float:
        seen = row.key, row.channel, row.agent
        before = self._seen.get(seen, 0.0)
        self._seen[seen] = row.amount
        return max(0.0, row.amount - before)

    def _told(self, row: Change, amount: float) -> Told:
        topic, expert = _about(row)
        lesson = Lesson(topic, expert, row.channel, amount)
        kind, _, rest = row.agent.partition(":")
        if kind == _MEMBER:
            return Told(lesson, rest.partition(":")[2], True)
        if rest not in self._peers:
            silent = time.time() - row.time > _SILENT
            self._peers[rest] = _EARLIER if silent else rest
        return Told(lesson, self._peers[rest], False)

    # -- notes ----------------------------------------------------------------------------------

    def _take_note(self, row: Change) -> None:
        topic, expert = _about(row)
        by = row.agent.split(":", 2)[2]
        note = Note(expert, by, bool(row.meta["worked"]), row.meta["text"], row.time)
        self._notes.setdefault(topic, {})[expert, by] = note

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
            agent = f"{_PROCESS}:{self._process}"
            count = self.own_load(expert)
            self._write([Deposit((_LOAD, expert), _LOAD, agent, 1.0, None, count)])

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
        now, own = time.time(), f"{_PROCESS}:{self._process}"
        return np.array(
            [
                math.fsum(
                    count * 2.0 ** (-max(0.0, now - when) / self._load_half_life)
                    for agent, (count, when) in self._loads.get(expert, {}).items()
                    if agent != own
                )
                for expert in experts
            ],
            dtype=np.float64,
        )

    # -- claims ---------------------------------------------------------------------------------

    def claim(self, task: str, by: str, ttl: float) -> Claim | None:
        """Claim a task; None if somebody holds it or it is done."""
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
    first, second = cast(tuple[str, str], row.key)
    return first, second


def _key(key: Any) -> Any:
    """Make a key of what JSON may have made of it."""
    return tuple(key) if isinstance(key, list) else key


def _opened(path: str | None) -> TraceStore:
    if path is None:
        return _with_channels(TraceStore())
    try:
        store = _with_channels(TraceStore.open(path))
        store.sweep()
    except SwarmloomError as error:
        raise ConfigurationError(
            f"plugins.config.stigmergy.store is {path!r}, which cannot be used: {error}"
        ) from error
    return store


def _with_channels(store: TraceStore) -> TraceStore:
    for channel in (*KINDS[2:], _FINISHED, _NOTE):
        store.channel(channel)
    store.channel(_LOAD, expires_after=_SILENT)
    return store
