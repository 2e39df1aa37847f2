"""The CUDA kernels of deposits: whole numbers added atomically, then settled cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.stigmergy.field.deposits import by_magnitude, raised, whole_quanta

__all__ = ["accumulate", "add_deposits_on_gpu", "deposit_on_device", "settle"]

cuda = numba_cuda()


@kernel("void(int64[::1], int64[::1], int64[::1])")
def accumulate(
    cells: NDArray[np.int64], added: NDArray[np.int64], quanta: NDArray[np.int64]
) -> None:
    """Add whole numbers to cells, a thread a deposit."""
    i = cuda.grid(1)
    if i < cells.size:
        cuda.atomic.add(quanta, cells[i], added[i])


@kernel("void(int64[::1], float64, int64[::1], float32[::1])")
def settle(
    cells: NDArray[np.int64],
    unit: float,
    quanta: NDArray[np.int64],
    values: NDArray[np.float32],
) -> None:
    """Move each cell's sum into its value: one thread of those with the same cell takes it."""
    i = cuda.grid(1)
    if i < cells.size:
        total = cuda.atomic.exch(quanta, cells[i], 0)
        if total != 0:
            values[cells[i]] = raised(values[cells[i]], total, unit)


def deposit_on_device(
    values: Any, quanta: Any, cells: NDArray[np.int64], amounts: NDArray[np.float64]
) -> None:
    """Add deposits to a device array.

    Parameters
    ----------
    values : device array of float32, shape (n,)
        Changed at `cells` alone.
    quanta : device array of int64, shape (n,)
        Zeros before and after.
    cells : ndarray of int64, shape (k,)
        Indices into `values`, repeated as it comes.
    amounts : ndarray of float64, shape (k,)
        Finite and at least 0.
    """
    for part, added, unit in by_magnitude(cells, amounts):
        where = cuda.to_device(part)
        accumulate.launch(part.size, where, cuda.to_device(whole_quanta(added, unit)), quanta)
        settle.launch(part.size, where, unit, quanta, values)


def add_deposits_on_gpu(
    values: NDArray[np.float32], cells: NDArray[np.int64], amounts: NDArray[np.float64]
) -> None:
    """Add deposits to a host array in place, on the GPU."""
    if not cells.size:
        return
    on_gpu = cuda.to_device(values)
    quanta = cuda.to_device(np.zeros(values.size, np.int64))
    deposit_on_device(on_gpu, quanta, cells, amounts)
    on_gpu.copy_to_host(values)
