"""Gradient fields, cell by cell in float64."""

import itertools

import numpy as np


def value(field, cell, axis, step, codes):
    """The value a step away along one axis of (z, y, x)."""
    index, size = cell[axis] + step, field.shape[axis]
    if 0 <= index < size:
        pass
    elif codes[axis][0 if index < 0 else 1] == 2:
        return 0.0
    elif codes[axis][0] == 0:
        index %= size
    else:
        index = cell[axis]
    return field[(*cell[:axis], index, *cell[axis + 1 :])]


def with_points(field, points, sign, softening, codes):
    total = field.copy()
    for cell in np.ndindex(field.shape):
        for point in points:
            position = (0.0,) * (4 - len(point)) + tuple(point[:-1])
            square = softening**2
            for axis, (here, there) in enumerate(zip(cell, position, strict=True)):
                ways = [here - there]
                if codes[axis][0] == 0:
                    size = field.shape[axis]
                    ways = [here - there + k * size for k in range(-10, 11)]
                square += min(ways, key=abs) ** 2
            total[cell] += sign * point[-1] / square**0.5
    return total


def difference(field, axis, codes):
    slopes = np.zeros(field.shape)
    for cell in np.ndindex(field.shape):
        high, low = (value(field, cell, axis, step, codes) for step in (1, -1))
        slopes[cell] = (high - low) / 2
    return slopes


def laplacian(field, codes):
    result = np.zeros(field.shape)
    for cell, axis in itertools.product(np.ndindex(field.shape), range(3)):
        around = sum(value(field, cell, axis, step, codes) for step in (1, -1))
        result[cell] += around - 2 * field[cell]
    return result


def gradient_field(amounts, kind, sources, sinks, half_level, softening, codes):
    amounts = np.asarray(amounts, float)
    axes = 2 if amounts.ndim == 2 else 3
    planes = amounts.reshape(((1,) * 4 + amounts.shape)[-4:])
    vectors = np.zeros((*planes.shape, axes))
    for plane, field in enumerate(planes):
        c = with_points(field, sources, 1, softening, codes)
        c = with_points(c, sinks, -1, softening, codes)
        marked = np.maximum(c, 0.0)
        weight = {
            "attraction": 1.0,
            "repulsion": -1.0,
            "exploitation": marked / (half_level + marked),
            "exploration": -half_level / (half_level + marked),
            "convergence": -1.0,
            "divergence": 1.0,
        }[kind]
        potential = laplacian(c, codes) if kind in ("convergence", "divergence") else c
        for axis in range(3 - axes, 3):
            slopes = difference(potential, axis, codes)
            vectors[plane, ..., axis - 3 + axes] = weight * slopes
    return vectors.reshape((*amounts.shape, axes)).astype(np.float32)
