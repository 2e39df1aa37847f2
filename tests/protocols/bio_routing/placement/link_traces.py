"""Traces of round trips: noise, autocorrelation, levels that shift, and paths of all kinds."""

import numpy as np

STEPS, PATHS = 3000, 10


def _correlated(rng, steps, paths, memory):
    noise = rng.standard_normal((steps, paths))
    state = noise[0]
    walked = np.empty((steps, paths))
    for step in range(steps):
        state = memory * state + np.sqrt(1.0 - memory**2) * noise[step]
        walked[step] = state
    return walked


def _shifting(rng, steps, paths, every):
    levels, jumps = rng.standard_normal((steps, paths)), rng.random((steps, paths)) < 1.0 / every
    jumps[0] = True
    since = np.maximum.accumulate(np.where(jumps, np.arange(steps)[:, None], 0), axis=0)
    return 0.3 * np.take_along_axis(levels, since, 0) + 0.1 * rng.standard_normal((steps, paths))


def _mixed(rng, steps, paths):
    """Every third path is noise, every third autocorrelated, every third shifts."""
    kinds = [
        0.3 * rng.standard_normal((steps, paths)),
        0.3 * _correlated(rng, steps, paths, 0.83),
        _shifting(rng, steps, paths, 100),
    ]
    return np.stack([kinds[path % 3][:, path] for path in range(paths)], axis=1)


LOGARITHMS = {
    "noise": lambda rng, *shape: 0.3 * rng.standard_normal(shape),
    "AR(1) .5": lambda rng, *shape: 0.3 * _correlated(rng, *shape, 0.5),
    "AR(1) .83": lambda rng, *shape: 0.3 * _correlated(rng, *shape, 0.83),
    "AR(1) .99 + noise": lambda rng, *shape: (
        0.3 * _correlated(rng, *shape, 0.99) + 0.1 * rng.standard_normal(shape)
    ),
    "shifts, 1 in 100": lambda rng, *shape: _shifting(rng, *shape, 100),
    "shifts, 1 in 30": lambda rng, *shape: _shifting(rng, *shape, 30),
    "of all three": _mixed,
}


def trace_of(kind, seed, steps=STEPS, paths=PATHS):
    """Return round trips of about 50, a tenth apart from path to path, float64[steps, paths]."""
    rng = np.random.default_rng(seed)
    base = 50.0 * np.exp(0.1 * rng.standard_normal(paths))
    return base * np.exp(LOGARITHMS[kind](rng, steps, paths))
