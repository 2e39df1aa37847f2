"""The trace store: sparse, decaying marks that agents leave for one another, and claims on work.

An amount x₀ left at time t₀ is worth x(t) = x₀·2^(−(t−t₀)/h) when it is read at t. Nothing is
swept in between, so that a deposit costs O(1) however much is stored. Amounts are kept apart for
each agent, so that none can speak for all: what an agent says about one key counts for no more
than its cap, and one whose word disagrees with that of others beyond chance loses weight.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, Unpack

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive
from swarmloom_protocols.stigmergy.traces.board import WorkBoard
from swarmloom_protocols.stigmergy.traces.channels import (
    BAD,
    GOOD,
    LARGEST_AMOUNT,
    Channel,
    ChannelSettings,
    is_given,
    name,
    proposed,
)
from swarmloom_protocols.stigmergy.traces.claims import Claim
from swarmloom_protocols.stigmergy.traces.credence import Credence
from swarmloom_protocols.stigmergy.traces.keys import json_text
from swarmloom_protocols.stigmergy.traces.memory import MemoryBackend
from swarmloom_protocols.stigmergy.traces.readings import reading
from swarmloom_protocols.stigmergy.traces.records import (
    Backend,
    Change,
    Deposit,
    Grant,
    Reading,
    Trace,
)
from swarmloom_protocols.stigmergy.traces.snapshots import contents, state

__all__ = ["TraceStore", "Trust", "steady_clock"]

Trust: TypeAlias = Mapping[str, float] | Literal["learned"]


_ANY: Final = object()

# SQLite counts its waiting in milliseconds of 32 bits.
_LONGEST_WAIT = 1e6

_STARTED = time.time() - time.monotonic()


def steady_clock() -> float:
    """Return seconds since 1970 that never jump while the process lives.

    `time.monotonic`, counted from 1970, so that what one process has written out another one can
    read back.
    """
    return time.monotonic() + _STARTED


class TraceStore:
    """Marks that agents leave at keys for one another, and claims on work.

    Two channels are there from the start: ``"ok"`` for what worked and ``"fail"`` for what did
    not. On these an agent's word on one key counts for 10 observations at most, and for less where
    it disagrees with what the others say. Others are declared with `channel`.

    Safe from any thread. `TraceStore()` lives in memory, `TraceStore.open` in a file that several
    processes share.

    Parameters
    ----------
    backend : Backend, optional
        Where trails are kept; in memory by default.
    clock : callable, optional
        Returns seconds; `steady_clock` by default.
    log_size : int
        Deposits that the log in memory keeps (≥ 1).

    Examples
    --------
    >>> store = TraceStore(clock=lambda: 0.0)
    >>> store.deposit("invoices", "ok", agent="ada")
    1.0
    >>> store.deposit("invoices", "ok", 3, agent="bob")
    3.0
    >>> store.sense("invoices", "ok").value
    4.0
    """

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        clock: Callable[[], float] | None = None,
        log_size: int = 1000,
    ) -> None:
        self._backend: Backend = MemoryBackend(_whole(log_size)) if backend is None else backend
        self._clock = steady_clock if clock is None else clock
        self._credence = Credence(self._backend, self._definition)
        self._channels: dict[str, Channel] = {}

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        clock: Callable[[], float] | None = None,
        timeout: float = 5.0,
        log_size: int = 1000,
    ) -> Self:
        """Open a store in a SQLite file, which any number of processes can share.

        Keys must be text, numbers, booleans, None, bytes, or tuples of these.

        Parameters
        ----------
        path : str or Path
            Made when there is none; its folder must exist.
        clock : callable, optional
            Returns seconds; `time.time` by default, which all processes of a machine share.
        timeout : float
            Seconds (≥ 0) to wait while another process writes.
        log_size : int
            Deposits that the log keeps (≥ 1), fixed when the store is made.

        Returns
        -------
        TraceStore

        Raises
        ------
        TraceStoreError
            If the file is damaged, foreign, of a newer version or not to be written;
            `TraceStoreLockedError` if another process keeps it locked. It is left as it was.
        """
        # Only those who keep a store in a file pay for SQLite's import.
        from swarmloom_protocols.stigmergy.traces.sqlite import SqliteBackend

        wait = between("timeout", timeout, 0.0, _LONGEST_WAIT)
        backend = SqliteBackend(Path(path), wait, _whole(log_size))
        return cls(backend, clock=time.time if clock is None else clock)

    # -- channels -------------------------------------------------------------------------------

    def channel(self, channel: str, **settings: Unpack[ChannelSettings]) -> Channel:
        """Declare a channel. Its settings hold from then on, for all who share the store.

        Parameters
        ----------
        channel : str
        half_life : float or None
            Seconds after which an amount is worth half; None, the default: amounts stay.
        cap : float or None
            What a whole cell counts for at most; None, the default: no limit.
        agent_cap : float or None
            What each agent's word on one cell counts for at most; None, the default: no limit. 10
            by default on ``"ok"`` and ``"fail"``.
        floor : float
            Amounts below it count for nothing; 1e-9 by default.
        expires_after : float or None
            Seconds after an agent's last deposit at which its amount is gone; None, the default:
            never.
        opposite : str or None
            The channel of the contrary outcome: agents are then believed as far as their word on
            both agrees with what others say. ``"ok"`` and ``"fail"`` are each other's.

        Returns
        -------
        Channel

        Raises
        ------
        InputError
            For a number that cannot be, or if the channel was declared with other settings.
        """
        wanted = proposed(channel, settings)
        holds = self._backend.declare(wanted)
        if holds != wanted:
            raise InputError(
                f"channel {channel!r} is declared as {holds}; allowed: the same again, or "
                "another name"
            )
        return holds

    # -- depositing and reading -----------------------------------------------------------------

    def deposit(
        self,
        key: Hashable,
        channel: str,
        amount: float = 1.0,
        *,
        agent: str,
        now: float | None = None,
        meta: Any = None,
    ) -> float:
        """Leave an amount at a key, in O(1).

        Parameters
        ----------
        key : hashable
        channel : str
        amount : float
            Finite, 0 to 1e100.
        agent : str
            Who leaves it.
        now : float, optional
            When; the clock's time by default. What is older than the agent's last deposit here is
            decayed to that moment first.
        meta : Any
            A note that goes with it; anything that JSON can hold. The trail keeps the last one.

        Returns
        -------
        float
            What the agent's deposits here are worth together, as of the last one, before caps
            and trust.

        Raises
        ------
        InputError
            For an amount that is negative, infinite or not a number, an empty agent, a time that
            is not finite, an unknown channel, or a key that cannot be kept. Nothing is changed.
        """
        try:
            one = self._checked(key, channel, agent, amount, now, meta)
            return self._backend.add(*one)
        except TypeError as error:
            raise _unfit(key, amount, now, error) from error

    def deposit_many(self, deposits: Iterable[Deposit | tuple[Any, ...]]) -> int:
        """Leave many amounts at once: all of them, or none if one is wrong.

        Parameters
        ----------
        deposits : iterable of Deposit
            Or of tuples in the same order: key, channel, agent, amount, time, meta.

        Returns
        -------
        int
            How many there were.

        Raises
        ------
        InputError
            As for `deposit`. Nothing is changed.
        """
        checked = []
        for given in deposits:
            deposit = Deposit(*given)
            try:
                hash(deposit.key)
                checked.append(self._checked(*deposit))
            except TypeError as error:
                raise _unfit(deposit.key, deposit.amount, deposit.time, error) from error
        self._backend.add_many(checked)
        return len(checked)

    def sense(
        self,
        key: Hashable,
        channel: str,
        *,
        now: float | None = None,
        trust: Trust | None = None,
    ) -> Reading:
        """Read what is left at a key.

        Parameters
        ----------
        key : hashable
        channel : str
        now : float, optional
            Time of reading; the clock's by default.
        trust : mapping of str to float, or "learned"
            Weight (≥ 0) of each agent; agents that are not named weigh ``trust["*"]``, or 1.
            ``"learned"``: from how well an agent's word agrees with that of others, on this
            channel and its opposite, or on ``"ok"`` and ``"fail"`` if it has none. By default
            learned where the channel has an opposite, 1 elsewhere.

        Returns
        -------
        Reading

        Raises
        ------
        InputError
            For an unknown channel, a weight that is negative or not finite, or a time that is
            not finite.
        """
        found = self._channels.get(channel) or self._definition(channel)
        when = self._clock() if now is None else _finite("now", now)
        weights = self._weights(found, trust, when)
        return reading(self._cell(key, found), found, weights, when)

    # -- claims ---------------------------------------------------------------------------------

    def claim(
        self, key: Hashable, *, agent: str, ttl: float, now: float | None = None
    ) -> Claim | None:
        """Claim a key, unless somebody holds it or its work is done.

        Parameters
        ----------
        key : hashable
        agent : str
        ttl : float
            Seconds (> 0) after which others may take the key over.
        now : float, optional
            The clock's time by default.

        Returns
        -------
        Claim or None
            None if the key is held, by whomever, or finished.

        Raises
        ------
        InputError
            For an empty agent, a `ttl` or time that cannot be, or a key that cannot be kept.
        """
        if not agent or agent.__class__ is not str:
            name("agent", agent)
        when = self._clock() if now is None else _finite("now", now)
        if not 0.0 < ttl < math.inf:
            positive("ttl", ttl)
        book = self._backend.claims
        try:
            grant = book.take("", key, agent, when, when + ttl)
        except TypeError as error:
            raise _unfit(key, 0.0, now, error) from error
        return None if grant is None else Claim(book, self._clock, "", agent, grant)

    def claimed(self, key: Hashable, *, agent: str, token: int, expires: float) -> Claim:
        """Return a claim that was given before, as one that goes on after a restart needs it.

        Whether it still holds shows when it is renewed, released or finished.

        Parameters
        ----------
        key : hashable
        agent : str
        token : int
        expires : float
            As the claim had them.
        """
        return Claim(self._backend.claims, self._clock, "", agent, Grant(key, token, expires))

    def result(self, key: Hashable) -> Any:
        """Return what was recorded when the claim on a key was finished; None before that."""
        text = self._backend.claims.result("", key)
        return None if text is None else json.loads(text)

    def board(self, board: str) -> WorkBoard:
        """Return the board of this name, which all who share the store see.

        Parameters
        ----------
        board : str
            Not empty.
        """
        return WorkBoard(self._backend.claims, self._clock, name("board", board))

    # -- following and keeping ------------------------------------------------------------------

    def traces(
        self, key: Hashable = _ANY, agent: str | None = None, since: float | None = None
    ) -> Iterator[Trace]:
        """Give the deposits that the log still has, oldest first.

        Parameters
        ----------
        key : hashable, optional
            Only those at this key.
        agent : str, optional
            Only this agent's.
        since : float, optional
            Only those of this time or later.

        Yields
        ------
        Trace
        """
        for entry in self._backend.traces(key, agent, since, key is _ANY):
            yield Trace(*entry[:6], _note(entry[6]))

    def changes(self, since: int = 0) -> tuple[int, list[Change]]:
        """Give the trails that anybody has changed after a version, oldest change first.

        Parameters
        ----------
        since : int
            The version that an earlier call gave; 0: everything.

        Returns
        -------
        version : int
            What to ask with next time.
        rows : list of Change
            One for each trail, as it is now. Trails that were swept away are not told of.
        """
        version, rows = self._backend.changes(since)
        return version, [
            Change(trail[3], key, channel, agent, *trail[:3], _note(trail[4]))
            for key, channel, agent, trail in rows
        ]

    def sweep(self, now: float | None = None) -> int:
        """Drop amounts below their floor, expired ones, and ended claims outside of boards.

        Readings stay the same; only memory is freed.

        Parameters
        ----------
        now : float, optional
            The clock's time by default.

        Returns
        -------
        int
            How many were dropped.
        """
        return self._backend.sweep(self._clock() if now is None else _finite("now", now))

    def snapshot(self) -> dict[str, Any]:
        """Give everything that is stored, ready for JSON.

        Returns
        -------
        dict
            What `restore` takes, of either kind of store. Equal stores give equal snapshots.

        Raises
        ------
        InputError
            If a key is of a type that cannot be written.
        """
        return state(self._backend.contents())

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Hold what a snapshot holds, and nothing else.

        To those who follow `changes` every trail has changed. Fencing tokens never go back. Other
        processes that have the store open have to open it again, for they know its channels.

        Parameters
        ----------
        saved : mapping
            What `snapshot` gave.

        Raises
        ------
        InputError
            If it is no snapshot, of another version, or damaged. The store stays as it was.
        """
        self._backend.replace(contents(saved))
        self._channels.clear()
        self._credence.forget()

    def close(self) -> None:
        """Let go of the file, if there is one."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- inside ---------------------------------------------------------------------------------

    def _checked(
        self,
        key: Hashable,
        channel: str,
        agent: str,
        amount: float,
        now: float | None,
        meta: Any,
    ) -> tuple[Hashable, Channel, str, float, float, str | None]:
        found = self._channels.get(channel) or self._declared(channel)
        if not 0.0 <= amount <= LARGEST_AMOUNT:
            raise InputError(f"amount is {amount}; allowed: finite, 0 to {LARGEST_AMOUNT:g}")
        if not agent or agent.__class__ is not str:
            name("agent", agent)
        when = self._clock() if now is None else _finite("now", now)
        note = None if meta is None else json_text("meta", meta)
        return key, found, agent, float(amount), when, note

    def _definition(self, channel: str) -> Channel:
        """Look a channel up; what holds for a given one is fixed by the first deposit only."""
        found = self._backend.channel(name("channel", channel))
        if found is not None:
            self._channels[channel] = found
            return found
        if is_given(channel):
            return proposed(channel, {})
        known = sorted({GOOD, BAD, *(one.name for one in self._backend.channels())})
        raise InputError(f"no channel {channel!r}; declared: {', '.join(known)}")

    def _declared(self, channel: str) -> Channel:
        found = self._channels[channel] = self._backend.declare(self._definition(channel))
        return found

    def _cell(self, key: Hashable, channel: Channel) -> list[Any]:
        try:
            return self._backend.cell(key, channel.name)
        except TypeError as error:
            raise _unfit(key, 0.0, None, error) from error

    def _weights(
        self, channel: Channel, trust: Trust | None, now: float
    ) -> Mapping[str, float] | None:
        """Give the weight of each agent; None where all count alike."""
        if trust is None and channel.opposite is None:
            return None
        if trust is not None and trust != "learned":
            return _checked_trust(trust)
        return self._credence.weights(channel.name if channel.opposite else GOOD, now)


def _note(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _whole(log_size: int) -> int:
    if not isinstance(log_size, int) or log_size < 1:
        raise InputError(f"log_size is {log_size!r}; allowed: a whole number from 1")
    return log_size


def _finite(what: str, value: float) -> float:
    if not -math.inf < value < math.inf:
        raise InputError(f"{what} is {value}; allowed: finite")
    return float(value)


def _checked_trust(trust: Any) -> Mapping[str, float]:
    if not isinstance(trust, Mapping):
        raise InputError(f"trust is {trust!r}; allowed: 'learned', or weights by agent")
    for agent, weight in trust.items():
        if not 0.0 <= weight < math.inf:
            raise InputError(f"trust of {agent!r} is {weight}; allowed: finite, from 0")
    return trust


def _unfit(key: Any, amount: Any, now: Any, error: TypeError) -> Exception:
    """Say which argument is of a type that cannot be; the error itself if none of them is."""
    try:
        hash(key)
    except TypeError:
        return InputError(f"key {key!r} cannot be hashed; allowed: any hashable, as a str or tuple")
    for what, value in (("amount", amount), ("now", now)):
        if value is not None and not isinstance(value, int | float | np.number):
            return InputError(f"{what} is {value!r}; allowed: a finite number")
    return error
