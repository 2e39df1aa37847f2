"""The passes over blocks of agents are vector instructions, not loops over single agents."""

import platform
import re

import numba
import numpy as np
import pytest

from swarmloom_protocols.stigmergy.physarum import agent_kernels as kernels

INTS, FLOATS = np.zeros((1, 2, 256), np.int32), np.zeros((1, 2, 256), np.float32)
AGENTS = kernels.Agents(INTS, FLOATS, INTS.astype(np.uint32), INTS[:, 0])
GROUND = kernels.Ground(
    np.zeros(9, np.float32),
    np.zeros(0, np.uint8),
    np.zeros((2, 1024), np.float32),
    np.zeros(6, np.float32),
    np.array([3 << 16, 3 << 16, 0, 0, 3], np.int32),
)
CELLS, SEEN = np.zeros((4, 256), np.int32), np.zeros((3, 256), np.float32)
PASSES = {
    "_find_cells": lambda function: function(AGENTS, 0, GROUND, kernels.wrap, CELLS),
    "_turn_and_move": lambda function: function(
        AGENTS, 0, GROUND, np.uint32(0), kernels.wrap, kernels.kept_heading, SEEN, CELLS
    ),
}


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT compiles nothing")
@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="reads x86 assembly")
@pytest.mark.parametrize("name", PASSES)
def test_products_and_conversions_are_packed(name):
    # Compiled anew: what comes from the cache cannot be read.
    function = numba.njit(getattr(kernels, name).py_func, nogil=True, error_model="numpy")
    PASSES[name](function)
    (assembly,) = function.inspect_asm().values()
    loops = re.split(r"\n(?=\.LBB)", assembly)
    widest = max(loops, key=lambda loop: len(re.findall(r"mulps", loop)))
    assert len(re.findall(r"\bv?mulps\b", widest)) >= 4
    assert len(re.findall(r"\bv?cvttps2dq\b", widest)) >= 2
    assert not re.search(r"\bv?(mulss|cvttss2si)\b", widest)
