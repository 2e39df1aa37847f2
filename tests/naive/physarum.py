"""A Physarum swarm agent by agent and cell by cell, in Python numbers.

Written from Jones's description (Artificial Life 16 (2010) 127) and the number formats that the
documentation states: positions in 2⁻¹⁶ cells, all else in float32.
"""

import math

import numpy as np

from tests.naive import philox32

CELL = 1 << 16
single = np.float32
FLOOR = single(1e-28)


def cut(value):
    """The whole part of a float32 product."""
    return int(value)


def fold(place, size, periodic):
    """The place, and whether it was beyond a reflecting end."""
    if periodic:
        return place % size, False
    if place < 0:
        return -1 - place, True
    if place >= size:
        return 2 * size - 1 - place, True
    return place, False


class Swarm:
    def __init__(self, shape, positions, headings, seed, **settings):
        self.shape, self.seed, self.step_count = shape, seed, 0
        self.settings = settings
        self.periodic = [kind == "periodic" for kind in settings["boundaries"]]
        self.places = [[math.floor((value + 0.5) * CELL) for value in row] for row in positions]
        self.headings = [[single(value) for value in row] for row in headings]
        self.trail = np.array(settings["trail"], np.float32)
        self.walls = settings.get("walls", np.zeros(shape, bool))
        self.food = settings.get("food", [])

    def cell(self, place):
        sides = zip(place, self.shape, self.periodic, strict=True)
        return tuple(fold(at, side * CELL, periodic)[0] // CELL for at, side, periodic in sides)

    def smell(self, place, offset):
        return self.trail[self.cell([place[0] + offset[0], place[1] + offset[1]])]

    def offsets(self, heading):
        """Where the sensors in front, left and right are."""
        angle, reach = self.settings["sensor_angle"], self.settings["sensor_distance"] * CELL
        y, x = heading
        ahead = single(reach)
        along, aside = single(reach * math.cos(angle)), single(reach * math.sin(angle))
        forward = cut(y * along), cut(x * along)
        across = cut(x * aside), -cut(y * aside)
        return (
            (cut(y * ahead), cut(x * ahead)),
            (forward[0] + across[0], forward[1] + across[1]),
            (forward[0] - across[0], forward[1] - across[1]),
        )

    def turn(self, agent):
        """1 for left, -1 for right."""
        here = self.places[agent]
        front, left, right = (self.smell(here, to) for to in self.offsets(self.headings[agent]))
        if front > left and front > right:
            return 0
        if front < left and front < right:
            return 1 if self.coin(agent) else -1
        return int(left > right) - int(right > left)

    def coin(self, agent):
        words = philox32.block((agent, self.step_count // 64), self.seed)
        return words[self.step_count % 64 // 32] >> (self.step_count % 32) & 1

    def turned(self, heading, turn):
        if turn == 0:
            return heading
        cosine = single(math.cos(self.settings["turn_angle"]))
        sine = single(turn) * single(math.sin(self.settings["turn_angle"]))
        y, x = heading
        return [y * cosine + x * sine, x * cosine - y * sine]

    def righted(self, heading):
        y, x = heading
        factor = single(1.5) - single(0.5) * (y * y + x * x)
        return [y * factor, x * factor]

    def move(self, agent):
        """Move one agent; the cell it deposits in, or None."""
        before = self.places[agent]
        heading = self.turned(self.headings[agent], self.turn(agent))
        stride = single(self.settings["step_size"] * CELL)
        place = [before[i] + cut(heading[i] * stride) for i in (0, 1)]
        if self.walls[self.cell(place)]:
            self.headings[agent] = self.anew(agent)
            return None
        for i in (0, 1):
            place[i], back = fold(place[i], self.shape[i] * CELL, self.periodic[i])
            heading = [*heading[:i], -heading[i] if back else heading[i], *heading[i + 1 :]]
        self.places[agent], self.headings[agent] = place, heading
        return self.cell(place)

    def anew(self, agent):
        word = philox32.block((agent, self.step_count | 1 << 31), self.seed)[0]
        angle = 2.0 * math.pi * (word >> 22) / 1024
        return [single(math.sin(angle)), single(math.cos(angle))]

    def step(self):
        if self.step_count % 64 == 0:
            self.headings = [self.righted(heading) for heading in self.headings]
        cells = [self.move(agent) for agent in range(len(self.places))]
        for y, x, amount in self.food:
            self.trail[int(y), int(x)] += single(amount)
        deposits = np.zeros(self.shape, int)
        for cell in cells:
            if cell is not None:
                deposits[cell] += 1
        self.trail += single(self.settings["deposit"]) * deposits.astype(np.float32)
        self.spread()
        self.step_count += 1

    def neighbour(self, y, x, dy, dx):
        at = [y + dy, x + dx]
        for i in (0, 1):
            last = self.shape[i] - 1
            at[i] = at[i] % self.shape[i] if self.periodic[i] else min(max(at[i], 0), last)
        return tuple(at)

    def spread(self):
        share, loss = single(self.settings["diffusion"] / 9.0), single(self.settings["decay"])
        old, new = self.trail, np.zeros_like(self.trail)
        for y, x in np.ndindex(self.shape):
            if self.walls[y, x]:
                continue
            across = []
            for dy in (-1, 1, 0):
                left, right, here = (old[self.neighbour(y, x, dy, dx)] for dx in (-1, 1, 0))
                across.append(left + right + here)
            around = across[0] + across[1] + across[2]
            near = [self.neighbour(y, x, dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            links = sum(not self.walls[cell] for cell in near)
            spread = old[y, x] + share * (around - single(links) * old[y, x])
            left = spread - loss * spread
            new[y, x] = left if left > FLOOR else 0.0
        self.trail = new
