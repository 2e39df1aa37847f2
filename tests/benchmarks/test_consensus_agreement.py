"""What a signed agreement and a round of gossip cost, and how that grows.

Run with ``pytest tests/benchmarks/test_consensus_agreement.py --benchmark-enable -s``. The peer of
a push-sum round, in the same run, is the same round in vectorised NumPy with its own generator.
Times are of CPU, the least of several repeats.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from swarmloom_protocols.consensus.byzantine.simulation import simulate_agreement
from swarmloom_protocols.consensus.gossip.kernels import draw_partners, push_sum_round
from swarmloom_protocols.consensus.gossip.networks import neighbours_of
from tests.benchmarks.measuring import least_cpu_seconds, tell

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
NODES = [1_000, 100_000, 1_000_000] if FULL else [1_000]
GROUPS = [4, 10, 31] if FULL else [4]
REPEATS = 7 if FULL else 2


def numpy_round(sums, weights, rng):
    """The same round: keep half, give half to somebody else."""
    n = len(sums)
    to = rng.integers(n - 1, size=n)
    to += to >= np.arange(n)
    sums, weights = 0.5 * sums, 0.5 * weights
    return sums + np.bincount(to, sums, n), weights + np.bincount(to, weights, n)


@pytest.mark.parametrize("nodes", NODES)
def test_a_round_of_push_sum(benchmark, nodes):
    rng = np.random.default_rng(0)
    shares = np.column_stack([np.ones(nodes), rng.random(nodes)])
    after, partners = np.empty_like(shares), np.empty(nodes, np.int64)
    network = neighbours_of(nodes)

    def ours():
        draw_partners(partners, *network, 1, 0)
        push_sum_round(shares, after, partners)

    columns = np.ascontiguousarray(shares.T)
    ours()
    benchmark.pedantic(ours, rounds=1)
    mine = least_cpu_seconds(ours, REPEATS)
    peer = least_cpu_seconds(lambda: numpy_round(*columns, rng), REPEATS)
    np.testing.assert_allclose(after.sum(), shares.sum())
    tell(
        benchmark,
        f"push-sum round, {nodes:,} nodes",
        nanoseconds_a_node=1e9 * mine / nodes,
        numpy_over_ours=peer / mine,
    )


@pytest.mark.parametrize("members", GROUPS)
def test_an_agreement(benchmark, members):
    values = [f"value {number}" for number in range(members)]

    def ours():
        return simulate_agreement(values, rng=np.random.default_rng(0))

    result = benchmark.pedantic(ours, rounds=1)
    assert len(set(result.decided)) == 1
    tell(
        benchmark,
        f"agreement of {members}",
        milliseconds=1e3 * least_cpu_seconds(ours, REPEATS),
        messages=result.messages,
    )
