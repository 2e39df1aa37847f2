"""The index by which experts are chosen: reliability less the expected wait.

For an expert with reliability p̂ in the task's topic, health h, q tasks under way, c slots and
latency l, the score is p̂ · min(1, h) - λ · max(0, q + 1 - c) / c · l / mean l. In simulated crews
the discounted mean less λ = 0.4 times the wait did best of eleven rules, and λ from 0.3 to 0.5 did
alike; health makes the score leave an expert that begins to fail fast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = ["index_score", "index_scores"]

Vector = NDArray[np.float64]

WAIT_WEIGHT = 0.4


@kernel
def index_score(
    reliability: float,
    health: float,
    in_flight: float,
    slots: float,
    relative_latency: float,
    wait_weight: float,
) -> float:
    """Return the score of one expert for one task; callable in CPU and CUDA kernels."""
    wait = max(0.0, in_flight + 1.0 - slots) / slots * relative_latency
    return reliability * min(1.0, health) - wait_weight * wait


@kernel
def _score(
    reliability: NDArray[np.float64],
    topics: NDArray[np.int64],
    health: NDArray[np.float64],
    in_flight: NDArray[np.float64],
    slots: NDArray[np.float64],
    relative_latency: NDArray[np.float64],
    wait_weight: float,
    scores: NDArray[np.float32],
) -> None:
    n_tasks, n_experts = scores.shape
    for task in range(n_tasks):
        topic = topics[task]
        for expert in range(n_experts):
            scores[task, expert] = index_score(
                reliability[topic, expert],
                health[expert],
                in_flight[expert],
                slots[expert],
                relative_latency[expert],
                wait_weight,
            )


def index_scores(
    reliability: ArrayLike,
    topics: ArrayLike,
    health: ArrayLike,
    in_flight: ArrayLike,
    slots: ArrayLike,
    latency: ArrayLike,
    *,
    wait_weight: float = WAIT_WEIGHT,
    device: Device = "auto",
) -> NDArray[np.float32]:
    """Score every expert for every task.

    Parameters
    ----------
    reliability : array-like of float64, shape (topics, experts)
        Estimated share of successes, p̂.
    topics : array-like of int, shape (tasks,)
        Topic of each task, a row of `reliability`.
    health : array-like of float64, shape (experts,)
        1 for an expert that does as well as p̂ says, less for one that has begun to fail.
    in_flight : array-like, shape (experts,)
        Tasks sent and not yet answered, whoever sent them.
    slots : array-like, shape (experts,)
        Tasks that an expert works on at once, at least 1.
    latency : array-like of float64, shape (experts,)
        Estimated time for a task, in any unit; compared with the mean over experts.
    wait_weight : float, optional
        λ: what a wait of one mean latency costs, in units of reliability.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Returns
    -------
    ndarray of float32, shape (tasks, experts)

    Raises
    ------
    InputError
        A shape does not fit, a value is not finite or out of its range, or there is no such topic.
    """
    if np.ndim(reliability) != 2:
        raise InputError(f"reliability: shape {np.shape(reliability)}, not (topics, experts)")
    table = _finite("reliability", reliability, np.shape(reliability))
    n_topics, n_experts = table.shape
    rows = _topic_rows(topics, n_topics)
    experts = _experts(n_experts, health, in_flight, slots, latency)
    weight = float(_finite("wait_weight", wait_weight, ()))
    scores = np.empty((rows.size, n_experts), np.float32)
    if resolve(device, size=scores.size) == "cuda":
        from swarmloom_protocols.bio_routing.choice.score_cuda import score

        score(scores.size, (table, rows, *experts, weight), (scores,))
    else:

        def one_band(start: int, stop: int) -> None:
            _score(table, rows[start:stop], *experts, weight, scores[start:stop])

        map_bands(one_band, rows.size, n_experts)
    return scores


def _experts(
    count: int, health: ArrayLike, in_flight: ArrayLike, slots: ArrayLike, latency: ArrayLike
) -> tuple[Vector, Vector, Vector, Vector]:
    """Return health, tasks under way, slots and relative latency of each expert, checked."""
    shape = (count,)
    return (
        _finite("health", health, shape, least=0.0),
        _finite("in_flight", in_flight, shape, least=0.0),
        _finite("slots", slots, shape, least=1.0),
        _relative(_finite("latency", latency, shape, least=0.0)),
    )


def _relative(latency: Vector) -> Vector:
    longest = latency.max(initial=0.0)
    if longest == 0.0:  # No expert has taken any time yet: all are alike.
        return np.ones_like(latency)
    # Scaled first, for the sum of large latencies could overflow.
    relative: Vector = latency / longest
    relative /= relative.mean()
    return relative


def _finite(name: str, values: ArrayLike, shape: tuple[int, ...], least: float = -np.inf) -> Vector:
    array = np.ascontiguousarray(values, np.float64).reshape(np.shape(values))
    if array.shape != shape:
        raise InputError(f"{name}: shape {array.shape}, not {shape}")
    wrong = ~(np.isfinite(array) & (array >= least))
    if wrong.any():
        bound = "" if least == -np.inf else f" of at least {least:g}"
        raise InputError(f"{name}: {array[wrong].flat[0]} is not a finite number{bound}")
    return array


def _topic_rows(topics: ArrayLike, n_topics: int) -> NDArray[np.int64]:
    given = np.asarray(topics)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise InputError(f"topics: {given.dtype} of shape {given.shape}, not a vector of integers")
    rows = np.ascontiguousarray(given, np.int64)
    wrong = (rows < 0) | (rows >= n_topics)
    if wrong.any():
        raise InputError(f"topics: {rows[wrong][0]} is not one of {n_topics} rows of reliability")
    return rows
