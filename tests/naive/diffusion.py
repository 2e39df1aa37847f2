"""Explicit diffusion and evaporation, cell by cell, in double precision."""

import numpy as np

PERIODIC, REFLECTING = 0, 1


def beyond(values, cell, axis, step, codes):
    """The value one cell away along an axis, as the boundary says."""
    other = list(cell)
    other[axis] += step
    size = values.shape[axis]
    if 0 <= other[axis] < size:
        return values[tuple(other)]
    kind = codes[axis][0 if step < 0 else 1]
    if kind == PERIODIC:
        other[axis] %= size
        return values[tuple(other)]
    return values[cell] if kind == REFLECTING else 0.0


def stepped(volume, rates, codes):
    """One step of a (Z, Y, X) volume."""
    after = np.zeros(volume.shape)
    for cell in np.ndindex(volume.shape):
        here = volume[cell]
        flow = 0.0
        for axis in range(3):
            low, high = (beyond(volume, cell, axis, step, codes) for step in (-1, 1))
            flow += float(rates[1 + axis]) * (low + high - 2.0 * here)
        after[cell] = (here + flow) * (1.0 - float(rates[0]))
    return np.where(np.abs(after) < 1e-30, 0.0, after)


def diffused(amounts, rates, codes, steps=1):
    planes = np.asarray(amounts, np.float64)
    for _ in range(steps):
        planes = np.array(
            [stepped(*pair, codes) for pair in zip(planes, rates, strict=True)]
        ).reshape(planes.shape)
    return planes.astype(np.float32)


def counted_step(volume, codes):
    """Distinct cells that a step reads and writes."""
    read, written = set(), set()
    for cell in np.ndindex(volume.shape):
        written.add(cell)
        read.add(cell)
        for axis in range(3):
            for step in (-1, 1):
                other = list(cell)
                other[axis] += step
                if codes[axis][0] == PERIODIC:
                    other[axis] %= volume.shape[axis]
                if 0 <= other[axis] < volume.shape[axis]:
                    read.add(tuple(other))
    return len(read), len(written)


def sensed(layer, codes, positions):
    """Multilinear interpolation with hat functions of the cells up to one outside."""
    values = []
    for position in positions:
        total = 0.0
        for cell in np.ndindex(tuple(size + 2 for size in layer.shape)):
            index = np.array(cell) - 1
            weight = np.prod(np.maximum(0.0, 1.0 - np.abs(position - index)))
            total += weight * outside(layer, index, codes) if weight else 0.0
        values.append(total)
    return np.array(values, np.float32)


def outside(layer, index, codes):
    inside = []
    for axis, (i, size) in enumerate(zip(index, layer.shape, strict=True)):
        kind = codes[axis][0 if i < 0 else 1]
        if 0 <= i < size:
            inside.append(i)
        elif kind == PERIODIC:
            inside.append(i % size)
        elif kind == REFLECTING:
            inside.append(min(max(i, 0), size - 1))
        else:
            return 0.0
    return float(layer[tuple(inside)])
