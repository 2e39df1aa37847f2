"""One step of each navigation strategy, and its loop over walkers and steps.

All random numbers of a step are functions of (seed, walker, step), so that no result depends on
the order in which walkers are moved.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams32 import Word32
from swarmloom_protocols.stigmergy.field.boundaries import PERIODIC
from swarmloom_protocols.stigmergy.walkers.elementary_kernels import sine_cosine
from swarmloom_protocols.stigmergy.walkers.levy_kernels import clamped, flight_length
from swarmloom_protocols.stigmergy.walkers.motion_kernels import (
    along,
    confine,
    direction_of,
    draw,
    normal_radius,
    turn_of,
)
from swarmloom_protocols.stigmergy.walkers.sensing_kernels import (
    Edges,
    Vector,
    edges_of,
    norm,
    perceive,
)

__all__ = [
    "CENTRE",
    "CLIMB",
    "DRIFT",
    "FLY",
    "FOLLOW",
    "MOVERS",
    "RADIUS",
    "SETTINGS",
    "SPIRAL",
    "STATE_ROWS",
    "THRESHOLD",
    "centre_all",
    "climb_all",
    "drift_all",
    "fly_all",
    "follow_all",
    "spiral_all",
]

Float32Array = NDArray[np.float32]
# A walker's rows of `state` but the first.
Aim = tuple[Any, Any, Any, Any]
# Positions and headings (z, y, x, whatever the number of axes), shape (3, n), overwritten; 1 for
# walkers that an absorbing side has stopped, shape (n,); state, shape (STATE_ROWS, n).
Swarm = tuple[Float32Array, Float32Array, NDArray[np.uint8], Float32Array]
# The plane that is sensed, shape (Z, Y, X); size, low and high boundary code of each axis, shape
# (3, 3); ring of `perceive`, settings of the step, shape (SETTINGS,); seed.
World = tuple[Float32Array, NDArray[np.int64], Float32Array, Float32Array, Word32]

CLIMB, DRIFT, FLY, SPIRAL, FOLLOW, CENTRE = range(6)
# SPIRAL keeps turns, centre (y, x) and first direction (y, x); CENTRE has the place (z, y, x) that
# a walker is drawn to from the second row on.
STATE_ROWS = 5
# Settings of a step: up to six of its own, then threshold and radius of the sensors.
SETTINGS, THRESHOLD, RADIUS = 8, 6, 7

ZERO: Any = np.float32(0.0)
HALF: Any = np.float32(0.5)
ONE: Any = np.float32(1.0)
TURN: Any = np.float32(2.0 * math.pi)
PARALLEL: Any = np.float32(1e-3)
NOWHERE: Any = (ZERO, ZERO, ZERO)


@kernel
def _climb(
    place: Vector,
    ahead: Vector,
    up: Vector,
    slope: Any,
    bend: Any,
    chance: Vector,
    settings: Float32Array,
) -> tuple[Vector, Vector]:
    """Go along the slope; settings: step, and 1 to climb or −1 to descend.

    The step ends at the top of the parabola through the ring and the centre: the ring's mean is
    above the centre by r²/2 times the mean second derivative.
    """
    step, sign, radius = settings[0], settings[1], settings[RADIUS]
    bend = sign * bend
    if slope > ZERO:
        if bend > ZERO:
            step = min(step, slope * radius * radius / (bend + bend))
        ahead = sign * up[0], sign * up[1], sign * up[2]
        return along(place, step, ahead), ahead
    if bend > ZERO:
        return place, ahead
    return along(place, step, chance), chance


@kernel
def _drift(
    place: Vector,
    ahead: Vector,
    up: Vector,
    slope: Any,
    push: Vector,
    settings: Float32Array,
) -> tuple[Vector, Vector]:
    """Go and be pushed; settings: step, drift, noise, and whether the slope is the direction."""
    step, drift, noise = settings[0], settings[1], settings[2]
    if settings[3] > ZERO:
        drift = drift if slope > ZERO else ZERO
        ahead = up if slope > ZERO else ahead
    return along(along(place, step * drift, ahead), step * noise, push), ahead


@kernel
def _turns_after(turns: Any, step: Any, spacing: Any) -> Any:
    """Return where on the spiral r = spacing · turns an arc of length `step` ends.

    By the midpoint rule from dl/dt = spacing · √(1 + (2πt)²).
    """
    angle = TURN * turns
    half = HALF * step / (spacing * np.float32(math.sqrt(ONE + angle * angle)))
    angle = TURN * (turns + half)
    return turns + step / (spacing * np.float32(math.sqrt(ONE + angle * angle)))


@kernel
def _spiral(
    turns: Any, sine: Any, cosine: Any, place: Vector, aim: Aim, spacing: Any
) -> tuple[Vector, Vector]:
    """Return the place after so many turns about the centre in `aim`, and the tangent there."""
    centre_y, centre_x, first_y, first_x = aim
    out_y = first_y * cosine + first_x * sine
    out_x = first_x * cosine - first_y * sine
    # Outwards it goes by 1, around by the angle, a turn.
    angle, radius = TURN * turns, spacing * turns
    length = np.float32(math.sqrt(ONE + angle * angle))
    way = ZERO, (out_y + angle * out_x) / length, (out_x - angle * out_y) / length
    return (place[0], centre_y + radius * out_y, centre_x + radius * out_x), way


@kernel
def _beside(way: Vector, normal: Vector) -> tuple[Vector, Any]:
    """Return the part of a vector that is at right angles to a unit vector, and its length."""
    share = way[0] * normal[0] + way[1] * normal[1] + way[2] * normal[2]
    side = along(way, -share, normal)
    return side, norm(side)


@kernel
def _along_surface(normal: Vector, ahead: Vector, chance: Vector, depth: int, sense: Any) -> Vector:
    """Return a unit vector at right angles to a normal.

    In the plane the normal turned by ±90°; in space what the heading has of it, or any where the
    walker comes straight up to the surface.
    """
    if depth == 1:
        return ZERO, sense * normal[2], -sense * normal[1]
    side, size = _beside(ahead, normal)
    if size < PARALLEL:
        side, size = _beside(chance, normal)
    size = max(size, PARALLEL)
    return side[0] / size, side[1] / size, side[2] / size


@kernel
def _follow(
    place: Vector,
    ahead: Vector,
    up: Vector,
    slope: Any,
    here: Any,
    chance: Vector,
    depth: int,
    settings: Float32Array,
) -> tuple[Vector, Vector]:
    """Go along a level set; settings: step, level, and 1 or −1 for the sense of the way round.

    The step's part across the level set is as long as the level is away by the slope.
    """
    step, level = settings[0], settings[1]
    if slope > ZERO:
        side = _along_surface(up, ahead, chance, depth, settings[2])
        across = clamped((level - here) / (slope * step), -ONE, ONE)
        onwards = np.float32(math.sqrt(ONE - across * across))
        ahead = along((onwards * side[0], onwards * side[1], onwards * side[2]), across, up)
    return along(place, step, ahead), ahead


@kernel
def _shortest(way: Any, edge: tuple[int, int, int]) -> Any:
    length = np.float32(edge[0])
    if edge[1] == PERIODIC and way > HALF * length:
        return way - length
    if edge[1] == PERIODIC and way < -HALF * length:
        return way + length
    return way


@kernel
def _centre(
    place: Vector, ahead: Vector, aim: Aim, edges: Edges, rate: Any
) -> tuple[Vector, Vector]:
    """Go the share `rate` of the way to the place in `aim`, the shorter way round."""
    way = (
        _shortest(aim[0] - place[0], edges[0]),
        _shortest(aim[1] - place[1], edges[1]),
        _shortest(aim[2] - place[2], edges[2]),
    )
    size = norm(way)
    if size > ZERO:
        ahead = way[0] / size, way[1] / size, way[2] / size
    return along(place, rate, way), ahead


@kernel
def _push(first: Any, sine: Any, cosine: Any, third: Any, fourth: Any, depth: int) -> Vector:
    """Return independent standard normal numbers for z (0 where `depth` is 1), y and x."""
    radius, z = normal_radius(first), ZERO
    if depth > 1:
        z = normal_radius(third) * sine_cosine(turn_of(fourth))[0]
    return z, radius * sine, radius * cosine


@kernel
def _walker(i: int, walkers: Swarm) -> tuple[Vector, Vector]:
    """Return where a walker is, and its heading."""
    positions, headings = walkers[0], walkers[1]
    place = positions[0, i], positions[1, i], positions[2, i]
    return place, (headings[0, i], headings[1, i], headings[2, i])


@kernel
def _put(i: int, place: Vector, ahead: Vector, edges: Edges, walkers: Swarm) -> None:
    """Write where a walker ends that goes to a place on an endless grid."""
    positions, headings, stopped = walkers[0], walkers[1], walkers[2]
    for axis in range(3):
        end, turned, stops = confine(place[axis], edges[axis])
        positions[axis, i] = end
        headings[axis, i] = -ahead[axis] if turned else ahead[axis]
        if stops:
            stopped[i] = 1


@kernel
def _any_way(seed: Word32, i: int, number: int, depth: int) -> tuple[Vector, Any]:
    """Return a random direction, and the random word that is left."""
    first, second, third, _ = draw(seed, i, number, depth)
    sine, cosine = sine_cosine(turn_of(second))
    return direction_of(sine, cosine, third, depth), first


# One loop for each strategy, so that a GPU's compiler, which copies whatever is called, has little
# to copy. All make steps `number` to `number + steps` of walkers `first` to `stop`.


@kernel
def climb_all(first: int, stop: int, number: int, steps: int, walkers: Swarm, world: World) -> None:
    """Move walkers of `GradientAscent` and `GradientDescent`."""
    plane, box, ring, settings, seed = world
    edges = edges_of(box)
    for i in range(first, stop):
        for step in range(number, number + steps):
            if walkers[2][i] == 0:
                place, ahead = _walker(i, walkers)
                up, slope, bend, _ = perceive(
                    plane, place, edges, ring, settings[THRESHOLD], settings[RADIUS]
                )
                chance = NOWHERE
                if slope == ZERO:
                    chance, _ = _any_way(seed, i, step, edges[0][0])
                place, ahead = _climb(place, ahead, up, slope, bend, chance, settings)
                _put(i, place, ahead, edges, walkers)


@kernel
def drift_all(first: int, stop: int, number: int, steps: int, walkers: Swarm, world: World) -> None:
    """Move walkers of `BiasedRandomWalk`."""
    plane, box, ring, settings, seed = world
    edges = edges_of(box)
    depth = edges[0][0]
    for i in range(first, stop):
        for step in range(number, number + steps):
            if walkers[2][i] == 0:
                place, ahead = _walker(i, walkers)
                up, slope, _, _ = perceive(
                    plane, place, edges, ring, settings[THRESHOLD], settings[RADIUS]
                )
                one, two, three, four = draw(seed, i, step, depth)
                sine, cosine = sine_cosine(turn_of(two))
                push = _push(one, sine, cosine, three, four, depth)
                place, ahead = _drift(place, ahead, up, slope, push, settings)
                _put(i, place, ahead, edges, walkers)


@kernel
def fly_all(first: int, stop: int, number: int, steps: int, walkers: Swarm, world: World) -> None:
    """Move walkers of `LevyFlight`."""
    settings, seed = world[3], world[4]
    edges = edges_of(world[1])
    for i in range(first, stop):
        for step in range(number, number + steps):
            if walkers[2][i] == 0:
                place, ahead = _walker(i, walkers)
                ahead, word = _any_way(seed, i, step, edges[0][0])
                place = along(place, flight_length(word, settings), ahead)
                _put(i, place, ahead, edges, walkers)


@kernel
def spiral_all(
    first: int, stop: int, number: int, steps: int, walkers: Swarm, world: World
) -> None:
    """Move walkers of `SpiralSearch`."""
    state, settings = walkers[3], world[3]
    edges = edges_of(world[1])
    for i in range(first, stop):
        aim = state[1, i], state[2, i], state[3, i], state[4, i]
        for _ in range(number, number + steps):
            if walkers[2][i] == 0:
                place, ahead = _walker(i, walkers)
                turns = _turns_after(state[0, i], settings[0], settings[1])
                sine, cosine = sine_cosine(turns)
                place, ahead = _spiral(turns, sine, cosine, place, aim, settings[1])
                state[0, i] = turns
                _put(i, place, ahead, edges, walkers)


@kernel
def follow_all(
    first: int, stop: int, number: int, steps: int, walkers: Swarm, world: World
) -> None:
    """Move walkers of `BoundaryFollow`."""
    plane, box, ring, settings, seed = world
    edges = edges_of(box)
    depth = edges[0][0]
    for i in range(first, stop):
        for step in range(number, number + steps):
            if walkers[2][i] == 0:
                place, ahead = _walker(i, walkers)
                up, slope, _, here = perceive(
                    plane, place, edges, ring, settings[THRESHOLD], settings[RADIUS]
                )
                chance = NOWHERE
                if depth > 1:
                    chance, _ = _any_way(seed, i, step, depth)
                place, ahead = _follow(place, ahead, up, slope, here, chance, depth, settings)
                _put(i, place, ahead, edges, walkers)


@kernel
def centre_all(
    first: int, stop: int, number: int, steps: int, walkers: Swarm, world: World
) -> None:
    """Move walkers of `SwarmCentering`."""
    state, settings = walkers[3], world[3]
    edges = edges_of(world[1])
    for i in range(first, stop):
        aim = state[1, i], state[2, i], state[3, i], state[4, i]
        for _ in range(number, number + steps):
            if walkers[2][i] == 0:
                place, ahead = _walker(i, walkers)
                place, ahead = _centre(place, ahead, aim, edges, settings[0])
                _put(i, place, ahead, edges, walkers)


# By the numbers of the kinds.
MOVERS = (climb_all, drift_all, fly_all, spiral_all, follow_all, centre_all)
