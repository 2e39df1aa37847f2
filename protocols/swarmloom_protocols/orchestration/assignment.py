"""Exact assignment of tasks to experts with capacities, for objectives that are sums over tasks.

Where no capacity binds, each task's best expert is optimal. Where one does, it is a transportation
problem, solved by shortest augmenting paths over the experts (R. Jonker and A. Volgenant, "A
shortest augmenting path algorithm for dense and sparse linear assignment problems", Computing 38,
1987), with capacities kept as numbers: an expert that takes a million calls is one column, not a
million as in the textbook expansion. The paths start from the best choices without prices, so
the work grows with the number of tasks that cannot have their first choice.

The dual variables are the experts' prices: what one more place with an expert would be worth. The
tasks enter one after the other and each raises the prices as little as it must, which ends at the
lowest competitive prices (G. Demange, D. Gale and M. Sotomayor, "Multi-item auctions", Journal of
Political Economy 94, 1986); for those, price = gain from one more unit (F. Gul and E. Stacchetti,
"Walrasian equilibrium with gross substitutes", Journal of Economic Theory 87, 1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from swarmloom.jit import kernel
from swarmloom_protocols.orchestration._types import (
    BoolArray,
    FloatArray,
    IntArray,
    checked_problem,
)

__all__ = ["PricedAssignment", "solve_linear", "solve_priced"]


@dataclass(frozen=True, slots=True)
class PricedAssignment:
    """An optimal assignment and what it says about scarcity.

    Attributes
    ----------
    expert : ndarray of int64, shape (T,)
        Expert of each task, −1 where the task has to wait.
    price : ndarray of float64, shape (E,)
        What the sum of affinities would gain from one more place with each expert. At least
        `forfeit` less the largest affinity where one more place would serve a waiting task.
    forfeit : float
        What a waiting task counts in the prices.
    binding : bool
        Whether a capacity kept any task from its best expert.
    """

    expert: IntArray
    price: FloatArray
    forfeit: float
    binding: bool


class _Search(NamedTuple):
    """What the search for augmenting paths works on; T tasks, one column more than experts."""

    values: FloatArray
    room: IntArray
    load: IntArray
    chosen: IntArray
    price: FloatArray
    profit: FloatArray
    distance: FloatArray
    parent: IntArray
    full: BoolArray


def solve_linear(
    affinity: npt.NDArray[np.floating], capacity: npt.NDArray[np.integer] | Sequence[int]
) -> IntArray:
    """Assign as many tasks as possible and, among those assignments, reach the largest sum.

    Parameters
    ----------
    affinity : ndarray of float, shape (T, E)
        Value of giving each task to each expert, −inf where not allowed.
    capacity : sequence of int, shape (E,)
        How many tasks each expert can take.

    Returns
    -------
    ndarray of int64, shape (T,)
        Expert of each task, −1 for a task that has to wait. Where no capacity binds, ties go to
        the expert with the lowest index.

    Raises
    ------
    InputError
        If the shapes do not fit, a capacity is negative, or an affinity is NaN or +inf.

    Notes
    -----
    O(T·E) time where no capacity binds, else at most O(T·min(T, E)·E). Values are exact up to the
    rounding of ``(T + 1)`` times their range in float64.
    """
    return solve_priced(affinity, capacity).expert


def solve_priced(
    affinity: npt.NDArray[np.floating], capacity: npt.NDArray[np.integer] | Sequence[int]
) -> PricedAssignment:
    """Do what `solve_linear` does and give the prices of the experts' places as well.

    Parameters
    ----------
    affinity, capacity
        As for `solve_linear`.

    Returns
    -------
    PricedAssignment
    """
    values, room = checked_problem(affinity, capacity)
    best = _best_experts(values)
    if (np.bincount(best[best >= 0], minlength=len(room)) <= room).all():
        return PricedAssignment(best, np.zeros(len(room)), 0.0, binding=False)
    return _solve_binding(values, room)


def _best_experts(values: FloatArray) -> IntArray:
    n_tasks, n_experts = values.shape
    if n_experts == 0:
        return np.full(n_tasks, -1, dtype=np.int64)
    best: IntArray = values.argmax(axis=1)
    best[values[np.arange(n_tasks), best] == -np.inf] = -1
    return best


def _solve_binding(values: FloatArray, room: IntArray) -> PricedAssignment:
    n_tasks, n_experts = values.shape
    finite = values[np.isfinite(values)]
    # Dearer than any rearrangement of the others, so that no task waits for the sake of the sum.
    forfeit = (n_tasks + 1) * max(float(finite.max() - finite.min()), 1.0)
    low = float(finite.min())
    # The last column is "wait"; it always has room.
    padded = np.full((n_tasks, n_experts + 1), low - forfeit)
    padded[:, :n_experts] = values
    state = _start(padded, np.append(room, n_tasks + 1))
    _assign(state)
    state.chosen[state.chosen == n_experts] = -1
    return PricedAssignment(state.chosen, state.price[:n_experts], forfeit, binding=True)


def _start(values: FloatArray, room: IntArray) -> _Search:
    n_tasks, n_columns = values.shape
    return _Search(
        values,
        room,
        load=np.zeros(n_columns, dtype=np.int64),
        chosen=np.full(n_tasks, -1, dtype=np.int64),
        price=np.zeros(n_columns),
        profit=values.max(axis=1),
        distance=np.empty(n_columns),
        parent=np.empty(n_columns, dtype=np.int64),
        full=np.empty(n_columns, dtype=np.bool_),
    )


@kernel
def _assign(s: _Search) -> None:
    for task in range(len(s.chosen)):
        best = s.values[task].argmax()
        if s.load[best] < s.room[best]:
            s.chosen[task] = best
            s.load[best] += 1
    for task in range(len(s.chosen)):
        if s.chosen[task] < 0:
            sink = _search(s, task)
            _reprice(s, task, s.distance[sink])
            _shift(s, task, sink)
            s.load[sink] += 1


@kernel
def _search(s: _Search, source: int) -> int:
    """Find the column with room that is nearest to `source` in reduced costs (Dijkstra)."""
    s.distance[:] = np.inf
    s.full[:] = False
    _relax(s, source, 0.0)
    while True:
        column = _nearest(s)
        if s.load[column] < s.room[column]:
            return column
        s.full[column] = True
        for task in range(len(s.chosen)):
            if s.chosen[task] == column:
                _relax(s, task, s.distance[column])


@kernel
def _relax(s: _Search, task: int, base: float) -> None:
    start = base + s.profit[task]
    row = s.values[task]
    for column in range(len(row)):
        reached = start - (row[column] - s.price[column])
        if reached < s.distance[column] and not s.full[column]:
            s.distance[column] = reached
            s.parent[column] = task


@kernel
def _nearest(s: _Search) -> int:
    nearest, best = -1, np.inf
    for column in range(len(s.distance)):
        if s.distance[column] < best and not s.full[column]:
            nearest, best = column, s.distance[column]
    return nearest


@kernel
def _reprice(s: _Search, source: int, reached: float) -> None:
    for task in range(len(s.chosen)):
        column = s.chosen[task]
        if column >= 0 and s.full[column]:
            s.profit[task] -= reached - s.distance[column]
    s.profit[source] -= reached
    for column in range(len(s.price)):
        if s.full[column]:
            s.price[column] += reached - s.distance[column]


@kernel
def _shift(s: _Search, source: int, sink: int) -> None:
    """Move every task on the path to its next column."""
    column = sink
    while True:
        task = s.parent[column]
        previous = s.chosen[task]
        s.chosen[task] = column
        if task == source:
            return
        column = previous
