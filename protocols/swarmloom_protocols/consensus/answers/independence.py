"""How many independent voters a crew is worth."""

from __future__ import annotations

import numpy as np

from swarmloom_protocols.consensus._types import FloatArray, IntArray

__all__ = ["effective_voters", "error_correlations"]


def error_correlations(codes: IntArray, right: IntArray) -> FloatArray:
    """Correlate the errors of agents.

    Parameters
    ----------
    codes : ndarray of int64, shape (items, agents)
        −1 is no answer.
    right : ndarray of int64, shape (items,)
        The right code, or the crew's verdict in its place; −1 where it is nobody's answer.

    Returns
    -------
    ndarray of float64, shape (agents, agents)
        Pearson's correlation over the items that both answered, each agent centred on its own
        mean; 1 on the diagonal, 0 where one of them never or always errs, or none is shared.
    """
    given = codes >= 0
    errors = np.where(given, codes != right[:, None], False).astype(np.float64)
    answered = np.maximum(given.sum(axis=0), 1)
    centred = np.where(given, errors - errors.sum(axis=0) / answered, 0.0)
    present = given.astype(np.float64)
    squares = (centred**2).T @ present
    scale = np.sqrt(squares * squares.T)
    product = centred.T @ centred
    rates: FloatArray = np.divide(product, scale, out=np.zeros_like(product), where=scale > 1e-12)
    np.fill_diagonal(rates, 1.0)
    return rates


def effective_voters(codes: IntArray, right: IntArray, weights: FloatArray | None = None) -> float:
    """Return the number of independent voters that a crew of correlated ones is worth.

    Parameters
    ----------
    codes, right
        As in `error_correlations`. With the crew's own verdict for `right` the number comes out
        too high, because an error that the crew shares is not seen as one.
    weights : ndarray of float64, shape (agents,), optional
        Trust; equal by default.

    Returns
    -------
    float
        (Σ w)² / Σ_ij w_i w_j ρ_ij, Kish's design effect (1965) with correlated members: n for
        independent errors, 1 for identical ones; from 1 to the number of agents, 0 without weight.
    """
    n_agents = codes.shape[1]
    w = np.ones(n_agents) if weights is None else weights
    total = float(w.sum())
    if total <= 0.0:
        return 0.0
    spread = float(w @ error_correlations(codes, right) @ w)
    return float(np.clip(total**2 / max(spread, 1e-12), 1.0, n_agents))
