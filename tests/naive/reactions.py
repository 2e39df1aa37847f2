"""Presets and reaction networks, cell by cell in float64."""

import numpy as np

from tests.naive.gradients import laplacian


def bends(field, codes):
    """Laplacian of (Y, X) or (Z, Y, X)."""
    volume = field.reshape((1,) * (3 - field.ndim) + field.shape)
    return laplacian(volume, codes).reshape(field.shape)


def gray_scott_steps(amounts, feed, kill, diffusion, dt, steps, codes):
    u, v = np.asarray(amounts, float)
    for _ in range(steps):
        fed = u + dt * (diffusion[0] * bends(u, codes) + feed * (1 - u))
        turned = np.minimum(dt * u * v**2, np.maximum(fed, 0))
        v = v + dt * (diffusion[1] * bends(v, codes) - (feed + kill) * v) + turned
        u = fed - turned
        u, v = np.maximum(u, 0), np.maximum(v, 0)
    return np.stack((u, v)).astype(np.float32)


def fitzhugh_nagumo_steps(amounts, epsilon, a, b, current, diffusion, dt, steps, codes):
    u, w = np.asarray(amounts, float)
    for _ in range(steps):
        u, w = (
            u + dt * (diffusion[0] * bends(u, codes) + u - u**3 / 3 - w + current),
            w + dt * (diffusion[1] * bends(w, codes) + epsilon * (u + a - b * w)),
        )
    return np.stack((u, w)).astype(np.float32)


def fisher_kpp_steps(amounts, growth, diffusion, capacity, dt, steps, codes):
    u = np.asarray(amounts, float)
    for _ in range(steps):
        u = u + dt * (diffusion * bends(u, codes) + growth * u * (1 - u / capacity))
    return u.astype(np.float32)
