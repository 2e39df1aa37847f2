"""What lies beyond the edges of a grid: the three kinds, mixed freely by axis and side."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel

__all__ = [
    "ABSORBING",
    "PERIODIC",
    "REFLECTING",
    "Boundaries",
    "Boundary",
    "Sides",
    "boundary_codes",
    "boundary_names",
    "neighbour",
]

PERIODIC, REFLECTING, ABSORBING = 0, 1, 2
AXES = ("z", "y", "x")


class Boundary(StrEnum):
    """What happens at one side of the grid.

    Attributes
    ----------
    PERIODIC
        The grid goes on at its other side; both sides of the axis have to be periodic.
    REFLECTING
        Nothing passes: the value outside is that of the outermost cell (zero flux), so that mass
        is conserved to rounding.
    ABSORBING
        The value one cell outside is 0, so that n cells are a domain of length n + 1 whose ends
        are held at 0.
    """

    PERIODIC = "periodic"
    REFLECTING = "reflecting"
    ABSORBING = "absorbing"


Sides = Boundary | str | tuple[Boundary | str, Boundary | str]
Boundaries = Sides | Mapping[str, Sides]
CODES = {
    Boundary.PERIODIC: PERIODIC,
    Boundary.REFLECTING: REFLECTING,
    Boundary.ABSORBING: ABSORBING,
}


def boundary_codes(boundaries: Boundaries = "reflecting", axes: int = 3) -> NDArray[np.int64]:
    """Turn boundaries into the codes that the kernels read.

    Parameters
    ----------
    boundaries : Boundary or str, a pair of them, or mapping of "z", "y", "x" to either
        One kind for every side, a kind for the (low, high) side of every axis, or each axis its
        own ("mixed"); an axis that a mapping does not name is reflecting.
    axes : int, optional
        How many of the axes z, y, x there are, the last ones; 1 to 3. The others are reflecting,
        whatever is said of them, for nothing can pass the side of an axis that is not there.

    Returns
    -------
    ndarray of int64, shape (3, 2)
        `PERIODIC`, `REFLECTING` or `ABSORBING` for the low and high side of z, y and x.

    Raises
    ------
    InputError
        A kind or axis is unknown, sides are neither one nor two, or an axis is periodic at one side
        only.
    """
    if not isinstance(boundaries, Mapping):
        boundaries = dict.fromkeys(AXES, boundaries)
    for axis in boundaries:
        if axis not in AXES:
            raise InputError(f"boundaries: axis {axis!r} is not one of 'z', 'y', 'x'")
    pairs = [_pair(axis, boundaries.get(axis, "reflecting")) for axis in AXES]
    pairs[: 3 - axes] = [(REFLECTING, REFLECTING)] * (3 - axes)
    return np.array(pairs, np.int64)


def boundary_names(codes: NDArray[np.int64]) -> dict[str, Sides]:
    """Turn the codes of `boundary_codes` back into a mapping that it takes."""
    kinds = {code: kind for kind, code in CODES.items()}
    return {
        axis: (kinds[low], kinds[high])
        for axis, (low, high) in zip(AXES, codes.tolist(), strict=True)
    }


def _pair(axis: str, sides: Sides) -> tuple[int, int]:
    if not isinstance(sides, str) and not (isinstance(sides, tuple | list) and len(sides) == 2):
        raise InputError(f"boundaries: {sides!r} of axis {axis!r} is neither a kind nor two kinds")
    low, high = (sides, sides) if isinstance(sides, str) else sides
    codes = _code(axis, low), _code(axis, high)
    if (codes[0] == PERIODIC) != (codes[1] == PERIODIC):
        raise InputError(f"boundaries: axis {axis!r} is periodic at one side only")
    return codes


def _code(axis: str, kind: Boundary | str) -> int:
    try:
        return CODES[Boundary(kind)]
    except ValueError:
        allowed = ", ".join(repr(str(one)) for one in Boundary)
        message = f"boundaries: {kind!r} of axis {axis!r} is not one of {allowed}"
        raise InputError(message) from None


@kernel
def neighbour(index: int, step: int, size: int, low: int, high: int) -> int:
    """Return the index of the cell `step` = ±1 away, or -1 where the value outside is 0."""
    beyond = index + step
    if beyond < 0:
        return size - 1 if low == PERIODIC else (0 if low == REFLECTING else -1)
    if beyond >= size:
        return 0 if high == PERIODIC else (size - 1 if high == REFLECTING else -1)
    return beyond
