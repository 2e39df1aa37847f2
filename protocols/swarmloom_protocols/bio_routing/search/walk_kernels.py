"""Compiled construction: every ant decides at each node once, in proportion to what options weigh.

Dorigo, Stützle, "Ant Colony Optimization", MIT Press 2004, sections 3.3 and 3.8. An ant's numbers
are those of a stream of its own, so that solutions do not depend on threads or device. The
functions `feasible`, `evaluated`, `pick`, `wear` and `away` stand for what `rebuilt` may put in
their place before it compiles: no Python runs in the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams32 import uniform32, uniform_pair32
from swarmloom_protocols.bio_routing.search.tours.distances import distance
from swarmloom_protocols.bio_routing.search.trail_kernels import strength

__all__ = [
    "CAPACITY",
    "CLOSED",
    "DECISIONS",
    "ONCE",
    "OWN",
    "SHUFFLED",
    "Graph",
    "Scratch",
    "Wear",
    "construct",
    "rebuilt",
    "walk",
    "wear_off",
]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]

# Rules, as bits. ONCE: a target is taken once. CAPACITY: the loads on a target stay within its
# capacity. CLOSED: the walk visits all nodes and returns. DECISIONS: nodes are decided one after
# another, rather than walked to; SHUFFLED: in an order of the ant's own.
ONCE, CAPACITY, CLOSED, DECISIONS, SHUFFLED, OWN = 1, 2, 4, 8, 16, 32


class Graph(NamedTuple):
    """What ants walk on, for kernels: options by node, and the rules.

    Attributes
    ----------
    starts : ndarray of int64, shape (n + 1,)
        Where the options of each node begin.
    targets : ndarray of int32, shape (e,)
        Where each option leads.
    costs, loads : ndarray of float64, shape (e,)
        What an option costs, and what it takes of its target's capacity; `loads` may be empty.
    capacities : ndarray of float64, shape (number of targets,)
    points, matrix, code
        Distances beyond the options, of closed walks, as `tours.distances.distance` takes them.
    rules : int
        Sum of the bits above.
    origin, sink : int
        Where walks begin (−1: anywhere) and end (−1: nowhere).
    penalty : float
        Cost of a unit of load beyond a capacity; 0 where such a walk fails.
    """

    starts: NDArray[np.int64]
    targets: IndexArray
    costs: FloatArray
    loads: FloatArray
    capacities: FloatArray
    points: FloatArray
    matrix: FloatArray
    code: int
    rules: int
    origin: int
    sink: int
    penalty: float


class Scratch(NamedTuple):
    """What one ant keeps: open targets, room left, nodes left and where they stand, weights."""

    free: NDArray[np.float32]
    room: FloatArray
    left: IndexArray
    place: IndexArray
    weights: NDArray[np.float32]


class Wear(NamedTuple):
    """What ants wear off while they walk; see `swarmloom_protocols.bio_routing.search.policies`.

    Attributes
    ----------
    rate : float
        Share of the way to `floor` that a step takes a trail.
    floor : float
        Where worn trails end.
    alpha : float
        Exponent of trails.
    trails, desirability : ndarray of float64 and float32, shape (e,)
    twins : ndarray of int32, shape (e,)
        The option back, −1 where there is none.
    """

    rate: float
    floor: float
    alpha: float
    trails: FloatArray
    desirability: NDArray[np.float32]
    twins: IndexArray


def rebuilt(functions: Iterable[Callable[..., Any]], hooks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names of this module with other functions in the place of some.

    Parameters
    ----------
    functions : iterable of callable
        Kernels to make anew, so that they call the others: callees before callers.
    hooks : mapping of str to kernel
        What stands for a name.
    """
    names = {**globals(), **hooks}
    for function in functions:
        source: Any = getattr(function, "py_func", function)
        code = source.__code__
        names[code.co_name] = kernel(FunctionType(code, names, code.co_name, source.__defaults__))
    return names


@kernel
def feasible(node: int, target: int, following: IndexArray, room: FloatArray, data: Any) -> bool:
    """Tell whether a user's rule allows an option; here every one."""
    return True


@kernel
def evaluated(cost: float, following: IndexArray, sequence: IndexArray, data: Any) -> float:
    """Return the cost of a solution whose options' costs sum to `cost`; here that sum."""
    return cost


@kernel
def away(graph: Graph, here: int, there: int) -> float:
    """Return the distance of two nodes of a closed walk."""
    return distance(graph.points, graph.matrix, graph.code, here, there)


