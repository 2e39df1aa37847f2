"""Integrators, noise, critical points, basins and the 0–1 test, beside SciPy and NumPy.

Run with ``pytest tests/benchmarks/test_consensus_dynamics.py --benchmark-enable -s``; larger
sizes need ``SWARMLOOM_FULL_BENCHMARKS=1``.
"""

import os

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import root
from scipy.stats import levy_stable

from swarmloom.device import use_threads
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.dynamics.basins import find_basins, grid_of_starts
from swarmloom_protocols.consensus.dynamics.critical_points import critical_points
from swarmloom_protocols.consensus.dynamics.integrators import simulate
from swarmloom_protocols.consensus.dynamics.levy_stable import stable_variates
from swarmloom_protocols.consensus.dynamics.potential import gaussian_wells
from swarmloom_protocols.consensus.dynamics.stochastic import noisy, simulate_noisy
from swarmloom_protocols.consensus.dynamics.zero_one_test import zero_one_test
from tests.benchmarks.measuring import least_cpu_seconds, tell_beside

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
STEPS = 100_000 if FULL else 5_000
SIDE = 60 if FULL else 12
PATHS = 1_000 if FULL else 100
VALUES = 100_000 if FULL else 5_000


def compare(benchmark, function, peers):
    with use_threads(1):
        benchmark.pedantic(function, rounds=3, warmup_rounds=1)
        own = least_cpu_seconds(function)
    tell_beside(benchmark, own, {name: least_cpu_seconds(peer) for name, peer in peers.items()})


def lorenz(x):
    return np.array([10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]])


def well(x):
    return np.array([x[1], x[0] - x[0] ** 3 - 0.5 * x[1]])


def runge_kutta(rule, x, steps, dt):
    """NumPy's way; x may hold many states side by side."""
    for _ in range(steps):
        one = rule(x)
        two = rule(x + dt / 2 * one)
        three = rule(x + dt / 2 * two)
        x = x + dt / 6 * (one + 2 * two + 2 * three + rule(x + dt * three))
    return x


def test_runge_kutta_on_lorenz(benchmark):
    system, start = known.lorenz(), np.array([1.0, 1.0, 20.0])

    def own():
        return simulate(system, STEPS * 0.01, dt=0.01).states[-1]

    peers = {"NumPy loop": lambda: runge_kutta(lorenz, start, STEPS, 0.01)}
    if not FULL:
        # Chaos tells methods apart after a while; at first they are the same.
        early = simulate(system, 1.0).states[-1]
        np.testing.assert_allclose(early, runge_kutta(lorenz, start, 100, 0.01), rtol=1e-9)
    compare(benchmark, own, peers)


def test_adaptive_on_van_der_pol(benchmark):
    system, duration = known.van_der_pol(1.0), STEPS / 100
    times = np.arange(0, duration, 0.5)

    def peer():
        options = {"method": "DOP853", "rtol": 1e-9, "atol": 1e-12, "t_eval": times}
        return solve_ivp(
            lambda t, x: (x[1], (1 - x[0] ** 2) * x[1] - x[0]), (0, duration), (0.5, 0), **options
        )

    def fixed():
        return simulate(system, duration, dt=0.01, every=50).states

    # Equally exact as far as it matters: phases drift apart slowly.
    np.testing.assert_allclose(fixed()[: len(times)][:100], peer().y.T[:100], atol=1e-6)
    compare(benchmark, fixed, {"SciPy DOP853": peer})


def test_euler_maruyama(benchmark):
    system, steps, dt = noisy(known.double_well(0.5), [0.0, 0.3]), STEPS // 5, 0.01

    def own():
        rng = np.random.default_rng(0)
        return simulate_noisy(system, steps, paths=PATHS, dt=dt, every=steps, rng=rng)

    def peer():
        rng, x = np.random.default_rng(0), np.tile([[0.1], [0.0]], PATHS)
        strength = np.sqrt(dt) * np.array([[0.0], [0.3]])
        for _ in range(steps):
            x = x + dt * well(x) + strength * rng.standard_normal((2, PATHS))
        return x

    compare(benchmark, own, {"NumPy, paths side by side": peer})


def test_stable_variates(benchmark):
    def own():
        return stable_variates(1.5, 0.0, VALUES, rng=np.random.default_rng(0))

    def peer():
        return levy_stable.rvs(1.5, 0.0, size=VALUES, random_state=np.random.default_rng(0))

    compare(benchmark, own, {"SciPy": peer})


def test_critical_points(benchmark):
    rng = np.random.default_rng(0)
    field = gaussian_wells(rng.uniform(-3, 3, (8, 2)), 0.8, 1.0, 0.02)
    starts = grid_of_starts([-4, -4], [4, 4], 20)

    def peer():
        def gradient(x):
            return field.gradients(x[None])[0]

        def hessian(x):
            return field.hessians(x[None])[0]

        return [root(gradient, start, jac=hessian) for start in starts]

    compare(
        benchmark,
        lambda: critical_points(field, [-4, -4], [4, 4], starts=400),
        {"SciPy root from each start": peer},
    )


def test_basins(benchmark):
    system, starts = known.double_well(0.5), grid_of_starts([-2, -2], [2, 2], SIDE)

    def own():
        return find_basins(system, starts, dt=0.05, transient=100.0, window=5.0)

    def peer():
        return runge_kutta(well, starts.T, 2100, 0.05)

    labels = own()
    assert ((labels.ends[labels.labels, 0] > 0) == (peer()[0] > 0)).all()
    compare(benchmark, own, {"NumPy, starts side by side": peer})


def test_zero_one(benchmark):
    size = 5_000 if FULL else 1_000
    series = simulate(known.logistic(3.9), size).states[1:, 0]

    def own():
        return zero_one_test(series, rng=np.random.default_rng(0), frequencies=20)

    def peer():
        rng, lags = np.random.default_rng(0), size // 10
        away, found = series - series.mean(), []
        for c in rng.uniform(np.pi / 5, 4 * np.pi / 5, 20):
            path = np.cumsum(away * np.exp(1j * c * np.arange(1, size + 1)))
            head = path[: size - lags]
            moved = [
                (abs(path[n : n + size - lags] - head) ** 2).mean() for n in range(1, lags + 1)
            ]
            found.append(np.corrcoef(np.arange(lags), moved)[0, 1])
        return np.median(found)

    assert own() == pytest.approx(peer(), abs=1e-9)
    compare(benchmark, own, {"NumPy, lag by lag": peer})
