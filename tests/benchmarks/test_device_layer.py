"""What denormals cost with and without clamping, and what threads gain on a large array.

Run with ``pytest tests/benchmarks/test_device_layer.py --benchmark-enable``.
"""

import numpy as np
import pytest

from swarmloom.denormals import flush_float32
from swarmloom.device import use_threads
from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.decay_kernels import decayed

CELLS, STEPS = 1 << 16, 20


@kernel
def spread(field, other, rate, steps):
    for _ in range(steps):
        for i in range(1, field.size - 1):
            slope = field[i - 1] + field[i + 1] - field[i] - field[i]
            other[i] = field[i] + rate * slope
        field, other = other, field


@kernel
def spread_clamped(field, other, rate, steps):
    for _ in range(steps):
        for i in range(1, field.size - 1):
            slope = field[i - 1] + field[i + 1] - field[i] - field[i]
            other[i] = flush_float32(field[i] + rate * slope)
        field, other = other, field


@pytest.mark.parametrize("values", ["normal", "denormal"])
@pytest.mark.parametrize("step", [spread, spread_clamped], ids=["plain", "clamped"])
@pytest.mark.benchmark(group="20 steps of diffusion on 65,536 cells")
def test_denormals(benchmark, step, values):
    scale = {"normal": 1.0, "denormal": 1e-41}[values]
    field = (np.random.default_rng(0).random(CELLS) * scale).astype(np.float32)
    rate = np.float32(0.1)

    def fresh():
        return (field.copy(), field.copy(), rate, STEPS), {}

    step(*fresh()[0])
    benchmark.pedantic(step, setup=fresh, rounds=20)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.benchmark(group="decay of 4,194,304 trails")
def test_threads(benchmark, threads):
    rng = np.random.default_rng(0)
    amounts, times = rng.random(1 << 22, np.float32), rng.uniform(0.0, 90.0, 1 << 22)
    with use_threads(threads):
        benchmark.pedantic(decayed, (amounts, times, 100.0, 10.0, "cpu"), rounds=5, warmup_rounds=1)
