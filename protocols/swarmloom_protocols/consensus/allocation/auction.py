"""Auction: rows bid for columns, and the prices prove how good the outcome is.

ε-scaled auction of D. P. Bertsekas ("The auction algorithm: a distributed relaxation method for
the assignment problem", Annals of Operations Research 14, 1988), with the reverse steps that he
and D. A. Castañon added for matrices that are not square. Each bid needs the prices and one row
only, so that the rows may be agents that know nothing of each other's values.
Where few rows are left over, a centre finishes the work by shortest augmenting paths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between
from swarmloom_protocols.consensus.allocation.arguments import matrix_of
from swarmloom_protocols.consensus.allocation.auction_kernels import (
    Floor,
    begin,
    finish,
    new_floor,
    survey,
)
from swarmloom_protocols.consensus.allocation.shortest_paths import settle_early

__all__ = ["AuctionResult", "auction"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Steps below this share of the largest value would drown in rounding.
FINEST = 2.0**-44
# The first bid step as a share of the values' range.
FIRST = 1.0 / 2000.0
# The same where small steps have failed already.
WAR = 1.0 / 16.0
# That of the opening as a share of the range of the values' inner 80 %, of a sample of so many.
OPENING = 1.0 / 5000.0
SAMPLE = 4096
# Pairs from which "auto" takes a GPU. A guess: it has not been measured.
WORTH_A_GPU = 1 << 26


@dataclass(frozen=True, slots=True)
class AuctionResult:
    """An assignment and the prices that bound how far it is from the best one.

    Attributes
    ----------
    assignment : ndarray of int64, shape (n,)
        Column of each row, −1 for none.
    value : float
        Sum of the values assigned, rows left out counting their `reserve`.
    prices : ndarray of float64, shape (m,)
    profit : ndarray of float64, shape (n,)
        Dual variables: ``profit[i] + prices[j] >= values[i, j]`` for every pair. Those of the
        longer side are at least 0 (with a reserve the prices are, and each profit is at least the
        reserve).
    bound : float
        No assignment is worth more: the sum of prices and profits, rounded down where all values
        are whole numbers.
    epsilon : float
        The last bid step; ``bound - value <= n * epsilon``, n being the length of the bidding
        (the shorter) side.
    bids : int
        How many bids it took, not counting a GPU's.
    """

    assignment: IntArray
    value: float
    prices: FloatArray
    profit: FloatArray
    bound: float
    epsilon: float
    bids: int

    @property
    def gap(self) -> float:
        """Proven largest distance to the optimum, relative to the bound."""
        missing = max(self.bound - self.value, 0.0)
        return missing / abs(self.bound) if missing else 0.0


@dataclass(frozen=True, slots=True)
class _Scale:
    """Size of the values, and what follows for the bid steps."""

    spread: float
    last: float
    whole: bool
    full: bool


def auction(
    values: ArrayLike,
    *,
    gap: float = 1e-4,
    reserve: float | None = None,
    device: Device = "auto",
) -> AuctionResult:
    """Assign rows to columns, at most one to one, for a sum within a proven gap of the largest.

    Parameters
    ----------
    values : float64[n, m]
        Value of each column to each row, −inf where not allowed. Copied where it is read-only,
        of another type or not in C order.
    gap : float
        Relative gap between value and dual bound at which to stop. 0 asks for the optimum: proven
        for whole numbers, and for others down to a bid step of 2⁻⁴⁴ of the largest value.
    reserve : float, optional
        What a row is worth that is left without a column; rows then go without rather than take
        less. By default every row gets a column, where there are more rows than columns every
        column a row.
    device : {"auto", "cpu", "cuda"}, optional
        A GPU holds the opening, in which many rows bid at once; the rest is the CPU's. Another
        assignment within the gap may come of it.

    Returns
    -------
    AuctionResult
        `AuctionResult.gap` is what was proven. It exceeds `gap` only where rounding ended it.

    Raises
    ------
    InputError
        Values that are not a matrix of real numbers, NaN, +inf or too large to add; without a
        reserve, values that leave no way to serve the whole shorter side.

    Notes
    -----
    Memory 8·n·m bytes for the values plus about 350·n. A square matrix without a reserve gets one
    round of small bids, then shortest augmenting paths for the rest (Jonker and Volgenant 1987)
    where six rows of ten have their best; other shapes, and wars of prices, get bids of falling
    size, in a time of about n·m·log(range/ε).
    """
    matrix = matrix_of("values", values)
    between("gap", gap, 0.0)
    outside = -np.inf if reserve is None else between("reserve", reserve, -np.inf)
    scale = _scale_of(matrix, outside)
    on_gpu = resolve(device, size=matrix.size, worth=WORTH_A_GPU) == "cuda"
    if reserve is None and matrix.shape[0] > matrix.shape[1]:
        return _turned(_sold(np.ascontiguousarray(matrix.T), scale, gap, outside, on_gpu))
    return _sold(matrix, scale, gap, outside, on_gpu)


def _scale_of(values: FloatArray, outside: float) -> _Scale:
    low, high, finite, whole, bad = survey(values)
    if bad:
        raise InputError("values: NaN or +inf; allowed: finite, or −inf where not allowed")
    if outside > -np.inf:
        low, high = min(low, outside), max(high, outside)
        whole = whole and float(outside).is_integer()
    if not low <= high:
        low = high = 0.0
    spread, most = high - low, max(abs(low), abs(high))
    if not np.isfinite(4.0 * (max(values.shape) + 1.0) * max(spread, most)):
        raise InputError(f"values from {low:g} to {high:g}: too large, their sum must be finite")
    exact = 0.5 / (min(values.shape, default=0) + 1) if whole else 0.0
    last = max(FINEST * most, exact, np.finfo(float).tiny)
    return _Scale(spread or last, last, whole, finite == values.size)


def _sold(
    values: FloatArray, scale: _Scale, gap: float, outside: float, on_gpu: bool
) -> AuctionResult:
    """Hold the auction with the rows as bidders."""
    if min(values.shape) == 0:
        return _nothing(values, outside)
    floor = new_floor(values)
    if on_gpu:
        from swarmloom_protocols.consensus.allocation.auction_cuda import begin_on_gpu

        begin_on_gpu(floor, max(scale.spread * FIRST, scale.last), outside, scale.spread)
    # A whole value less than 1 below its bound is the largest one.
    slack = 1.0 - 1e-6 if scale.whole else 0.0
    bids, figures = 0, None
    if outside == -np.inf and values.shape[0] == values.shape[1]:
        steps = _opening_step(values, scale), scale.last
        bids, settled, *early = settle_early(floor, *steps, scale.spread, gap, slack)
        figures = (early[0], early[1], early[2]) if settled else None
    if figures is None:
        first = max(scale.spread * (WAR if bids else FIRST), scale.last)
        figures, more = _scaled(floor, scale, first, gap, outside, slack)
        bids += more
    value, bound, epsilon = figures
    if scale.whole:
        bound = np.floor(bound + 1e-6)
    # Sums of an optimum's duals may be below its value by rounding.
    return _result(floor, outside, (value, max(bound, value), epsilon), bids)


def _opening_step(values: FloatArray, scale: _Scale) -> float:
    """Return a bid step that suits most of the values, whatever the few largest are."""
    sample = values.ravel()[:: max(1, values.size // SAMPLE)]
    low, high = np.quantile(sample[sample > -np.inf], (0.1, 0.9)) if scale.full else (0.0, 0.0)
    return max(float(high - low or scale.spread) * OPENING, scale.last)


def _scaled(
    floor: Floor, scale: _Scale, first: float, gap: float, outside: float, slack: float
) -> tuple[tuple[float, float, float], int]:
    """Hold the auction with bid steps that grow, then fall; return its figures and its bids."""
    values = floor.values
    bids, epsilon, complete = begin(floor, first, outside, scale.spread)
    served = complete and (floor.chosen < values.shape[1]).all()
    if not (scale.full or served) and outside == -np.inf:
        _check_feasible(values)
    value, bound, epsilon, more = finish(
        floor, epsilon, scale.last, outside, scale.spread, gap, slack
    )
    return (value, bound, epsilon), bids + more


def _result(
    floor: Floor, outside: float, figures: tuple[float, float, float], bids: int
) -> AuctionResult:
    held = floor.chosen < len(floor.price)
    # Prices may all be shifted where every row is served: the free columns' is 0 by convention.
    shift = floor.price.min() if outside == -np.inf else 0.0
    profit = np.maximum(floor.profit, outside) + shift
    assignment = np.where(held, floor.chosen, -1)
    value, bound, epsilon = figures
    return AuctionResult(
        assignment, float(value), floor.price - shift, profit, float(bound), epsilon, bids
    )


def _nothing(values: FloatArray, outside: float) -> AuctionResult:
    n, m = values.shape
    each = outside if outside > -np.inf else 0.0
    return AuctionResult(np.full(n, -1), n * each, np.zeros(m), np.full(n, each), n * each, 0.0, 0)


def _check_feasible(values: FloatArray) -> None:
    matched = maximum_bipartite_matching(csr_array(values > -np.inf), perm_type="column")
    lacking = int((matched < 0).sum())
    if lacking:
        raise InputError(
            f"values: {lacking} of {len(matched)} cannot all be served by what is allowed; allow "
            "more, or pass a reserve to leave some out"
        )


def _turned(result: AuctionResult) -> AuctionResult:
    """Exchange the roles of rows and columns."""
    assignment = np.full(len(result.prices), -1)
    assignment[result.assignment] = np.arange(len(result.assignment))
    return AuctionResult(
        assignment,
        result.value,
        result.profit,
        result.prices,
        result.bound,
        result.epsilon,
        result.bids,
    )
