"""A binary heap in arrays, ordered by two numbers, for searches that set labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["Heap", "heap_for", "pop", "push", "with_room"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Heap(NamedTuple):
    """Items by their keys, those of one key by their ties; the first item comes off first."""

    keys: FloatArray
    ties: FloatArray
    items: IntArray


@kernel
def heap_for(most: int) -> Heap:
    """Return a heap with room for some items."""
    return Heap(np.empty(most), np.empty(most), np.empty(most, dtype=np.int64))


@kernel
def with_room(heap: Heap, size: int) -> Heap:
    """Return a heap that has room for one more than `size` items: the same one, or a copy."""
    if size < len(heap.keys):
        return heap
    wider = heap_for(2 * size)
    wider.keys[:size] = heap.keys
    wider.ties[:size] = heap.ties
    wider.items[:size] = heap.items
    return wider


@kernel
def _place(heap: Heap, place: int, key: float, tie: float, item: int) -> None:
    heap.keys[place], heap.ties[place], heap.items[place] = key, tie, item


@kernel
def _move(heap: Heap, place: int, other: int) -> None:
    _place(heap, place, heap.keys[other], heap.ties[other], heap.items[other])


@kernel
def push(heap: Heap, size: int, key: float, tie: float, item: int) -> int:
    """Put an item into a heap of `size` items, and return how many there are now."""
    place = size
    while place > 0:
        above = (place - 1) >> 1
        if heap.keys[above] < key or (heap.keys[above] == key and heap.ties[above] <= tie):
            break
        _move(heap, place, above)
        place = above
    _place(heap, place, key, tie, item)
    return size + 1


@kernel
def pop(heap: Heap, size: int) -> int:
    """Take the first item off a heap of `size` items, and return how many remain."""
    last = size - 1
    key, tie, item = heap.keys[last], heap.ties[last], heap.items[last]
    place, below = 0, 1
    while below < last:
        right = below + 1
        if right < last and (
            heap.keys[right] < heap.keys[below]
            or (heap.keys[right] == heap.keys[below] and heap.ties[right] < heap.ties[below])
        ):
            below = right
        if key < heap.keys[below] or (key == heap.keys[below] and tie <= heap.ties[below]):
            break
        _move(heap, place, below)
        place, below = below, 2 * below + 1
    _place(heap, place, key, tie, item)
    return last
