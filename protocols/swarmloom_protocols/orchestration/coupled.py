"""Assignment with couplings between choices: a quadratic problem, searched by annealing.

The search works on the assignment itself. A move gives one task to another expert with room, or
exchanges the experts of two tasks, so one expert a task and the capacities hold at every step and
no penalty has to be tuned (M. Yagiura, T. Ibaraki and F. Glover, "An ejection chain approach for
the generalized assignment problem", INFORMS Journal on Computing 16, 2004, use the same two moves).
Temperatures are taken from the spread of the moves' gains, so that the scale of the affinities
does not matter. Problems with few states are enumerated instead, which is exact.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.orchestration._types import FloatArray, IntArray, checked_problem
from swarmloom_protocols.orchestration.assignment import solve_linear

__all__ = ["CoupledAssignment", "assignment_value", "solve_coupled"]

_CHUNK = 1 << 14
_HOT, _COLD = 0.9, 0.02


@dataclass(frozen=True, slots=True)
class CoupledAssignment:
    """The best assignment found.

    Attributes
    ----------
    expert : ndarray of int64, shape (T,)
        Expert of each task, −1 where the task has to wait.
    value : float
        Its affinities and couplings, summed.
    exact : bool
        True when all assignments were enumerated.
    """

    expert: IntArray
    value: float
    exact: bool


class _Problem(NamedTuple):
    """A quadratic assignment in the form the kernels read.

    `linear` (T, E) carries the couplings' diagonal; `start`, `task`, `expert`, `weight` are the
    symmetric couplings by rows ``t · E + e``; `choices` and `first` list the allowed experts of
    each task.
    """

    linear: FloatArray
    room: IntArray
    start: IntArray
    task: IntArray
    expert: IntArray
    weight: FloatArray
    first: IntArray
    choices: IntArray


class _State(NamedTuple):
    chosen: IntArray
    load: IntArray
    best: IntArray
    values: FloatArray  # of the present and of the best assignment


def assignment_value(
    affinity: npt.NDArray[np.floating],
    coupling: sparse.csr_array | None,
    expert: npt.NDArray[np.integer],
) -> float:
    """Give the value of an assignment: ``Σ affinity + xᵀ C x`` with x its one-hot vector.

    Each stored entry of `coupling` counts once; a pair that is stored in both orders counts twice.

    Parameters
    ----------
    affinity : ndarray of float, shape (T, E)
    coupling : scipy.sparse array, shape (T·E, T·E), or None
    expert : ndarray of int, shape (T,)
        −1 for a task that waits, which counts 0.

    Returns
    -------
    float
    """
    rows = np.flatnonzero(expert >= 0)
    value = float(np.asarray(affinity, dtype=np.float64)[rows, expert[rows]].sum())
    if coupling is None:
        return value
    chosen = np.zeros(coupling.shape[0])
    chosen[rows * affinity.shape[1] + expert[rows]] = 1.0
    return value + float(chosen @ (coupling @ chosen))


def solve_coupled(
    affinity: npt.NDArray[np.floating],
    capacity: npt.NDArray[np.integer] | Sequence[int],
    coupling: sparse.csr_array,
    rng: np.random.Generator,
    *,
    sweeps: int = 100,
    max_steps: int = 2_000_000,
    max_states: int = 20_000,
    seconds: float = 1.0,
) -> CoupledAssignment:
    """Assign as many tasks as possible and look for the largest ``Σ affinity + xᵀ C x``.

    Parameters
    ----------
    affinity : ndarray of float, shape (T, E)
        −inf where not allowed.
    capacity : sequence of int, shape (E,)
        How many tasks each expert can take.
    coupling : scipy.sparse array, shape (T·E, T·E)
        Rewards (> 0) and penalties (< 0), row index ``task · E + expert``; each stored entry counts
        once.
    rng : numpy.random.Generator
        The result depends on its state and the arguments alone, as long as `seconds` suffice.
    sweeps : int
        Annealing steps for each allowed pair of task and expert.
    max_steps : int
        Upper limit of the annealing steps.
    max_states : int
        Problems with at most so many assignments are enumerated.
    seconds : float
        Ceiling for the annealing; the best assignment by then is taken.

    Returns
    -------
    CoupledAssignment
        Never worse than the best assignment without couplings between tasks.

    Raises
    ------
    InputError
        As `solve_linear`, and if the coupling's shape does not fit or it holds NaN or infinities.
    """
    values, room = checked_problem(affinity, capacity)
    problem = _prepare(values, room, coupling)
    start = solve_linear(problem.linear, room)
    if _states(problem, max_states) <= max_states:
        best = np.full(len(start), -1, dtype=np.int64)
        value = _enumerate(problem, best)
        return CoupledAssignment(best, float(value), exact=True)
    steps = min(sweeps * len(problem.choices), max_steps)
    state = _anneal(problem, start, rng, steps, seconds)
    value = assignment_value(values, coupling, state.best)
    return CoupledAssignment(state.best, value, exact=False)


def _prepare(values: FloatArray, room: IntArray, coupling: sparse.csr_array) -> _Problem:
    n_experts = max(values.shape[1], 1)
    if coupling.shape != (values.size, values.size):
        raise InputError(f"coupling has shape {coupling.shape}; needed is {(values.size,) * 2}")
    if not np.isfinite(coupling.data).all():
        raise InputError("coupling holds NaN or infinite values")
    both = sparse.coo_array(coupling + coupling.T)
    row, column = both.coords
    # Two choices of one task never meet; the diagonal is part of the linear term.
    apart = row // n_experts != column // n_experts
    pairs = sparse.csr_array((both.data[apart], (row[apart], column[apart])), shape=both.shape)
    allowed = np.isfinite(values) & (room > 0)
    linear = np.where(allowed, values + coupling.diagonal().reshape(values.shape), -np.inf)
    return _Problem(
        linear,
        room,
        pairs.indptr.astype(np.int64),
        (pairs.indices // n_experts).astype(np.int64),
        (pairs.indices % n_experts).astype(np.int64),
        pairs.data.astype(np.float64),
        np.append(0, np.cumsum(allowed.sum(axis=1))).astype(np.int64),
        np.nonzero(allowed)[1].astype(np.int64),
    )


def _states(problem: _Problem, limit: int) -> int:
    """Count the assignments, waiting included, up to just above the limit."""
    states = 1
    for count in np.diff(problem.first).tolist():
        states *= count + 1
        if states > limit:
            break
    return states


def _anneal(
    problem: _Problem, start: IntArray, rng: np.random.Generator, steps: int, seconds: float
) -> _State:
    load = np.bincount(start[start >= 0], minlength=len(problem.room)).astype(np.int64)
    state = _State(start.copy(), load, start.copy(), np.zeros(2))
    spread = _spread(problem, state, rng.random((256, 2)))
    if spread == 0.0:
        return state
    # Compilation does not count, or a first call would find less than a second one.
    _walk(problem, state, np.empty(0), np.empty((0, 3)))
    deadline = time.monotonic() + seconds
    for done in range(0, steps, _CHUNK):
        fraction = np.arange(done, min(done + _CHUNK, steps)) / steps
        temperature = spread * _HOT * (_COLD / _HOT) ** fraction
        _walk(problem, state, temperature, rng.random((len(fraction), 3)))
        if time.monotonic() > deadline:
            break
    return state


@kernel
def _local(p: _Problem, chosen: IntArray, task: int, expert: int) -> float:
    """Value of one choice beside the others; 0 for waiting."""
    if expert < 0:
        return 0.0
    row = task * p.linear.shape[1] + expert
    value: float = p.linear[task, expert]
    for k in range(p.start[row], p.start[row + 1]):
        if chosen[p.task[k]] == p.expert[k]:
            value += p.weight[k]
    return value


@kernel
def _spread(p: _Problem, s: _State, draws: FloatArray) -> float:
    """Root mean square of the gains of random moves that change something."""
    total, count = 0.0, 0
    for step in range(len(draws)):
        task, expert = _pick(p, draws[step, 0], draws[step, 1])
        old = s.chosen[task]
        if expert >= 0 and expert != old:
            gain = _local(p, s.chosen, task, expert) - _local(p, s.chosen, task, old)
            total += gain * gain
            count += 1
    return float(np.sqrt(total / max(count, 1)))


@kernel
def _pick(p: _Problem, first: float, second: float) -> tuple[int, int]:
    """Draw a task and one of the experts it may have, −1 if there is none."""
    task = int(first * len(p.linear))
    count = p.first[task + 1] - p.first[task]
    if count == 0:
        return task, -1
    return task, p.choices[p.first[task] + int(second * count)]


@kernel
def _walk(p: _Problem, s: _State, temperature: FloatArray, draws: FloatArray) -> None:
    for step in range(len(temperature)):
        first, second = draws[step, 0], draws[step, 1]
        threshold = temperature[step] * np.log(draws[step, 2])
        if second < 0.5:
            task, expert = _pick(p, first, 2.0 * second)
            _try_shift(p, s, task, expert, threshold)
        else:
            other = int((2.0 * second - 1.0) * len(p.linear))
            _try_swap(p, s, int(first * len(p.linear)), other, threshold)
        if s.values[0] > s.values[1]:
            s.values[1] = s.values[0]
            s.best[:] = s.chosen


@kernel
def _try_shift(p: _Problem, s: _State, task: int, expert: int, threshold: float) -> None:
    old = s.chosen[task]
    if expert < 0 or old < 0 or expert == old or s.load[expert] >= p.room[expert]:
        return
    gain = _local(p, s.chosen, task, expert) - _local(p, s.chosen, task, old)
    if gain >= threshold:
        s.chosen[task] = expert
        s.load[old] -= 1
        s.load[expert] += 1
        s.values[0] += gain


@kernel
def _try_swap(p: _Problem, s: _State, one: int, two: int, threshold: float) -> None:
    """Exchange two tasks' experts; a waiting task may so take the place of another."""
    a, b = s.chosen[one], s.chosen[two]
    if a == b:
        return
    if (b >= 0 and p.linear[one, b] == -np.inf) or (a >= 0 and p.linear[two, a] == -np.inf):
        return
    gain = _local(p, s.chosen, one, b) - _local(p, s.chosen, one, a)
    s.chosen[one] = b
    gain += _local(p, s.chosen, two, a) - _local(p, s.chosen, two, b)
    if gain >= threshold:
        s.chosen[two] = a
        s.values[0] += gain
    else:
        s.chosen[one] = a


