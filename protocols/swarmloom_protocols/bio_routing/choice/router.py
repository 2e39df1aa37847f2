"""Choice among experts by reliability, latency and load, as an ant colony chooses among ways.

The trail is averaged and discounted rather than summed, the choice is by the largest index rather
than in proportion, and load counts from the moment a task is sent. The index of expert e for a
task of topic k is

    p̂(k, e) · min(1, h(e)) − λ · max(0, in_flight(e) + 1 − slots(e)) / slots(e) · L(e) / L̄

with p̂ the discounted rate of success, h the health factor, L the expected latency and L̄ its mean
over the experts. Time is counted in finished calls, so that a run is reproducible from its seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from swarmloom.device import Device
from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice import dispatch_kernels
from swarmloom_protocols.bio_routing.choice.estimates import Estimates
from swarmloom_protocols.bio_routing.choice.score_kernels import WAIT_WEIGHT, index_scores
from swarmloom_protocols.checks import between, row, rows

__all__ = ["Router", "log_odds"]

BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Below this index the logit goes on as its tangent: overloaded experts keep their order.
_TANGENT = 0.05
_CERTAIN = 1.0 - 1e-6


class Router:
    """The index of each expert for each task, made of what is known of it and of its load.

    Not safe for concurrent writers: the caller holds the lock.

    Parameters
    ----------
    estimates : Estimates, optional
        What is known of the experts; nothing by default.
    load_weight : float
        λ, what one expected wait of a mean latency costs, in units of success rate (≥ 0).

    Attributes
    ----------
    estimates : Estimates
        What is known of the experts; learn by its `answered` and `failed`.
    device : {"auto", "cpu", "cuda"}
        Where `scores` are computed.

    Raises
    ------
    InputError
        If `load_weight` is out of its range.
    """

    def __init__(
        self, estimates: Estimates | None = None, *, load_weight: float = WAIT_WEIGHT
    ) -> None:
        self.estimates = estimates or Estimates()
        self.device: Device = "auto"
        self._load_weight = between("load_weight", load_weight, 0.0)
        self._in_flight: IntArray = np.zeros(0, dtype=np.int64)

    def sent(self, expert: int) -> None:
        """Count a call from the moment it is sent, for callers that keep no count of their own.

        Parameters
        ----------
        expert : int
            Its row.
        """
        more = max(0, row("expert", expert) + 1 - len(self._in_flight))
        self._in_flight = np.pad(self._in_flight, (0, more))
        self._in_flight[expert] += 1

    def done(self, expert: int) -> None:
        """Take a call that was `sent` out of the count.

        Raises
        ------
        InputError
            If no call of this expert is in flight.
        """
        if row("expert", expert) >= len(self._in_flight) or self._in_flight[expert] < 1:
            raise InputError(f"expert {expert} has no call in flight that could be done")
        self._in_flight[expert] -= 1

    def in_flight(self, experts: Sequence[int] | IntArray) -> IntArray:
        """Give the calls counted by `sent` and not by `done`.

        Parameters
        ----------
        experts : sequence of int, length E

        Returns
        -------
        ndarray of int64, shape (E,)
        """
        wanted = rows("experts", experts)
        more = max(0, int(wanted.max(initial=-1)) + 1 - len(self._in_flight))
        return np.pad(self._in_flight, (0, more))[wanted]

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
            self.estimates.reliability(topic_rows, experts),
            back,
            self.estimates.health(experts),
            in_flight,
            slots,
            self.estimates.latency(experts),
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
        *,
        prices: npt.ArrayLike = 0.0,
        sends: float = 1.0,
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
        prices : array_like, shape (E,), optional
            What else is taken off each expert's index, such as the price of a call, in units of
            success rate.
        sends : float, optional
            By how much each task adds to the load (≥ 1): more than 1 where others, who do not see
            these tasks, send to the same experts meanwhile.

        Returns
        -------
        ndarray of float32, shape (T, E)
        """
        topic_rows, back = np.unique(rows("topics", topics), return_inverse=True)
        load, room = _load(in_flight, slots, len(experts))
        latency = self.estimates.latency(experts)
        mean = latency.mean() if latency.size else 0.0
        return dispatch_kernels.scores_in_turn(
            self.estimates.reliability(topic_rows, experts),
            back.astype(np.int64),
            self.estimates.health(experts),
            load,
            room,
            latency / mean if mean > 0.0 else np.ones_like(latency),
            self._load_weight,
            _prices(prices, len(experts)),
            between("sends", sends, 1.0),
            _choices(allowed, len(back), len(experts)),
        )


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


def _prices(prices: npt.ArrayLike, experts: int) -> Float64Array:
    given = np.asarray(prices, dtype=np.float64)
    if given.shape not in ((), (experts,)) or not np.isfinite(given).all():
        raise InputError(f"prices: allowed: one finite number, or {experts}, one an expert")
    return np.full(experts, given)


def _choices(allowed: npt.ArrayLike, tasks: int, experts: int) -> BoolArray:
    choices = np.ascontiguousarray(allowed, dtype=np.bool_)
    if choices.shape != (tasks, experts):
        raise InputError(f"allowed has shape {choices.shape}, not {(tasks, experts)}")
    return choices
