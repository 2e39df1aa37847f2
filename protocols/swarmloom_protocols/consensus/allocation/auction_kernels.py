"""Kernels of the auction on the CPU: bids one at a time (Gauss–Seidel), each row with a shortlist.

Prices only rise while rows bid, so a row's best columns of one moment bound all others from then
on: a bid looks at `SHORTLIST` columns, and at the whole row again only where the bound no longer
settles it. That is the "third best" trick of D. P. Bertsekas and J. N. Tsitsiklis (Parallel and
Distributed Computation, 1989, section 5.3) with more than one spare.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = [
    "BLOCK",
    "PATIENCE",
    "Floor",
    "appraise",
    "begin",
    "bid_all",
    "finish",
    "new_floor",
    "survey",
    "two_best",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHORTLIST = 20
# A shortlist is to have at least so many of the blocks' best.
WANTED = 8
# Bids a row before the steps grow, and by what they grow, and shrink in the end.
PATIENCE = 10
GROWTH = 16.0
SHRINK = 8.0
ENDLESS = 2**62
# Columns looked at in one vectorised sweep.
BLOCK = 32
# One comparison a pair, unordered: no NaN gets here.
VECTORISED = frozenset({"nnan", "nsz", "reassoc"})


class Floor(NamedTuple):
    """What an auction works on: n rows bid for m columns.

    Attributes
    ----------
    values : float64[n, m]
        Value of each column to each row, −inf where not allowed.
    price : float64[m]
    owner : int64[m]
        Row that holds each column, −1 for none.
    chosen : int64[n]
        Column that each row holds, m for a row that does without, −1 for one that has to bid.
    profit : float64[n]
        Largest value less price of each row, when it was last computed.
    listed : int64[n, SHORTLIST]
        Each row's shortlist of columns.
    worth : float64[n, SHORTLIST]
        Their values, −inf at unused entries.
    ceiling : float64[n]
        No column off the shortlist is worth more than this, net of its price.
    waiting : int64[n]
        Queue of the rows that have to bid, a ring.
    tops : float64[blocks]
        Room for the largest net value of each block of columns.
    order : float64[WANTED]
        Room for the largest of these.
    nets : float64[SHORTLIST]
        Room for the net values of a shortlist.
    """

    values: FloatArray
    price: FloatArray
    owner: IntArray
    chosen: IntArray
    profit: FloatArray
    listed: IntArray
    worth: FloatArray
    ceiling: FloatArray
    waiting: IntArray
    tops: FloatArray
    order: FloatArray
    nets: FloatArray


def new_floor(values: FloatArray) -> Floor:
    """Return the state before the first bid."""
    n, m = values.shape
    return Floor(
        values,
        np.zeros(m),
        np.full(m, -1, np.int64),
        np.full(n, -1, np.int64),
        np.zeros(n),
        np.zeros((n, SHORTLIST), np.int64),
        np.full((n, SHORTLIST), -np.inf),
        np.full(n, np.inf),
        np.empty(n, np.int64),
        np.empty(-(-m // BLOCK)),
        np.empty(WANTED),
        np.empty(SHORTLIST),
    )


@kernel
def survey(values: FloatArray) -> tuple[float, float, int, bool, bool]:
    """Return lowest and highest finite value, how many are, whether all are whole, any bad."""
    low, high = np.inf, -np.inf
    finite, whole, bad = 0, True, False
    for row in range(values.shape[0]):
        for value in values[row]:
            if value - value == 0.0:
                finite += 1
                low = min(low, value)
                high = max(high, value)
                whole &= value == np.floor(value)
            else:
                bad |= value != -np.inf
    return low, high, finite, whole, bad


@kernel(fastmath=VECTORISED)
def _fill_tops(values: FloatArray, price: FloatArray, tops: FloatArray) -> None:
    """Fill the largest net value of every block of columns; no NaN gets here."""
    for block in range(len(tops)):
        start, top = block * BLOCK, -np.inf
        if start + BLOCK <= len(values):
            worth, paid = values[start : start + BLOCK], price[start : start + BLOCK]
            # The constant length is what lets the compiler use vectors throughout.
            for column in range(BLOCK):
                net = worth[column] - paid[column]
                top = net if net > top else top
        else:
            for column in range(start, len(values)):
                net = values[column] - price[column]
                top = net if net > top else top
        tops[block] = top


@kernel
def _cutoff(tops: FloatArray, order: FloatArray) -> float:
    """Return the largest of the tops but for ``len(order) - 1``; `order` is room to sort in."""
    last = len(order) - 1
    order[:] = -np.inf
    for top in tops:
        if top <= order[last]:
            continue
        place = last
        while place > 0 and order[place - 1] < top:
            order[place] = order[place - 1]
            place -= 1
        order[place] = top
    cutoff: float = order[last]
    return cutoff


@kernel
def _list_block(floor: Floor, row: int, block: int, count: int, cutoff: float) -> tuple[int, float]:
    """Add a block's columns worth `cutoff` to the shortlist, then only what beats its least.

    Returns how many are listed, and the largest net value left out.
    """
    values, nets, ceiling = floor.values[row], floor.nets, -np.inf
    for column in range(block * BLOCK, min((block + 1) * BLOCK, len(values))):
        net = values[column] - floor.price[column]
        place = count
        if net < cutoff:
            ceiling = max(ceiling, net)
            continue
        if count == len(nets):
            place = int(np.argmin(nets))
            ceiling = max(ceiling, min(nets[place], net))
            if nets[place] >= net:
                continue
        else:
            count += 1
        nets[place] = net
        floor.listed[row, place], floor.worth[row, place] = column, values[column]
    return count, ceiling


@kernel
def _relist(floor: Floor, row: int) -> None:
    """Make a row's shortlist anew from the best blocks, beginning at another one for each row.

    Where many columns are worth the same, rows thus list different ones and do not collide.
    """
    _fill_tops(floor.values[row], floor.price, floor.tops)
    cutoff, blocks = _cutoff(floor.tops, floor.order), len(floor.tops)
    count, ceiling = 0, -np.inf
    floor.worth[row] = -np.inf
    for turn in range(blocks):
        block = (row + turn) % blocks
        top = floor.tops[block]
        full = count == len(floor.nets)
        if top < cutoff or top == -np.inf or (full and top <= floor.nets.min()):
            ceiling = max(ceiling, top)
            continue
        count, left_out = _list_block(floor, row, block, count, cutoff)
        ceiling = max(ceiling, left_out)
    floor.ceiling[row] = ceiling


@kernel
def _two_listed(floor: Floor, row: int) -> tuple[int, float, float]:
    best, second, chosen = -np.inf, -np.inf, 0
    listed, worth = floor.listed[row], floor.worth[row]
    for place in range(len(listed)):
        net = worth[place] - floor.price[listed[place]]
        if net > best:
            second = best
            best, chosen = net, listed[place]
        elif net > second:
            second = net
    return chosen, best, second


@kernel
def two_best(floor: Floor, row: int) -> tuple[int, float, float]:
    """Return a row's best column, its value net of price, and that of the second best.

    Parameters
    ----------
    floor : Floor
        The row's shortlist is renewed where it does not settle it.
    row : int
    """
    chosen, best, second = _two_listed(floor, row)
    if second < floor.ceiling[row]:
        _relist(floor, row)
        chosen, best, second = _two_listed(floor, row)
    return chosen, best, second


@kernel
def _line_up(floor: Floor) -> int:
    """Line up the rows that have to bid; return how many there are."""
    count = 0
    for row in range(len(floor.chosen)):
        if floor.chosen[row] < 0:
            floor.waiting[count] = row
            count += 1
    return count


@kernel
def _bid(floor: Floor, row: int, epsilon: float, outside: float, most: float) -> int:
    """Let a row bid for its best column, or do without; return who lost that column, or −1."""
    column, best, second = two_best(floor, row)
    if best <= outside:
        floor.chosen[row] = len(floor.price)
        return -1
    step = min(best - max(second, outside), most) + epsilon
    before = floor.price[column]
    # Rounding must not stop a price war.
    floor.price[column] = max(before + step, np.nextafter(before, np.inf))
    loser: int = floor.owner[column]
    floor.owner[column], floor.chosen[row] = row, column
    if loser >= 0:
        floor.chosen[loser] = -1
    return loser


@kernel
def bid_all(floor: Floor, epsilon: float, outside: float, most: float, patience: int) -> int:
    """Let waiting rows bid until none waits or `patience` bids are made; return their number.

    Parameters
    ----------
    floor : Floor
        Overwritten.
    epsilon, outside, most : float
        As for `begin`.
    patience : int
        Most bids.
    """
    count, bids, head = _line_up(floor), 0, 0
    while count > 0 and bids < patience:
        bids += 1
        loser = _bid(floor, floor.waiting[head], epsilon, outside, most)
        if loser >= 0:
            floor.waiting[(head + count) % len(floor.waiting)] = loser
        else:
            count -= 1
        head = head + 1 if head + 1 < len(floor.waiting) else 0
    return bids


@kernel
def _holding(floor: Floor, row: int, outside: float) -> float:
    """Return what a row that need not bid has: value less price, or the value of doing without."""
    column = floor.chosen[row]
    if column == len(floor.price):
        return outside
    kept: float = floor.values[row, column] - floor.price[column]
    return kept


@kernel
def _lowest_held(floor: Floor) -> float:
    lowest = np.inf
    for column in range(len(floor.price)):
        if floor.owner[column] >= 0:
            lowest = min(lowest, floor.price[column])
    return lowest


@kernel
def _two_best_rows(floor: Floor, column: int) -> tuple[int, float, float]:
    """Return the row that a column suits best, by how much it would gain unpaid, and the second."""
    best, second, chosen = -np.inf, -np.inf, 0
    for row in range(len(floor.profit)):
        gain = floor.values[row, column] - floor.profit[row]
        if gain > best:
            second = best
            best, chosen = gain, row
        elif gain > second:
            second = gain
    return chosen, best, second


@kernel
def _offer_all(floor: Floor, epsilon: float, least: float) -> int:
    """Let free columns dearer than `least` bid for rows; return how many bids that took.

    The reverse half of D. P. Bertsekas and D. A. Castañon, "A forward/reverse auction algorithm
    for asymmetric assignment problems", Computational Optimization and Applications 1, 1992.
    """
    price, owner, profit = floor.price, floor.owner, floor.profit
    bids, opening = 0, price.copy()
    for start in range(len(price)):
        column = start
        while column >= 0 and owner[column] < 0 and price[column] > least:
            bids += 1
            before = price[column]
            row, best, second = _two_best_rows(floor, column)
            if best <= least + epsilon:
                price[column] = least
                left = -1
            else:
                price[column] = min(before, max(least, second - epsilon))
                profit[row] = floor.values[row, column] - price[column]
                left = floor.chosen[row]
                floor.chosen[row], owner[column] = column, row
                if left == len(price):
                    left = -1
                else:
                    owner[left] = -1
            column = left
    deepest = 0.0
    for column in range(len(price)):
        deepest = max(deepest, opening[column] - price[column])
    for row in range(len(profit)):
        floor.ceiling[row] += deepest
    return bids


@kernel
def _settle_free_columns(floor: Floor, epsilon: float, outside: float) -> int:
    """Leave no free column dearer than a held one (or than 0, where rows may do without)."""
    least = 0.0 if outside > -np.inf else _lowest_held(floor)
    for row in range(len(floor.profit)):
        floor.profit[row] = _holding(floor, row, outside)
    bids = _offer_all(floor, epsilon, least)
    for column in range(len(floor.price)):
        if floor.owner[column] < 0:
            floor.price[column] = max(floor.price[column], least)
    return bids


@kernel
def appraise(floor: Floor, outside: float) -> tuple[float, float]:
    """Fill the rows' profits; return the sum of values and its dual bound.

    Parameters
    ----------
    floor : Floor
        No row waits; `profit` is overwritten.
    outside : float
        As for `begin`.
    """
    value, bound = 0.0, 0.0
    for row in range(len(floor.profit)):
        _, best, _ = two_best(floor, row)
        floor.profit[row] = max(best, outside)
        column = floor.chosen[row]
        value += outside if column == len(floor.price) else floor.values[row, column]
        bound += floor.profit[row]
    for column in range(len(floor.price)):
        if floor.owner[column] >= 0:
            bound += floor.price[column]
    return value, bound


@kernel
def _release(floor: Floor, epsilon: float, outside: float) -> None:
    """Let those rows bid again whose holding is not within `epsilon` of their best."""
    for row in range(len(floor.profit)):
        if _holding(floor, row, outside) < floor.profit[row] - epsilon:
            column = floor.chosen[row]
            floor.chosen[row] = -1
            if column < len(floor.price):
                floor.owner[column] = -1


@kernel
def begin(floor: Floor, first: float, outside: float, most: float) -> tuple[int, float, bool]:
    """Bid from small steps on, with larger ones whenever patience runs out.

    Where rows hardly compete, small steps end at once near the optimum; where they do, they would
    raise prices for ever, and the scaling of ε starts where they end.

    Parameters
    ----------
    floor : Floor
        Overwritten.
    first : float
        First bid step ε.
    outside : float
        Value of doing without, −inf where every row has to be served.
    most : float
        Largest raise of a price over the second best, to keep prices finite.

    Returns
    -------
    bids : int
    epsilon : float
        Bid step that ended it.
    complete : bool
        Whether no row waits. If one does, there may be no way to serve all.
    """
    bids, epsilon = 0, first
    patience = PATIENCE * len(floor.chosen)
    while True:
        made = bid_all(floor, epsilon, outside, most, patience)
        bids += made
        if made < patience:
            return bids, epsilon, True
        if epsilon * GROWTH > most:
            return bids, epsilon, False
        epsilon *= GROWTH


@kernel
def finish(
    floor: Floor,
    epsilon: float,
    last: float,
    outside: float,
    most: float,
    wanted: float,
    slack: float,
) -> tuple[float, float, float, int]:
    """Run the auction with falling bid steps until its certificate is good enough.

    Parameters
    ----------
    floor : Floor
        What `begin` left; there has to be a way to serve every row.
    epsilon, last : float
        First and last bid step; each is the one before divided by `SHRINK`.
    outside, most : float
        As for `begin`.
    wanted, slack : float
        Enough is a bound within ``wanted * |bound|`` of the value, or less than `slack` above it.

    Returns
    -------
    value, bound, epsilon : float
        Sum of the values taken, its dual bound, and the bid step that ended it.
    bids : int
    """
    bids = 0
    uneven = outside > -np.inf or floor.values.shape[0] < floor.values.shape[1]
    while True:
        bids += bid_all(floor, epsilon, outside, most, int(ENDLESS))
        if uneven:
            bids += _settle_free_columns(floor, epsilon, outside)
        value, bound = appraise(floor, outside)
        if bound - value <= max(wanted * abs(bound), slack) or epsilon <= last:
            return value, bound, epsilon, bids
        epsilon = max(epsilon / SHRINK, last)
        _release(floor, epsilon, outside)
