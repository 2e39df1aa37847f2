"""Traces of walkers in ring buffers: the last thousand places and deposits of each."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.stigmergy.sealed_snapshots import Snapshot, SnapshotFormat
from swarmloom_protocols.stigmergy.walkers.arguments import spatial

__all__ = ["NO_DEPOSIT", "Trace", "TraceBuffers"]

IntArray = NDArray[np.int64]
Float32Array = NDArray[np.float32]

# Channel of a trace that only says where a walker was.
NO_DEPOSIT = -1
FORMAT = SnapshotFormat(
    "swarmloom.trace-buffers",
    {
        "counts": np.int64,
        "positions": np.float32,
        "times": np.float64,
        "channels": np.int16,
        "amounts": np.float32,
    },
)
MOST_CHANNELS = 1 << 15


@dataclass(frozen=True)
class Trace:
    """Entries of one walker, oldest first.

    Attributes
    ----------
    ids : ndarray of int64, shape (m,)
        No two entries of a `TraceBuffers` have had the same.
    positions : ndarray of float32, shape (m, dimensions)
    times : ndarray of float64, shape (m,)
    channels : ndarray of int16, shape (m,)
        `NO_DEPOSIT` where nothing was deposited.
    amounts : ndarray of float32, shape (m,)
    """

    ids: IntArray
    positions: Float32Array
    times: NDArray[np.float64]
    channels: NDArray[np.int16]
    amounts: Float32Array


class TraceBuffers:
    """A ring of entries (place, time, channel, amount) for each walker.

    Parameters
    ----------
    walkers : int
        How many walkers there are.
    dimensions : {2, 3}, optional
        Axes of space.
    capacity : int, optional
        Entries that each keeps; older ones are overwritten.

    Raises
    ------
    InputError
        An argument is out of its range.

    Notes
    -----
    18 bytes and 4 an axis for each entry, reserved at once. Not safe for concurrent writers.

    Examples
    --------
    >>> traces = TraceBuffers(2, capacity=3)
    >>> for time in range(5):
    ...     _ = traces.record([[time, 0.0], [0.0, time]], float(time))
    >>> traces.trace(0).times.tolist()
    [2.0, 3.0, 4.0]
    """

    def __init__(self, walkers: int, dimensions: int = 2, capacity: int = 1000) -> None:
        walkers, capacity = whole("walkers", walkers, 1), whole("capacity", capacity, 1)
        dimensions = whole("dimensions", dimensions, 2, 3)
        self._counts = np.zeros(walkers, np.int64)
        self._positions = np.zeros((walkers, capacity, dimensions), np.float32)
        self._times = np.zeros((walkers, capacity))
        self._channels = np.full((walkers, capacity), NO_DEPOSIT, np.int16)
        self._amounts = np.zeros((walkers, capacity), np.float32)
        self._tree: Any = None

    def __len__(self) -> int:
        """Return how many walkers there are."""
        return len(self._counts)

    @property
    def capacity(self) -> int:
        """Entries that each walker keeps."""
        return self._times.shape[1]

    @property
    def counts(self) -> IntArray:
        """Entries that each walker has ever recorded, shape (walkers,)."""
        return self._counts.copy()

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(array.nbytes for array in self._arrays().values())

    def check_walkers(self, count: int, dimensions: int) -> None:
        """Raise `InputError` unless the buffers are for so many walkers in so many dimensions."""
        have = len(self), self._positions.shape[2]
        if have != (count, dimensions):
            message = f"traces: for {have[0]} walkers in {have[1]}-D"
            raise InputError(f"{message}; allowed: {count} in {dimensions}-D")

    # -- writing --------------------------------------------------------------------------------

    def record(
        self,
        positions: ArrayLike,
        time: float,
        *,
        channel: ArrayLike = NO_DEPOSIT,
        amount: ArrayLike = 0.0,
        walkers: ArrayLike | None = None,
    ) -> IntArray:
        """Add an entry for each walker, or for some of them.

        Parameters
        ----------
        positions : array-like of float, shape (m, dimensions)
            Where they are, in cells.
        time : float
            When; seconds or steps, as the caller counts.
        channel : int or array-like of int, shape (m,), optional
            What they deposited into; `NO_DEPOSIT` for nothing.
        amount : float or array-like of float, shape (m,), optional
            How much, ≥ 0.
        walkers : array-like of int, shape (m,), optional
            Which of them, without repetition; all by default.

        Returns
        -------
        ndarray of int64, shape (m,)
            Ids of the entries.

        Raises
        ------
        InputError
            An argument does not fit or is not finite; nothing is recorded then.
        """
        who = self._rows(walkers)
        places = self._places(positions, len(who))
        between("time", time, -math.inf)
        if not np.issubdtype(np.asarray(channel).dtype, np.integer):
            raise InputError(f"channel: {channel!r}; allowed: whole numbers")
        channels = _each("channel", channel, len(who), NO_DEPOSIT, MOST_CHANNELS - 1)
        amounts = _each("amount", amount, len(who), 0.0, float(np.finfo(np.float32).max))
        ids = self._counts[who] * len(self) + who
        slots = self._counts[who] % self.capacity
        self._positions[who, slots] = places
        self._times[who, slots] = time
        self._channels[who, slots] = channels
        self._amounts[who, slots] = amounts
        self._counts[who] += 1
        self._tree = None
        return ids

    def _rows(self, walkers: ArrayLike | None) -> IntArray:
        if walkers is None:
            return np.arange(len(self))
        rows = np.atleast_1d(np.asarray(walkers))
        if rows.size and not np.issubdtype(rows.dtype, np.integer):
            raise InputError(f"walkers: of {rows.dtype}; allowed: whole numbers")
        rows = rows.astype(np.int64)
        if rows.ndim != 1 or np.any((rows < 0) | (rows >= len(self))):
            raise InputError(f"walkers: {rows.tolist()}; allowed: 0 to {len(self) - 1}")
        if len(np.unique(rows)) < len(rows):
            raise InputError(f"walkers: {rows.tolist()}; allowed: each at most once")
        return rows

    def _places(self, positions: ArrayLike, count: int) -> NDArray[np.float64]:
        places = spatial("positions", positions)
        shape = (count, self._positions.shape[2])
        if places.shape != shape:
            raise InputError(f"positions: shape {places.shape}; allowed: {shape}")
        return places

    # -- reading --------------------------------------------------------------------------------

    def trace(self, walker: int, last: int | None = None) -> Trace:
        """Return the entries of a walker that are kept, oldest first.

        Parameters
        ----------
        walker : int
        last : int, optional
            No more than the last so many.

        Raises
        ------
        InputError
            There is no such walker, or `last` is not a whole number from 0.
        """
        row = whole("walker", walker, 0, len(self) - 1)
        wanted = self.capacity if last is None else whole("last", last, 0)
        count = int(self._counts[row])
        kept = min(count, self.capacity, wanted)
        numbers = np.arange(count - kept, count)
        slots = numbers % self.capacity
        return Trace(
            numbers * len(self) + row,
            self._positions[row, slots],
            self._times[row, slots],
            self._channels[row, slots],
            self._amounts[row, slots],
        )

    def latest(self) -> Float32Array:
        """Return where each walker was last, shape (walkers, dimensions); NaN before its first."""
        rows = np.arange(len(self))
        places = self._positions[rows, (self._counts - 1) % self.capacity]
        places[self._counts == 0] = np.nan
        return places

    def tracks(self, last: int | None = None) -> Float32Array:
        """Return where all walkers were at the times that they have in common.

        Parameters
        ----------
        last : int, optional
            No more than the last so many times, at least 1.

        Returns
        -------
        ndarray of float32, shape (walkers, times, dimensions)
            In the order of time; of several entries of one time the latest. In the plane these are
            the tracks that `swarmloom_protocols.stigmergy.patterns.detection.detect` takes. Across
            a periodic edge a track jumps.

        Raises
        ------
        InputError
            `last` is not a whole number above 0.
        """
        traces = [self.trace(row) for row in range(len(self))]
        times = functools.reduce(np.intersect1d, (trace.times for trace in traces))
        if last is not None:
            times = times[-whole("last", last, 1) :]
        return np.stack([_places_at(trace, times) for trace in traces])

    def nearby(self, walker: int, radius: float = 2.0) -> IntArray:
        """Return the other walkers whose sensors can meet this one's.

        Parameters
        ----------
        walker : int
        radius : float, optional
            Of the sensors, in cells: walkers within twice that, by their last places, are near.
            The grid's edges do not count: across a periodic one nobody is near.

        Returns
        -------
        ndarray of int64
            Ascending.

        Notes
        -----
        By a k-d tree, which is built at the first call after a record.
        """
        row = whole("walker", walker, 0, len(self) - 1)
        reach = 2.0 * positive("radius", radius)
        if not self._counts[row]:
            return np.zeros(0, np.int64)
        known = np.flatnonzero(self._counts)
        if self._tree is None:
            from scipy.spatial import cKDTree

            self._tree = cKDTree(self.latest()[known])
        found = known[self._tree.query_ball_point(self.latest()[row], reach)]
        return np.sort(found[found != row])

    # -- keeping --------------------------------------------------------------------------------

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "counts": self._counts,
            "positions": self._positions,
            "times": self._times,
            "channels": self._channels,
            "amounts": self._amounts,
        }

    def snapshot(self) -> Snapshot:
        """Return copies of all that `restore` needs, which `numpy.savez` can write.

        Returns
        -------
        dict of str to ndarray
            With a version and a checksum.
        """
        return FORMAT.seal(self._arrays())

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> TraceBuffers:
        """Return the buffers that a snapshot was taken of.

        Parameters
        ----------
        state : mapping of str to ndarray
            What `snapshot` returned, or `numpy.load` of it.

        Raises
        ------
        InputError
            It is not a snapshot of trace buffers, or is damaged.
        """
        parts = FORMAT.opened(state)
        shape = parts["positions"].shape
        if len(shape) != 3:
            raise InputError(f"snapshot: positions of shape {shape}; allowed: three axes")
        buffers = cls(shape[0], shape[2], shape[1])
        for name, array in buffers._arrays().items():
            if parts[name].shape != array.shape:
                message = f"snapshot: {name} is of shape {parts[name].shape}"
                raise InputError(f"{message}; allowed: {array.shape}")
            array[...] = parts[name]
        buffers._check_values()
        return buffers

    def _check_values(self) -> None:
        for name, array in self._arrays().items():
            if not np.all(np.isfinite(array)):
                raise InputError(f"snapshot: {name} has values that are not finite")
        if np.any(self._counts < 0) or np.any(self._amounts < 0.0):
            raise InputError("snapshot: counts and amounts may not be negative")


def _places_at(trace: Trace, times: NDArray[np.float64]) -> Float32Array:
    """Return the last place that was recorded at each of some times of a trace."""
    known, latest = np.unique(trace.times[::-1], return_index=True)
    places: Float32Array = trace.positions[::-1][latest[np.searchsorted(known, times)]]
    return places


def _each(name: str, values: ArrayLike, count: int, low: float, high: float) -> NDArray[Any]:
    """Return one value or one a walker as `count` values within [low, high]."""
    array = np.asarray(values)
    if array.shape not in ((), (count,)):
        raise InputError(f"{name}: shape {array.shape}; allowed: one value, or {count}")
    if not np.all((array >= low) & (array <= high)):
        raise InputError(f"{name}: {array.tolist()}; allowed: {low:g} to {high:g}")
    return np.broadcast_to(array, (count,))
