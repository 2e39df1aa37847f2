"""Many tasks to many experts in one decision, each expert taking no more than it has places for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.batches import gates
from swarmloom_protocols.bio_routing.batches.auction_kernels import (
    Hall,
    bid_all,
    dual_bound,
    line_up,
    new_hall,
)
from swarmloom_protocols.bio_routing.batches.flow_kernels import new_flow, solve
from swarmloom_protocols.bio_routing.batches.sinkhorn import sinkhorn
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.consensus.allocation.arguments import matrix_of, units_of
from swarmloom_protocols.consensus.allocation.auction import auction

__all__ = ["BatchRouting", "Method", "route_batch"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Method = Literal["auction", "exact", "greedy", "top_k", "expert_choice", "sinkhorn", "bias"]

# The first bid step in units of the one that proves the gap beforehand.
BOLDNESS = 1.5
SHRINK = 5.0
# Turns a task until exact paths take over from a price war.
PATIENCE = 40
# The same where each expert has one place: there the one-to-one auction settles wars.
SHORT_PATIENCE = 6
# Tasks looked at for the usual size of a score.
SAMPLE = 64
# The first step down of what a task is worth that is left out, as a share of the range of scores.
DESCENT = 0.02
# From so many experts on SciPy solves one expert a task sooner than paths over experts do.
MANY_EXPERTS = 256


@dataclass(frozen=True, slots=True)
class BatchRouting:
    """Who takes what.

    Attributes
    ----------
    assignment : ndarray of int64, shape (T, k)
        Experts of each task, different ones, in rising order; −1 at the end of the row for places
        left empty.
    value : float
        Sum of the scores of what is assigned.
    dropped : ndarray of int64
        Tasks with fewer than k experts.
    load : ndarray of int64, shape (E,)
        Tasks of each expert.
    bound : float
        No assignment that leaves as few places empty is worth more; inf where the method proves
        nothing.
    """

    assignment: IntArray
    value: float
    dropped: IntArray
    load: IntArray
    bound: float

    @property
    def gap(self) -> float:
        """Proven largest distance to the optimum relative to the bound, inf where none is."""
        missing = max(self.bound - self.value, 0.0)
        return missing / abs(self.bound) if 0.0 < missing < np.inf else missing


@dataclass(frozen=True, slots=True)
class _Batch:
    """A checked problem; capacities are at most T."""

    scores: FloatArray
    capacities: IntArray
    k: int
    low: float
    high: float
    full: bool

    @property
    def any_pair(self) -> bool:
        """Whether anything may be assigned at all."""
        return self.low <= self.high and bool(self.capacities.any())

    @property
    def most(self) -> float:
        """Largest finite score in absolute value."""
        return max(abs(self.low), abs(self.high))

    @property
    def spread(self) -> float:
        """Range of the finite scores, or what stands for it where all are equal."""
        return self.high - self.low or self.most or 1.0

    @property
    def fewest_empty(self) -> int:
        """No assignment leaves fewer of the T·k places in the tasks' lists empty."""
        wanted, room = len(self.scores) * self.k, int(self.capacities.sum())
        if not self.full:
            allowed = self.scores > -np.inf
            wanted = int(np.minimum(allowed.sum(axis=1), self.k).sum())
            room = int(np.minimum(allowed.sum(axis=0), self.capacities).sum())
        return len(self.scores) * self.k - min(wanted, room)


