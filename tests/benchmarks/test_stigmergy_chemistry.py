"""Steps of the field's chemistry beside NumPy, SciPy and Devito, in million cells a second.

Run with ``pytest tests/benchmarks/test_stigmergy_chemistry.py --benchmark-enable -s``; with
``SWARMLOOM_FULL_BENCHMARKS`` set it runs the large grids too. Each test measures ours and its peer
in the same run, on one thread, and prints both and their ratio.
"""

import os
import sys

import numpy as np
import pytest
from scipy import ndimage

from swarmloom.device import use_threads
from swarmloom_protocols.stigmergy.field.anisotropic import AnisotropicDiffusion
from swarmloom_protocols.stigmergy.field.perona_malik import perona_malik_steps
from swarmloom_protocols.stigmergy.field.presets import gray_scott_start, gray_scott_steps
from swarmloom_protocols.stigmergy.field.reaction_networks import pairwise_network
from swarmloom_protocols.stigmergy.field.reactions import react
from tests.benchmarks.measuring import least_cpu_seconds

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
ROUNDS = 7 if FULL else 1
TENSOR = np.array([[1.0, 0.4], [0.4, 0.8]])
FEED, KILL, SPREAD = 0.0367, 0.0649, (0.2097, 0.105)


@pytest.fixture(params=[256, 1024, 4096] if FULL else [64], ids="{0}x{0}".format)
def side(request):
    return request.param


