"""Wave propagation: the energy of the frames travels in one direction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, signal

from swarmloom_protocols.stigmergy.patterns.inputs import as_history, is_constant
from swarmloom_protocols.stigmergy.patterns.null_models import check_draws, monte_carlo_p_value
from swarmloom_protocols.stigmergy.patterns.pattern import Pattern, PatternKind

__all__ = ["wave_propagation"]

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

# Most of the energy of any wave lies in few modes, and the null is drawn for each.
MOST_MODES = 256


def wave_propagation(history: ArrayLike, *, rng: np.random.Generator, draws: int = 199) -> Pattern:
    """Test whether crests travel.

    Parameters
    ----------
    history : array-like, shape (T, Y, X)
        Frames, evenly spaced in time; at least 8, and at least two periods of the wave.
    rng : numpy.random.Generator
        Draws from the null.
    draws : int, optional
        Draws from the null (at least 19).

    Returns
    -------
    Pattern
        Strength is the length of the mean direction of travel, weighted by energy: 1 for a plane
        wave, 0 for a standing wave, and for rings that run in all directions. Parameters: speed
        in cells a frame, direction in radians (0 towards x, π/2 towards y), period in frames and
        wavelength in cells. Located at the middle of the frame.

    Raises
    ------
    InputError
        The history is not finite or of another shape, or `draws` is too small.

    Notes
    -----
    The transform of (T, Y, X) has two modes for each wave vector ±k and frequency ω: one travels
    along k, the other against it. Null: a stationary Gaussian field to which it makes no
    difference whether time runs backwards. Its two modes have independent, exponentially
    distributed energies of the same mean, so that given their sum the share of either is uniform
    on [0, 1], whatever the spectrum. The 256 modes with the largest sums are used, which says
    nothing of their shares. Trends in time are removed and frames weighted by a Hann window;
    every second frequency is used, for the window makes neighbours resemble each other.
    """
    frames = as_history(history)
    check_draws(draws)
    middle = (frames.shape[1] - 1) / 2.0, (frames.shape[2] - 1) / 2.0
    extent = float(np.hypot(*middle))
    along, against = _energies(_windowed(frames))
    if is_constant(frames) or not along[::2].sum() + against[::2].sum() > 0.0:
        return Pattern(PatternKind.WAVE_PROPAGATION, 0.0, 1.0, middle, extent)
    modes = _strongest_modes(along, against, frames.shape, every=2)
    shares = np.vstack((modes.shares, rng.uniform(-1.0, 1.0, (draws, modes.shares.size))))
    weights = modes.energies / modes.energies.sum()
    flows = (shares * weights) @ modes.directions
    lengths = np.hypot(*flows.T)
    return Pattern(
        PatternKind.WAVE_PROPAGATION,
        strength=min(1.0, float(lengths[0])),
        p_value=monte_carlo_p_value(lengths[0], lengths[1:]),
        location=middle,
        extent=extent,
        parameters=_measures(_strongest_modes(along, against, frames.shape), flows[0]),
    )


@dataclass(frozen=True)
class _Modes:
    """Pairs of opposite modes: M of them.

    Attributes
    ----------
    vectors : ndarray of float64, shape (M, 2)
        Wave vectors (y, x), in cycles a cell.
    frequencies : ndarray of float64, shape (M,)
        In cycles a frame, above 0.
    energies : ndarray of float64, shape (M,)
        Of both modes.
    shares : ndarray of float64, shape (M,)
        (along − against) / both, in [−1, 1].
    """

    vectors: Float64Array
    frequencies: Float64Array
    energies: Float64Array
    shares: Float64Array

    @property
    def lengths(self) -> Float64Array:
        return np.asarray(np.hypot(*self.vectors.T))

    @property
    def directions(self) -> Float64Array:
        lengths = np.maximum(self.lengths, np.finfo(np.float64).tiny)
        return np.asarray(self.vectors / lengths[:, None])


def _strongest_modes(
    along: Float64Array, against: Float64Array, shape: tuple[int, ...], every: int = 1
) -> _Modes:
    """Return the strongest pairs among the first, third, … or all frequencies."""
    along, against = along[::every], against[::every]
    both = along + against
    count = min(MOST_MODES, both.size)
    chosen = np.argpartition(-both, count - 1, axis=None)[:count]
    t, row, column = np.unravel_index(chosen, both.shape)
    y, x = (fft.fftfreq(side) for side in shape[1:])
    sums = both.flat[chosen]
    difference = along.flat[chosen] - against.flat[chosen]
    return _Modes(
        vectors=np.stack((y[row], x[column]), axis=1),
        frequencies=(every * t + 1) / shape[0],
        energies=sums,
        shares=np.divide(difference, sums, out=np.zeros_like(sums), where=sums > 0.0),
    )


def _windowed(frames: Float32Array) -> Float32Array:
    level = signal.detrend(frames, axis=0)
    window = signal.windows.hann(len(frames), sym=False).astype(np.float32)
    return np.asarray(level * window[:, None, None], np.float32)


def _energies(frames: Float32Array) -> tuple[Float64Array, Float64Array]:
    """Return the energies along and against each k of a half-plane, shape (ω, k_y, kₓ).

    A wave cos(2π(k·r − ωt)) has its mode at (−ω, k), which of a real field is that at (ω, −k) too.
    """
    n_frames, height, width = frames.shape
    spectrum = fft.rfftn(frames, workers=1)[:, :, : (width + 1) // 2]
    energy = np.square(np.abs(spectrum), dtype=np.float64)
    # Where k and −k are one, or both are in the half-plane.
    energy[:, height // 2 + height % 2 :, 0] = energy[:, 0, 0] = 0.0
    if height % 2 == 0:
        energy[:, height // 2] = 0.0
    last = (n_frames + 1) // 2
    return energy[: n_frames - last : -1], energy[1:last]


def _measures(modes: _Modes, flow: Float64Array) -> dict[str, float]:
    """Return speed, direction, period and wavelength of what travels with the mean flow.

    Weights are squared energies: noise is spread thinly over many modes.
    """
    heading = flow / max(float(np.hypot(*flow)), np.finfo(np.float64).tiny)
    forward = np.sign(modes.shares) * (modes.vectors @ heading)
    weights = np.where(forward > 0.0, (modes.energies * modes.shares) ** 2, 0.0)
    weights /= max(float(weights.sum()), np.finfo(np.float64).tiny)
    squares, frequency = float(weights @ forward**2), float(weights @ modes.frequencies)
    length = float(weights @ modes.lengths)
    return {
        "speed": float(weights @ (forward * modes.frequencies)) / squares if squares else 0.0,
        "direction": float(np.arctan2(heading[0], heading[1])),
        "period": 1.0 / frequency if frequency else math.inf,
        "wavelength": 1.0 / length if length else math.inf,
    }
