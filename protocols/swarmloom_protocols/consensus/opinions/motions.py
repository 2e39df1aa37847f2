"""What a model does to given opinions: steps, and the question whether anything will move again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device, map_bands
from swarmloom_protocols.consensus.opinions.arguments import FloatArray, Matrix
from swarmloom_protocols.consensus.opinions.bounded_confidence import LineMeans, means_within
from swarmloom_protocols.consensus.opinions.clusters import opinion_clusters
from swarmloom_protocols.consensus.opinions.graph_kernels import (
    copy_sweep,
    graph_means,
    pair_sweep,
)
from swarmloom_protocols.consensus.opinions.linear import stepped
from swarmloom_protocols.consensus.opinions.phases import graph_steps, mean_field_steps

__all__ = [
    "Copying",
    "Crowd",
    "GraphBound",
    "Linear",
    "MeanBound",
    "Meetings",
    "Mixing",
    "Motion",
    "Phases",
]

# A neighbour costs about as much as an element.
GRAPH_ROW_ELEMENTS = 16


@dataclass(frozen=True)
class Crowd:
    """What a model is told of the experts.

    Attributes
    ----------
    values : ndarray of float64, shape (n, D)
        Opinions as they are when the run begins.
    first : ndarray of float64, shape (n, D)
        Opinions as they were at the very beginning.
    confidence : ndarray of float64, shape (n,)
        How much each counts for others.
    radii : ndarray of float64, shape (n,)
        How far each listens.
    seed : uint32
        Key of the random numbers; not to be used by models that are not `random`.
    """

    values: FloatArray
    first: FloatArray
    confidence: FloatArray
    radii: FloatArray
    seed: np.uint32


class Motion:
    """One model at work on one crowd; subclasses say how opinions move."""

    def advance(self, values: FloatArray, first: int, steps: int) -> FloatArray:
        """Return opinions after some steps, the first of which has the number `first`."""
        raise NotImplementedError

    def settled(self, values: FloatArray, moved: float, tolerance: float) -> bool:
        """Tell whether no step will move anything by more than the tolerance."""
        return moved <= tolerance


@dataclass(frozen=True)
class Linear(Motion):
    """x ← M x + b on a graph."""

    matrix: Matrix
    offset: FloatArray | None
    device: Device

    def advance(self, values: FloatArray, first: int, steps: int) -> FloatArray:
        """Multiply."""
        return stepped(self.matrix, values, self.offset, steps, self.device)


@dataclass(frozen=True)
class Mixing(Motion):
    """x ← λ · mean + b, everybody hearing everybody."""

    confidence: FloatArray
    susceptibility: FloatArray
    offset: FloatArray

    def advance(self, values: FloatArray, first: int, steps: int) -> FloatArray:
        """Take the mean."""
        for _ in range(steps):
            # A sum of NumPy's own: a BLAS may add up differently with other numbers of threads.
            mean = (self.confidence[:, np.newaxis] * values).sum(axis=0) / self.confidence.sum()
            values = self.susceptibility[:, np.newaxis] * mean + self.offset
        return values


class MeanBound(Motion):
    """Bounded confidence, everybody hearing everybody."""

    def __init__(self, crowd: Crowd, device: Device) -> None:
        self._crowd = crowd
        self._device = device
        self._line = None
        if crowd.values.shape[1] == 1 and device != "cuda":
            self._line = LineMeans(crowd.radii, crowd.confidence)

    def advance(self, values: FloatArray, first: int, steps: int) -> FloatArray:
        """Take the means of those within reach."""
        crowd = self._crowd
        for _ in range(steps):
            if self._line is not None:
                values = self._line(values)
            else:
                values = means_within(values, crowd.radii, crowd.confidence, device=self._device)
        return values


@dataclass(frozen=True)
class GraphBound(Motion):
    """Bounded confidence among the neighbours in a graph."""

    radii: FloatArray
    graph: Matrix
    own: FloatArray

    def advance(self, values: FloatArray, first: int, steps: int) -> FloatArray:
        """Take the means of the neighbours within reach."""
        for _ in range(steps):
            values = self._step(values)
        return values

    def _step(self, values: FloatArray) -> FloatArray:
        means = np.empty_like(values)
        graph = self.graph

        def fill(start: int, stop: int) -> None:
            graph_means(
                values, self.radii, graph.indptr, graph.indices, graph.data, self.own,
                start, stop, means,
            )  # fmt: skip

        map_bands(fill, len(values), GRAPH_ROW_ELEMENTS)
        return means


@dataclass(frozen=True)
class Meetings(Motion):
    """Deffuant's meetings of two."""

    crowd: Crowd
    graph: Matrix | None
    rate: float

    def advance(self, values: FloatArray, first: int, steps: int) -> FloatArray:
        """Let n pairs a step meet, one after the other."""
        values = values.copy()
        indptr, indices = _edges(self.graph)
        radii, confidence = _once(self.crowd.radii), _once(self.crowd.confidence)
        for sweep in range(first, first + steps):
            pair_sweep(
                values, radii, confidence, self.rate,
                indptr, indices, self.crowd.seed, np.uint32(sweep),
            )  # fmt: skip
        return values

    def settled(self, values: FloatArray, moved: float, tolerance: float) -> bool:
        """Tell whether those who listen to each other agree already, whoever meets."""
        if moved > tolerance:
            return False
        if self.graph is None:
            return _widest_group(values, float(self.crowd.radii.max())) <= tolerance
        rows, columns = self.graph.tocoo().coords
        away = values[rows] - values[columns]
        reach_of = np.maximum(self.crowd.radii[rows], self.crowd.radii[columns])
        heard = np.einsum("ij,ij->i", away, away) <= reach_of**2
        return bool(np.abs(away[heard]).max(initial=0.0) <= tolerance)


