"""Nine frames of trails whose junctions, ends, components and loops are known."""

from functools import lru_cache

import numpy as np

SIDE = 192
HALF_WIDTH = 2.5
RADIUS = 50.0
SEEDS = range(10)
NOISES = (0.0, 0.05, 0.1, 0.2)

# (junctions, endpoints, components, cycles)
ANSWERS = {
    "line": (0, 2, 1, 0),
    "Y": (1, 3, 1, 0),
    "X": (1, 4, 1, 0),
    "star": (1, 6, 1, 0),
    "ring": (0, 0, 1, 1),
    "two lines": (0, 4, 2, 0),
    "binary tree": (7, 9, 1, 0),
    "lattice": (9, 12, 1, 4),
    "noise only": (0, 0, 0, 0),
}


def arms(count, length, first=0.0):
    angles = first + np.arange(count) * 2 * np.pi / count
    tips = length * np.stack((np.sin(angles), np.cos(angles)), axis=1)
    return [((0.0, 0.0), tuple(tip)) for tip in tips]


def tree(start, angle, length, depth):
    stop = (start[0] + length * np.sin(angle), start[1] + length * np.cos(angle))
    yield start, stop
    if depth:
        for turn in (-1, 1):
            spread = turn * np.deg2rad((0, 25, 35, 55)[depth])
            yield from tree(stop, angle + spread, length * 0.8, depth - 1)


def lattice(gap=40.0, reach=68.0):
    rows = [((gap * k, -reach), (gap * k, reach)) for k in (-1, 0, 1)]
    return rows + [((start[1], start[0]), (stop[1], stop[0])) for start, stop in rows]


def segments(name):
    return {
        "line": lambda: arms(2, 70.0),
        "Y": lambda: arms(3, 65.0),
        "X": lambda: arms(4, 65.0),
        "star": lambda: arms(6, 65.0),
        "ring": list,
        "two lines": lambda: [((-25.0, -60.0), (-25.0, 60.0)), ((25.0, -60.0), (25.0, 60.0))],
        "binary tree": lambda: list(tree((-78.0, 0.0), np.pi / 2, 50.0, 3)),
        "lattice": lattice,
        "noise only": list,
    }[name]()


def distance(y, x, start, stop):
    along = np.subtract(stop, start)
    offset = np.stack((y - start[0], x - start[1]))
    share = np.clip(np.tensordot(along, offset, 1) / along.dot(along), 0.0, 1.0)
    return np.hypot(*(offset - along[:, None, None] * share))


@lru_cache(maxsize=128)
def profile(name, seed, side):
    rng = np.random.default_rng([seed, list(ANSWERS).index(name)])
    turn, middle = rng.uniform(0, 2 * np.pi), side / 2 + rng.uniform(-4, 4, 2)
    y, x = np.indices((side, side)) - middle[:, None, None]
    y, x = y * np.cos(turn) - x * np.sin(turn), y * np.sin(turn) + x * np.cos(turn)
    nearest = np.full((side, side), np.inf) if name != "ring" else abs(np.hypot(y, x) - RADIUS)
    for start, stop in segments(name):
        nearest = np.minimum(nearest, distance(y, x, start, stop))
    return np.exp(-0.5 * (nearest / HALF_WIDTH) ** 2)


def frame(name, seed, noise, side=SIDE):
    """A frame of trails of height 1 with Gaussian profile, turned and moved by the seed."""
    field = profile(name, seed, side)
    grain = np.random.default_rng([seed, list(ANSWERS).index(name), 1])
    return (field + noise * grain.standard_normal(field.shape)).astype(np.float32)