@kernel
def pick(
    weights: NDArray[np.float32],
    costs: FloatArray,
    first: int,
    count: int,
    total: float,
    number: float,
) -> tuple[int, int]:
    """Return an option in proportion to the weights, and how many evaluations that took.

    Parameters
    ----------
    weights : ndarray of float32
        The first `count` are those of the node's options, 0 where the rules forbid one.
    costs : ndarray of float64
        Costs of all options; from `first` on those of the node's.
    first, count : int
        Where the node's options begin, and how many there are.
    total : float
        Sum of the weights, above 0.
    number : float
        Random, in [0, 1).
    """
    threshold = number * total
    rank = 0
    reached = weights[0]
    # The sum is the one that made the total, in float32 too, and the number is below 1: whatever
    # ends the loop weighs something.
    while np.float64(reached) <= threshold and rank + 1 < count:
        rank += 1
        reached += weights[rank]
    return rank, 1


@kernel
def wear(wearing: Any, choice: NDArray[np.float32], entry: int) -> None:
    """Change a trail that an ant walks on; here not at all."""


@kernel
def wear_off(wearing: Wear, choice: NDArray[np.float32], entry: int) -> None:
    """Take the trail of an option, and of the option back, towards the floor (ACS, eq. 3.12)."""
    for changed in (np.int64(entry), np.int64(wearing.twins[entry])):
        if changed >= 0:
            trail = wearing.trails[changed]
            trail += wearing.rate * (wearing.floor - trail)
            wearing.trails[changed] = trail
            choice[changed] = strength(trail, wearing.alpha, wearing.desirability[changed])


@kernel
def construct(
    start: int,
    stop: int,
    graph: Graph,
    choice: NDArray[np.float32],
    wearing: Any,
    greediness: float,
    seed: int,
    data: Any,
    following: IndexArray,
    sequences: IndexArray,
    lengths: IndexArray,
    costs: FloatArray,
    queries: NDArray[np.int64],
) -> None:
    """Let the ants `start` to `stop` walk, one after another; rows of the outputs are theirs."""
    n, n_targets = graph.starts.size - 1, graph.capacities.size
    width = 0
    for node in range(n):
        width = max(width, graph.starts[node + 1] - graph.starts[node])
    scratch = Scratch(
        np.empty(n_targets, np.float32),
        np.empty(n_targets),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(width, np.float32),
    )
    for ant in range(start, stop):
        cost, length, asked = walk(
            graph,
            choice,
            wearing,
            greediness,
            seed,
            ant,
            data,
            following[ant],
            sequences[ant],
            scratch,
        )
        for step in range(length, n):
            sequences[ant, step] = -1
        if cost < np.inf:
            cost = evaluated(cost, following[ant], sequences[ant, :length], data)
        costs[ant], lengths[ant], queries[ant] = cost, length, asked


