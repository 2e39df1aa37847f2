"""The routing score of a batch whose tasks are sent one after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.choice.score_kernels import index_score

__all__ = ["scores_in_turn"]


@kernel
def scores_in_turn(
    reliability: npt.NDArray[np.float64],
    topics: npt.NDArray[np.int64],
    health: npt.NDArray[np.float64],
    in_flight: npt.NDArray[np.float64],
    slots: npt.NDArray[np.float64],
    relative_latency: npt.NDArray[np.float64],
    wait_weight: float,
    prices: npt.NDArray[np.float64],
    sends: float,
    allowed: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float32]:
    """Score task by task, each seeing the load that those before it add.

    Parameters
    ----------
    reliability : ndarray of float64, shape (topics, E)
        Expected success.
    topics : ndarray of int64, shape (T,)
        Row of `reliability` of each task.
    health : ndarray of float64, shape (E,)
        Health factor of each expert.
    in_flight : ndarray of float64, shape (E,)
        Calls sent before the batch.
    slots : ndarray of float64, shape (E,)
        Calls (≥ 1) that an expert works on at the same time.
    relative_latency : ndarray of float64, shape (E,)
        Expected latency over its mean.
    wait_weight : float
        λ of the index.
    prices : ndarray of float64, shape (E,)
        What else is taken off each expert's score.
    sends : float
        By how much a task adds to the load.
    allowed : ndarray of bool, shape (T, E)
        Who may take which task; each is taken to go to its best allowed expert.

    Returns
    -------
    ndarray of float32, shape (T, E)
    """
    n_tasks, n_experts = allowed.shape
    scores = np.empty((n_tasks, n_experts), dtype=np.float32)
    load = in_flight.copy()
    for task in range(n_tasks):
        best = -1
        for expert in range(n_experts):
            index = index_score(
                reliability[topics[task], expert],
                health[expert],
                load[expert],
                slots[expert],
                relative_latency[expert],
                wait_weight,
            )
            scores[task, expert] = index - prices[expert]
            if allowed[task, expert] and (best < 0 or scores[task, expert] > scores[task, best]):
                best = expert
        if best >= 0:
            load[best] += sends
    return scores
