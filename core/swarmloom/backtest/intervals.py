"""Bootstrap intervals of a mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError

__all__ = ["bootstrap_interval"]


def bootstrap_interval(
    values: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron 1979, Annals of Statistics 7).

    Parameters
    ----------
    values : array-like of float, shape (n,)
        One value an item.
    rng : numpy.random.Generator
    level : float
        Coverage, in (0, 1).
    resamples : int
        Number of resamples (≥ 1).

    Returns
    -------
    low, high : float
        Both NaN for no values.

    Raises
    ------
    InputError
        When a value is NaN or infinite, or `level` is outside (0, 1).

    Notes
    -----
    How often each distinct value occurs in a resample is multinomial, so the counts are drawn
    instead of the items: the same distribution in O(resamples · distinct values).
    """
    data = np.asarray(values, dtype=np.float64).ravel()
    if not np.isfinite(data).all():
        raise InputError("bootstrap_interval: values hold NaN or infinities")
    if not 0.0 < level < 1.0:
        raise InputError(f"bootstrap_interval: level is {level}, allowed is 0 to 1, both excluded")
    if data.size == 0:
        return float("nan"), float("nan")
    distinct, counts = np.unique(data, return_counts=True)
    drawn = rng.multinomial(data.size, counts / data.size, size=resamples)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn @ distinct / data.size, [tail, 1.0 - tail])
    return float(low), float(high)
