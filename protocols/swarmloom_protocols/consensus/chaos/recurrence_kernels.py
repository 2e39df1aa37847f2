"""Line lengths of a recurrence plot from a grid search, without the plot.

Row i of the plot is a bitmap of N bits, filled by a search over the cells around point i. Lines are
read off words of 64 bits where a bit differs from its neighbour: to the row above (columns), to the
row above moved by one (diagonals), to the bit before (rows). The work is that of the neighbours
found, O(N + R), plus N²/128 words for the bitmaps; the memory is O(N).

All words and masks are np.uint64: mixed with Python's integers they would silently become floats.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["Grid", "auto_lines", "cell_numbers", "cell_order", "cross_lines", "near"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
WordArray = NDArray[np.uint64]

ONE = np.uint64(1)
NONE = np.uint64(0)
WORD = np.uint64(6)
IN_WORD = np.uint64(63)
TOP = np.uint64(63)
# Leiserson, Prokop & Randall, "Using de Bruijn sequences to index a 1 in a computer word" (1998).
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
DE_BRUIJN_SHIFT = np.uint64(58)
POSITIONS = np.zeros(64, np.int64)
for _position in range(64):
    POSITIONS[(int(DE_BRUIJN) << _position & (1 << 64) - 1) >> 58] = _position


class Grid(NamedTuple):
    """Points sorted by cell, and by time within.

    Attributes
    ----------
    points : float64[N, D]
        Coordinates, D ≥ 3; the cells are of the first three axes.
    times : int64[N]
        The row of each point.
    begins : int64[C + 1]
        Where each cell begins, in row-major order of the cells.
    counts : int64[3]
        Cells along each axis.
    """

    points: FloatArray
    times: IntArray
    begins: IntArray
    counts: IntArray


@kernel
def _lowest(word: np.uint64) -> int:
    """Return the place of the lowest set bit."""
    return int(POSITIONS[((word & (~word + ONE)) * DE_BRUIJN) >> DE_BRUIJN_SHIFT])


@kernel
def near(first: FloatArray, second: FloatArray, radius: float, euclidean: bool) -> bool:
    """Tell whether two points are within the radius, in the maximum or the Euclidean norm."""
    total, most = 0.0, 0.0
    for axis in range(first.size):
        apart = abs(first[axis] - second[axis])
        total += apart * apart
        most = max(most, apart)
    return total <= radius * radius if euclidean else most <= radius


@kernel
def cell_numbers(
    points: FloatArray, low: FloatArray, sides: FloatArray, counts: IntArray
) -> IntArray:
    """Return the cell of every point on the first three axes, shape (N,), in row-major order."""
    cells = np.empty(points.shape[0], np.int64)
    for i in range(points.shape[0]):
        cell = 0
        for axis in range(3):
            place = (points[i, axis] - low[axis]) / sides[axis]
            cell = cell * counts[axis] + int(min(max(place, 0.0), counts[axis] - 1.0))
        cells[i] = cell
    return cells


@kernel
def cell_order(cells: IntArray, n_cells: int) -> tuple[IntArray, IntArray]:
    """Sort points by cell, and by time within; return where cells begin (C + 1) and the order."""
    begins = np.zeros(n_cells + 1, np.int64)
    for i in range(cells.size):
        begins[cells[i] + 1] += 1
    for cell in range(n_cells):
        begins[cell + 1] += begins[cell]
    order, filled = np.empty(cells.size, np.int64), begins[:-1].copy()
    for i in range(cells.size):
        order[filled[cells[i]]] = i
        filled[cells[i]] += 1
    return begins, order


@kernel
def _mark_cell(
    grid: Grid,
    first: int,
    end: int,
    point: FloatArray,
    earliest: int,
    reach: tuple[float, bool, bool],
    bits: WordArray,
) -> int:
    """Set the bits of a cell's points that are near; return how many.

    Without a branch: whether a point is within reach is what no processor can foretell.
    """
    radius, euclidean, exact = reach
    x, y, z = point[0], point[1], point[2]
    found = 0
    for k in range(first, end):
        inside = (abs(grid.points[k, 0] - x) <= radius) & (abs(grid.points[k, 1] - y) <= radius)
        inside &= (abs(grid.points[k, 2] - z) <= radius) & (grid.times[k] >= earliest)
        if not exact and inside:
            inside = near(grid.points[k], point, radius, euclidean)
        time = np.uint64(grid.times[k])
        bits[time >> WORD] |= np.uint64(inside) << (time & IN_WORD)
        found += int(inside)
    return found


@kernel
def _mark_row(
    cell: int,
    grid: Grid,
    heads: IntArray,
    point: FloatArray,
    earliest: int,
    reach: tuple[float, bool, bool],
    bits: WordArray,
) -> int:
    """Set the bits of all points near one, searching its cell and those around; return how many."""
    counts = grid.counts
    x, y, z = cell // (counts[1] * counts[2]), cell // counts[2] % counts[1], cell % counts[2]
    found = 0
    for other_x in range(max(x - 1, 0), min(x + 2, counts[0])):
        for other_y in range(max(y - 1, 0), min(y + 2, counts[1])):
            for other_z in range(max(z - 1, 0), min(z + 2, counts[2])):
                other = (other_x * counts[1] + other_y) * counts[2] + other_z
                end = grid.begins[other + 1]
                found += _mark_cell(grid, heads[other], end, point, earliest, reach, bits)
    return found


@kernel
def _read_changes(
    changed: np.uint64, word: np.uint64, base: int, row: int, starts: IntArray, lengths: IntArray
) -> None:
    """Begin and end the lines whose bits have changed since the row above."""
    while changed != NONE:
        place = _lowest(changed)
        line = base + place
        if (word >> np.uint64(place)) & ONE != NONE:
            starts[line] = row
        else:
            lengths[row - starts[line]] += 1
        changed &= changed - ONE


@kernel
def _read_runs(changed: np.uint64, base: int, start: int, lengths: IntArray) -> int:
    """Follow the runs along a row through one word; return where an open one began, −1 if none."""
    while changed != NONE:
        place = base + _lowest(changed)
        if start < 0:
            start = place
        else:
            lengths[place - start] += 1
            start = -1
        changed &= changed - ONE
    return start


@kernel
def _read_row(
    row: int,
    theiler: int,
    bits: WordArray,
    above: WordArray,
    starts: tuple[IntArray, IntArray],
    lengths: tuple[IntArray, IntArray],
) -> None:
    """Read the lines that begin and end at a row of the upper half, and move it to `above`.

    By symmetry what is right of the main diagonal in row i is what is below it in column i: the
    column's run through the rows above goes on through the row.
    """
    first, here = row // 64, ONE << (np.uint64(row) & IN_WORD)
    right = ~(here | (here - ONE))
    start = starts[1][row] if above[first] & here != NONE else -1
    if theiler > 0 and start >= 0:
        lengths[1][row - start] += 1
    # The main diagonal joins both halves where it counts, and else parts them.
    joint = here if theiler == 0 else NONE
    start = -1 if theiler > 0 else row if start < 0 else start
    carry_above, carry_row = NONE, NONE
    for w in range(first, bits.size):
        word, before = bits[w], above[w]
        # Nothing begins or ends here; the first word is looked at whatever is in it.
        if w > first and word | before | carry_above | carry_row == NONE:
            continue
        along = word | joint
        diagonal = word ^ ((before << ONE) | carry_above)
        run = (along ^ ((along << ONE) | carry_row)) & right
        column = (word ^ before) & right
        _read_changes(diagonal, word, 64 * w - row, row, starts[0], lengths[0])
        start = _read_runs(run, 64 * w, start, lengths[1])
        _read_changes(column, word, 64 * w, row, starts[1], lengths[1])
        carry_above, carry_row = before >> TOP, along >> TOP
        above[w], bits[w] = word, NONE
        joint, right = NONE, ~NONE


@kernel
def auto_lines(
    grid: Grid,
    points: FloatArray,
    cells: IntArray,
    reach: tuple[float, bool, bool],
    theiler: int,
    diagonals: IntArray,
    verticals: IntArray,
) -> int:
    """Count the lines of the plot of a series against itself; return the pairs i < j within reach.

    Parameters
    ----------
    grid : Grid
        The points by cell.
    points : float64[N, D]
        In the order of time.
    cells : int64[N]
        The cell of each.
    reach : (float, bool, bool)
        Radius, whether in the Euclidean norm, and whether the first three axes tell all.
    theiler : int
        Pairs with j − i below this are no recurrences; with 0 the main diagonal counts in columns.
    diagonals : int64[N + 1]
        Raised by the number of lines of each length above the main diagonal.
    verticals : int64[N + 1]
        Likewise for the vertical lines of the whole plot.
    """
    n, pairs = cells.size, 0
    bits, above = np.zeros(n // 64 + 1, np.uint64), np.zeros(n // 64 + 1, np.uint64)
    starts = np.zeros(n + 64, np.int64), np.zeros(n + 64, np.int64)
    heads = grid.begins[:-1].copy()
    for i in range(n):
        heads[cells[i]] += 1
        pairs += _mark_row(cells[i], grid, heads, points[i], i + theiler, reach, bits)
        _read_row(i, theiler, bits, above, starts, (diagonals, verticals))
    return pairs


@kernel
def cross_lines(
    grid: Grid,
    points: FloatArray,
    cells: IntArray,
    reach: tuple[float, bool, bool],
    diagonals: IntArray,
    verticals: IntArray,
) -> int:
    """Count the lines of the plot of `points` (N rows) against those of the grid (M columns).

    As `auto_lines`, but for all pairs; the vertical lines are those of one row of `points`, along
    the time of the other series. Returns the recurrences.
    """
    n, m, found = cells.size, grid.times.size, 0
    bits, above = np.zeros(m // 64 + 1, np.uint64), np.zeros(m // 64 + 1, np.uint64)
    starts = np.zeros(n + m + 64, np.int64)
    for i in range(n + 1):
        # The row behind the last is empty and ends what is open.
        if i < n:
            found += _mark_row(cells[i], grid, grid.begins, points[i], 0, reach, bits)
        start, carry_above, carry_row = -1, NONE, NONE
        for w in range(bits.size):
            word, before = bits[w], above[w]
            if word | before | carry_above | carry_row == NONE:
                continue
            diagonal = word ^ ((before << ONE) | carry_above)
            run = word ^ ((word << ONE) | carry_row)
            _read_changes(diagonal, word, 64 * w - i + n, i, starts, diagonals)
            start = _read_runs(run, 64 * w, start, verticals)
            carry_above, carry_row = before >> TOP, word >> TOP
            above[w], bits[w] = word, NONE
    return found
