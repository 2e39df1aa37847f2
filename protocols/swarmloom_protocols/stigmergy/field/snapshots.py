"""Snapshots of a field: plain arrays with a version and a checksum, ready for `numpy.savez`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.chemistry_grids import checked_amounts
from swarmloom_protocols.stigmergy.sealed_snapshots import Snapshot, SnapshotFormat

__all__ = ["FIELD_SNAPSHOT", "checked_snapshot"]

FIELD_SNAPSHOT = SnapshotFormat(
    "swarmloom.pheromone-field",
    {
        "amounts": np.float32,
        "shape": np.int64,
        "channels": str,
        "layers": np.int64,
        "boundaries": np.int64,
        "spacing": np.float64,
        "diffusion": np.float64,
        "evaporation": np.float64,
        "activation_energy": np.float64,
        "reference_temperature": np.float64,
        "temperature": np.float64,
        "time": np.float64,
    },
)


def checked_snapshot(state: Mapping[str, Any]) -> Snapshot:
    """Return the parts of a snapshot that is whole, or raise.

    Parameters
    ----------
    state : mapping of str to array-like
        As `FIELD_SNAPSHOT` sealed it, perhaps through a file.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    InputError
        It is of another format or version, lacks a part, has been altered, or holds amounts that
        are not within 0 to 1e18.
    """
    arrays = FIELD_SNAPSHOT.opened(state)
    try:
        checked_amounts(arrays["amounts"])
    except InputError as error:
        raise InputError(f"snapshot: {error}") from None
    return arrays
