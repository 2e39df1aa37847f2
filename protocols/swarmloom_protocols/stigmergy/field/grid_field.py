"""What a field is made of: its grid, channels and amounts, its snapshots."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.stigmergy.field.boundaries import (
    AXES,
    Boundaries,
    Sides,
    boundary_codes,
    boundary_names,
)
from swarmloom_protocols.stigmergy.field.channels import PerChannel, channel_table
from swarmloom_protocols.stigmergy.field.chemistry_grids import LARGEST_AMOUNT, checked_amounts
from swarmloom_protocols.stigmergy.field.diffusion import largest_step, step_rates
from swarmloom_protocols.stigmergy.field.host_grid import HostGrid
from swarmloom_protocols.stigmergy.field.metrics import OperationMetrics, deposit_bytes
from swarmloom_protocols.stigmergy.field.snapshots import FIELD_SNAPSHOT, checked_snapshot

__all__ = ["GridField"]

Field = NDArray[np.float32]
Float64Array = NDArray[np.float64]


class Grid(Protocol):
    """Where the amounts live: `HostGrid` or `GpuGrid`."""

    def read(self) -> Field: ...
    def write(self, values: Field) -> None: ...
    def add(self, cells: NDArray[np.int64], amounts: Float64Array) -> None: ...
    def sense(self, plane: int, positions: Float64Array) -> Field: ...
    def step(self, rates: Field, steps: int) -> None: ...
    def sweeps(self, rates: Field, steps: int) -> int: ...
    def wait(self) -> None: ...


class GridField:
    """Amounts of channels × layers on a grid: what `PheromoneField` adds its dynamics to.

    Parameters and attributes are those of `PheromoneField`.
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        channels: int | Sequence[str] = 8,
        *,
        layers: int = 1,
        boundaries: Boundaries = "reflecting",
        spacing: float | Sequence[float] = 1.0,
        diffusion: PerChannel = 0.1,
        evaporation: PerChannel = 0.01,
        activation_energy: PerChannel = 0.0,
        temperature: float = 298.15,
        reference_temperature: float = 298.15,
        device: Device = "auto",
    ) -> None:
        self._shape = _checked_shape(shape)
        self._table = channel_table(
            channels,
            diffusion=diffusion,
            evaporation=evaporation,
            activation_energy=activation_energy,
            reference_temperature=reference_temperature,
        )
        self._layers = whole("layers", layers, 1)
        self._codes = boundary_codes(boundaries, len(self._shape))
        self._boundaries = boundary_names(self._codes)
        self._spacing = _checked_spacing(spacing, len(self._shape))
        self._temperature = positive("temperature", temperature)
        self._table.evaporation_at(self._temperature)
        self._time = 0.0
        self._lock = threading.RLock()
        self._waiting: list[tuple[NDArray[np.int64], Float64Array]] = []
        # No cell holds more, with the deposits that wait: steps and jumps only even amounts out.
        self._ceiling = 0.0
        self.metrics = OperationMetrics()
        planes = len(self._table.names) * self._layers
        grid_shape = (planes, *(1,) * (3 - len(self._shape)), *self._shape)
        self._device = resolve(device, size=int(np.prod(grid_shape)))
        self._grid = _grid(self._device, grid_shape, self._codes)

    # -- what it is -----------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return self._shape

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return self._table.names

    @property
    def layers(self) -> int:
        """Layers of each channel."""
        return self._layers

    @property
    def boundaries(self) -> dict[str, Sides]:
        """Kinds of the (low, high) sides of each axis that there is, "z", "y" and "x"."""
        return {axis: self._boundaries[axis] for axis in AXES[3 - len(self._shape) :]}

    @property
    def spacing(self) -> tuple[float, ...]:
        """Length of a cell along each axis."""
        return tuple(self._spacing[3 - len(self._shape) :].tolist())

    @property
    def device(self) -> str:
        """Where the amounts live: "cpu" or "cuda"."""
        return self._device

    @property
    def time(self) -> float:
        """Time that has passed in the field."""
        return self._time

    @property
    def temperature(self) -> float:
        """Temperature in kelvin; it may be set."""
        return self._temperature

    @temperature.setter
    def temperature(self, kelvin: float) -> None:
        with self._lock:
            self._table.evaporation_at(kelvin)
            self._temperature = float(kelvin)

    @property
    def diffusion(self) -> Float64Array:
        """D of each channel, length² per time."""
        return self._table.diffusion.copy()

    @property
    def evaporation(self) -> Float64Array:
        """Rate k of each channel at the present temperature, per time."""
        return self._table.evaporation_at(self._temperature)

    @property
    def activation_energy(self) -> Float64Array:
        """E of each channel's evaporation, J/mol."""
        return self._table.activation_energy.copy()

    @property
    def reference_temperature(self) -> float:
        """Temperature in kelvin at which each channel evaporates at the rate that was given."""
        return self._table.reference_temperature

    @property
    def largest_step(self) -> float:
        """The longest stable `dt` of `step`; infinite without diffusion."""
        return largest_step(self._table.diffusion, self._spacing, len(self._shape))

    # -- amounts --------------------------------------------------------------------------------

    @property
    def amounts(self) -> Field:
        """A copy of all amounts.

        Shape (channels, layers, *shape), without the axis of layers where there is only one.
        """
        with self._lock:
            return self.view().copy()

    def view(self) -> Field:
        """Return the amounts as a read-only array, without a copy where they live on the CPU.

        Returns
        -------
        ndarray of float32, shape as `amounts`
            Valid until the field is changed.
        """
        with self._lock:
            values = self._settled().read().reshape(self._public_shape()).view()
        values.flags.writeable = False
        return values

    def replace(self, amounts: ArrayLike) -> None:
        """Overwrite all amounts.

        Parameters
        ----------
        amounts : array-like of float32, shape as `amounts`
            0 to 1e18.

        Raises
        ------
        InputError
            The shape differs or an amount is not allowed; the field is unchanged.
        """
        values = checked_amounts(amounts)
        if values.shape != self._public_shape():
            raise InputError(f"amounts: shape {values.shape} is not {self._public_shape()}")
        with self._lock:
            self._waiting.clear()
            self._overwrite(values.reshape(self._grid_shape()))

    def mass(self, channel: int | str | None = None) -> float:
        """Return the sum of all amounts, or of a channel's, in double precision."""
        chosen = ... if channel is None else self._table.index(channel)
        with self._lock:
            return float(self.view()[chosen].sum(dtype=np.float64))

    # -- state ----------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, for `restore` or `numpy.savez`.

        Returns
        -------
        dict of str to ndarray
            With a version and a checksum.
        """
        with self._lock:
            parts = self._identity() | {
                "amounts": self._settled().read(),
                "diffusion": self._table.diffusion,
                "evaporation": self._table.evaporation,
                "activation_energy": self._table.activation_energy,
                "reference_temperature": self._table.reference_temperature,
                "temperature": self._temperature,
                "time": self._time,
            }
            return FIELD_SNAPSHOT.seal(parts)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over amounts, coefficients, temperature and time of a snapshot, bit for bit.

        Parameters
        ----------
        state : mapping of str to ndarray
            What `snapshot` gave, or `numpy.load` of a file with it.

        Raises
        ------
        InputError
            It is damaged, of another format or version, or of a field with another grid; the field
            is unchanged.
        """
        parts = checked_snapshot(state)
        for name, own in self._identity().items():
            if not np.array_equal(parts[name], np.asarray(own)):
                raise InputError(f"snapshot: {name} is {parts[name].tolist()}, not {own}")
        if parts["amounts"].shape != self._grid_shape():
            raise InputError(f"snapshot: amounts are of shape {parts['amounts'].shape}")
        table = channel_table(
            self._table.names,
            diffusion=parts["diffusion"],
            evaporation=parts["evaporation"],
            activation_energy=parts["activation_energy"],
            reference_temperature=float(parts["reference_temperature"]),
        )
        temperature, time = float(parts["temperature"]), float(parts["time"])
        table.evaporation_at(temperature)
        with self._lock:
            self._waiting.clear()
            self._overwrite(parts["amounts"])
            self._table, self._temperature, self._time = table, temperature, time

    # -- inside ---------------------------------------------------------------------------------

    def _identity(self) -> dict[str, Any]:
        """Return what a snapshot must have in common with the field that it is restored to."""
        return {
            "shape": self._shape,
            "channels": self._table.names,
            "layers": self._layers,
            "boundaries": self._codes.tolist(),
            "spacing": self._spacing.tolist(),
        }

    def _settled(self) -> Grid:
        """Add the deposits that wait and return the grid; the lock is held."""
        if self._waiting:
            cells, amounts = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
            moved = deposit_bytes(len(cells))
            with self.metrics.measure("deposit", moved, self._grid.wait):
                self._grid.add(cells, amounts)
            self._waiting.clear()
        return self._grid

    def _overwrite(self, values: Field) -> None:
        """Write amounts that have been checked, shape (planes, Z, Y, X); the lock is held."""
        self._ceiling = float(values.max(initial=0.0))
        self._grid.write(values)

    def _make_room(self, cells: NDArray[np.int64], amounts: Float64Array) -> None:
        """Refuse deposits that would lift a cell above what it may hold; the lock is held."""
        ceiling = self._ceiling + float(amounts.sum())
        if ceiling > LARGEST_AMOUNT:
            present = self._settled().read().reshape(-1)
            where, which = np.unique(cells, return_inverse=True)
            most = float((present[where] + np.bincount(which, amounts)).max())
            if most > LARGEST_AMOUNT:
                raise InputError(
                    f"amounts: a cell would hold {most:g}; allowed: at most {LARGEST_AMOUNT:g}"
                )
            ceiling = max(most, float(present.max()))
        self._ceiling = ceiling

    def _step_rates(self, dt: float) -> Field:
        """Return the coefficients of a step for each plane."""
        evaporation = self._table.evaporation_at(self._temperature)
        rates = step_rates(self._table.diffusion, evaporation, dt, self._spacing, len(self._shape))
        return np.repeat(rates, self._layers, axis=0)

    def _plane(self, channel: int | str, layer: int) -> int:
        return self._table.index(channel) * self._layers + whole(
            "layer", layer, 0, self._layers - 1
        )

    def _size(self) -> int:
        return len(self._table.names) * self._layers * int(np.prod(self._shape))

    def _grid_shape(self) -> tuple[int, ...]:
        planes = len(self._table.names) * self._layers
        return (planes, *(1,) * (3 - len(self._shape)), *self._shape)

    def _public_shape(self) -> tuple[int, ...]:
        layers = () if self._layers == 1 else (self._layers,)
        return (len(self._table.names), *layers, *self._shape)


def _grid(device: str, shape: tuple[int, ...], codes: NDArray[np.int64]) -> Grid:
    # A GPU has no arrays without elements.
    if device == "cpu" or 0 in shape:
        return HostGrid(shape, codes)
    from swarmloom_protocols.stigmergy.field.gpu_grid import GpuGrid

    return GpuGrid(shape, codes)


def _checked_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, tuple | list | np.ndarray) else (shape,)
    if not 1 <= len(sizes) <= 3:
        raise InputError(f"shape: {sizes} is not one to three sizes")
    return tuple(whole("shape", size, 0) for size in sizes)


def _checked_spacing(spacing: float | Sequence[float], dimensions: int) -> Float64Array:
    sizes = np.ones(3)
    given = np.asarray(spacing, np.float64)
    if given.shape not in ((), (dimensions,)):
        raise InputError(f"spacing: shape {given.shape} is neither () nor ({dimensions},)")
    sizes[3 - dimensions :] = given
    for size in sizes.tolist():
        positive("spacing", size)
    return sizes
