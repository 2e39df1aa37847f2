"""What is known of each expert: does it answer, is it right, is it well, how long does it take.

Time is counted in finished calls, so that a run is reproducible from its seed. Estimates decay
when they are read: learning from a call costs O(1) however many experts and topics there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice.pheromone import WELL_FROM
from swarmloom_protocols.checks import between, positive, row, rows

__all__ = ["BYTES_PER_CELL", "BYTES_PER_EXPERT", "Estimates"]

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# As many arrays of float64 as are named below.
BYTES_PER_CELL = 3 * 8
BYTES_PER_EXPERT = 6 * 8

_STATE_VERSION = 1
_DEVIATIONS = 2.0
_CELL_ARRAYS = ("right", "judged", "cell_time")
_EXPERT_ARRAYS = ("missed", "calls", "ill", "call_time", "latency", "latency_time")


class Estimates:
    """Discounted rates of answering and of being right, health and latency of each expert.

    Topics and experts are rows ≥ 0 that the caller hands out; unknown ones start from the prior.
    Not safe for concurrent writers: the caller holds the lock.

    Parameters
    ----------
    discount : float or None
        γ in (0, 1], by which each finished call discounts earlier ones; None takes
        1 − 1/max(500, 5·experts).
    prior : float
        Observations (> 0) that the prior rates count for: 1 of answering, 1/2 of being right.
    health_step : float
        Step in [0, 1] of the health factor; 0 switches it off.
    health_memory : float
        Factor in (0, 1] by which each finished call shrinks 1 − h.
    latency_step : float
        Step in (0, 1] of the moving average of latencies.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Notes
    -----
    Whether a call brings an answer is always seen, whether the answer is right only for those that
    are judged. Their rates are kept apart, so that failures weigh as much as they should however
    few answers are judged.

    Health moves by h ← h + step · (y/p̂ − h) with each outcome y, so that an expert that suddenly
    fails is left long before its discounted mean has moved. Fast failures earn no latency: L
    averages answers in proportion to their being right. An estimate that nobody renews returns to
    the mean of all.
    """

    def __init__(
        self,
        *,
        discount: float | None = None,
        prior: float = 2.0,
        health_step: float = 0.1,
        health_memory: float = 0.999,
        latency_step: float = 0.1,
    ) -> None:
        self._discount = None if discount is None else positive("discount", discount, 1.0)
        self._prior = positive("prior", prior)
        self._health_step = between("health_step", health_step, 0.0, 1.0)
        self._health_memory = positive("health_memory", health_memory, 1.0)
        self._latency_step = positive("latency_step", latency_step, 1.0)
        self._now = 0.0
        self._right, self._judged, self._cell_time = (np.zeros((0, 0)) for _ in range(3))
        # What is missing to 1 (answers, health) starts at 0 and decays to 0.
        self._missed, self._calls, self._ill, self._call_time = (np.zeros(0) for _ in range(4))
        self._latency, self._latency_time = np.full(0, np.nan), np.zeros(0)

    # -- learning -------------------------------------------------------------------------------

    def answered(
        self,
        topic: int,
        expert: int,
        latency: float,
        right: float | None = None,
        weight: float = 1.0,
    ) -> None:
        """Learn from a call that brought an answer, in O(1).

        Parameters
        ----------
        topic, expert : int
            Rows, ≥ 0.
        latency : float
            Seconds the call took (finite, ≥ 0).
        right : float, optional
            Probability in [0, 1] that the answer was right; None when nothing speaks for or
            against it.
        weight : float
            How much of an observation `right` is, in [0, 1].

        Raises
        ------
        InputError
            If a value is out of its range.
        """
        latency = between("latency", latency, 0.0)
        right = None if right is None else between("right", right, 0.0, 1.0)
        weight = 0.0 if right is None else between("weight", weight, 0.0, 1.0)
        self._make_room(row("topic", topic), row("expert", expert))
        expected = self._right_rate(topic, expert)
        found = expected if right is None else right
        self._learn_answering(expert, 1.0, 1.0 + weight * (found / expected - 1.0))
        self._learn_right(topic, expert, found, weight)
        self._learn_latency(expert, latency, found)

    def failed(self, expert: int) -> None:
        """Learn from a call that brought no answer, in O(1).

        Parameters
        ----------
        expert : int
            Its row, ≥ 0.
        """
        self._make_room(0, row("expert", expert))
        self._learn_answering(expert, 0.0, 0.0)

    def repaired(self, expert: int) -> None:
        """Forget failures and illness of an expert; what it is right at is kept.

        Parameters
        ----------
        expert : int
            Its row, ≥ 0.
        """
        self._make_room(-1, row("expert", expert))
        self._missed[expert] = self._calls[expert] = self._ill[expert] = 0.0

    # -- reading --------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Finished calls so far: the time at which estimates are read."""
        return self._now

    @property
    def discount(self) -> float:
        """The discount γ in force."""
        if self._discount is not None:
            return self._discount
        return 1.0 - 1.0 / max(500, 5 * len(self._ill))

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, used or reserved."""
        return self._right.size * BYTES_PER_CELL + self._ill.size * BYTES_PER_EXPERT

    def reserve(self, topics: int, experts: int) -> None:
        """Allocate for this many topics and experts now rather than as they appear."""
        if topics > 0 and experts > 0:
            self._make_room(topics - 1, experts - 1)

    def reliability(
        self, topics: Sequence[int] | IntArray, experts: Sequence[int] | IntArray
    ) -> Float64Array:
        """Give p̂: the rate of answering times the rate of being right on the topic.

        Both are discounted means; that of answering starts from 1, that of being right from 1/2.

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
        right, judged = self._right[cells] * kept, self._judged[cells] * kept
        answering = self._answering_rates(cells[1][0])
        rates: Float64Array = answering * (right + self._prior / 2) / (judged + self._prior)
        return rates

    def pooled_reliability(self, experts: Sequence[int] | IntArray) -> Float64Array:
        """Give the rate of answering times the rate of being right over all topics.

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
        right = (self._right[:, wanted] * kept).sum(axis=0)
        judged = (self._judged[:, wanted] * kept).sum(axis=0)
        answering = self._answering_rates(wanted)
        rates: Float64Array = answering * (right + self._prior / 2) / (judged + self._prior)
        return rates

    def believable_reliability(
        self, topics: Sequence[int] | IntArray, experts: Sequence[int] | IntArray
    ) -> Float64Array:
        """Give the optimistic end of reliability, two standard deviations above it, times health.

        Whoever is not known well is believed to be good; so is, in time, whoever is not asked.
        Health counts from where it no longer scatters by itself: min(1, h / 0.8).

        Parameters
        ----------
        topics : sequence of int, length T
        experts : sequence of int, length E

        Returns
        -------
        ndarray of float64, shape (T, E)
            In [0, 1].
        """
        rate = self.reliability(topics, experts)
        cells = np.ix_(rows("topics", topics), rows("experts", experts))
        kept = self.discount ** (self._now - self._cell_time[cells])
        count = self._judged[cells] * kept + self._prior
        best = rate + _DEVIATIONS * np.sqrt(rate * (1.0 - rate) / count)
        well = np.minimum(1.0, self.health(experts) / WELL_FROM)
        believable: Float64Array = well * np.minimum(1.0, best)
        return believable

    def measured_latency(self, experts: Sequence[int] | IntArray) -> Float64Array:
        """Give what is left of each expert's own latency: 0 where nothing was measured.

        Parameters
        ----------
        experts : sequence of int, length E

        Returns
        -------
        ndarray of float64, shape (E,)
            In seconds; it fades as long as nobody renews it.
        """
        wanted = rows("experts", experts)
        self._make_room(-1, int(wanted.max(initial=-1)))
        kept = self.discount ** (self._now - self._latency_time[wanted])
        measured: Float64Array = np.nan_to_num(self._latency[wanted]) * kept
        return measured

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
        ill = self._ill[wanted] * self._health_memory ** (self._now - self._call_time[wanted])
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

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Give everything that was learned, for `restore`."""
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

    # -- inside -----------------------------------------------------------------------------------

    def _make_room(self, topic: int, expert: int) -> None:
        topics, experts = self._right.shape
        if topic < topics and expert < experts:
            return
        more_topics = 0 if topic < topics else max(topic + 1, 2 * topics) - topics
        more_experts = max(0, expert + 1 - experts)
        for name in _CELL_ARRAYS:
            grown = np.pad(getattr(self, f"_{name}"), ((0, more_topics), (0, more_experts)))
            setattr(self, f"_{name}", grown)
        for name in _EXPERT_ARRAYS:
            never = np.nan if name == "latency" else 0.0
            grown = np.pad(getattr(self, f"_{name}"), (0, more_experts), constant_values=never)
            setattr(self, f"_{name}", grown)

    def _right_rate(self, topic: int, expert: int) -> float:
        kept = self.discount ** (self._now - self._cell_time[topic, expert])
        right = self._right[topic, expert] * kept + self._prior / 2
        return float(right / (self._judged[topic, expert] * kept + self._prior))

    def _answering_rates(self, experts: IntArray) -> Float64Array:
        kept = self.discount ** (self._now - self._call_time[experts])
        missed, calls = self._missed[experts] * kept, self._calls[experts] * kept
        rates: Float64Array = 1.0 - missed / (calls + self._prior)
        return rates

    def _learn_answering(self, expert: int, answered: float, ratio: float) -> None:
        """Count a call; `ratio` is how right it was over how right it was expected to be."""
        expected = float(self._answering_rates(np.array([expert]))[0])
        self._now += 1.0
        kept = self.discount ** (self._now - self._call_time[expert])
        healed = self._health_memory ** (self._now - self._call_time[expert])
        self._missed[expert] = self._missed[expert] * kept + 1.0 - answered
        self._calls[expert] = self._calls[expert] * kept + 1.0
        ill = self._ill[expert] * healed
        self._ill[expert] = ill + self._health_step * (1.0 - ratio / expected - ill)
        self._call_time[expert] = self._now

    def _learn_right(self, topic: int, expert: int, right: float, weight: float) -> None:
        cell = (topic, expert)
        kept = self.discount ** (self._now - self._cell_time[cell])
        self._right[cell] = self._right[cell] * kept + weight * right
        self._judged[cell] = self._judged[cell] * kept + weight
        self._cell_time[cell] = self._now

    def _learn_latency(self, expert: int, latency: float, weight: float) -> None:
        if weight == 0.0:
            return
        before = self._latency[expert]
        step = self._latency_step * weight
        known = not math.isnan(before)
        self._latency[expert] = before + step * (latency - before) if known else latency
        self._latency_time[expert] = self._now


def _checked_state(state: Mapping[str, Any]) -> dict[str, Float64Array]:
    if state.get("version") != _STATE_VERSION:
        raise InputError(f"estimates of version {state.get('version')}; known: {_STATE_VERSION}")
    arrays = {
        name: np.array(state[name], dtype=np.float64) for name in (*_CELL_ARRAYS, *_EXPERT_ARRAYS)
    }
    cells = arrays["right"].shape
    for name, array in arrays.items():
        if array.shape != (cells if name in _CELL_ARRAYS else cells[-1:]):
            raise InputError(f"estimates: {name} has shape {array.shape}, right has {cells}")
        if np.isinf(array).any() or (name != "latency" and np.isnan(array).any()):
            raise InputError(f"estimates: {name} holds NaN or infinite values")
    return arrays
