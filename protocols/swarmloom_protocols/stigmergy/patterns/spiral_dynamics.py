"""Spiral dynamics: a phase that winds round a point which stays, far from any other such point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from swarmloom.device import Device
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.patterns.inputs import as_history, is_constant
from swarmloom_protocols.stigmergy.patterns.null_models import check_draws, monte_carlo_p_value
from swarmloom_protocols.stigmergy.patterns.pattern import Pattern, PatternKind
from swarmloom_protocols.stigmergy.patterns.phase_charges import phase_charges

__all__ = ["spiral_dynamics"]

Float32Array = NDArray[np.float32]
Complex64Array = NDArray[np.complex64]

# A core may wander within a square of twice this and one cells.
WANDER = 2
TIE = 1e-6
# The largest square that is looked at is half as wide as the frame.
LARGEST_SHARE = 4


def spiral_dynamics(
    history: ArrayLike,
    *,
    rng: np.random.Generator,
    second: ArrayLike | None = None,
    draws: int = 199,
    device: Device = "auto",
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
        activator: the phase is then the angle between both. Without it, it is that of the
        analytic signal in time.
    draws : int, optional
        Draws from the null (at least 19).
    device : {"auto", "cpu", "cuda"}, optional
        Where charges are found.

    Returns
    -------
    Pattern
        Strength is the charge about the core that is kept on average over time and over the
        squares up to half the frame: 1 for one spiral in a quiet frame. Located at the core.
        Parameters: charge (1 where the phase grows from x towards y, or −1), isolation (half the
        side of the largest square with half a turn or more, in cells), period in frames.

    Raises
    ------
    InputError
        A history is not finite or of another shape, or `draws` is too small.

    Notes
    -----
    Topological charge of the phase (Gray, Pertsov & Jalife 1998), averaged over time and summed
    over squares about each place. The statistic is the mean over the squares' sizes of the
    smallest charge up to that size, at the best place. Null: a stationary Gaussian field with the
    same spectrum over space and time, by random phases. Waves of one frequency from all sides have
    singularities that stay, too, but close to others of the opposite charge: what tells a spiral
    is its isolation.
    Random phases continue the last frame with the first. In short windows of slow fields the
    p-value is somewhat too small for that: 0.075 of simulated null windows of 16 frames have 0.05.
    """
    frames = as_history(history)
    if min(frames.shape[1:]) // LARGEST_SHARE <= WANDER + 1:
        raise InputError(f"history: frames of {frames.shape[1:]} cells; at least 16 a side needed")
    check_draws(draws)
    spectrum = _spectrum(frames, second)
    if not np.abs(spectrum).max() > 0.0:
        middle = (frames.shape[1] - 1) / 2.0, (frames.shape[2] - 1) / 2.0
        return Pattern(PatternKind.SPIRAL_DYNAMICS, 0.0, 1.0, middle, 0.0)
    kept = _kept_charges(spectrum, device)
    scores = np.abs(kept).mean(axis=0)
    null = [
        np.abs(_kept_charges(_random_phases(spectrum, rng), device)).mean(axis=0).max()
        for _ in range(draws)
    ]
    y, x = _core(scores)
    about = kept[:, y, x]
    isolation = WANDER + float(np.count_nonzero(np.abs(about) >= 0.5))
    return Pattern(
        PatternKind.SPIRAL_DYNAMICS,
        strength=float(scores[y, x]),
        p_value=monte_carlo_p_value(float(scores[y, x]), null),
        # The square's middle lies between its four cells.
        location=(float(y) + 0.5, float(x) + 0.5),
        extent=isolation,
        parameters={
            "charge": float(np.sign(about[0])),
            "isolation": isolation,
            "period": _period(spectrum),
        },
    )


def _core(scores: Float32Array) -> tuple[int, int]:
    """Return the middle of the places with the highest score: a square holds one core in many."""
    best = np.argwhere(scores >= scores.max() - TIE)
    near = best[np.abs(best - best[0]).max(axis=1) <= 2 * WANDER]
    y, x = near[np.abs(near - near.mean(axis=0)).sum(axis=1).argmin()].tolist()
    return y, x


