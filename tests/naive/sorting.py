"""Sorting ants by plain loops."""

import numpy as np

from swarmloom.random_streams32 import uniform_pair32


def density(items, row, column, kind, radius):
    rows = np.arange(row - radius, row + radius + 1) % items.shape[0]
    columns = np.arange(column - radius, column + radius + 1) % items.shape[1]
    found = (items[np.ix_(rows, columns)] == kind).sum() - (items[row, column] == kind)
    return found / ((2 * radius + 1) ** 2 - 1)


class World:
    def __init__(self, items, places, seed, first_stream, response):
        self.items = np.array(items)
        self.places = [list(place) for place in places]
        self.loads = [0] * len(places)
        self.seed, self.first_stream, self.response = seed, first_stream, response

    def willing(self, share):
        return self.response.heed * share**2 + (1.0 - self.response.heed) / 2

    def step(self, step):
        for i, place in enumerate(self.places):
            chances = uniform_pair32(self.seed, self.first_stream + i, step)
            turn, chance = (float(one) for one in chances)
            dy, dx = [(-1, 0), (1, 0), (0, -1), (0, 1)][int(turn * 4)]
            place[0] = (place[0] + dy) % self.items.shape[0]
            place[1] = (place[1] + dx) % self.items.shape[1]
            self.handle(i, tuple(place), chance)

    def handle(self, i, cell, chance):
        given, load, here = self.response, self.loads[i], self.items[cell]
        around = density(self.items, *cell, load or here, given.radius)
        if not load and here and chance < self.willing(given.pick / (given.pick + around)):
            self.loads[i], self.items[cell] = here, 0
        elif load and not here and chance < self.willing(around / (given.drop + around)):
            self.loads[i], self.items[cell] = 0, load


def sort_items(items, ants, steps, rng, response):
    """Return items (worlds, height, width) and loads (worlds, ants) after some steps."""
    n_worlds, height, width = np.shape(items)
    rows = rng.integers(0, height, (n_worlds, ants))
    columns = rng.integers(0, width, (n_worlds, ants))
    seed = int(rng.integers(1 << 32))
    worlds = [
        World(ground, list(zip(rows[n], columns[n], strict=True)), seed, n * ants, response)
        for n, ground in enumerate(items)
    ]
    for world in worlds:
        for step in range(steps):
            world.step(step)
    return np.array([w.items for w in worlds]), np.array([w.loads for w in worlds])
