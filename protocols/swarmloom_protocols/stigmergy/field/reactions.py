"""Reactions between the channels of a field, alone and together with diffusion.

`react` integrates a `ReactionNetwork` in every cell with an explicit Runge–Kutta method of order 3
and error control per cell (`reaction_kernels` says how amounts stay ≥ 0 and what is conserved).
`reaction_diffusion_steps` alternates it with diffusion (Strang, "On the construction and comparison
of difference schemes", SIAM J. Numer. Anal. 5, 1968): half a step of reaction, a step of diffusion
by Heun's method and of evaporation, half a step of reaction; of second order in dt.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.stigmergy.field.boundaries import Boundaries
from swarmloom_protocols.stigmergy.field.chemistry_grids import (
    Field,
    channels_on_grid,
    checked_amounts,
    checked_step,
    checked_steps,
    iterate,
    spread_axes,
)
from swarmloom_protocols.stigmergy.field.perona_malik_kernels import CONSTANT, perona_malik_rows
from swarmloom_protocols.stigmergy.field.reaction_kernels import (
    LANE_ROWS,
    WORK_ARRAYS,
    react_blocks,
)
from swarmloom_protocols.stigmergy.field.reaction_networks import ReactionNetwork

__all__ = ["react", "reaction_diffusion_steps"]

Codes = NDArray[np.int64]
# Conductance of plain diffusion, which has no threshold.
PLAIN: tuple[int, Any] = (CONSTANT, np.float32(1.0))


class Integration(NamedTuple):
    """What the kernels are given beside amounts and a time."""

    codes: Codes
    numbers: Field
    relative: Any
    absolute: Any
    most_steps: int


def react(
    amounts: ArrayLike,
    network: ReactionNetwork,
    time: float,
    device: Device = "auto",
    relative_tolerance: float = 1e-5,
    absolute_tolerance: float = 1e-7,
    most_steps: int = 10_000,
) -> Field:
    """Let reactions run for a time in each cell.

    Parameters
    ----------
    amounts : array-like of float32, shape (channels, …)
        Amounts ≥ 0 of the network's channels in cells of any arrangement; not changed.
    network : ReactionNetwork
        What reacts.
    time : float
        How long, ≥ 0.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.
    relative_tolerance : float, optional
        Error of a step by amount, 1e-6 to 0.1.
    absolute_tolerance : float, optional
        Error of a step of amounts near 0, 1e-12 to 1e12.
    most_steps : int, optional
        Steps of a cell before giving up.

    Returns
    -------
    ndarray of float32, shape of `amounts`
        ≥ 0; what `network.conservation_laws()` names is unchanged to rounding.

    Raises
    ------
    InputError
        An argument is out of its range, or a cell needs more than `most_steps`: amounts grow
        beyond all bounds, or rates are too fast for the time.
    DeviceError
        "cuda" is not usable here.
    """
    field = checked_amounts(amounts)
    given = _integration(network, relative_tolerance, absolute_tolerance, most_steps)
    duration = np.float32(between("time", time, 0.0, 1e18))
    if field.ndim == 0 or len(field) != len(network.channels):
        raise InputError(
            f"amounts: shape {field.shape} does not begin with the {len(network.channels)} channels"
        )
    if field.size == 0:
        return field.copy()
    cells = field.reshape(len(field), -1).copy()
    if resolve(device, size=field.size) == "cuda":
        cells = _react_on_gpu(cells, duration, given)
    else:
        _react_on_cpu(cells, duration, given)
    return cells.reshape(field.shape)


def _integration(
    network: ReactionNetwork, relative: float, absolute: float, most_steps: int
) -> Integration:
    return Integration(
        *network.program(),
        np.float32(between("relative_tolerance", relative, 1e-6, 0.1)),
        np.float32(between("absolute_tolerance", absolute, 1e-12, 1e12)),
        whole("most_steps", most_steps, 1, 10**9),
    )


def reaction_diffusion_steps(
    amounts: ArrayLike,
    network: ReactionNetwork,
    diffusion: ArrayLike,
    dt: float = 0.1,
    steps: int = 1,
    boundaries: Boundaries = "reflecting",
    device: Device = "auto",
    relative_tolerance: float = 1e-5,
    absolute_tolerance: float = 1e-7,
    most_steps: int = 10_000,
    evaporation: ArrayLike | None = None,
) -> Field:
    """Do steps of reaction, diffusion and evaporation.

    Parameters
    ----------
    amounts : array-like of float32, shape (channels, Y, X) or (channels, Z, Y, X)
        Amounts ≥ 0 of the network's channels in cells of side 1; not changed. Four axes are a
        volume: layers of a plane between which nothing flows take a call each.
    network : ReactionNetwork
        What reacts.
    diffusion : array-like of float, shape (channels,)
        A coefficient ≥ 0 for each channel, in cells² per unit of time.
    dt : float, optional
        Time of a step, at most 1 / (2·axes·D) for the largest D.
    steps : int, optional
        How many.
    boundaries : optional
        As `boundary_codes` takes them.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; a GPU keeps the field from the first step to the last.
    relative_tolerance, absolute_tolerance, most_steps
        As in `react`.
    evaporation : array-like of float, shape (channels,), optional
        A rate k ≥ 0 for each channel, per unit of time; no modifier changes it. None by default.

    Returns
    -------
    ndarray of float32, shape of `amounts`

    Raises
    ------
    InputError
        As in `react`, or the time step is unstable; the message gives the largest.
    DeviceError
        "cuda" is not usable here.
    """
    field = checked_amounts(amounts)
    given = _integration(network, relative_tolerance, absolute_tolerance, most_steps)
    grid, codes = channels_on_grid(field, boundaries, len(network.channels))
    spread = _per_channel("diffusion", diffusion, network)
    lost = np.zeros(len(spread))
    if evaporation is not None:
        lost = _per_channel("evaporation", evaporation, network)
    fastest = 2.0 * spread_axes(grid.shape[1:], codes) * spread.max()
    dt = checked_step(dt, 1.0 / fastest if fastest else 1e18)
    count, shares = checked_steps(steps), (dt * spread).astype(np.float32)
    if field.size == 0 or count == 0:
        return field.copy()
    on_gpu = resolve(device, size=field.size) == "cuda"
    split = _split_on_gpu if on_gpu else _split_on_cpu
    kept = np.exp(-dt * lost).astype(np.float32)
    return split(grid, np.float32(dt), count, given, shares, kept, codes).reshape(field.shape)


def _per_channel(name: str, given: ArrayLike, network: ReactionNetwork) -> NDArray[np.float64]:
    rates = np.asarray(given, np.float64)
    if rates.shape != (len(network.channels),):
        raise InputError(
            f"{name}: shape {rates.shape}, not one of {len(network.channels)} channels"
        )
    return np.array([between(name, one, 0.0) for one in rates.tolist()])


# -- CPU ----------------------------------------------------------------------------------------


def _react_on_cpu(cells: Field, time: Any, given: Integration) -> None:
    """Let cells of shape (channels, cells) react in place."""

    def some(start: int, stop: int) -> int:
        return react_blocks(*given[:2], time, *given[2:], start, stop, cells)

    late = max(map_bands(some, cells.shape[1], len(cells)))
    if late >= 0:
        _refuse_unfinished(late, given.most_steps)


def _refuse_unfinished(cell: int, most_steps: int) -> None:
    raise InputError(
        f"time: cell {cell} is not done after {most_steps} steps; its amounts grow beyond all"
        " bounds or react too fast; allowed: a shorter time, lower rates, more most_steps"
    )


def _split_on_cpu(
    grid: Field, dt: Any, steps: int, given: Integration, shares: Field, kept: Field, codes: Codes
) -> Field:
    nothing = np.zeros(grid.shape[-1], np.float32)

    def rows(source: Field, target: Field, start: int, stop: int) -> None:
        perona_malik_rows(source, *PLAIN, shares, codes, nothing, start, stop, target)

    field = grid.copy()
    advance = partial(_react_on_cpu, field.reshape(len(field), -1), given=given)
    advance(dt / 2)
    for step in range(steps):
        field += iterate(rows, field, 2)
        field *= (np.float32(0.5) * kept)[:, None, None, None]
        # Half steps of reaction that follow each other are one.
        advance(dt if step < steps - 1 else dt / 2)
    return field


# -- GPU ----------------------------------------------------------------------------------------


class _GpuReaction:
    """A network's program and the arrays that its kernel works in, on the GPU."""

    def __init__(self, shape: tuple[int, int], given: Integration) -> None:
        from swarmloom.cuda import numba_cuda

        library = numba_cuda()
        self._program = [library.to_device(array) for array in given[:2]]
        self._settings = given[2:]
        self._work = library.device_array((WORK_ARRAYS, *shape), np.float32)
        self._lanes = library.device_array((LANE_ROWS, shape[1]), np.float32)
        self._unfinished = library.to_device(np.zeros(shape[1], np.float32))

    def advance(self, cells: Any, time: Any) -> None:
        from swarmloom_protocols.stigmergy.field.reaction_cuda import react as kernel

        state = cells, self._work, self._lanes, self._unfinished
        kernel.launch(cells.shape[1], *self._program, time, *self._settings, *state)

    def check(self) -> None:
        late = np.flatnonzero(self._unfinished.copy_to_host())
        if len(late):
            _refuse_unfinished(int(late[0]), self._settings[-1])


