"""Market prices: everybody takes what is best for it at the prices, and prices follow demand.

Tâtonnement (L. Walras, Éléments d'économie politique pure, 1874) for buyers of one unit and goods
of limited capacity: a price rises with excess demand and falls, to 0 at least, with excess supply.
That is subgradient descent on the dual of the assignment's linear programme (D. P. Bertsekas,
Nonlinear Programming, 1999, section 6.3), so that the prices of any round bound the optimum. Demand
jumps where buyers are indifferent; the market need not clear exactly, and the result says by how
much it does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.consensus.allocation.arguments import matrix_of, units_of

__all__ = ["MarketResult", "market_prices"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MarketResult:
    """Prices, and what they bring about.

    Attributes
    ----------
    prices : ndarray of float64, shape (goods,)
        Those of the round with the lowest bound.
    demand : ndarray of int64, shape (goods,)
        How many buyers want each good at these prices.
    clearing_error : float
        Excess demand, plus excess supply of goods that are not free, as a share of all capacity.
    assignment : ndarray of int64, shape (buyers,)
        Good of each buyer where the eager go first and capacity is kept; −1 for none.
    value : float
        Sum of the values assigned.
    bound : float
        No assignment within the capacities is worth more.
    rounds : int
    """

    prices: FloatArray
    demand: IntArray
    clearing_error: float
    assignment: IntArray
    value: float
    bound: float
    rounds: int


def market_prices(
    values: ArrayLike, capacity: ArrayLike, *, rounds: int = 1000, step: float = 1.0
) -> MarketResult:
    """Find prices at which buyers spread over goods by themselves.

    Parameters
    ----------
    values : float64[buyers, goods]
        Worth of a unit of each good to each buyer, −inf where not allowed. A buyer takes nothing
        rather than pay more than that.
    capacity : int64[goods]
        Units of each good, at least 0.
    rounds : int
        Rounds of price changes.
    step : float
        A first price change as a share of the values' range, for demand twice the mean supply; it
        falls with the square root of the rounds.

    Returns
    -------
    MarketResult

    Raises
    ------
    InputError
        Shapes that do not fit, NaN or +inf, a capacity that is negative or not whole, no round, a
        step of 0.
    """
    worth, room = _checked(values, capacity)
    whole("rounds", rounds, 1)
    finite = worth[np.isfinite(worth)]
    spread = float(np.maximum(finite.max(initial=0.0), 0.0) - min(finite.min(initial=0.0), 0.0))
    scale = positive("step", step) * (spread or 1.0) / max(room.mean() if room.size else 1.0, 1.0)
    prices = best_prices = np.zeros(room.shape[0])
    bound = np.inf
    for number in range(1, rounds + 1):
        demand, surplus = _demand(worth, prices)
        dual = float(surplus.sum() + prices @ room)
        if dual < bound:
            bound, best_prices = dual, prices
        excess = demand - room
        if not np.where(prices > 0.0, excess, np.maximum(excess, 0)).any():
            break
        prices = np.maximum(prices + scale / np.sqrt(number) * excess, 0.0)
    return _outcome(worth, room, best_prices, bound, number)


def _checked(values: ArrayLike, capacity: ArrayLike) -> tuple[FloatArray, IntArray]:
    worth, room = matrix_of("values", values), units_of("capacity", capacity)
    if room.shape != worth.shape[1:]:
        raise InputError(f"values {worth.shape} and capacity {room.shape}: want (b, g) and (g,)")
    if np.isnan(worth).any() or (worth == np.inf).any():
        raise InputError("values: NaN or +inf; allowed: finite, or −inf where not allowed")
    return worth, room


def _demand(worth: FloatArray, prices: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return how many want each good, and what every buyer gains."""
    if worth.shape[1] == 0:
        return np.zeros(0, np.int64), np.zeros(worth.shape[0])
    net = worth - prices
    wanted, surplus = net.argmax(axis=1), net.max(axis=1)
    buys = surplus > 0.0
    return np.bincount(wanted[buys], minlength=len(prices)), np.maximum(surplus, 0.0)


def _outcome(
    worth: FloatArray, room: IntArray, prices: FloatArray, bound: float, rounds: int
) -> MarketResult:
    demand, surplus = _demand(worth, prices)
    excess = demand - room
    missed = np.maximum(excess, 0) + np.where(prices > 0.0, np.maximum(-excess, 0), 0)
    error = float(missed.sum() / max(int(room.sum()), 1))
    assignment, left = np.full(worth.shape[0], -1), room.copy()
    for buyer in np.argsort(-surplus, kind="stable"):
        net = np.where(left > 0, worth[buyer] - prices, -np.inf)
        # Whoever finds its good gone takes the next best that is worth having at all.
        net[worth[buyer] <= 0.0] = -np.inf
        if net.max(initial=-np.inf) > -np.inf:
            assignment[buyer] = net.argmax()
            left[assignment[buyer]] -= 1
    served = np.flatnonzero(assignment >= 0)
    value = float(worth[served, assignment[served]].sum())
    return MarketResult(prices, demand, error, assignment, value, bound, rounds)
