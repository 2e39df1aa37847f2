"""Sensors and the seven strategies as their definitions say, walker by walker, in float64."""

import numpy as np
from scipy.ndimage import map_coordinates

from tests.naive import levy, philox32

MARGIN = 6
MODES = {"periodic": "wrap", "reflecting": "symmetric", "absorbing": "constant"}


def extended(plane, sides):
    """The plane with what lies beyond its edges, `MARGIN` cells of it on every side."""
    plane = np.asarray(plane, float)
    for axis, pair in enumerate(sides):
        before = [(MARGIN, 0) if other == axis else (0, 0) for other in range(plane.ndim)]
        after = [(0, MARGIN) if other == axis else (0, 0) for other in range(plane.ndim)]
        size = plane.shape[axis]
        low = np.pad(plane, before, MODES[pair[0]]).take(range(MARGIN), axis)
        high = np.pad(plane, after, MODES[pair[1]]).take(range(size, size + MARGIN), axis)
        plane = np.concatenate([low, plane, high], axis)
    return plane


def value_at(plane, sides, place, threshold=0.0):
    found = map_coordinates(
        extended(plane, sides), np.reshape(place, (-1, 1)) + MARGIN, order=1, prefilter=False
    )[0]
    return found if abs(found) >= threshold else 0.0


def sense(field, positions, directions, radius, threshold, sides, headings=None):
    """Readings (planes, walkers, directions); the first direction of a heading is the heading."""
    field = np.asarray(field, np.float32)
    readings = np.zeros((len(field), len(positions), len(directions)))
    for channel, walker, j in np.ndindex(readings.shape):
        way = np.asarray(directions[j], float)
        if headings is not None:
            ahead = np.asarray(headings[walker], float)
            turned = complex(ahead[1], ahead[0]) * complex(way[1], way[0])
            way = np.array([turned.imag, turned.real])
        place = np.asarray(positions[walker], np.float32) + radius * way
        readings[channel, walker, j] = value_at(field[channel], sides, place, threshold)
    return readings


def slope_of(plane, place, sensors, sides):
    """Least-squares slope and mean of the ring, and the reading in its middle."""
    offsets = sensors.radius * sensors.directions(len(place))
    threshold = float(np.max(sensors.thresholds))
    values = [value_at(plane, sides, place + offset, threshold) for offset in offsets]
    table = np.column_stack([np.ones(len(offsets)), offsets])
    fitted = np.linalg.lstsq(table, np.array(values), rcond=None)[0]
    centre = value_at(plane, sides, place, threshold)
    flat = 1e-5 * max(np.abs([*values, centre]))
    slope, bend = fitted[1:], centre - np.mean(values)
    if np.linalg.norm(slope) * sensors.radius <= flat:
        slope = np.zeros(len(place))
    return slope, bend if abs(bend) > flat else 0.0, centre


def on_axis(place, size, sides):
    """Where an axis of mirrors, stops or neither brings a walker; its turns; whether it stops."""
    low, high = -0.5, size - 0.5
    turned = False
    while place < low or place >= high:
        side = sides[0] if place < low else sides[1]
        if side == "absorbing":
            return (low if place < low else high), turned, True
        if side == "periodic":
            place += size if place < low else -size
        else:
            place, turned = 2.0 * (low if place < low else high) - place, not turned
    return place, turned, False


def direction(key, walker, number, dimensions):
    turn = philox32.uniform(key, walker, 2 * number, word=1)
    height = philox32.uniform(key, walker, 2 * number + 1)
    return on_sphere(float(turn), float(height), dimensions)


def on_sphere(turn, height, dimensions):
    circle = np.array([np.sin(2.0 * np.pi * turn), np.cos(2.0 * np.pi * turn)])
    if dimensions == 2:
        return circle
    z = 2.0 * height - 1.0
    return np.concatenate([[z], np.sqrt(1.0 - z * z) * circle])


def share_of(word):
    return float(np.float32(word) + np.float32(0.5)) / 2.0**32


