"""Foraging ants by plain loops, in float32."""

import math

import numpy as np

from swarmloom.random_streams32 import uniform32, uniform_pair32, words32
from swarmloom_protocols.stigmergy.walkers.levy import power_law
from swarmloom_protocols.stigmergy.walkers.levy_kernels import flight_length

HEADINGS = 256
ASIDE = (0, 32, -32)
F = np.float32


class World:
    def __init__(self, food, foragers, seed, number):
        self.food = np.array(food, np.int32)
        self.given = foragers
        self.seed, self.first_stream = seed, number * foragers.ants
        height, width = self.food.shape
        self.nest = F([(height - 1) / 2, (width - 1) / 2])
        self.places = np.tile(self.nest, (foragers.ants, 1))
        self.heading = [i * HEADINGS // foragers.ants for i in range(foragers.ants)]
        self.carrying = [False] * foragers.ants
        self.flight = [0] * foragers.ants
        self.trail = np.zeros(self.food.shape, np.float32)

    def ahead(self, i, heading, reach=1.0):
        angle = math.tau * (heading % HEADINGS) / HEADINGS
        return self.places[i] + F([reach * math.sin(angle), reach * math.cos(angle)])

    def cell(self, place):
        """Return the cell of a place, None outside the world."""
        row, column = (int(np.floor(part + F(0.5))) for part in place)
        inside = 0 <= row < self.food.shape[0] and 0 <= column < self.food.shape[1]
        return (row, column) if inside else None

    def smell(self, place):
        cell = self.cell(place)
        return self.trail[cell] if cell else F(0.0)

    def uphill(self, i):
        turns = [self.heading[i] + turn for turn in ASIDE]
        amounts = [self.smell(self.ahead(i, turn, self.given.reach)) for turn in turns]
        return turns[int(np.argmax(amounts))]

    def homeward(self, i):
        turns = [self.heading[i] + turn for turn in ASIDE]
        away = [np.sum((self.ahead(i, t) - self.nest).astype(float) ** 2) for t in turns]
        return turns[int(np.argmin(away))]

    def wiggled(self, heading, chance):
        most = float(F(self.given.wiggle / 360.0 * HEADINGS))
        return heading + math.floor((2.0 * float(chance) - 1.0) * most + 0.5)

    def choose(self, i, chance, word):
        if self.carrying[i]:
            return self.wiggled(self.homeward(i), chance)
        if self.given.strategy == "levy":
            if self.flight[i] > 0:
                self.flight[i] -= 1
                return self.heading[i]
            law = power_law(self.given.flight_exponent, 1.0, 2.0**20)
            self.flight[i] = int(flight_length(word, law)) - 1
            return int(chance * F(HEADINGS))
        heading = self.heading[i]
        if self.given.strategy == "trail" and self.smell(self.places[i]) >= F(self.given.faintest):
            heading = self.uphill(i)
        return self.wiggled(heading, chance)

    def move(self, i, step):
        number = self.seed, self.first_stream + i, step
        heading = self.choose(i, uniform_pair32(*number)[0], words32(*number)[1])
        place = self.ahead(i, heading)
        if self.cell(place):
            self.places[i] = place
        else:
            heading += HEADINGS // 2
            self.flight[i] = 0
        self.heading[i] = heading % HEADINGS

    def deliver(self, i, step):
        away = (self.places[i] - self.nest).astype(float)
        if np.sum(away**2) > self.given.nest_radius**2:
            return 0
        chance = uniform32(self.seed, self.first_stream + i, step + 2**31)
        self.carrying[i], self.flight[i] = False, 0
        self.heading[i] = int(chance * F(HEADINGS))
        return 1

    def step(self, step):
        numbers = range(self.given.ants)
        for i in numbers:
            self.move(i, step)
        cells = [self.cell(place) for place in self.places]
        home = [i for i in numbers if self.carrying[i]]
        marks = [cells[i] for i in home]
        for cell in {cells[i] for i in numbers if not self.carrying[i]}:
            if self.food[cell] > 0:
                winner = min(i for i in numbers if cells[i] == cell and i not in home)
                self.food[cell] -= 1
                self.carrying[winner] = True
                self.heading[winner] = (self.heading[winner] + HEADINGS // 2) % HEADINGS
        delivered = sum(self.deliver(i, step) for i in home)
        if self.given.strategy == "trail":
            self.spread(marks)
        return delivered

    def spread(self, marks):
        around = np.pad(self.trail, 1, mode="edge").astype(float)
        total = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]
        diffused = self.trail + float(F(self.given.diffusion)) * (total - 4.0 * self.trail)
        trail = float(F(1.0 - self.given.evaporation)) * diffused
        for cell in marks:
            trail[cell] += float(F(self.given.mark))
        self.trail = trail.astype(np.float32)


def forage_worlds(food, foragers, steps, rng):
    """Return delivered (worlds, steps), food, trail and places, as lists by world."""
    seed = int(rng.integers(1 << 32))
    worlds = [World(ground, foragers, seed, number) for number, ground in enumerate(food)]
    delivered = [[world.step(step) for step in range(steps)] for world in worlds]
    return (
        np.array(delivered, np.int32).reshape(len(worlds), steps),
        np.array([world.food for world in worlds]),
        np.array([world.trail for world in worlds]),
        np.array([world.places for world in worlds]),
    )