def _spectrum(frames: Float32Array, second: ArrayLike | None) -> Complex64Array:
    """Return the transform of the complex signal whose angle is the phase, shape (T, Y, X)."""
    if second is not None:
        other = as_history(second)
        if other.shape != frames.shape:
            raise InputError(f"second: shape {other.shape}; allowed: {frames.shape}, as history")
        return np.asarray(fft.fftn(_level(frames) + 1j * _level(other)), np.complex64)
    spectrum = np.asarray(fft.fftn(_level(frames)), np.complex64)
    # Half of the frequencies make the analytic signal, whose phase grows with time.
    spectrum[(len(frames) + 1) // 2 :] = 0.0
    spectrum[0] = 0.0
    return spectrum


def _level(frames: Float32Array) -> Float32Array:
    """Return frames without their means over time and the line from first to last, scaled to 1.

    Random phases continue the last frame with the first. A step between them would spread over
    all frequencies with phases that are not random (Theiler et al. 1992); least squares leave one.
    """
    if is_constant(frames):
        return np.zeros_like(frames)
    moments = np.arange(len(frames), dtype=np.float32)[:, None, None]
    level = frames - moments * ((frames[-1] - frames[0]) / np.float32(len(frames) - 1))
    level -= level.mean(axis=0)
    deviation = float(level.std())
    return np.asarray(level / np.float32(deviation) if deviation > 0.0 else level)


def _random_phases(spectrum: Complex64Array, rng: np.random.Generator) -> Complex64Array:
    turns = rng.random(spectrum.shape, np.float32) * np.float32(2.0 * np.pi)
    drawn = np.empty_like(spectrum)
    np.cos(turns, out=drawn.real)
    np.sin(turns, out=drawn.imag)
    drawn *= spectrum
    return drawn


def _kept_charges(spectrum: Complex64Array, device: Device) -> Float32Array:
    """Return the signed charge kept up to each size of square about each place.

    Returns
    -------
    ndarray of float32, shape (R, Y − 1, X − 1)
        For the r-th size the smallest mean charge of the sizes up to it, at most 1; 0 from the
        size on at which the sign changes or the square leaves the frame.
    """
    phases = np.angle(fft.ifftn(spectrum))
    charges = phase_charges(phases, device=device).mean(axis=0, dtype=np.float32)
    totals = np.pad(charges.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    radii = range(WANDER, min(spectrum.shape[1:]) // LARGEST_SHARE)
    sums = np.stack([_square_sums(totals, radius) for radius in radii])
    same_sign = np.cumprod(np.sign(sums) == np.sign(sums[0]), axis=0, dtype=np.int8)
    smallest = np.minimum.accumulate(np.minimum(np.abs(sums), 1.0), axis=0)
    return np.asarray(np.sign(sums[0]) * smallest * same_sign, np.float32)


def _square_sums(totals: Float32Array, radius: int) -> Float32Array:
    """Return the sum over the square of 2 · radius + 1 about each place; 0 where it leaves.

    `totals` are the sums over all places above and to the left, shape (Y, X).
    """
    side = 2 * radius + 1
    sums = np.zeros((totals.shape[0] - 1, totals.shape[1] - 1), np.float32)
    upper = totals[:-side, side:] - totals[:-side, :-side]
    lower = totals[side:, side:] - totals[side:, :-side]
    np.subtract(lower, upper, out=sums[radius:-radius, radius:-radius])
    return sums


def _period(spectrum: Complex64Array) -> float:
    """Return the frames of one turn at the strongest frequency."""
    energy = np.sum(np.abs(spectrum) ** 2, axis=(1, 2))
    energy[0] = 0.0
    return float(1.0 / abs(fft.fftfreq(len(spectrum))[int(energy.argmax())]))
