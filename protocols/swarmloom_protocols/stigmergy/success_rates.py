"""Success rates in the common currency of the mixture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["RATE_MARGIN", "log_odds"]

RATE_MARGIN = 1e-6
"""Nearer to 0 or 1 the log-odds of a float32 rate would become infinite."""


def log_odds(rates: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Turn success rates into the common currency of the mixture.

    Parameters
    ----------
    rates : array_like
        In [0, 1].

    Returns
    -------
    ndarray of float32
        Of the same shape, finite; 0 = even odds.
    """
    inside = np.clip(np.asarray(rates, np.float64), RATE_MARGIN, 1.0 - RATE_MARGIN)
    return np.log(inside / (1.0 - inside)).astype(np.float32)