@kernel
def _enumerate(p: _Problem, best: IntArray) -> float:
    """Try every assignment; most tasks first, then the largest value. Fills `best`."""
    n_tasks = len(p.linear)
    digit = np.zeros(n_tasks, dtype=np.int64)
    chosen = np.full(n_tasks, -1, dtype=np.int64)
    load = np.zeros(len(p.room), dtype=np.int64)
    most, value = -1, -np.inf
    while True:
        count = _fits(p, chosen, load)
        if count >= most and count >= 0:
            candidate = _total(p, chosen)
            if count > most or candidate > value:
                most, value = count, candidate
                best[:] = chosen
        if not _advance(p, digit, chosen):
            return value


@kernel
def _fits(p: _Problem, chosen: IntArray, load: IntArray) -> int:
    """Count the assigned tasks, −1 if an expert has too many."""
    load[:] = 0
    count = 0
    for expert in chosen:
        if expert >= 0:
            load[expert] += 1
            count += 1
            if load[expert] > p.room[expert]:
                return -1
    return count


@kernel
def _total(p: _Problem, chosen: IntArray) -> float:
    value = 0.0
    for task in range(len(chosen)):
        if chosen[task] >= 0:
            # Half of each pair, since the other task's row has it too.
            value += 0.5 * (p.linear[task, chosen[task]] + _local(p, chosen, task, chosen[task]))
    return value


@kernel
def _advance(p: _Problem, digit: IntArray, chosen: IntArray) -> bool:
    """Go to the next assignment; digit 0 is waiting. False after the last one."""
    for task in range(len(chosen)):
        digit[task] += 1
        if digit[task] <= p.first[task + 1] - p.first[task]:
            chosen[task] = p.choices[p.first[task] + digit[task] - 1]
            return True
        digit[task] = 0
        chosen[task] = -1
    return False
