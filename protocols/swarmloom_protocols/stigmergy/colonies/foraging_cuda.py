"""CUDA kernels of `swarmloom_protocols.stigmergy.colonies.foraging`: a thread an ant or a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom.random_streams32 import words32
from swarmloom_protocols.stigmergy.colonies.foraging_kernels import (
    CARRYING,
    NOBODY,
    TRAIL,
    move_ant,
    settle_ant,
    spread_cell,
)

if TYPE_CHECKING:
    from swarmloom_protocols.stigmergy.colonies.foraging import Worlds

__all__ = ["move", "run", "settle", "spread"]

cuda = numba_cuda()

Ints = NDArray[np.int32]
Float32s = NDArray[np.float32]


@kernel(
    "void(float32[:, :, ::1], int32[:, :, ::1], int64[:, ::1], int64, float32[:, :, :, ::1], int64,"
    " int32[:, ::1], int32[:, ::1], int32[:, ::1], float32[::1], float32[:, ::1], float32[::1],"
    " float32[::1], int64, int64)"
)
def move(
    places: Float32s,
    ants: Ints,
    cells: NDArray[np.int64],
    strategy: int,
    trails: Float32s,
    parity: int,
    food: Ints,
    marks: Ints,
    claims: Ints,
    nest: Float32s,
    table: Float32s,
    numbers: Float32s,
    law: Float32s,
    seed: int,
    step: int,
) -> None:
    """Move one ant; mark its cell or claim an item of it."""
    stream = cuda.grid(1)
    n_ants = ants.shape[1]
    if stream >= len(ants) * n_ants:
        return
    world, i = stream // n_ants, stream % n_ants
    first, second = words32(seed, stream, step)
    cell = move_ant(
        i,
        places[world],
        ants[world],
        strategy,
        trails[world, parity],
        nest,
        table,
        numbers,
        law,
        first,
        second,
    )
    cells[world, i] = cell
    if ants[world, i, CARRYING]:
        cuda.atomic.add(marks, (world, cell), 1)
    elif food[world, cell] > 0:
        cuda.atomic.min(claims, (world, cell), i)


@kernel(
    "void(float32[:, :, ::1], int32[:, :, ::1], int64[:, ::1], int32[:, ::1], int32[:, ::1],"
    " float32[::1], int64, int64, int32[:, ::1])"
)
def settle(
    places: Float32s,
    ants: Ints,
    cells: NDArray[np.int64],
    food: Ints,
    claims: Ints,
    nest: Float32s,
    seed: int,
    step: int,
    delivered: Ints,
) -> None:
    """Let one ant take what it claimed or deliver what it carries."""
    stream = cuda.grid(1)
    n_ants = ants.shape[1]
    if stream >= len(ants) * n_ants:
        return
    world, i = stream // n_ants, stream % n_ants
    items = settle_ant(
        i,
        places[world],
        ants[world],
        cells[world, i],
        food[world],
        claims[world],
        nest,
        seed,
        stream,
        step,
    )
    if items:
        cuda.atomic.add(delivered, (world, step), items)


@kernel("void(float32[:, :, :, ::1], int64, int32[:, ::1], int32[:, ::1], boolean, float32[::1])")
def spread(
    trails: Float32s, parity: int, marks: Ints, claims: Ints, marking: bool, chemistry: Float32s
) -> None:
    """Bring one cell's trail to the next step and clear its marks and claims."""
    item = cuda.grid(1)
    worlds, _, height, width = trails.shape
    if item >= worlds * height * width:
        return
    world, cell = item // (height * width), item % (height * width)
    row, column = cell // width, cell % width
    if marking:
        value = spread_cell(trails[world, parity], row, column, chemistry)
        added = np.float32(marks[world, cell]) * chemistry[2]
        trails[world, 1 - parity, row, column] = value + added
    marks[world, cell] = 0
    claims[world, cell] = NOBODY


def run(worlds: Worlds) -> None:
    """Run all worlds together; `worlds` holds their end afterwards."""
    on_gpu: dict[str, Any] = {
        name: cuda.to_device(value)
        for name in worlds.__slots__
        if isinstance(value := getattr(worlds, name), np.ndarray)
    }
    marking = bool(worlds.strategy == TRAIL)
    for step in range(worlds.delivered.shape[1]):
        _launch(worlds, on_gpu, step, step % 2 if marking else 0, marking)
    for name in ("places", "ants", "trails", "food", "delivered"):
        on_gpu[name].copy_to_host(getattr(worlds, name))
    if marking and worlds.delivered.shape[1] % 2:
        worlds.trails[:, 0] = worlds.trails[:, 1]


def _launch(worlds: Worlds, on_gpu: dict[str, Any], step: int, parity: int, marking: bool) -> None:
    names = ("places", "ants", "cells")
    ants = [on_gpu[name] for name in names]
    goods = [on_gpu[name] for name in ("food", "marks", "claims")]
    shared = [on_gpu[name] for name in ("nest", "table", "numbers", "law")]
    n_ants = worlds.cells.size
    settings = (worlds.seed, step)
    move.launch(
        n_ants, *ants, worlds.strategy, on_gpu["trails"], parity, *goods, *shared, *settings
    )
    goods = [on_gpu[name] for name in ("food", "claims", "nest")]
    settle.launch(n_ants, *ants, *goods, worlds.seed, step, on_gpu["delivered"])
    cells = [on_gpu[name] for name in ("marks", "claims")]
    spread.launch(worlds.food.size, on_gpu["trails"], parity, *cells, marking, on_gpu["chemistry"])
