"""Deposits that add up exactly, in any order, at a cost that does not depend on the grid's size.

Floating-point sums depend on their order, and threads and atomic additions of a GPU have none. So
the amounts of a batch are turned into whole numbers of one quantum, a power of two so small that
the batch's total fits into 62 bits; whole numbers add up to the same sum in any order. Each cell's
sum is then added to its float32 value once, rounded once. Amounts down to 2⁻¹⁸ of the batch's
largest keep all 24 bits of a float32 in a batch of a million; smaller ones are a batch of their
own, with a smaller quantum. Which are smaller depends on the amounts and not on their order.

Only cells that are deposited into are touched: the accumulator of the size of the grid is taken
from the system zeroed, is written where deposits fall, and is left zeroed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import PERIODIC
from swarmloom_protocols.stigmergy.field.chemistry_grids import LARGEST_AMOUNT

__all__ = [
    "accumulator",
    "add_deposits",
    "by_magnitude",
    "cells_at",
    "checked_amounts",
    "deposited",
    "quantum",
    "raised",
    "whole_quanta",
]

IntArray = NDArray[np.int64]
Float64Array = NDArray[np.float64]

# A sum of a batch stays below 2^62: one bit for the sign and one against rounding.
SUM_BITS = 62
# Of a float32.
SIGNIFICANT_BITS = 24
# Still a normal double, and far below what a field keeps.
SMALLEST_EXPONENT = -200


@kernel
def cell_along(position: float, size: int, periodic: bool) -> int:
    """Return the cell of a coordinate, or -1 outside; cell i covers [i − ½, i + ½)."""
    if periodic and size > 0:
        position = position % size
    cell = np.floor(position + 0.5)
    if periodic and cell >= size:
        cell -= size
    # NaN fails the comparison too.
    return int(cell) if 0.0 <= cell < size else -1


@kernel
def _find_cells(
    positions: Float64Array, sizes: IntArray, periodic: NDArray[np.bool_], cells: IntArray
) -> int:
    """Write the flat cell of each position; return the first one that lies outside, or -1."""
    for i in range(cells.size):
        flat = 0
        for axis in range(sizes.size):
            cell = cell_along(positions[i, axis], sizes[axis], periodic[axis])
            if cell < 0:
                return i
            flat = flat * sizes[axis] + cell
        cells[i] = flat
    return -1


def cells_at(positions: ArrayLike, shape: tuple[int, ...], codes: IntArray) -> IntArray:
    """Return the flat cell index of each position.

    Parameters
    ----------
    positions : array-like of float, shape (k, len(shape))
        In cells, axes in the order of `shape`; cell i covers [i − ½, i + ½). Coordinates along a
        periodic axis are taken modulo its size.
    shape : tuple of int
        Cells of a layer along each axis.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them; the last axes are used.

    Returns
    -------
    ndarray of int64, shape (k,)
        Row-major indices.

    Raises
    ------
    InputError
        A position is NaN, infinite or outside the grid; the message names the first.
    """
    points = np.ascontiguousarray(positions, np.float64)
    if points.ndim != 2 or points.shape[1] != len(shape):
        raise InputError(f"positions: shape {points.shape} is not (k, {len(shape)})")
    cells = np.empty(len(points), np.int64)
    periodic = np.ascontiguousarray(codes[3 - len(shape) :, 0] == PERIODIC)
    bad = _find_cells(points, np.array(shape, np.int64), periodic, cells)
    if bad >= 0:
        ranges = " × ".join(f"[-0.5, {size - 0.5})" for size in shape)
        raise InputError(f"positions: {points[bad].tolist()} (row {bad}) is not within {ranges}")
    return cells


def checked_amounts(amounts: ArrayLike, count: int) -> Float64Array:
    """Return amounts, one for each of `count` deposits, or raise.

    Parameters
    ----------
    amounts : array-like of float
        One for all or `count` of them; 0 to `LARGEST_AMOUNT`.
    count : int
        Number of deposits.

    Returns
    -------
    ndarray of float64, shape (count,)

    Raises
    ------
    InputError
        There are more or fewer, or one is NaN, infinite, negative or too large.
    """
    given = np.asarray(amounts, np.float64)
    if given.shape not in ((), (1,), (count,)):
        raise InputError(f"amounts: shape {given.shape} is neither () nor ({count},)")
    # A comparison with NaN is false.
    good = (given >= 0.0) & (given <= LARGEST_AMOUNT)
    if not good.all():
        bad = float(given[~good].reshape(-1)[0])
        raise InputError(f"amounts: {bad} is not finite and within 0 to {LARGEST_AMOUNT:g}")
    return np.array(np.broadcast_to(given, (count,)))


def quantum(amounts: Float64Array) -> float:
    """Return the power of two whose multiples a batch is rounded to.

    Parameters
    ----------
    amounts : ndarray of float64
        Finite and at least 0.

    Returns
    -------
    float
        So small that the sum of all amounts is below 2⁶² of it.
    """
    largest = float(amounts.max(initial=0.0))
    if largest == 0.0:
        return 1.0
    exponent = math.frexp(largest)[1] + amounts.size.bit_length() - SUM_BITS
    return math.ldexp(1.0, max(exponent, SMALLEST_EXPONENT))


def by_magnitude(
    cells: IntArray, amounts: Float64Array
) -> Iterator[tuple[IntArray, Float64Array, float]]:
    """Split a batch so that no amount loses bits beside one that is much larger.

    Parameters
    ----------
    cells : ndarray of int64, shape (k,)
    amounts : ndarray of float64, shape (k,)
        Finite and at least 0.

    Yields
    ------
    (ndarray of int64, ndarray of float64, float)
        Cells, amounts and the quantum of a part, larger amounts first; most batches are one part.
    """
    while amounts.size:
        unit = quantum(amounts)
        least = unit * 2.0**SIGNIFICANT_BITS if unit > math.ldexp(1.0, SMALLEST_EXPONENT) else 0.0
        apart = (amounts < least) & (amounts > 0.0)
        if not apart.any():
            yield cells, amounts, unit
            return
        yield cells[~apart], amounts[~apart], unit
        cells, amounts = cells[apart], amounts[apart]


def accumulator(n_cells: int) -> IntArray:
    """Return zeros for `add_deposits`; the system gives memory only to what is written."""
    return np.zeros(n_cells, np.int64)


def whole_quanta(amounts: Float64Array, unit: float) -> IntArray:
    """Return amounts as whole numbers of quanta, rounded half to even.

    Parameters
    ----------
    amounts : ndarray of float64, shape (k,)
    unit : float
        The quantum.

    Returns
    -------
    ndarray of int64, shape (k,)
    """
    return np.rint(amounts / unit).astype(np.int64)


@kernel
def raised(value: Any, quanta: int, unit: float) -> Any:
    """Return a cell's value with the quanta added, rounded once."""
    return np.float32(np.float64(value) + quanta * unit)


