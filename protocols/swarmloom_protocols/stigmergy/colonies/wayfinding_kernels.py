"""Kernels of navigation fields: bucket Dijkstra, soft-min sweeps, the way downhill.

Maps are flat with a border of walls around them, so that no neighbour is outside. A wall is a cell
of infinite cost; cells not reached have an infinite potential.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["descend", "hard_field", "relaxed", "soft_pass"]

Cells = NDArray[np.int64]
Floats = NDArray[np.float64]
Links = NDArray[np.int32]

FIRST_DIAGONAL = 4
NOBODY = -1


@kernel
def move_cost(costs: Floats, cell: int, move: int, moves: Cells, lengths: Floats) -> float:
    """Return the cost of a move: its length times the mean cost of both cells, or infinity.

    Parameters
    ----------
    costs : ndarray of float64, shape (cells,)
        Cost of crossing each cell.
    cell, move : int
        Where from, and which of `moves`.
    moves : ndarray of int64, shape (directions, 3)
        Step of each move in the flat map, and those to the two cells beside a diagonal one.
    lengths : ndarray of float64, shape (directions,)
        Length of each move.
    """
    cost: float = 0.5 * lengths[move] * (costs[cell] + costs[cell + moves[move, 0]])
    if move >= FIRST_DIAGONAL:
        # A wall at either side closes the diagonal: nobody squeezes past a corner.
        sides = costs[cell + moves[move, 1]] + costs[cell + moves[move, 2]]
        if sides == math.inf:
            return math.inf
    return cost


@kernel
def relaxed(
    costs: Floats, potential: Floats, cell: int, moves: Cells, lengths: Floats, smoothing: float
) -> float:
    """Return the (soft) minimum of potential plus cost of the way over a cell's neighbours.

    Parameters
    ----------
    costs, potential : ndarray of float64, shape (cells,)
        Costs of crossing, and potentials so far.
    cell : int
        Not on the border.
    moves, lengths : ndarray
        As for `move_cost`.
    smoothing : float
        ε of the soft minimum −ε ln Σ exp(−x/ε); 0 for the minimum.
    """
    lowest = math.inf
    for move in range(lengths.size):
        value = potential[cell + moves[move, 0]] + move_cost(costs, cell, move, moves, lengths)
        lowest = min(lowest, value)
    if smoothing == 0.0 or lowest == math.inf:
        return lowest
    total = 0.0
    for move in range(lengths.size):
        value = potential[cell + moves[move, 0]] + move_cost(costs, cell, move, moves, lengths)
        total += math.exp((lowest - value) / smoothing)
    return lowest - smoothing * math.log(total)


@kernel
def _unlink(cell: int, heads: Links, links: Links) -> None:
    before, after, bucket = links[cell, 0], links[cell, 1], links[cell, 2]
    if before == NOBODY:
        heads[bucket] = after
    else:
        links[before, 1] = after
    if after != NOBODY:
        links[after, 0] = before
    links[cell, 2] = NOBODY


@kernel
def _link(cell: int, bucket: int, heads: Links, links: Links) -> None:
    first = heads[bucket]
    links[cell, 0], links[cell, 1], links[cell, 2] = NOBODY, first, bucket
    if first != NOBODY:
        links[first, 0] = cell
    heads[bucket] = cell


@kernel
def _scan(
    cell: int,
    costs: Floats,
    moves: Cells,
    lengths: Floats,
    width: float,
    heads: Links,
    links: Links,
    potential: Floats,
) -> int:
    """Lower the neighbours of a cell; return how many more of them are queued than before."""
    joined = 0
    for move in range(lengths.size):
        other = cell + moves[move, 0]
        # Costs are positive: half of the neighbours are known to be nearer already.
        if potential[other] <= potential[cell]:
            continue
        value = potential[cell] + move_cost(costs, cell, move, moves, lengths)
        if value < potential[other]:
            potential[other] = value
            if links[other, 2] == NOBODY:
                joined += 1
            else:
                _unlink(other, heads, links)
            _link(other, int(value / width) % heads.size, heads, links)
    return joined


@kernel
def hard_field(
    costs: Floats,
    goals: Cells,
    moves: Cells,
    lengths: Floats,
    width: float,
    heads: Links,
    links: Links,
    potential: Floats,
) -> None:
    """Fill in the cost of the cheapest way to a goal by Dijkstra's algorithm with buckets.

    Parameters
    ----------
    costs, moves, lengths
        As for `move_cost`.
    goals : ndarray of int64
        Free cells.
    width : float
        Width of a bucket. Up to the cheapest move each cell is scanned once (Dial 1969, Dinic
        1978); wider ones are exact too, for a cell that gets cheaper is queued again.
    heads : ndarray of int32, shape (buckets,)
        All −1; dearest move / `width` + 2 buckets or more.
    links : ndarray of int32, shape (cells, 3)
        All −1: previous and next cell in the bucket, and the bucket.
    potential : ndarray of float64, shape (cells,)
        Infinite; overwritten.
    """
    queued = goals.size
    for goal in goals:
        potential[goal] = 0.0
        if links[goal, 2] == NOBODY:
            _link(goal, 0, heads, links)
        else:
            queued -= 1
    bucket = 0
    while queued > 0:
        cell = heads[bucket]
        if cell == NOBODY:
            bucket = (bucket + 1) % heads.size
            continue
        _unlink(cell, heads, links)
        queued += _scan(cell, costs, moves, lengths, width, heads, links, potential) - 1


@kernel
def soft_pass(
    costs: Floats,
    order: Cells,
    moves: Cells,
    lengths: Floats,
    smoothing: float,
    potential: Floats,
) -> float:
    """Relax the cells in order, in place; return the largest relative change.

    In the order of the hard field's potential one pass carries what matters all the way from the
    goals: what comes back from farther cells is smaller by exp(−2·cost/ε).
    """
    largest = 0.0
    for cell in order:
        value = relaxed(costs, potential, cell, moves, lengths, smoothing)
        largest = max(largest, abs(value - potential[cell]) / max(1.0, value))
        potential[cell] = value
    return largest


@kernel
def _next_move(costs: Floats, potential: Floats, cell: int, moves: Cells, lengths: Floats) -> int:
    best, lowest = 0, math.inf
    for move in range(lengths.size):
        value = potential[cell + moves[move, 0]] + move_cost(costs, cell, move, moves, lengths)
        if value < lowest:
            best, lowest = move, value
    return best


@kernel
def descend(
    costs: Floats, potential: Floats, start: int, moves: Cells, lengths: Floats, path: Cells
) -> tuple[int, float]:
    """Follow the cheapest move, the first of equals, down to a goal.

    Parameters
    ----------
    costs, potential, moves, lengths
        The field.
    start : int
        A cell of finite potential.
    path : ndarray of int64
        Takes the cells of the way as far as it has room.

    Returns
    -------
    (int, float)
        Cells of the way, start and goal included, and its cost.
    """
    cell, steps, total = start, 0, 0.0
    while True:
        if steps < path.size:
            path[steps] = cell
        steps += 1
        # Costs are positive: the potential is 0 at goals alone.
        if potential[cell] == 0.0:
            return steps, total
        move = _next_move(costs, potential, cell, moves, lengths)
        total += move_cost(costs, cell, move, moves, lengths)
        cell += moves[move, 0]
