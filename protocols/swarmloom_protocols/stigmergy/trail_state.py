"""The stored form of a trail table, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError

__all__ = ["STATE_VERSION", "checked_state"]

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

STATE_VERSION = 1


def checked_state(state: Mapping[str, Any]) -> tuple[IntArray, Float64Array, Float64Array]:
    """Check what is to become the content of a trail table.

    Parameters
    ----------
    state : mapping
        As `TrailTable.state` gives it.

    Returns
    -------
    keys : ndarray of int64, shape (3, N)
    amounts : ndarray of float64, shape (2, N)
    times : ndarray of float64, shape (N,)

    Raises
    ------
    InputError
        If it is of another version or holds what cannot be.
    """
    if state.get("version") != STATE_VERSION:
        raise InputError(f"trails of version {state.get('version')}; known: {STATE_VERSION}")
    keys = np.asarray(state["keys"], dtype=np.int64)
    amounts = np.asarray(state["amounts"], dtype=np.float64)
    times = np.asarray(state["times"], dtype=np.float64)
    if keys.shape != (3, len(times)) or amounts.shape != (2, len(times)):
        raise InputError("trails: keys, amounts and times differ in length")
    if not (np.isfinite(amounts).all() and (amounts >= 0).all() and (keys >= 0).all()):
        raise InputError("trails: amounts must be finite and ≥ 0, rows ≥ 0")
    if not (np.isfinite(times).all() and times.max(initial=0.0) <= state["now"]):
        raise InputError("trails: times must be finite and not in the future")
    if len(np.unique(keys, axis=1).T) != len(times):
        raise InputError("trails: a (topic, expert, depositor) triple occurs twice")
    return keys, amounts, times
