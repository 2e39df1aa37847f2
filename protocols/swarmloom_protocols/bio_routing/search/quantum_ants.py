"""Quantum-style ants, simulated on a classical computer: no quantum speed-up is claimed.

Amplitude amplification reweighs an ant's choice (Brassard, Høyer, Mosca, Tapp, "Quantum amplitude
amplification and estimation", 2002); a continuous-time quantum walk proposes options (Farhi,
Gutmann, "Quantum computation and decision trees", 1998). Both are exact, and both are what any
classical sampler could draw from: at equal numbers of evaluations they do not help, as the guide
shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.search.problem import SearchProblem
from swarmloom_protocols.checks import positive, whole

__all__ = ["amplified", "amplified_pick", "diffusion_proposals", "quantum_walk_proposals"]

FloatArray = NDArray[np.float64]

# Full matrices of complex numbers, and all their eigenvectors.
MOST_NODES = 2_000
# Of a node's likeliest option: what the others are worth at least.
LEAST_SHARE = 1e-6


@kernel
def amplified(share: float, rounds: int) -> tuple[float, int]:
    """Return the probability of the marked options after Grover iterations, and their number.

    Parameters
    ----------
    share : float
        Probability of the marked options before, sin² θ.
    rounds : int
        Iterations k, after which it is sin²((2k + 1) θ); −1 for ⌊π / 4θ⌋, the best number.
    """
    if share <= 0.0 or share >= 1.0:
        return share, 0
    angle = math.asin(math.sqrt(share))
    # At an angle of π/4 rounding must not decide.
    count = int(math.pi / (4.0 * angle) + 1e-9) if rounds < 0 else rounds
    if rounds < 0 and share >= 0.5:
        count = 0
    return math.sin((2.0 * count + 1.0) * angle) ** 2, count


def amplified_pick(factor: float = 0.8, rounds: int | None = None) -> Callable[..., Any]:
    """Return a way of choosing for `Colony`: cheap options have their amplitudes amplified.

    An ant holds the state Σ √pᵢ |i⟩ over its options; an oracle marks those that cost less than
    `factor` times the mean under p; Grover iterations turn the state towards them, and a
    measurement chooses. Each iteration is charged as one evaluation more.

    Parameters
    ----------
    factor : float, optional
        Above 0.
    rounds : int, optional
        Grover iterations, from 0; by default the best number for each choice.

    Returns
    -------
    kernel
        For the argument `pick`; see `walk_kernels.pick`.
    """
    part = positive("factor", factor)
    fixed = -1 if rounds is None else whole("rounds", rounds, 0)

    def pick(
        weights: NDArray[np.float32],
        costs: FloatArray,
        first: int,
        count: int,
        total: float,
        number: float,
    ) -> tuple[int, int]:
        mean, share = 0.0, 0.0
        for rank in range(count):
            mean += weights[rank] / total * costs[first + rank]
        for rank in range(count):
            if costs[first + rank] < part * mean:
                share += weights[rank] / total
        turned, iterations = amplified(share, fixed)
        raised = turned / share if share > 0.0 else 0.0
        lowered = (1.0 - turned) / (1.0 - share) if share < 1.0 else 0.0
        reached, last = 0.0, 0
        for rank in range(count):
            if weights[rank] > 0.0:
                marked = costs[first + rank] < part * mean
                reached += weights[rank] / total * (raised if marked else lowered)
                last = rank
                if reached > number:
                    break
        return last, 1 + iterations

    chosen: Callable[..., Any] = kernel(pick)
    return chosen


def quantum_walk_proposals(problem: SearchProblem, time: float = 1.0) -> SearchProblem:
    """Return a problem whose options are worth what a quantum walk from their node proposes.

    The walker starts at a node and moves by the Hamiltonian H = D^(−1/2) W D^(−1/2), where W holds
    the desirability of the options and D its row sums; after `time` it is measured, and an option
    is worth the probability |⟨target| exp(−iHt) |node⟩|².

    Parameters
    ----------
    problem : SearchProblem
        Symmetric, with at most 2,000 nodes.
    time : float, optional
        Above 0.

    Raises
    ------
    InputError
        The problem is another one, or `time` is out of range.
    """
    values, vectors = _spectrum(problem)
    turned = vectors * np.exp(-1j * values * positive("time", time))
    return _worth(problem, np.abs(turned @ vectors.T) ** 2)


def diffusion_proposals(problem: SearchProblem, time: float = 1.0) -> SearchProblem:
    """Return what `quantum_walk_proposals` does for a classical walk: its control.

    Its probabilities are those of exp((H − 1) t), with the same H.

    Parameters
    ----------
    problem, time
        As `quantum_walk_proposals` takes them.
    """
    values, vectors = _spectrum(problem)
    decayed = vectors * np.exp((values - 1.0) * positive("time", time))
    return _worth(problem, np.asarray(decayed @ vectors.T))


def _spectrum(problem: SearchProblem) -> tuple[FloatArray, FloatArray]:
    """Return eigenvalues and eigenvectors of the Hamiltonian."""
    n, graph = problem.n_nodes, problem.graph
    if not problem.symmetric or n > MOST_NODES:
        kind = "symmetric" if problem.symmetric else "directed"
        raise InputError(f"a {kind} problem of {n} nodes; allowed: symmetric, to {MOST_NODES}")
    weights = np.zeros((n, n))
    weights[problem.sources, graph.targets] = problem.desirability
    weights = np.maximum(weights, weights.T)
    rates = 1.0 / np.sqrt(np.maximum(weights.sum(axis=1), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(weights * rates[:, None] * rates)
    return values, vectors


def _worth(problem: SearchProblem, probabilities: FloatArray) -> SearchProblem:
    chances = probabilities[problem.sources, problem.graph.targets]
    most = np.zeros(problem.n_nodes)
    np.maximum.at(most, problem.sources, chances)
    least = np.maximum(LEAST_SHARE * most[problem.sources], np.finfo(float).tiny)
    return replace(problem, desirability=np.maximum(chances, least))
