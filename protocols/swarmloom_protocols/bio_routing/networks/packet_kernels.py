"""Compiled packet ants: walks that go back from dead ends, what trips cost, and trails by them.

An ant keeps the links it came by and enters no node twice. Where every node ahead has been entered
it goes back one link. What it holds at the target is a path without loops, and it gets there
whenever there is a way: its search is depth-first. Each ant's random numbers are a stream of its
own, and each destination's trails are changed by its own ants in their order, so that nothing
depends on threads or device.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams32 import uniform32

__all__ = [
    "LOST",
    "Models",
    "Wires",
    "assess",
    "deposit",
    "fade",
    "learn",
    "pick_targets",
    "walk",
    "walk_all",
]

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]
IndexArray = NDArray[np.int32]

# In a row of links: behind the last one.
LOST = -1


class Wires(NamedTuple):
    """What kernels need of a `Network`, under the same names: its working links."""

    sources: IntArray
    targets: IntArray
    out_starts: IntArray
    out_links: IntArray


class Models(NamedTuple):
    """What each node expects of trips to each destination; all of shape (n, n), destination first.

    Attributes
    ----------
    means, variances : ndarray of float64
        Moving, of the trips' costs.
    best, best_before : ndarray of float64
        Least cost in this window of trips and in the one before it.
    trips : ndarray of int64
        How many there were.
    """

    means: FloatArray
    variances: FloatArray
    best: FloatArray
    best_before: FloatArray
    trips: IntArray


@kernel
def pick_targets(shares: FloatArray, seed: int, ants: int, targets: IntArray) -> None:
    """Draw a destination for each ant of each node, −1 where the node has none.

    Parameters
    ----------
    shares : ndarray of float64, shape (n, n)
        Running sums along the rows of what each node has for each destination.
    seed : int
        32 bits.
    ants : int
        Of each node.
    targets : ndarray of int64, shape (n * ants,)
        Filled; ants of one node stand together.
    """
    n = len(shares)
    for ant in range(targets.size):
        row = shares[ant // ants]
        whole = row[n - 1]
        targets[ant] = -1
        if whole > 0.0:
            # The first sum above the number: a destination of no share is never that.
            number = uniform32(seed, ant, 0xFFFFFFFF) * whole
            targets[ant] = np.searchsorted(row, number, side="right")


@kernel
def walk(
    source: int,
    target: int,
    weights: Float32Array,
    wires: Wires,
    seed: int,
    ant: int,
    stamp: int,
    entered: IndexArray,
    path: IndexArray,
) -> None:
    """Let one ant walk.

    Parameters
    ----------
    source, target : int
        Where from and where to.
    weights : ndarray of float32, shape (m,)
        Chances of the links at their nodes are in proportion to them; above 0.
    wires : Wires
        The working links.
    seed, ant : int
        Key and stream of its random numbers, 32 bits each.
    stamp : int
        What `entered` holds of nodes that it has entered; of others anything else.
    entered : ndarray of int32, shape (n,)
        Its memory.
    path : ndarray of int32, shape (most links,)
        Filled with its links from source to target, then −1; −1 throughout where it is lost.
    """
    sources, targets, starts, links = (
        wires.sources,
        wires.targets,
        wires.out_starts,
        wires.out_links,
    )
    node, depth, draws = source, 0, 0
    entered[source] = stamp
    while node != target:
        total = np.float32(0.0)
        if depth < path.size:
            for slot in range(starts[node], starts[node + 1]):
                if entered[targets[links[slot]]] != stamp:
                    total += weights[links[slot]]
        if total > 0.0:
            threshold = uniform32(seed, ant, draws) * total
            draws += 1
            reached, taken = np.float32(0.0), -1
            for slot in range(starts[node], starts[node + 1]):
                if entered[targets[links[slot]]] != stamp:
                    reached += weights[links[slot]]
                    taken = links[slot]
                    if reached > threshold:
                        break
            path[depth] = taken
            depth += 1
            node = targets[taken]
            entered[node] = stamp
        elif depth > 0:
            depth -= 1
            node = sources[path[depth]]
        else:
            break
    for place in range(depth, path.size):
        path[place] = LOST


@kernel
def walk_all(
    first: int,
    last: int,
    sources: IntArray,
    targets: IntArray,
    rows: IntArray,
    weights: Float32Array,
    wires: Wires,
    seed: int,
    paths: IndexArray,
) -> None:
    """Let the ants `first` to `last` walk; `rows` says whose row of `weights` each one reads."""
    entered = np.full(len(wires.out_starts) - 1, -1, dtype=np.int32)
    for ant in range(first, last):
        if targets[ant] < 0:
            paths[ant] = LOST
        else:
            table = weights[rows[ant]]
            walk(sources[ant], targets[ant], table, wires, seed, ant, ant, entered, paths[ant])


@kernel
def assess(
    paths: IndexArray, starts: IntArray, costs: FloatArray, widest: bool, trips: FloatArray
) -> None:
    """Say what is left to pay at each link of each path.

    Parameters
    ----------
    paths : ndarray of int32, shape (ants, most links)
        As `walk` fills them.
    starts : ndarray of int64, shape (ants + 1,)
        Where each path's numbers begin in `trips`.
    costs : ndarray of float64, shape (m,)
        Of the links.
    widest : bool
        Whether a path costs what its dearest link does, instead of the sum.
    trips : ndarray of float64
        Filled with the cost from before each link to the path's end.
    """
    for ant in range(len(paths)):
        left = 0.0
        for place in range(starts[ant + 1] - starts[ant] - 1, -1, -1):
            cost = costs[paths[ant, place]]
            left = max(left, cost) if widest else left + cost
            trips[starts[ant] + place] = left


@kernel
def learn(
    first: int,
    last: int,
    order: IntArray,
    of_target: IntArray,
    starts: IntArray,
    nodes: IntArray,
    trips: FloatArray,
    memory: float,
    window: int,
    models: Models,
) -> None:
    """Let the nodes learn what trips to the destinations `first` to `last` cost.

    Parameters
    ----------
    first, last : int
        Destinations.
    order : ndarray of int64, shape (ants,)
        Ants sorted by destination.
    of_target : ndarray of int64, shape (n + 1,)
        Where each destination's ants begin in `order`.
    starts, trips
        As in `assess`.
    nodes : ndarray of int64
        Node before each link of each path.
    memory : float
        Weight of a new trip in the moving averages (η of AntNet).
    window : int
        Trips after which the best one of a window is forgotten.
    models : Models
        Changed at the destinations.
    """
    for target in range(first, last):
        for rank in range(of_target[target], of_target[target + 1]):
            for trip in range(starts[order[rank]], starts[order[rank] + 1]):
                node, cost = nodes[trip], trips[trip]
                count = models.trips[target, node]
                # Plain averages until there are enough for the moving ones.
                share = max(memory, 1.0 / (count + 1.0))
                off = cost - models.means[target, node] if count > 0 else 0.0
                models.means[target, node] += share * off if count > 0 else cost
                old = models.variances[target, node]
                models.variances[target, node] = (1.0 - share) * (old + share * off * off)
                if count % window == 0:
                    models.best_before[target, node] = models.best[target, node]
                    models.best[target, node] = cost
                models.best[target, node] = min(models.best[target, node], cost)
                models.trips[target, node] = count + 1


@kernel
def deposit(
    first: int,
    last: int,
    order: IntArray,
    of_target: IntArray,
    starts: IntArray,
    links: IntArray,
    amounts: FloatArray,
    relative: bool,
    wires: Wires,
    trails: FloatArray,
) -> None:
    """Lay trails to the destinations `first` to `last`.

    Parameters
    ----------
    first, last, order, of_target, starts
        As in `learn`.
    links : ndarray of int64
        Of all paths, one after another.
    amounts : ndarray of float64
        What each ant lays on each of its links.
    relative : bool
        Whether an amount r takes the node's trails τ to (1 − r) τ before r is added to the link.
    wires : Wires
        The working links.
    trails : ndarray of float64, shape (n, m)
        By destination; changed.
    """
    for target in range(first, last):
        table = trails[target]
        for rank in range(of_target[target], of_target[target + 1]):
            for trip in range(starts[order[rank]], starts[order[rank] + 1]):
                link, amount = links[trip], amounts[trip]
                if relative:
                    node = wires.sources[link]
                    for slot in range(wires.out_starts[node], wires.out_starts[node + 1]):
                        table[wires.out_links[slot]] *= 1.0 - amount
                table[link] += amount


@kernel
def fade(first: int, last: int, kept: float, floor: float, cap: float, trails: FloatArray) -> None:
    """Take the trails to the destinations `first` to `last` times `kept`, within their limits."""
    for target in range(first, last):
        for link in range(trails.shape[1]):
            trails[target, link] = min(max(kept * trails[target, link], floor), cap)
