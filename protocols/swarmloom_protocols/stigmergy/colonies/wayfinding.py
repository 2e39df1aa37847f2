"""Navigation fields: one computation of the ways to a goal, for as many agents as share it.

A field holds each cell's potential φ, the cost that is left to the nearest goal. Whoever stands on
a cell goes to the neighbour with the smallest potential plus cost of the move.

With a smoothing ε > 0, φ = −ε ln u, where u is the stationary pheromone of a source at the goals
whose walkers die at the rate of the costs: u(i) = Σ_j exp(−c(i, j)/ε) u(j) (Todorov 2006,
"Linearly-solvable Markov decision problems"; Saerens, Achbany, Fouss & Yen 2009, "Randomized
shortest-path problems"). The logarithm is what makes it useful: u itself underflows after a few
dozen decay lengths, φ never does. ε → 0 gives the cheapest ways; a larger ε prefers places with
many ways on.

Moves go to 4 or 8 neighbours. A move costs its length (1, or √2 along a diagonal) times the mean
cost of its two cells. A diagonal move needs both cells beside it free: no corner is cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.colonies.wayfinding_kernels import (
    descend,
    hard_field,
    soft_pass,
)

__all__ = ["Directions", "NavigationField", "Paths", "follow", "navigation_field"]

Directions = Literal[4, 8]
BoolArray = NDArray[np.bool_]
Cells = NDArray[np.int64]
Floats = NDArray[np.float64]

# (dy, dx): straight ones first.
STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
MOST_BUCKETS = 4096
MOST_SMOOTHING = 0.95
WIDEST_RANGE = 2.0**50
WIDEST_SOFT_RANGE = 2.0**30
LARGEST_MAP = (1 << 31) - 1
SETTLED = 1e-12
# A GPU relaxes in rounds, as many as the longest way has cells: a CPU core has done before.
WORTH_A_GPU = 1 << 62


@dataclass(frozen=True, slots=True)
class NavigationField:
    """Potentials of a map and what they were computed from.

    Attributes
    ----------
    potential : ndarray of float64, shape (height, width)
        Cost left to the nearest goal, soft for a smoothing; 0 at goals alone, infinite in walls
        and where no way leads to a goal.
    costs : ndarray of float64, shape (height, width)
        Cost of crossing each cell; infinite in walls.
    directions : {4, 8}
        Neighbours that a move may go to.
    smoothing : float
        ε, in units of cost.
    """

    potential: Floats
    costs: Floats
    directions: Directions
    smoothing: float

    @property
    def reachable(self) -> BoolArray:
        """Mask of the cells from which a way leads to a goal, shape (height, width)."""
        return np.isfinite(self.potential)


@dataclass(frozen=True, slots=True)
class Paths:
    """Ways from some starts down a navigation field.

    Attributes
    ----------
    cells : list of ndarray of int64, shape (length, 2)
        (y, x) of each way, start and goal included; no cells where no way leads to a goal.
    costs : ndarray of float64, shape (starts,)
        Cost of each way; infinite where there is none.
    """

    cells: list[Cells]
    costs: Floats

    @property
    def reached(self) -> BoolArray:
        """Which ways end at a goal, shape (starts,)."""
        return np.isfinite(self.costs)


def navigation_field(
    walls: ArrayLike,
    goals: ArrayLike,
    *,
    smoothing: float = 0.0,
    costs: ArrayLike | None = None,
    directions: Directions = 8,
    device: Device = "auto",
) -> NavigationField:
    """Compute the cost left to the nearest goal from everywhere.

    Parameters
    ----------
    walls : array-like of bool, shape (height, width)
        Cells that cannot be entered.
    goals : array-like of int, shape (goals, 2) or (2,)
        (y, x) of free cells.
    smoothing : float, optional
        ε ≥ 0 in units of cost, at most 0.95 · cheapest cell's cost / ln(`directions`): up to there
        the potential falls along every way that `follow` finds.
    costs : array-like of float, shape (height, width), optional
        Cost per length of crossing each free cell, finite and above 0; 1 by default. What stands
        in walls is not read. The dearest may be 2⁵⁰ / cells times the cheapest (2³⁰ with a
        smoothing), so that no step is lost in the rounding of a long way's cost.
    directions : {4, 8}, optional
        Neighbours that a move may go to.
    device : {"auto", "cpu", "cuda"}, optional
        The CPU runs Dijkstra's algorithm, the GPU relaxes all cells together as often as the
        longest way has cells, with the same result to rounding; "auto" is the CPU.

    Returns
    -------
    NavigationField

    Raises
    ------
    InputError
        An argument is not as said.
    """
    terrain = _terrain(walls, costs)
    _check_directions(directions)
    _check_smoothing(smoothing, terrain, directions)
    _check_range(terrain, smoothing)
    potential = _potential(terrain, _cells("goals", goals, terrain), smoothing, directions, device)
    return NavigationField(potential, terrain, directions, float(smoothing))


def follow(field: NavigationField, starts: ArrayLike) -> Paths:
    """Walk from each start to a goal, always by the cheapest move.

    Parameters
    ----------
    field : NavigationField
    starts : array-like of int, shape (starts, 2) or (2,)
        (y, x) of cells of the map; from walls no way leads anywhere.

    Returns
    -------
    Paths

    Raises
    ------
    InputError
        A start is outside the map.
    """
    if not isinstance(field, NavigationField):
        raise InputError(f"field: {type(field).__name__}; allowed: a NavigationField")
    grid = _Grid.around(field.costs, field.directions)
    potential = _pad(field.potential)
    room = np.empty(int(field.reachable.sum()), np.int64)
    cells, totals = [], []
    for start in grid.flat(_inside("starts", starts, field.costs.shape)):
        steps, total = 0, math.inf
        if math.isfinite(potential[start]):
            steps, total = descend(grid.costs, potential, start, grid.moves, grid.lengths, room)
        cells.append(grid.pairs(room[:steps]))
        totals.append(total)
    return Paths(cells, np.array(totals, np.float64))


@dataclass(frozen=True, slots=True)
class _Grid:
    """A map as the kernels read it: flat, with a border of walls."""

    costs: Floats
    moves: Cells
    lengths: Floats
    stride: int

    @classmethod
    def around(cls, terrain: Floats, directions: int) -> _Grid:
        stride = terrain.shape[1] + 2
        steps = STEPS[:directions]
        moves = np.array([(dy * stride + dx, dy * stride, dx) for dy, dx in steps], np.int64)
        lengths = np.array([math.hypot(*step) for step in steps])
        return cls(_pad(terrain), moves, lengths, stride)

    def flat(self, cells: Cells) -> Cells:
        inside: Cells = (cells[:, 0] + 1) * self.stride + cells[:, 1] + 1
        return inside

    def pairs(self, flat: Cells) -> Cells:
        return np.stack([flat // self.stride - 1, flat % self.stride - 1], axis=1)


def _pad(plane: Floats) -> Floats:
    return np.pad(plane, 1, constant_values=math.inf).reshape(-1)


def _potential(
    terrain: Floats, goals: Cells, smoothing: float, directions: int, device: Device
) -> Floats:
    grid = _Grid.around(terrain, directions)
    potential = np.full(grid.costs.size, math.inf)
    potential[grid.flat(goals)] = 0.0
    if resolve(device, size=terrain.size, worth=WORTH_A_GPU) == "cuda":
        from swarmloom_protocols.stigmergy.colonies.wayfinding_cuda import converge

        converge(grid.costs, grid.moves, grid.lengths, smoothing, potential)
    else:
        _dijkstra(grid, grid.flat(goals), potential)
        if smoothing:
            _soften(grid, smoothing, potential)
    rows = potential.reshape(-1, grid.stride)
    return np.ascontiguousarray(rows[1:-1, 1:-1])


def _dijkstra(grid: _Grid, goals: Cells, potential: Floats) -> None:
    free = grid.costs[np.isfinite(grid.costs)]
    cheapest, dearest = float(free.min()), float(free.max()) * float(grid.lengths.max())
    width = max(cheapest, dearest / MOST_BUCKETS)
    heads = np.full(int(dearest / width) + 2, -1, np.int32)
    links = np.full((grid.costs.size, 3), -1, np.int32)
    hard_field(grid.costs, goals, grid.moves, grid.lengths, width, heads, links, potential)


def _soften(grid: _Grid, smoothing: float, potential: Floats) -> None:
    """Bring a hard field to the soft minimum; it falls from pass to pass, to one fixed point."""
    reached = np.flatnonzero(np.isfinite(potential) & (potential > 0.0))
    order = reached[np.argsort(potential[reached], kind="stable")]
    while soft_pass(grid.costs, order, grid.moves, grid.lengths, smoothing, potential) > SETTLED:
        pass


def _terrain(walls: ArrayLike, costs: ArrayLike | None) -> Floats:
    """Return the costs with infinity in walls, checked."""
    blocked = np.asarray(walls)
    if blocked.ndim != 2 or not blocked.size or blocked.dtype != np.bool_:
        raise InputError(
            f"walls: shape {blocked.shape} of {blocked.dtype}; allowed: a plane of bool, not empty"
        )
    if (blocked.shape[0] + 2) * (blocked.shape[1] + 2) > LARGEST_MAP:
        raise InputError(f"walls: shape {blocked.shape}; allowed: below 2**31 cells")
    terrain = np.ones(blocked.shape) if costs is None else np.array(costs, np.float64)
    if terrain.shape != blocked.shape:
        raise InputError(f"costs: shape {terrain.shape} is not that of walls, {blocked.shape}")
    terrain[blocked] = math.inf
    wrong = np.argwhere(~blocked & ~((terrain > 0.0) & np.isfinite(terrain)))
    if wrong.size:
        y, x = wrong[0]
        raise InputError(f"costs: {terrain[y, x]} at ({y}, {x}); allowed: finite, above 0")
    return terrain


def _check_directions(directions: int) -> None:
    if not isinstance(directions, int | np.integer) or directions not in (4, 8):
        raise InputError(f"directions: {directions!r} is not 4 or 8")


def _check_smoothing(smoothing: float, terrain: Floats, directions: int) -> None:
    limit = MOST_SMOOTHING * float(terrain.min()) / math.log(directions)
    if not (isinstance(smoothing, Real) and 0.0 <= smoothing <= limit):
        raise InputError(
            f"smoothing: {smoothing}; allowed: 0 to {limit:.6g} (0.95 · cheapest cost / ln "
            f"{directions})"
        )


def _check_range(terrain: Floats, smoothing: float) -> None:
    """Refuse costs so far apart that a cheap step would be lost beside a long way's cost."""
    free = terrain[np.isfinite(terrain)]
    limit = (WIDEST_SOFT_RANGE if smoothing else WIDEST_RANGE) / terrain.size
    if free.size and float(free.max()) / float(free.min()) > limit:
        raise InputError(
            f"costs: {free.min()} to {free.max()} on {terrain.size} cells; allowed: {limit:.6g} "
            "times the cheapest"
        )


def _cells(name: str, cells: ArrayLike, terrain: Floats) -> Cells:
    """Return free cells of the map, at least one."""
    pairs = _inside(name, cells, terrain.shape)
    if not len(pairs):
        raise InputError(f"{name}: none; allowed: one cell or more")
    walled = pairs[np.isinf(terrain[pairs[:, 0], pairs[:, 1]])]
    if len(walled):
        raise InputError(f"{name}: ({walled[0, 0]}, {walled[0, 1]}) is a wall")
    return pairs


def _inside(name: str, cells: ArrayLike, shape: tuple[int, ...]) -> Cells:
    """Return (y, x) pairs as (n, 2), all of them on the map."""
    pairs = np.atleast_2d(np.asarray(cells))
    if not pairs.size:
        return np.empty((0, 2), np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.issubdtype(pairs.dtype, np.integer):
        raise InputError(f"{name}: shape {pairs.shape} of {pairs.dtype}; allowed: (n, 2) of int")
    outside = pairs[((pairs < 0) | (pairs >= shape)).any(axis=1)]
    if len(outside):
        y, x = outside[0]
        raise InputError(f"{name}: ({y}, {x}) is outside the map of {shape[0]} × {shape[1]}")
    return pairs.astype(np.int64)
