"""Keep denormal numbers out of state that decays, for they slow a processor many times over.

A decaying float32 value ends between 1.2e-38 and 1.4e-45, where x86 processors fall back to
microcode. Clamping what is stored is portable (the flush-to-zero bits are x86's and a thread's
own), gives the same numbers on every device and keeps loops free of branches.
"""

from __future__ import annotations

import numpy as np

from swarmloom.jit import kernel

__all__ = ["flush_float32", "flush_float64"]

SMALLEST_FLOAT32 = np.finfo(np.float32).smallest_normal
SMALLEST_FLOAT64 = np.finfo(np.float64).smallest_normal
ZERO_FLOAT32 = np.float32(0.0)
ZERO_FLOAT64 = np.float64(0.0)


@kernel
def flush_float32(value: np.float32) -> np.float32:
    """Return 0 for a denormal float32, any other value (NaN and infinities too) as it is."""
    return ZERO_FLOAT32 if abs(value) < SMALLEST_FLOAT32 else value


@kernel
def flush_float64(value: np.float64) -> np.float64:
    """Return 0 for a denormal float64, any other value (NaN and infinities too) as it is."""
    return ZERO_FLOAT64 if abs(value) < SMALLEST_FLOAT64 else value
