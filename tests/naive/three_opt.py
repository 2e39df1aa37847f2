"""All exchanges of two and three edges, by trying every way to join the pieces again."""

import itertools

import numpy as np


def length(order, costs):
    return costs[order, np.roll(order, -1)].sum()


def rejoined(order, cuts):
    """Yield every tour from the pieces between cuts, turned and permuted at will."""
    n = len(order)
    pieces = [np.roll(order, -cuts[0])[: cuts[1] - cuts[0]]]
    for first, last in zip(cuts[1:], (*cuts[2:], cuts[0] + n), strict=True):
        pieces.append(np.roll(order, -first)[: last - first])
    rest = range(1, len(pieces))
    for places in itertools.permutations(rest):
        for turns in itertools.product((1, -1), repeat=len(places)):
            moved = [pieces[i][::turn] for i, turn in zip(places, turns, strict=True)]
            yield np.concatenate([pieces[0], *moved])


def best_neighbour(order, costs):
    """Return the shortest tour that differs in at most three edges."""
    return min(
        (
            tour
            for cuts in itertools.combinations(range(len(order)), 3)
            for tour in rejoined(order, cuts)
        ),
        key=lambda tour: length(tour, costs),
    )
