"""Where a computation runs: the choice between CPU and GPU, and threads over large arrays.

Each computation is one public function with ``device="auto" | "cpu" | "cuda"``. Nothing here
imports Numba before a GPU is asked for or would be worth it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TypeVar, get_args

from swarmloom.errors import DeviceError, InputError

__all__ = ["Device", "bands", "map_bands", "resolve", "thread_count", "use_threads"]

Device = Literal["auto", "cpu", "cuda"]

T = TypeVar("T")

# Below this many elements the copies to and from a GPU cost more than the work itself.
WORTH_A_GPU = 1 << 21
# A band is the unit of work of a thread: long beside the start of a thread, whatever the machine.
BAND_ELEMENTS = 1 << 19
MOST_THREADS = 8

_threads: ContextVar[int | None] = ContextVar("swarmloom_threads", default=None)


def resolve(device: Device, *, size: int, worth: int = WORTH_A_GPU) -> Literal["cpu", "cuda"]:
    """Choose the device of one computation.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto" takes a GPU where there is one and the work is worth it, and never the simulator.
    size : int
        Elements to compute.
    worth : int, optional
        Smallest `size` for which "auto" takes a GPU.

    Returns
    -------
    {"cpu", "cuda"}

    Raises
    ------
    DeviceError
        "cuda" was asked for and is not usable; the message says what was found.
    InputError
        `device` is none of the three.
    """
    if device not in get_args(Device):
        allowed = ", ".join(map(repr, get_args(Device)))
        raise InputError(f"device: {device!r} is not one of {allowed}")
    if device == "cpu" or (device == "auto" and size < worth):
        return "cpu"
    from swarmloom import cuda

    problem = cuda.problem(simulator=device == "cuda")
    if problem and device == "cuda":
        raise DeviceError(f'device: "cuda" is not usable here: {problem}')
    return "cpu" if problem else "cuda"


def thread_count() -> int:
    """Return how many threads a large array is spread over.

    Returns
    -------
    int
        What `use_threads` says, else the cores that this process may use, at most 8.
    """
    return _threads.get() or min(_usable_cores(), MOST_THREADS)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Set the number of threads for large arrays within a ``with`` block.

    Parameters
    ----------
    count : int
        At least 1; 1 computes everything in the calling thread.
    """
    if count < 1:
        raise InputError(f"threads: {count} is not at least 1")
    token = _threads.set(count)
    try:
        yield
    finally:
        _threads.reset(token)


def bands(n_rows: int, row_elements: int = 1) -> list[tuple[int, int]]:
    """Cut rows into bands of about equal work, the same ones on every machine.

    Parameters
    ----------
    n_rows : int
        Rows of the array.
    row_elements : int, optional
        Elements in each.

    Returns
    -------
    list of (int, int)
        First row and end row of each band, in order.
    """
    height = max(1, BAND_ELEMENTS // max(1, row_elements))
    return [(start, min(start + height, n_rows)) for start in range(0, n_rows, height)]


def map_bands(function: Callable[[int, int], T], n_rows: int, row_elements: int = 1) -> list[T]:
    """Call a function on each band of rows, over threads where there are several bands.

    The bands do not depend on the number of threads, and their results come in order, so that
    whatever is computed from them is the same on any number of threads. Threads live for the call
    only: nothing is left behind that a fork could break, and nested calls cannot wait for each
    other.

    Parameters
    ----------
    function : callable
        ``function(start, stop)``, which has to release the GIL (`swarmloom.jit.kernel`) and to
        write to its own rows only.
    n_rows : int
        Rows of the array.
    row_elements : int, optional
        Elements in each.

    Returns
    -------
    list
        What `function` returned for each band, in the order of the rows.

    Raises
    ------
    Exception
        Whatever `function` raised first, in the order of the rows, after all threads have ended;
        bands not begun by then are left out.
    """
    cut = bands(n_rows, row_elements)
    threads = min(thread_count(), len(cut))
    if threads <= 1:
        return [function(start, stop) for start, stop in cut]
    with ThreadPoolExecutor(threads, thread_name_prefix="swarmloom-band") as pool:
        return list(pool.map(lambda band: function(*band), cut))
