"""Calls for `threading_layers`: each a function of the thread's number that returns numbers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from swarmloom.device import use_threads
from swarmloom.random_streams32 import uniforms32
from swarmloom_protocols.stigmergy.decay_kernels import decayed
from swarmloom_protocols.stigmergy.field.field import PheromoneField
from swarmloom_protocols.stigmergy.field.reaction_networks import ReactionNetwork, parse_reactions
from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm
from swarmloom_protocols.stigmergy.walkers.strategies import GradientAscent
from swarmloom_protocols.stigmergy.walkers.walkers import Walkers


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


def _places(i, count=50_000):
    return np.random.default_rng(i).uniform(0.0, 899.0, (count, 2))


def field_deposits(i):
    """Eight more threads deposit in one field at once: nothing is lost, no order is seen."""
    field = PheromoneField((900, 900), 1, device="cpu")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda part: field.deposit(_places(10 * i + part), 1.0), range(8)))
    assert field.mass() == 8 * 50_000
    return field.amounts.ravel()[::97]


def field_steps(i):
    """Steps, a jump, a reaction and sensing of a field of the thread's own."""
    field = PheromoneField((800, 900), ["a", "b"], diffusion=0.2, device="cpu")
    field.deposit(_places(i) * [0.88, 1.0], 1.0, channel="a")
    network = ReactionNetwork(["a", "b"], parse_reactions("a -> b", 0.1))
    with use_threads(3):
        field.step(9)
        field.react(network, 0.5)
        field.advance(200.0)
        return field.sense(_places(i, 500) * [0.88, 1.0], channel="b")


def walkers(i):
    field = PheromoneField((300, 300), 1, device="cpu")
    field.deposit(_places(i) / 3.1, 1.0)
    crowd = Walkers(40_000, (300, 300), strategy=GradientAscent(), seed=i)
    with use_threads(3):
        crowd.move(field, 2, device="cpu")
    return crowd.positions.ravel()


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
