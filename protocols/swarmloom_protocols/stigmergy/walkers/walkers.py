"""A population of walkers on a grid: where they are, `move`, and snapshots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import seeded, whole
from swarmloom_protocols.stigmergy.field.grid_field import GridField
from swarmloom_protocols.stigmergy.sealed_snapshots import Snapshot
from swarmloom_protocols.stigmergy.walkers.arguments import (
    Boundaries,
    Float32Array,
    box_of,
    columns_of,
    field_of,
    inside,
    plane_of,
    spatial,
)
from swarmloom_protocols.stigmergy.walkers.snapshots import FORMAT, strategy_from, strategy_text
from swarmloom_protocols.stigmergy.walkers.strategies import (
    GradientAscent,
    SpiralSearch,
    Strategy,
    SwarmCentering,
)
from swarmloom_protocols.stigmergy.walkers.strategy_kernels import (
    MOVERS,
    RADIUS,
    SETTINGS,
    STATE_ROWS,
    THRESHOLD,
)
from swarmloom_protocols.stigmergy.walkers.swarm_centres import centre_of_all, centres_near
from swarmloom_protocols.stigmergy.walkers.trace_buffers import TraceBuffers

__all__ = ["Walkers"]

# A walker's stream has 2^32 blocks of random numbers, of which a step uses two.
MOST_STEPS = 1 << 31
MOST_WALKERS = (1 << 32) - 1
# float32 tells places of a hundredth of a cell apart up to here.
LONGEST_AXIS = 1 << 17
UNSEEN = np.zeros((1, 1, 1), np.float32)


class Walkers:
    """Walkers that move over a grid by one of the seven strategies.

    Parameters
    ----------
    count : int
        Walkers.
    bounds : sequence of int
        Cells of the grid along (y, x) or (z, y, x).
    strategy : Strategy, optional
        How they move; `GradientAscent` by default. It may be set anew at any time.
    positions : array-like of float, shape (count, 2 or 3), optional
        In cells; spread evenly by default. Cell i covers [i − ½, i + ½), so that the grid's upper
        edges, and what float32 rounds up to them, are not allowed.
    headings : array-like of float, shape (count, 2 or 3), optional
        Directions of any length but 0; random by default.
    boundaries : Boundary or str, pair, or mapping of axis to either, optional
        What the edges do with walkers, as with the field: a periodic axis goes on at its other
        side, a reflecting side mirrors way and heading, an absorbing side stops a walker for good.
    seed : int or numpy.random.Generator, optional
        Where the random numbers begin. Those of a step depend on seed, walker and step alone.

    Raises
    ------
    InputError
        An argument is out of its range.

    Examples
    --------
    >>> field = -np.hypot(*np.ogrid[-20:21, -20:21]).astype(np.float32) + 30.0
    >>> walkers = Walkers(3, (41, 41), seed=1)
    >>> walkers.move(field, steps=40)
    >>> bool(np.abs(walkers.positions - 20.0).max() < 0.1)
    True
    """

    def __init__(
        self,
        count: int,
        bounds: Sequence[int],
        *,
        strategy: Strategy | None = None,
        positions: ArrayLike | None = None,
        headings: ArrayLike | None = None,
        boundaries: Boundaries = "reflecting",
        seed: int | np.random.Generator = 0,
    ) -> None:
        self._bounds = _checked_bounds(bounds)
        count = whole("count", count, 0, MOST_WALKERS)
        rng = seeded("seed", seed)
        self._seed = np.uint32(rng.integers(1 << 32))
        self._box = box_of(self._bounds, boundaries)
        self._positions = self._placed(count, positions, rng)
        self._headings = self._headed(count, headings, rng)
        self._stopped = np.zeros(count, np.uint8)
        self._steps_taken = 0
        self.strategy = strategy or GradientAscent()

    def _placed(
        self, count: int, positions: ArrayLike | None, rng: np.random.Generator
    ) -> Float32Array:
        shape = (count, len(self._bounds))
        if positions is None:
            drawn = columns_of(rng.random(shape) * self._bounds - 0.5)
            upper = self._box[:, :1].astype(np.float32) - np.float32(0.5)
            # Rounding to float32 may reach the upper edge, which belongs to no cell.
            np.minimum(drawn, np.nextafter(upper, np.float32(0.0)), out=drawn)
            return drawn
        places = inside("positions", positions, self._bounds)
        if len(places) != count:
            raise InputError(f"positions: {len(places)} of them; allowed: {count}, one a walker")
        return columns_of(places)

    def _headed(
        self, count: int, headings: ArrayLike | None, rng: np.random.Generator
    ) -> Float32Array:
        shape = (count, len(self._bounds))
        ways = rng.standard_normal(shape) if headings is None else spatial("headings", headings)
        if ways.shape != shape:
            raise InputError(f"headings: shape {ways.shape}; allowed: {shape}")
        sizes = np.abs(ways).max(axis=1, keepdims=True)
        if not np.all(sizes > 0.0):
            row = int(np.argmin(sizes))
            raise InputError(f"headings[{row}] is of length 0; allowed: any other vector")
        # Squares of very long or short vectors would be infinite or 0.
        ways = ways / sizes
        return columns_of(ways / np.linalg.norm(ways, axis=1, keepdims=True))

    # -- state ----------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Return how many walkers there are."""
        return len(self._stopped)

    @property
    def dimensions(self) -> int:
        """Axes of the grid: 2 or 3."""
        return len(self._bounds)

    @property
    def positions(self) -> Float32Array:
        """Places in cells, shape (count, dimensions), as (y, x) or (z, y, x)."""
        return self._positions[3 - self.dimensions :].T.copy()

    @property
    def cells(self) -> NDArray[np.int64]:
        """Indices of the cells that they are in, shape (count, dimensions)."""
        cells: NDArray[np.int64] = np.floor(self.positions + np.float32(0.5)).astype(np.int64)
        return cells

    @property
    def headings(self) -> Float32Array:
        """Unit vectors of their last or present direction, shape (count, dimensions)."""
        return self._headings[3 - self.dimensions :].T.copy()

    @property
    def stopped(self) -> NDArray[np.bool_]:
        """Which of them an absorbing side has stopped, shape (count,)."""
        return self._stopped.astype(bool)

    @property
    def steps_taken(self) -> int:
        """Steps since the beginning."""
        return self._steps_taken

    @property
    def strategy(self) -> Strategy:
        """How they move. A spiral begins where a walker is when its strategy is set."""
        return self._strategy

    @strategy.setter
    def strategy(self, strategy: Strategy) -> None:
        if not isinstance(strategy, Strategy):
            raise InputError(f"strategy: {strategy!r} is not a Strategy")
        self._strategy = strategy
        self._state = np.zeros((STATE_ROWS, len(self)), np.float32)
        if isinstance(strategy, SpiralSearch):
            self._state[1:3] = self._positions[1:]
            self._state[3:5] = _flat_directions(self._headings[1:])

    # -- moving ---------------------------------------------------------------------------------

    def move(
        self,
        field: ArrayLike | GridField | None = None,
        steps: int = 1,
        *,
        channel: int | str = 0,
        layer: int = 0,
        traces: TraceBuffers | None = None,
        device: Device = "auto",
    ) -> None:
        """Make steps over a field that stays as it is meanwhile.

        Parameters
        ----------
        field : PheromoneField or array-like of float32, optional
            An array is (Y, X) or (Z, Y, X), or has planes first; as large as the grid. Strategies
            without sensors need none. A NaN is not perceived.
        steps : int, optional
            Steps to make.
        channel : int or str, optional
            What is sensed: a plane of an array, or a pheromone field's channel by index or name.
        layer : int, optional
            Of the pheromone field's channel.
        traces : TraceBuffers, optional
            Where each step's places are recorded, at time `steps_taken`.
        device : {"auto", "cpu", "cuda"}, optional
            Where to compute. The centres of `SwarmCentering` are found on the CPU.

        Raises
        ------
        InputError
            A field is needed and missing or does not fit, or a number is out of its range;
            nothing has moved then.
        """
        steps = whole("steps", steps, 0, MOST_STEPS - self._steps_taken)
        plane, threshold = self._sensed(field, channel, layer)
        if traces is not None:
            traces.check_walkers(len(self), self.dimensions)
        ring = self._ring()
        work = len(self) * steps * max(1, len(ring))
        mover = _on_cuda if resolve(device, size=work) == "cuda" else _on_cpu
        settings = self._settings(threshold)
        for portion in self._portions(steps, traces):
            self._aim()
            mover(
                (self._strategy.kind, self._steps_taken, portion),
                (self._positions, self._headings, self._stopped, self._state),
                (plane, self._box, ring, settings, self._seed),
            )
            self._steps_taken += portion
            if traces is not None:
                traces.record(self.positions, float(self._steps_taken))

    # -- keeping --------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return everything as arrays, for `restore` or `numpy.savez`.

        Returns
        -------
        dict of str to ndarray
            Copies, with a version and a checksum.
        """
        return FORMAT.seal(
            {
                "box": self._box,
                "seed": int(self._seed),
                "steps_taken": self._steps_taken,
                "positions": self._positions,
                "headings": self._headings,
                "stopped": self._stopped,
                "state": self._state,
                "strategy": strategy_text(self._strategy),
            }
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over everything from a snapshot, bit for bit, strategy and seed included.

        Parameters
        ----------
        state : mapping of str to ndarray
            What `snapshot` gave, or `numpy.load` of a file with it.

        Raises
        ------
        InputError
            It is damaged, of another format or version, or of another number of walkers or another
            grid; the walkers are unchanged.
        """
        parts = FORMAT.opened(state)
        own = self.snapshot()
        for name in ("box", "positions", "headings", "stopped", "state"):
            if parts[name].shape != own[name].shape:
                message = f"snapshot: {name} of shape {parts[name].shape}"
                raise InputError(f"{message}; allowed: {own[name].shape}")
        if not np.array_equal(parts["box"], self._box):
            raise InputError("snapshot: of another grid or other boundaries")
        inside("snapshot: positions", parts["positions"].T, self._box[:, 0].tolist())
        seed = whole("snapshot: seed", parts["seed"].tolist(), 0, (1 << 32) - 1)
        steps_taken = whole("snapshot: steps_taken", parts["steps_taken"].tolist(), 0, MOST_STEPS)
        self.strategy = strategy_from(str(parts["strategy"]))
        self._seed, self._steps_taken = np.uint32(seed), steps_taken
        self._positions, self._headings = parts["positions"].copy(), parts["headings"].copy()
        self._stopped, self._state = parts["stopped"].copy(), parts["state"].copy()

    # -- inside ---------------------------------------------------------------------------------

    def _sensed(
        self, field: ArrayLike | GridField | None, channel: int | str, layer: int
    ) -> tuple[Float32Array, float]:
        sensors = self._strategy.sensors
        if sensors is None:
            return UNSEEN, 0.0
        if field is None:
            raise InputError(f"field: {type(self._strategy).__name__} needs one")
        planes = field_of(field, self.dimensions)
        sizes = planes.shape[4 - self.dimensions :]
        if sizes != self._bounds:
            raise InputError(
                f"field: a grid of {sizes}; allowed: that of the walkers, {self._bounds}"
            )
        plane, number, channels = plane_of(field, channel, layer, len(planes))
        return planes[plane], float(sensors.threshold_of(channels)[number])

    def _ring(self) -> Float32Array:
        """Return a sensor at the walker and those around it, or none."""
        sensors = self._strategy.sensors
        if sensors is None:
            return np.zeros((0, 6), np.float32)
        return np.concatenate([np.zeros((1, 6), np.float32), sensors.ring(self.dimensions)])

    def _settings(self, threshold: float) -> Float32Array:
        own = self._strategy.settings(max(self._bounds))
        sensors = self._strategy.sensors
        settings = np.zeros(SETTINGS, np.float32)
        settings[: len(own)] = own
        settings[THRESHOLD] = threshold
        settings[RADIUS] = 0.0 if sensors is None else sensors.radius
        return settings

    def _portions(self, steps: int, traces: TraceBuffers | None) -> list[int]:
        """Return how many steps to make at a time: all, unless something is to do between them."""
        if not steps or not len(self):
            return []
        one_by_one = traces is not None or isinstance(self._strategy, SwarmCentering)
        return [1] * steps if one_by_one else [steps]

    def _aim(self) -> None:
        if isinstance(self._strategy, SwarmCentering):
            radius = self._strategy.radius
            if radius is None:
                self._state[1:4] = centre_of_all(self._positions, self._box)
            else:
                self._state[1:4] = centres_near(self._positions, self._box, radius)


