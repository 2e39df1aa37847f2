"""Every CUDA kernel compiles for sm_80 and sm_90 and fits into registers; needs no GPU.

Needs numba-cuda and ptxas (``pip install 'swarmloom[cuda-compile]'``) and is skipped without,
unless ``SWARMLOOM_REQUIRE_PTX`` is set.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import numba
import pytest

import swarmloom
import swarmloom_protocols
from swarmloom import cuda
from swarmloom.errors import DeviceError
from tests.protocols.cuda_cases import CASES

SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


def find_ptxas():
    spec = importlib.util.find_spec("nvidia")
    folders = spec.submodule_search_locations if spec else []
    wheels = [Path(folder, "cu13", "bin", "ptxas") for folder in folders]
    found = [str(path) for path in wheels if path.is_file()]
    return found[0] if found else shutil.which("ptxas")


def missing():
    if numba.core.config.ENABLE_CUDASIM or numba.core.config.DISABLE_JIT:
        return "the simulator and NUMBA_DISABLE_JIT compile nothing"
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed"
    return "" if find_ptxas() else "there is no ptxas"


@pytest.fixture(scope="module")
def kernels():
    reason = missing()
    if reason and os.environ.get("SWARMLOOM_REQUIRE_PTX"):
        pytest.fail(f"SWARMLOOM_REQUIRE_PTX is set, but {reason}")
    if reason:
        pytest.skip(f"{reason}; pip install 'swarmloom[cuda-compile]'")
    return cuda.find_kernels(swarmloom) | cuda.find_kernels(swarmloom_protocols)


def spilled_bytes(ptx, capability, folder, *options):
    source = folder / "kernel.ptx"
    source.write_text(ptx)
    architecture = f"-arch=sm_{capability[0]}{capability[1]}"
    done = subprocess.run(
        [find_ptxas(), architecture, "-v", *options, source, "-o", folder / "kernel.cubin"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reports = SPILLS.findall(done.stderr)
    assert reports, done.stderr
    return sum(int(size) for report in reports for size in report)


@pytest.mark.parametrize("capability", [(8, 0), (9, 0)], ids=["sm_80", "sm_90"])
@pytest.mark.parametrize("name", CASES)
def test_kernel_assembles_without_spilling_registers(name, capability, kernels, tmp_path):
    ptx = kernels[name].ptx(capability)
    assert f".target sm_{capability[0]}{capability[1]}" in ptx
    assert ".func" not in ptx.replace(".extern .func", "")
    assert spilled_bytes(ptx, capability, tmp_path) == 0


def test_the_gate_sees_spills(kernels, tmp_path):
    ptx = kernels["swarmloom_protocols.bio_routing.choice.score_cuda.score"].ptx((9, 0))
    assert spilled_bytes(ptx, (9, 0), tmp_path, "-maxrregcount=16") > 0


def test_without_the_toolkit_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(numba.core.config, "ENABLE_CUDASIM", 0)
    with pytest.raises(DeviceError, match=r"swarmloom\[cuda\]"):
        cuda.compile_to_ptx(lambda: None, "void()", (9, 0))


def test_the_simulator_compiles_nothing(monkeypatch):
    monkeypatch.setattr(numba.core.config, "ENABLE_CUDASIM", 1)
    with pytest.raises(DeviceError, match="simulator"):
        cuda.compile_to_ptx(lambda: None, "void()", (9, 0))
