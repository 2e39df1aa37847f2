"""The amounts of a field in the host's memory and what is done to them there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom_protocols.stigmergy.field.deposits import accumulator, add_deposits
from swarmloom_protocols.stigmergy.field.diffusion import Stepper
from swarmloom_protocols.stigmergy.field.diffusion_kernels import aligned_zeros
from swarmloom_protocols.stigmergy.field.sensing import sensed

__all__ = ["HostGrid"]

Field = NDArray[np.float32]


class HostGrid:
    """Amounts as float32 in C order, shape (planes, Z, Y, X), on the CPU.

    Parameters
    ----------
    shape : (int, int, int, int)
        Planes, Z, Y and X.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    """

    def __init__(self, shape: tuple[int, ...], codes: NDArray[np.int64]) -> None:
        self._codes = codes
        self._values: Field = aligned_zeros(shape)
        self._stepper = Stepper(shape)
        self._quanta = accumulator(self._values.size)

    def read(self) -> Field:
        """Return the amounts, not a copy."""
        return self._values

    def write(self, values: Field) -> None:
        """Overwrite the amounts."""
        self._values[...] = values

    def add(self, cells: NDArray[np.int64], amounts: NDArray[np.float64]) -> None:
        """Add deposits at flat indices, as `add_deposits` does."""
        add_deposits(self._values.reshape(-1), self._quanta, cells, amounts)

    def sense(self, plane: int, positions: NDArray[np.float64]) -> Field:
        """Return the interpolated amounts of a plane, as `sensed` does."""
        return sensed(self._values[plane], self._codes, positions, device="cpu")

    def step(self, rates: Field, steps: int) -> None:
        """Take steps, as `Stepper` does."""
        self._values = self._stepper.take(self._values, rates, self._codes, steps)

    def sweeps(self, rates: Field, steps: int) -> int:
        """Return how often `step` goes through memory for that many steps."""
        return self._stepper.sweeps(rates, steps)

    def wait(self) -> None:
        """Return at once: nothing is under way when a call has returned."""
