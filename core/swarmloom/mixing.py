"""Mixing the protocols' proposals into one affinity, and telling who decided what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from swarmloom.errors import InputError
from swarmloom.types import BoolArray, Float32Array, Mixture, Proposal

__all__ = ["check_proposal", "mix", "shares"]


def check_proposal(proposal: Proposal, shape: tuple[int, int]) -> None:
    """Refuse a proposal that cannot be mixed.

    Parameters
    ----------
    proposal : Proposal
    shape : tuple of int
        (tasks, experts) of the round.

    Raises
    ------
    InputError
        If it is no proposal, its affinity has another shape or holds NaN or infinities, its
        confidence is outside [0, 1], or its coupling has another shape.
    """
    if not isinstance(proposal, Proposal):
        raise InputError(f"navigate must return a Proposal or None, not {type(proposal).__name__}")
    if np.shape(proposal.affinity) != shape:
        raise InputError(
            f"affinity has shape {np.shape(proposal.affinity)}, the round has {shape} "
            "(tasks × experts)"
        )
    with np.errstate(over="ignore"):
        affinity = np.asarray(proposal.affinity, dtype=np.float32)
    if not np.isfinite(affinity).all():
        raise InputError("affinity holds NaN, infinite or huge values; 0 means no opinion")
    if not 0.0 <= proposal.confidence <= 1.0:
        raise InputError(f"confidence is {proposal.confidence}, allowed is 0 to 1")
    if proposal.coupling is not None:
        _check_coupling(proposal.coupling, shape[0] * shape[1])


def _check_coupling(coupling: Any, pairs: int) -> None:
    from scipy import sparse

    is_sparse = bool(sparse.issparse(coupling))
    if not is_sparse:
        raise InputError(f"coupling is {type(coupling).__name__}, not a scipy.sparse array")
    if coupling.shape != (pairs, pairs):
        raise InputError(f"coupling has shape {coupling.shape}, not {(pairs, pairs)}")
    if not np.isfinite(coupling.data).all():
        raise InputError("coupling holds NaN or infinite values")


def mix(
    proposals: Iterable[tuple[str, Proposal]],
    weights: Mapping[str, float],
    allowed: BoolArray,
) -> Mixture:
    """Add the proposals up: Σ weight · confidence · affinity.

    Parameters
    ----------
    proposals : iterable of (str, Proposal)
        Each protocol's name and what it said.
    weights : mapping of str to float
        Weight of each protocol; those not named weigh 0.
    allowed : ndarray of bool, shape (T, E)

    Returns
    -------
    Mixture
        Its affinity is −inf where not allowed.
    """
    parts: dict[str, Float32Array] = {}
    factors: dict[str, float] = {}
    coupling = None
    total = np.zeros(allowed.shape, dtype=np.float32)
    for name, proposal in proposals:
        factor = weights.get(name, 0.0) * proposal.confidence
        if factor == 0.0:
            continue
        parts[name] = np.float32(factor) * np.asarray(proposal.affinity, dtype=np.float32)
        factors[name] = factor
        total += parts[name]
        if proposal.coupling is not None:
            term = factor * proposal.coupling
            coupling = term if coupling is None else coupling + term
    total[~allowed] = -np.inf
    for array in (total, *parts.values()):
        array.setflags(write=False)
    return Mixture(total, coupling, parts, factors)


def shares(mixture: Mixture, task: int, expert: int) -> dict[str, float]:
    """Tell how much each protocol had in a decision.

    A protocol's pull is how far it lifted the chosen expert above the runner-up, the best of the
    others that were allowed; its share is its pull over the sum of all positive pulls.

    Parameters
    ----------
    mixture : Mixture
    task, expert : int
        Row and chosen column.

    Returns
    -------
    dict of str to float
        Sums to 1, or empty when nobody pulled (one candidate, or no opinions).
    """
    others = mixture.affinity[task].copy()
    others[expert] = -np.inf
    runner_up = int(np.argmax(others))
    if others[runner_up] == -np.inf:
        return {}
    pulls = {
        name: max(0.0, float(part[task, expert] - part[task, runner_up]))
        for name, part in mixture.parts.items()
    }
    total = sum(pulls.values())
    return {name: pull / total for name, pull in pulls.items()} if total > 0 else {}