def route_batch(
    scores: ArrayLike,
    capacities: ArrayLike | None = None,
    *,
    method: Method = "auction",
    k: int = 1,
    capacity_factor: float | None = None,
    gap: float = 1e-3,
    device: Device = "auto",
) -> BatchRouting:
    """Assign a batch of tasks to experts with limited places for a large sum of scores.

    Parameters
    ----------
    scores : float64[T, E]
        Score of each expert for each task, −inf where not allowed.
    capacities : int64[E], optional
        Places of each expert, 0 for one that takes none.
    method : str, optional
        "auction" serves as many as possible and proves its gap; "exact" does so with gap 0.
        "greedy" takes the best pair of all, then the next. "top_k" sends tasks to their k best and
        drops what comes to a full expert; "expert_choice" lets experts choose. "sinkhorn" and
        "bias" balance, then choose greedily.
    k : int, optional
        Different experts that each task is to have.
    capacity_factor : float, optional
        Instead of `capacities`: every expert has ⌈factor·k·T/E⌉ places.
    gap : float, optional
        Relative distance to the best sum that "auction" has to prove; 0 is "exact".
    device : {"auto", "cpu", "cuda"}, optional
        GPU kernels exist for "sinkhorn" and, with k = 1, for "auction".

    Returns
    -------
    BatchRouting

    Raises
    ------
    InputError
        Scores that are no matrix of real numbers, NaN, +inf or too large to add; capacities that
        do not fit or are negative; both or neither of `capacities` and `capacity_factor`; a k
        beyond the number of experts; an unknown method; "cuda" for one that has no GPU kernel.
    DeviceError
        "cuda" is not usable here.
    """
    if method not in get_args(Method):
        allowed = ", ".join(map(repr, get_args(Method)))
        raise InputError(f"method: {method!r} is not one of {allowed}")
    between("gap", gap, 0.0)
    batch = _checked(scores, capacities, k, capacity_factor)
    if device == "cuda" and not (method == "sinkhorn" or (method == "auction" and k == 1)):
        raise InputError(f'device: "cuda" has no kernel for method {method!r} with k = {k}')
    resolve(device, size=0)
    if not batch.any_pair:
        return _routing(batch, np.full((len(batch.scores), k), -1), 0.0)
    if method == "auction" and gap > 0.0:
        return _auctioned(batch, gap, device)
    if method in ("auction", "exact"):
        return _exact(batch)
    if method == "sinkhorn":
        return _routing(batch, sinkhorn(batch.scores, batch.capacities, k, device))
    return _routing(batch, RULES[method](batch.scores, batch.capacities, k))


RULES: dict[str, Callable[[FloatArray, IntArray, int], IntArray]] = {
    "greedy": gates.greedy,
    "top_k": gates.top_k,
    "expert_choice": gates.expert_choice,
    "bias": gates.balanced,
}


def _checked(
    scores: ArrayLike, capacities: ArrayLike | None, k: int, capacity_factor: float | None
) -> _Batch:
    matrix = matrix_of("scores", scores)
    tasks, experts = matrix.shape
    whole("k", k, 1, max(experts, 1))
    places = _places(capacities, capacity_factor, k * tasks, experts)
    low, high, full = _range(matrix)
    if low <= high and not np.isfinite(
        4.0 * (k * tasks + 2.0) * max(abs(low), abs(high), high - low)
    ):
        raise InputError(f"scores from {low:g} to {high:g}: too large, their sum must be finite")
    return _Batch(matrix, np.minimum(places, tasks), k, low, high, full)


def _range(scores: FloatArray) -> tuple[float, float, bool]:
    """Return the lowest and highest finite score, and whether all are."""
    # NumPy's two passes are five times faster than a look at each score in turn.
    low, high = float(scores.min(initial=np.inf)), float(scores.max(initial=-np.inf))
    if np.isnan(high) or (scores.size and high == np.inf):
        raise InputError("scores: NaN or +inf; allowed: finite, or −inf where not allowed")
    if low == -np.inf:
        return float(scores[scores > -np.inf].min(initial=np.inf)), high, False
    return low, high, True


def _places(
    capacities: ArrayLike | None, factor: float | None, demand: int, experts: int
) -> IntArray:
    if (capacities is None) == (factor is None):
        raise InputError("capacities, capacity_factor: give one of the two")
    if factor is not None:
        share = positive("capacity_factor", factor, 1e6) * demand / max(experts, 1)
        return np.full(experts, int(np.ceil(share - 1e-9)))
    places = units_of("capacities", capacities if capacities is not None else [])
    if places.shape != (experts,):
        raise InputError(f"capacities of shape {places.shape}: must be one for each of {experts}")
    return places


def _routing(batch: _Batch, chosen: IntArray, bound: float = np.inf) -> BatchRouting:
    """Sum up what was chosen."""
    experts = batch.scores.shape[1]
    ranked = np.sort(np.where(chosen < 0, experts, chosen), axis=1)
    held = ranked < experts
    value = float(batch.scores[np.nonzero(held)[0], ranked[held]].sum())
    load = np.bincount(ranked[held], minlength=experts)
    dropped = np.flatnonzero(~held.all(axis=1))
    # Sums of an optimum's duals may be below its value by rounding.
    return BatchRouting(np.where(held, ranked, -1), value, dropped, load, max(bound, value))


def _auctioned(batch: _Batch, gap: float, device: Device) -> BatchRouting:
    if device == "cuda":
        return _one_to_one(batch, gap, device)
    if batch.k == 1 and batch.capacities.max() == 1:
        return _bid(batch, gap, SHORT_PATIENCE) or _one_to_one(batch, gap, "cpu")
    return _bid(batch, gap, PATIENCE) or _exact(batch)


