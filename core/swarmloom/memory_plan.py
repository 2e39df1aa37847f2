"""The arrays of a swarm, planned by region before anything is allocated.

Protocols add what they need in `swarmloom_initialize`; the plan says what each region will take,
refuses what does not fit, and then cuts all arrays of a region out of one block of memory.
"""

from __future__ import annotations

import operator
import os
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

from swarmloom.errors import InputError, MemoryLimitError

__all__ = ["MemoryPlan", "PlannedArray", "Region", "format_bytes", "machine_bytes"]

# A cache line, and the width of the widest vector register.
ALIGNMENT = 64
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Region(StrEnum):
    """What an array is for."""

    QUANTUM = "quantum states"
    PHEROMONE = "pheromone grid"
    OPINION = "opinion landscape"
    TRAILS = "routing trails"
    PATTERNS = "pattern detection"


@dataclass(frozen=True, slots=True)
class PlannedArray:
    """One array of the plan.

    Attributes
    ----------
    region : Region
        What it is for.
    name : str
        Unique in the plan.
    shape : tuple of int
        Lengths along its axes.
    dtype : numpy.dtype
        Type of its elements.
    """

    region: Region
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Size in its region's block, rounded up to whole cache lines."""
        size = prod(self.shape) * self.dtype.itemsize
        return -(-size // ALIGNMENT) * ALIGNMENT


class MemoryPlan:
    """What a swarm will allocate.

    Parameters
    ----------
    limit : int, optional
        Most bytes that all regions may take together; what this machine or container has, if not
        given.

    Examples
    --------
    >>> plan = MemoryPlan(limit=1_000_000)
    >>> plan.add(Region.TRAILS, "trail_amounts", (50, 100), "float32")
    >>> plan.bytes
    20096
    >>> plan.allocate()["trail_amounts"].shape
    (50, 100)
    """

    def __init__(self, limit: int | None = None) -> None:
        if limit is not None and not limit >= 0:
            raise InputError(f"limit: {limit} bytes is not at least 0")
        self.limit = machine_bytes() if limit is None else limit
        self._arrays: dict[str, PlannedArray] = {}

    def add(
        self,
        region: Region | str,
        name: str,
        shape: tuple[SupportsIndex, ...] | SupportsIndex,
        dtype: DTypeLike,
    ) -> None:
        """Plan an array.

        Parameters
        ----------
        region : Region or str
            What it is for.
        name : str
            Unique in the plan.
        shape : tuple of int, or int
            Lengths along its axes, each at least 0.
        dtype : dtype-like
            Type of its elements; of fixed size, so not ``object``.

        Raises
        ------
        InputError
            Region, shape or type is not usable, or the name is taken.
        """
        if name in self._arrays:
            raise InputError(f"{name!r} is planned twice, by {self._arrays[name].region} first")
        lengths = shape if isinstance(shape, tuple) else (shape,)
        checked = tuple(_length(name, length) for length in lengths)
        self._arrays[name] = PlannedArray(_region(region), name, checked, _dtype(name, dtype))

    @property
    def bytes(self) -> int:
        """What `allocate` will take."""
        return sum(self.region_bytes().values())

    def table(self) -> list[PlannedArray]:
        """Return all arrays, in the order of the regions and of their planning."""
        return [one for region in Region for one in self._of(region)]

    def region_bytes(self) -> dict[Region, int]:
        """Return what each region will take, 0 for one that nobody uses."""
        return {region: _block_bytes(self._of(region)) for region in Region}

    def check(self) -> None:
        """Raise `MemoryLimitError` where the plan is above its limit."""
        if self.bytes <= self.limit:
            return
        most = max(self._arrays.values(), key=lambda one: one.bytes)
        raise MemoryLimitError(
            f"memory plan: {format_bytes(self.bytes)} is above the limit of "
            f"{format_bytes(self.limit)}; most of it is {most.name!r} ({most.region}), shape "
            f"{most.shape} of {most.dtype}: {format_bytes(most.bytes)}"
        )

    def allocate(self) -> dict[str, NDArray[Any]]:
        """Allocate all regions.

        Returns
        -------
        dict of str to ndarray
            By name, filled with zeros, C-contiguous, each at the start of a cache line. All arrays
            of a region are views of one block.

        Raises
        ------
        MemoryLimitError
            The plan is above its limit, or the system has not that much memory left.
        """
        self.check()
        arrays: dict[str, NDArray[Any]] = {}
        for region in Region:
            arrays.update(_cut(region, self._of(region)))
        return arrays

    def _of(self, region: Region) -> list[PlannedArray]:
        return [one for one in self._arrays.values() if one.region is region]


def _region(value: Region | str) -> Region:
    try:
        return Region(value)
    except ValueError:
        allowed = ", ".join(repr(region.value) for region in Region)
        raise InputError(f"region: {value!r} is not one of {allowed}") from None


def _length(name: str, value: SupportsIndex) -> int:
    try:
        length = operator.index(value)
    except TypeError:
        raise InputError(f"{name!r}: length {value!r} is not a whole number") from None
    if length < 0:
        raise InputError(f"{name!r}: length {length} is negative")
    return length


def _dtype(name: str, value: DTypeLike) -> np.dtype[Any]:
    dtype = np.dtype(value)
    if dtype.hasobject or not dtype.itemsize:
        raise InputError(f"{name!r}: elements of {dtype} have no fixed size")
    return dtype


def _block_bytes(arrays: list[PlannedArray]) -> int:
    # The allocator gives an address of any alignment, so that up to a line is skipped.
    return sum(one.bytes for one in arrays) + ALIGNMENT if arrays else 0


def _cut(region: Region, arrays: list[PlannedArray]) -> dict[str, NDArray[Any]]:
    block = _block(region, _block_bytes(arrays))
    offset = -block.ctypes.data % ALIGNMENT
    found = {}
    for one in arrays:
        found[one.name] = np.ndarray(one.shape, one.dtype, block, offset)
        offset += one.bytes
    return found


def _block(region: Region, size: int) -> NDArray[np.uint8]:
    try:
        return np.zeros(size, np.uint8)
    except (MemoryError, ValueError) as error:
        message = f"memory plan: the system refused {format_bytes(size)} for the {region}"
        raise MemoryLimitError(message) from error


def machine_bytes() -> int:
    """Return the memory of this machine, or of its container where that is less."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if os.name == "posix" else []
    if CONTAINER_LIMIT.is_file() and (text := CONTAINER_LIMIT.read_text().strip()).isdigit():
        sizes.append(int(text))
    return min(sizes, default=2**63 - 1)


def format_bytes(size: int) -> str:
    """Write a size with a binary unit, as in ``"1.5 MiB"``."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.4g} {unit}"
        value /= 1024
    return f"{value:.4g} TiB"
