"""Balanced routing by entropic optimal transport, rounded to whole tasks.

M. Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", NIPS 2013; balanced
gates by it: A. Clark and others, "Unified scaling laws for routed language models", ICML 2022.
Upper limits instead of fixed masses: J.-D. Benamou and others, SIAM J. Sci. Comput. 37, 2015.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom_protocols.bio_routing.batches.gates import greedy
from swarmloom_protocols.bio_routing.batches.sinkhorn_kernels import half_step

__all__ = ["expert_potentials", "sinkhorn"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Temperature as a share of the range of the scores.
TEMPERATURE = 0.05
STEPS = 50
# Pairs from which "auto" takes a GPU. A guess: it has not been measured.
WORTH_A_GPU = 1 << 21


def sinkhorn(scores: FloatArray, capacities: IntArray, k: int, device: Device = "auto") -> IntArray:
    """Choose greedily by score plus the experts' potentials.

    Parameters
    ----------
    scores : float64[T, E]
        −inf where not allowed.
    capacities : int64[E]
        At most T.
    k : int
        Experts a task.
    device : {"auto", "cpu", "cuda"}, optional

    Returns
    -------
    int64[T, k]
        −1 for none.
    """
    finite = scores[np.isfinite(scores)]
    temperature = TEMPERATURE * float(np.ptp(finite)) if finite.size else 0.0
    if temperature == 0.0:
        return greedy(scores, capacities, k)
    potentials = expert_potentials(scores / temperature, capacities, k, STEPS, device)
    open_to = np.where(capacities > 0, potentials, -np.inf)
    return greedy(scores + temperature * open_to, capacities, k)


def expert_potentials(
    energies: FloatArray,
    capacities: IntArray,
    k: int,
    steps: int = STEPS,
    device: Device = "auto",
) -> FloatArray:
    """Return what Sinkhorn's iteration adds to each expert's energies.

    Where there are places enough every task sends k units and capacities are upper limits; else
    every place is filled and tasks may send less.

    Parameters
    ----------
    energies : float64[T, E]
        Scores divided by the temperature, −inf where not allowed.
    capacities : int64[E]
    k : int
    steps : int, optional
    device : {"auto", "cpu", "cuda"}, optional

    Returns
    -------
    float64[E]
        0 for experts that nobody may use, and at most 0 for all where there are places enough.
    """
    open_to = np.ascontiguousarray(np.where(capacities > 0, energies, -np.inf))
    masses = np.full(len(energies), np.log(k)), np.log(np.maximum(capacities, 1.0))
    loose = bool(len(energies) * k <= capacities.sum())
    if resolve(device, size=energies.size, worth=WORTH_A_GPU) == "cuda":
        from swarmloom_protocols.bio_routing.batches.sinkhorn_cuda import potentials_on_gpu

        return potentials_on_gpu(open_to, masses, loose, steps)
    return _potentials(open_to, masses, loose, steps)


def _potentials(
    energies: FloatArray, masses: tuple[FloatArray, FloatArray], loose: bool, steps: int
) -> FloatArray:
    turned = np.ascontiguousarray(energies.T)
    u, v = np.zeros(len(energies)), np.zeros(len(turned))
    for _ in range(steps):
        _over_bands(energies, v, masses[0], not loose, u)
        _over_bands(turned, u, masses[1], loose, v)
    return v


def _over_bands(
    energies: FloatArray, other: FloatArray, mass: FloatArray, capped: bool, own: FloatArray
) -> None:
    def one(low: int, high: int) -> None:
        half_step(energies[low:high], other, mass[low:high], capped, own[low:high])

    map_bands(one, len(energies), energies.shape[1])
