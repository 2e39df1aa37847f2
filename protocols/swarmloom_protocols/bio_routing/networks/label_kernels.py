"""Exact paths under limits, and the front of two criteria, by setting labels, compiled.

A label is a path from the source to a node: what it costs, and which label it goes on from. Labels
come off the heap in the order of their cost plus the least that is missing to the target, which
searches from the target have found. What cannot reach the target within the limits, or is no
better at its node than a label before it, is dropped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.networks.heap_kernels import (
    heap_for,
    pop,
    push,
    with_room,
)
from swarmloom_protocols.bio_routing.networks.point_kernels import Links

__all__ = ["TOO_MANY", "Ahead", "Limits", "Weights", "front", "within_limits"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Sums from the target differ in rounding from the sums along the path, which decide.
SLACK = 1e-9
# Outcomes of a search beside the number of a label.
NONE, TOO_MANY = -1, -2


class Weights(NamedTuple):
    """Of the links: two that add up, and one that multiplies."""

    prices: FloatArray
    delays: FloatArray
    reliabilities: FloatArray


class Ahead(NamedTuple):
    """The best that is missing to the target from each node; of losses, −log reliabilities."""

    prices: FloatArray
    delays: FloatArray
    losses: FloatArray


class Limits(NamedTuple):
    """What a path must keep, and which of the two must be compared between labels at a node."""

    latency: float
    reliability: float
    by_latency: bool
    by_reliability: bool
    labels: int


class Labels(NamedTuple):
    """Labels by number: values (cost, latency, reliability) and (node, link, label before)."""

    values: FloatArray
    marks: IntArray


@kernel
def _labels(most: int) -> Labels:
    return Labels(np.empty((most, 3)), np.empty((most, 4), dtype=np.int64))


@kernel
def _roomy(labels: Labels, count: int) -> Labels:
    if count < len(labels.values):
        return labels
    wider = _labels(2 * count)
    wider.values[:count] = labels.values
    wider.marks[:count] = labels.marks
    return wider


@kernel
def _set_label(
    labels: Labels, label: int, values: tuple[float, float, float], marks: tuple[int, int, int]
) -> None:
    for column in range(3):
        labels.values[label, column] = values[column]
        labels.marks[label, column] = marks[column]


@kernel
def _path(labels: Labels, label: int) -> IntArray:
    """Return the links that lead to a label's node."""
    length, one = 0, label
    while labels.marks[one, 1] >= 0:
        one, length = labels.marks[one, 2], length + 1
    path, one = np.empty(length, dtype=np.int64), label
    for place in range(length - 1, -1, -1):
        path[place] = labels.marks[one, 1]
        one = labels.marks[one, 2]
    return path


@kernel
def _dominated(
    labels: Labels, newest: int, latency: float, reliability: float, limits: Limits
) -> bool:
    """Tell whether a settled label at the node, none of which is dearer, is as good."""
    both = limits.by_latency and limits.by_reliability
    settled = newest
    while settled >= 0:
        slower = limits.by_latency and labels.values[settled, 1] > latency
        weaker = limits.by_reliability and labels.values[settled, 2] < reliability
        if not (slower or weaker):
            return True
        # By one criterion the newest label is the best of all.
        if not both:
            return False
        settled = labels.marks[settled, 3]
    return False


@kernel
def _hopeless(node: int, latency: float, reliability: float, ahead: Ahead, limits: Limits) -> bool:
    """Tell whether no way on to the target keeps the limits."""
    return (
        ahead.prices[node] == np.inf
        or (latency + ahead.delays[node]) * (1.0 - SLACK) > limits.latency
        or reliability * np.exp(-ahead.losses[node]) < limits.reliability * (1.0 - SLACK)
        or reliability == 0.0
    )


