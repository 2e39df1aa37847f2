"""How walkers move whatever their strategy: edges of the grid, random directions and pushes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from swarmloom.jit import kernel
from swarmloom.random_streams32 import Word32, words32
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, PERIODIC
from swarmloom_protocols.stigmergy.walkers.elementary_kernels import log2_parts, survival
from swarmloom_protocols.stigmergy.walkers.sensing_kernels import Vector, floor_of

__all__ = ["along", "confine", "direction_of", "draw", "normal_radius", "turn_of"]

ZERO: Any = np.float32(0.0)
HALF: Any = np.float32(0.5)
ONE: Any = np.float32(1.0)
# Of a grid's far edge: the greatest float32 that still lies in the last cell.
BELOW_ONE: Any = np.float32(1.0 - 2.0**-23)
MINUS_TWO_LN_2: Any = np.float32(-2.0 * math.log(2.0))
UNIT: Any = np.float32(2.0**-24)
SPARE_BITS = np.uint32(8)
NO_WORD = np.uint32(0)
# Numbers of a walker's stream that one step may use.
BLOCKS_A_STEP = 2


@kernel
def along(place: Vector, length: Any, way: Vector) -> Vector:
    """Return place + length · way."""
    return place[0] + length * way[0], place[1] + length * way[1], place[2] + length * way[2]


@kernel
def _between_mirrors(place: Any, length: Any) -> tuple[Any, bool]:
    """Return where a way between two mirrors, 0 and `length`, ends, and whether it runs back."""
    period = length + length
    place = place - period * np.float32(floor_of(place / period))
    if place > length:
        return period - place, True
    return place, False


@kernel
def _beside_a_stop(place: Any, length: Any, low: int, high: int) -> tuple[Any, bool, bool]:
    """Return end, turn and stop of a way that meets an absorbing side, once mirrored at most."""
    turns = False
    if place < ZERO and low != ABSORBING:
        place, turns = -place, True
    elif place > length and high != ABSORBING:
        place, turns = length + length - place, True
    stops = place < ZERO or place >= length
    return min(max(place, ZERO), length), turns, stops


@kernel
def confine(place: Any, edge: tuple[int, int, int]) -> tuple[Any, bool, bool]:
    """Return where on an axis a walker ends, whether it is turned round, and whether it stops.

    Parameters
    ----------
    place : float32
        Where it would be on an endless axis; cell i covers [i − ½, i + ½).
    edge : tuple of int
        Cells, low and high boundary code: a periodic axis goes on at its other side, a reflecting
        side mirrors the way, at an absorbing side it ends.
    """
    size, low, high = edge
    length = np.float32(size)
    shifted = place + HALF
    if shifted >= ZERO and shifted < length:
        return min(place, (length - HALF) * BELOW_ONE), False, False
    turns, stops = False, False
    if low == PERIODIC:
        shifted = shifted - length * np.float32(floor_of(shifted / length))
    elif low == ABSORBING or high == ABSORBING:
        shifted, turns, stops = _beside_a_stop(shifted, length, low, high)
    else:
        shifted, turns = _between_mirrors(shifted, length)
    return min(max(shifted, ZERO) - HALF, (length - HALF) * BELOW_ONE), turns, stops


@kernel
def turn_of(word: Any) -> Any:
    """Return a random word as an angle in turns, a float32 in [0, 1)."""
    return np.float32(word >> SPARE_BITS) * UNIT


@kernel
def draw(seed: Word32, i: int, number: int, depth: int) -> tuple[Any, Any, Any, Any]:
    """Return four random words of a walker and step; the last two are 0 where `depth` is 1."""
    first, second = words32(seed, i, BLOCKS_A_STEP * number)
    third, fourth = NO_WORD, NO_WORD
    if depth > 1:
        third, fourth = words32(seed, i, BLOCKS_A_STEP * number + 1)
    return first, second, third, fourth


@kernel
def direction_of(sine: Any, cosine: Any, word: Any, depth: int) -> Vector:
    """Return the unit vector at an angle; where `depth` is above 1 at a height by a random word."""
    if depth == 1:
        return ZERO, sine, cosine
    height = turn_of(word)
    z = height + height - ONE
    flat = np.float32(math.sqrt(max(ZERO, ONE - z * z)))
    return z, flat * sine, flat * cosine


@kernel
def normal_radius(word: Any) -> Any:
    """Return the distance from 0 of two normal numbers (Box and Muller 1958).

    The 33 bits of a survival end it at 6.7 standard deviations.
    """
    exponent, fraction = log2_parts(survival(word))
    return np.float32(math.sqrt(max(ZERO, MINUS_TWO_LN_2 * (exponent + fraction))))
