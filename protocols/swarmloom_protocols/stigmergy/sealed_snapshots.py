"""Snapshots as plain arrays with a format, a version and a checksum, ready for `numpy.savez`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError

__all__ = ["Snapshot", "SnapshotFormat"]

Snapshot = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class SnapshotFormat:
    """What snapshots of one kind of object hold.

    Attributes
    ----------
    name : str
        Of the format.
    parts : mapping of str to type
        Their names and the types of their elements; `str` for text.
    version : int
    """

    name: str
    parts: Mapping[str, type]
    version: int = 1

    def seal(self, given: Mapping[str, Any]) -> Snapshot:
        """Return parts as arrays, with the format's name, version and checksum.

        Parameters
        ----------
        given : mapping of str to array-like
            One for each name in `parts`.

        Returns
        -------
        dict of str to ndarray
            Copies.
        """
        arrays: Snapshot = {name: np.array(given[name], kind) for name, kind in self.parts.items()}
        seal = {"format": self.name, "version": self.version, "checksum": _checksum(arrays)}
        return {name: np.array(value) for name, value in seal.items()} | arrays

    def opened(self, state: Mapping[str, Any]) -> Snapshot:
        """Return the parts of a snapshot that is whole, or raise.

        Parameters
        ----------
        state : mapping of str to array-like
            As `seal` gave it, perhaps through a file.

        Returns
        -------
        dict of str to ndarray

        Raises
        ------
        InputError
            It is of another format or version, lacks a part, or has been altered.
        """
        if not isinstance(state, Mapping):
            raise InputError(f"snapshot: {type(state).__name__}; allowed: what `snapshot` gives")
        found = _text(state, "format"), _text(state, "version")
        if found != (self.name, str(self.version)):
            message = f"snapshot: format and version {found}"
            raise InputError(f"{message}; allowed: ({self.name!r}, {self.version})")
        missing = sorted(set(self.parts) - set(state))
        if missing:
            raise InputError(f"snapshot: {', '.join(missing)} missing")
        arrays: Snapshot = {name: _part(state, name, kind) for name, kind in self.parts.items()}
        if _text(state, "checksum") != _checksum(arrays):
            raise InputError("snapshot: its checksum differs: it has been altered or damaged")
        return arrays


def _part(state: Mapping[str, Any], name: str, kind: type) -> NDArray[Any]:
    try:
        array = np.asarray(state[name])
    except ValueError:
        raise InputError(f"snapshot: {name} is no array") from None
    if array.dtype.kind != "U" if kind is str else array.dtype != kind:
        raise InputError(f"snapshot: {name} is of type {array.dtype}")
    return array


def _text(state: Mapping[str, Any], name: str) -> str:
    value = np.asarray(state[name]) if name in state else np.array("")
    return str(value.reshape(-1)[0]) if value.size == 1 else ""


def _checksum(arrays: Snapshot) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, array in arrays.items():
        digest.update(f"{name}{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