def steps_of(side):
    """Steps of about 2^26 cells together, so that what is set up once does not count."""
    return max(8, (1 << 26) // side**2) if FULL else 2


def rate(function, cells, rounds):
    """Million cells per second of processor time, the best of several rounds."""
    return cells / least_cpu_seconds(function, rounds + 1) / 1e6


def compare(benchmark, ours, peers, cells, rounds):
    """Measure ours and each (function, cells) of `peers`, report rates and ratios."""
    with use_threads(1):
        benchmark.pedantic(ours, rounds=1, warmup_rounds=1)
        own = rate(ours, cells, rounds)
        line = f"\n  {benchmark.name}: ours {own:.1f} Mcell/s"
        benchmark.extra_info["Mcell/s"] = own
        for name, (function, peer_cells) in peers.items():
            other = rate(function, peer_cells, min(rounds, 3))
            benchmark.extra_info[f"ratio to {name}"] = own / other
            line += f"; {name} {other:.1f} ({own / other:.1f}x)"
        sys.stdout.write(line + "\n")


# -- anisotropic diffusion ----------------------------------------------------------------------


def numpy_tensor_step(field, weights):
    """The same non-negative stencil with slices of a padded array; constant tensor."""
    along_y, along_x, diagonal = weights
    p = np.pad(field, 1, mode="edge")
    flow = along_y * (p[2:, 1:-1] + p[:-2, 1:-1] - 2 * field)
    flow += along_x * (p[1:-1, 2:] + p[1:-1, :-2] - 2 * field)
    flow += diagonal * (p[2:, 2:] + p[:-2, :-2] - 2 * field)
    return field + flow


@pytest.mark.parametrize("tensor", ["constant", "per cell"])
@pytest.mark.benchmark(group="anisotropic step")
def test_anisotropic(benchmark, side, tensor):
    field, dt, steps = (
        np.random.default_rng(0).random((side, side), np.float32),
        0.3,
        steps_of(side),
    )
    given = TENSOR if tensor == "constant" else np.broadcast_to(TENSOR, (side, side, 2, 2)).copy()
    weights = np.float32(dt * np.array([0.4, 0.6, 0.4]))
    stencil = dt * np.array([[0.4, 0.4, 0.0], [0.6, 0.0, 0.6], [0.0, 0.4, 0.4]])
    stencil[1, 1] = 1.0 - stencil.sum()
    kernel = stencil.astype(np.float32)
    peers = {
        "NumPy": (lambda: numpy_tensor_step(field, weights), side**2),
        "scipy.ndimage.convolve": (lambda: ndimage.convolve(field, kernel), side**2),
    }
    diffusion = AnisotropicDiffusion(given, field.shape)

    def ours():
        return diffusion.steps(field, dt, steps, "cpu")

    compare(benchmark, ours, peers, steps * side**2, ROUNDS)


@pytest.mark.parametrize("conductance", ["exponential", "rational"])
@pytest.mark.benchmark(group="Perona-Malik step")
def test_perona_malik(benchmark, side, conductance):
    field, steps = np.random.default_rng(0).random((side, side), np.float32), steps_of(side)
    functions = {
        "exponential": lambda s: np.exp(-((s / np.float32(0.2)) ** 2)) * s,
        "rational": lambda s: s / (1 + (s / np.float32(0.2)) ** 2),
    }

    def numpy_step():
        new = field.copy()
        for axis in (0, 1):
            flow = np.float32(0.2) * functions[conductance](np.diff(field, axis=axis))
            ahead = (slice(None),) * axis
            new[(*ahead, slice(0, -1))] += flow
            new[(*ahead, slice(1, None))] -= flow
        return new

    def ours():
        return perona_malik_steps(field, conductance, 0.2, 1.0, 0.2, steps, device="cpu")

    compare(benchmark, ours, {"NumPy": (numpy_step, side**2)}, steps * side**2, ROUNDS)


# -- Gray–Scott ---------------------------------------------------------------------------------


def numpy_gray_scott(u, v):
    """A step with slices of padded arrays."""
    bends = []
    for one in (u, v):
        p = np.pad(one, 1, mode="edge")
        bends.append(p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4 * one)
    turned = u * v * v
    next_u = u + np.float32(SPREAD[0]) * bends[0] - turned + np.float32(FEED) * (1 - u)
    next_v = v + np.float32(SPREAD[1]) * bends[1] + turned - np.float32(FEED + KILL) * v
    return next_u, next_v


def scipy_gray_scott(u, v):
    """A step with `scipy.ndimage.laplace`."""
    turned = u * v * v
    return (
        u + np.float32(SPREAD[0]) * ndimage.laplace(u) - turned + np.float32(FEED) * (1 - u),
        v + np.float32(SPREAD[1]) * ndimage.laplace(v) + turned - np.float32(FEED + KILL) * v,
    )


def devito_gray_scott(amounts, steps):
    """Return a function that does steps in C that Devito generates; skips without it."""
    devito = pytest.importorskip("devito")
    devito.configuration["log-level"] = "ERROR"
    grid = devito.Grid(shape=amounts.shape[1:], extent=tuple(n - 1.0 for n in amounts.shape[1:]))
    u, v = (devito.TimeFunction(name=n, grid=grid, space_order=2, dtype=np.float32) for n in "uv")
    u.data[:], v.data[:] = amounts
    turned = u * v * v
    equations = [
        devito.Eq(u.forward, u + SPREAD[0] * u.laplace - turned + FEED * (1 - u)),
        devito.Eq(v.forward, v + SPREAD[1] * v.laplace + turned - (FEED + KILL) * v),
    ]
    operator = devito.Operator(equations)
    return lambda: operator.apply(time_m=0, time_M=steps - 1)


@pytest.mark.benchmark(group="Gray-Scott step")
def test_gray_scott(benchmark, side):
    start, steps = gray_scott_start((side, side), np.random.default_rng(0)), steps_of(side)

    def ours():
        return gray_scott_steps(start, FEED, KILL, SPREAD, 1.0, steps, device="cpu")

    peers = {
        "NumPy": (lambda: numpy_gray_scott(*start), side**2),
        "scipy.ndimage.laplace": (lambda: scipy_gray_scott(*start), side**2),
    }
    compare(benchmark, ours, peers, steps * side**2, ROUNDS)


@pytest.mark.benchmark(group="Gray-Scott step beside Devito")
def test_gray_scott_beside_devito(benchmark, side):
    start, steps = gray_scott_start((side, side), np.random.default_rng(0)), steps_of(side)
    peers = {"Devito": (devito_gray_scott(start, steps), steps * side**2)}

    def ours():
        return gray_scott_steps(start, FEED, KILL, SPREAD, 1.0, steps, device="cpu")

    compare(benchmark, ours, peers, steps * side**2, ROUNDS)


# -- reactions ----------------------------------------------------------------------------------


@pytest.mark.benchmark(group="eight channels react for a unit of time")
def test_pairwise_reactions(benchmark):
    """Beside `scipy.integrate.solve_ivp` on all cells as one system, at the same tolerance."""
    from scipy.integrate import solve_ivp

    rng = np.random.default_rng(0)
    cells = 1 << 16 if FULL else 1 << 8
    rates = rng.normal(0.0, 0.5, (8, 8))
    rates -= rates.T
    network = pairwise_network("ABCDEFGH", rates)
    start = rng.random((8, cells)).astype(np.float32)

    def ours():
        return react(start, network, 1.0, "cpu")

    def scipy():
        def slopes(_, flat):
            amounts = flat.reshape(8, -1)
            return (amounts * (rates @ amounts)).reshape(-1)

        return solve_ivp(slopes, (0.0, 1.0), start.reshape(-1), "RK23", rtol=1e-5, atol=1e-7)

    compare(benchmark, ours, {"solve_ivp RK23": (scipy, cells)}, cells, ROUNDS)