def _react_on_gpu(cells: Field, time: Any, given: Integration) -> Field:
    from swarmloom.cuda import numba_cuda

    reaction = _GpuReaction((cells.shape[0], cells.shape[1]), given)
    there = numba_cuda().to_device(cells)
    reaction.advance(there, time)
    reaction.check()
    done: Field = there.copy_to_host()
    return done


def _split_on_gpu(
    grid: Field, dt: Any, steps: int, given: Integration, shares: Field, kept: Field, codes: Codes
) -> Field:
    from swarmloom.cuda import numba_cuda
    from swarmloom_protocols.stigmergy.field.perona_malik_cuda import perona_malik
    from swarmloom_protocols.stigmergy.field.reaction_cuda import average

    library, cells = numba_cuda(), (len(grid), grid.size // len(grid))
    reaction, field = _GpuReaction(cells, given), library.to_device(grid)
    once, twice = (library.device_array(grid.shape, np.float32) for _ in range(2))
    sides, left = (library.to_device(shares), library.to_device(codes)), library.to_device(kept)
    flat = field.reshape(cells)
    reaction.advance(flat, dt / 2)
    for step in range(steps):
        perona_malik.launch(grid.size, field, *PLAIN, *sides, once)
        perona_malik.launch(grid.size, once, *PLAIN, *sides, twice)
        average.launch(grid.size, twice, left, field)
        reaction.advance(flat, dt if step < steps - 1 else dt / 2)
    reaction.check()
    done: Field = field.copy_to_host()
    return done
