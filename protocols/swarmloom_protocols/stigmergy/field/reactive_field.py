"""What a field's amounts do beside plain steps: reactions, tensors, removal of noise."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.anisotropic import DiffusionByTensor
from swarmloom_protocols.stigmergy.field.chemistry_grids import checked_amounts, checked_steps
from swarmloom_protocols.stigmergy.field.diffusion import diffused
from swarmloom_protocols.stigmergy.field.grid_field import GridField
from swarmloom_protocols.stigmergy.field.metrics import step_bytes
from swarmloom_protocols.stigmergy.field.perona_malik import perona_malik_steps
from swarmloom_protocols.stigmergy.field.reaction_networks import ReactionNetwork
from swarmloom_protocols.stigmergy.field.reactions import react, reaction_diffusion_steps

__all__ = ["ReactiveField", "check_options"]

Field = NDArray[np.float32]
Change = Callable[[Field], Field]


class ReactiveField(GridField):
    """Adds the chemistry to `GridField`; parameters and attributes are `PheromoneField`'s."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._by_tensor = DiffusionByTensor(self._boundaries)

    def react(self, network: ReactionNetwork, time: float, **options: Any) -> None:
        """Let reactions between channels run for a time in each cell; nothing else happens in it.

        Parameters
        ----------
        network : ReactionNetwork
            Its channels are looked up by name among the field's.
        time : float
            At least 0; the field's own time stands still, for `step` or `advance` moves it.
        **options
            Of `swarmloom_protocols.stigmergy.field.reactions.react`: `relative_tolerance`,
            `absolute_tolerance`, `most_steps`.

        Raises
        ------
        InputError
            A channel is not there, an option is not allowed, or an amount grows above 1e18; the
            field is unchanged.
        """
        check_options(react, options, "amounts", "network", "time", "device")

        def reacted(amounts: Field) -> Field:
            return react(amounts, network, time, device=self._device, **options)

        self._change("react", (self._rows(network), reacted))

    def react_and_step(
        self, network: ReactionNetwork, n: int = 1, *, dt: float = 1.0, **options: Any
    ) -> None:
        """Take steps of reaction, diffusion and evaporation together, of second order in `dt`.

        Each is half a step of reaction, a step of diffusion (by Heun's method) and evaporation,
        and half a step of reaction (Strang 1968). Channels that the network does not name take
        the steps of `step`.

        Parameters
        ----------
        network : ReactionNetwork
            Its channels are looked up by name among the field's.
        n : int, optional
            Steps, at least 0.
        dt : float, optional
            Length of each, at most `largest_step`.
        **options
            Of `swarmloom_protocols.stigmergy.field.reactions.reaction_diffusion_steps`:
            `relative_tolerance`, `absolute_tolerance`, `most_steps`.

        Raises
        ------
        InputError
            A channel is not there, cells are not as long along one axis as along another, the
            step is not stable, an option is not allowed, or an amount grows above 1e18; the field
            is unchanged.
        """
        rows, side, steps = self._rows(network), self._side_of_cells(), checked_steps(n)
        others = [row for row in range(len(self.channels)) if row not in rows]
        own = {"dt": dt, "steps": steps, "boundaries": self._boundaries, "device": self._device}
        fixed = "amounts", "network", "diffusion", "evaporation", *own
        check_options(reaction_diffusion_steps, options, *fixed)
        options |= own

        def together(amounts: Field) -> Field:
            spread, lost = self._table.diffusion[rows] / side**2, self.evaporation[rows]
            layers = [
                reaction_diffusion_steps(layer, network, spread, evaporation=lost, **options)
                for layer in amounts.swapaxes(0, 1)
            ]
            return np.stack(layers, axis=1)

        with self._lock:
            rates = self._step_rates(dt).reshape(len(self.channels), -1, 4)

            def alone(amounts: Field) -> Field:
                own = rates[others].reshape(-1, 4)
                return diffused(_planes(amounts), own, self._codes, steps, device=self._device)

            self._change("react_and_step", (rows, together), (others, alone), steps=steps)
            self._time += steps * dt

    def diffuse(
        self,
        tensor: ArrayLike,
        n: int = 1,
        *,
        channel: int | str | None = None,
        dt: float = 1.0,
    ) -> None:
        """Let amounts spread by a tensor, faster in some directions than in others.

        They neither evaporate nor spread by the channel's own D meanwhile. The tensor is known
        again by its values: what is made of it is kept for the four latest.

        Parameters
        ----------
        tensor : array-like, shape (2, 2), (Y, X, 2, 2), (3, 3) or (Z, Y, X, 3, 3)
            D in length² per time, constant or of each cell, with the axes in the order (y, x) or
            (z, y, x): symmetric, positive semidefinite and, over the product of the cell's sides
            along both axes, diagonally dominant.
        n : int, optional
            Steps, at least 0.
        channel : int or str, optional
            Index or name; all channels by default.
        dt : float, optional
            Length of each; the field's own time stands still, for `step` or `advance` moves it.

        Raises
        ------
        InputError
            The tensor cannot be treated, or the step is not stable; the field is unchanged.
        """
        per_cells, steps = self._in_cells(tensor), checked_steps(n)

        def spread(amounts: Field) -> Field:
            planes = _planes(amounts)
            by_tensor = self._by_tensor.of(per_cells, planes.shape)
            return by_tensor.steps(planes, dt, steps, self._device)

        self._change("diffuse", (self._channel_rows(channel), spread), steps=steps)

    def denoise(
        self, threshold: float, n: int = 1, *, channel: int | str | None = None, **options: Any
    ) -> None:
        """Smooth differences below a threshold and keep edges above it (Perona & Malik 1990).

        This prepares a field for being looked at; it is no physics, and time stands still.

        Parameters
        ----------
        threshold : float
            K > 0, in amounts per cell.
        n : int, optional
            Steps, at least 0.
        channel : int or str, optional
            Index or name; all channels by default.
        **options
            Of `swarmloom_protocols.stigmergy.field.perona_malik.perona_malik_steps`:
            `conductance`, `rate` and `dt`, in cells and not in lengths.

        Raises
        ------
        InputError
            An argument is not allowed; the field is unchanged.
        """
        steps = checked_steps(n)
        own = {"boundaries": self._boundaries, "device": self._device, "axes": 3, "steps": steps}
        check_options(perona_malik_steps, options, "amounts", "threshold", *own)
        options |= own

        def smoothed(amounts: Field) -> Field:
            return perona_malik_steps(_planes(amounts), threshold=threshold, **options)

        self._change("denoise", (self._channel_rows(channel), smoothed), steps=steps)

    # -- inside ---------------------------------------------------------------------------------

    def _change(self, operation: str, *parts: tuple[Sequence[int], Change], steps: int = 1) -> None:
        """Replace some channels' amounts, which are given as (channels, layers, Z, Y, X).

        Nothing is written before all parts are there and allowed.
        """
        changed = sum(len(rows) for rows, _ in parts)
        with self._lock:
            grid = self._settled()
            moved = step_bytes(changed * self._size() // len(self.channels), steps)
            with self.metrics.measure(operation, moved, grid.wait):
                values = grid.read().copy()
                channels = values.reshape(len(self.channels), self._layers, *values.shape[1:])
                for rows, change in parts:
                    chosen = channels[list(rows)]
                    channels[list(rows)] = change(chosen).reshape(chosen.shape)
                self._overwrite(checked_amounts(values))

    def _rows(self, network: ReactionNetwork) -> list[int]:
        return [self._table.index(name) for name in network.channels]

    def _channel_rows(self, channel: int | str | None) -> Sequence[int]:
        return range(len(self.channels)) if channel is None else [self._table.index(channel)]

    def _side_of_cells(self) -> float:
        """Return the length of a cell that is as long along every axis."""
        sides = set(self._spacing[3 - len(self._shape) :].tolist())
        if len(sides) > 1:
            raise InputError(f"spacing: {sorted(sides)}; reactions need cells of equal sides")
        return float(sides.pop())

    def _in_cells(self, tensor: ArrayLike) -> NDArray[np.float64]:
        """Return a tensor in cells² per time."""
        given = np.asarray(tensor, np.float64)
        axes = given.shape[-1] if given.ndim > 1 else 0
        if axes not in (2, 3) or axes > len(self._shape):
            shape, most = given.shape, len(self._shape)
            raise InputError(f"tensor: shape {shape} is not (…, d, d) with d of 2 to {most} axes")
        sides = self._spacing[3 - axes :]
        return np.asarray(given / np.outer(sides, sides), np.float64)


def check_options(function: Callable[..., Any], options: Mapping[str, Any], *fixed: str) -> None:
    """Refuse options that a function does not have, or that the field itself gives it.

    Parameters
    ----------
    function : callable
        What the options are handed on to.
    options : mapping of str to object
        Looked at by name alone.
    *fixed : str
        Parameters of `function` that are no options.

    Raises
    ------
    InputError
        One is not allowed; the message lists those that are.
    """
    allowed = [name for name in inspect.signature(function).parameters if name not in fixed]
    for name in options:
        if name not in allowed:
            raise InputError(f"{name}: no option here; allowed: {', '.join(allowed)}")


def _planes(amounts: Field) -> Field:
    """Return (channels, layers, Z, Y, X) as (planes, Z, Y, X)."""
    channels, layers = amounts.shape[:2]
    return amounts.reshape(channels * layers, *amounts.shape[2:])
