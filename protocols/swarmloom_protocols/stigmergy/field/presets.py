"""Well-known reaction–diffusion systems as one fused kernel each.

Each step is explicit in time; reaction and diffusion of all channels are one pass over memory.

- **Gray–Scott** (Gray & Scott 1984; Pearson, "Complex patterns in a simple system", Science 261,
  1993): ∂u/∂t = D_u∇²u − uv² + F(1 − u), ∂v/∂t = D_v∇²v + uv² − (F + k)v.
- **Fisher–KPP** (Fisher 1937; Kolmogorov, Petrovsky & Piskunov 1937): ∂u/∂t = D∇²u + r·u(1 − u/K),
  whose fronts run at 2√(rD).
- **FitzHugh–Nagumo** (FitzHugh 1961; Nagumo, Arimoto & Yoshizawa 1962):
  ∂u/∂t = D_u∇²u + u − u³/3 − w + I, ∂w/∂t = D_w∇²w + ε(u + a − b·w). Values of both signs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.stigmergy.field.boundaries import Boundaries
from swarmloom_protocols.stigmergy.field.chemistry_grids import (
    Field,
    channels_on_grid,
    checked_amounts,
    checked_step,
    checked_steps,
    iterate,
    iterate_on_gpu,
    layers_on_grid,
    spread_axes,
)
from swarmloom_protocols.stigmergy.field.preset_kernels import (
    FITZHUGH_NAGUMO,
    GRAY_SCOTT,
    fisher_rows,
    pair_rows,
)

__all__ = [
    "GRAY_SCOTT_REGIMES",
    "GrayScottRegime",
    "fisher_kpp_steps",
    "fitzhugh_nagumo_steps",
    "gray_scott_start",
    "gray_scott_states",
    "gray_scott_steps",
    "turing_wavelength",
]

Codes = NDArray[np.int64]


class GrayScottRegime(NamedTuple):
    """Feed rate F and kill rate k, per unit of time."""

    feed: float
    kill: float


GRAY_SCOTT_REGIMES = {
    "replicating spots": GrayScottRegime(0.0367, 0.0649),
    "coral": GrayScottRegime(0.0545, 0.062),
}


def gray_scott_steps(
    amounts: ArrayLike,
    feed: float,
    kill: float,
    diffusion: tuple[float, float] = (0.2097, 0.105),
    dt: float = 1.0,
    steps: int = 1,
    boundaries: Boundaries = "reflecting",
    device: Device = "auto",
) -> Field:
    """Do steps of the Gray–Scott system.

    Parameters
    ----------
    amounts : array-like of float32, shape (2, Y, X) or (2, Z, Y, X)
        u and v, ≥ 0; not changed. Four axes are a volume: layers of a plane take a call each.
    feed, kill : float
        F and k ≥ 0, per unit of time.
    diffusion : (float, float), optional
        D_u and D_v ≥ 0, in cells² per unit of time; Pearson's by default.
    dt : float, optional
        Time of a step, at most 1 / (2·axes·D_u + F) and 1 / (2·axes·D_v + F + k).
    steps : int, optional
        How many.
    boundaries : optional
        As `boundary_codes` takes them.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; a GPU keeps the field from the first step to the last.

    Returns
    -------
    ndarray of float32, shape of `amounts`
        Never negative: in a step the reaction takes at most the u that is there.

    Raises
    ------
    InputError
        An argument is out of its range; the message gives the largest time step.
    DeviceError
        "cuda" is not usable here.
    """
    field = checked_amounts(amounts)
    feed, kill = between("feed", feed, 0.0), between("kill", kill, 0.0)
    spread = _coefficients(diffusion)
    grid, codes = channels_on_grid(field, boundaries, 2)
    ways = 2.0 * spread_axes(grid.shape[1:], codes)
    fastest = max(ways * spread[0] + feed, ways * spread[1] + feed + kill)
    dt = checked_step(dt, 1.0 / fastest if fastest else math.inf)
    rates = dt * np.array([1.0, *spread, feed, feed + kill, 0.0, 0.0])
    return _pair_steps(field, grid, GRAY_SCOTT, rates, codes, checked_steps(steps), device)


def gray_scott_states(feed: float, kill: float) -> list[tuple[float, float]]:
    """Give the uniform steady states of the Gray–Scott reaction.

    Parameters
    ----------
    feed, kill : float
        F and k, above 0.

    Returns
    -------
    list of (float, float)
        u and v: (1, 0), which is always stable, and, where F ≥ 4(F + k)², the two states with
        u = (1 ∓ √(1 − 4(F + k)²/F)) / 2 and v = (1 − u)·F / (F + k); one where both are equal.
    """
    feed, kill = positive("feed", feed), between("kill", kill, 0.0)
    rest = 1.0 - 4.0 * (feed + kill) ** 2 / feed
    if rest < 0.0:
        return [(1.0, 0.0)]
    roots = sorted({0.5 * (1.0 - math.sqrt(rest)), 0.5 * (1.0 + math.sqrt(rest))})
    return [(1.0, 0.0), *((u, (1.0 - u) * feed / (feed + kill)) for u in roots)]


def gray_scott_start(
    shape: tuple[int, ...], rng: np.random.Generator, seeds: int = 8, noise: float = 0.01
) -> Field:
    """Give the usual beginning: u = 1 and v = 0, with square seeds of u = ½, v = ¼ and noise.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) or (Z, Y, X), each at least 1.
    rng : numpy.random.Generator
        Places the seeds and draws the noise.
    seeds : int, optional
        How many, at least 0.
    noise : float, optional
        0 to 1; each amount is multiplied with 1 + `noise` · (uniform in ±1).

    Returns
    -------
    ndarray of float32, shape (2, *shape)
        At least 0.

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    shape = tuple(whole("shape", size, 1) for size in shape)
    if len(shape) not in (2, 3):
        raise InputError(f"shape: {shape} is not (Y, X) or (Z, Y, X)")
    seeds, noise = whole("seeds", seeds, 0), between("noise", noise, 0.0, 1.0)
    amounts = np.zeros((2, *shape))
    amounts[0] = 1.0
    side = max(2, min(shape[-2:]) // 12)
    for _ in range(seeds):
        corner = [int(rng.integers(0, max(1, n - side + 1))) for n in shape]
        square = (..., *(slice(first, first + side) for first in corner))
        amounts[0][square], amounts[1][square] = 0.5, 0.25
    amounts *= 1.0 + noise * rng.uniform(-1.0, 1.0, amounts.shape)
    return amounts.astype(np.float32)


def fisher_kpp_steps(
    amounts: ArrayLike,
    growth: float,
    diffusion: float = 1.0,
    capacity: float = 1.0,
    dt: float = 0.1,
    steps: int = 1,
    boundaries: Boundaries = "reflecting",
    device: Device = "auto",
    axes: int | None = None,
) -> Field:
    """Do steps of the Fisher–KPP equation.

    Parameters
    ----------
    amounts : array-like of float32, shape (…, Y, X) or (…, Z, Y, X)
        u ≥ 0; not changed.
    growth : float
        r > 0, per unit of time.
    diffusion : float, optional
        D ≥ 0, in cells² per unit of time.
    capacity : float, optional
        K > 0, in amounts.
    dt : float, optional
        Time of a step, at most 1 / (2·axes·D + r·max(1, u/K)) for the largest u.
    steps : int, optional
        How many.
    boundaries : optional
        As `boundary_codes` takes them.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; a GPU keeps the field from the first step to the last.
    axes : int, optional
        How many of the last axes are space: 2 or 3; nothing flows along the others, which may be
        channels and layers. Needed for arrays of more than two axes.

    Returns
    -------
    ndarray of float32, shape of `amounts`
        Within 0 and the larger of K and the largest amount given.

    Raises
    ------
    InputError
        An argument is out of its range; the message gives the largest time step.
    DeviceError
        "cuda" is not usable here.
    """
    field = checked_amounts(amounts)
    growth, capacity = positive("growth", growth), positive("capacity", capacity)
    diffusion = between("diffusion", diffusion, 0.0)
    (grid, codes), count = layers_on_grid(field, boundaries, axes), checked_steps(steps)
    fullest = max(1.0, float(field.max(initial=0.0)) / capacity)
    ways = 2.0 * spread_axes(grid.shape[1:], codes)
    dt = checked_step(dt, 1.0 / (ways * diffusion + growth * fullest))
    rates = (dt * np.array([diffusion, growth, growth / capacity])).astype(np.float32)
    if field.size == 0:
        return field.copy()
    if resolve(device, size=field.size) == "cuda":
        from swarmloom_protocols.stigmergy.field.preset_cuda import fisher

        done = _on_gpu(fisher, grid.size, grid, (rates, codes), count)
    else:
        done = iterate(_rows(fisher_rows, rates, codes), grid, count)
    return done.reshape(field.shape)


def fitzhugh_nagumo_steps(
    amounts: ArrayLike,
    epsilon: float = 0.08,
    a: float = 0.7,
    b: float = 0.8,
    current: float = 0.0,
    diffusion: tuple[float, float] = (1.0, 0.0),
    dt: float = 0.05,
    steps: int = 1,
    boundaries: Boundaries = "reflecting",
    device: Device = "auto",
) -> Field:
    """Do steps of the FitzHugh–Nagumo system.

    Parameters
    ----------
    amounts : array-like of float32, shape (2, Y, X) or (2, Z, Y, X)
        u and w, of either sign, up to 100; not changed. Four axes are a volume.
    epsilon : float, optional
        Speed of w > 0, at most 1e9.
    a, b : float, optional
        Constants of w; a within ±100, b from 0 to 1e9.
    current : float, optional
        Stimulus I within ±100.
    diffusion : (float, float), optional
        D_u and D_w ≥ 0, in cells² per unit of time.
    dt : float, optional
        Time of a step, at most 1 / (2·axes·D_u + U²) and 1 / (2·axes·D_w + ε·b), where U is what
        |u| cannot exceed in the time t of all steps: at least 3, the largest |u| given, and the
        root of U³/3 − U = |I| + W. W, which |w| cannot exceed, is the largest |w| given or, if
        larger, the smaller of (U + |a|)/b and that |w| + ε·t·(U + |a|).
    steps : int, optional
        How many.
    boundaries : optional
        As `boundary_codes` takes them.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; a GPU keeps the field from the first step to the last.

    Returns
    -------
    ndarray of float32, shape of `amounts`

    Raises
    ------
    InputError
        An argument is out of its range; the message gives the largest time step.
    DeviceError
        "cuda" is not usable here.
    """
    field = checked_amounts(amounts, signed=True)
    epsilon, b = positive("epsilon", epsilon, 1e9), between("b", b, 0.0, 1e9)
    a, current = between("a", a, -100.0, 100.0), between("current", current, -100.0, 100.0)
    between("the largest of |amounts|", float(np.abs(field).max(initial=0.0)), 0.0, 100.0)
    spread, (grid, codes) = _coefficients(diffusion), channels_on_grid(field, boundaries, 2)
    count, dt = checked_steps(steps), positive("dt", dt, 1e9)
    steepest = _farthest(field, epsilon, a, b, current, count * dt)
    ways = 2.0 * spread_axes(grid.shape[1:], codes)
    fastest = max(ways * spread[0] + steepest**2, ways * spread[1] + epsilon * b)
    dt = checked_step(dt, 1.0 / fastest)
    rates = dt * np.array([1.0, *spread, epsilon, epsilon * a, epsilon * b, current / dt])
    return _pair_steps(field, grid, FITZHUGH_NAGUMO, rates, codes, count, device)


def _farthest(
    field: Field, epsilon: float, a: float, b: float, current: float, time: float
) -> float:
    """Return what |u| of the FitzHugh–Nagumo system cannot exceed within a time; at least 3.

    |u| ≤ U and |w| ≤ W are never left where, at these limits, the rates point inwards:
    U³/3 − U ≥ |I| + W and b·W ≥ U + |a|. Without the second, w grows by ε·(U + |a|) a time at most.
    """
    largest_u, largest_w = (float(np.abs(one).max(initial=0.0)) for one in field)

    def inwards(limit: float) -> float:
        drive = limit + abs(a)
        ends_at = max(largest_w, drive / b) if b else math.inf
        recovery = min(ends_at, largest_w + epsilon * time * drive)
        return limit**3 / 3.0 - limit - abs(current) - recovery

    low = max(largest_u, 3.0)
    if inwards(low) >= 0.0:
        return low
    high = 2.0 * low
    while inwards(high) < 0.0:
        high *= 2.0
    return float(brentq(inwards, low, high))


def turing_wavelength(jacobian: ArrayLike, diffusion: ArrayLike) -> float | None:
    """Give the wavelength that grows fastest out of a uniform state, by linear stability theory.

    Parameters
    ----------
    jacobian : array-like, shape (n, n)
        ∂(rate of i)/∂(amount of j) at a steady state of the reaction.
    diffusion : array-like, shape (n,)
        Coefficients ≥ 0, in cells² per unit of time.

    Returns
    -------
    float or None
        2π/κ in cells, for the κ at which the largest real part of the eigenvalues of
        J − κ²·diag(D) is largest (Turing, "The chemical basis of morphogenesis", 1952); None
        where no wave grows, or the fastest to grow is the uniform one.

    Raises
    ------
    InputError
        Shapes do not fit, a number is not finite, or a coefficient is negative.
    """
    slopes, spread = np.asarray(jacobian, np.float64), np.asarray(diffusion, np.float64)
    if spread.ndim != 1 or not len(spread):
        raise InputError(f"diffusion: shape {spread.shape} is not (n,)")
    for one in spread.tolist():
        between("diffusion", one, 0.0)
    if slopes.shape != (len(spread), len(spread)) or not np.isfinite(slopes).all():
        raise InputError(f"jacobian: shape {slopes.shape} is not (n, n) of finite numbers")
    waves = np.concatenate(([0.0], np.geomspace(1e-3, math.pi, 8000)))
    matrices = slopes - (waves**2)[:, None, None] * np.diag(spread)
    rates = np.linalg.eigvals(matrices).real.max(axis=-1)
    fastest = int(np.argmax(rates))
    return None if fastest == 0 or rates[fastest] <= 0.0 else float(2.0 * math.pi / waves[fastest])


# -- shared -------------------------------------------------------------------------------------


def _coefficients(diffusion: tuple[float, float]) -> tuple[float, float]:
    if len(diffusion) != 2:
        raise InputError(f"diffusion: {diffusion} is not a pair")
    first, second = (between("diffusion", one, 0.0) for one in diffusion)
    return first, second


def _pair_steps(
    field: Field,
    grid: Field,
    model: int,
    rates: NDArray[np.float64],
    codes: Codes,
    steps: int,
    device: Device,
) -> Field:
    if field.size == 0:
        return field.copy()
    narrow = rates.astype(np.float32)
    if resolve(device, size=field.size) == "cuda":
        from swarmloom_protocols.stigmergy.field.preset_cuda import pair

        done = _on_gpu(pair, grid.size // 2, grid, (model, narrow, codes), steps)
    else:
        done = iterate(_rows(pair_rows, model, narrow, codes), grid, steps, together=2)
    return done.reshape(field.shape)


def _rows(kernel: Callable[..., None], *given: Any) -> Callable[[Field, Field, int, int], None]:
    def rows(source: Field, target: Field, start: int, stop: int) -> None:
        kernel(source, *given, start, stop, target)

    return rows


def _on_gpu(kernel: Any, cells: int, grid: Field, given: tuple[Any, ...], steps: int) -> Field:
    from swarmloom.cuda import numba_cuda

    there = [numba_cuda().to_device(x) if isinstance(x, np.ndarray) else x for x in given]

    def launch(source: Any, target: Any) -> None:
        kernel.launch(cells, source, *there, target)

    return iterate_on_gpu(launch, grid, steps)
