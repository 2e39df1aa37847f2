"""How much each agent's voice counts: from agreement alone, or from known answers.

Log-odds weights assume that agents err independently. Language models do not: weights that grow
as a power of agreement, or of accuracy, hold up better on their answers.
"""

from __future__ import annotations

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray

__all__ = [
    "POWER",
    "agreement_trust",
    "consensus_trust",
    "degree_trust",
    "extended",
    "normalised",
    "shrunk_accuracy",
]

POWER = 5.0
MOST_SWEEPS = 200
CLOSE = 1e-9


def normalised(weights: FloatArray) -> FloatArray:
    """Scale weights to a sum of 1; those that sum to 0 become equal."""
    total = weights.sum()
    return weights / total if total > 0.0 else np.full(weights.size, 1.0 / weights.size)


def agreement_trust(rates: FloatArray, power: float = POWER) -> FloatArray:
    """Trust those who agree with the trusted: T^q.

    Each agent starts with the median of its agreement with the others, raised to `power`, and is
    then trusted by its mean agreement with them, weighted by their trust, raised to `power`. The
    median keeps a minority that always agrees with itself from starting on top.

    Parameters
    ----------
    rates : ndarray of float64, shape (agents, agents)
        Agreement beyond chance, NaN where unknown; see `swarmloom_protocols.consensus.answers.
        agreement.agreement`.
    power : float, optional
        1 weighs by agreement; 4 to 8 give nearly the same accuracy on answers of language models.

    Returns
    -------
    ndarray of float64, shape (agents,)
        Sums to 1. An agent that shares no item with anybody has the median weight of the others.
    """
    known = ~np.isnan(rates)
    weights = normalised(np.clip(_medians(rates, known), 0.0, None) ** power)
    _sweep(np.where(known, rates, 0.0), known.astype(np.float64), power, weights)
    return _with_strangers(weights, _met(known))


@kernel
def _sweep(filled: FloatArray, known: FloatArray, power: float, weights: FloatArray) -> None:
    """Replace the weights by the mean agreement to a power until they stand still."""
    n_agents = weights.size
    raised = np.zeros(n_agents)
    for _ in range(MOST_SWEEPS):
        total = change = 0.0
        for agent in range(n_agents):
            met = agreed = 0.0
            for other in range(n_agents):
                met += known[agent, other] * weights[other]
                agreed += filled[agent, other] * weights[other]
            raised[agent] = max(agreed / met, 0.0) ** power if met > 0.0 else 0.0
            total += raised[agent]
        for agent in range(n_agents):
            share = raised[agent] / total if total > 0.0 else 1.0 / n_agents
            change = max(change, abs(share - weights[agent]))
            weights[agent] = share
        if change < CLOSE:
            return


def _met(known: BoolArray) -> BoolArray:
    """Tell who shares an item with anybody."""
    return np.asarray(known.any(axis=1))


def _medians(rates: FloatArray, known: BoolArray) -> FloatArray:
    return np.array(
        [
            np.median(row[is_known]) if is_known.any() else 0.0
            for row, is_known in zip(rates, known, strict=True)
        ]
    )


def _mean_agreement(filled: FloatArray, known: BoolArray, weights: FloatArray) -> FloatArray:
    """Return each agent's mean agreement with the others, weighted by their trust, from 0."""
    total = known @ weights
    mean = np.divide(filled @ weights, total, out=np.zeros_like(total), where=total > 0.0)
    return np.clip(mean, 0.0, None)


def _with_strangers(weights: FloatArray, met: BoolArray) -> FloatArray:
    """Give those who met nobody the median weight of those who did."""
    if not met.any():
        return normalised(np.zeros(weights.size))
    return normalised(np.where(met, weights, np.median(weights[met])))


def degree_trust(rates: FloatArray, power: float = POWER) -> FloatArray:
    """Trust by the sum of an agent's agreement with all others, each raised to `power`: D^q.

    The stationary influence of DeGroot's model (1974) on the symmetric matrix of powers. It has no
    robust start: a minority of copies comes out on top.

    Parameters, values returned
        As in `agreement_trust`.
    """
    known = ~np.isnan(rates)
    powers = np.where(known, np.clip(np.nan_to_num(rates), 0.0, None), 0.0) ** power
    return _with_strangers(normalised(powers.sum(axis=1)), _met(known))


def consensus_trust(codes: IntArray, power: float = POWER) -> FloatArray:
    """Trust by agreement with the weighted vote of all others, iterated: L^q.

    Parameters
    ----------
    codes : ndarray of int64, shape (items, agents)
        Compact codes, see `swarmloom_protocols.consensus.answers.ballots.ballots`.
    power : float, optional
        Of the share of items on which an agent gives the others' answer.

    Returns
    -------
    ndarray of float64, shape (agents,)
        Sums to 1. It starts from equal weights, so that a colluding third may come out on top.
    """
    n_agents = codes.shape[1]
    weights = np.full(n_agents, 1.0 / n_agents)
    tally = np.zeros(n_agents)
    for _ in range(MOST_SWEEPS):
        shares = np.zeros(n_agents)
        _shares_with_rest(codes, weights, tally, shares)
        before, weights = weights, normalised(shares**power)
        if np.abs(weights - before).max() < CLOSE:
            break
    return weights


@kernel
def _shares_with_rest(
    codes: IntArray, weights: FloatArray, tally: FloatArray, shares: FloatArray
) -> None:
    """Write how often each agent's answer leads the weighted vote of the others."""
    n_agents = codes.shape[1]
    met = np.zeros(n_agents)
    for item in range(codes.shape[0]):
        tally[:] = 0.0
        total = 0.0
        for agent in range(n_agents):
            if codes[item, agent] >= 0:
                tally[codes[item, agent]] += weights[agent]
                total += weights[agent]
        for agent in range(n_agents):
            code = codes[item, agent]
            if code < 0 or total - weights[agent] <= 0.0:
                continue
            met[agent] += 1.0
            mine = tally[code] - weights[agent]
            leads = mine > 0.0
            for other in range(n_agents):
                if other != code and tally[other] > mine:
                    leads = False
            shares[agent] += 1.0 if leads else 0.0
    for agent in range(n_agents):
        shares[agent] = shares[agent] / met[agent] if met[agent] > 0.0 else 0.0


def shrunk_accuracy(right: FloatArray, asked: FloatArray) -> FloatArray:
    """Return (right + 1) / (asked + 2), Laplace's rule of succession, for each agent."""
    rates: FloatArray = (right + 1.0) / (asked + 2.0)
    return rates


def extended(
    weights: FloatArray, tested: BoolArray, rates: FloatArray, power: float = POWER
) -> FloatArray:
    """Extend trust from agents with known answers to those without.

    Parameters
    ----------
    weights : ndarray of float64, shape (agents,)
        Unscaled accuracy raised to `power`; read where `tested`.
    tested : ndarray of bool, shape (agents,)
        Who had known answers enough.
    rates : ndarray of float64, shape (agents, agents)
        Agreement beyond chance.
    power : float, optional
        The same power.

    Returns
    -------
    ndarray of float64, shape (agents,)
        Sums to 1: the others have their mean agreement with the tested ones, weighted by trust and
        raised to `power`, never more than the most trusted tested agent; 0 where it is unknown.
    """
    known = ~np.isnan(rates)
    base = np.where(tested, weights, 0.0)
    through = _mean_agreement(np.where(known, rates, 0.0), known, base) ** power
    return normalised(np.where(tested, weights, np.minimum(through, base.max())))
