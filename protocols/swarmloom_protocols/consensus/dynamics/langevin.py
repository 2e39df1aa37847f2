"""Motion in a potential field, a whole crew at once: sliding downhill with noise, or coasting."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import generator, positive, whole
from swarmloom_protocols.consensus.dynamics.noise import Noise
from swarmloom_protocols.consensus.dynamics.potential import Potential
from swarmloom_protocols.consensus.dynamics.steppers import YOSHIDA_INNER, YOSHIDA_OUTER

__all__ = ["Symplectic", "coast", "slide"]

FloatArray = NDArray[np.float64]
Symplectic = Literal["StormerVerlet", "Yoshida4"]

SHARES = {"StormerVerlet": (1.0,), "Yoshida4": (YOSHIDA_OUTER, YOSHIDA_INNER, YOSHIDA_OUTER)}
# Steps whose noise is drawn at a time.
PIECE = 1024


def slide(
    potential: Potential,
    starts: ArrayLike,
    steps: int,
    *,
    dt: float = 0.01,
    noise: Noise | None = None,
    rng: np.random.Generator | None = None,
    every: int = 1,
) -> FloatArray:
    """Follow dX = −∇V(X)·dt + dZ, overdamped motion, by Euler's and Maruyama's method.

    With white noise of amplitude σ positions settle into the density exp(−2V/σ²), so that depth and
    noise together say how often an opinion leaves its well.

    Parameters
    ----------
    potential : Potential
        The field.
    starts : array-like of float, shape (N, D)
        Where each begins.
    steps : int
        At least 0.
    dt : float, optional
        Time of a step, well below 2 by the largest curvature, beyond which sliding overshoots.
    noise : Noise, optional
        Independent for each coordinate; none by default.
    rng : numpy.random.Generator, optional
        Where randomness comes from; needed with a noise.
    every : int, optional
        Of so many steps one is kept.

    Returns
    -------
    ndarray of float64, shape (rows, N, D)
        The starts, then what is kept. NaN from where a field is left that is known on a grid only,
        and infinities or NaN where a step is too long for the field.

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    x, step = potential.points(starts).copy(), positive("dt", dt)
    count, kept = whole("steps", steps, 0), whole("every", every, 1)
    pushes = _pushes(noise, count, x.shape, step, rng)
    states = np.empty((count // kept + 1, *x.shape))
    states[0] = x
    for t, push in enumerate(pushes, 1):
        x = x + step * potential.forces(x) + push
        if t % kept == 0:
            states[t // kept] = x
    return states


def _pushes(
    noise: Noise | None,
    steps: int,
    shape: tuple[int, ...],
    dt: float,
    rng: np.random.Generator | None,
) -> Iterator[FloatArray | float]:
    """Return the noise of each step."""
    if noise is None:
        return iter([0.0] * steps)
    if rng is None:
        raise InputError("rng is None; allowed: a numpy.random.Generator where there is noise")
    source = noise.stream(math.prod(shape), dt, rng=generator("rng", rng))
    pieces = (min(PIECE, steps - first) for first in range(0, steps, PIECE))
    return (push.reshape(shape) for piece in pieces for push in source.increments(piece))


def coast(
    potential: Potential,
    positions: ArrayLike,
    velocities: ArrayLike,
    steps: int,
    *,
    dt: float = 0.01,
    method: Symplectic = "StormerVerlet",
    every: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Follow q″ = −∇V(q) without friction, by a symplectic method.

    Parameters
    ----------
    potential : Potential
        The field.
    positions, velocities : array-like of float, shape (N, D)
        Where and how fast each begins.
    steps : int
        At least 0.
    dt : float, optional
        Time of a step, below 2 by the square root of the largest curvature.
    method : {"StormerVerlet", "Yoshida4"}, optional
        Of order 2, or of order 4 at three times the cost. The energy |v|²/2 + V stays within a
        band of that order of dt.
    every : int, optional
        Of so many steps one is kept.

    Returns
    -------
    positions, velocities : ndarray of float64, shape (rows, N, D)

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    if method not in get_args(Symplectic):
        allowed = ", ".join(map(repr, get_args(Symplectic)))
        raise InputError(f"method is {method!r}; allowed: {allowed}")
    x, v = potential.points(positions).copy(), potential.points(velocities).copy()
    if x.shape != v.shape:
        raise InputError(f"velocities: shape {v.shape}; allowed: that of positions, {x.shape}")
    count, kept, step = whole("steps", steps, 0), whole("every", every, 1), positive("dt", dt)
    states = np.empty((2, count // kept + 1, *x.shape))
    states[:, 0] = x, v
    force = potential.forces(x)
    for t in range(1, count + 1):
        for share in SHARES[method]:
            v += 0.5 * share * step * force
            x += share * step * v
            force = potential.forces(x)
            v += 0.5 * share * step * force
        if t % kept == 0:
            states[:, t // kept] = x, v
    return states[0], states[1]