def normals(key, walker, block):
    first, second = philox32.block((block, walker), key)
    radius = np.sqrt(-2.0 * np.log(share_of(first)))
    angle = 2.0 * np.pi * (second // 2**8) / 2**24
    return radius * np.sin(angle), radius * np.cos(angle)


class Walk:
    """One walker: `step` returns where it would go on an endless grid, and its heading."""

    def __init__(self, strategy, key, walker, place, heading, plane, sides):
        self.strategy, self.key, self.walker = strategy, key, walker
        self.place, self.heading = np.array(place, float), np.array(heading, float)
        self.plane, self.sides = plane, sides
        self.start, self.first, self.turns, self.stopped = self.place, self.heading, 0.0, False

    def gradientascent(self, number, sign=1.0):
        slope, bend, _ = slope_of(self.plane, self.place, self.strategy.sensors, self.sides)
        size, step = np.linalg.norm(slope), self.strategy.step
        if size > 0.0:
            if sign * bend > 0.0:
                step = min(step, size * self.strategy.sensors.radius**2 / (2.0 * sign * bend))
            way = sign * slope / size
        elif sign * bend > 0.0:
            return self.place, self.heading
        else:
            way = direction(self.key, self.walker, number, len(self.place))
        return self.place + step * way, way

    def gradientdescent(self, number):
        return self.gradientascent(number, -1.0)

    def biasedrandomwalk(self, number):
        drift, way = self.strategy.drift, self.heading
        if self.strategy.along == "gradient":
            slope, _, _ = slope_of(self.plane, self.place, self.strategy.sensors, self.sides)
            size = np.linalg.norm(slope)
            drift, way = (drift, slope / size) if size > 0.0 else (0.0, way)
        push = list(normals(self.key, self.walker, 2 * number))
        if len(self.place) == 3:
            push = [normals(self.key, self.walker, 2 * number + 1)[0], *push]
        move = drift * way + self.strategy.noise * np.array(push)
        return self.place + self.strategy.step * move, way

    def levyflight(self, number):
        first, _ = philox32.block((2 * number, self.walker), self.key)
        way = direction(self.key, self.walker, number, len(self.place))
        law = self.strategy
        high = law.max_length or max(self.plane.shape)
        length = levy.inverse(share_of(first), law.exponent, law.min_length, high)
        return self.place + length * way, way

    def spiralsearch(self, number):
        spacing, step = self.strategy.arm_spacing, self.strategy.step

        def speed(turns):
            return spacing * np.hypot(1.0, 2.0 * np.pi * turns)

        middle = self.turns + 0.5 * step / speed(self.turns)
        self.turns += step / speed(middle)
        flat = complex(self.first[-1], self.first[-2])
        turned = flat / abs(flat) * np.exp(2j * np.pi * self.turns)
        tangent = turned * (1.0 + 2j * np.pi * self.turns)
        tangent /= abs(tangent)
        place, way = self.place.copy(), np.zeros(len(self.place))
        place[-2:] = self.start[-2:] + spacing * self.turns * np.array([turned.imag, turned.real])
        way[-2:] = tangent.imag, tangent.real
        return place, way

    def boundaryfollow(self, number):
        slope, _, here = slope_of(self.plane, self.place, self.strategy.sensors, self.sides)
        size, step = np.linalg.norm(slope), self.strategy.step
        way = self.heading
        if size > 0.0:
            up = slope / size
            if len(up) == 2:
                # Clockwise where y points up and higher values are to the walker's right.
                side = np.array([up[1], -up[0]]) * (1.0 if self.strategy.clockwise else -1.0)
            else:
                side = way - (way @ up) * up
                side /= np.linalg.norm(side)
            across = np.clip((self.strategy.level - here) / (size * step), -1.0, 1.0)
            way = across * up + np.sqrt(1.0 - across**2) * side
        return self.place + step * way, way

    def step(self, number):
        if self.stopped:
            return
        place, way = getattr(self, type(self.strategy).__name__.lower())(number)
        self.settle(place, way)

    def settle(self, place, way):
        self.place, self.heading = np.array(place, float), np.array(way, float)
        for axis, size in enumerate(self.plane.shape):
            found = on_axis(place[axis], size, self.sides[axis])
            self.place[axis] = found[0]
            self.heading[axis] *= -1.0 if found[1] else 1.0
            self.stopped |= found[2]


def centre_step(walks, strategy):
    """One step of `SwarmCentering`: all walkers at once, from where they were before it."""
    places = np.array([walk.place for walk in walks])
    sizes = np.array(walks[0].plane.shape)
    wraps = np.array([pair[0] == "periodic" for pair in walks[0].sides])
    for walk, place in zip(walks, places, strict=True):
        ways = places - place
        ways -= np.where(wraps, sizes * np.rint(ways / sizes), 0.0)
        if strategy.radius is not None:
            ways = ways[np.linalg.norm(ways, axis=1) <= strategy.radius]
        way = strategy.rate * ways.mean(axis=0)
        size = np.linalg.norm(way)
        if not walk.stopped:
            walk.settle(place + way, way / size if size > 0.0 else walk.heading)


def moved(strategy, positions, headings, plane, sides, seed, steps):
    """Positions after some steps; `sides` has a pair of boundary kinds for each axis."""
    key = int(np.random.default_rng(seed).integers(1 << 32))
    walks = [
        Walk(strategy, key, i, place, heading, np.asarray(plane), sides)
        for i, (place, heading) in enumerate(zip(positions, headings, strict=True))
    ]
    for number in range(steps):
        if type(strategy).__name__ == "SwarmCentering" and walks:
            centre_step(walks, strategy)
        else:
            for walk in walks:
                walk.step(number)
    places = np.array([walk.place for walk in walks]).reshape(len(walks), np.ndim(plane))
    return places.astype(np.float32)
