"""Several steps in one sweep through memory, in place (time skewing; Wolf & Lam 1991).

As two rows arrive from memory, two rows one behind them take their first step, two one behind
those their second and so on; those that have taken the last one go back to where they came from.
In between, rows live in rings of four buffers a step, which stay in the second-level cache. Two
rows at a time share what is read and the cost of a start. A value is computed by the same
operations in the same order as in single steps, so it is the same bit by bit.

Threads work on bands of rows. The rows beyond a band's ends are saved before anything is
overwritten, and what these need in between is computed by both neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import BAND_ELEMENTS, MOST_THREADS, map_bands
from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, PERIODIC
from swarmloom_protocols.stigmergy.field.diffusion_kernels import (
    PAD,
    PIECE,
    copy_row,
    fetch_row,
    row_buffers,
    set_ghosts,
    step_two_rows,
)
from swarmloom_protocols.stigmergy.field.in_place_step import step_band

__all__ = ["Sweeper", "steps_per_sweep"]

Field = NDArray[np.float32]
IntArray = NDArray[np.int64]

MOST_STEPS = 8
# Rows of a step that are kept: two that are read and two that are written at a time.
RING = 4
# Bytes that the rings may take of a second-level cache; today's have 1 MB or more.
RING_BYTES = 3 << 18
# Steps of a halo beside a band of this many rows for each of them cost about 3 %.
ROWS_PER_STEP = 32
# Rows between those that are fetched and those that take their first step.
ROWS_AHEAD = 5


def steps_per_sweep(width: int) -> int:
    """Return how many steps' rings of rows the cache has room for.

    Parameters
    ----------
    width : int
        Cells of a row.

    Returns
    -------
    int
        1 to 8.
    """
    return max(1, min(MOST_STEPS, RING_BYTES // (RING * 4 * max(1, width))))


@kernel
def _save_halos(layers: Field, bands: IntArray, periodic: bool, halos: Field) -> None:
    """Copy the rows before and after each band: halos is (bands, 2, steps, X)."""
    height, steps = layers.shape[1], halos.shape[2]
    for i in range(len(bands)):
        layer, start, stop = bands[i]
        for k in range(steps):
            before, after = start - steps + k, stop + k
            if periodic or before >= 0:
                copy_row(layers[layer, before % height], halos[i, 0, k])
            if periodic or after < height:
                copy_row(layers[layer, after % height], halos[i, 1, k])


@kernel
def _row_at(layer: Field, y: int, start: int, stop: int, halo: Field) -> Field:
    """Return a row as it was before the sweep."""
    row: Field
    if y < start:
        row = halo[0, y - start + halo.shape[1]]
    else:
        row = halo[1, y - stop] if y >= stop else layer[y]
    return row


@kernel
def _ring_index(level: int, y: int, height: int, low: int, high: int, zeros: int) -> int:
    """Return the buffer that holds a row after `level` steps, or the one with zeros."""
    if y < 0 and low != PERIODIC:
        return zeros if low == ABSORBING else RING * level
    if y >= height and high != PERIODIC:
        return zeros if high == ABSORBING else RING * level + (height - 1) % RING
    return RING * level + y % RING


@kernel
def _step_pair(
    layer: Field,
    cells: Field,
    y: int,
    valid: tuple[int, int],
    level: int,
    steps: int,
    rates: Field,
    codes: IntArray,
    rings: Field,
) -> None:
    """Take the rows y and y + 1, where they are valid, from `level` − 1 steps to `level`.

    They go into their ring or, at last, into their place; where one of them is not valid, by way
    of two rows of `rings` that are there for it.
    """
    height, width = layer.shape
    low, high, zeros = codes[1, 0], codes[1, 1], RING * steps
    places = (
        _ring_index(level - 1, y - 1, height, low, high, zeros),
        _ring_index(level - 1, y, height, low, high, zeros),
        _ring_index(level - 1, y + 1, height, low, high, zeros),
        _ring_index(level - 1, y + 2, height, low, high, zeros),
    )
    ahead = (y + ROWS_AHEAD) * width if level == 1 else -1
    both = valid[0] <= y and y + 1 < valid[1]
    rows = zeros + 1, zeros + 2
    if both and level == steps:
        step_two_rows(rings, places, width, rates, layer, y, y + 1, 0, cells, ahead)
        return
    if both:
        rows = RING * level + y % RING, RING * level + (y + 1) % RING
    step_two_rows(rings, places, width, rates, rings, rows[0], rows[1], PAD, cells, ahead)
    for k in range(2):
        if valid[0] <= y + k < valid[1]:
            ring = RING * level + (y + k) % RING
            if not both:
                target = layer[y + k] if level == steps else rings[ring, PAD:]
                copy_row(rings[rows[k], PAD : PAD + width], target)
            if level < steps:
                set_ghosts(rings, ring, width, codes[2, 0], codes[2, 1])


@kernel
def _sweep_band(
    layer: Field,
    start: int,
    stop: int,
    steps: int,
    rates: Field,
    codes: IntArray,
    halo: Field,
    rings: Field,
) -> None:
    """Take all steps of the rows start to stop of a layer, in place."""
    height, periodic = len(layer), codes[1, 0] == PERIODIC
    cells = layer.reshape(layer.size)
    first = start - steps if periodic else max(0, start - steps)
    end = stop + steps if periodic else min(height, stop + steps)
    for wave in range(start - steps, stop + steps, 2):
        for arriving in range(max(first, wave), min(wave + 2, end)):
            row = _row_at(layer, arriving, start, stop, halo)
            fetch_row(row, codes[2, 0], codes[2, 1], rings[arriving % RING])
        for level in range(1, steps + 1):
            y, margin = wave - level, steps - level
            valid = max(first, start - margin), min(end, stop + margin)
            if y + 1 >= valid[0] and y < valid[1]:
                _step_pair(layer, cells, y, valid, level, steps, rates, codes, rings)


@kernel
def _sweep_bands(
    layers: Field,
    bands: IntArray,
    steps: int,
    rates: Field,
    codes: IntArray,
    halos: Field,
    rings: Field,
) -> None:
    layers_per_plane = len(layers) // len(rates)
    for i in range(len(bands)):
        layer, start, stop = bands[i]
        plane = rates[layer // layers_per_plane]
        if steps == 1 and layers.shape[2] >= PIECE:
            step_band(layers[layer], start, stop, plane, codes, halos[i], rings)
        else:
            _sweep_band(layers[layer], start, stop, steps, plane, codes, halos[i], rings)


@kernel
def _sweep_often(
    layers: Field,
    bands: IntArray,
    steps: int,
    sweeps: int,
    rates: Field,
    codes: IntArray,
    halos: Field,
    rings: Field,
) -> None:
    for _ in range(sweeps):
        _save_halos(layers, bands, codes[1, 0] == PERIODIC, halos)
        _sweep_bands(layers, bands, steps, rates, codes, halos, rings)


def _cut(n_layers: int, height: int, rows: int) -> IntArray:
    """Return layer, first and end row of bands of at most `rows` rows."""
    starts = np.arange(0, height, rows)
    one = np.stack([starts, np.minimum(starts + rows, height)], axis=1)
    layer = np.repeat(np.arange(n_layers), len(one))
    return np.column_stack([layer, np.tile(one, (n_layers, 1))]).astype(np.int64)


class Sweeper:
    """Takes steps along y and x of fields of one shape; keeps the bands and buffers for it.

    Parameters
    ----------
    shape : (int, int, int, int)
        Planes, Z, Y and X of the fields, none of them 0. Nothing flows along z.
    steps : int
        Steps in a sweep, at least 1; best at most `steps_per_sweep`.
    """

    def __init__(self, shape: tuple[int, ...], steps: int) -> None:
        planes, depth, height, width = shape
        self._steps, self._width = steps, width
        rows = max(BAND_ELEMENTS // width, height // MOST_THREADS, ROWS_PER_STEP * steps)
        self._rows = min(height, rows)
        self._bands = _cut(planes * depth, height, self._rows)
        self._halos = np.empty((len(self._bands), 2, steps, width), np.float32)
        # A ring a step, a row of zeros, and two for what may not be written to its place.
        self._buffers = RING * steps + 3, width
        # Buffers that no thread works in: making new ones for each band would cost page faults.
        self._spare = [row_buffers(*self._buffers)]

    def run(self, field: Field, rates: Field, codes: IntArray, sweeps: int) -> None:
        """Take sweeps, in place.

        Parameters
        ----------
        field : ndarray of float32, shape (planes, Z, Y, X)
            Overwritten.
        rates : ndarray of float32, shape (planes, 4)
            Share lost in a step, then D·dt/h² of z (not read), y and x.
        codes : ndarray of int64, shape (3, 2)
            As `boundary_codes` gives them.
        sweeps : int
            At least 0.
        """
        layers = field.reshape(-1, *field.shape[2:])
        if field.size <= BAND_ELEMENTS:
            self._run_at_once(layers, rates, codes, sweeps)
            return
        for _ in range(sweeps):
            self._run_over_threads(layers, rates, codes)

    def _run_at_once(self, layers: Field, rates: Field, codes: IntArray, sweeps: int) -> None:
        rings = self._borrow()
        arrays = rates, codes, self._halos, rings
        _sweep_often(layers, self._bands, self._steps, sweeps, *arrays)
        self._spare.append(rings)

    def _run_over_threads(self, layers: Field, rates: Field, codes: IntArray) -> None:
        _save_halos(layers, self._bands, codes[1, 0] == PERIODIC, self._halos)

        def some(start: int, stop: int) -> None:
            part, rings = slice(start, stop), self._borrow()
            arrays = rates, codes, self._halos[part], rings
            _sweep_bands(layers, self._bands[part], self._steps, *arrays)
            self._spare.append(rings)

        map_bands(some, len(self._bands), self._rows * self._width)

    def _borrow(self) -> Field:
        """Return buffers, their row of zeros untouched, to be given back to `_spare`."""
        try:
            return self._spare.pop()
        except IndexError:
            return row_buffers(*self._buffers)
