"""Quadratic unconstrained binary optimisation: exact conversions, for solvers outside.

`solve_coupled` needs no QUBO. This is the way to what does: a sampler, an annealer, QAOA.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.orchestration._types import FloatArray, IntArray, checked_problem

__all__ = [
    "AssignmentQubo",
    "Ising",
    "Qubo",
    "assignment_to_qubo",
    "ising_to_qubo",
    "minimise_exhaustively",
    "qubo_to_ising",
]

_MAX_VARIABLES = 30


@dataclass(frozen=True, slots=True)
class Qubo:
    """Minimise ``linear · x + Σ_{i<j} pairs_ij x_i x_j + offset`` over x in {0, 1}ⁿ.

    Attributes
    ----------
    linear : ndarray of float64, shape (n,)
    pairs : scipy.sparse.csr_array, shape (n, n)
        Strictly upper triangular.
    offset : float
    """

    linear: FloatArray
    pairs: sparse.csr_array
    offset: float = 0.0

    def energy(self, x: npt.NDArray[np.integer]) -> FloatArray:
        """Give the energies of states, shape (..., n) of 0 and 1 → (...)."""
        states = np.asarray(x, dtype=np.float64)
        return _energy(self.linear, self.pairs, self.offset, states)


@dataclass(frozen=True, slots=True)
class Ising:
    """Minimise ``fields · s + Σ_{i<j} pairs_ij s_i s_j + offset`` over s in {−1, 1}ⁿ.

    Attributes
    ----------
    fields : ndarray of float64, shape (n,)
    pairs : scipy.sparse.csr_array, shape (n, n)
        Strictly upper triangular.
    offset : float
    """

    fields: FloatArray
    pairs: sparse.csr_array
    offset: float = 0.0

    def energy(self, s: npt.NDArray[np.integer]) -> FloatArray:
        """Give the energies of states, shape (..., n) of −1 and 1 → (...)."""
        states = np.asarray(s, dtype=np.float64)
        return _energy(self.fields, self.pairs, self.offset, states)


def _energy(
    linear: FloatArray, pairs: sparse.csr_array, offset: float, states: FloatArray
) -> FloatArray:
    lead = states.shape[:-1]
    flat = states.reshape(math.prod(lead), len(linear))
    energies = flat @ linear + ((pairs.T @ flat.T).T * flat).sum(axis=1) + offset
    return np.asarray(energies.reshape(lead))


def _touching(pairs: sparse.csr_array) -> FloatArray:
    """Sum for each variable over the pairs that it is in."""
    return np.asarray(pairs.sum(axis=0) + pairs.sum(axis=1), dtype=np.float64)


def qubo_to_ising(qubo: Qubo) -> Ising:
    """Rewrite in spins, x = (1 + s) / 2; both have the same energy in every state.

    Exact: coefficients are halved, quartered and added.
    """
    pairs = sparse.csr_array(qubo.pairs / 4.0)
    touching = _touching(pairs)
    offset = qubo.offset + float(qubo.linear.sum()) / 2.0 + float(pairs.sum())
    return Ising(qubo.linear / 2.0 + touching, pairs, offset)


def ising_to_qubo(ising: Ising) -> Qubo:
    """Rewrite in bits, s = 2x − 1; both have the same energy in every state."""
    pairs = ising.pairs
    touching = _touching(pairs)
    offset = ising.offset - float(ising.fields.sum()) + float(pairs.sum())
    return Qubo(2.0 * (ising.fields - touching), sparse.csr_array(4.0 * pairs), offset)


def minimise_exhaustively(qubo: Qubo) -> tuple[IntArray, float]:
    """Find the minimum by visiting all 2ⁿ states in the order of a Gray code.

    Parameters
    ----------
    qubo : Qubo
        At most 30 variables.

    Returns
    -------
    x : ndarray of int64, shape (n,)
        The first minimum on the way.
    energy : float

    Raises
    ------
    InputError
        If there are more variables.
    """
    size = len(qubo.linear)
    if size > _MAX_VARIABLES:
        raise InputError(f"{size} variables have too many states; at most {_MAX_VARIABLES}")
    dense = np.asarray((qubo.pairs + qubo.pairs.T).todense(), dtype=np.float64)
    best = np.zeros(size, dtype=np.int64)
    _visit_all(qubo.linear, dense, best)
    return best, float(qubo.energy(best))


@kernel
def _visit_all(linear: FloatArray, pairs: FloatArray, best: IntArray) -> None:
    size = len(linear)
    x = np.zeros(size, dtype=np.int64)
    slope = linear.copy()
    energy, lowest = 0.0, 0.0
    for step in range(1, 1 << size):
        flip = 0
        while (step >> flip) & 1 == 0:
            flip += 1
        sign = 1 - 2 * x[flip]
        energy += sign * slope[flip]
        x[flip] += sign
        slope += sign * pairs[flip]
        if energy < lowest:
            lowest = energy
            best[:] = x


@dataclass(frozen=True, slots=True)
class AssignmentQubo:
    """An assignment problem as a QUBO.

    Attributes
    ----------
    qubo : Qubo
        First one variable for each allowed pair, then the slack bits of the capacities that can
        bind.
    task, expert : ndarray of int64
        What each of the first variables means.
    shape : tuple of int
        (tasks, experts).
    reward, penalty : float
        What an assigned task earns beside its value; what breaking a rule once costs at least.
    """

    qubo: Qubo
    task: IntArray
    expert: IntArray
    shape: tuple[int, int]
    reward: float
    penalty: float

    def decode(self, x: npt.NDArray[np.integer]) -> IntArray:
        """Give the expert of each task, −1 for none.

        Raises
        ------
        InputError
            If a task has two experts.
        """
        on = np.flatnonzero(np.asarray(x)[: len(self.task)])
        if len(np.unique(self.task[on])) < len(on):
            raise InputError("the state gives a task to two experts")
        expert = np.full(self.shape[0], -1, dtype=np.int64)
        expert[self.task[on]] = self.expert[on]
        return expert


def assignment_to_qubo(
    affinity: npt.NDArray[np.floating],
    capacity: npt.NDArray[np.integer] | Sequence[int],
    coupling: sparse.csr_array | None = None,
) -> AssignmentQubo:
    """Write "most tasks first, then the largest Σ affinity + xᵀ C x" as a QUBO.

    The weights come from the objective. Each assigned task earns a reward above the range of the
    objective over all assignments, so no task waits for the sake of the sum and the empty state is
    never optimal. Each broken rule costs more than the most that one variable can earn, so that
    taking a variable out of a broken rule always pays and no optimum breaks one.

    Parameters
    ----------
    affinity : ndarray of float, shape (T, E)
        −inf where not allowed; such pairs get no variable.
    capacity : sequence of int, shape (E,)
    coupling : scipy.sparse array, shape (T·E, T·E), optional
        As for `solve_coupled`.

    Returns
    -------
    AssignmentQubo

    Raises
    ------
    InputError
        As `solve_coupled`.
    """
    values, room = checked_problem(affinity, capacity)
    task, expert = np.nonzero(np.isfinite(values) & (room > 0))
    linear, pairs = _objective(values, task, expert, coupling)
    reward, penalty = _weights(linear, pairs, task)
    slack = [_slack_bits(int(room[e]), int((expert == e).sum())) for e in range(len(room))]
    size = len(task) + sum(map(len, slack))
    builder = _Builder(-linear - reward, -pairs, size)
    _at_most_one(builder, task, penalty)
    _within_capacity(builder, expert, room, slack, penalty)
    return AssignmentQubo(builder.finish(), task, expert, values.shape, reward, penalty)


def _objective(
    values: FloatArray, task: IntArray, expert: IntArray, coupling: sparse.csr_array | None
) -> tuple[FloatArray, FloatArray]:
    """Give the value of each variable and, upper triangular, of each pair of variables."""
    linear = values[task, expert]
    if coupling is None:
        return linear, np.zeros((len(task), len(task)))
    if coupling.shape != (values.size, values.size):
        raise InputError(f"coupling has shape {coupling.shape}; needed is {(values.size,) * 2}")
    if not np.isfinite(coupling.data).all():
        raise InputError("coupling holds NaN or infinite values")
    index = task * values.shape[1] + expert
    dense = np.asarray(coupling.tocsr()[index][:, index].todense(), dtype=np.float64)
    pairs = np.triu(dense + dense.T, 1)
    pairs[task[:, None] == task[None, :]] = 0.0
    return linear + dense.diagonal(), pairs


def _weights(linear: FloatArray, pairs: FloatArray, task: IntArray) -> tuple[float, float]:
    both = pairs + pairs.T
    up = linear + np.maximum(both, 0.0).sum(axis=1)
    down = linear + np.minimum(both, 0.0).sum(axis=1)
    span = 0.0
    for t in np.unique(task):
        span += max(0.0, up[task == t].max()) - min(0.0, down[task == t].min())
    reward = span + 1.0
    return reward, reward + float(np.maximum(up, 0.0).max(initial=0.0)) + 1.0


def _slack_bits(room: int, demand: int) -> list[int]:
    """Give values of bits whose sums are exactly 0…room; none where the capacity cannot bind."""
    if demand <= room:
        return []
    bits = [1 << k for k in range((room + 1).bit_length() - 1)]
    rest = room - sum(bits)
    return [*bits, rest] if rest else bits


class _Builder:
    """Adds squares of linear forms to a quadratic form."""

    def __init__(self, linear: FloatArray, pairs: FloatArray, size: int) -> None:
        self.linear = np.zeros(size)
        self.linear[: len(linear)] = linear
        self.pairs = np.zeros((size, size))
        self.pairs[: len(linear), : len(linear)] = pairs
        self.offset = 0.0

    def add_square(self, index: IntArray, weight: FloatArray, goal: float, factor: float) -> None:
        """Add ``factor · (weight · x[index] − goal)²``, with x² = x."""
        self.linear[index] += factor * weight * (weight - 2.0 * goal)
        self.pairs[np.ix_(index, index)] += 2.0 * factor * np.triu(np.outer(weight, weight), 1)
        self.offset += factor * goal * goal

    def finish(self) -> Qubo:
        return Qubo(self.linear, sparse.csr_array(np.triu(self.pairs, 1)), self.offset)


def _at_most_one(builder: _Builder, task: IntArray, penalty: float) -> None:
    for t in np.unique(task):
        index = np.flatnonzero(task == t)
        builder.pairs[np.ix_(index, index)] += np.triu(np.full((len(index),) * 2, penalty), 1)


def _within_capacity(
    builder: _Builder, expert: IntArray, room: IntArray, slack: list[list[int]], penalty: float
) -> None:
    used = len(expert)
    for e, bits in enumerate(slack):
        if bits:
            index = np.append(np.flatnonzero(expert == e), np.arange(used, used + len(bits)))
            weight = np.append(np.ones(len(index) - len(bits)), bits)
            builder.add_square(index, weight, float(room[e]), penalty)
            used += len(bits)