def _one_to_one(batch: _Batch, gap: float, device: Device) -> BatchRouting:
    """Hold the auction of one-to-one assignment over the experts' places, one column each."""
    owner = np.repeat(np.arange(len(batch.capacities)), batch.capacities)
    each = len(owner) == len(batch.capacities) and batch.capacities.max() == 1
    try:
        result = auction(batch.scores if each else batch.scores[:, owner], gap=gap, device=device)
    except InputError:
        # What is allowed does not serve the whole shorter side.
        return _exact(batch)
    chosen = np.where(result.assignment < 0, -1, owner[result.assignment])
    return _routing(batch, chosen[:, None], result.bound)


def _bid(batch: _Batch, gap: float, patience: int) -> BatchRouting | None:
    """Hold auctions with ever smaller steps until one proves its gap; None where none can."""
    tasks, empty = len(batch.scores), batch.fewest_empty
    outside = batch.low - batch.spread if empty == 0 else _last_served(batch)
    epsilon, turns = BOLDNESS * gap * _usual(batch), patience * tasks
    while epsilon > 2.0**-44 * batch.most:
        hall = new_hall(batch.scores, batch.capacities, batch.k)
        turns, reached = _descend(hall, batch, epsilon, outside, empty, turns)
        if turns < 0 or (hall.held < 0).sum() > empty:
            return None
        found = hall.held.copy()
        routing = _routing(batch, found, dual_bound(hall, reached) - reached * empty)
        if routing.gap <= gap:
            return routing
        epsilon /= SHRINK
    return None


def _descend(
    hall: Hall, batch: _Batch, epsilon: float, outside: float, empty: int, turns: int
) -> tuple[int, float]:
    """Bid, letting tasks that gave up bid again for less while more than `empty` places are left.

    Returns the turns left, negative where they ran out, and what an empty place was worth in the
    end.
    """
    step, last = DESCENT * batch.spread, batch.low - batch.spread
    while True:
        turns -= bid_all(hall, line_up(hall), epsilon, outside, turns)
        if turns < 0 or outside <= last or (hall.held < 0).sum() <= empty:
            return turns, outside
        outside, step = max(outside - step, last), 2.0 * step


def _best(scores: FloatArray, k: int) -> FloatArray:
    """Return each row's k largest scores, as one vector."""
    if k == 1:
        top: FloatArray = scores.max(axis=1)
        return top
    largest: FloatArray = np.partition(scores, -k, axis=1)[:, -k:].ravel()
    return largest


def _usual(batch: _Batch) -> float:
    """Return about what a place in a task's list is worth, from a sample of the tasks."""
    best = _best(batch.scores[:: max(1, len(batch.scores) // SAMPLE)], batch.k)
    return abs(float(best[best > -np.inf].sum())) / best.size or batch.spread


def _last_served(batch: _Batch) -> float:
    """Guess the score below which a task goes without where places are short."""
    best = _best(batch.scores, batch.k)
    served = max(min(int(batch.capacities.sum()), best.size), 1)
    last = float(np.partition(best, -served)[-served])
    return last if last > -np.inf else batch.low


def _exact(batch: _Batch) -> BatchRouting:
    tasks, experts = batch.scores.shape
    # Dearer than any rearrangement of the others: nobody goes without for the sake of the sum.
    none = batch.low - (tasks * batch.k + 1.0) * batch.spread
    if batch.k == 1 and experts >= MANY_EXPERTS:
        return _by_scipy(batch, none)
    flow = new_flow(batch.scores, batch.capacities, batch.k, none)
    solve(flow)
    routing = _routing(batch, np.where(flow.held < experts, flow.held, -1))
    return replace(routing, bound=routing.value)


def _by_scipy(batch: _Batch, none: float) -> BatchRouting:
    """Solve for one expert a task with a column for each place, and one a task for none."""
    owner = np.repeat(np.arange(len(batch.capacities)), batch.capacities)
    idle = batch.fewest_empty if batch.full else len(batch.scores)
    values = np.full((len(batch.scores), len(owner) + idle), none)
    values[:, : len(owner)] = np.maximum(batch.scores[:, owner], 2.0 * none - batch.low)
    _, columns = linear_sum_assignment(values, maximize=True)
    chosen = np.append(owner, np.full(idle, -1))[columns]
    routing = _routing(batch, chosen[:, None])
    return replace(routing, bound=routing.value)