@kernel
def _accumulate(cells: IntArray, added: IntArray, quanta: IntArray) -> None:
    for i in range(cells.size):
        quanta[cells[i]] += added[i]


@kernel
def _settle(cells: IntArray, unit: float, quanta: IntArray, values: NDArray[np.float32]) -> None:
    for i in range(cells.size):
        cell = cells[i]
        values[cell] = raised(values[cell], quanta[cell], unit)
        quanta[cell] = 0


def add_deposits(
    values: NDArray[np.float32], quanta: IntArray, cells: IntArray, amounts: Float64Array
) -> None:
    """Add deposits to cells in place, on the CPU.

    Parameters
    ----------
    values : ndarray of float32, shape (n,)
        Changed at `cells` alone.
    quanta : ndarray of int64, shape (n,)
        Of `accumulator`: zeros before and after.
    cells : ndarray of int64, shape (k,)
        Indices into `values`, repeated as it comes.
    amounts : ndarray of float64, shape (k,)
        Finite and at least 0.
    """
    for where, added, unit in by_magnitude(cells, amounts):
        _accumulate(where, whole_quanta(added, unit), quanta)
        _settle(where, unit, quanta, values)


def deposited(
    values: ArrayLike, cells: ArrayLike, amounts: ArrayLike, *, device: Device = "auto"
) -> NDArray[np.float32]:
    """Return values with deposits added.

    Parameters
    ----------
    values : array-like of float32
        Of any shape.
    cells : array-like of int, shape (k,)
        Row-major indices into `values`, repeated as it comes.
    amounts : array-like of float, shape (k,) or ()
        Finite and at least 0.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; bit for bit the same.

    Returns
    -------
    ndarray of float32, shape of `values`

    Raises
    ------
    InputError
        A cell does not exist, or an amount is not finite or negative.
    """
    result = np.array(values, np.float32, order="C")
    where = np.ascontiguousarray(cells, np.int64)
    if where.size and not (where.min() >= 0 and where.max() < result.size):
        raise InputError(f"cells: not all are within 0 to {result.size - 1}")
    added = checked_amounts(amounts, where.size)
    if resolve(device, size=where.size) == "cuda":
        from swarmloom_protocols.stigmergy.field.deposits_cuda import add_deposits_on_gpu

        add_deposits_on_gpu(result.reshape(-1), where, added)
    else:
        add_deposits(result.reshape(-1), accumulator(result.size), where, added)
    return result
