"""Problems that ants can search: decisions at the nodes of a graph, each among a few options.

A solution takes at most one option at each node. Tours walk through all nodes, paths to a sink,
assignments decide at every task for an agent; whatever else can be said by options, costs, rules
and, if need be, compiled functions is a user's own problem under the same interface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.search.tours.distances import Cities
from swarmloom_protocols.bio_routing.search.walk_kernels import (
    CAPACITY,
    CLOSED,
    DECISIONS,
    ONCE,
    OWN,
    SHUFFLED,
    Graph,
)
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["Moves", "SearchProblem"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]

# "walk": the next node is where the option leads. "decisions": all nodes in their order;
# "shuffled": in an order of each ant's own.
Moves = Literal["walk", "decisions", "shuffled"]
MOVES = {"walk": 0, "decisions": DECISIONS, "shuffled": DECISIONS | SHUFFLED}
# Of the cheapest option's cost: what an option that costs less counts as, where it is weighed.
LEAST_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class SearchProblem:
    """A problem, validated: what colonies search.

    Attributes
    ----------
    graph : Graph
        Options and rules, for kernels.
    sources : ndarray of int32, shape (e,)
        The node of each option.
    desirability : ndarray of float64, shape (e,)
        What an option is worth at first sight, above 0.
    symmetric : bool
        Whether an option and the one back share a trail.
    feasible, evaluate : kernel or None
        A user's rule and cost; see `of`.
    data : Any
        What both are given.
    improve : callable or None
        Local search; see `of`.
    """

    graph: Graph
    sources: IndexArray
    desirability: FloatArray
    symmetric: bool = False
    feasible: Callable[..., Any] | None = None
    evaluate: Callable[..., Any] | None = None
    data: Any = 0
    improve: Callable[..., None] | None = None

    @classmethod
    def of(
        cls,
        starts: ArrayLike,
        targets: ArrayLike,
        costs: ArrayLike,
        *,
        moves: Moves = "walk",
        once: bool = False,
        loads: ArrayLike | None = None,
        capacities: ArrayLike | None = None,
        penalty: float = 0.0,
        origin: int | None = None,
        sink: int | None = None,
        cities: Cities | None = None,
        desirability: ArrayLike | None = None,
        symmetric: bool = False,
        feasible: Callable[..., Any] | None = None,
        evaluate: Callable[..., Any] | None = None,
        data: Any = 0,
        improve: Callable[..., None] | None = None,
    ) -> SearchProblem:
        """Check a problem.

        Parameters
        ----------
        starts : array-like of int, shape (n + 1,)
            Where the options of each of the n nodes begin, and where the last ones end.
        targets : array-like of int, shape (e,)
            Where each option leads; no node offers the same target twice.
        costs : array-like of float, shape (e,)
            What each option costs; finite, from 0. A solution costs their sum.
        moves : {"walk", "decisions", "shuffled"}, optional
            Which node is next: where the option leads, or all nodes one after another, in their
            order or in one of the ant's own.
        once : bool, optional
            Whether a target may be taken once only; walks visit nodes once in any case.
        loads : array-like of float, shape (e,), optional
            What each option takes of its target's capacity; finite, from 0.
        capacities : array-like of float, shape (number of targets,), optional
            Of decisions this sets the number of targets, else the targets set it.
        penalty : float, optional
            Cost of each unit of load beyond a capacity, from 0. With 0 an ant that finds no option
            within capacity has failed; else it overloads the target that it overloads least.
        origin, sink : int, optional
            Nodes at which walks begin and end. Without an origin an ant begins anywhere; without a
            sink it has to visit all nodes.
        cities : Cities, optional
            Distances between all nodes: walks then visit all of them and return, beyond their
            options where those are used up.
        desirability : array-like of float, shape (e,), optional
            What an option is worth at first sight, above 0; by default one over its cost.
        symmetric : bool, optional
            Whether a walk marks the options back as well.
        feasible : callable, optional
            ``feasible(node, target, following, room, data) -> bool``: a function that Numba
            compiles. `following` holds the target taken at each node so far, −1 for none; `room`
            what is left of the capacities.
        evaluate : callable, optional
            ``evaluate(cost, following, sequence, data) -> float``: the cost of a whole solution,
            from 0, as Numba compiles it; `cost` is the sum of its options', `sequence` the nodes in
            the order of decision.
        data : optional
            Number, array or tuple of arrays for both.
        improve : callable, optional
            ``improve(following, sequences, lengths, costs)``: local search on the arrays of all
            ants of an iteration, which it changes in place; rows of ants that failed cost infinity.

        Raises
        ------
        InputError
            An argument, a node or an option is wrong; the message names it.
        """
        if moves not in MOVES:
            raise InputError(f"moves is {moves!r}; allowed: {', '.join(MOVES)}")
        first, ends = _options(starts, targets)
        n = first.size - 1
        n_targets = _count_targets(moves, n, ends, capacities)
        _check_targets(first, ends, n_targets, moves == "walk")
        option_costs = _option_values("costs", costs, ends.size)
        rules = MOVES[moves] | (ONCE if once or moves == "walk" else 0)
        rules |= CLOSED if cities is not None else 0
        rules |= OWN if feasible is not None else 0
        rules |= CAPACITY if loads is not None else 0
        if (cities is not None and len(cities) != n) or (cities is not None and moves != "walk"):
            raise InputError(f"cities: {len(cities)} of them; allowed: of walks, one a node: {n}")
        if (loads is None) != (capacities is None):
            raise InputError("give loads and capacities together, or neither")
        graph = Graph(
            first,
            ends,
            option_costs,
            np.empty(0) if loads is None else _option_values("loads", loads, ends.size),
            _capacities(capacities, n_targets),
            np.empty((0, 2)) if cities is None else cities.points,
            np.empty((0, 0)) if cities is None else cities.costs,
            0 if cities is None else cities.code,
            rules,
            -1 if origin is None else whole("origin", origin, 0, n - 1),
            -1 if sink is None else whole("sink", sink, 0, n - 1),
            between("penalty", penalty, 0.0),
        )
        worth = _desirability(desirability, option_costs)
        sources = np.repeat(np.arange(n, dtype=np.int32), np.diff(first))
        own = _compiled(feasible), _compiled(evaluate)
        return cls(graph, sources, worth, symmetric, *own, data, improve)

    @property
    def n_nodes(self) -> int:
        """Nodes at which is decided."""
        return int(self.graph.starts.size - 1)

    @property
    def mean_options(self) -> float:
        """Options of a node, on average."""
        return self.sources.size / max(1, self.n_nodes)


def _compiled(function: Callable[..., Any] | None) -> Callable[..., Any] | None:
    return function if function is None or hasattr(function, "py_func") else kernel(function)


def _options(starts: ArrayLike, targets: ArrayLike) -> tuple[NDArray[np.int64], IndexArray]:
    first, ends = np.asarray(starts), np.asarray(targets)
    for name, values in (("starts", first), ("targets", ends)):
        if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
            raise InputError(f"{name} has shape {values.shape}; allowed: one axis of whole numbers")
    if first.size < 2 or first[0] != 0 or first[-1] != ends.size or (np.diff(first) < 0).any():
        raise InputError(f"starts must rise from 0 to the number of options, {ends.size}")
    return first.astype(np.int64), ends.astype(np.int32)


def _count_targets(moves: Moves, n: int, ends: IndexArray, capacities: ArrayLike | None) -> int:
    if moves == "walk":
        return n
    return int(ends.max(initial=-1)) + 1 if capacities is None else np.size(capacities)


def _check_targets(first: NDArray[np.int64], ends: IndexArray, n_targets: int, walks: bool) -> None:
    sources = np.repeat(np.arange(first.size - 1), np.diff(first))
    wrong = (ends < 0) | (ends >= n_targets)
    if walks:
        wrong |= ends == sources
    if wrong.any():
        at = int(np.argmax(wrong))
        limit = f"0 to {n_targets - 1}" + (", another node" if walks else "")
        raise InputError(f"node {sources[at]} has target {ends[at]}; allowed: {limit}")
    keys = np.sort(sources * np.int64(n_targets) + ends)
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if twice.size:
        node, target = divmod(int(keys[twice[0]]), n_targets)
        raise InputError(f"node {node} has target {target} twice; allowed: once")


def _option_values(name: str, values: ArrayLike, count: int) -> FloatArray:
    numbers = real_array(name, values).copy()
    if numbers.shape != (count,):
        raise InputError(f"{name} has shape {numbers.shape}; allowed: one an option, ({count},)")
    wrong = ~(np.isfinite(numbers) & (numbers >= 0.0))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(f"{name}[{at}] is {numbers[at]:g}; allowed: finite, from 0")
    return numbers


def _capacities(capacities: ArrayLike | None, n_targets: int) -> FloatArray:
    if capacities is None:
        return np.zeros(n_targets)
    room = real_array("capacities", capacities).copy()
    wrong = ~(np.isfinite(room) & (room > 0.0))
    if room.shape != (n_targets,) or wrong.any():
        at = int(np.argmax(wrong)) if room.ndim == 1 and wrong.any() else -1
        found = f"[{at}] is {room[at]:g}" if at >= 0 else f" has shape {room.shape}"
        raise InputError(f"capacities{found}; allowed: finite, above 0, one a target")
    return room


def _desirability(given: ArrayLike | None, costs: FloatArray) -> FloatArray:
    if given is None:
        least = LEAST_SHARE * costs[costs > 0.0].min(initial=np.inf)
        return np.ones_like(costs) if least == np.inf else 1.0 / np.maximum(costs, least)
    worth = _option_values("desirability", given, costs.size)
    if not (worth > 0.0).all():
        raise InputError(f"desirability[{int(np.argmin(worth))}] is 0; allowed: above 0")
    return worth
