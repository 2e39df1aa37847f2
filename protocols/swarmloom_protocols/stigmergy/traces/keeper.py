"""How traces are left and kept: everything of a trace store but reading, choosing and claims."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, Unpack

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between
from swarmloom_protocols.stigmergy.traces.arguments import (
    finite,
    log_length,
    note,
    steady_clock,
    unfit,
)
from swarmloom_protocols.stigmergy.traces.channels import (
    BAD,
    GOOD,
    LARGEST_AMOUNT,
    Channel,
    ChannelSettings,
    given,
    name,
    proposed,
)
from swarmloom_protocols.stigmergy.traces.credence import Credence
from swarmloom_protocols.stigmergy.traces.keys import json_text
from swarmloom_protocols.stigmergy.traces.memory import MemoryBackend
from swarmloom_protocols.stigmergy.traces.nearby import Nearby
from swarmloom_protocols.stigmergy.traces.neighbourhoods import Neighbourhood
from swarmloom_protocols.stigmergy.traces.records import (
    Backend,
    Change,
    Deposit,
    Trace,
)
from swarmloom_protocols.stigmergy.traces.snapshots import contents, state

__all__ = ["TraceKeeper"]

_ANY: Final = object()

# SQLite counts its waiting in milliseconds of 32 bits.
_LONGEST_WAIT = 1e6


class TraceKeeper:
    """Keeps traces: channels, deposits, the log, snapshots. `TraceStore` reads and follows them.

    Parameters
    ----------
    backend, clock, neighbourhood, log_size
        As for `TraceStore`.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        clock: Callable[[], float] | None = None,
        neighbourhood: Neighbourhood | None = None,
        log_size: int = 1000,
    ) -> None:
        self._backend: Backend = MemoryBackend(log_length(log_size)) if backend is None else backend
        self._clock = steady_clock if clock is None else clock
        self._nearby = Nearby(self._backend, neighbourhood)
        self._credence = Credence(self._backend, self._definition)
        self._channels: dict[str, Channel] = {}

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        clock: Callable[[], float] | None = None,
        timeout: float = 5.0,
        neighbourhood: Neighbourhood | None = None,
        log_size: int = 1000,
    ) -> Self:
        """Open a store in a SQLite file, which any number of processes can share.

        Keys must be text, numbers, booleans, None, bytes, or tuples of these.

        Parameters
        ----------
        path : str or Path
            Made when there is none, with its folder.
        clock : callable, optional
            Returns seconds; `time.time` by default, which all processes of a machine share.
        timeout : float
            Seconds (≥ 0) to wait while another process writes.
        neighbourhood : Neighbourhood, optional
            As for `TraceStore`.
        log_size : int
            Deposits that the log keeps (≥ 1), fixed when the store is made.

        Returns
        -------
        TraceStore
            Of the class that this is called on.

        Raises
        ------
        StoreError
            If the file is damaged, foreign, of a newer version or not to be written;
            `StoreLockedError` if another process keeps it locked. It is left as it was.
        """
        # Only those who keep a store in a file pay for SQLite's import.
        from swarmloom_protocols.stigmergy.traces.sqlite import SqliteBackend

        wait = between("timeout", timeout, 0.0, _LONGEST_WAIT)
        backend = SqliteBackend(Path(path), wait, log_length(log_size))
        clock = time.time if clock is None else clock
        return cls(backend, clock=clock, neighbourhood=neighbourhood)

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

    # -- depositing -----------------------------------------------------------------------------

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
            raise unfit(key, amount, now, error) from error

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
        for one in deposits:
            deposit = Deposit(*one)
            try:
                hash(deposit.key)
                checked.append(self._checked(*deposit))
            except TypeError as error:
                raise unfit(deposit.key, deposit.amount, deposit.time, error) from error
        self._backend.add_many(checked)
        return len(checked)

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
            yield Trace(*entry[:6], note(entry[6]))

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
            Change(trail[3], key, channel, agent, *trail[:3], note(trail[4]))
            for key, channel, agent, trail in rows
        ]

    def sweep(self, now: float | None = None, *, claims_kept: float = 0.0) -> int:
        """Drop amounts below their floor, expired ones, and ended claims outside of boards.

        Readings stay the same; only memory is freed. A claim that is dropped cannot be renewed or
        finished any more, though nobody has taken it over.

        Parameters
        ----------
        now : float, optional
            The clock's time by default.
        claims_kept : float
            Seconds (≥ 0) for which an ended claim is kept.

        Returns
        -------
        int
            How many were dropped.
        """
        when = self._clock() if now is None else finite("now", now)
        return self._backend.sweep(when, when - between("claims_kept", claims_kept, 0.0))

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
        self._nearby.forget()

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
        when = self._clock() if now is None else finite("now", now)
        note = None if meta is None else json_text("meta", meta)
        return key, found, agent, float(amount), when, note

    def _definition(self, channel: str) -> Channel:
        """Look a channel up; what holds for a given one is fixed by the first deposit only."""
        found = self._backend.channel(name("channel", channel))
        if found is not None:
            self._channels[channel] = found
            return found
        default = given(channel)
        if default is not None:
            return default
        known = sorted({GOOD, BAD, *(one.name for one in self._backend.channels())})
        raise InputError(f"no channel {channel!r}; declared: {', '.join(known)}")

    def _declared(self, channel: str) -> Channel:
        found = self._channels[channel] = self._backend.declare(self._definition(channel))
        return found
