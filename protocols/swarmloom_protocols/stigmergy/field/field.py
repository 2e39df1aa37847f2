"""The pheromone field: channels × layers of amounts on a grid that spread and evaporate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.stigmergy.field.deposits import cells_at, checked_amounts
from swarmloom_protocols.stigmergy.field.gradient_fields import GradientKind, gradient_field
from swarmloom_protocols.stigmergy.field.metrics import sense_bytes, step_bytes
from swarmloom_protocols.stigmergy.field.reactive_field import ReactiveField, check_options
from swarmloom_protocols.stigmergy.field.spectral_jump import jumped, powered

if TYPE_CHECKING:
    from swarmloom_protocols.stigmergy.patterns.pattern import Pattern

__all__ = ["PheromoneField"]

Field = NDArray[np.float32]
Float64Array = NDArray[np.float64]

# Deposits that wait are added before they take more memory than a small grid does.
MOST_WAITING = 1 << 22
# Explicit steps that cost about as much as a transform there and back; see docs/stigmergy/field.md.
STEPS_WORTH_A_JUMP = 128


class PheromoneField(ReactiveField):
    """Pheromones on a grid of one to three dimensions, with a fourth coordinate if wanted.

    Every public call may be made from several threads at once.

    Parameters
    ----------
    shape : int or tuple of int
        Cells along the one to three axes, in the order (z, y, x) with the last axes present only.
    channels : int or sequence of str, optional
        Types of pheromone: how many, or their names.
    layers : int, optional
        Fourth coordinate of the grid: separate layers between which nothing diffuses.
    boundaries : optional
        As `boundary_codes` takes them.
    spacing : float or sequence of float, optional
        Size of a cell along all axes or each of them, > 0. Positions are in cells nevertheless.
    diffusion, evaporation : float, sequence of float or mapping, optional
        D in length² per time and k per time, for all channels, each, or by name.
    activation_energy : float, sequence of float or mapping, optional
        E of the Arrhenius law of evaporation, J/mol.
    temperature, reference_temperature : float, optional
        In kelvin; k is the rate at the reference temperature.
    device : {"auto", "cpu", "cuda"}, optional
        Where the amounts live. On a GPU they stay there between calls and are copied to the host
        only when they are read.

    Attributes
    ----------
    metrics : OperationMetrics
        What the operations have cost so far.

    Raises
    ------
    InputError
        A parameter is not allowed; the message says what is.
    DeviceError
        "cuda" was asked for and is not usable.

    Examples
    --------
    >>> field = PheromoneField((5, 5), ["food"], diffusion=0.1, evaporation=0.0)
    >>> field.deposit([[2.0, 2.0]], 1.0, channel="food")
    >>> field.step(dt=1.0)
    >>> field.sense([[2.0, 2.0], [2.0, 3.0]], channel="food").round(3).tolist()
    [0.6000000238418579, 0.10000000149011612]
    """

    # -- places ----------------------------------------------------------------------------

    def deposit(
        self,
        positions: ArrayLike,
        amounts: ArrayLike = 1.0,
        *,
        channel: int | str = 0,
        layer: int = 0,
    ) -> None:
        """Add amounts to the cells at positions.

        The cost does not depend on the size of the grid. All deposits between two steps or
        readings are summed exactly and added to each cell with one rounding, so that the result
        does not depend on their order or on the threads they come from (up to 4,194,304 of them).

        Parameters
        ----------
        positions : array-like of float, shape (..., d)
            In cells; cell i covers [i − ½, i + ½). Taken modulo the size along periodic axes.
        amounts : array-like of float, shape (...) or ()
            0 to 1e18.
        channel : int or str, optional
            Index or name.
        layer : int, optional
            Fourth coordinate.

        Raises
        ------
        InputError
            A position is outside or NaN, an amount is not allowed, or a cell would hold more than
            1e18; nothing is deposited.
        """
        points = _points(positions, len(self._shape))
        added = checked_amounts(
            np.reshape(amounts, -1) if np.ndim(amounts) else amounts, len(points)
        )
        cells = cells_at(points, self._shape, self._codes)
        cells += self._plane(channel, layer) * int(np.prod(self._shape))
        with self._lock:
            self._make_room(cells, added)
            self._waiting.append((cells, added))
            if sum(len(one) for one, _ in self._waiting) >= MOST_WAITING:
                self._settled()

    def sense(self, positions: ArrayLike, *, channel: int | str = 0, layer: int = 0) -> Field:
        """Read the field at positions by multilinear interpolation, in O(k) for k positions.

        Parameters
        ----------
        positions : array-like of float, shape (..., d)
            In cells, as for `deposit`. Between the outermost cells' centres and the edge the
            boundary's value one cell outside is used.
        channel : int or str, optional
            Index or name.
        layer : int, optional
            Fourth coordinate.

        Returns
        -------
        ndarray of float32, shape (...)

        Raises
        ------
        InputError
            A position is outside or NaN.
        """
        points = _points(positions, len(self._shape))
        cells_at(points, self._shape, self._codes)
        padded = np.zeros((len(points), 3))
        padded[:, 3 - len(self._shape) :] = points
        with self._lock:
            grid = self._settled()
            moved = sense_bytes(len(points), len(self._shape))
            with self.metrics.measure("sense", moved, grid.wait):
                values: Field = grid.sense(self._plane(channel, layer), padded)
        return values.reshape(np.shape(positions)[:-1])

    # -- time -----------------------------------------------------------------------------------

    def step(self, n: int = 1, *, dt: float = 1.0) -> None:
        """Take explicit steps of diffusion and evaporation.

        Parameters
        ----------
        n : int, optional
            Steps, at least 0.
        dt : float, optional
            Length of each, at most `largest_step`.

        Raises
        ------
        InputError
            `n` is negative or no whole number, or the step is not stable; the field is unchanged.
        """
        n = whole("n", n, 0)
        with self._lock:
            rates = self._step_rates(dt)
            grid = self._settled()
            moved = step_bytes(self._size(), grid.sweeps(rates, n))
            with self.metrics.measure("step", moved, grid.wait):
                grid.step(rates, n)
            self._time += n * dt

    def advance(
        self, time: float, *, scheme: Literal["exact", "steps"] = "exact", dt: float = 1.0
    ) -> None:
        """Let any time pass at once, at a cost that does not depend on it.

        Parameters
        ----------
        time : float
            At least 0.
        scheme : {"exact", "steps"}, optional
            "exact" solves the semi-discrete equation (the grid's Laplacian, continuous time)
            without any error of time. "steps" gives what explicit steps of `dt` would give; they
            are taken where that is cheaper, else their amplification of each mode is.
        dt : float, optional
            Length of a step of the scheme "steps", of which `time` has to be a multiple.

        Raises
        ------
        InputError
            `time` is negative or no multiple of `dt`, or the step is not stable; the field is
            unchanged.
        """
        between("time", time, 0.0)
        if scheme == "steps":
            self._advance_by_steps(_count_of_steps(time, dt), dt)
        elif scheme == "exact":
            self._advance_exactly(time)
        else:
            raise InputError(f"scheme: {scheme!r} is not one of 'exact', 'steps'")

    def _advance_exactly(self, time: float) -> None:
        with self._lock:
            evaporation = self._table.evaporation_at(self._temperature)
            rates = [np.repeat(one, self._layers) for one in (self._table.diffusion, evaporation)]
            grid = self._settled()
            with self.metrics.measure("advance", step_bytes(self._size()), grid.wait):
                where = self._codes, self._spacing, len(self._shape)
                grid.write(jumped(grid.read(), rates[0], rates[1], *where, time))
            self._time += time

    def _advance_by_steps(self, n: int, dt: float) -> None:
        if n < STEPS_WORTH_A_JUMP:
            self.step(n, dt=dt)
            return
        with self._lock:
            rates = self._step_rates(dt)
            grid = self._settled()
            with self.metrics.measure("advance", step_bytes(self._size()), grid.wait):
                grid.write(powered(grid.read(), rates, self._codes, n))
            self._time += n * dt

    # -- readings of a layer --------------------------------------------------------------------

    def gradient(
        self,
        kind: GradientKind | str = GradientKind.ATTRACTION,
        *,
        channel: int | str = 0,
        layer: int = 0,
        **options: Any,
    ) -> Field:
        """Return one of the six gradient fields of a layer.

        Parameters
        ----------
        kind : GradientKind or str, optional
            "attraction", "repulsion", "exploration", "exploitation", "convergence", "divergence".
        channel : int or str, optional
            Index or name.
        layer : int, optional
            Fourth coordinate.
        **options
            Of `swarmloom_protocols.stigmergy.field.gradient_fields.gradient_field`: `sources`,
            `sinks`, `half_level`, `softening`.

        Returns
        -------
        ndarray of float32, shape (*shape, d)
            For fields of two or three axes; per cell, not per length.
        """
        axes = len(self._shape)
        own: dict[str, Any] = {"boundaries": self._boundaries, "device": self._device, "axes": axes}
        check_options(gradient_field, options, "amounts", "kind", *own)
        plane = self._plane(channel, layer)
        with self._lock:
            grid = self._settled()
            amounts = grid.read()[plane].reshape(self._shape)
            with self.metrics.measure("gradient", (1 + amounts.ndim) * amounts.nbytes, grid.wait):
                return gradient_field(amounts, kind, **options, **own)

    def detect(
        self,
        *,
        rng: np.random.Generator,
        channel: int | str = 0,
        layer: int = 0,
        **options: Any,
    ) -> list[Pattern]:
        """Find the patterns that a layer of a field of two axes shows.

        Parameters
        ----------
        rng : numpy.random.Generator
            Draws from the null models.
        channel : int or str, optional
            Index or name.
        layer : int, optional
            Fourth coordinate.
        **options
            Of `swarmloom_protocols.stigmergy.patterns.detection.detect`: `history` and `tracks`,
            which waves, spirals and the patterns of walkers need, `kinds`, `level` and others.

        Returns
        -------
        list of Pattern
            In the order of `PatternKind`.

        Raises
        ------
        InputError
            The field has not two axes, a side is too short, or an option is not allowed.
        """
        from swarmloom_protocols.stigmergy.patterns.detection import detect

        check_options(detect, options, "field")
        plane = self._plane(channel, layer)
        with self._lock:
            amounts = self._settled().read()[plane].reshape(self._shape).copy()
        return detect(amounts, rng=rng, **options)


def _count_of_steps(time: float, dt: float) -> int:
    n = round(time / positive("dt", dt))
    if abs(n * dt - time) > 1e-9 * max(time, dt):
        raise InputError(f"time: {time} is no multiple of dt = {dt}")
    return n


def _points(positions: ArrayLike, dimensions: int) -> Float64Array:
    points = np.asarray(positions, np.float64)
    if points.ndim == 0 or points.shape[-1] != dimensions:
        raise InputError(f"positions: shape {points.shape} is not (..., {dimensions})")
    return points.reshape(-1, dimensions)
