"""Array types and the kernel decorator shared by the panel's modules."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

kernel = njit(nogil=True, cache=False)
