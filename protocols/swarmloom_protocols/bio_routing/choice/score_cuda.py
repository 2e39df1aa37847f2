"""The CUDA kernel of `swarmloom_protocols.bio_routing.choice.score_kernels`, a thread a score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.bio_routing.choice.score_kernels import index_score

__all__ = ["score"]

cuda = numba_cuda()


@kernel(
    "void(float64[:, ::1], int64[::1], float64[::1], float64[::1], float64[::1], float64[::1], "
    "float64, float32[:, ::1])"
)
def score(
    reliability: NDArray[np.float64],
    topics: NDArray[np.int64],
    health: NDArray[np.float64],
    in_flight: NDArray[np.float64],
    slots: NDArray[np.float64],
    relative_latency: NDArray[np.float64],
    wait_weight: float,
    scores: NDArray[np.float32],
) -> None:
    """Write the score of every expert for every task."""
    n_tasks, n_experts = scores.shape
    i = cuda.grid(1)
    if i < n_tasks * n_experts:
        task, expert = i // n_experts, i % n_experts
        scores[task, expert] = index_score(
            reliability[topics[task], expert],
            health[expert],
            in_flight[expert],
            slots[expert],
            relative_latency[expert],
            wait_weight,
        )
