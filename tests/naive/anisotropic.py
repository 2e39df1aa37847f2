"""Anisotropic and Perona–Malik diffusion, cell by cell and edge by edge, in float64."""

import itertools
import math

import numpy as np


def outside(index, size, sides):
    """The cell that stands for an index, or what its side does: "closed" or "empty"."""
    if 0 <= index < size:
        return index
    kind = sides[0] if index < 0 else sides[1]
    return {0: index % size, 1: "closed", 2: "empty"}[int(kind)]


def reached(cell, step, shape, codes):
    """The cell a step away, "closed" through any reflecting side, else "empty" if absorbed."""
    found = [
        outside(i + s, n, sides) for i, s, n, sides in zip(cell, step, shape, codes, strict=True)
    ]
    for fate in ("closed", "empty"):
        if fate in found:
            return fate
    return tuple(found)


def along(tensor, step):
    """Weight ≥ 0 of the tensor along a step, from its diagonal or one off-diagonal entry."""
    axes = [axis for axis in range(3) if step[axis]]
    if len(axes) == 1:
        (i,) = axes
        return tensor[i, i] - sum(abs(tensor[i, j]) for j in range(3) if j != i)
    i, j = axes
    return max(0.0, step[i] * step[j] * tensor[i, j])


def tensor_at(tensor, cell):
    """The 3×3 tensor of a cell; nothing spreads along z where two axes are given."""
    axes = np.shape(tensor)[-1]
    full = np.zeros((3, 3))
    small = tensor if np.ndim(tensor) == 2 else tensor[tuple(cell[3 - axes :])]
    full[3 - axes :, 3 - axes :] = small
    return full


def nearest(cell, step, shape, codes):
    """The cell whose tensor stands for the one a step away, on its own side of open ends."""
    found = []
    for i, s, n, sides in zip(cell, step, shape, codes, strict=True):
        found.append((i + s) % n if sides[0] == 0 else min(max(i + s, 0), n - 1))
    return tuple(found)


STEPS = [
    step for step in itertools.product((-1, 0, 1), repeat=3) if 1 <= np.count_nonzero(step) <= 2
]


def anisotropic_steps(amounts, tensor, codes, dt, steps):
    shape = (1,) * (4 - np.ndim(amounts)) + np.shape(amounts)
    field = np.asarray(amounts, float).reshape(shape)
    for _ in range(steps):
        new = field.copy()
        for cell in itertools.product(*map(range, shape)):
            for step in STEPS:
                other = reached(cell[1:], step, shape[1:], codes)
                if other == "closed":
                    continue
                behind = nearest(cell[1:], step, shape[1:], codes)
                weights = [along(tensor_at(tensor, at), step) for at in (cell[1:], behind)]
                value = 0.0 if other == "empty" else field[(cell[0], *other)]
                new[cell] += dt * sum(weights) / 2 * (value - field[cell])
        field = new
    return field.reshape(np.shape(amounts)).astype(np.float32)


CONDUCTANCES = {
    "exponential": lambda slope, threshold: math.exp(-((slope / threshold) ** 2)),
    "rational": lambda slope, threshold: 1.0 / (1.0 + (slope / threshold) ** 2),
    "constant": lambda slope, threshold: 1.0,
}


def perona_malik_steps(amounts, codes, conductance, threshold, rate, dt, steps):
    shape = (1,) * (4 - np.ndim(amounts)) + np.shape(amounts)
    field = np.asarray(amounts, float).reshape(shape)
    for _ in range(steps):
        new = field.copy()
        for cell in itertools.product(*map(range, shape)):
            for step in STEPS:
                other = reached(cell[1:], step, shape[1:], codes)
                if np.count_nonzero(step) == 1 and other != "closed":
                    value = 0.0 if other == "empty" else field[(cell[0], *other)]
                    slope = value - field[cell]
                    new[cell] += dt * rate * CONDUCTANCES[conductance](slope, threshold) * slope
        field = new
    return field.reshape(np.shape(amounts)).astype(np.float32)
