"""Every CUDA kernel against its naive reference, on a GPU or in Numba's simulator.

Without either, one test starts this file again in the simulator, so that a plain run of the tests
runs every kernel too.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import swarmloom
import swarmloom_protocols
from swarmloom import cuda
from tests.protocols.cuda_cases import CASES

REPOSITORY = Path(__file__).resolve().parents[2]
NO_DEVICE = cuda.problem()
on_device = pytest.mark.skipif(
    bool(NO_DEVICE), reason=f"{NO_DEVICE}; test_in_the_simulator runs this test"
)


def read_only(value):
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    return value


@on_device
@pytest.mark.parametrize("size", [0, 1, 128, 300])
@pytest.mark.parametrize("name", CASES)
def test_cuda_kernel_equals_cpu_kernel_and_naive_reference(name, size):
    case = CASES[name]
    arguments = [read_only(value) for value in case.arguments(np.random.default_rng(size), size)]
    expected = case.naive(*arguments)
    assert expected.size or not size
    for device in ("cuda", "cpu"):
        values = case.public(*arguments, device=device)
        assert (values.shape, values.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(values, expected, rtol=2e-6, atol=1e-6, err_msg=device)


def test_every_cuda_kernel_of_the_distribution_has_a_case():
    found = cuda.find_kernels(swarmloom) | cuda.find_kernels(swarmloom_protocols)
    assert set(found) == set(CASES)


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
    assert f"{4 * len(CASES) + 1} passed, 1 skipped" in done.stdout
