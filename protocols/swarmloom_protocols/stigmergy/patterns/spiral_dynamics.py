"""Spiral dynamics: a phase that turns once round a place, evenly and far from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, signal

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.patterns.inputs import as_history, is_constant
from swarmloom_protocols.stigmergy.patterns.null_models import check_draws, monte_carlo_p_value
from swarmloom_protocols.stigmergy.patterns.pattern import Pattern, PatternKind

__all__ = ["spiral_dynamics"]

Float32Array = NDArray[np.float32]
Complex64Array = NDArray[np.complex64]

SMALLEST_FRAME = 16
# Rings lie between an eighth and a quarter of the smaller side about a place.
RINGS = 8
# A draw has to turn on this many of them, the smallest.
DRAWN_RINGS = 6
# Phases that turn on a half of a ring only, as at an axis of symmetry, give about a half.
LEAST_EVENNESS = 0.7
FEWEST_TURNS = 2


def spiral_dynamics(
    history: ArrayLike,
    *,
    rng: np.random.Generator,
    second: ArrayLike | None = None,
    draws: int = 199,
) -> Pattern:
    """Test whether a spiral turns in the frames.

    Parameters
    ----------
    history : array-like, shape (T, Y, X)
        Frames, evenly spaced in time; at least 8 of at least 16 cells a side, and at least two
        turns of the spiral.
    rng : numpy.random.Generator
        Draws from the null.
    second : array-like, shape (T, Y, X), optional
        A second channel that follows the first by a part of a turn, as an inhibitor does its
        activator: the phase is then the angle between both, and one turn is enough.
    draws : int, optional
        Draws from the null (at least 19).

    Returns
    -------
    Pattern
        Strength is how evenly the phase turns once round the core, on the worst of the rings
        between an eighth and a quarter of the frame: 1 for one spiral in a quiet frame, and 0
        where it would be below 0.7. Located at the core, which lies at least a quarter of the
        frame from its edges. Parameters: charge (1 where the phase grows from x towards y, or
        −1), isolation (radius in cells up to which the evenness is at least 0.7, 0 if there is
        none), period in frames.

    Raises
    ------
    InputError
        A history is not finite or of another shape, or `draws` is too small.

    Notes
    -----
    The phase is that of the frames' transform in time at the strongest frequency, under a Hann
    window. A spiral has a singularity of it (Gray, Pertsov & Jalife 1998). So have waves that
    cross each other, but close to others of the opposite charge: what tells a spiral is the even
    turn on wide rings, the length of the mean of exp(i(phase ∓ angle)).

    Null: the frames' cosine modes are independent, and each is as likely as its negative. That is
    so for Gaussian fields between reflecting boundaries, whatever their spectrum and their course
    in time, which stays as it is: the draws give each mode a random sign, and the test is exact.
    A frame cut from a larger field is smoother at its edges than such a sum of modes, and its
    modes are not quite independent. Therefore draws only have to turn on the six smallest of the
    eight rings, which can but raise the p-value.
    """
    frames = as_history(history)
    if min(frames.shape[1:]) < SMALLEST_FRAME:
        raise InputError(f"history: frames of {frames.shape[1:]} cells; at least 16 a side needed")
    check_draws(draws)
    wave, period = _strongest_wave(_signal(frames, second), one_channel=second is None)
    if not np.abs(wave).max() > 0.0:
        middle = (frames.shape[1] - 1) / 2.0, (frames.shape[2] - 1) / 2.0
        return Pattern(PatternKind.SPIRAL_DYNAMICS, 0.0, 1.0, middle, 0.0)
    rings = _Rings.of_frame(wave.shape)
    turns = rings.turns(wave)
    worst = turns.min(axis=0)
    side, row, column = np.unravel_index(int(worst.argmax()), worst.shape)
    evenness = float(worst[side, row, column])
    even = np.logical_and.accumulate(turns[:, side, row, column] >= LEAST_EVENNESS)
    isolation = float(rings.radii[even].max(initial=0.0))
    return Pattern(
        PatternKind.SPIRAL_DYNAMICS,
        strength=min(1.0, evenness) if evenness >= LEAST_EVENNESS else 0.0,
        p_value=monte_carlo_p_value(evenness, _null(wave, rings.smallest(), rng, draws)),
        location=(float(row + rings.margin), float(column + rings.margin)),
        extent=isolation,
        parameters={"charge": 1.0 - 2.0 * float(side), "isolation": isolation, "period": period},
    )


def _signal(frames: Float32Array, second: ArrayLike | None) -> Float32Array | Complex64Array:
    """Return the real or complex signal, shape (T, Y, X)."""
    if second is None:
        return _level(frames)
    other = as_history(second)
    if other.shape != frames.shape:
        raise InputError(f"second: shape {other.shape}; allowed: {frames.shape}, as history")
    return np.asarray(_level(frames) + 1j * _level(other), np.complex64)


def _level(frames: Float32Array) -> Float32Array:
    """Return frames without their straight trends in time, scaled to a deviation of 1."""
    if is_constant(frames):
        return np.zeros_like(frames)
    scaled = frames / np.abs(frames).max()
    # Cells that stay must not leave the rounding of a fit behind.
    level = scaled - scaled[0]
    level -= level.mean(axis=0)
    moments = np.arange(len(frames), dtype=np.float32)[:, None, None]
    moments -= moments.mean()
    level -= moments * ((moments * level).sum(axis=0) / np.square(moments).sum())
    deviation = float(level.std())
    return np.asarray(level / np.float32(deviation) if deviation > 0.0 else level)


def _strongest_wave(
    values: Float32Array | Complex64Array, *, one_channel: bool
) -> tuple[Complex64Array, float]:
    """Return the amplitudes at the strongest frequency, shape (Y, X), and its period in frames.

    A real signal's lowest frequency is mixed with its own mirror image under the window.
    """
    n_frames = len(values)
    window = signal.windows.hann(n_frames, sym=False).astype(np.float32)
    spectrum = fft.fft(values * window[:, None, None], axis=0)
    energy = np.sum(np.abs(spectrum) ** 2, axis=(1, 2))
    energy[0] = 0.0
    if one_channel:
        energy[:FEWEST_TURNS] = energy[n_frames // 2 :] = 0.0
    strongest = int(energy.argmax())
    cycles = min(strongest, n_frames - strongest)
    return np.asarray(spectrum[strongest], np.complex64), n_frames / max(cycles, 1)


@dataclass(frozen=True)
class _Rings:
    """Rings about every place that is `margin` cells from the edges.

    Attributes
    ----------
    radii : ndarray of float64, shape (R,)
        In cells, ascending.
    kernels : ndarray of complex64, shape (R, 2, Y, X)
        Transforms of the mean over each ring against a turn of charge 1 and −1.
    margin : int
        In cells.
    """

    radii: NDArray[np.float64]
    kernels: Complex64Array
    margin: int

    @classmethod
    def of_frame(cls, shape: tuple[int, ...]) -> _Rings:
        smaller = min(shape)
        radii = np.linspace(smaller / 8, smaller // 4, RINGS)
        y, x = np.meshgrid(*(fft.fftfreq(side, 1.0 / side) for side in shape), indexing="ij")
        weights = np.maximum(1.0 - np.abs(np.hypot(y, x) - radii[:, None, None]), 0.0)
        weights /= weights.sum(axis=(1, 2), keepdims=True)
        turn = np.exp(1j * np.arctan2(y, x))
        means = weights[:, None] * np.stack((turn, turn.conj()))
        kernels = np.conj(fft.fft2(means)).astype(np.complex64)
        return cls(radii, kernels, smaller // 4)

    def smallest(self) -> _Rings:
        return _Rings(self.radii[:DRAWN_RINGS], self.kernels[:DRAWN_RINGS], self.margin)

    def turns(self, wave: Complex64Array) -> Float32Array:
        """Return how evenly the phase turns, in [0, 1]: rings × charges × places."""
        sizes = np.maximum(np.abs(wave), np.finfo(np.float32).tiny)
        means = np.abs(fft.ifft2(fft.fft2(wave / sizes) * self.kernels, workers=1))
        inner = slice(self.margin, -self.margin)
        return np.asarray(means[..., inner, inner], np.float32)


def _null(wave: Complex64Array, rings: _Rings, rng: np.random.Generator, draws: int) -> list[float]:
    """Return the draws' evenness on the worst ring at the best place."""
    modes = fft.dctn(wave, norm="ortho")
    null = []
    for _ in range(draws):
        signs = rng.integers(0, 2, modes.shape, np.int8) * np.float32(2.0) - np.float32(1.0)
        drawn = np.asarray(fft.idctn(modes * signs, norm="ortho"), np.complex64)
        null.append(float(rings.turns(drawn).min(axis=0).max()))
    return null
