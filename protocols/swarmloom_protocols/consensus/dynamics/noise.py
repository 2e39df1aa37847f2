"""Noise of four colours: White, Pink, Brownian and Lévy; whole series or streams.

Sources: spectral synthesis after Timmer & König, "On generating power law noise", Astron.
Astrophys. 300, 1995; the streamed 1/f noise is a bank of relaxation processes (van der Ziel, "On
the noise spectra of semi-conductor noise and of flicker effect", Physica 16, 1950); exact steps of
the Ornstein–Uhlenbeck process after Gillespie, Phys. Rev. E 54, 1996.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, generator, positive, whole
from swarmloom_protocols.consensus.dynamics.levy_stable import stable_variates

__all__ = ["Colour", "Noise", "NoiseStream"]

FloatArray = NDArray[np.float64]
Colour = Literal["White", "Pink", "Brownian", "Levy"]

# Longest correlation of streamed 1/f noise, in steps, where none is given.
LONGEST_MEMORY = 2.0**20
# Octaves beyond the sampling rate whose aliases a sampled 1/f noise needs.
FASTER_OCTAVES = 2
# Variates that are drawn at a time.
PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Noise:
    """What a noise is like; `sample` draws a series, `stream` draws without an end.

    Attributes
    ----------
    colour : {"White", "Pink", "Brownian", "Levy"}
        Power falls with frequency f as f⁰, 1/f and 1/f²; "Levy" has independent α-stable values,
        whose power does not exist.
    amplitude : float
        At least 0, 0 being silence. "White", "Pink": standard deviation of a value. "Brownian":
        standard deviation of what it moves in a unit of time. "Levy": scale of what it moves in a
        unit of time, the γ of exp(−|γk|^α).
    correlation_time : float or None
        τ ≥ 0, in units of time; None for none ("White", "Levy") or an unlimited one ("Pink",
        "Brownian"). "White" with τ is an Ornstein–Uhlenbeck process of the same standard
        deviation; "Levy" with τ relaxes likewise. "Brownian" with τ is pulled back to 0 at a rate
        of 1/τ, its variance amplitude²·τ/2. "Pink" with τ is level below the frequency 1/(2πτ).
    stability : float
        α of "Levy", in (0, 2]; 2 is Gaussian with a variance of 2·amplitude².
    skewness : float
        β of "Levy", −1 to 1.
    """

    colour: Colour
    amplitude: float = 1.0
    correlation_time: float | None = None
    stability: float = 1.5
    skewness: float = 0.0

    def __post_init__(self) -> None:
        if self.colour not in get_args(Colour):
            allowed = ", ".join(map(repr, get_args(Colour)))
            raise InputError(f"colour is {self.colour!r}; allowed: {allowed}")
        between("amplitude", self.amplitude, 0.0)
        if self.correlation_time is not None:
            least = 0.0 if self.colour in ("White", "Levy") else 1e-300
            between("correlation_time", self.correlation_time, least)
        positive("stability", self.stability, 2.0)
        between("skewness", self.skewness, -1.0, 1.0)

    def sample(
        self, steps: int, channels: int = 1, dt: float = 1.0, *, rng: np.random.Generator
    ) -> FloatArray:
        """Draw a series of each of some independent channels.

        Parameters
        ----------
        steps : int
            Values of a channel, at least 0.
        channels : int, optional
            At least 1.
        dt : float, optional
            Time between two values.
        rng : numpy.random.Generator
            Where randomness comes from.

        Returns
        -------
        ndarray of float64, shape (steps, channels)
            Stationary from the first value on, but for "Brownian" without `correlation_time`,
            which sets out from 0. "Pink" is made from its spectrum at once: exactly 1/f between
            the lowest frequency and half the sampling rate, with a mean of 0.

        Raises
        ------
        InputError
            An argument is out of its range.
        """
        count, width = whole("steps", steps, 0), whole("channels", channels, 1)
        step = positive("dt", dt)
        if self.colour == "Pink":
            time = math.inf if self.correlation_time is None else self.correlation_time
            pink = _pink(count, width, step, time, generator("rng", rng))
            return self.amplitude * pink
        return self.stream(width, step, rng=rng).draw(count)

    def stream(
        self, channels: int = 1, dt: float = 1.0, *, rng: np.random.Generator
    ) -> NoiseStream:
        """Return a source that goes on for as long as it is asked.

        Parameters
        ----------
        channels : int, optional
            At least 1.
        dt : float, optional
            Time between two values.
        rng : numpy.random.Generator
            Where randomness comes from, drawn from at each call of the stream.

        Returns
        -------
        NoiseStream
            "Pink" remembers `correlation_time`, 2²⁰ steps by default, in one number an octave.

        Raises
        ------
        InputError
            An argument is out of its range.
        """
        width = whole("channels", channels, 1)
        return NoiseStream(self, width, positive("dt", dt), generator("rng", rng))


def _pink(
    steps: int, channels: int, dt: float, time: float, rng: np.random.Generator
) -> FloatArray:
    """Return 1/f noise of standard deviation 1 from Gaussian Fourier coefficients."""
    if steps < 2:
        # One value has no frequency but 0, which is not part of the noise.
        return np.zeros((steps, channels))
    frequencies = np.fft.rfftfreq(steps, dt)
    corner = 1 / (2 * math.pi * time)
    power = np.zeros(frequencies.size)
    power[1:] = 1 / np.maximum(frequencies[1:], corner)
    parts = rng.standard_normal((2, frequencies.size, channels))
    weights = np.full(frequencies.size, 2.0)
    if steps % 2 == 0:
        # The highest frequency is its own mirror image: it is real and counts once.
        parts[1, -1], weights[-1] = 0.0, 1.0
        parts[0, -1] *= math.sqrt(2)
    spectrum = np.sqrt(power)[:, None] * (parts[0] + 1j * parts[1])
    scale = steps / math.sqrt(2 * float(weights @ power))
    series: FloatArray = np.fft.irfft(spectrum, steps, axis=0) * scale
    return series


class NoiseStream:
    """Noise without an end; what `draw` returns does not depend on how it is cut up.

    Made by `Noise.stream`.

    Parameters
    ----------
    noise : Noise
        What it is like.
    channels : int
        How many independent series.
    dt : float
        Time between two values.
    rng : numpy.random.Generator
        Where randomness comes from.
    """

    def __init__(self, noise: Noise, channels: int, dt: float, rng: np.random.Generator) -> None:
        self._noise, self._channels, self._rng = noise, channels, rng
        self._kept, self._drive, self._start = _relaxations(noise, dt)
        self._weight = _weight(noise, dt)
        self._levels: FloatArray | None = None

    def draw(self, steps: int) -> FloatArray:
        """Return the next values.

        Parameters
        ----------
        steps : int
            At least 0.

        Returns
        -------
        ndarray of float64, shape (steps, channels)

        Raises
        ------
        InputError
            `steps` is no whole number from 0.
        """
        count = whole("steps", steps, 0)
        values = np.empty((count, self._channels))
        rows = max(1, PIECE // (self._kept.size * self._channels))
        for start in range(0, count, rows):
            stop = min(start + rows, count)
            values[start:stop] = self._piece(stop - start)
        return values

    def increments(self, steps: int) -> FloatArray:
        """Return what the noise adds in each of the next steps to dX = … + dZ.

        Parameters
        ----------
        steps : int
            At least 0.

        Returns
        -------
        ndarray of float64, shape (steps, channels)
            "White" without a correlation time is dW: amplitude·√dt times normal values. "Levy"
            without one adds its values, of scale amplitude·dt^(1/α). All else is a force that has
            values ξ, and adds ξ·dt.

        Raises
        ------
        InputError
            `steps` is no whole number from 0.
        """
        return self.draw(steps) * self._weight

    def _piece(self, steps: int) -> FloatArray:
        if self._levels is None:
            self._levels = self._start[:, None] * self._variates(1)[0]
        shocks = self._variates(steps) * self._drive[:, None]
        if not self._kept.any():
            alone: FloatArray = shocks[:, 0]
            return alone
        # It takes a second to import, and pink streams alone need it.
        from scipy.signal import lfilter

        total = np.zeros((steps, self._channels))
        for i, kept in enumerate(self._kept):
            carried = kept * self._levels[i][None]
            level, _ = lfilter([1.0], [1.0, -kept], shocks[:, i], axis=0, zi=carried)
            self._levels[i] = level[-1]
            total += level
        return total

    def _variates(self, steps: int) -> FloatArray:
        """Return independent values, (steps, relaxations, channels)."""
        shape = steps, self._kept.size, self._channels
        if self._noise.colour == "Levy":
            return stable_variates(
                self._noise.stability, self._noise.skewness, shape, rng=self._rng
            )
        normal: FloatArray = self._rng.standard_normal(shape)
        return normal


def _weight(noise: Noise, dt: float) -> float:
    """Return what turns values into increments."""
    if noise.correlation_time or noise.colour in ("Pink", "Brownian"):
        return dt
    return math.sqrt(dt) if noise.colour == "White" else 1.0


def _relaxations(noise: Noise, dt: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what each process keeps in a step, the scale of its shocks and of its beginning."""
    amplitude, time = noise.amplitude, noise.correlation_time
    if noise.colour == "Pink":
        longest = LONGEST_MEMORY * dt if time is None else time
        octaves = max(0, math.ceil(math.log2(longest / dt))) + FASTER_OCTAVES
        times = longest * 2.0 ** -np.arange(octaves + 1)
        kept = np.exp(-dt / times)
        share = np.full(times.size, amplitude / math.sqrt(times.size))
        return kept, share * np.sqrt(1 - kept**2), share
    if noise.colour == "Brownian":
        if time is None:
            return np.ones(1), np.array([amplitude * math.sqrt(dt)]), np.zeros(1)
        level = amplitude * math.sqrt(time / 2)
        return _relaxation(dt, time, level, 2.0)
    if noise.colour == "White":
        return _relaxation(dt, time, amplitude, 2.0)
    return _relaxation(dt, time, amplitude * dt ** (1 / noise.stability), noise.stability)


def _relaxation(
    dt: float, time: float | None, level: float, stability: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return one process whose values have a stable law of the given scale."""
    kept = math.exp(-dt / time) if time else 0.0
    drive = level * (1 - kept**stability) ** (1 / stability)
    return np.array([kept]), np.array([drive]), np.array([level])
