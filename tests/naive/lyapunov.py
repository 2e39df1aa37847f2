"""Lyapunov exponents the plain way: a Python loop with NumPy's QR, and Brent's test left out."""

import math

import numpy as np


def runge_kutta(system, state, tangents, dt):
    def slopes(x, v):
        return system(x), system.jacobian_at(x) @ v

    k1, t1 = slopes(state, tangents)
    k2, t2 = slopes(state + dt / 2 * k1, tangents + dt / 2 * t1)
    k3, t3 = slopes(state + dt / 2 * k2, tangents + dt / 2 * t2)
    k4, t4 = slopes(state + dt * k3, tangents + dt * t3)
    ahead = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return ahead, tangents + dt / 6 * (t1 + 2 * t2 + 2 * t3 + t4)


def spectrum(system, start, steps, *, dt=0.01, transient=0):
    """Return all exponents of a map or a flow."""
    state, tangents = np.array(start, float), np.eye(system.dimension)
    sums = np.zeros(system.dimension)
    for step in range(transient + steps):
        if system.kind == "map":
            tangents = system.jacobian_at(state) @ tangents
            state = system(state)
        else:
            state, tangents = runge_kutta(system, state, tangents, dt)
        tangents, lengths = np.linalg.qr(tangents)
        if step >= transient:
            sums += np.log(abs(np.diag(lengths)))
    return np.sort(sums / steps / (1.0 if system.kind == "map" else dt))[::-1]


def scan(make, parameters, starts, steps, transient=0):
    """Return the largest exponent of an orbit for every row of parameters."""
    found = []
    for values, start in zip(parameters, starts, strict=True):
        state, total = np.array(start, float), 0.0
        vector = np.eye(len(start))[0]
        system = make(*values)
        for step in range(transient + steps):
            vector = system.jacobian_at(state) @ vector
            state = system(state)
            length = math.sqrt(vector @ vector)
            vector = vector / length
            total += math.log(length) if step >= transient else 0.0
        found.append(total / steps)
    return np.array(found)
