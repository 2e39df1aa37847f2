"""A driven random network, and how much of its input it remembers: a task for the edge of chaos.

Jaeger, "Short term memory in echo state networks" (2001): the memory capacity is the sum over
delays of the squared correlation between an input and its best linear reconstruction from the
network's state. It is at most the number of units.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import between, generator, whole
from swarmloom_protocols.consensus.chaos.systems import System

__all__ = ["memory_capacity", "network", "weights"]

FloatArray = NDArray[np.float64]

WASH_OUT = 200
# Of the regression's normal equations, relative to their mean diagonal.
RIDGE = 1e-8


def weights(units: int, *, rng: np.random.Generator) -> FloatArray:
    """Return normal weights with a spectral radius of about 1, shape (units, units)."""
    whole("units", units, 1)
    return generator("rng", rng).normal(0.0, 1.0 / math.sqrt(units), (units, units))


@kernel
def _network(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    for i in range(x.size):
        total = 0.0
        for j in range(x.size):
            total += p[1 + i * x.size + j] * x[j]
        out[i] = math.tanh(p[0] * total)


@kernel
def _network_jacobian(x: FloatArray, p: FloatArray, out: FloatArray) -> None:
    ahead = np.empty(x.size)
    _network(x, p, ahead)
    for i in range(x.size):
        slope = p[0] * (1.0 - ahead[i] * ahead[i])
        for j in range(x.size):
            out[i, j] = slope * p[1 + i * x.size + j]


_KERNELS: dict[Any, Any] = {}


def network(matrix: FloatArray, gain: float = 1.0) -> System:
    """Return x → tanh(gain · W x), the network without input (Sompolinsky et al. 1988).

    The origin is stable below a gain of 1 over the spectral radius of W.

    Parameters
    ----------
    matrix : ndarray of float64, shape (units, units)
        W; its entries are the parameters "w0,0", "w0,1", …
    gain : float, optional
        The parameter "gain".
    """
    units = len(matrix)
    named = {f"w{i},{j}": float(matrix[i, j]) for i in range(units) for j in range(units)}
    start = tuple(np.linspace(-0.5, 0.5, units).tolist())
    parts = (_network, _network_jacobian, {"gain": gain} | named, start)
    return System("network", "map", units, *parts, shipped=True, _kernels=_KERNELS)


def memory_capacity(
    matrix: FloatArray,
    gain: float,
    *,
    rng: np.random.Generator,
    steps: int = 2_000,
    input_scale: float = 0.1,
) -> float:
    """Measure how many steps of a random input a network remembers.

    Parameters
    ----------
    matrix : ndarray of float64, shape (units, units)
        W.
    gain : float
        Of the weights.
    rng : numpy.random.Generator
        For the input, uniform in [−1, 1], and its weights.
    steps : int, optional
        Steps to learn from, and as many to measure on.
    input_scale : float, optional
        Of the input's weights.

    Returns
    -------
    float
        Sum over delays from 1 to twice the units of the squared correlation, on steps that the
        reconstruction was not fitted to.
    """
    units = len(matrix)
    longest = 2 * units
    between("gain", gain, 0.0)
    if whole("steps", steps, 1) <= longest:
        raise InputError(f"steps is {steps}; allowed: more than {longest}, twice the units")
    driven = generator("rng", rng).uniform(-1.0, 1.0, WASH_OUT + longest + 2 * steps)
    entry = input_scale * rng.uniform(-1.0, 1.0, units)
    states = np.zeros((driven.size + 1, units))
    for i, value in enumerate(driven):
        states[i + 1] = np.tanh(gain * (matrix @ states[i]) + entry * value)
    first = driven.size - 2 * steps
    rows = np.arange(first, driven.size)
    wanted = np.column_stack([driven[rows - delay] for delay in range(1, longest + 1)])
    seen = states[rows + 1]
    return _reconstructed(seen[:steps], wanted[:steps], seen[steps:], wanted[steps:])


def _reconstructed(
    seen: FloatArray, wanted: FloatArray, new_seen: FloatArray, new_wanted: FloatArray
) -> float:
    """Return the sum of squared correlations of a ridge regression on new data."""
    products = seen.T @ seen
    ridge = RIDGE * np.trace(products) / len(products)
    solution = np.linalg.solve(products + ridge * np.eye(len(products)), seen.T @ wanted)
    guesses = new_seen @ solution
    away, off = guesses - guesses.mean(axis=0), new_wanted - new_wanted.mean(axis=0)
    norms = (away**2).sum(axis=0) * (off**2).sum(axis=0)
    squares = (away * off).sum(axis=0) ** 2
    return float((squares[norms > 0.0] / norms[norms > 0.0]).sum())
