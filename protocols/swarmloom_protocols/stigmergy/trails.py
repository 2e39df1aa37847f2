"""Decaying trails of success and failure by topic × expert, kept apart for each depositor.

An amount x₀ left at time t₀ is worth x(t) = x₀·2^(−(t−t₀)/h) when it is read at t: nothing is
touched in between, so a deposit costs O(1) however much is stored. Time is counted in finished
tasks (`TrailTable.advance`), never by a clock, so that a run is reproducible from its seed.

Four lines of defence keep one depositor from deciding for all: amounts are kept per depositor, a
depositor's word on one cell counts for at most its cap, a depositor whose word disagrees with the
others' beyond chance loses weight, and depositors that come under any name are believed as far as
references bear them out, and all together have a limit (`swarmloom_protocols.stigmergy.trust`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from swarmloom.device import Device
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, row, rows
from swarmloom_protocols.stigmergy.appointments import Appointments, Standing
from swarmloom_protocols.stigmergy.decay_kernels import decayed
from swarmloom_protocols.stigmergy.success_rates import RATE_MARGIN
from swarmloom_protocols.stigmergy.trail_state import STATE_VERSION, checked_state

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["BYTES_PER_TRAIL", "Reading", "TrailTable"]

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Topic, expert, depositor and cell, both amounts, the time of the last deposit.
BYTES_PER_TRAIL = 7 * 8

_FIRST_ROOM = 16
LARGEST_AMOUNT = 1e30  # Far from the largest float32, in which amounts are read.


@dataclass(frozen=True, slots=True)
class Reading:
    """What is sensed at one topic × expert cell.

    Attributes
    ----------
    success, failure : float
        Decayed, capped and trusted amounts, in observations.
    by_depositor : mapping of int to (float, float)
        Decayed success and failure amounts of each depositor, before cap and trust.
    """

    success: float
    failure: float
    by_depositor: Mapping[int, tuple[float, float]]


class TrailTable:
    """Trails of what worked: (topic, expert, depositor) → success and failure amounts.

    Topics, experts and depositors are rows ≥ 0 that the caller hands out; the table stores only
    triples that were deposited. Not safe for concurrent writers: the caller holds the lock.

    Parameters
    ----------
    half_life : float or None
        Finished tasks after which an amount is worth half; None keeps amounts for ever.
    topic_prior : float
        Observations (> 0) that an expert's rate over all topics counts for on each single topic.
    expert_prior : float
        Observations (> 0) that the crew's rate counts for in an expert's rate over all topics, and
        the prior rate in the crew's.
    prior_rate : float
        Success rate in (0, 1) that is expected before anything is known.
    guest_share, guest_floor : float
        All guests together count for at most ``max(guest_floor, guest_share · others)``
        observations (≥ 0) of a cell, and of an expert over all topics.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda"}
        Where amounts are decayed.

    Raises
    ------
    InputError
        If a parameter is not finite and positive.

    Notes
    -----
    Rates are posterior means of a Beta prior at three levels, as in empirical-Bayes shrinkage
    (Efron & Morris 1975): the crew's rate around the prior rate, an expert's around the crew's, a
    cell's around the expert's. A topic never seen before starts from what is known of the expert.

    Examples
    --------
    >>> table = TrailTable(half_life=10.0)
    >>> table.deposit(topic=0, expert=1, depositor=0, success=4.0)
    >>> table.advance(10.0)
    >>> table.sense(0, 1).success
    2.0
    """

    def __init__(
        self,
        *,
        half_life: float | None = None,
        topic_prior: float = 4.0,
        expert_prior: float = 4.0,
        prior_rate: float = 0.5,
        guest_share: float = 0.1,
        guest_floor: float = 2.0,
    ) -> None:
        self._half_life = math.inf if half_life is None else positive("half_life", half_life)
        self._topic_prior = positive("topic_prior", topic_prior)
        self._expert_prior = positive("expert_prior", expert_prior)
        self._prior_rate = between("prior_rate", prior_rate, RATE_MARGIN, 1.0 - RATE_MARGIN)
        self.device: Device = "auto"
        self._now = 0.0
        self._slots: dict[tuple[int, int, int], int] = {}
        self._cells: dict[tuple[int, int], int] = {}
        # Rows: topic, expert, depositor, cell; columns: one slot a triple, with room to grow.
        self._keys: IntArray = np.zeros((4, _FIRST_ROOM), dtype=np.int64)
        self._amounts: Float64Array = np.zeros((2, _FIRST_ROOM))
        self._times: Float64Array = np.zeros(_FIRST_ROOM)
        self._appointments = Appointments(
            _amount("guest_share", guest_share), _amount("guest_floor", guest_floor)
        )
        self._weighed: tuple[Float64Array, Float64Array] | None = None

    # -- writing --------------------------------------------------------------------------------

    def appoint(
        self,
        depositor: int,
        *,
        trust: float | None,
        cap: float | None,
        standing: Standing = "peer",
    ) -> None:
        """Say how far a depositor is believed; one never appointed is a peer without a cap.

        Parameters
        ----------
        depositor : int
            Its row, ≥ 0.
        trust : float or None
            Weight of its observations (≥ 0); None learns it: a peer's from how well it agrees with
            the others, a guest's from how well it agrees with references.
        cap : float or None
            Observations that its word on one cell counts for at most (> 0); None for no limit.
        standing : {"peer", "reference", "guest"}
            Guests may come under any number of names: all together have the guests' limit.
        """
        depositor = row("depositor", depositor)
        weight = None if trust is None else _amount("trust", trust)
        limit = None if cap is None else positive("cap", cap)
        self._appointments.appoint(depositor, weight, limit, standing)
        self._weighed = None

    def deposit(
        self,
        topic: int,
        expert: int,
        depositor: int,
        success: float = 0.0,
        failure: float = 0.0,
        time: float | None = None,
    ) -> None:
        """Add observations to a trail, in O(1).

        Parameters
        ----------
        topic, expert, depositor : int
            Rows, ≥ 0.
        success, failure : float
            Observations to add (0 to 1e30).
        time : float, optional
            When they were made; now by default. What is older than the trail's last deposit is
            decayed to that moment first.

        Raises
        ------
        InputError
            If an amount is negative, NaN or infinite, a row is negative, or `time` is in the
            future.
        """
        added = np.array([_amount("success", success), _amount("failure", failure)])
        when = self._now if time is None else self._past(time)
        triple = row("topic", topic), row("expert", expert), row("depositor", depositor)
        slot = self._slot(triple)
        latest = max(when, self._times[slot])
        self._amounts[:, slot] *= self._factor(latest - self._times[slot])
        self._amounts[:, slot] += added * self._factor(latest - when)
        self._times[slot] = latest
        self._weighed = None

    def reserve(self, trails: int) -> None:
        """Allocate for this many trails now rather than as they appear.

        Parameters
        ----------
        trails : int
            (topic, expert, depositor) triples; `BYTES_PER_TRAIL` each.
        """
        more = max(0, trails - self._keys.shape[1])
        self._keys = np.pad(self._keys, ((0, 0), (0, more)))
        self._amounts = np.pad(self._amounts, ((0, 0), (0, more)))
        self._times = np.pad(self._times, (0, more))
        self._weighed = None

    def advance(self, finished: float = 1.0) -> None:
        """Let time pass.

        Parameters
        ----------
        finished : float
            Tasks finished since (0 to 1e30).
        """
        self._now += _amount("finished", finished)
        self._weighed = None

    # -- reading --------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Return how many (topic, expert, depositor) trails there are."""
        return len(self._slots)

    @property
    def now(self) -> float:
        """Finished tasks so far: the time at which trails are read."""
        return self._now

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, used or reserved."""
        return self._keys.nbytes + self._amounts.nbytes + self._times.nbytes

    @property
    def totals(self) -> tuple[float, float]:
        """Success and failure over everything: decayed, capped, trusted observations."""
        success, failure = self._evidence()
        return float(success.sum()), float(failure.sum())

    def trust(self, depositor: int) -> float:
        """Return the weight of a depositor's observations: appointed or learned, 1 when unknown."""
        known = self._appointments.trust(self._decayed(), self._keys[:, : len(self)])
        return float(known[depositor]) if row("depositor", depositor) < len(known) else 1.0

    def sense(self, topic: int, expert: int) -> Reading:
        """Read one cell.

        Parameters
        ----------
        topic, expert : int
            Rows, ≥ 0.

        Returns
        -------
        Reading
        """
        success, failure = self.counts([topic], [expert])
        mine = (self._keys[0] == topic) & (self._keys[1] == expert)
        slots = np.flatnonzero(mine[: len(self)])
        raw = self._decayed()[:, slots].T.tolist()
        depositors = self._keys[2, slots].tolist()
        pairs = {who: (amount[0], amount[1]) for who, amount in zip(depositors, raw, strict=True)}
        return Reading(float(success[0, 0]), float(failure[0, 0]), pairs)

    def counts(
        self, topics: Sequence[int] | IntArray, experts: Sequence[int] | IntArray
    ) -> tuple[Float64Array, Float64Array]:
        """Give decayed, capped and trusted success and failure amounts.

        Parameters
        ----------
        topics : sequence of int, length T
            Rows; may repeat, and need never have been seen.
        experts : sequence of int, length E
            Rows, without repetition.

        Returns
        -------
        success, failure : ndarray of float64, shape (T, E)
            In observations.
        """
        wanted, back = np.unique(rows("topics", topics), return_inverse=True)
        used, shape = len(self), (len(wanted), len(experts))
        task = _places(wanted, self._keys[0])[self._keys[0, :used]]
        column = _places(rows("experts", experts), self._keys[1])[self._keys[1, :used]]
        inside = (task >= 0) & (column >= 0)
        flat = task[inside] * shape[1] + column[inside]
        success, failure = self._evidence()
        size = shape[0] * shape[1]
        return (
            _sums(flat, success[inside], size).reshape(shape)[back],
            _sums(flat, failure[inside], size).reshape(shape)[back],
        )

    def sparse_counts(self, topics: IntArray, experts: IntArray) -> sparse.csr_array:
        """Give what `counts` gives, of many topics of which few experts have trails.

        Parameters
        ----------
        topics : ndarray of int64, shape (T,)
            Rows, ascending.
        experts : ndarray of int64, shape (E,)
            Rows, without repetition.

        Returns
        -------
        scipy.sparse.csr_array, shape (T, 2·E)
            Success in the first E columns, failure in the others.
        """
        from scipy import sparse

        used, count = len(self), len(experts)
        place = _places(topics, self._keys[0])[self._keys[0, :used]]
        column = _places(experts, self._keys[1])[self._keys[1, :used]]
        inside = (place >= 0) & (column >= 0)
        task, expert = place[inside], column[inside]
        at = np.tile(task, 2), np.concatenate([expert, expert + count])
        amounts = np.concatenate([amount[inside] for amount in self._evidence()])
        return sparse.csr_array((amounts, at), shape=(len(topics), 2 * count))

    def amounts(
        self, topics: Sequence[int] | IntArray, expert: int, depositor: int
    ) -> Float64Array:
        """Give one depositor's decayed amounts on some cells of an expert, before cap and trust.

        Costs O(cells), however much is stored.

        Parameters
        ----------
        topics : sequence of int, length T
        expert, depositor : int

        Returns
        -------
        ndarray of float64, shape (2, T)
            Success and failure.
        """
        triples = [(int(topic), expert, depositor) for topic in topics]
        slots = np.array([self._slots.get(triple, -1) for triple in triples], dtype=np.int64)
        left = 2.0 ** ((self._times[slots] - self._now) / self._half_life)
        return np.multiply(self._amounts[:, slots], np.where(slots >= 0, left, 0.0))

    def crew_rate(self) -> float:
        """Return the success rate over everything, shrunk to the prior rate."""
        success, failure = self.totals
        prior = self._expert_prior
        return (success + prior * self._prior_rate) / (success + failure + prior)

    def expert_rates(self, experts: Sequence[int] | IntArray) -> Float64Array:
        """Give each expert's success rate over all topics, shrunk to the crew's.

        Parameters
        ----------
        experts : sequence of int, length E

        Returns
        -------
        ndarray of float64, shape (E,)
            In (0, 1).
        """
        wanted, stored = rows("experts", experts), self._keys[1, : len(self)]
        size = int(max(wanted.max(initial=-1), stored.max(initial=-1))) + 1
        success, failure = (_sums(stored, amount, size)[wanted] for amount in self._evidence())
        prior = self._expert_prior
        rate = (success + prior * self.crew_rate()) / (success + failure + prior)
        return np.clip(rate, RATE_MARGIN, 1.0 - RATE_MARGIN)

    def rates(
        self,
        topics: Sequence[int] | IntArray,
        experts: Sequence[int] | IntArray,
        rng: np.random.Generator | None = None,
        prior: tuple[Float64Array, Float64Array] | None = None,
    ) -> Float64Array:
        """Give each expert's success rate on each topic, shrunk to its rate over all topics.

        Parameters
        ----------
        topics : sequence of int, length T
            Topic row of each task.
        experts : sequence of int, length E
        rng : numpy.random.Generator, optional
            Draws the rates from their posterior (Thompson 1933) instead of taking its mean, so
            that what is little known is tried.
        prior : two ndarrays of float64, shape (T, E) or (E,), optional
            Successes and failures (> 0) that stand for what is known from elsewhere, as
            `TopicPooling.prior` gives; by default what the rate over all topics counts for.

        Returns
        -------
        ndarray of float64, shape (T, E)
            In [0, 1].
        """
        success, failure = self.counts(topics, experts)
        if prior is None:
            expected = self.expert_rates(experts)
            prior = self._topic_prior * expected, self._topic_prior * (1.0 - expected)
        success += prior[0]
        failure += prior[1]
        return success / (success + failure) if rng is None else rng.beta(success, failure)

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Give everything that is stored, as arrays and numbers, for `restore`."""
        used = len(self)
        return {
            "version": STATE_VERSION,
            "now": self._now,
            "keys": self._keys[:3, :used].copy(),
            "amounts": self._amounts[:, :used].copy(),
            "times": self._times[:used].copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace what is stored by what `state` gave; parameters and appointments stay.

        Raises
        ------
        InputError
            If the state is of another version or holds amounts or times that cannot be.
        """
        keys, amounts, times = checked_state(state)
        self._now = float(state["now"])
        self._slots, self._cells = {}, {}
        room = max(_FIRST_ROOM, len(times))
        self._keys, self._amounts = np.zeros((4, room), dtype=np.int64), np.zeros((2, room))
        self._times = np.zeros(room)
        for triple in keys.T.tolist():
            self._slot((triple[0], triple[1], triple[2]))
        self._amounts[:, : len(times)], self._times[: len(times)] = amounts, times
        self._weighed = None

    # -- inside -----------------------------------------------------------------------------------

    def _slot(self, triple: tuple[int, int, int]) -> int:
        slot = self._slots.get(triple)
        if slot is None:
            slot = len(self._slots)
            if slot == self._keys.shape[1]:
                self.reserve(2 * slot)
            cell = self._cells.setdefault(triple[:2], len(self._cells))
            self._keys[:, slot] = (*triple, cell)
            self._times[slot] = self._now
            self._slots[triple] = slot
        return slot

    def _factor(self, age: float) -> float:
        return float(2.0 ** (-age / self._half_life))

    def _past(self, time: float) -> float:
        if not (math.isfinite(time) and time <= self._now):
            raise InputError(f"time is {time}; allowed: finite and at most now, {self._now}")
        return float(time)

    def _decayed(self) -> Float64Array:
        used = len(self)
        if math.isinf(self._half_life):
            return self._amounts[:, :used]
        amounts = self._amounts[:, :used]
        times = np.broadcast_to(self._times[:used], amounts.shape)
        left = decayed(amounts, times, self._now, self._half_life, device=self.device)
        return left.astype(np.float64)

    def _evidence(self) -> tuple[Float64Array, Float64Array]:
        """Success and failure of each slot after decay, cap, trust and the guests' limit."""
        if self._weighed is None:
            keys = self._keys[:, : len(self)]
            success, failure = self._appointments.weighed(self._decayed(), keys)
            self._weighed = success, failure
        return self._weighed


def _sums(places: IntArray, amounts: Float64Array, size: int) -> Float64Array:
    # Without any amount bincount would count, in integers.
    return np.bincount(places, amounts, size).astype(np.float64, copy=False)


def _places(rows: IntArray, stored: IntArray) -> IntArray:
    """Table that gives the place of a row within `rows`, −1 for one that is not among them."""
    places = np.full(int(max(rows.max(initial=0), stored.max())) + 1, -1, dtype=np.int64)
    places[rows] = np.arange(len(rows))
    return places


def _amount(name: str, value: float) -> float:
    return between(name, value, 0.0, LARGEST_AMOUNT)