@kernel
def walk(
    graph: Graph,
    choice: NDArray[np.float32],
    wearing: Any,
    greediness: float,
    seed: int,
    ant: int,
    data: Any,
    following: IndexArray,
    sequence: IndexArray,
    scratch: Scratch,
) -> tuple[float, int, int]:
    """Build one solution.

    Returns
    -------
    (float, int, int)
        The sum of its options' costs, infinite where the ant got stuck; nodes in `sequence`;
        evaluations of choices.
    """
    # Arrays by names of their own: each access through a tuple would count references.
    starts, targets, option_costs = graph.starts, graph.targets, graph.costs
    free, weights, left, place = scratch.free, scratch.weights, scratch.left, scratch.place
    n, rules, sink = starts.size - 1, graph.rules, graph.sink
    node = reset(graph, seed, ant, following, scratch)
    cost = 0.0
    asked = 0
    number = later = np.float32(0.0)
    for step in range(n):
        # A block of random bits serves two steps.
        if step % 2 == 0:
            number, later = uniform_pair32(seed, ant, step // 2)
        else:
            number = later
        sequence[step] = node
        if node == sink:
            return cost, step + 1, asked
        if rules & CLOSED:
            leave(node, n - step, left, place)
        if step + 1 == n and not rules & DECISIONS:
            break
        first, count = starts[node], starts[node + 1] - starts[node]
        total = weigh(targets, choice, free, first, count, weights)
        if rules & (CAPACITY | OWN):
            total = forbid(graph, node, following, data, scratch)
        if total > 0.0:
            if greediness > 0.0 and uniform32(seed, ant, 2 * n + step) < greediness:
                rank, queries = heaviest(weights, count), 1
            else:
                rank, queries = pick(weights, option_costs, first, count, total, float(number))
            entry, asked = first + rank, asked + queries
            target = targets[entry]
            cost += option_costs[entry]
            wear(wearing, choice, entry)
        else:
            target, entry, extra = rescue(graph, node, n - step - 1, scratch)
            cost, asked = cost + extra, asked + 1
            if target < 0:
                return np.inf, step + 1, asked
        following[node] = target
        if rules & ONCE:
            free[target] = 0.0
        if rules & CAPACITY:
            scratch.room[target] -= graph.loads[entry]
        node = left[min(step + 1, n - 1)] if rules & DECISIONS else target
    if sink >= 0:
        return np.inf, n, asked
    if rules & CLOSED:
        following[node] = sequence[0]
        cost += away(graph, node, sequence[0])
    return cost, n, asked


@kernel
def reset(graph: Graph, seed: int, ant: int, following: IndexArray, scratch: Scratch) -> int:
    """Empty an ant's memory and return the node that it begins at."""
    n = graph.starts.size - 1
    for node in range(n):
        following[node] = -1
        scratch.left[node] = node
        scratch.place[node] = node
    for target in range(graph.capacities.size):
        scratch.free[target] = 1
        scratch.room[target] = graph.capacities[target]
    if graph.rules & SHUFFLED:
        shuffle(seed, ant, scratch.left)
    if graph.rules & DECISIONS:
        return int(scratch.left[0])
    begin = graph.origin
    if begin < 0:
        # Counters below n are those of the steps, the next ones of the shuffle and of greed.
        begin = int(uniform32(seed, ant, n) * np.float64(n))
    scratch.free[begin] = 0
    return begin


@kernel
def shuffle(seed: int, ant: int, order: IndexArray) -> None:
    """Shuffle an ant's order of decisions in place (Fisher and Yates)."""
    n = order.size
    for last in range(n - 1, 0, -1):
        other = int(uniform32(seed, ant, n + last) * np.float64(last + 1))
        kept = order[last]
        order[last] = order[other]
        order[other] = kept


@kernel
def leave(node: int, n_left: int, left: IndexArray, place: IndexArray) -> None:
    """Strike a node from those left, of which there are `n_left`."""
    at = place[node]
    moved = left[n_left - 1]
    left[at] = moved
    place[moved] = at


@kernel
def weigh(
    targets: IndexArray,
    choice: NDArray[np.float32],
    free: NDArray[np.float32],
    first: int,
    count: int,
    weights: NDArray[np.float32],
) -> float:
    """Write what a node's options weigh, 0 where the target is taken, and return the sum."""
    total = np.float32(0.0)
    # Without branches: which targets are open cannot be predicted.
    for rank in range(count):
        weight = choice[first + rank] * free[targets[first + rank]]
        weights[rank] = weight
        total += weight
    return float(total)


@kernel
def forbid(graph: Graph, node: int, following: IndexArray, data: Any, scratch: Scratch) -> float:
    """Set the weights of options to 0 that lack capacity or break a user's rule; return the sum."""
    first = graph.starts[node]
    total = np.float32(0.0)
    for rank in range(graph.starts[node + 1] - first):
        target = graph.targets[first + rank]
        full = graph.rules & CAPACITY and graph.loads[first + rank] > scratch.room[target]
        if full or not feasible(node, target, following, scratch.room, data):
            scratch.weights[rank] = 0.0
        total += scratch.weights[rank]
    return float(total)


@kernel
def heaviest(weights: NDArray[np.float32], count: int) -> int:
    """Return the option of the greatest weight, the first of several."""
    best = 0
    for rank in range(1, count):
        if weights[rank] > weights[best]:
            best = rank
    return best


@kernel
def rescue(graph: Graph, node: int, n_left: int, scratch: Scratch) -> tuple[int, int, float]:
    """Return target, entry and cost of an option that the lists or capacities do not offer.

    A closed walk goes on to the nearest node left; a decision with a penalty overloads the target
    that it overloads least. Else the target is −1: the ant is stuck.
    """
    if graph.rules & CLOSED:
        target, nearest = -1, np.inf
        for at in range(n_left):
            other = scratch.left[at]
            length = away(graph, node, other)
            if length < nearest:
                target, nearest = other, length
        return target, -1, nearest
    chosen, least = -1, np.inf
    if graph.penalty > 0.0:
        for entry in range(graph.starts[node], graph.starts[node + 1]):
            target = graph.targets[entry]
            over = graph.loads[entry] - max(scratch.room[target], 0.0)
            if scratch.free[target] > 0.0 and over < least:
                chosen, least = entry, over
    if chosen < 0:
        return -1, -1, 0.0
    return graph.targets[chosen], chosen, graph.costs[chosen] + graph.penalty * max(least, 0.0)
