"""What field operations cost: calls, time, bytes moved and the share of the memory's bandwidth.

Bytes are those that have to be moved at least (compulsory traffic): each element that an operation
reads or writes, once in each sweep through memory, whatever the caches do. Several steps that are
taken in one sweep move what one step moves. What stays in the caches between calls may exceed the
memory's bandwidth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = [
    "OperationCost",
    "OperationMetrics",
    "deposit_bytes",
    "measure_bandwidth",
    "sense_bytes",
    "step_bytes",
]

FLOAT32, FLOAT64, INT64 = 4, 8, 8


def step_bytes(n_cells: int, sweeps: int = 1) -> int:
    """Return the bytes of sweeps through memory: each cell is read once and written once in each.

    A sweep is a step, or as many as are taken at once.
    """
    return 2 * FLOAT32 * n_cells * sweeps


def deposit_bytes(count: int) -> int:
    """Return the bytes of deposits into cells that differ.

    Each reads its amount once and its cell's index twice, and reads and writes twice a whole
    number of quanta and once a value.
    """
    return count * (FLOAT64 + 2 * INT64 + 4 * INT64 + 2 * FLOAT32)


def sense_bytes(count: int, dimensions: int) -> int:
    """Return the bytes of interpolation at positions between cells: 2^d corners each."""
    return count * (dimensions * FLOAT64 + (FLOAT32 << dimensions) + FLOAT32)


@dataclass
class OperationCost:
    """The sum over all calls of one operation.

    Attributes
    ----------
    calls : int
        Number of calls.
    milliseconds : float
        Wall-clock time, with what a GPU did.
    bytes_moved : int
        By the operation's formula.
    """

    calls: int = 0
    milliseconds: float = 0.0
    bytes_moved: int = 0

    @property
    def gigabytes_per_second(self) -> float:
        """Bytes moved by time, in 10⁹ bytes a second; 0 before any time has been measured."""
        return self.bytes_moved / self.milliseconds / 1e6 if self.milliseconds else 0.0

    def share_of(self, bandwidth: float) -> float:
        """Return the share of a bandwidth in GB/s, such as `measure_bandwidth` gives."""
        return self.gigabytes_per_second / bandwidth


@dataclass
class OperationMetrics:
    """Costs by the name of the operation.

    Attributes
    ----------
    costs : dict of str to OperationCost
        In the order of the first calls.
    """

    costs: dict[str, OperationCost] = field(default_factory=dict)

    @contextmanager
    def measure(
        self, operation: str, bytes_moved: int, wait: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """Add what a ``with`` block costs.

        Parameters
        ----------
        operation : str
            Name of the operation.
        bytes_moved : int
            By its formula.
        wait : callable, optional
            Waits for a device, so that what it does is measured.
        """
        start = time.perf_counter()
        yield
        wait()
        cost = self.costs.setdefault(operation, OperationCost())
        cost.calls += 1
        cost.milliseconds += 1e3 * (time.perf_counter() - start)
        cost.bytes_moved += bytes_moved

    def clear(self) -> None:
        """Forget all that was measured."""
        self.costs.clear()

    def table(self, bandwidth: float | None = None) -> Any:
        """Return a `rich.table.Table` with a row an operation.

        Parameters
        ----------
        bandwidth : float, optional
            In GB/s; adds the share of it.
        """
        from rich.table import Table

        table = Table("operation", "calls", "ms", "MB moved", "GB/s", title="Field operations")
        if bandwidth is not None:
            table.add_column(f"share of {bandwidth:.1f} GB/s")
        for name, cost in self.costs.items():
            share = [] if bandwidth is None else [f"{cost.share_of(bandwidth):.0%}"]
            table.add_row(name, *_figures(cost), *share)
        return table


def _figures(cost: OperationCost) -> list[str]:
    figures = cost.milliseconds, cost.bytes_moved / 1e6, cost.gigabytes_per_second
    return [str(cost.calls), *(f"{figure:.3f}" for figure in figures)]


@kernel
def _scale(source: NDArray[np.float32], factor: Any, target: NDArray[np.float32]) -> None:
    for i in range(source.size):
        target[i] = factor * source[i]


def measure_bandwidth(n_elements: int = 1 << 24, repeats: int = 5) -> float:
    """Measure the memory bandwidth of one core as STREAM's "scale" does (McCalpin 1995).

    Parameters
    ----------
    n_elements : int, optional
        float32 values in each of the two arrays; several times what the caches hold.
    repeats : int, optional
        The fastest counts.

    Returns
    -------
    float
        GB/s, one read and one write an element counted.
    """
    source, target = np.ones(n_elements, np.float32), np.ones(n_elements, np.float32)
    factor = np.float32(1.5)
    _scale(source[:1], factor, target[:1])
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        _scale(source, factor, target)
        seconds.append(time.perf_counter() - start)
    return step_bytes(n_elements) / min(seconds) / 1e9
