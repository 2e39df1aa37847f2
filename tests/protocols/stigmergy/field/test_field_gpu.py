"""A field whose amounts stay on the GPU, on a GPU or in Numba's simulator.

Without either, one test starts this file again in the simulator.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from swarmloom import cuda
from swarmloom_protocols.stigmergy.field.field import PheromoneField

REPOSITORY = Path(__file__).resolve().parents[4]
NO_DEVICE = cuda.problem()
on_device = pytest.mark.skipif(
    bool(NO_DEVICE), reason=f"{NO_DEVICE}; test_in_the_simulator runs this test"
)


def life(device, shape=(4, 6)):
    """Everything that a field does, once; what was sensed on the way."""
    rng = np.random.default_rng(10)
    field = PheromoneField(
        shape, 2, layers=2, device=device, boundaries={"x": ("absorbing", "reflecting")}
    )
    sensed = []
    for _ in range(2):
        positions = rng.uniform(-0.5, np.array(shape) - 0.5, (12, len(shape)))
        field.deposit(positions, rng.random(12), channel=1, layer=1)
        field.step(3)
        sensed.append(field.sense(positions, channel=1, layer=1))
    state = field.snapshot()
    field.advance(2.0)
    field.restore(state)
    field.advance(5.0)
    return field, np.array(sensed)


@on_device
@pytest.mark.row("S1")
@pytest.mark.parametrize("shape", [(4, 6), (3, 2, 4), (9,)])
def test_a_field_on_the_gpu_is_the_field_on_the_cpu(shape):
    (on_gpu, sensed), (on_cpu, expected) = life("cuda", shape), life("cpu", shape)
    assert on_gpu.device == "cuda"
    np.testing.assert_allclose(sensed, expected, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(on_gpu.amounts, on_cpu.amounts, rtol=2e-6, atol=1e-6)
    assert on_gpu.time == on_cpu.time


@on_device
def test_amounts_are_copied_to_the_host_only_when_they_are_read_after_a_change():
    field = PheromoneField((4, 4), 1, device="cuda")
    field.deposit([[1, 1]])
    field.step()
    assert field._grid._copy is None
    first = field.view()
    assert np.shares_memory(field.view(), first)
    field.step()
    assert field._grid._copy is None
    assert not np.shares_memory(field.view(), first)


@on_device
def test_deposits_on_the_gpu_are_bit_for_bit_those_on_the_cpu():
    rng = np.random.default_rng(11)
    fields = [PheromoneField((3, 3), 1, device=device) for device in ("cuda", "cpu")]
    positions, amounts = rng.integers(0, 3, (200, 2)), rng.lognormal(0, 3, 200)
    for field in fields:
        field.deposit(positions, amounts)
    np.testing.assert_array_equal(fields[0].amounts, fields[1].amounts)


@on_device
def test_empty_fields_and_batches_need_no_gpu():
    empty = PheromoneField((0, 3), 1, device="cuda")
    empty.step()
    assert empty.mass() == 0.0
    field = PheromoneField((2, 3), 1, device="cuda")
    field.deposit(np.zeros((0, 2)))
    assert field.sense(np.zeros((0, 2))).shape == (0,)


@pytest.mark.skipif(not NO_DEVICE, reason="this run has a device already")
def test_in_the_simulator():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed, 1 skipped" in done.stdout
