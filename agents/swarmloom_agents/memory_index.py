"""What a search reads of every entry of a memory, kept beside the file and brought up to date."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from swarmloom_agents.memory_file import State

__all__ = ["MemoryIndex"]

Float32Array = npt.NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)

_FEWEST_ROWS = 64
_CHANGED = (
    "SELECT id, scope, strength, touched, embedding FROM memories WHERE version > ? "
    "ORDER BY version, rowid"
)


class MemoryIndex:
    """Vectors of length 1, strengths and scopes of a file's entries, in one process.

    What other processes have changed is read by its version, so that a search reads each vector
    once; after a removal all are read anew. It takes 4 bytes for each number of a vector.

    Attributes
    ----------
    process : int
        A forked child makes its own: a thread of the parent may have been at work on this one.
    ids : list of str
        By row.
    row_of : dict of str to int
        Row of each id.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self._removals = 0
        self._clear()

    def _clear(self) -> None:
        self._version = 0
        self.ids: list[str] = []
        self.row_of: dict[str, int] = {}
        self._code_of: dict[str, int] = {}
        self._codes: npt.NDArray[np.int64] = np.zeros(_FEWEST_ROWS, np.int64)
        self._strengths: Float32Array = np.zeros(_FEWEST_ROWS, np.float32)
        self._touched: npt.NDArray[np.float64] = np.zeros(_FEWEST_ROWS, np.float64)
        self._vectors: Float32Array = np.zeros((_FEWEST_ROWS, 0), np.float32)

    @property
    def width(self) -> int:
        """Numbers of a vector, 0 before the first."""
        return int(self._vectors.shape[1])

    @property
    def strengths(self) -> Float32Array:
        """Strength of each row when it was last used."""
        return self._strengths[: len(self.ids)]

    @property
    def touched(self) -> npt.NDArray[np.float64]:
        """When that was, in the file's time."""
        return self._touched[: len(self.ids)]

    def similarities(self, direction: Float32Array) -> Float32Array:
        """Return the cosine of each row with a vector of length 1; 0 for rows without a vector."""
        # BLAS wakes threads for it, which takes longer than the products.
        similarity: Float32Array = np.einsum("ij,j->i", self._vectors[: len(self.ids)], direction)
        return similarity

    def in_scopes(self, wanted: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
        """Say which rows are in the wanted scopes."""
        of_code = np.array([wanted(scope) for scope in self._code_of], np.bool_)
        return of_code[self._codes[: len(self.ids)]]

    def follow(self, connection: sqlite3.Connection, state: State) -> None:
        """Read what has changed in the file.

        Parameters
        ----------
        connection : sqlite3.Connection
        state : State
            As this view of the file has it.
        """
        if state.removals != self._removals:
            self._clear()
        if state.version != self._version:
            for row in connection.execute(_CHANGED, (self._version,)):
                self._take(*row)
        # Only now: what failed is read again.
        self._removals, self._version = state.removals, state.version

    def _take(
        self, one: str, scope: str, strength: float, touched: float, embedding: bytes | None
    ) -> None:
        row = self.row_of.get(one)
        if row is None:
            row = self._appended(one)
        self._codes[row] = self._code_of.setdefault(scope, len(self._code_of))
        self._strengths[row], self._touched[row] = strength, touched
        if embedding is None:
            self._vectors[row] = 0.0
            return
        vector = np.frombuffer(embedding, "<f4")
        if not self.width:
            self._vectors = np.zeros((len(self._codes), vector.size), np.float32)
        self._vectors[row] = vector / np.maximum(np.linalg.norm(vector), np.float32(1e-30))

    def _appended(self, one: str) -> int:
        row = len(self.ids)
        if row == len(self._codes):
            self._codes = _doubled(self._codes)
            self._strengths = _doubled(self._strengths)
            self._touched = _doubled(self._touched)
            self._vectors = _doubled(self._vectors)
        self.row_of[one] = row
        self.ids.append(one)
        return row


def _doubled(array: npt.NDArray[Number]) -> npt.NDArray[Number]:
    return np.concatenate((array, np.zeros_like(array)))
