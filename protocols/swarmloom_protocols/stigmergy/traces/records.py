"""What a trace store holds and hands out."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple, Protocol, TypeAlias

from swarmloom_protocols.stigmergy.traces.channels import Channel

__all__ = [
    "Backend",
    "Cell",
    "Change",
    "ClaimBook",
    "Contents",
    "Counts",
    "Deposit",
    "Item",
    "Reading",
    "Trace",
    "Trail",
]

# Amount, time, deposits, version, note: a plain tuple, which is made four times as fast as a named
# one. It is replaced as a whole, so that no reader ever sees half of a deposit.
Trail: TypeAlias = tuple[float, float, int, int, str | None]

# The trails of one key on one channel, by agent.
Cell: TypeAlias = list[tuple[str, Trail]]


class Reading(NamedTuple):
    """What is sensed at one place.

    Attributes
    ----------
    value : float
        Decayed, capped and trusted amount of all agents.
    evidence : int
        Deposits behind it.
    last : float or None
        Time of the last of them; None where nothing was left.
    by_agent : dict of str to float
        Decayed amount of each agent, before caps and trust.
    """

    value: float
    evidence: int
    last: float | None
    by_agent: dict[str, float]


class Deposit(NamedTuple):
    """One deposit of many (`TraceStore.deposit_many`).

    Attributes
    ----------
    key : hashable
    channel, agent : str
    amount : float
        Finite, ≥ 0.
    time : float or None
        When it was left; None: now.
    meta : Any
        A note that goes with it; anything that JSON can hold.
    """

    key: Hashable
    channel: str
    agent: str
    amount: float = 1.0
    time: float | None = None
    meta: Any = None


class Trace(NamedTuple):
    """One deposit as the log keeps it.

    Attributes
    ----------
    id : int
        Counts up with each deposit of the store; never given twice.
    key : hashable
    channel, agent : str
    amount, time : float
    meta : Any
    """

    id: int
    key: Hashable
    channel: str
    agent: str
    amount: float
    time: float
    meta: Any


class Change(NamedTuple):
    """One agent's trail as it is now.

    Attributes
    ----------
    version : int
        The id of the trail's last deposit.
    key : hashable
    channel, agent : str
    amount : float
        What it was worth at `time`: before decay, caps and trust.
    time : float
    evidence : int
        Deposits behind it.
    meta : Any
        The last note that came with a deposit.
    """

    version: int
    key: Hashable
    channel: str
    agent: str
    amount: float
    time: float
    evidence: int
    meta: Any


class Counts(NamedTuple):
    """How many tasks of a board wait, are held and are done."""

    waiting: int
    held: int
    done: int


class Item(NamedTuple):
    """One task as it is stored; `result` is JSON, None while it is not done."""

    board: str
    key: Hashable
    agent: str | None
    token: int
    expires: float
    result: str | None


class Contents(NamedTuple):
    """Everything in a store, in the order of the last change."""

    channels: list[Channel]
    trails: list[tuple[Hashable, str, str, Trail]]
    log: list[tuple[Hashable, str, str, float, float, str | None]]
    items: list[Item]
    token: int


class ClaimBook(Protocol):
    """Who holds which key of which board. All of it is atomic.

    Results are JSON. Expired claims can be taken by anybody; until then `token` decides.
    """

    def add(self, board: str, keys: Iterable[Hashable]) -> int:
        """Put keys on a board; return how many were not there."""

    def take(self, board: str, key: Hashable, agent: str, now: float, expires: float) -> int | None:
        """Claim one key, put there if missing; its token, or None if it is held or done."""

    def next(
        self, board: str, agent: str, now: float, expires: float
    ) -> tuple[Hashable, int] | None:
        """Claim the first key that nobody holds; it and its token, or None if there is none."""

    def renew(self, board: str, key: Hashable, token: int, expires: float) -> bool:
        """Move a claim's end; False if it was lost."""

    def release(self, board: str, key: Hashable, token: int) -> bool:
        """Give a claim up; False if it was lost."""

    def finish(self, board: str, key: Hashable, token: int, result: str) -> bool:
        """Record a result; False if the claim was lost."""

    def result(self, board: str, key: Hashable) -> str | None:
        """Return a key's result; None while there is none."""

    def results(self, board: str) -> list[tuple[Hashable, str]]:
        """Give the keys that are done and their results, in the board's order."""

    def counts(self, board: str, now: float) -> Counts:
        """Count a board's keys."""

    def next_end(self, board: str, now: float) -> float | None:
        """Return when the first of the claims that are held ends; None if none is held."""


class Backend(Protocol):
    """Where a store's trails are kept. All of it is atomic, and safe from any thread."""

    @property
    def claims(self) -> ClaimBook:
        """Who holds what."""

    def channel(self, name: str) -> Channel | None:
        """Return a channel that was declared."""

    def declare(self, channel: Channel) -> Channel:
        """Declare a channel unless its name is; return the one that holds."""

    def channels(self) -> list[Channel]:
        """Give all declared channels."""

    def version(self) -> int:
        """Return the id of the last deposit."""

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

    def add_many(
        self, deposits: list[tuple[Hashable, Channel, str, float, float, str | None]]
    ) -> None:
        """Add all deposits or none."""

    def cell(self, key: Hashable, channel: str) -> Cell:
        """Give one key's trails on a channel, by agent."""

    def cells(self, keys: list[Hashable], channel: str) -> list[Cell]:
        """Give several keys' trails on a channel."""

    def trails(self, channel: str) -> list[tuple[Hashable, str, Trail]]:
        """Give the key, agent and trail of everything on a channel."""

    def traces(
        self, key: Hashable, agent: str | None, since: float | None, any_key: bool
    ) -> list[tuple[int, Hashable, str, str, float, float, str | None]]:
        """Give the log, oldest first."""

    def changes(self, since: int) -> tuple[int, list[tuple[Hashable, str, str, Trail]]]:
        """Give the version, and the trails changed after `since`, oldest change first."""

    def sweep(self, now: float, claims_before: float) -> int:
        """Drop what is below its floor, what has expired, and claims outside of boards by end."""

    def contents(self) -> Contents:
        """Give everything."""

    def replace(self, contents: Contents) -> None:
        """Hold this and nothing else."""

    def close(self) -> None:
        """Let go of the file, if there is one."""
