"""Random streams, decay of trails, scores of experts."""

import numpy as np

from swarmloom.random_streams import uniforms
from swarmloom_protocols.bio_routing.choice.score_kernels import index_scores
from swarmloom_protocols.stigmergy.decay_kernels import decayed
from tests.naive import decay, philox, routing_score
from tests.protocols.cuda_cases.case import Case


def trail(rng, size):
    amounts = rng.lognormal(0.0, 3.0, size).astype(np.float32)
    times = rng.uniform(0.0, 120.0, size)
    # Never visited, visited so long ago that float32 cannot say it, and forever ago.
    times[: size // 10] = -np.inf
    times[size // 10 : size // 5] = -1500.0
    return amounts, times, 100.0, 10.0


def crew(rng, size):
    n_topics, n_experts = 3, max(1, size // 7)
    return (
        rng.random((n_topics, n_experts)),
        rng.integers(0, n_topics, 7 if size else 0),
        rng.uniform(0.0, 1.5, n_experts),
        rng.integers(0, 6, n_experts),
        rng.integers(1, 4, n_experts),
        rng.lognormal(0.0, 1.0, n_experts),
    )


CASES = {
    "swarmloom.random_streams_cuda.fill": Case(
        uniforms, philox.uniforms, lambda rng, size: (int(rng.integers(2**63)), 2**63 + 5, size)
    ),
    "swarmloom_protocols.stigmergy.decay_cuda.decay": Case(decayed, decay.decayed, trail),
    "swarmloom_protocols.bio_routing.choice.score_cuda.score": Case(
        index_scores, routing_score.index_scores, crew
    ),
}
