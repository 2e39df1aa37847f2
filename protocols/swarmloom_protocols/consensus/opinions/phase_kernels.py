"""The sine of a GPU's kernels: arithmetic alone.

The library's keeps a branch for huge angles, for which `kuramoto_slope` would spill registers; on
the CPU `phases` takes NumPy's.
"""

from __future__ import annotations

import math

from swarmloom.jit import kernel

__all__ = ["sine"]

# π in two parts, so that whole half turns are taken off to the last bit.
PI = math.pi
PI_REST = 1.2246467991473532e-16
# Σ (−1)^k r^(2k+1)/(2k+1)!, |r| ≤ π/2: the term left out is below 2e-18.
S_1, S_2, S_3, S_4, S_5 = (
    -1.0 / 6.0,
    1.0 / 120.0,
    -1.0 / 5040.0,
    1.0 / 362880.0,
    -1.0 / 39916800.0,
)
S_6, S_7, S_8, S_9, S_10 = (
    1.0 / 6227020800.0,
    -1.0 / 1307674368000.0,
    1.0 / 355687428096000.0,
    -1.0 / 121645100408832000.0,
    1.0 / 51090942171709440000.0,
)


@kernel
def sine(angle: float) -> float:
    """Return sin(angle) to about 4e-16, and 2e-16 · |angle| beyond a few turns.

    Parameters
    ----------
    angle : float
        In radians.
    """
    half_turns = math.floor(angle / PI + 0.5)
    rest = (angle - half_turns * PI) - half_turns * PI_REST
    square = rest * rest
    tail = S_6 + square * (S_7 + square * (S_8 + square * (S_9 + square * S_10)))
    series = S_1 + square * (S_2 + square * (S_3 + square * (S_4 + square * (S_5 + square * tail))))
    value = rest + rest * square * series
    return -value if half_turns % 2 else value