def _checked_bounds(bounds: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(bounds, Sequence | np.ndarray) or len(bounds) not in (2, 3):
        raise InputError(f"bounds is {bounds!r}; allowed: 2 or 3 sizes from 1 to {LONGEST_AXIS}")
    return tuple(
        whole(f"bounds[{axis}]", size, 1, LONGEST_AXIS) for axis, size in enumerate(bounds)
    )


def _flat_directions(ways: Float32Array) -> Float32Array:
    """Return unit vectors in the plane; the x axis for what has no extent there."""
    lengths = np.hypot(ways[0], ways[1])
    flat = np.where(lengths > 0.0, ways / np.where(lengths > 0.0, lengths, 1.0), [[0.0], [1.0]])
    return flat.astype(np.float32)


Arguments = tuple[Any, ...]


def _on_cpu(count: tuple[int, int, int], walkers: Arguments, world: Arguments) -> None:
    kind, number, steps = count
    width = math.ceil(steps * max(1, len(world[2])))
    map_bands(
        lambda first, stop: MOVERS[kind](first, stop, number, steps, walkers, world),
        walkers[0].shape[1],
        width,
    )


def _on_cuda(count: tuple[int, int, int], walkers: Arguments, world: Arguments) -> None:
    from swarmloom.cuda import numba_cuda
    from swarmloom_protocols.stigmergy.walkers.strategy_cuda import MOVERS as KERNELS

    cuda, (kind, number, steps) = numba_cuda(), count
    moved = [cuda.to_device(array) for array in walkers]
    given = [cuda.to_device(value) for value in world[:-1]]
    KERNELS[kind].launch(walkers[0].shape[1], number, steps, *moved, *given, world[-1])
    for on_gpu, array in zip(moved, walkers, strict=True):
        on_gpu.copy_to_host(array)
