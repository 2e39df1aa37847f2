"""Naive references of the pattern detectors: plain loops, straight from the definitions."""

import math
from itertools import pairwise

import numpy as np

# Clockwise from north.
AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def around(cells, y, x):
    return [bool(cells[y + dy, x + dx]) for dy, dx in AROUND]


def arcs(p):
    return sum(not p[k] and (p[k + 1] or p[(k + 2) % 8]) for k in (0, 2, 4, 6))


def goes(p, odd):
    """Guo & Hall (1989), algorithm A1: whether a subiteration deletes a cell."""
    north, northeast, east, southeast, south, southwest, west, northwest = p
    first = sum((northwest or north, northeast or east, southeast or south, southwest or west))
    second = sum((north or northeast, east or southeast, south or southwest, west or northwest))
    if odd:
        kept = (south or southwest or not northwest) and west
    else:
        kept = (north or northeast or not southeast) and east
    return arcs(p) == 1 and 2 <= min(first, second) <= 3 and not kept


def skeleton(mask):
    cells = np.pad(np.asarray(mask, bool), 1)
    idle, odd = 0, True
    while idle < 2:
        gone = [cell for cell in np.argwhere(cells) if goes(around(cells, *cell), odd)]
        for cell in gone:
            cells[tuple(cell)] = False
        idle, odd = 0 if gone else idle + 1, not odd
    for cell in np.argwhere(cells):
        p = around(cells, *cell)
        if arcs(p) == 1 and sum(p) >= 2:
            cells[tuple(cell)] = False
    return cells[1:-1, 1:-1]


def box_counts(mask):
    """Boxes of side 1, 2, 4, … from the origin that hold a set cell, until one box is left."""
    cells = np.argwhere(mask)
    counts, side = [], 1
    while True:
        counts.append(len({tuple(cell // side) for cell in cells}))
        if side >= max(mask.shape, default=0):
            return np.array(counts, np.int64)
        side *= 2


def wrapped(angle):
    return math.remainder(angle, 2 * math.pi)


def charges(phases):
    """Turns of the phase round each square of four cells, for each frame."""
    n_frames, height, width = phases.shape
    turns = np.zeros((n_frames, max(0, height - 1), max(0, width - 1)), np.int8)
    for t, y, x in np.ndindex(turns.shape):
        corners = ((y, x), (y, x + 1), (y + 1, x + 1), (y + 1, x))
        loop = [float(phases[t, j, i]) for j, i in corners]
        total = sum(wrapped(b - a) for a, b in zip(loop, loop[1:] + loop[:1], strict=True))
        turns[t, y, x] = round(total / (2 * math.pi))
    return turns


def inward_alignments(tracks, hub, radius):
    """How far each walker's moves near the hub lead towards it, and how far they lead at all."""
    sums = np.zeros((len(tracks), 2))
    for walker, track in enumerate(tracks):
        for start, stop in pairwise(track):
            move, way = stop - start, hub - (start + stop) / 2
            distance = math.hypot(*way)
            if 0 < distance <= radius:
                sums[walker] += move.dot(way) / distance, math.hypot(*move)
    return sums


def swept_angles(tracks, centre):
    """Angle that each walker sweeps round a centre, in turns."""
    angles = np.zeros(len(tracks))
    for walker, track in enumerate(tracks):
        for start, stop in pairwise(track):
            before, after = start - centre, stop - centre
            if before.any() and after.any():
                angles[walker] += wrapped(math.atan2(*after) - math.atan2(*before))
    return angles / (2 * math.pi)


def moran(values):
    """Moran's I with the four neighbours of each cell."""
    centred = values - np.mean(values)
    pairs = weight = 0
    for y, x in np.ndindex(values.shape):
        for j, i in ((y + 1, x), (y, x + 1)):
            if j < values.shape[0] and i < values.shape[1]:
                pairs += 2 * centred[y, x] * centred[j, i]
                weight += 2
    return values.size / weight * pairs / (centred**2).sum()


def pairs_within(points, radius):
    close = [math.dist(a, b) <= radius for a in points for b in points]
    return sum(close) - len(points)
