"""Presets and reaction networks, cell by cell in float64."""

import numpy as np
from scipy.integrate import solve_ivp

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


FACTORS = {
    "Catalyst": lambda m, k, s: 1 + s * m / (k + m),
    "Inhibitor": lambda m, k, s: 1 - s * m / (k + m),
    "Amplifier": lambda m, k, s: 1 + s * max(0.0, m - k),
    "Dampener": lambda m, k, s: 1 / (1 + s * max(0.0, m - k)),
}


def changes(network, amounts):
    """How fast each channel of one cell changes."""
    present = dict(zip(network.channels, amounts, strict=True))
    speed = dict.fromkeys(network.channels, 0.0)
    for reaction in network.reactions:
        rate = reaction.rate
        for name, count in reaction.reactants.items():
            rate *= present[name] ** count
        touched = {
            name
            for name in network.channels
            if reaction.products.get(name, 0) != reaction.reactants.get(name, 0)
        }
        for m in network.modifiers:
            if m.affects is None or touched & set(m.affects):
                rate *= FACTORS[type(m).__name__](present[m.channel], m.threshold, m.strength)
        for name in touched:
            speed[name] += rate * (reaction.products.get(name, 0) - reaction.reactants.get(name, 0))
    return np.array([speed[name] for name in network.channels])


def react(amounts, network, time):
    flat = np.asarray(amounts, float).reshape(len(network.channels), -1)
    ends = [
        solve_ivp(
            lambda _, y: changes(network, y), (0.0, time), cell, "DOP853", rtol=1e-9, atol=1e-11
        ).y[:, -1]
        for cell in flat.T
    ]
    return np.array(ends).T.reshape(np.shape(amounts)).astype(np.float32)


def diffuse(field, coefficients, dt, codes):
    bent = [d * bends(one, codes) for d, one in zip(coefficients, field, strict=True)]
    return field + dt * np.array(bent)


def reaction_diffusion_steps(amounts, network, diffusion, dt, steps, codes, evaporation=0.0):
    field = np.asarray(amounts, float)
    kept = np.exp(-dt * np.broadcast_to(evaporation, len(field)))
    kept = kept.reshape(-1, *[1] * (field.ndim - 1))
    for _ in range(steps):
        field = react(field, network, dt / 2).astype(float)
        twice = diffuse(diffuse(field, diffusion, dt, codes), diffusion, dt, codes)
        field = react(kept * (field + twice) / 2, network, dt / 2).astype(float)
    return field.astype(np.float32)
