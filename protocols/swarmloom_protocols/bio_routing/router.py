"""Choice among experts by reliability, latency and load, as an ant colony chooses among ways.

The trail is averaged and discounted rather than summed, the choice is by the largest index rather
than in proportion, and load counts from the moment a task is sent. The index of expert e for a
task of topic k is

    p̂(k, e) · min(1, h(e)) − λ · max(0, in_flight(e) + 1 − slots(e)) / slots(e) · L(e) / L̄

with p̂ the discounted mean of success, h the health factor, L the expected latency and L̄ its mean
over the experts. Time is counted in finished calls, so that a run is reproducible from its seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from swarmloom.device import Device
from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing import dispatch_kernels
from swarmloom_protocols.bio_routing.score_kernels import index_scores
from swarmloom_protocols.checks import between, positive, row, rows

__all__ = ["BYTES_PER_CELL", "BYTES_PER_EXPERT", "Router", "log_odds"]

BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Success, count and time of each topic and expert; health, latency, their times and load of each.
BYTES_PER_CELL = 3 * 8
BYTES_PER_EXPERT = 5 * 8

_STATE_VERSION = 1
_PRIOR_RATE = 0.5
# Below this index the logit goes on as its tangent: overloaded experts keep their order.
_TANGENT = 0.05
_CERTAIN = 1.0 - 1e-6
_CELL_ARRAYS = ("success", "count", "cell_time")
_EXPERT_ARRAYS = ("ill", "ill_time", "latency", "latency_time")


class Router:
    """What is known of each expert's reliability, health and latency, and the index made of it.

    Topics and experts are rows ≥ 0 that the caller hands out; unknown ones start from the prior.
    Not safe for concurrent writers: the caller holds the lock.

    Parameters
    ----------
    load_weight : float
        λ, what one expected wait of a mean latency costs, in units of success rate (≥ 0).
    discount : float or None
        γ in (0, 1], by which each finished call discounts earlier ones; None takes
        1 − 1/max(500, 5·experts).
    prior : float
        Observations (> 0) that the prior success rate of 1/2 counts for.
    health_step : float
        Step in [0, 1] of the health factor; 0 switches it off.
    health_memory : float
        Factor in (0, 1] by which each finished call shrinks 1 − h.
    latency_step : float
        Step in (0, 1] of the moving average of latencies.

    Attributes
    ----------
    device : {"auto", "cpu", "cuda"}
        Where indices are computed.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Notes
    -----
    Health moves by h ← h + step · (y/p̂ − h) with each outcome y, so that an expert that suddenly
    fails is left long before its discounted mean has moved. Fast failures earn no latency: L
    averages answers that were right. An estimate that nobody renews returns to the mean of all.
    """

    def __init__(
        self,
        *,
        load_weight: float = 0.4,
        discount: float | None = None,
        prior: float = 2.0,
        health_step: float = 0.1,
        health_memory: float = 0.999,
        latency_step: float = 0.1,
    ) -> None:
        self._load_weight = between("load_weight", load_weight, 0.0)
        self._discount = None if discount is None else positive("discount", discount, 1.0)
        self._prior = positive("prior", prior)
        self._health_step = between("health_step", health_step, 0.0, 1.0)
        self._health_memory = positive("health_memory", health_memory, 1.0)
        self._latency_step = positive("latency_step", latency_step, 1.0)
        self.device: Device = "auto"
        self._now = 0.0
        self._success, self._count, self._cell_time = (np.zeros((0, 0)) for _ in range(3))
        # 1 − h rather than h: it starts at 0 and decays to 0.
        self._ill, self._ill_time = np.zeros(0), np.zeros(0)
        self._latency, self._latency_time = np.full(0, np.nan), np.zeros(0)
        self._in_flight: IntArray = np.zeros(0, dtype=np.int64)

    # -- learning -------------------------------------------------------------------------------

    def sent(self, expert: int) -> None:
        """Count a call from the moment it is sent, for callers that keep no count of their own.

        Parameters
        ----------
        expert : int
            Its row.
        """
        self._make_room(0, row("expert", expert))
        self._in_flight[expert] += 1

    def done(
        self, topic: int, expert: int, success: float, latency: float, weight: float = 1.0
    ) -> None:
        """Take a call that was `sent` back and learn from it; parameters as in `learn`.

        Raises
        ------
        InputError
            If no call of this expert is in flight, or as in `learn`.
        """
        if expert >= len(self._in_flight) or self._in_flight[expert] < 1:
            raise InputError(f"expert {expert} has no call in flight that could be done")
        self.learn(topic, expert, success, latency, weight)
        self._in_flight[expert] -= 1

    def learn(
        self, topic: int, expert: int, success: float, latency: float, weight: float = 1.0
    ) -> None:
        """Learn from a finished call, in O(1).

        Parameters
        ----------
        topic, expert : int
            Rows, ≥ 0.
        success : float
            Probability in [0, 1] that the answer was right; 0 for a failed call.
        latency : float
            Seconds the call took (finite, ≥ 0).
        weight : float
            How much of an observation this is, in [0, 1].

        Raises
        ------
        InputError
            If a value is out of its range.
        """
        success = between("success", success, 0.0, 1.0)
        latency = between("latency", latency, 0.0)
        weight = between("weight", weight, 0.0, 1.0)
        self._make_room(row("topic", topic), row("expert", expert))
        expected = self._rate_of(topic, expert)
        self._now += 1.0
        self._learn_success(topic, expert, success, weight)
        self._learn_health(expert, success / expected, weight)
        self._learn_latency(expert, latency, weight * success)

    # -- reading --------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Finished calls so far: the time at which estimates are read."""
        return self._now

    @property
    def in_flight(self) -> IntArray:
        """Calls counted by `sent` and not by `done`, shape (experts,)."""
        return self._in_flight.copy()

    @property
    def discount(self) -> float:
        """The discount γ in force."""
        if self._discount is not None:
            return self._discount
        return 1.0 - 1.0 / max(500, 5 * len(self._ill))

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, used or reserved."""
        return self._success.size * BYTES_PER_CELL + self._ill.size * BYTES_PER_EXPERT

    def reserve(self, topics: int, experts: int) -> None:
        """Allocate for this many topics and experts now rather than as they appear."""
        if topics > 0 and experts > 0:
            self._make_room(topics - 1, experts - 1)

    def reliability(
        self, topics: Sequence[int] | IntArray, experts: Sequence[int] | IntArray
    ) -> Float64Array:
        """Give p̂, the discounted mean of success with a prior of 1/2.

        Parameters
        ----------
        topics : sequence of int, length T
        experts : sequence of int, length E

        Returns
        -------
        ndarray of float64, shape (T, E)
            In (0, 1).
        """
        cells = np.ix_(rows("topics", topics), rows("experts", experts))
        self._make_room(int(cells[0].max(initial=-1)), int(cells[1].max(initial=-1)))
        kept = self.discount ** (self._now - self._cell_time[cells])
        success, count = self._success[cells] * kept, self._count[cells] * kept
        rates: Float64Array = (success + self._prior * _PRIOR_RATE) / (count + self._prior)
        return rates

    def pooled_reliability(self, experts: Sequence[int] | IntArray) -> Float64Array:
        """Give the discounted mean of success over all topics.

        Parameters
        ----------
        experts : sequence of int, length E

        Returns
        -------
        ndarray of float64, shape (E,)
            In (0, 1); 1/2 for an expert never asked.
        """
        wanted = rows("experts", experts)
        self._make_room(-1, int(wanted.max(initial=-1)))
        kept = self.discount ** (self._now - self._cell_time[:, wanted])
        success = (self._success[:, wanted] * kept).sum(axis=0)
        count = (self._count[:, wanted] * kept).sum(axis=0)
        rates: Float64Array = (success + self._prior * _PRIOR_RATE) / (count + self._prior)
        return rates

    def health(self, experts: Sequence[int] | IntArray) -> Float64Array:
        """Give the health factor min(1, h), 1 for an expert that does what is expected of it.

        Parameters
        ----------
        experts : sequence of int, length E

        Returns
        -------
        ndarray of float64, shape (E,)
            In [0, 1].
        """
        wanted = rows("experts", experts)
        self._make_room(-1, int(wanted.max(initial=-1)))
        ill = self._ill[wanted] * self._health_memory ** (self._now - self._ill_time[wanted])
        return np.clip(1.0 - ill, 0.0, 1.0)

    def latency(self, experts: Sequence[int] | IntArray) -> Float64Array:
        """Give the expected latency: the moving average, returning to the mean of all with age.

        Parameters
        ----------
        experts : sequence of int, length E

        Returns
        -------
        ndarray of float64, shape (E,)
            In seconds; the mean of the known ones for an expert never measured, 0 where none is.
        """
        wanted = rows("experts", experts)
        self._make_room(-1, int(wanted.max(initial=-1)))
        known = self._latency[~np.isnan(self._latency)]
        mean = float(known.mean()) if known.size else 0.0
        kept = self.discount ** (self._now - self._latency_time[wanted])
        return mean + np.nan_to_num(self._latency[wanted] - mean) * kept

    def scores(
        self,
        topics: Sequence[int] | IntArray,
        experts: Sequence[int] | IntArray,
        in_flight: npt.ArrayLike,
        slots: npt.ArrayLike,
    ) -> Float32Array:
        """Give the index of each expert for each task, all tasks seeing the same load.

        Parameters
        ----------
        topics : sequence of int, length T
            Topic row of each task.
        experts : sequence of int, length E
        in_flight : array_like of int, shape (E,)
            Calls sent and not yet answered.
        slots : array_like of int, shape (E,)
            Calls (≥ 1) that an expert works on at the same time; what exceeds them waits.

        Returns
        -------
        ndarray of float32, shape (T, E)
            At most 1; the larger the better.
        """
        topic_rows, back = np.unique(rows("topics", topics), return_inverse=True)
        return index_scores(
            self.reliability(topic_rows, experts),
            back,
            self.health(experts),
            in_flight,
            slots,
            self.latency(experts),
            wait_weight=self._load_weight,
            device=self.device,
        )

    def scores_in_turn(
        self,
        topics: Sequence[int] | IntArray,
        experts: Sequence[int] | IntArray,
        in_flight: npt.ArrayLike,
        slots: npt.ArrayLike,
        allowed: npt.ArrayLike,
    ) -> Float32Array:
        """Give the index as `scores` does, each task seeing the load that those before it add.

        Of each task it is assumed that it goes to its best allowed expert. Without this a whole
        batch is sent to the expert that was free before it (a stale load report).

        Parameters
        ----------
        topics, experts, in_flight, slots
            As for `scores`.
        allowed : array_like of bool, shape (T, E)
            Who may take which task.

        Returns
        -------
        ndarray of float32, shape (T, E)
        """
        topic_rows, back = np.unique(rows("topics", topics), return_inverse=True)
        load, room = _load(in_flight, slots, len(experts))
        latency = self.latency(experts)
        mean = latency.mean() if latency.size else 0.0
        return dispatch_kernels.scores_in_turn(
            self.reliability(topic_rows, experts),
            back.astype(np.int64),
            self.health(experts),
            load,
            room,
            latency / mean if mean > 0.0 else np.ones_like(latency),
            self._load_weight,
            _choices(allowed, len(back), len(experts)),
        )

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Give everything that was learned, for `restore`; calls in flight are not part of it."""
        arrays = {
            name: getattr(self, f"_{name}").copy() for name in (*_CELL_ARRAYS, *_EXPERT_ARRAYS)
        }
        return {"version": _STATE_VERSION, "now": self._now, **arrays}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace what was learned by what `state` gave; parameters stay.

        Raises
        ------
        InputError
            If the state is of another version or its arrays do not fit together.
        """
        arrays = _checked_state(state)
        for name, array in arrays.items():
            setattr(self, f"_{name}", array)
        self._now = float(state["now"])
        self._in_flight = np.zeros(len(self._ill), dtype=np.int64)

    # -- inside -----------------------------------------------------------------------------------

    def _make_room(self, topic: int, expert: int) -> None:
        topics, experts = self._success.shape
        if topic < topics and expert < experts:
            return
        more_topics = 0 if topic < topics else max(topic + 1, 2 * topics) - topics
        more_experts = max(0, expert + 1 - experts)
        for name in _CELL_ARRAYS:
            grown = np.pad(getattr(self, f"_{name}"), ((0, more_topics), (0, more_experts)))
            setattr(self, f"_{name}", grown)
        self._ill = np.pad(self._ill, (0, more_experts))
        self._ill_time = np.pad(self._ill_time, (0, more_experts))
        self._latency = np.pad(self._latency, (0, more_experts), constant_values=np.nan)
        self._latency_time = np.pad(self._latency_time, (0, more_experts))
        self._in_flight = np.pad(self._in_flight, (0, more_experts))

    def _rate_of(self, topic: int, expert: int) -> float:
        kept = self.discount ** (self._now - self._cell_time[topic, expert])
        success = self._success[topic, expert] * kept + self._prior * _PRIOR_RATE
        return float(success / (self._count[topic, expert] * kept + self._prior))

    def _learn_success(self, topic: int, expert: int, success: float, weight: float) -> None:
        cell = (topic, expert)
        kept = self.discount ** (self._now - self._cell_time[cell])
        self._success[cell] = self._success[cell] * kept + weight * success
        self._count[cell] = self._count[cell] * kept + weight
        self._cell_time[cell] = self._now

    def _learn_health(self, expert: int, ratio: float, weight: float) -> None:
        kept = self._health_memory ** (self._now - self._ill_time[expert])
        ill = self._ill[expert] * kept
        self._ill[expert] = ill + self._health_step * weight * (1.0 - ratio - ill)
        self._ill_time[expert] = self._now

    def _learn_latency(self, expert: int, latency: float, weight: float) -> None:
        if weight == 0.0:
            return
        before = self._latency[expert]
        step = self._latency_step * weight
        known = not math.isnan(before)
        self._latency[expert] = before + step * (latency - before) if known else latency
        self._latency_time[expert] = self._now


def log_odds(index: npt.ArrayLike) -> Float32Array:
    """Turn the index into the common currency of the mixture.

    Without a wait the index is a success probability and its log-odds are taken. The wait pushes
    it below 0; under 0.05 the curve goes on as its tangent, so that the map stays strictly
    increasing and finite.

    Parameters
    ----------
    index : array_like
        At most 1.

    Returns
    -------
    ndarray of float32
        Of the same shape; 0 for an index of 1/2.
    """
    value = np.asarray(index, dtype=np.float64)
    inside = np.clip(value, _TANGENT, _CERTAIN)
    slope = 1.0 / (_TANGENT * (1.0 - _TANGENT))
    below = slope * np.minimum(0.0, value - _TANGENT)
    return (np.log(inside / (1.0 - inside)) + below).astype(np.float32)


def _load(
    in_flight: npt.ArrayLike, slots: npt.ArrayLike, experts: int
) -> tuple[Float64Array, Float64Array]:
    load = np.asarray(in_flight, dtype=np.float64)
    room = np.asarray(slots, dtype=np.float64)
    if load.shape != (experts,) or room.shape != (experts,):
        raise InputError(f"in_flight and slots need {experts} values, one an expert")
    if not (np.isfinite(load).all() and load.min(initial=0.0) >= 0.0):
        raise InputError("in_flight must be finite and ≥ 0")
    if not (np.isfinite(room).all() and room.min(initial=1.0) >= 1.0):
        raise InputError("slots must be finite and ≥ 1")
    return load, room


def _choices(allowed: npt.ArrayLike, tasks: int, experts: int) -> BoolArray:
    choices = np.ascontiguousarray(allowed, dtype=np.bool_)
    if choices.shape != (tasks, experts):
        raise InputError(f"allowed has shape {choices.shape}, not {(tasks, experts)}")
    return choices


def _checked_state(state: Mapping[str, Any]) -> dict[str, Float64Array]:
    if state.get("version") != _STATE_VERSION:
        raise InputError(f"a router of version {state.get('version')}; known: {_STATE_VERSION}")
    arrays = {
        name: np.array(state[name], dtype=np.float64) for name in (*_CELL_ARRAYS, *_EXPERT_ARRAYS)
    }
    cells = arrays["success"].shape
    for name, array in arrays.items():
        if array.shape != (cells if name in _CELL_ARRAYS else cells[-1:]):
            raise InputError(f"router: {name} has shape {array.shape}, success has {cells}")
        if np.isinf(array).any() or (name != "latency" and np.isnan(array).any()):
            raise InputError(f"router: {name} holds NaN or infinite values")
    return arrays
