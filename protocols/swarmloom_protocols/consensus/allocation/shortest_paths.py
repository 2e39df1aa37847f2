"""What an auction leaves over, finished by shortest augmenting paths from its prices.

R. Jonker and A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear
assignment problems", Computing 38, 1987: rows that hold a best column keep it, and each of the
others finds its way to a free column at the least loss (Dijkstra's method in reduced costs).
Square matrices without a reserve only, where no column stays free in the end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.consensus.allocation.auction_kernels import (
    BLOCK,
    PATIENCE,
    Floor,
    appraise,
    bid_all,
    two_best,
)

__all__ = ["augment_all", "keep_best", "settle_early"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# One comparison a pair, unordered: no NaN gets here. Sums stay as they are written, so that a
# path is found again by the distances along it.
UNORDERED = frozenset({"nnan", "nsz"})
# Paths pay where so large a share of the rows has its best column after the opening; where more
# are left, each would find its way through most of the others.
SERVED = 0.6


class _Search(NamedTuple):
    """Room for one row's search: columns not reached for good, and rows in order of their turn."""

    distance: FloatArray
    offer: FloatArray
    tops: FloatArray
    rows: IntArray
    held: IntArray
    bases: FloatArray
    reached: FloatArray


@kernel(fastmath=UNORDERED)
def _relax(values: FloatArray, base: float, s: _Search) -> None:
    """Shorten the ways to all columns by way of one row; columns done have an offer of +inf."""
    for block in range(len(s.tops)):
        start, top = block * BLOCK, np.inf
        if start + BLOCK <= len(values):
            worth, paid = values[start : start + BLOCK], s.offer[start : start + BLOCK]
            distance = s.distance[start : start + BLOCK]
            # The constant length is what lets the compiler use vectors throughout.
            for column in range(BLOCK):
                way = base - (worth[column] - paid[column])
                way = way if way < distance[column] else distance[column]
                distance[column] = way
                top = way if way < top else top
        else:
            for column in range(start, len(values)):
                way = base - (values[column] - s.offer[column])
                way = way if way < s.distance[column] else s.distance[column]
                s.distance[column] = way
                top = way if way < top else top
        s.tops[block] = top


@kernel
def _nearest(s: _Search, owner: IntArray) -> int:
    """Return the nearest column, a free one among equals; −1 where none can be reached."""
    least, nearest = s.tops.min(), -1
    if least == np.inf:
        return nearest
    for block in range(len(s.tops)):
        if s.tops[block] == least:
            for column in range(block * BLOCK, min((block + 1) * BLOCK, len(owner))):
                if s.distance[column] == least:
                    if owner[column] < 0:
                        return column
                    nearest = column
    return nearest


@kernel
def _search(floor: Floor, s: _Search, source: int) -> tuple[int, int]:
    """Return the free column nearest to a row in reduced costs, and how many rows that took."""
    # A loop: copies between slices check their shapes, which takes seconds to compile.
    for column in range(len(floor.price)):
        s.distance[column], s.offer[column] = np.inf, floor.price[column]
    row, away, turns = source, 0.0, 0
    while True:
        s.rows[turns], s.held[turns] = row, floor.chosen[row]
        s.reached[turns], s.bases[turns] = away, floor.profit[row] + away
        _relax(floor.values[row], s.bases[turns], s)
        turns += 1
        column = _nearest(s, floor.owner)
        if column < 0 or floor.owner[column] < 0:
            return column, turns
        row, away = floor.owner[column], s.distance[column]
        s.distance[column] = s.offer[column] = np.inf


@kernel
def _shift(floor: Floor, s: _Search, sink: int, turns: int) -> None:
    """Move every row on the way to the sink to its next column."""
    column, turn = sink, turns
    while turn > 0:
        least, before = np.inf, turn
        for earlier in range(before):
            net = floor.values[s.rows[earlier], column] - floor.price[column]
            if s.bases[earlier] - net < least:
                least, turn = s.bases[earlier] - net, earlier
        row = s.rows[turn]
        floor.chosen[row], floor.owner[column] = column, row
        column = s.held[turn]


