"""Navigation fields by plain loops: Bellman-Ford; a dense linear system for the soft minimum."""

import math

import numpy as np

STEPS = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)]


def terrain(walls, costs):
    ground = np.ones(walls.shape) if costs is None else np.array(costs, float)
    ground[walls] = math.inf
    return ground


def moves(ground, y, x, directions):
    """Give (neighbour, cost) of every allowed move."""
    height, width = ground.shape
    for dy, dx in STEPS[:directions]:
        there = y + dy, x + dx
        if not (0 <= there[0] < height and 0 <= there[1] < width):
            continue
        beside = ground[y + dy, x] < math.inf and ground[y, x + dx] < math.inf
        if ground[there] < math.inf and beside:
            yield there, math.sqrt(dy * dy + dx * dx) * (ground[y, x] + ground[there]) / 2


def hard_field(ground, goals, directions):
    potential = np.full(ground.shape, math.inf)
    for y, x in goals:
        potential[y, x] = 0.0
    changed = True
    while changed:
        changed = False
        for y, x in np.argwhere(ground < math.inf):
            for there, cost in moves(ground, y, x, directions):
                if potential[there] + cost < potential[y, x]:
                    potential[y, x] = potential[there] + cost
                    changed = True
    return potential


def soft_field(ground, goals, smoothing, directions):
    """Solve u = W u with u = 1 at the goals; for maps so small that u does not underflow."""
    size = ground.size
    at = np.arange(size).reshape(ground.shape)
    matrix, given = np.eye(size), np.zeros(size)
    aims = {tuple(goal) for goal in goals}
    for y, x in np.ndindex(ground.shape):
        if (y, x) in aims:
            given[at[y, x]] = 1.0
        elif ground[y, x] < math.inf:
            for there, cost in moves(ground, y, x, directions):
                matrix[at[y, x], at[there]] -= math.exp(-cost / smoothing)
    with np.errstate(divide="ignore"):
        field = -smoothing * np.log(np.linalg.solve(matrix, given))
    # Where no way leads u is 0 but for the solver's rounding.
    field[np.isinf(hard_field(ground, goals, directions)).reshape(-1)] = math.inf
    return field.reshape(ground.shape)


def navigation_field(walls, goals, smoothing=0.0, costs=None, directions=8):
    ground = terrain(np.asarray(walls), costs)
    goals = np.atleast_2d(goals)
    if smoothing:
        return soft_field(ground, goals, smoothing, directions)
    return hard_field(ground, goals, directions)
