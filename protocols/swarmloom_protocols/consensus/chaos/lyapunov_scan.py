"""The largest Lyapunov exponent at many parameters or starts at once, an orbit each.

What a bifurcation diagram shows in points, this says in numbers: where orbits are chaotic, where
they close, and with which period. Orbits are independent of each other, so they are spread over
threads, or over a GPU's with one orbit a thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.consensus.chaos.lyapunov import UNSTABLE, same_state
from swarmloom_protocols.consensus.chaos.systems import System
from swarmloom_protocols.consensus.chaos.tangents import (
    make_tangent_step,
    vector_length,
    work_shapes,
)
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["LyapunovScan", "lyapunov_scan", "make_follow"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Steps behind the end in which a short cycle, entered late, shows itself.
LATE_STEPS = 64
# Components of a state that fit into a GPU thread's registers with all that goes with them.
MOST_ON_GPU = 3


@dataclass(frozen=True, slots=True, eq=False)
class LyapunovScan:
    """The largest exponents of many orbits.

    Attributes
    ----------
    exponents : ndarray of float64, shape (items,)
        Per iteration of a map or per unit of time of a flow. NaN where the orbit escaped or
        collapsed.
    periods : ndarray of int64, shape (items,)
        Of the cycle that the orbit closed exactly, 0 where it closed none.
    collapsed : ndarray of bool, shape (items,)
        Where rounding put the orbit on a cycle that the equations repel from.
    """

    exponents: FloatArray
    periods: IntArray
    collapsed: NDArray[np.bool_]


@kernel
def _normalised(tangents: FloatArray) -> float:
    """Give the first row unit length; return what its length was."""
    length = vector_length(tangents[0])
    for i in range(tangents.shape[1]):
        tangents[0, i] /= length
    return length


def make_follow(system: System) -> Callable[..., tuple[float, int]]:
    """Return the loop over one orbit, for `System.specialise`; it serves both devices."""
    step = system.specialise(make_tangent_step)

    def follow(
        state: FloatArray,
        saved: FloatArray,
        tangents: FloatArray,
        parameters: FloatArray,
        pace: tuple[float, int, int],
        work: FloatArray,
        tangent_work: FloatArray,
    ) -> tuple[float, int]:
        """Return the growth a step, and the period of the cycle that it is of, 0 for the orbit."""
        dt, skip, steps = pace
        for _ in range(skip):
            step(state, tangents, parameters, dt, work, tangent_work)
            if _normalised(tangents) == 0.0:
                return -math.inf, 0
        total, mark, lap, length, growth = 0.0, 0.0, 0, 1, 0.0
        for i in range(state.size):
            saved[i] = state[i]
        for done in range(steps + LATE_STEPS):
            if done == steps or lap == length:
                growth = total / steps if done == steps else growth
                mark, lap, length = total, 0, 2 * length
                for i in range(state.size):
                    saved[i] = state[i]
            step(state, tangents, parameters, dt, work, tangent_work)
            size = _normalised(tangents)
            if size == 0.0:
                return -math.inf, 0
            total += math.log(size)
            lap += 1
            if same_state(state, saved):
                cycle = (total - mark) / lap
                # Behind the end a cycle only matters if it says that the average is spoilt.
                return (cycle, lap) if done < steps or cycle > 0.0 else (growth, 0)
        return growth, 0

    return follow


def _make_band(system: System) -> Callable[..., None]:
    follow = system.specialise(make_follow)

    def band(
        parameters: FloatArray,
        starts: FloatArray,
        pace: tuple[float, int, int],
        work: FloatArray,
        tangent_work: FloatArray,
        exponents: FloatArray,
        periods: IntArray,
    ) -> None:
        width = starts.shape[0]
        state, saved, tangents = np.empty(width), np.empty(width), np.empty((1, width))
        for item in range(exponents.size):
            state[:] = starts[:, item]
            tangents[:], tangents[0, 0] = 0.0, 1.0
            values = parameters[:, item].copy()
            exponents[item], periods[item] = follow(
                state, saved, tangents, values, pace, work, tangent_work
            )

    return band


def lyapunov_scan(
    system: System,
    *,
    steps: int = 2_000,
    transient: int = 500,
    starts: ArrayLike | None = None,
    dt: float = 0.01,
    device: Device = "auto",
    **parameters: ArrayLike,
) -> LyapunovScan:
    """Measure the largest Lyapunov exponent of many orbits.

    Parameters
    ----------
    system : System
        A map or a flow.
    steps : int, optional
        Steps to average over, in each orbit (≥ 1).
    transient : int, optional
        Steps before.
    starts : array-like of float, shape (D,) or (items, D), optional
        Where the orbits begin; the system's start for all by default.
    dt : float, optional
        Time step of a flow; ignored for maps.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; a GPU takes the known maps of up to three components.
    **parameters : array-like of float, shape () or (items,)
        Values by the parameters' names; those not named are as in `system`.

    Returns
    -------
    LyapunovScan

    Raises
    ------
    InputError
        A parameter is unknown, shapes do not fit, a value is not finite, or a GPU was asked for
        what it does not take.

    Notes
    -----
    An orbit that closes exactly is followed no further, and its exponent is that of the cycle. Long
    cycles entered in the last half of a run can go unseen: `lyapunov_spectrum` looks for them too.
    """
    values, begins = _laid_out(system, starts, parameters)
    counts = whole("transient", transient, 0), whole("steps", steps, 1)
    pace = (positive("dt", dt), *counts)
    exponents, periods = np.empty(values.shape[1]), np.empty(values.shape[1], np.int64)
    if _on_gpu(system, device, exponents.size * steps):
        from swarmloom_protocols.consensus.chaos.lyapunov_scan_cuda import scan

        scan(system)(exponents.size, (values, begins, *counts), (exponents, periods))
    else:
        _over_threads(system, values, begins, pace, (exponents, periods))
    exponents /= dt if system.kind == "flow" else 1.0
    periods[np.isnan(exponents)] = 0
    collapsed = (periods > 0) & (exponents > UNSTABLE)
    return LyapunovScan(np.where(collapsed, math.nan, exponents), periods, collapsed)


def _on_gpu(system: System, device: Device, size: int) -> bool:
    fits = system.kind == "map" and system.dimension <= MOST_ON_GPU and system.shipped
    if device == "cuda" and not fits:
        allowed = f"known maps of up to {MOST_ON_GPU} components"
        raise InputError(f"device: 'cuda' for {system.name}; allowed: {allowed}")
    return resolve(device if fits else "cpu", size=size) == "cuda"


def _over_threads(
    system: System,
    values: FloatArray,
    begins: FloatArray,
    pace: tuple[float, int, int],
    results: tuple[FloatArray, IntArray],
) -> None:
    run = system.specialise(_make_band)

    def band(first: int, stop: int) -> None:
        work = [np.empty(shape) for shape in work_shapes(system, 1)]
        chosen = np.ascontiguousarray(values[:, first:stop])
        states = np.ascontiguousarray(begins[:, first:stop])
        run(chosen, states, pace, *work, *(result[first:stop] for result in results))

    map_bands(band, values.shape[1], row_elements=sum(pace[1:]))


def _laid_out(
    system: System, starts: ArrayLike | None, parameters: dict[str, ArrayLike]
) -> tuple[FloatArray, FloatArray]:
    """Return parameters (P, items) and starts (D, items), both C-contiguous."""
    unknown = set(parameters) - set(system.parameters)
    if unknown:
        allowed = ", ".join(system.parameters) or "none"
        raise InputError(f"{system.name}: no parameter {min(unknown)!r}; allowed: {allowed}")
    given = {name: real_array(name, value) for name, value in parameters.items()}
    begins = real_array("starts", system.start if starts is None else starts)
    if begins.ndim not in (1, 2) or begins.shape[-1] != system.dimension:
        allowed = f"({system.dimension},) or (items, {system.dimension})"
        raise InputError(f"starts: shape {begins.shape}; allowed: {allowed}")
    shapes = {name: value.shape for name, value in given.items()} | {"starts": begins.shape[:-1]}
    items = _one_length(shapes)
    laid = [np.broadcast_to(given.get(name, value), items) for name, value in _items(system)]
    values = np.array(laid, np.float64).reshape(len(laid), items)
    moved = np.ascontiguousarray(np.broadcast_to(begins, (items, system.dimension)).T)
    for name, array in (*given.items(), ("starts", begins)):
        if not np.isfinite(array).all():
            raise InputError(f"{name}: a value is not finite")
    return values, moved


def _items(system: System) -> list[tuple[str, float]]:
    return list(system.parameters.items())


def _one_length(shapes: dict[str, tuple[int, ...]]) -> int:
    """Return the number of items that all shapes agree on, 1 where all are single values."""
    lengths = {shape[0] for shape in shapes.values() if len(shape) == 1}
    if len(lengths) > 1 or any(len(shape) > 1 for shape in shapes.values()):
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(f"shapes: {listed}; allowed: single values and vectors of one length")
    return lengths.pop() if lengths else 1
