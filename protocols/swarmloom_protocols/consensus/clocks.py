"""Logical time: what happened before what, without a common clock.

Vector clocks (Fidge 1988, Mattern 1989) tell exactly whether one event can have caused another.
Hybrid logical clocks (Kulkarni et al. 2014, "Logical physical clocks") cost two numbers instead
of one for each process, never contradict causality, and stay within the clocks' skew of real time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from swarmloom.errors import InputError

__all__ = ["HybridClock", "HybridTime", "VectorClock", "concurrent", "happened_before"]

VectorTime = Mapping[str, int]


class VectorClock:
    """One process's count of the events that it knows of, its own and others'.

    Safe to use from several threads.

    Parameters
    ----------
    process : str
        Unique name of the process.
    """

    def __init__(self, process: str) -> None:
        self._process = process
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def tick(self) -> VectorTime:
        """Count an event of this process, sending included, and return its time."""
        with self._lock:
            return self._next()

    def receive(self, time: VectorTime) -> VectorTime:
        """Count the arrival of a message that was sent at `time`, and return the arrival's time.

        Raises
        ------
        InputError
            The time has counts below 1 or that are not whole, or more events of this process than
            it has had.
        """
        with self._lock:
            for process, count in time.items():
                if type(count) is not int or count < 1:
                    raise InputError(
                        f"time[{process!r}] = {count!r}; allowed: whole numbers from 1"
                    )
            own = self._counts.get(self._process, 0)
            if time.get(self._process, 0) > own:
                raise InputError(
                    f"time[{self._process!r}] = {time[self._process]}; this process has had {own}"
                )
            for process, count in time.items():
                self._counts[process] = max(count, self._counts.get(process, 0))
            return self._next()

    def _next(self) -> VectorTime:
        self._counts[self._process] = self._counts.get(self._process, 0) + 1
        return dict(self._counts)


def happened_before(first: VectorTime, second: VectorTime) -> bool:
    """Tell whether what happened at the first time can have caused what happened at the second."""
    return _known_to(first, second) and not _known_to(second, first)


def concurrent(first: VectorTime, second: VectorTime) -> bool:
    """Tell whether neither of two events can have caused the other."""
    return not (_known_to(first, second) or _known_to(second, first))


def _known_to(first: VectorTime, second: VectorTime) -> bool:
    """Tell whether all events that were known at the first time were known at the second."""
    return all(second.get(who, 0) >= count for who, count in first.items())


class HybridTime(NamedTuple):
    """A time of a `HybridClock`; they are ordered as causes and effects are.

    Attributes
    ----------
    wall : int
        The latest physical time known of, in nanoseconds.
    order : int
        Tells events of the same `wall` apart.
    """

    wall: int
    order: int


class HybridClock:
    """A clock whose times respect causality and are close to physical time.

    Safe to use from several threads.

    Parameters
    ----------
    physical : callable, optional
        ``physical()`` gives the machine's time in nanoseconds; `time.time_ns` by default. It may
        go backwards; the clock does not.
    most_ahead : int
        How far, in nanoseconds, a message's time may be ahead of this machine's. What is further
        ahead is refused: one wrong clock would drag all others along.
    """

    def __init__(
        self, physical: Callable[[], int] = time.time_ns, *, most_ahead: int = 60_000_000_000
    ) -> None:
        if most_ahead < 0:
            raise InputError(f"most_ahead is {most_ahead}; allowed: from 0 ns")
        self._physical, self._most_ahead = physical, most_ahead
        self._latest = HybridTime(0, 0)
        self._lock = threading.Lock()

    def tick(self) -> HybridTime:
        """Return the time of an event of this process, sending included."""
        return self._after(HybridTime(0, -1))

    def receive(self, sent: HybridTime) -> HybridTime:
        """Return the time of a message's arrival, later than its sending.

        Raises
        ------
        InputError
            The sender's time is more than `most_ahead` ahead, or no time; the clock is left as it
            was.
        """
        if any(type(part) is not int or part < 0 for part in sent) or len(sent) != 2:
            raise InputError(f"sent = {sent!r}; allowed: two whole numbers from 0")
        return self._after(HybridTime(*sent))

    def _after(self, heard: HybridTime) -> HybridTime:
        with self._lock:
            now = self._physical()
            if heard.wall > now + self._most_ahead:
                ahead = heard.wall - now
                raise InputError(f"a time {ahead} ns ahead; allowed: at most {self._most_ahead}")
            wall = max(now, heard.wall, self._latest.wall)
            orders = [known.order for known in (heard, self._latest) if known.wall == wall]
            self._latest = HybridTime(wall, max(orders, default=-1) + 1)
            return self._latest