@dataclass(frozen=True)
class Copying(Motion):
    """The voter model."""

    crowd: Crowd
    graph: Matrix | None
    cumulated: FloatArray

    def advance(self, values: FloatArray, first: int, steps: int) -> FloatArray:
        """Let n experts a step take over a neighbour's opinion, one after the other."""
        values = values.copy()
        indptr, indices = _edges(self.graph)
        for sweep in range(first, first + steps):
            copy_sweep(values, indptr, indices, self.cumulated, self.crowd.seed, np.uint32(sweep))
        return values

    def settled(self, values: FloatArray, moved: float, tolerance: float) -> bool:
        """Tell whether there is nobody left to copy who thinks otherwise."""
        if self.graph is None:
            return bool(np.all(np.abs(values - values[0]) <= tolerance))
        rows, columns = self.graph.tocoo().coords
        return bool(np.abs(values[rows] - values[columns]).max(initial=0.0) <= tolerance)


@dataclass(frozen=True)
class Phases(Motion):
    """Kuramoto's oscillators."""

    frequencies: FloatArray
    coupling: float
    confidence: FloatArray
    matrix: Matrix | None
    dt: float
    device: Device

    def advance(self, values: FloatArray, first: int, steps: int) -> FloatArray:
        """Integrate."""
        phases = values[:, 0]
        if self.matrix is None:
            numbers = self.confidence, self.dt, steps
            phases = mean_field_steps(phases, self.frequencies, self.coupling, *numbers)
        else:
            ways = self.matrix, self.dt, steps, self.device
            phases = graph_steps(phases, self.frequencies, self.coupling, *ways)
        return np.ascontiguousarray(phases[:, np.newaxis])


def _edges(graph: Matrix | None) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    if graph is None:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    return graph.indptr, graph.indices


def _once(numbers: FloatArray) -> FloatArray:
    """Return one number where all are the same, which stays in a processor's cache."""
    return numbers[:1] if np.all(numbers == numbers[0]) else numbers


def _widest_group(values: FloatArray, reach: float) -> float:
    """Return the extent of the widest group of those who may still meet and move."""
    if reach == 0.0:
        return 0.0
    return (
        float(np.ptp(values, axis=0).max())
        if np.isinf(reach)
        else (opinion_clusters(values, reach).widest)
    )
