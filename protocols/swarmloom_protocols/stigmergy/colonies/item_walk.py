"""Recommendation by a pheromone walk: what users visited is the trail that others follow.

A walker sets out at a user, goes to one of the user's items, on to a user of that item, and to one
of that user's items; where it ends is recommended, less for items that everybody visits. With
weights of 1 this is RP3β (Christoffel, Paudel, Newell & Bernstein 2015, "Blockbusters and
wallflowers", RecSys; Paudel et al. 2017, "Updatable, accurate, diverse, and scalable
recommendations for interactive applications", ACM TiiS 7(1)), computed exactly instead of by
sampled walks. Visits may evaporate with their age.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array, diags_array

from swarmloom.device import Device
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.stigmergy.decay_kernels import decayed

__all__ = ["item_walk", "top_items", "visits"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NONE = -1


def visits(
    users: ArrayLike,
    items: ArrayLike,
    shape: tuple[int, int],
    *,
    times: ArrayLike | None = None,
    now: float | None = None,
    half_life: float | None = None,
    device: Device = "auto",
) -> csr_array[np.float64]:
    """Lay the trail: one mark for each visit, less for an old one.

    Parameters
    ----------
    users, items : array-like of int, shape (visits,)
        Rows and columns; a repeated visit adds up.
    shape : (int, int)
        Users and items.
    times : array-like of float, shape (visits,), optional
        When each visit was; needed with a half-life. Later than `now` counts as now.
    now : float, optional
        Time at which the trail is read; the last visit's by default.
    half_life : float, optional
        Time after which a mark is worth half; marks stay by default.
    device : {"auto", "cpu", "cuda"}, optional
        Where marks are decayed.

    Returns
    -------
    csr_array of float64, shape `shape`

    Raises
    ------
    InputError
        An argument is not as said.
    """
    height, width = (whole("shape", side, 0) for side in shape)
    rows, columns = _rows("users", users, height), _rows("items", items, width)
    if rows.shape != columns.shape:
        raise InputError(f"users: shape {rows.shape} differs from {columns.shape} of items")
    marks = _marks(rows.size, times, now, half_life, device)
    trail = coo_array((marks, (rows, columns)), shape=(height, width)).tocsr()
    # A mark so old that nothing is left of it is none.
    trail.eliminate_zeros()
    return trail


def item_walk(
    trail: csr_array[Any], users: ArrayLike | None = None, *, damping: float = 0.5
) -> Floats:
    """Score items by where walks user → item → user → item end.

    Parameters
    ----------
    trail : sparse array, shape (users, items)
        Weights ≥ 0 of the visits, as `visits` makes them.
    users : array-like of int, optional
        Whom to score for; all by default.
    damping : float, optional
        β in [0, 2]: the chance of an item is divided by the β-th power of its marks. 0 leaves
        the popular their lead, 1 takes it from them.

    Returns
    -------
    ndarray of float64, shape (len(users), items)
        0 for what no walk reaches, also for all items of users and at items without visits. What a
        user has visited is scored too; `top_items` leaves it out.

    Raises
    ------
    InputError
        An argument is not as said.
    """
    between("damping", damping, 0.0, 2.0)
    marks = _trail(trail)
    wanted = np.arange(marks.shape[0]) if users is None else _rows("users", users, marks.shape[0])
    to_items = _stochastic(marks)
    to_users = _stochastic(marks.T.tocsr())
    walks = (to_items[wanted] @ to_users @ to_items).toarray()
    popularity: Floats = marks.sum(axis=0)
    damped: Floats = walks * np.power(popularity, -damping, where=popularity > 0.0, out=popularity)
    return damped


def top_items(scores: ArrayLike, seen: csr_array[Any], count: int) -> Ints:
    """Return the items of the highest scores that each user has not seen.

    Parameters
    ----------
    scores : array-like of float, shape (users, items)
    seen : sparse array, shape (users, items)
        What is not 0 is left out.
    count : int
        Items for each user, at least 1.

    Returns
    -------
    ndarray of int64, shape (users, min(count, items))
        Best first, the first of equals; −1 where no further item has a score above 0.

    Raises
    ------
    InputError
        Shapes differ, or `count` is below 1.
    """
    left = np.array(scores, np.float64)
    count = whole("count", count, 1)
    if left.shape != seen.shape:
        raise InputError(f"scores: shape {left.shape}; allowed: that of seen, {seen.shape}")
    left[seen.nonzero()] = 0.0
    order = np.argsort(-left, axis=1, kind="stable")[:, :count].astype(np.int64)
    return np.where(np.take_along_axis(left, order, axis=1) > 0.0, order, NONE)


def _stochastic(marks: csr_array[np.float64]) -> csr_array[np.float64]:
    """Divide each row by its sum; rows without marks stay empty."""
    totals: Floats = marks.sum(axis=1)
    shares = np.divide(1.0, totals, where=totals > 0.0, out=np.zeros_like(totals))
    return (diags_array(shares) @ marks).tocsr()


def _marks(
    count: int,
    times: ArrayLike | None,
    now: float | None,
    half_life: float | None,
    device: Device,
) -> Floats:
    if half_life is None:
        return np.ones(count)
    moments = np.asarray(() if times is None else times, np.float64)
    if moments.shape != (count,):
        raise InputError(f"times: shape {moments.shape}; a half-life needs ({count},)")
    if not np.isfinite(moments).all():
        raise InputError("times: allowed: finite")
    reading = float(moments.max(initial=-math.inf)) if now is None else now
    if not count:
        return np.empty(0)
    return decayed(np.ones(count), moments, reading, half_life, device).astype(np.float64)


def _rows(name: str, values: ArrayLike, limit: int) -> Ints:
    rows = np.asarray(values)
    if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
        raise InputError(f"{name}: shape {rows.shape} of {rows.dtype}; allowed: a row of int")
    if rows.size and not (rows.min() >= 0 and rows.max() < limit):
        raise InputError(f"{name}: {rows.min()} to {rows.max()}; allowed: 0 to {limit - 1}")
    return rows.astype(np.int64)


def _trail(trail: csr_array[Any]) -> csr_array[np.float64]:
    marks: csr_array[np.float64] = csr_array(trail).astype(np.float64)
    if marks.ndim != 2 or not (np.isfinite(marks.data) & (marks.data >= 0.0)).all():
        raise InputError("trail: allowed: users × items of finite weights, at least 0")
    return marks
