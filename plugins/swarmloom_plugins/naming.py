"""Rows for names: protocols learn by row, crews and tasks speak in names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError

__all__ = ["BYTES_PER_NAME", "Names"]

BYTES_PER_NAME = 64
"""About what `Names` keeps of each name: its entry in the table, and its row."""


class Names:
    """Names in the order in which they first appeared; the row of a name never changes.

    Parameters
    ----------
    names : iterable of str
        The first ones.

    Examples
    --------
    >>> names = Names(["ada"])
    >>> names.row("bob"), names.row("ada"), names.find("eve")
    (1, 0, None)
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._rows = {name: row for row, name in enumerate(dict.fromkeys(names))}

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, name: str) -> int:
        """Return the name's row, a new one for a new name."""
        return self._rows.setdefault(name, len(self._rows))

    def rows(self, names: Iterable[str]) -> npt.NDArray[np.int64]:
        """Return the rows of several names, as `row` does."""
        return np.array([self.row(name) for name in names], dtype=np.int64)

    def find(self, name: str) -> int | None:
        """Return the name's row, None for an unknown name."""
        return self._rows.get(name)

    def known(self, name: str) -> int:
        """Return the name's row, or raise `InputError` with the nearest known name."""
        row = self.find(name)
        if row is None:
            near = get_close_matches(name, self._rows, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"{name!r} is unknown; allowed: {', '.join(self._rows)}{hint}")
        return row

    def listing(self) -> list[str]:
        """Return all names by row."""
        return list(self._rows)
