"""The CUDA kernels of `swarmloom_protocols.consensus.chaos.lyapunov_scan`, a thread an orbit."""

from __future__ import annotations

from types import CellType, FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import CudaKernel, device_function, numba_cuda
from swarmloom_protocols.consensus.chaos.known_systems import henon, logistic
from swarmloom_protocols.consensus.chaos.lyapunov_scan import make_follow
from swarmloom_protocols.consensus.chaos.systems import System

__all__ = ["henon_scan", "logistic_scan", "scan"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SIGNATURE = "void(float64[:,::1], float64[:,::1], int64, int64, float64[::1], int64[::1])"

cuda = numba_cuda()


def _for_gpu(value: Any) -> Any:
    """Convert a compiled function and those in its closure; leave all else as it is."""
    source = getattr(value, "py_func", value)
    if not isinstance(source, FunctionType):
        return value
    cells = tuple(CellType(_for_gpu(cell.cell_contents)) for cell in source.__closure__ or ())
    parts = (source.__code__, source.__globals__, source.__name__, source.__defaults__, cells)
    return device_function(FunctionType(*parts))


def _built(system: System, name: str) -> CudaKernel:
    follow = _for_gpu(make_follow(system))
    width, values = system.dimension, max(1, len(system.parameters))
    n_values, rows = len(system.parameters), width + 1

    def scan(
        parameters: FloatArray,
        starts: FloatArray,
        skip: int,
        steps: int,
        exponents: FloatArray,
        periods: IntArray,
    ) -> None:
        item = cuda.grid(1)
        if item < exponents.size:
            state = cuda.local.array(width, np.float64)
            saved = cuda.local.array(width, np.float64)
            tangents = cuda.local.array((1, width), np.float64)
            chosen = cuda.local.array(values, np.float64)
            work = cuda.local.array((rows, width), np.float64)
            tangent_work = cuda.local.array((1, 1, width), np.float64)
            for i in range(width):
                state[i] = starts[i, item]
                tangents[0, i] = 1.0 if i == 0 else 0.0
            for i in range(n_values):
                chosen[i] = parameters[i, item]
            pace = (1.0, skip, steps)
            found = follow(state, saved, tangents, chosen, pace, work, tangent_work)
            exponents[item] = found[0]
            periods[item] = found[1]

    scan.__name__ = name
    return CudaKernel(scan, SIGNATURE)


logistic_scan = _built(logistic(), "logistic_scan")
henon_scan = _built(henon(), "henon_scan")


def scan(system: System) -> CudaKernel:
    """Return the kernel of a known map, made at its first use and kept with the system."""
    ready = {"logistic": logistic_scan, "henon": henon_scan}
    if system.name in ready:
        return ready[system.name]
    made: CudaKernel = system.keep(scan, lambda: _built(system, f"{system.name}_scan"))
    return made
