"""Kernels of an auction in which experts have several places and tasks may want several experts.

D. P. Bertsekas and D. A. Castañon, "The auction algorithm for the transportation problem", Annals
of Operations Research 20, 1989. The places of one expert are alike, so that a task's bid is set by
its best *other* expert: bids for copies of one column would raise the price by ε at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["BLOCK", "Hall", "bid_all", "dual_bound", "line_up", "new_hall"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Columns looked at in one vectorised sweep.
BLOCK = 32
# One comparison a pair, unordered: no NaN gets here.
VECTORISED = frozenset({"nnan", "nsz", "reassoc"})


class Hall(NamedTuple):
    """What an auction works on: T tasks, E experts, k experts a task.

    Attributes
    ----------
    scores : float64[T, E]
        −inf where not allowed.
    price : float64[E]
        Lowest bid held by an expert without a free place, 0 before; inf where it has no place.
    first : int64[E + 1]
        Where each expert's heap of bids begins in `bids` and `bidders`; the gap is its capacity.
    load : int64[E]
        How many bids each holds.
    bids : float64[places]
        Min-heaps.
    bidders : int64[places]
        Their tasks.
    held : int64[T, k]
        Experts of each task, −1 at free entries.
    wanted : int64[T]
        How many more experts each task bids for.
    waiting : int64[T]
        Ring of the tasks that bid.
    tops : float64[blocks]
        Room for the largest net score of each block of experts.
    nets : float64[k + 1]
        Room for a task's best net scores.
    best : int64[k + 1]
        Room for the experts that they are of.
    """

    scores: FloatArray
    price: FloatArray
    first: IntArray
    load: IntArray
    bids: FloatArray
    bidders: IntArray
    held: IntArray
    wanted: IntArray
    waiting: IntArray
    tops: FloatArray
    nets: FloatArray
    best: IntArray


def new_hall(scores: FloatArray, capacities: IntArray, k: int) -> Hall:
    """Return the state before the first bid; capacities are at most T."""
    tasks, experts = scores.shape
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum(capacities)])
    places = int(first[-1])
    return Hall(
        scores,
        np.where(capacities > 0, 0.0, np.inf),
        first,
        np.zeros(experts, np.int64),
        np.empty(places),
        np.empty(places, np.int64),
        np.full((tasks, k), -1, np.int64),
        np.full(tasks, k, np.int64),
        np.arange(tasks),
        np.empty(-(-experts // BLOCK)),
        np.empty(k + 1),
        np.empty(k + 1, np.int64),
    )


@kernel(fastmath=VECTORISED)
def _fill_tops(scores: FloatArray, price: FloatArray, tops: FloatArray) -> None:
    """Fill the largest net score of every block of experts."""
    for block in range(len(tops)):
        start, top = block * BLOCK, -np.inf
        if start + BLOCK <= len(scores):
            worth, paid = scores[start : start + BLOCK], price[start : start + BLOCK]
            # The constant length is what lets the compiler use vectors throughout.
            for column in range(BLOCK):
                net = worth[column] - paid[column]
                top = net if net > top else top
        else:
            for column in range(start, len(scores)):
                net = scores[column] - price[column]
                top = net if net > top else top
        tops[block] = top


@kernel
def _holds(held: IntArray, expert: int) -> bool:
    found = False
    for other in held:
        found |= other == expert
    return found


@kernel
def _insert(hall: Hall, net: float, expert: int, last: int) -> None:
    """Put a net score into its place among the best ones, the lowest of which falls out."""
    place = last
    while place > 0 and hall.nets[place - 1] < net:
        hall.nets[place], hall.best[place] = hall.nets[place - 1], hall.best[place - 1]
        place -= 1
    hall.nets[place], hall.best[place] = net, expert


@kernel
def _rank(hall: Hall, task: int, count: int) -> None:
    """Find the `count` best experts that a task does not hold, at the present prices."""
    scores, price, nets, last = hall.scores[task], hall.price, hall.nets, count - 1
    _fill_tops(scores, price, hall.tops)
    nets[:count] = -np.inf
    leading = int(np.argmax(hall.tops))
    for turn in range(len(hall.tops)):
        # The leading block first: hardly any other one has to be looked into after that.
        block = (leading + turn) % len(hall.tops)
        if hall.tops[block] <= nets[last]:
            continue
        for expert in range(block * BLOCK, min((block + 1) * BLOCK, len(scores))):
            net = scores[expert] - price[expert]
            if net > nets[last] and not _holds(hall.held[task], expert):
                _insert(hall, net, expert, last)


@kernel
def _sift_up(hall: Hall, start: int, place: int) -> None:
    bids, bidders = hall.bids, hall.bidders
    while place > 0:
        above = (place - 1) // 2
        if bids[start + above] <= bids[start + place]:
            return
        _swap(bids, bidders, start + above, start + place)
        place = above


@kernel
def _sift_down(hall: Hall, start: int, size: int) -> None:
    bids, bidders, place = hall.bids, hall.bidders, 0
    while 2 * place + 1 < size:
        below = 2 * place + 1
        if below + 1 < size and bids[start + below + 1] < bids[start + below]:
            below += 1
        if bids[start + place] <= bids[start + below]:
            return
        _swap(bids, bidders, start + place, start + below)
        place = below


@kernel
def _swap(bids: FloatArray, bidders: IntArray, one: int, other: int) -> None:
    bids[one], bids[other] = bids[other], bids[one]
    bidders[one], bidders[other] = bidders[other], bidders[one]


@kernel
def _accept(hall: Hall, expert: int, task: int, bid: float) -> int:
    """Give a place to a bid above the price; return the task that lost it, −1 if it was free."""
    start, size = hall.first[expert], hall.first[expert + 1] - hall.first[expert]
    loser = -1
    if hall.load[expert] < size:
        place = hall.load[expert]
        hall.bids[start + place], hall.bidders[start + place] = bid, task
        hall.load[expert] += 1
        _sift_up(hall, start, place)
    else:
        loser = hall.bidders[start]
        hall.bids[start], hall.bidders[start] = bid, task
        _sift_down(hall, start, size)
    if hall.load[expert] == size:
        hall.price[expert] = hall.bids[start]
    return loser


@kernel
def _replace(held: IntArray, old: int, new: int) -> None:
    for place in range(len(held)):
        if held[place] == old:
            held[place] = new
            return


@kernel
def _serve(hall: Hall, task: int, epsilon: float, outside: float, tail: int) -> int:
    """Let a task bid for all that it lacks; return how many tasks were lined up at `tail` on."""
    missing, lined_up, room = hall.wanted[task], 0, len(hall.waiting)
    _rank(hall, task, missing + 1)
    nets, best = hall.nets, hall.best
    margin = max(nets[missing], outside)
    hall.wanted[task] = 0
    for place in range(missing):
        # Prices only rise: what is not worth a bid now never will be.
        if nets[place] <= outside:
            return lined_up
        expert = best[place]
        price = hall.price[expert]
        # Rounding must not stop a price war.
        bid = max(price + (nets[place] - margin) + epsilon, np.nextafter(price, np.inf))
        loser = _accept(hall, expert, task, bid)
        _replace(hall.held[task], -1, expert)
        if loser >= 0:
            _replace(hall.held[loser], expert, -1)
            hall.wanted[loser] += 1
            if hall.wanted[loser] == 1:
                hall.waiting[(tail + lined_up) % room] = loser
                lined_up += 1
    return lined_up


@kernel
def line_up(hall: Hall) -> int:
    """Let every task that lacks an expert bid (again); return how many do.

    Parameters
    ----------
    hall : Hall
        `wanted` and `waiting` are overwritten.
    """
    count = 0
    for task in range(len(hall.waiting)):
        missing = 0
        for expert in hall.held[task]:
            missing += expert < 0
        hall.wanted[task] = missing
        if missing > 0:
            hall.waiting[count] = task
            count += 1
    return count


@kernel
def bid_all(hall: Hall, count: int, epsilon: float, outside: float, patience: int) -> int:
    """Let tasks bid until none waits or `patience` turns are over; return how many it took.

    More than `patience` says that some still wait.

    Parameters
    ----------
    hall : Hall
        Overwritten.
    count : int
        How many tasks are lined up.
    epsilon : float
        Bid step, above 0. The result is within T·k·ε of the best.
    outside : float
        What a place left empty in a task's list is worth to it; it takes no expert that is worth
        less after the price.
    patience : int
        Most turns.
    """
    head, turns = 0, 0
    while count > 0 and turns < patience:
        task = hall.waiting[head]
        turns += 1
        count += _serve(hall, task, epsilon, outside, head + count) - 1
        head = head + 1 if head + 1 < len(hall.waiting) else 0
    return turns if count == 0 else turns + 1


@kernel
def dual_bound(hall: Hall, outside: float) -> float:
    """Return what no assignment exceeds, empty places counting `outside`: prices and profits.

    For prices of at least 0 the sum of capacity × price over the experts and of the k best net
    scores over the tasks bounds every assignment (weak duality), however the prices came about.

    Parameters
    ----------
    hall : Hall
        `held` is overwritten: read it first.
    outside : float
        As for `bid_all`.
    """
    bound, k = 0.0, hall.held.shape[1]
    hall.held[:] = -1
    for expert in range(len(hall.price)):
        if hall.load[expert] > 0:
            bound += hall.price[expert] * (hall.first[expert + 1] - hall.first[expert])
    for task in range(len(hall.waiting)):
        _rank(hall, task, k)
        for place in range(k):
            bound += max(hall.nets[place], outside)
    return bound
