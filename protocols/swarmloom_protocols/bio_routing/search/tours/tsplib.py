"""Reading instances of the travelling salesman problem in the format of TSPLIB.

Reinelt, "TSPLIB: a traveling salesman problem library", ORSA Journal on Computing 3, 1991. Read are
problems of cities in the plane whose distances are rounded as EUC_2D, CEIL_2D or ATT prescribe.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search.tours.distances import (
    FloatArray,
    Rounding,
    tour_length,
)

__all__ = ["TsplibInstance", "read_tsplib"]

ROUNDINGS: dict[str, Rounding] = {"EUC_2D": "nearest", "CEIL_2D": "up", "ATT": "att"}
# Keys that say nothing about the problem itself.
REMARKS = ("COMMENT", "DISPLAY_DATA_TYPE", "NODE_COORD_TYPE")

Line = tuple[int, str]


@dataclass(frozen=True)
class TsplibInstance:
    """One instance.

    Attributes
    ----------
    name : str
    points : ndarray of float64, shape (n, 2)
        Coordinates of the cities, in the order of the file.
    rounding : {"nearest", "up", "att"}
        How its distances are rounded; see `Rounding`.
    """

    name: str
    points: FloatArray
    rounding: Rounding

    def length(self, order: np.typing.ArrayLike) -> float:
        """Return the length of a round tour by the rounding of the instance.

        Parameters
        ----------
        order : array-like of int, shape (n,)
            A permutation of the cities, which count from 0.
        """
        return tour_length(order, self.points, rounding=self.rounding)


def read_tsplib(path: str | Path) -> TsplibInstance:
    """Read a file of TSPLIB.

    Parameters
    ----------
    path : str or Path
        A file whose TYPE is TSP and whose EDGE_WEIGHT_TYPE is EUC_2D, CEIL_2D or ATT.

    Raises
    ------
    InputError
        It is of another kind or broken; the message names the file, the line and the key.
    OSError
        It cannot be read.
    """
    text = Path(path).read_text(encoding="ascii", errors="replace")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    source = iter([(number, line) for number, line in lines if line])
    keys = _header(path, source)
    name = keys.get("NAME", (0, Path(path).stem))[1]
    _choice(path, keys, "TYPE", ("TSP",))
    rounding = ROUNDINGS[_choice(path, keys, "EDGE_WEIGHT_TYPE", tuple(ROUNDINGS))]
    return TsplibInstance(name, _coordinates(path, source, _dimension(path, keys)), rounding)


def _header(path: str | Path, source: Iterator[Line]) -> dict[str, Line]:
    """Return the value of each key with its line, up to the coordinates."""
    allowed = ("NAME", "TYPE", "DIMENSION", "EDGE_WEIGHT_TYPE", *REMARKS)
    keys: dict[str, Line] = {}
    for number, line in source:
        key, colon, value = (part.strip() for part in line.partition(":"))
        if key == "NODE_COORD_SECTION":
            return keys
        if not colon or key not in allowed:
            raise _wrong(path, number, key, f"allowed: {', '.join(allowed)}, NODE_COORD_SECTION")
        keys[key] = number, value
    raise InputError(f"{path}: NODE_COORD_SECTION is missing")


def _choice(path: str | Path, keys: dict[str, Line], key: str, allowed: tuple[str, ...]) -> str:
    number, value = _required(path, keys, key)
    if value not in allowed:
        raise _wrong(path, number, key, f"{value!r} is none of {', '.join(allowed)}")
    return value


def _dimension(path: str | Path, keys: dict[str, Line]) -> int:
    number, value = _required(path, keys, "DIMENSION")
    if not value.isdecimal() or int(value) < 1:
        raise _wrong(path, number, "DIMENSION", f"{value!r} is not a whole number from 1")
    return int(value)


def _required(path: str | Path, keys: dict[str, Line], key: str) -> Line:
    if key not in keys:
        raise InputError(f"{path}: {key} is missing")
    return keys[key]


def _coordinates(path: str | Path, source: Iterator[Line], n: int) -> FloatArray:
    # A false DIMENSION must not allocate more than the file can fill.
    places: dict[int, tuple[float, float]] = {}
    for number, line in source:
        if line == "EOF":
            break
        city, place = _city(path, number, line, n)
        if city in places:
            raise _wrong(path, number, "NODE_COORD_SECTION", f"city {city} is there twice")
        places[city] = place
    if len(places) < n:
        missing = next(city for city in range(1, n + 1) if city not in places)
        raise InputError(f"{path}: NODE_COORD_SECTION: city {missing} of {n} is missing")
    return np.array([places[city] for city in range(1, n + 1)])


def _city(path: str | Path, number: int, line: str, n: int) -> tuple[int, tuple[float, float]]:
    parts = line.split()
    try:
        city, x, y = int(parts[0]), float(parts[1]), float(parts[2])
    except (ValueError, IndexError):
        found = f"{line[:60]!r} is not a city with two coordinates"
        raise _wrong(path, number, "NODE_COORD_SECTION", found) from None
    if len(parts) > 3 or not (math.isfinite(x) and math.isfinite(y)) or not 1 <= city <= n:
        allowed = f"allowed: a city from 1 to {n} and two finite coordinates"
        raise _wrong(path, number, "NODE_COORD_SECTION", f"{line[:60]!r}; {allowed}")
    return city, (x, y)


def _wrong(path: str | Path, number: int, key: str, problem: str) -> InputError:
    return InputError(f"{path}, line {number}: {key}: {problem}")
