"""Exact jumps over any time: each mode of the grid decays by its own factor.

With constant coefficients the discrete operator of the steps is diagonal in cosines, sines or
exponentials, axis by axis (Strang 1999, "The discrete cosine transform"):

    reflecting          cos(π·k·(i + ½)/n)          DCT-II     θ = π·k/n
    absorbing           sin(π·(k + 1)·(i + 1)/(n + 1))   DST-I  θ = π·(k + 1)/(n + 1)
    periodic            exp(2π·j·k·i/n)             FFT        θ = 2π·k/n

with the eigenvalue λ = 4·sin²(θ/2)/h². An axis that reflects at one side and absorbs at the other
is the half of a reflecting one of 2n + 1 cells on which the field is odd. The semigroup of the
operator multiplies a mode by e^{−(D·Σλ + k)·t}; n explicit steps multiply it by
((1 − dt·D·Σλ)·e^{−k·dt})ⁿ. Transforms are in double precision: in single precision their rounding
would hide what is 10⁻⁷ of the largest amount.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import thread_count
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, PERIODIC, REFLECTING
from swarmloom_protocols.stigmergy.field.diffusion_kernels import FLOOR

__all__ = ["jumped", "powered"]

Field = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
# From the eigenvalues Σ r·λ of all modes to the factors of one volume.
Factors = Callable[[list[Float64Array]], Float64Array]


def jumped(
    amounts: Field,
    diffusion: Float64Array,
    evaporation: Float64Array,
    codes: IntArray,
    spacing: Float64Array,
    dimensions: int,
    time: float,
) -> Field:
    """Return a field after any time under the exact semigroup of the discrete operator.

    Parameters
    ----------
    amounts : ndarray of float32, shape (planes, Z, Y, X)
    diffusion, evaporation : ndarray of float64, shape (planes,)
        D in length² per time, k per time.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    spacing : ndarray of float64, shape (3,)
        h of z, y and x.
    dimensions : int
        How many of the last axes there are; nothing flows along the others.
    time : float
        At least 0.

    Returns
    -------
    ndarray of float32, shape of `amounts`
        Within the range of the amounts and 0, as the maximum principle demands.
    """
    result = np.empty_like(amounts)
    for plane, volume in enumerate(amounts):
        shares = diffusion[plane] * time / spacing**2
        shares[: 3 - dimensions] = 0.0
        left = float(np.exp(-evaporation[plane] * time))

        def factors(modes: list[Float64Array], left: float = left) -> Float64Array:
            depth, height, width = (np.exp(-mode) for mode in modes)
            return left * depth * height * width

        result[plane] = _through_modes(volume, shares, codes, factors)
    return result


def powered(amounts: Field, rates: Field, codes: IntArray, steps: int) -> Field:
    """Return a field after explicit steps, in one go.

    Parameters
    ----------
    amounts : ndarray of float32, shape (planes, Z, Y, X)
    rates : ndarray of float32, shape (planes, 4)
        Of `step_rates`, for each plane: the numbers that the steps' kernel computes with.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    steps : int
        At least 0.

    Returns
    -------
    ndarray of float32, shape of `amounts`
        What the steps give, up to their rounding.
    """
    result = np.empty_like(amounts)
    for plane, volume in enumerate(amounts):
        rate = rates[plane].astype(np.float64)
        left = 1.0 - rate[0]

        def factors(modes: list[Float64Array], left: float = left) -> Float64Array:
            depth, height, width = modes
            grown: Float64Array = ((1.0 - (depth + height + width)) * left) ** steps
            return grown

        result[plane] = _through_modes(volume, rate[1:], codes, factors)
    return result


def _through_modes(volume: Field, shares: Float64Array, codes: IntArray, factors: Factors) -> Field:
    """Transform a volume, multiply its modes, and transform back."""
    if not volume.size:
        return volume.copy()
    if not shares.any():
        return _kept(volume * factors([np.zeros((1, 1, 1))] * 3))
    kinds = [_kind(volume.shape[axis], codes[axis].tolist(), shares[axis]) for axis in range(3)]
    values = volume.astype(np.float64)
    for axis in range(3):
        values = _extended(values, kinds[axis], axis)
    modes = [shares[axis] * _eigenvalues(values.shape, kinds, axis) for axis in range(3)]
    values = _multiplied(values, kinds, factors(modes))
    for axis in range(3):
        values = _cropped(values, kinds[axis], axis, volume.shape[axis])
    # Rounding may leave traces of the wrong sign or above what there was.
    lowest, highest = min(float(volume.min()), 0.0), max(float(volume.max()), 0.0)
    return _kept(np.clip(values, lowest, highest))


def _kept(values: Float64Array) -> Field:
    kept: Field = np.where(np.abs(values) < FLOOR, 0.0, values).astype(np.float32)
    return kept


def _kind(size: int, sides: list[int], share: float) -> str:
    low, high = sides
    if share == 0.0 or (size == 1 and low == high != ABSORBING):
        return "still"
    if low == high:
        return {PERIODIC: "periodic", REFLECTING: "reflecting", ABSORBING: "absorbing"}[low]
    return "absorbing above" if high == ABSORBING else "absorbing below"


def _extended(values: Float64Array, kind: str, axis: int) -> Float64Array:
    """Mirror an axis with different sides oddly at the absorbing one, into a reflecting axis."""
    if not kind.startswith("absorbing "):
        return values
    zero = np.zeros_like(values.take([0], axis))
    mirrored = -np.flip(values, axis)
    parts = [values, zero, mirrored] if kind == "absorbing above" else [mirrored, zero, values]
    return np.concatenate(parts, axis)


def _cropped(values: Float64Array, kind: str, axis: int, size: int) -> Float64Array:
    """Undo `_extended`."""
    first = size + 1 if kind == "absorbing below" else 0
    cut = [slice(None)] * values.ndim
    cut[axis] = slice(first, first + size)
    return values[tuple(cut)]


def _eigenvalues(shape: tuple[int, ...], kinds: list[str], axis: int) -> Float64Array:
    """Return 4·sin²(θ/2) of an axis' modes, shaped so that it spreads over the others."""
    size, kind = shape[axis], kinds[axis]
    if kind == "still":
        return np.zeros((1, 1, 1))
    if kind == "periodic":
        is_half = "periodic" not in kinds[axis + 1 :]
        angles = 2.0 * np.pi / size * np.arange(size // 2 + 1 if is_half else size)
    elif kind == "absorbing":
        angles = np.pi / (size + 1) * np.arange(1, size + 1)
    else:
        angles = np.pi / size * np.arange(size)
    spread: Float64Array = 4.0 * np.sin(angles / 2.0) ** 2
    return spread.reshape([-1 if other == axis else 1 for other in range(3)])


def _multiplied(values: Float64Array, kinds: list[str], factor: Float64Array) -> Float64Array:
    """Multiply the modes of a volume whose axes are of these kinds."""
    from scipy import fft

    cosines = [
        a for a in range(3) if kinds[a] in ("reflecting", "absorbing above", "absorbing below")
    ]
    sines = [axis for axis in range(3) if kinds[axis] == "absorbing"]
    waves = [axis for axis in range(3) if kinds[axis] == "periodic"]
    with fft.set_workers(thread_count()):
        if cosines:
            values = fft.dctn(values, type=2, axes=cosines, norm="ortho", overwrite_x=True)
        if sines:
            values = fft.dstn(values, type=1, axes=sines, norm="ortho", overwrite_x=True)
        if waves:
            lengths = [values.shape[axis] for axis in waves]
            spectrum = fft.rfftn(values, axes=waves) * factor
            values = fft.irfftn(spectrum, s=lengths, axes=waves)
        else:
            values *= factor
        if sines:
            values = fft.idstn(values, type=1, axes=sines, norm="ortho", overwrite_x=True)
        if cosines:
            values = fft.idctn(values, type=2, axes=cosines, norm="ortho", overwrite_x=True)
    return values