@kernel
def within_limits(
    source: int, target: int, weights: Weights, ahead: Ahead, limits: Limits, links: Links
) -> tuple[int, IntArray]:
    """Find a cheapest path within limits (Desrochers & Soumis 1988, with bounds as in A*).

    Parameters
    ----------
    source, target : int
        Two nodes.
    weights, ahead, limits, links
        As described there.

    Returns
    -------
    (int, ndarray of int64)
        0 and the path's links, or `NONE` or `TOO_MANY`.
    """
    labels, heap = _labels(256), heap_for(256)
    newest = np.full(len(links.out_starts) - 1, -1)
    _set_label(labels, 0, (0.0, 0.0, 1.0), (source, -1, -1))
    count, size = 1, push(heap, 0, 0.0, -1.0, 0)
    while size > 0:
        label = heap.items[0]
        size = pop(heap, size)
        node = labels.marks[label, 0]
        cost, latency, reliability = labels.values[label]
        if _dominated(labels, newest[node], latency, reliability, limits):
            continue
        if node == target:
            return 0, _path(labels, label)
        labels.marks[label, 3] = newest[node]
        newest[node] = label
        for slot in range(links.out_starts[node], links.out_starts[node + 1]):
            link = links.out_links[slot]
            end = links.targets[link]
            longer = latency + weights.delays[link]
            weaker = reliability * weights.reliabilities[link]
            dearer = cost + weights.prices[link]
            if dearer == np.inf:
                continue
            if _hopeless(end, longer, weaker, ahead, limits) or _dominated(
                labels, newest[end], longer, weaker, limits
            ):
                continue
            if end == target and (longer > limits.latency or weaker < limits.reliability):
                continue
            if count >= limits.labels:
                return TOO_MANY, np.empty(0, dtype=np.int64)
            labels, heap = _roomy(labels, count), with_room(heap, size)
            _set_label(labels, count, (dearer, longer, weaker), (end, link, label))
            size = push(heap, size, dearer + ahead.prices[end], -weaker, count)
            count += 1
    return NONE, np.empty(0, dtype=np.int64)


@kernel
def _paths(labels: Labels, found: IntArray) -> tuple[IntArray, IntArray]:
    """Return where the paths of some labels begin in one array of links, and the array."""
    starts = np.zeros(len(found) + 1, dtype=np.int64)
    for row in range(len(found)):
        starts[row + 1] = starts[row] + len(_path(labels, found[row]))
    flat = np.empty(starts[-1], dtype=np.int64)
    for row in range(len(found)):
        flat[starts[row] : starts[row + 1]] = _path(labels, found[row])
    return starts, flat


@kernel
def front(
    source: int,
    target: int,
    prices: tuple[FloatArray, FloatArray],
    ahead: tuple[FloatArray, FloatArray],
    most: int,
    links: Links,
) -> tuple[int, IntArray, IntArray]:
    """Find the paths that no other beats in two sums of prices: Martins (1984), by BOA*.

    With the least that is missing to the target as bounds, and labels in lexicographic order, a
    label is dominated if its second sum is no less than the least so far at its node or at the
    target (Hernández Ulloa et al. 2020).

    Parameters
    ----------
    source, target : int
        Two nodes.
    prices : two ndarrays of float64, shape (m,)
        Of the links, ≥ 0; inf for those not to be used.
    ahead : two ndarrays of float64, shape (n,)
        The least sums to the target.
    most : int
        Labels that may be set.
    links : Links

    Returns
    -------
    (int, ndarray of int64, ndarray of int64)
        0, or `TOO_MANY`; where each path begins; their links. The first sums go up and the second
        ones down, to rounding.
    """
    labels, heap = _labels(256), heap_for(256)
    least = np.full(len(links.out_starts) - 1, np.inf)
    found, n_found = np.empty(16, dtype=np.int64), 0
    _set_label(labels, 0, (0.0, 0.0, 1.0), (source, -1, -1))
    count, size = 1, push(heap, 0, 0.0, 0.0, 0)
    while size > 0:
        label = heap.items[0]
        size = pop(heap, size)
        node, sums = labels.marks[label, 0], labels.values[label]
        first, second = sums[0], sums[1]
        if second >= least[node] or second + ahead[1][node] >= least[target]:
            continue
        least[node] = second
        if node == target:
            if n_found == len(found):
                found = np.append(found, found)
            found[n_found] = label
            n_found += 1
            continue
        for slot in range(links.out_starts[node], links.out_starts[node + 1]):
            link = links.out_links[slot]
            end = links.targets[link]
            one, two = first + prices[0][link], second + prices[1][link]
            key, tie = one + ahead[0][end], two + ahead[1][end]
            if two >= least[end] or tie >= least[target] or key == np.inf or tie == np.inf:
                continue
            if count >= most:
                return TOO_MANY, found[:0], found[:0]
            labels, heap = _roomy(labels, count), with_room(heap, size)
            _set_label(labels, count, (one, two, 1.0), (end, link, label))
            size = push(heap, size, key, tie, count)
            count += 1
    starts, flat = _paths(labels, found[:n_found])
    return 0, starts, flat