@kernel
def _reprice(floor: Floor, s: _Search, away: float, turns: int) -> None:
    """Raise the prices of the columns done and lower the rows' profits by as much."""
    for turn in range(turns):
        row, rise = s.rows[turn], away - s.reached[turn]
        if turn > 0:
            floor.price[s.held[turn]] += rise
        floor.profit[row] -= rise


@kernel
def keep_best(floor: Floor, tolerance: float) -> int:
    """Lower prices as far as no row minds, and let rows keep only what is best for them.

    Parameters
    ----------
    floor : Floor
        `profit` has to hold the largest value less price of each row. Prices, profits, owners and
        choices are overwritten: the profit of a row that keeps its column is what it has.
    tolerance : float
        By how much a column may miss the best.

    Returns
    -------
    int
        Rows that have a column then.
    """
    values, price, profit, owner = floor.values, floor.price, floor.profit, floor.owner
    price[:] = -np.inf
    for row in range(len(profit)):
        for column in range(len(price)):
            asked = values[row, column] - profit[row]
            price[column] = asked if asked > price[column] else price[column]
    owner[:] = -1
    for row in range(len(profit)):
        column = floor.chosen[row]
        if column < 0 or values[row, column] - price[column] < profit[row] - tolerance:
            floor.chosen[row] = -1
        else:
            owner[column], profit[row] = row, values[row, column] - price[column]
    return _take_free(floor, tolerance)


@kernel
def _take_free(floor: Floor, tolerance: float) -> int:
    """Let rows without a column take a free one that is best for them; return who has one."""
    served = 0
    for row in range(len(floor.profit)):
        column = 0
        while floor.chosen[row] < 0 and column < len(floor.price):
            net = floor.values[row, column] - floor.price[column]
            if floor.owner[column] < 0 and net >= floor.profit[row] - tolerance:
                floor.chosen[row], floor.owner[column], floor.profit[row] = column, row, net
            column += 1
        served += floor.chosen[row] >= 0
    return served


@kernel
def augment_all(floor: Floor) -> bool:
    """Serve every row that waits, each at the least loss; the outcome is optimal.

    Parameters
    ----------
    floor : Floor
        What `keep_best` left. Shortlists are void afterwards.

    Returns
    -------
    bool
        False where a row cannot be served.
    """
    n = len(floor.price)
    s = _Search(
        np.empty(n),
        np.empty(n),
        np.empty(-(-n // BLOCK)),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.empty(n),
        np.empty(n),
    )
    floor.ceiling[:] = np.inf
    for source in range(n):
        if floor.chosen[source] < 0:
            sink, turns = _search(floor, s, source)
            if sink < 0:
                return False
            away = s.distance[sink]
            _shift(floor, s, sink, turns)
            _reprice(floor, s, away, turns)
    return True


@kernel
def settle_early(
    floor: Floor, epsilon: float, last: float, most: float, wanted: float, slack: float
) -> tuple[int, bool, float, float, float]:
    """Hold an auction with one small step, and finish by paths where few rows are left over.

    Parameters
    ----------
    floor : Floor
        Overwritten: the outcome, or what bids have left.
    epsilon, last : float
        Bid step, and the precision of the values.
    most, wanted, slack : float
        As for `auction_kernels.finish`.

    Returns
    -------
    bids : int
    settled : bool
        Whether it came to an end, which the other figures are about.
    value, bound, epsilon : float
        Sum of the values taken, its dual bound, and the step that they differ by per row at most.
    """
    rows = len(floor.chosen)
    patience = PATIENCE * rows
    bids = bid_all(floor, epsilon, -np.inf, most, patience)
    if bids < patience:
        value, bound = appraise(floor, -np.inf)
        if bound - value <= max(wanted * abs(bound), slack):
            return bids, True, value, bound, epsilon
    price, owner, chosen = floor.price.copy(), floor.owner.copy(), floor.chosen.copy()
    for row in range(rows):
        floor.profit[row] = two_best(floor, row)[1]
    feasible = floor.profit.min() > -np.inf
    if feasible and keep_best(floor, last) >= SERVED * rows and augment_all(floor):
        value, bound = appraise(floor, -np.inf)
        return bids, True, value, bound, last
    for place in range(rows):
        floor.price[place], floor.owner[place] = price[place], owner[place]
        floor.chosen[place] = chosen[place]
    return bids, False, -np.inf, np.inf, epsilon
