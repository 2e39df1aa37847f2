"""A* on grids with 8 directions and no cut corner, compiled: the rival of navigation fields.

Binary heap in arrays, octile heuristic, cells stamped by the search that opened them, so that
nothing is cleared between searches.
"""

import math

import numpy as np

from swarmloom.jit import kernel

STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
DIAGONAL = math.sqrt(2.0)


@kernel
def push(keys, cells, size, key, cell):
    child = size
    while child > 0:
        parent = (child - 1) // 2
        if keys[parent] <= key:
            break
        keys[child], cells[child] = keys[parent], cells[parent]
        child = parent
    keys[child], cells[child] = key, cell


@kernel
def pop(keys, cells, size):
    """Take the first away; the heap has size - 1 entries afterwards."""
    key, cell = keys[size - 1], cells[size - 1]
    parent, size = 0, size - 1
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if key <= keys[child]:
            break
        keys[parent], cells[parent] = keys[child], cells[child]
        parent = child
    keys[parent], cells[parent] = key, cell


@kernel
def octile(cell, goal, stride):
    dy = abs(cell // stride - goal // stride)
    dx = abs(cell % stride - goal % stride)
    return max(dy, dx) + (DIAGONAL - 1.0) * min(dy, dx)


@kernel
def search(walls, stride, start, goal, costs, opened, closed, stamp, keys, cells):
    """Return the cost of the cheapest way, infinity where there is none."""
    costs[start], opened[start] = 0.0, stamp
    push(keys, cells, 0, octile(start, goal, stride), start)
    size = 1
    while size > 0:
        cell = cells[0]
        pop(keys, cells, size)
        size -= 1
        if cell == goal:
            return costs[cell]
        if closed[cell] == stamp:
            continue
        closed[cell] = stamp
        for move in range(8):
            dy, dx = STEPS[move]
            there = cell + dy * stride + dx
            if walls[there] or walls[cell + dy * stride] or walls[cell + dx]:
                continue
            cost = costs[cell] + (1.0 if move < 4 else DIAGONAL)
            if opened[there] == stamp and cost >= costs[there]:
                continue
            costs[there], opened[there] = cost, stamp
            push(keys, cells, size, cost + octile(there, goal, stride), there)
            size += 1
    return math.inf


class AStar:
    def __init__(self, walls):
        self.stride = walls.shape[1] + 2
        self.walls = np.pad(walls, 1, constant_values=True).reshape(-1)
        self.costs = np.zeros(self.walls.size)
        self.opened, self.closed = (np.zeros(self.walls.size, np.int64) for _ in range(2))
        # Each move can push once at most.
        self.keys = np.zeros(8 * self.walls.size)
        self.cells = np.zeros(8 * self.walls.size, np.int64)
        self.stamp = 0

    def cost(self, start, goal):
        flat = [(int(y) + 1) * self.stride + int(x) + 1 for y, x in (start, goal)]
        self.stamp += 1
        state = self.costs, self.opened, self.closed, self.stamp, self.keys, self.cells
        return search(self.walls, self.stride, *flat, *state)
