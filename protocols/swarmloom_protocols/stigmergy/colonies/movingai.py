"""Readers for the grid maps and scenarios of the MovingAI benchmarks.

Formats as described in Sturtevant 2012, "Benchmarks for grid-based pathfinding", IEEE Transactions
on Computational Intelligence and AI in Games 4(2), and at movingai.com/benchmarks/formats.html. The
maps themselves come from there; none is part of this distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError

__all__ = ["Scenario", "read_map", "read_scenarios"]

# Plain ground twice and swamp. Water can be crossed but not entered from land; nobody starts in it.
PASSABLE = ".GS"
KNOWN = frozenset(PASSABLE + "@OTW")
HEADER_LINES = 4
SCENARIO_FIELDS = 9


@dataclass(frozen=True, slots=True)
class Scenario:
    """One problem of a scenario file.

    Attributes
    ----------
    bucket : int
        Problems by length: optimal cost // 4.
    map : str
        Name of the map file.
    start, goal : (int, int)
        (y, x); the file has x first.
    optimal : float
        Cost of the cheapest way with 8 directions and no cut corner.
    """

    bucket: int
    map: str
    start: tuple[int, int]
    goal: tuple[int, int]
    optimal: float


def read_map(path: str | Path) -> NDArray[np.bool_]:
    """Read a ``.map`` file.

    Parameters
    ----------
    path : path

    Returns
    -------
    ndarray of bool, shape (height, width)
        True where nobody walks: out of bounds (``@``, ``O``), trees (``T``), water (``W``).

    Raises
    ------
    InputError
        The file is not a map; the message names file and line.
    """
    lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    height, width = _size(path, lines[:HEADER_LINES])
    rows = lines[HEADER_LINES : HEADER_LINES + height]
    if len(rows) < height:
        raise InputError(f"{path}: {len(rows)} of {height} rows")
    for number, row in enumerate(rows, HEADER_LINES + 1):
        if len(row) != width or not KNOWN.issuperset(row):
            raise InputError(f"{path}:{number}: allowed: {width} of the signs {_signs()}")
    ground = np.array([list(row) for row in rows]).reshape(height, width)
    return ~np.isin(ground, list(PASSABLE))


def _size(path: str | Path, header: list[str]) -> tuple[int, int]:
    words = [line.split() for line in header]
    try:
        (kind, _), (high, height), (wide, width), (begin,) = words
        if (kind, high, wide, begin) == ("type", "height", "width", "map"):
            return int(height), int(width)
    except ValueError:
        pass
    raise InputError(f"{path}: allowed: a header of lines 'type …', 'height n', 'width n', 'map'")


def _signs() -> str:
    return " ".join(sorted(KNOWN))


def read_scenarios(path: str | Path) -> list[Scenario]:
    """Read a ``.scen`` file.

    Parameters
    ----------
    path : path

    Returns
    -------
    list of Scenario
        In the file's order.

    Raises
    ------
    InputError
        A line is not a scenario; the message names file and line.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0].startswith("version"):
        raise InputError(f"{path}: allowed: a first line 'version 1'")
    return [_scenario(path, i, line) for i, line in enumerate(lines[1:], 2) if line.strip()]


def _scenario(path: str | Path, number: int, line: str) -> Scenario:
    # Names of maps may have blanks where the fields are separated by tabs.
    fields = line.split("\t") if "\t" in line else line.split()
    try:
        if len(fields) != SCENARIO_FIELDS:
            raise ValueError
        bucket, name, *numbers, optimal = fields
        _, _, start_x, start_y, goal_x, goal_y = map(int, numbers)
        start, goal = (start_y, start_x), (goal_y, goal_x)
        return Scenario(int(bucket), name, start, goal, float(optimal))
    except ValueError:
        allowed = "bucket, map, width, height, start x, start y, goal x, goal y, optimal cost"
        raise InputError(f"{path}:{number}: {line!r}; allowed: {allowed}") from None
