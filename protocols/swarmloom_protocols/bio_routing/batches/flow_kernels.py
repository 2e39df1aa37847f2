"""Exact batch routing: the largest sum among the assignments that leave the fewest places empty.

Successive shortest paths with node potentials (R. K. Ahuja, T. L. Magnanti and J. B. Orlin,
Network Flows, 1993, section 9.7) in the bipartite network of tasks, each of which sends k units to
different experts, and experts, which take as many as they have places. An expert stays one node
whatever its capacity. One more column, "none", always has room.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["Flow", "new_flow", "solve"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# The loops over experts compare finite numbers and infinities, no NaN.
VECTORISED = frozenset({"nnan", "nsz", "reassoc"})


class Flow(NamedTuple):
    """What the paths are searched in: T tasks, E experts and the column "none", k units a task.

    Attributes
    ----------
    scores : float64[T, E + 1]
        The last column's are below any loss that a rearrangement may bring.
    first : int64[E + 2]
        Where each expert's list of tasks begins in `holders`; the gap is its capacity, and 0 for
        "none".
    load : int64[E + 1]
    holders : int64[places]
    held : int64[T, k]
        Experts of each task, E for "none", −1 where none is chosen yet.
    price : float64[E + 1]
        Potential of each expert: 0 until it is full.
    profit : float64[T]
        Potential of each task: at most the net score of what it holds, at least that of all else.
    label : float64[E + 1]
        Length of the shortest path found to each expert in reduced costs, −inf once it is final.
    distance : float64[E + 1]
        What is final, inf for all else.
    reached : float64[T]
        The same to each task.
    before : int64[E + 1]
        Task before each expert on that path.
    through : int64[T]
        Expert before each task, −1 for the path's source.
    """

    scores: FloatArray
    first: IntArray
    load: IntArray
    holders: IntArray
    held: IntArray
    price: FloatArray
    profit: FloatArray
    label: FloatArray
    distance: FloatArray
    reached: FloatArray
    before: IntArray
    through: IntArray


def new_flow(scores: FloatArray, capacities: IntArray, k: int, none: float) -> Flow:
    """Return the state before the first path; capacities are at most T."""
    tasks, experts = scores.shape
    ends = np.cumsum(capacities)
    return Flow(
        np.hstack([scores, np.full((tasks, 1), none)]),
        np.concatenate([np.zeros(1, np.int64), ends, ends[-1:]]),
        np.zeros(experts + 1, np.int64),
        np.empty(int(ends[-1]), np.int64),
        np.full((tasks, k), -1, np.int64),
        np.zeros(experts + 1),
        np.empty(tasks),
        np.empty(experts + 1),
        np.empty(experts + 1),
        np.empty(tasks),
        np.empty(experts + 1, np.int64),
        np.empty(tasks, np.int64),
    )


@kernel
def _holds(flow: Flow, task: int, expert: int) -> bool:
    """Tell whether a task has an expert already; it may have "none" several times."""
    if expert < len(flow.price) - 1:
        for other in flow.held[task]:
            if other == expert:
                return True
    return False


@kernel
def _has_room(flow: Flow, expert: int) -> bool:
    none = expert == len(flow.price) - 1
    return none or flow.load[expert] < flow.first[expert + 1] - flow.first[expert]


@kernel
def _take(flow: Flow, task: int, expert: int) -> None:
    if expert < len(flow.price) - 1:
        flow.holders[flow.first[expert] + flow.load[expert]] = task
    flow.load[expert] += 1
    held = flow.held[task]
    for place in range(len(held)):
        if held[place] < 0:
            held[place] = expert
            return


@kernel
def _leave(flow: Flow, task: int, expert: int) -> None:
    held, start = flow.held[task], flow.first[expert]
    for place in range(len(held)):
        if held[place] == expert:
            held[place] = -1
            break
    flow.load[expert] -= 1
    last = start + flow.load[expert]
    for place in range(start, last):
        if flow.holders[place] == task:
            flow.holders[place] = flow.holders[last]
            return


@kernel
def _open(flow: Flow, task: int) -> int:
    """Give a task its best experts while they have room; return how many it still lacks.

    It stops at the first one without, so that what it holds is its best and its profit is sound.
    """
    k: int = flow.held.shape[1]
    for count in range(k):
        best, top = 0, -np.inf
        for expert in range(len(flow.price)):
            score = flow.scores[task, expert]
            if score > top and not _holds(flow, task, expert):
                best, top = expert, score
        flow.profit[task] = top
        if not _has_room(flow, best):
            return k - count
        _take(flow, task, best)
    return 0


@kernel(fastmath=VECTORISED)
def _lower(
    row: FloatArray, price: FloatArray, base: float, task: int, label: FloatArray, before: IntArray
) -> None:
    """Lower the labels to which a task has a shorter path."""
    for expert in range(len(row)):
        length = base - (row[expert] - price[expert])
        shorter = length < label[expert]
        # Stores without a branch are what lets the compiler use vectors.
        label[expert] = length if shorter else label[expert]
        before[expert] = task if shorter else before[expert]


@kernel
def _relax(flow: Flow, task: int, length: float, kept: FloatArray) -> None:
    """Lengthen the path that has reached a task to every expert that it may turn to.

    `kept` is room for the labels of the experts that it holds, which are hidden meanwhile.
    """
    flow.reached[task] = length
    held, none = flow.held[task], len(flow.price) - 1
    for place in range(len(held)):
        if 0 <= held[place] < none:
            kept[place] = flow.label[held[place]]
            flow.label[held[place]] = -np.inf
    base = length + flow.profit[task]
    _lower(flow.scores[task], flow.price, base, task, flow.label, flow.before)
    for place in range(len(held)):
        if 0 <= held[place] < none:
            flow.label[held[place]] = kept[place]


@kernel(fastmath=VECTORISED)
def _least(label: FloatArray) -> float:
    """Return the least label that is not final."""
    least = np.inf
    for expert in range(len(label)):
        length = label[expert] if label[expert] > -np.inf else np.inf
        least = length if length < least else least
    return least


@kernel
def _nearest(label: FloatArray) -> int:
    least, expert = _least(label), 0
    while label[expert] != least:
        expert += 1
    return expert


@kernel
def _search(flow: Flow, source: int, kept: FloatArray) -> int:
    """Find the expert with room that is nearest to a task (Dijkstra)."""
    flow.label[:], flow.distance[:], flow.reached[:] = np.inf, np.inf, np.inf
    flow.through[source] = -1
    _relax(flow, source, 0.0, kept)
    while True:
        expert = _nearest(flow.label)
        flow.distance[expert], flow.label[expert] = flow.label[expert], -np.inf
        if _has_room(flow, expert):
            return expert
        for place in range(flow.first[expert], flow.first[expert] + flow.load[expert]):
            task = flow.holders[place]
            slack = flow.scores[task, expert] - flow.price[expert] - flow.profit[task]
            length = flow.distance[expert] + slack
            if length < flow.reached[task]:
                flow.through[task] = expert
                _relax(flow, task, length, kept)


@kernel
def _reprice(flow: Flow, length: float) -> None:
    for task in range(len(flow.profit)):
        flow.profit[task] -= max(length - flow.reached[task], 0.0)
    for expert in range(len(flow.price)):
        flow.price[expert] += max(length - flow.distance[expert], 0.0)


@kernel
def _shift(flow: Flow, sink: int) -> None:
    """Move every task on the path to its next expert."""
    expert = sink
    while expert >= 0:
        task = flow.before[expert]
        previous = flow.through[task]
        if previous >= 0:
            _leave(flow, task, previous)
        _take(flow, task, expert)
        expert = previous


@kernel
def solve(flow: Flow) -> int:
    """Serve every task at the least cost; return how many paths that took.

    Parameters
    ----------
    flow : Flow
        As `new_flow` returns it; overwritten.
    """
    paths, missing = 0, np.empty(len(flow.profit), np.int64)
    kept = np.empty(flow.held.shape[1])
    for task in range(len(missing)):
        missing[task] = _open(flow, task)
    for task in range(len(missing)):
        for _ in range(missing[task]):
            sink = _search(flow, task, kept)
            _reprice(flow, flow.distance[sink])
            _shift(flow, sink)
            paths += 1
    return paths
