"""A board of tasks that agents take one by one, each done once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from swarmloom.errors import InputError, StoreError
from swarmloom_protocols.stigmergy.traces.arguments import end_after, finite, unfit
from swarmloom_protocols.stigmergy.traces.channels import name
from swarmloom_protocols.stigmergy.traces.claims import Claim
from swarmloom_protocols.stigmergy.traces.records import ClaimBook

__all__ = ["WorkBoard", "kept_alive"]

# A claim is renewed when a third of its time is over, so that two attempts may fail.
_RENEWALS_PER_TTL = 3.0


class WorkBoard:
    """Tasks of which each is held by one agent at a time and recorded once.

    Made by `TraceStore.board`; boards of the same name and store are the same board.

    Parameters
    ----------
    book : ClaimBook
    clock : callable
        Seconds.
    name : str
    """

    def __init__(self, book: ClaimBook, clock: Callable[[], float], name: str) -> None:
        self._book, self._clock, self.name = book, clock, name

    def add(self, ids: Iterable[Hashable]) -> int:
        """Put tasks on the board, in this order; those that are there already stay as they are.

        Parameters
        ----------
        ids : iterable of hashable

        Returns
        -------
        int
            How many were new.

        Raises
        ------
        InputError
            For a single text, or an id that cannot be kept. Nothing is added.
        """
        if isinstance(ids, str | bytes):
            raise InputError(f"ids is {ids!r}; allowed: an iterable of ids")
        keys = list(ids)
        for key in keys:
            try:
                hash(key)
            except TypeError as error:
                raise unfit(key, 0.0, None, error) from error
        return self._book.add(self.name, keys)

    def next(self, agent: str, ttl: float, *, now: float | None = None) -> Claim | None:
        """Claim the first task that nobody holds.

        Parameters
        ----------
        agent : str
        ttl : float
            Seconds, above 0, after which others may take the task over.
        now : float, optional
            The clock's time by default.

        Returns
        -------
        Claim or None
            None if every task is held or done.

        Raises
        ------
        InputError
            If `agent` is empty or `ttl` not finite and positive.
        """
        name("agent", agent)
        when = self._clock() if now is None else finite("now", now)
        expires = end_after(when, ttl)
        found = self._book.next(self.name, agent, when, expires)
        if found is None:
            return None
        key, token = found
        return Claim(self._book, self._clock, self.name, key, agent, token, expires)

    def work(
        self,
        agent: str,
        ttl: float,
        *,
        renewals: int = 100,
        poll: float = 0.05,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[Claim]:
        """Yield claims until every task of the board is done.

        While others hold the last tasks it waits: for their results, or for their claims to end. A
        claim that was not finished when the next one is asked for is given back: a task that
        fails every time comes back every time, unless it is finished with what went wrong.

        Parameters
        ----------
        agent : str
        ttl : float
            Seconds after which others may take over a task whose worker is gone.
        renewals : int
            How often a claim is renewed in the background while its task is worked on, each time
            after a third of `ttl`; 0: never. A worker that hangs loses its task after that.
        poll : float
            Longest time to wait before looking again, in seconds.
        sleep : callable
            Waits that many seconds.

        Yields
        ------
        Claim

        Raises
        ------
        InputError
            As for `next`.
        """
        while True:
            claim = self.next(agent, ttl)
            if claim is not None:
                with kept_alive([claim], ttl, renewals):
                    yield claim
            elif not (wait := self._wait(poll)):
                return
            else:
                sleep(wait)

    def results(self) -> dict[Hashable, Any]:
        """Give the results of the tasks that are done, in the order of the board."""
        return {key: json.loads(text) for key, text in self._book.results(self.name)}

    @property
    def waiting(self) -> int:
        """How many tasks nobody holds and are not done."""
        return self._book.counts(self.name, self._clock()).waiting

    @property
    def held(self) -> int:
        """How many tasks are being worked on."""
        return self._book.counts(self.name, self._clock()).held

    @property
    def done(self) -> int:
        """How many tasks have a result."""
        return self._book.counts(self.name, self._clock()).done

    def _wait(self, poll: float) -> float:
        """Seconds until it is worth looking again; 0 when everything is done."""
        now = self._clock()
        counts = self._book.counts(self.name, now)
        if not counts.waiting + counts.held:
            return 0.0
        end = self._book.next_end(self.name, now)
        return poll if end is None else min(poll, max(end - now, 1e-3))


@contextmanager
def kept_alive(claims: Sequence[Claim], ttl: float, renewals: int = 100) -> Iterator[None]:
    """Renew claims in the background until the block ends; give back those that are not done.

    Parameters
    ----------
    claims : sequence of Claim
    ttl : float
        Seconds that they hold from each renewal on; it comes after a third of that.
    renewals : int
        How often, at most; 0: never.
    """
    stop = threading.Event()
    keeper = threading.Thread(target=_renew, args=(claims, ttl, renewals, stop), daemon=True)
    if renewals:
        keeper.start()
    try:
        yield
    finally:
        stop.set()
        if renewals:
            keeper.join()
        for claim in claims:
            claim.release()


def _renew(claims: Sequence[Claim], ttl: float, renewals: int, stop: threading.Event) -> None:
    held = list(claims)
    for _ in range(renewals):
        if not held or stop.wait(ttl / _RENEWALS_PER_TTL):
            return
        held = [claim for claim in held if _still_held(claim, ttl)]


def _still_held(claim: Claim, ttl: float) -> bool:
    try:
        return claim.renew(ttl)
    except StoreError:
        return True  # A store that cannot be reached now may be the next time.
