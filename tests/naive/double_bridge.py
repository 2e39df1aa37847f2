"""The double bridge, ant by ant with a list of those under way."""

import itertools

import numpy as np

from swarmloom.random_streams32 import uniform32


def one_run(seed, run, ratio, travel, ants, steps, offset, exponent, departure_mark, evaporation):
    lengths = travel, round(ratio * travel)
    marks = [[0.0, 0.0], [0.0, 0.0]]
    under_way = [(step, 0, None) for step in range(ants)]
    crossings, numbers = [], itertools.count()
    for step in range(steps):
        here = [one for one in under_way if one[0] == step]
        for end in (0, 1):
            marks[end] = [(1.0 - evaporation) * amount for amount in marks[end]]
        for _, end, branch in here:
            if branch is not None:
                marks[end][branch] += 1.0
        taken = []
        for _, end, _ in sorted(here, key=lambda one: one[1]):
            one, two = ((offset + amount) ** exponent for amount in marks[end])
            chance = float(uniform32(seed, run, next(numbers)))
            taken.append(0 if chance < one / (one + two) else 1)
            marks[end][taken[-1]] += departure_mark
            under_way.append((step + lengths[taken[-1]], 1 - end, taken[-1]))
        crossings.append([taken.count(0), taken.count(1)])
    return crossings


def double_bridge(
    runs,
    rng,
    *,
    ratio=2.0,
    travel=10,
    ants=100,
    steps=1000,
    offset=20.0,
    exponent=2.0,
    departure_mark=0.0,
    evaporation=0.0,
):
    seed = int(rng.integers(1 << 32))
    model = ratio, travel, ants, steps, offset, exponent, departure_mark, evaporation
    return np.array([one_run(seed, run, *model) for run in range(runs)], np.int64)
