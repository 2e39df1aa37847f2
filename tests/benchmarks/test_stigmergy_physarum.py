"""The full Physarum step beside NumPy and Mesa, in one run and on one thread; growth with agents.

Run with ``SWARMLOOM_FULL_BENCHMARKS=1 pytest tests/benchmarks/test_stigmergy_physarum.py
--benchmark-enable -s``; the models that are compared are in ``physarum_peers.py``. Times are the
least CPU time of several repeats, which other work on the machine disturbs least.
"""

import importlib.util
import os
import sys

import numpy as np
import pytest

from swarmloom.device import use_threads
from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm
from tests.benchmarks.measuring import least_cpu_seconds
from tests.benchmarks.physarum_peers import RULES, NumPySwarm, mesa_swarm

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
SIZES = [(10_000, 256), (100_000, 512), (1_000_000, 1024), (1_000_000, 4096)]
MESA_MOST_AGENTS = 100_000
HAS_MESA = importlib.util.find_spec("mesa") is not None
# A step reads and writes places and headings, reads coins, the trail at three places, and reads
# and writes a count; each cell's trail is read and written, its count read and cleared.
BYTES_AN_AGENT, BYTES_A_CELL = 2 * 16 + 4 + 3 * 4 + 2, 2 * 4 + 2


def ours(n, side, steps):
    swarm = PhysarumSwarm(n, (side, side), **RULES, seed=0, device="cpu")
    swarm.step(steps)
    return swarm


def say(text):
    sys.stdout.write(f"\n{text}")


@pytest.mark.parametrize(("n", "side"), SIZES if FULL else [(1_000, 64)])
@pytest.mark.benchmark(group="Physarum, full step")
def test_full_step(benchmark, n, side):
    warm, many = (64, max(1, 3_000_000 // (n + side * side // 8))) if FULL else (2, 1)
    with use_threads(1):
        swarm = ours(n, side, warm)
        seconds = least_cpu_seconds(lambda: swarm.step(many), 12) / many
        benchmark.pedantic(swarm.step, (many,), rounds=5)
    numpy_swarm = NumPySwarm(n, (side, side))
    for _ in range(min(warm, 10)):
        numpy_swarm.step()
    peers = {"NumPy": least_cpu_seconds(numpy_swarm.step, 5)}
    if HAS_MESA and n <= MESA_MOST_AGENTS:
        peers["Mesa"] = least_cpu_seconds(mesa_swarm(n, (side, side)).step, 2)
    report(benchmark, n, side, seconds, peers)
    assert np.isfinite(swarm.trail).all()


def report(benchmark, n, side, seconds, peers):
    traffic = n * BYTES_AN_AGENT + side * side * BYTES_A_CELL
    info = {"agents a CPU second": n / seconds, "bytes a CPU second": traffic / seconds}
    info |= {f"times {peer}": needed / seconds for peer, needed in peers.items()}
    benchmark.extra_info.update(info)
    ratios = ", ".join(f"{needed / seconds:.1f} × {peer}" for peer, needed in peers.items())
    say(
        f"{n:,} agents on {side}²: {seconds * 1e6:,.0f} µs a step, {n / seconds / 1e6:.0f} M agents"
        f" and {traffic / seconds / 1e9:.1f} GB a second; {ratios}"
    )


@pytest.mark.parametrize("n", [10**4, 10**5, 10**6, 10**7] if FULL else [100, 1000])
@pytest.mark.benchmark(group="Physarum, growth with agents")
def test_growth_with_agents(benchmark, n):
    side = 1024 if FULL else 64
    with use_threads(1):
        swarm = ours(n, side, 2)
        seconds = least_cpu_seconds(swarm.step, 4)
        benchmark.pedantic(swarm.step, rounds=3)
    benchmark.extra_info["nanoseconds an agent"] = seconds / n * 1e9
    say(f"{n:,} agents on {side}²: {seconds / n * 1e9:.2f} ns an agent")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.benchmark(group="Physarum, threads")
def test_threads(benchmark, threads):
    n, side = (1_000_000, 1024) if FULL else (40_000, 64)
    with use_threads(threads):
        swarm = ours(n, side, 2)
        benchmark.pedantic(swarm.step, rounds=10, warmup_rounds=1)


def test_the_peers_follow_the_same_rules():
    """Mass of the closed form, and trails that condense alike."""
    n, side, steps = 2_000, 64, 60
    swarms = [ours(n, side, steps), NumPySwarm(n, (side, side))]
    swarms += [mesa_swarm(n, (side, side))] if HAS_MESA else []
    for swarm in swarms[1:]:
        for _ in range(steps):
            swarm.step()
    trails = [swarms[0].trail, swarms[1].trail, *(swarm.trail.data for swarm in swarms[2:])]
    loss = 1.0 - RULES["decay"]
    mass = n * RULES["deposit"] * loss * (1.0 - loss**steps) / RULES["decay"]
    for trail in trails:
        assert trail.sum(dtype=float) == pytest.approx(mass, rel=1e-5)
    spreads = [trail.std() / trail.mean() for trail in trails]
    assert max(spreads) < 1.25 * min(spreads)
