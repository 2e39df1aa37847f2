"""Calls for `threading_layers`: each a function of the thread's number that returns numbers."""

import threading

import numba
import numpy as np

from swarmloom.device import use_threads
from swarmloom.random_streams32 import uniforms32
from swarmloom_protocols.stigmergy.decay_kernels import decayed
from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm


def decay(i):
    rng = np.random.default_rng(i)
    with use_threads(2):
        return decayed(rng.random(600_000), rng.uniform(0.0, 9.0, 600_000), 10.0, 3.0, "cpu")


def random_numbers(i):
    with use_threads(2):
        return uniforms32(i, 1, 600_000, device="cpu")


def swarm(i):
    """Agents in parts and rows in bands: threads within threads."""
    one = PhysarumSwarm(70_000, (800, 700), seed=i, device="cpu")
    with use_threads(3):
        one.step(2)
    return np.concatenate([one.positions.ravel(), one.trail.ravel()])


def deposits(i):
    """Every deposit of every agent, as a whole number."""
    one = PhysarumSwarm(
        70_000 + i,
        (300, 300),
        deposit=1.0,
        decay=0.0,
        diffusion=0.0,
        positions=np.tile([150.0, 150.0], (70_000 + i, 1)),
        seed=i,
        device="cpu",
    )
    with use_threads(3):
        one.step(2)
    total = one.trail.sum(dtype=np.int64)
    assert total == 2 * one.n
    return total


_lock, _together = threading.Lock(), threading.Barrier(8)


@numba.njit(parallel=True)
def _parallel_total(values):
    total = 0.0
    for i in numba.prange(values.size):
        total += values[i]
    return total


def parallel_code(_):
    """What the protocols do not do: parallel code in several threads at once."""
    with _lock:
        _parallel_total(np.ones(10))
    _together.wait()
    return max(_parallel_total(np.ones(1_000_000)) for _ in range(20))
