"""Routing rules of mixtures of experts, and the greedy choice that rounds them.

Each takes scores float64[T, E] (−inf where not allowed), capacities int64[E] of at most T and the
number of experts a task, and returns int64[T, k], −1 for none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = ["balanced", "expert_choice", "greedy", "top_k"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Rounds of the bias, and its step as a share of the range of the scores.
ROUNDS = 200
STEP = 0.005
# One comparison a pair, unordered: no NaN gets here.
VECTORISED = frozenset({"nnan", "nsz", "reassoc"})


@kernel
def _fill(
    scores: FloatArray, order: IntArray, room: IntArray, free: IntArray, chosen: IntArray
) -> None:
    """Go through pairs in the order given and take each whose task and expert have a free place."""
    experts = scores.shape[1]
    for pair in order:
        task, expert = pair // experts, pair % experts
        if scores[task, expert] == -np.inf:
            continue
        if room[expert] > 0 and free[task] > 0:
            room[expert] -= 1
            free[task] -= 1
            chosen[task, free[task]] = expert


def _filled(scores: FloatArray, order: IntArray, capacities: IntArray, k: int) -> IntArray:
    tasks = len(scores)
    chosen = np.full((tasks, k), -1)
    _fill(scores, order, capacities.copy(), np.full(tasks, k), chosen)
    return chosen[:, ::-1].copy()


def greedy(keys: FloatArray, capacities: IntArray, k: int) -> IntArray:
    """Take the largest key of all, then the largest of what is left."""
    return _filled(keys, np.argsort(-keys, axis=None, kind="stable"), capacities, k)


def top_k(scores: FloatArray, capacities: IntArray, k: int) -> IntArray:
    """Send each task to its k best; whoever comes to a full expert is dropped there.

    First choices go before second ones, and earlier tasks before later ones (D. Lepikhin and
    others, "GShard", ICLR 2021, section 2.2).
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    pairs = best + np.arange(len(scores))[:, None] * scores.shape[1]
    return _filled(scores, np.ascontiguousarray(pairs.T).ravel(), capacities, k)


def expert_choice(scores: FloatArray, capacities: IntArray, k: int) -> IntArray:
    """Let each expert take its best tasks, as many as it has places.

    Y. Zhou and others, "Mixture-of-experts with expert choice routing", NeurIPS 2022. A task that
    more than k experts choose keeps the best k; one that none chooses is dropped.
    """
    taken = np.full(scores.shape, -np.inf)
    ranked = np.argsort(-scores, axis=0, kind="stable")
    for expert, capacity in enumerate(capacities):
        tasks = ranked[:capacity, expert]
        taken[tasks, expert] = scores[tasks, expert]
    return top_k(taken, np.full(len(capacities), len(scores)), k)


@kernel(fastmath=VECTORISED)
def _largest(row: FloatArray, bias: FloatArray) -> float:
    top = -np.inf
    for expert in range(len(row)):
        key = row[expert] + bias[expert]
        top = key if key > top else top
    return top


@kernel
def _next(row: FloatArray, bias: FloatArray, before: float, last: int) -> int:
    """Return whose key is the largest after that of `last`; −1 where nobody is left."""
    best, top = -1, -np.inf
    for expert in range(len(row)):
        key = row[expert] + bias[expert]
        if key > top and (key < before or (key == before and expert > last)):
            best, top = expert, key
    return best


@kernel
def _count_top(scores: FloatArray, bias: FloatArray, k: int, load: IntArray) -> None:
    """Count how many tasks have each expert among their k best."""
    for task in range(len(scores)):
        row = scores[task]
        top, expert = _largest(row, bias), 0
        if top == -np.inf:
            continue
        while row[expert] + bias[expert] != top:
            expert += 1
        load[expert] += 1
        for _ in range(k - 1):
            expert = _next(row, bias, row[expert] + bias[expert], expert)
            if expert < 0:
                break
            load[expert] += 1


def balanced(scores: FloatArray, capacities: IntArray, k: int) -> IntArray:
    """Add a bias to each expert that rises while it has too few tasks; then choose greedily.

    L. Wang and others, "Auxiliary-loss-free load balancing strategy for mixture-of-experts",
    2024, which is what DeepSeek-V3 does. Loads are balanced in proportion to the capacities.
    """
    finite = scores[np.isfinite(scores)]
    step = STEP * float(np.ptp(finite)) if finite.size else 0.0
    target = capacities * (len(scores) * k / max(int(capacities.sum()), 1))
    bias = np.where(capacities > 0, 0.0, -np.inf)
    for _ in range(ROUNDS):
        load = np.zeros(len(bias), np.int64)
        _count_top(scores, bias, k, load)
        bias += step * np.sign(target - load)
    return greedy(scores + bias, capacities, k)
