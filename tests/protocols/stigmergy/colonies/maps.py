"""Maps for tests and benchmarks: open ground, random obstacles, rooms with doors, mazes."""

import numpy as np


def open_ground(rng, size):
    return np.zeros((size, size), bool)


def obstacles(rng, size, share):
    return rng.random((size, size)) < share


def rooms(rng, size, room=16):
    """Square rooms; each wall between two of them has one door."""
    walls = np.zeros((size, size), bool)
    walls[room - 1 :: room] = walls[:, room - 1 :: room] = True
    for at in range(room - 1, size, room):
        for low in range(0, size, room):
            door = low + rng.integers(0, room - 1, 2)
            walls[at, min(door[0], size - 1)] = walls[min(door[1], size - 1), at] = False
    return walls


def maze(rng, size):
    """A perfect maze with walls one cell thick, by randomised depth-first search."""
    walls = np.ones((size, size), bool)
    walls[0, 0] = False
    stack = [(0, 0)]
    while stack:
        y, x = stack[-1]
        steps = [
            (dy, dx)
            for dy, dx in ((0, 2), (0, -2), (2, 0), (-2, 0))
            if 0 <= y + dy < size and 0 <= x + dx < size and walls[y + dy, x + dx]
        ]
        if not steps:
            stack.pop()
            continue
        dy, dx = steps[rng.integers(len(steps))]
        walls[y + dy // 2, x + dx // 2] = walls[y + dy, x + dx] = False
        stack.append((y + dy, x + dx))
    return walls


KINDS = {
    "open": open_ground,
    "random 10 %": lambda rng, size: obstacles(rng, size, 0.10),
    "random 25 %": lambda rng, size: obstacles(rng, size, 0.25),
    "random 35 %": lambda rng, size: obstacles(rng, size, 0.35),
    "rooms": rooms,
    "maze": maze,
}


def free_cells(walls, rng, count):
    """Draw (y, x) of distinct free cells."""
    cells = np.argwhere(~walls)
    return cells[rng.choice(len(cells), count, replace=False)]
