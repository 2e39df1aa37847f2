"""Iterated local search: kick a few edges that lie together, repair, keep what is no worse.

Martin, Otto, Felten, "Large-step Markov chains for the traveling salesman problem", 1991: the kick
is the double bridge, which 3-opt does not undo by itself. Its edges are found by short random walks
over the candidate lists (Applegate, Cook, Rohe, "Chained Lin-Kernighan for large traveling salesman
problems", 2003, section 3): they lie together on the map, not only in the tour. No ants: this is
the control that they have to beat.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams32 import words32
from swarmloom_protocols.bio_routing.search.tours.distances import (
    FloatArray,
    IndexArray,
    distance,
)
from swarmloom_protocols.bio_routing.search.tours.flips import (
    AT,
    COUNTS,
    NOTED,
    ORDER,
    exchange,
    undo,
)
from swarmloom_protocols.bio_routing.search.tours.three_opt import improve, push

__all__ = ["FEWEST_TO_KICK", "draw", "kick_and_repair"]

# Steps of a random walk from one edge of the kick to the next.
WALK = 10
FEWEST_TO_KICK = 8
# Walks that find no fourth edge, among cities that list only each other, are given up.
TRIES = 50
UNIT = 2.0**-32
ROUNDING = 1e-12


@kernel
def draw(seed: int, stream: int, counter: NDArray[np.int64]) -> float:
    """Return the next number in [0, 1) of a stream; `counter[0]` counts them."""
    word, _ = words32(seed, stream, counter[0])
    counter[0] += 1
    return float(word) * UNIT


@kernel
def kick_and_repair(
    points: FloatArray,
    costs: FloatArray,
    code: int,
    near: IndexArray,
    gaps: FloatArray,
    state: IndexArray,
    notes: IndexArray,
    length: float,
    kicks: int,
    seed: int,
    stream: int,
) -> float:
    """Kick and repair a tour many times.

    Parameters
    ----------
    points, costs, code, near, gaps
        As `Roads` holds them.
    state, notes
        The tour (see `flips`): a local optimum; it is changed in place and never becomes longer.
    length : float
        Its length.
    kicks : int
        How many.
    seed, stream : uint32
        Which random numbers.

    Returns
    -------
    float
        The new length.
    """
    counter = np.zeros(1, np.int64)
    places = np.empty(4, np.int64)
    for _ in range(kicks):
        if not _walk(near, state, seed, stream, counter, places):
            continue
        state[COUNTS, NOTED] = 0
        change = _double_bridge(points, costs, code, state, notes, places)
        change -= improve(points, costs, code, near, gaps, state, notes, True)
        if change > ROUNDING * length:
            undo(state, notes)
        else:
            length += change
    return length


@kernel
def _walk(
    near: IndexArray,
    state: IndexArray,
    seed: int,
    stream: int,
    counter: NDArray[np.int64],
    places: NDArray[np.int64],
) -> bool:
    """Find four positions, in ascending order; tell whether there were as many."""
    city = int(draw(seed, stream, counter) * near.shape[0])
    found = 0
    for _ in range(TRIES):
        places[found] = state[AT, city]
        fresh = True
        for i in range(found):
            if places[i] == places[found]:
                fresh = False
        found += fresh
        if found == 4:
            places.sort()
            return True
        for _ in range(WALK):
            city = near[city, int(draw(seed, stream, counter) * near.shape[1])]
    return False


@kernel
def _double_bridge(
    points: FloatArray,
    costs: FloatArray,
    code: int,
    state: IndexArray,
    notes: IndexArray,
    places: NDArray[np.int64],
) -> float:
    """Cut the tour behind four positions and join the stretches A B C D as A D C B.

    Returns by how much the tour has become longer. The longest stretch stays where it is.
    """
    n = state.shape[1]
    longest = 0
    for i in range(4):
        if (places[i] - places[i - 1]) % n > (places[longest] - places[longest - 1]) % n:
            longest = i
    p, q = places[longest], places[(longest + 1) % 4]
    r, s = places[(longest + 2) % 4], places[(longest + 3) % 4]
    a, b = state[ORDER, p], state[ORDER, (p + 1) % n]
    c, d = state[ORDER, q], state[ORDER, (q + 1) % n]
    e, f = state[ORDER, r], state[ORDER, (r + 1) % n]
    g, h = state[ORDER, s], state[ORDER, (s + 1) % n]
    exchange(state, notes, a, b, h, g)
    exchange(state, notes, a, g, e, f)
    exchange(state, notes, g, e, c, d)
    exchange(state, notes, e, c, h, b)
    change = 0.0
    for one, old, new in ((a, b, f), (d, c, g), (e, f, b), (h, g, c)):
        change += distance(points, costs, code, one, new) - distance(points, costs, code, one, old)
    for city in (a, b, c, d, e, f, g, h):
        push(state, city)
    return change
