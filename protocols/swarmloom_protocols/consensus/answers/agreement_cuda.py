"""The CUDA kernel of `swarmloom_protocols.consensus.answers.agreement`.

A thread has one pair of agents in one band of items: neighbouring threads read neighbouring votes
of the same item.
"""

from __future__ import annotations

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.agreement import BAND_ITEMS, add_pair

__all__ = ["add"]

cuda = numba_cuda()


@kernel("void(int64[:,::1], float64[::1], float64[:,:,:,::1])")
def add(votes: IntArray, chance: FloatArray, sums: FloatArray) -> None:
    """Write the sums of each pair in each band."""
    index = cuda.grid(1)
    n_agents = votes.shape[1]
    pairs = n_agents * n_agents
    if index < sums.shape[0] * pairs:
        band, first, second = index // pairs, index % pairs // n_agents, index % n_agents
        # A pair of an agent with itself tells nothing: its sums stay 0.
        start = band * BAND_ITEMS if first != second else votes.shape[0]
        both, alike, expected = add_pair(votes, chance, first, second, start)
        sums[band, 0, first, second] = both
        sums[band, 1, first, second] = alike
        sums[band, 2, first, second] = expected
