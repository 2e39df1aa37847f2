"""Random numbers, flights, sensors and walkers, each beside what one would use without them.

Run with ``pytest tests/benchmarks/test_stigmergy_walkers.py --benchmark-enable``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` for sizes that outweigh the overheads. All on one thread.
"""

import os
import time

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import map_coordinates

from swarmloom.device import use_threads
from swarmloom.random_streams import uniforms
from swarmloom.random_streams32 import uniforms32
from swarmloom_protocols.stigmergy.walkers.levy import levy_lengths
from swarmloom_protocols.stigmergy.walkers.sensors import Sensors, sense
from swarmloom_protocols.stigmergy.walkers.strategies import STRATEGIES
from swarmloom_protocols.stigmergy.walkers.walkers import Walkers
from tests.benchmarks.measuring import least_cpu_seconds

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
DRAWS = 1 << (20 if FULL else 12)
WALKERS = 100_000 if FULL else 200
ROUNDS = 20 if FULL else 2
EXPONENT = 2.5


def mantegna(rng, count, alpha=EXPONENT - 1.0):
    """Mantegna, Physical Review E 49, 1994: a ratio of normal numbers with a power tail."""
    from scipy.special import gamma

    top = gamma(1.0 + alpha) * np.sin(np.pi * alpha / 2.0)
    bottom = gamma((1.0 + alpha) / 2.0) * alpha * 2.0 ** ((alpha - 1.0) / 2.0)
    sigma = (top / bottom) ** (1.0 / alpha)
    return np.abs(
        sigma * rng.standard_normal(count) / np.abs(rng.standard_normal(count)) ** (1 / alpha)
    )


UNIFORM_PEERS = {
    "NumPy PCG64 float32": lambda rng, count: rng.random(count, np.float32),
    "NumPy Philox float64": lambda _, count: np.random.Generator(np.random.Philox(1)).random(count),
    "Philox-4x32 float64": lambda _, count: uniforms(1, 2, count, device="cpu"),
}
LEVY_PEERS = {
    "NumPy expression": lambda rng, count: (1.0 - rng.random(count)) ** (-1.0 / (EXPONENT - 1.0)),
    "NumPy pareto": lambda rng, count: 1.0 + rng.pareto(EXPONENT - 1.0, count),
    "Mantegna": mantegna,
    "scipy levy_stable": lambda rng, count: stats.levy_stable.rvs(
        EXPONENT - 1.0, 0.0, size=count, random_state=rng
    ),
}


def least_seconds(function, *arguments):
    return least_cpu_seconds(lambda: function(*arguments), 4, time.thread_time)


def report(benchmark, name, items, own, peers):
    """Million items a CPU second, and how many times faster than each peer."""
    benchmark.extra_info["million_per_second"] = items / own / 1e6
    lines = [f"{name}: {items / own / 1e6:.1f} M/s"]
    for peer, seconds in peers.items():
        benchmark.extra_info[peer] = seconds / own
        lines.append(f"  {peer}: {items / seconds / 1e6:.1f} M/s, {seconds / own:.1f} times slower")
    print("\n" + "\n".join(lines))  # noqa: T201


@pytest.mark.benchmark(group="uniform numbers")
def test_uniform_numbers(benchmark):
    def own():
        uniforms32(1, 2, DRAWS, device="cpu")

    rng = np.random.default_rng(1)
    with use_threads(1):
        benchmark.pedantic(own, rounds=ROUNDS, warmup_rounds=1)
        peers = {name: least_seconds(peer, rng, DRAWS) for name, peer in UNIFORM_PEERS.items()}
        report(benchmark, "uniforms32", DRAWS, least_seconds(own), peers)


@pytest.mark.benchmark(group="lengths of Lévy flights")
def test_levy_lengths(benchmark):
    def own():
        levy_lengths(DRAWS, EXPONENT, seed=1, device="cpu")

    rng = np.random.default_rng(1)
    with use_threads(1):
        benchmark.pedantic(own, rounds=ROUNDS, warmup_rounds=1)
        peers = {name: least_seconds(peer, rng, DRAWS) for name, peer in LEVY_PEERS.items()}
        report(benchmark, "levy_lengths", DRAWS, least_seconds(own), peers)


@pytest.mark.benchmark(group="readings of sensors")
@pytest.mark.parametrize("directions", [6, 12, 24, 48])
def test_sensors(benchmark, directions):
    rng = np.random.default_rng(1)
    field = rng.random((512, 512), np.float32)
    places = rng.uniform(4.0, 507.0, (WALKERS, 2))
    sensors = Sensors(angular_resolution=360.0 / directions)
    ring = 2.0 * sensors.directions()

    def own():
        sense(field, places, sensors=sensors, device="cpu")

    def peer():
        around = (places[:, np.newaxis] + ring).reshape(-1, 2).T
        map_coordinates(field, around, order=1, prefilter=False)

    with use_threads(1):
        benchmark.pedantic(own, rounds=ROUNDS, warmup_rounds=1)
        peers = {"scipy map_coordinates": least_seconds(peer)}
        items = WALKERS * directions
        report(benchmark, f"sense, {directions} directions", items, least_seconds(own), peers)


@pytest.mark.benchmark(group="steps of walkers")
@pytest.mark.parametrize("name", STRATEGIES)
def test_steps(benchmark, name):
    field = np.random.default_rng(1).random((512, 512), np.float32)
    walkers = Walkers(WALKERS, field.shape, strategy=STRATEGIES[name](), seed=1)

    def own():
        walkers.move(field, 10, device="cpu")

    with use_threads(1):
        benchmark.pedantic(own, rounds=ROUNDS, warmup_rounds=1)
        report(benchmark, name, 10 * WALKERS, least_seconds(own), {})
