"""Snapshots of a field: plain arrays with a version and a checksum, ready for `numpy.savez`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.chemistry_grids import checked_amounts

__all__ = ["checked_snapshot", "sealed_snapshot"]

FORMAT = "swarmloom.pheromone-field"
VERSION = 1
DTYPES: dict[str, type | None] = {
    "amounts": np.float32,
    "shape": np.int64,
    "channels": None,
    "layers": np.int64,
    "boundaries": np.int64,
    "spacing": np.float64,
    "diffusion": np.float64,
    "evaporation": np.float64,
    "activation_energy": np.float64,
    "reference_temperature": np.float64,
    "temperature": np.float64,
    "time": np.float64,
}

Snapshot = dict[str, NDArray[Any]]


def sealed_snapshot(parts: Mapping[str, Any]) -> Snapshot:
    """Return parts as arrays, with the format's name, version and checksum.

    Parameters
    ----------
    parts : mapping of str to array-like
        One for each of the format's names.

    Returns
    -------
    dict of str to ndarray
        Copies.
    """
    arrays: Snapshot = {name: np.array(parts[name], dtype) for name, dtype in DTYPES.items()}
    seal = {"format": FORMAT, "version": VERSION, "checksum": _checksum(arrays)}
    return {name: np.array(value) for name, value in seal.items()} | arrays


def checked_snapshot(state: Mapping[str, Any]) -> Snapshot:
    """Return the parts of a snapshot that is whole, or raise.

    Parameters
    ----------
    state : mapping of str to array-like
        As `sealed_snapshot` gave it, perhaps through a file.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    InputError
        It is of another format or version, lacks a part, has been altered, or holds amounts that
        are not within 0 to 1e18.
    """
    found = _text(state, "format"), _text(state, "version")
    if found != (FORMAT, str(VERSION)):
        raise InputError(f"snapshot: {found} is not ({FORMAT!r}, {VERSION})")
    missing = sorted(set(DTYPES) - set(state))
    if missing:
        raise InputError(f"snapshot: {', '.join(missing)} missing")
    arrays: Snapshot = {name: _part(state, name) for name in DTYPES}
    if _text(state, "checksum") != _checksum(arrays):
        raise InputError("snapshot: its checksum differs: it has been altered or damaged")
    try:
        checked_amounts(arrays["amounts"])
    except InputError as error:
        raise InputError(f"snapshot: {error}") from None
    return arrays


def _text(state: Mapping[str, Any], name: str) -> str:
    return str(np.asarray(state[name]).reshape(-1)[0]) if name in state else ""


def _part(state: Mapping[str, Any], name: str) -> NDArray[Any]:
    dtype, array = DTYPES[name], np.asarray(state[name])
    if array.dtype.kind != "U" if dtype is None else array.dtype != dtype:
        raise InputError(f"snapshot: {name} is of type {array.dtype}")
    return array


def _checksum(arrays: Snapshot) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in DTYPES:
        array = arrays[name]
        digest.update(f"{name}{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
