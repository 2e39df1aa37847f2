"""Keep denormal numbers out of state that decays, for they slow a processor many times over.

A decaying float32 value ends between 1.2e-38 and 1.4e-45, where x86 processors fall back to
microcode. Clamping what is stored is portable (the flush-to-zero bits are x86's and a thread's
own), gives the same numbers on every device and keeps loops free of branches.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from swarmloom.jit import kernel

__all__ = ["flush_float32"]

SMALLEST_FLOAT32 = np.finfo(np.float32).smallest_normal
# Of the narrower type, so that the result keeps the type of the value.
ZERO: Any = np.float32(0.0)


@kernel
def flush_float32(value: float) -> float:
    """Return 0 for -0 and what a float32 holds as a denormal, any other value as it is, NaN too."""
    flushed: float = ZERO if abs(value) < SMALLEST_FLOAT32 else value
    return flushed
