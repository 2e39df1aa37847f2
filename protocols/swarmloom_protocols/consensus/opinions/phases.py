"""Phases that pull at each other: the steps of Kuramoto's model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.consensus.opinions.arguments import (
    FloatArray,
    Graph,
    Matrix,
    trust_of,
)
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["kuramoto_steps", "order_parameter"]

# Classical Runge–Kutta: where each slope is taken, and how much it counts.
SHIFTS = (0.0, 0.5, 0.5, 1.0)
SHARES = (1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0)


def order_parameter(phases: ArrayLike) -> float:
    """Return r = |mean of e^(iθ)|: 1 where all phases are equal, about 1/√n for random ones.

    Parameters
    ----------
    phases : array-like of float, shape (n,)
        In radians; at least one.

    Raises
    ------
    InputError
        No phase, no real numbers, or one that is not finite.
    """
    angles = real_array("phases", phases)
    if not angles.size or not np.isfinite(angles).all():
        raise InputError(f"phases: {angles.size} numbers; allowed: finite ones, at least one")
    return float(np.abs(np.exp(1j * angles).mean()))


def kuramoto_steps(
    phases: ArrayLike,
    frequencies: ArrayLike,
    coupling: float,
    *,
    weights: Graph | None = None,
    dt: float = 0.05,
    steps: int = 1,
    device: Device = "auto",
) -> FloatArray:
    """Return phases after steps of dθᵢ/dt = ωᵢ + K Σⱼ wᵢⱼ sin(θⱼ − θᵢ).

    Parameters
    ----------
    phases : array-like of float, shape (n,)
        θ, in radians.
    frequencies : array-like of float, shape (n,)
        ω, in radians per unit of time.
    coupling : float
        K, from 0.
    weights : sparse matrix, array-like or networkx graph, optional
        Trust matrix (rows sum to 1); without one everybody counts 1/n, which costs O(n).
    dt : float, optional
        Length of a step of the classical Runge–Kutta method.
    steps : int, optional
        How many (≥ 0).
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; the mean field is always on the CPU.

    Returns
    -------
    ndarray of float64, shape (n,)
        Not wrapped into a turn.

    Raises
    ------
    InputError
        An argument has another shape or is out of its range.

    Notes
    -----
    Kuramoto, 1975. With the mean field and frequencies of a Lorentz distribution of half width γ
    phases lock above K = 2γ, to r = √(1 − 2γ/K) (Strogatz, Physica D 143, 2000).
    """
    angles = real_array("phases", phases).copy()
    own = real_array("frequencies", frequencies).copy()
    if angles.ndim != 1 or not angles.size or own.shape != angles.shape:
        message = f"phases: shape {angles.shape}, frequencies: shape {own.shape}"
        raise InputError(f"{message}; allowed: one of each an expert")
    if not (np.isfinite(angles).all() and np.isfinite(own).all()):
        raise InputError("phases and frequencies: allowed are finite numbers")
    coupling = between("coupling", coupling, 0.0)
    dt, steps = positive("dt", dt), whole("steps", steps, 0)
    if weights is None:
        return mean_field_steps(angles, own, coupling, np.ones_like(own), dt, steps)
    matrix = trust_of("weights", weights, len(angles))
    return graph_steps(angles, own, coupling, matrix, dt, steps, device)


def mean_field_steps(
    phases: FloatArray,
    frequencies: FloatArray,
    coupling: float,
    confidence: FloatArray,
    dt: float,
    steps: int,
) -> FloatArray:
    """Return phases that all feel the same mean, in which each counts by their confidence."""
    shares = confidence / confidence.sum()

    def slope(angles: FloatArray) -> FloatArray:
        sines, cosines = np.sin(angles), np.cos(angles)
        # Sums of NumPy's own: a BLAS may add up differently with other numbers of threads.
        felt = float((shares * sines).sum()), float((shares * cosines).sum())
        pull: FloatArray = felt[0] * cosines - felt[1] * sines
        return frequencies + coupling * pull

    return _runge_kutta(slope, phases, dt, steps)


def graph_steps(
    phases: FloatArray,
    frequencies: FloatArray,
    coupling: float,
    matrix: Matrix,
    dt: float,
    steps: int,
    device: Device,
) -> FloatArray:
    """Return phases that feel their neighbours by a trust matrix."""
    if steps and resolve(device, size=matrix.nnz * steps) == "cuda":
        return _graph_steps_on_cuda(phases, frequencies, coupling, matrix, dt, steps)

    def slope(angles: FloatArray) -> FloatArray:
        # sin(a − b) = sin a cos b − cos a sin b turns the sum over neighbours into two products.
        both = np.column_stack([np.sin(angles), np.cos(angles)])
        felt = matrix @ both
        pull: FloatArray = felt[:, 0] * both[:, 1] - felt[:, 1] * both[:, 0]
        return frequencies + coupling * pull

    return _runge_kutta(slope, phases, dt, steps)


def _runge_kutta(
    slope: Callable[[FloatArray], FloatArray], phases: FloatArray, dt: float, steps: int
) -> FloatArray:
    for _ in range(steps):
        total, last = np.zeros_like(phases), np.zeros_like(phases)
        for shift, share in zip(SHIFTS, SHARES, strict=True):
            last = slope(phases + shift * dt * last)
            total += share * last
        phases = phases + dt * total
    return phases


def _graph_steps_on_cuda(
    phases: FloatArray,
    frequencies: FloatArray,
    coupling: float,
    matrix: Matrix,
    dt: float,
    steps: int,
) -> FloatArray:
    from swarmloom.cuda import numba_cuda
    from swarmloom_protocols.consensus.opinions.opinions_cuda import kuramoto_slope

    cuda = numba_cuda()
    indptr, indices = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
    graph = [cuda.to_device(part) for part in (indptr, indices, matrix.data, frequencies)]
    now, then = cuda.to_device(phases), cuda.to_device(phases)
    last, slope = cuda.to_device(np.zeros_like(phases)), cuda.to_device(np.zeros_like(phases))
    for _ in range(steps):
        for stage, (shift, share) in enumerate(zip(SHIFTS, SHARES, strict=True)):
            numbers = (coupling, shift * dt, share * dt, stage == 0)
            kuramoto_slope.launch(len(phases), *graph, now, last, *numbers, slope, then)
            last, slope = slope, last
        now, then = then, now
    result: FloatArray = now.copy_to_host()
    return result
