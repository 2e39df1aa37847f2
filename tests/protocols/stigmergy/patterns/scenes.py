"""Scenes with one pattern planted, and scenes of each detector's null."""

import numpy as np
from scipy import ndimage

SIDE = 64
MIDDLE = np.array([SIDE, SIDE]) / 2 - 0.5


def rng_of(seed, *more):
    return np.random.default_rng([seed, *more])


def reflected(positions):
    """Fold positions back into the frame."""
    folded = np.abs((positions + 0.5) % (2 * SIDE) - SIDE)
    return SIDE - folded - 0.5


def wander(rng, walkers=40, steps=60, persistence=0.8, pull=None):
    """Correlated random walks of unit steps in a closed box; `pull` gives a push at positions."""
    positions = rng.uniform(0, SIDE - 1, (walkers, 2))
    headings = rng.uniform(0, 2 * np.pi, walkers)
    track = [positions]
    for _ in range(steps):
        headings = headings + rng.normal(0, 1 - persistence, walkers)
        move = np.stack((np.sin(headings), np.cos(headings)), axis=1)
        if pull is not None:
            move = move + pull(track[-1])
            move = move / np.maximum(np.hypot(*move.T), 1e-9)[:, None]
            headings = np.arctan2(*move.T)
        there = track[-1] + move
        back = reflected(there)
        # Whoever meets a wall turns round with it.
        flips = 1 - 2 * (np.abs(there - back) > 1e-9)
        headings = np.arctan2(np.sin(headings) * flips[:, 0], np.cos(headings) * flips[:, 1])
        track.append(back)
    return np.stack(track, axis=1)


def towards(hub, strength):
    def pull(positions):
        way = hub - positions
        return strength * way / np.maximum(np.hypot(*way.T), 1.0)[:, None]

    return pull


def around(centre, radius, strength):
    def pull(positions):
        out = positions - centre
        distance = np.maximum(np.hypot(*out.T), 1e-9)[:, None]
        tangent = np.stack((out[:, 1], -out[:, 0]), axis=1) / distance
        return strength * (tangent + (radius - distance) / radius * out / distance)

    return pull


def convergent(seed):
    rng = rng_of(seed, 1)
    return wander(rng, pull=towards(rng.uniform(16, 48, 2), 0.5))


def circulating(seed):
    rng = rng_of(seed, 2)
    return wander(rng, pull=around(rng.uniform(24, 40, 2), 14.0, 0.6))


def smooth_noise(rng, shape=(SIDE, SIDE), width=3.0):
    field = ndimage.gaussian_filter(rng.standard_normal(shape), width, mode="wrap")
    return field / field.std()


def climbing(seed):
    """A hill and walkers that climb it."""
    rng = rng_of(seed, 3)
    top = rng.uniform(16, 48, 2)
    y, x = np.indices((SIDE, SIDE))
    field = np.exp(-np.hypot(y - top[0], x - top[1]) / 25) + 0.01 * rng.standard_normal(y.shape)
    return wander(rng, steps=20, pull=towards(top, 0.3)), field


def blobs(seed, count=5, members=24, spread=2.0, noise=0.2):
    rng = rng_of(seed, 4)
    sites = np.array([(12, 12), (12, 50), (32, 31), (50, 14), (50, 51)])[:count]
    points = np.repeat(sites, members, axis=0) + rng.normal(0, spread, (count * members, 2))
    extra = rng.uniform(0, SIDE - 1, (round(noise * len(points) / (1 - noise)), 2))
    return np.clip(np.concatenate((points, extra)), 0, SIDE - 1)


def deposits(seed):
    """Amounts left by gathering walkers, after some diffusion, and noise."""
    field = np.zeros((SIDE, SIDE))
    np.add.at(field, tuple(np.rint(blobs(seed)).astype(int).T), 1.0)
    noise = 0.02 * rng_of(seed, 7).standard_normal(field.shape)
    return ndimage.gaussian_filter(field, 1.5) + noise


def wave(seed, frames=24, noise=0.5, side=SIDE):
    rng = rng_of(seed, 5)
    angle, length, period = rng.uniform(0, 2 * np.pi), rng.uniform(8, 20), rng.uniform(4, 8)
    t, y, x = np.indices((frames, side, side))
    phase = (y * np.sin(angle) + x * np.cos(angle)) / length - t / period
    history = np.cos(2 * np.pi * phase) + noise * rng.standard_normal(t.shape)
    return history, angle, length, period


def spiral(seed, frames=24, noise=0.3, side=SIDE):
    rng = rng_of(seed, 6)
    core = side / 2 + rng.uniform(-side / 8, side / 8, 2)
    t, y, x = np.indices((frames, side, side))
    y, x = y - core[0], x - core[1]
    turn = rng.choice((-1, 1)) * np.arctan2(y, x) / (2 * np.pi)
    phase = turn + np.hypot(y, x) / 18 - t / rng.uniform(5, 8) + rng.uniform()
    quiet = np.tanh(np.hypot(y, x) / 3)
    return quiet * np.cos(2 * np.pi * phase) + noise * rng.standard_normal(t.shape), core


def coloured_history(rng, frames=16, side=32, width=2.0, memory=1.5):
    """A window of a stationary Gaussian field that looks the same backwards."""
    white = rng.standard_normal((3 * frames, 2 * side, 2 * side))
    field = ndimage.gaussian_filter(white, (memory, width, width), mode="wrap")
    return field[frames : 2 * frames, :side, :side]


def closed_history(rng, frames=16, side=32, width=2.0, memory=1.5):
    """A Gaussian field between reflecting boundaries, of which nothing is cut off in space."""
    white = rng.standard_normal((3 * frames, side, side))
    modes = ("wrap", "reflect", "reflect")
    return ndimage.gaussian_filter(white, (memory, width, width), mode=modes)[frames : 2 * frames]


def crossing_waves(rng, frames=16, side=32, waves=40, period=6.0):
    """Waves of one frequency from all sides: their singularities stay where they are."""
    angles, starts = rng.uniform(0, 2 * np.pi, (2, waves))
    numbers = 2j * np.pi * rng.normal(0.15, 0.02, waves)[:, None] * np.arange(side)
    along_y, along_x = (np.exp(numbers * turn(angles)[:, None]) for turn in (np.sin, np.cos))
    heights = rng.standard_normal(waves) * np.exp(1j * starts)
    turns = np.exp(-2j * np.pi * np.arange(frames) / period)[:, None, None]
    return (turns * np.einsum("k,ky,kx->yx", heights, along_y, along_x)).real
