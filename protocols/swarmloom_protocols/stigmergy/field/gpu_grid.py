"""The amounts of a field in a GPU's memory, where they stay between calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import numba_cuda
from swarmloom_protocols.stigmergy.field.deposits_cuda import deposit_on_device
from swarmloom_protocols.stigmergy.field.diffusion_cuda import take_steps_on_gpu
from swarmloom_protocols.stigmergy.field.sensing_cuda import sense

__all__ = ["GpuGrid"]

Field = NDArray[np.float32]

cuda = numba_cuda()


class GpuGrid:
    """What `HostGrid` is, on a GPU; the host gets a copy only when the amounts are read.

    Parameters
    ----------
    shape : (int, int, int, int)
        Planes, Z, Y and X, none of them 0.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    """

    def __init__(self, shape: tuple[int, ...], codes: NDArray[np.int64]) -> None:
        self._codes = codes
        zeros = np.zeros(shape, np.float32)
        self._values = cuda.to_device(zeros)
        self._other = cuda.device_array(shape, np.float32)
        self._quanta: Any = None
        self._copy: Field | None = zeros

    def read(self) -> Field:
        """Return the amounts, copied from the GPU if they have changed since the last copy."""
        if self._copy is None:
            self._copy = self._values.copy_to_host()
        return self._copy

    def write(self, values: Field) -> None:
        """Overwrite the amounts."""
        self._copy = None
        self._values.copy_to_device(np.ascontiguousarray(values))

    def add(self, cells: NDArray[np.int64], amounts: NDArray[np.float64]) -> None:
        """Add deposits at flat indices, as `add_deposits` does."""
        if self._quanta is None:
            self._quanta = cuda.to_device(np.zeros(self._values.size, np.int64))
        self._copy = None
        deposit_on_device(self._values.reshape(self._values.size), self._quanta, cells, amounts)

    def sense(self, plane: int, positions: NDArray[np.float64]) -> Field:
        """Return the interpolated amounts of a plane, as `sensed` does."""
        if not len(positions):
            return np.empty(0, np.float32)
        values = cuda.device_array(len(positions), np.float32)
        inputs = cuda.to_device(self._codes), cuda.to_device(positions)
        sense.launch(len(positions), self._values[plane], *inputs, values)
        found: Field = values.copy_to_host()
        return found

    def step(self, rates: Field, steps: int) -> None:
        """Take steps, as `take_steps_on_gpu` does."""
        self._copy = None if steps else self._copy
        self._values, self._other = take_steps_on_gpu(
            self._values, self._other, rates, self._codes, steps
        )

    def sweeps(self, rates: Field, steps: int) -> int:
        """Return how often `step` goes through memory for that many steps: once for each."""
        return steps

    def wait(self) -> None:
        """Wait until the GPU has done what it was asked for."""
        cuda.synchronize()
