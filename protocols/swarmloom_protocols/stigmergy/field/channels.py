"""The channels of a field: their names and how fast each diffuses and evaporates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.stigmergy.field.evaporation import arrhenius_rate

__all__ = ["ChannelTable", "PerChannel", "channel_table"]

Float64Array = NDArray[np.float64]
PerChannel = float | Sequence[float] | Float64Array | Mapping[str, float]


@dataclass(frozen=True)
class ChannelTable:
    """Names and coefficients of the channels.

    Attributes
    ----------
    names : tuple of str
        All different.
    diffusion : ndarray of float64, shape (n,)
        D, length² per time.
    evaporation : ndarray of float64, shape (n,)
        k at the reference temperature, per time.
    activation_energy : ndarray of float64, shape (n,)
        E of the Arrhenius law, J/mol.
    reference_temperature : float
        In kelvin.
    """

    names: tuple[str, ...]
    diffusion: Float64Array
    evaporation: Float64Array
    activation_energy: Float64Array
    reference_temperature: float

    def index(self, channel: int | str) -> int:
        """Return the index of a channel given by name or index, or raise `InputError`."""
        if isinstance(channel, str):
            if channel in self.names:
                return self.names.index(channel)
        elif 0 <= whole("channel", channel) < len(self.names):
            return int(channel)
        known = ", ".join(map(repr, self.names))
        last = len(self.names) - 1
        raise InputError(f"channel: {channel!r} is neither 0 to {last} nor one of {known}")

    def evaporation_at(self, temperature: float) -> Float64Array:
        """Return each channel's evaporation rate at a temperature in kelvin."""
        return arrhenius_rate(
            self.evaporation,
            temperature,
            activation_energy=self.activation_energy,
            reference_temperature=self.reference_temperature,
        )


def channel_table(
    channels: int | Sequence[str],
    *,
    diffusion: PerChannel,
    evaporation: PerChannel,
    activation_energy: PerChannel,
    reference_temperature: float,
) -> ChannelTable:
    """Check and complete what is said of the channels.

    Parameters
    ----------
    channels : int or sequence of str
        How many, named "0", "1" and so on, or their names.
    diffusion, evaporation, activation_energy : float, sequence of float or mapping
        One for all channels, one for each, or by name (0 for those not named).
    reference_temperature : float
        In kelvin, > 0.

    Returns
    -------
    ChannelTable

    Raises
    ------
    InputError
        Names are repeated or missing, or a coefficient is negative or not finite.
    """
    names = _names(channels)
    if not names or len(set(names)) != len(names):
        raise InputError(f"channels: {channels!r} is not a number above 0 or names that differ")
    return ChannelTable(
        names,
        _each("diffusion", diffusion, names),
        _each("evaporation", evaporation, names),
        _each("activation_energy", activation_energy, names),
        positive("reference_temperature", reference_temperature),
    )


def _names(channels: int | Sequence[str]) -> tuple[str, ...]:
    # A string alone would be as many channels as it has letters.
    if not isinstance(channels, Sequence | np.ndarray) or np.ndim(channels) == 0:
        return tuple(map(str, range(whole("channels", cast(int, channels), 1))))
    if not all(isinstance(name, str) for name in channels):
        raise InputError(f"channels: {channels!r} is neither a number nor a sequence of names")
    return tuple(map(str, channels))


def _each(name: str, given: PerChannel, names: tuple[str, ...]) -> Float64Array:
    if isinstance(given, Mapping):
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise InputError(f"{name}: {unknown} are not among the channels {list(names)}")
        given = [given.get(one, 0.0) for one in names]
    values = np.asarray(given, np.float64)
    if values.shape not in ((), (len(names),)):
        raise InputError(f"{name}: shape {values.shape} is neither () nor ({len(names)},)")
    if not (np.isfinite(values) & (values >= 0.0)).all():
        raise InputError(f"{name}: {values.tolist()} is not finite and at least 0")
    return np.array(np.broadcast_to(values, (len(names),)))
