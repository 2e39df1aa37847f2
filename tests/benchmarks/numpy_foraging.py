"""The step of trail-following ants in NumPy, vectorised over the ants: the rival of the kernels."""

import numpy as np
from scipy.ndimage import convolve

STENCIL = np.float32([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
ASIDE = np.array([0, 32, -32])


class NumpyForagers:
    def __init__(self, food, foragers, rng):
        self.food, self.given, self.rng = food.copy(), foragers, rng
        self.size = np.array(food.shape)
        self.nest = ((self.size - 1) / 2).astype(np.float32)
        self.places = np.tile(self.nest, (foragers.ants, 1))
        self.heading = np.arange(foragers.ants) * 256 // foragers.ants
        self.carrying = np.zeros(foragers.ants, bool)
        self.trail = np.zeros(food.shape, np.float32)
        angle = 2 * np.pi * np.arange(256) / 256
        self.table = np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)
        self.delivered = 0

    def cells(self, places):
        return np.floor(places + 0.5).astype(np.int64)

    def smell(self, places):
        cells = self.cells(places)
        inside = ((cells >= 0) & (cells < self.size)).all(axis=-1)
        y, x = np.clip(cells, 0, self.size - 1).reshape(-1, 2).T
        return np.where(inside, self.trail[y, x].reshape(inside.shape), 0.0)

    def turn(self):
        heading = (self.heading[:, None] + ASIDE) % 256
        ahead = self.table[heading]
        home = ((self.places[:, None] + ahead - self.nest) ** 2).sum(axis=2).argmin(axis=1)
        sniffed = self.smell(self.places[:, None] + self.given.reach * ahead)
        follow = np.where(self.smell(self.places) >= self.given.faintest, sniffed.argmax(axis=1), 0)
        chosen = np.where(self.carrying, home, follow)
        wiggle = self.rng.uniform(-1.0, 1.0, len(heading)) * self.given.wiggle / 360 * 256
        picked = np.take_along_axis(heading, chosen[:, None], axis=1)[:, 0]
        return (picked + np.rint(wiggle).astype(np.int64)) % 256

    def step(self):
        self.heading = self.turn()
        places = self.places + self.table[self.heading]
        cells = self.cells(places)
        inside = ((cells >= 0) & (cells < self.size)).all(axis=1)
        self.places = np.where(inside[:, None], places, self.places)
        self.heading = np.where(inside, self.heading, (self.heading + 128) % 256)
        y, x = self.cells(self.places).T
        marks = np.bincount(
            (y * self.size[1] + x)[self.carrying], minlength=self.trail.size
        ).reshape(self.trail.shape)
        self.settle(y, x)
        self.trail += np.float32(self.given.diffusion) * convolve(
            self.trail, STENCIL, mode="nearest"
        )
        self.trail *= np.float32(1.0 - self.given.evaporation)
        self.trail += np.float32(self.given.mark) * marks

    def settle(self, y, x):
        at_food = np.flatnonzero(~self.carrying & (self.food[y, x] > 0))
        _, first = np.unique(y[at_food] * self.size[1] + x[at_food], return_index=True)
        lucky = at_food[first]
        away = ((self.places - self.nest) ** 2).sum(axis=1)
        home = self.carrying & (away <= self.given.nest_radius**2)
        self.food[y[lucky], x[lucky]] -= 1
        self.carrying[lucky] = True
        self.heading[lucky] = (self.heading[lucky] + 128) % 256
        self.carrying[home] = False
        self.heading[home] = self.rng.integers(0, 256, home.sum())
        self.delivered += int(home.sum())
