"""Stochastic equations: strong orders, stationary laws, colours, ends."""

import math
from dataclasses import replace

import numpy as np
import pytest

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.systems import user_system
from swarmloom_protocols.consensus.dynamics.langevin import slide
from swarmloom_protocols.consensus.dynamics.levy_stable import tail_index
from swarmloom_protocols.consensus.dynamics.noise import Noise
from swarmloom_protocols.consensus.dynamics.potential import (
    double_well,
    gaussian_wells,
    potential_of,
)
from swarmloom_protocols.consensus.dynamics.stochastic import (
    follow_increments,
    noisy,
    simulate_noisy,
)
from tests.naive import dynamics as naive


def relax(state, parameters):
    return (-parameters[0] * state[0],)


def grow(state, parameters):
    return (1.5 * state[0],)


def proportional(state, parameters):
    return (parameters[0] * state[0],)


RELAXATION = user_system("relaxation", relax, kind="flow", start=[0.0], parameters={"theta": 2.0})
# One for all tests: machine code lives with it.
RELAXING = noisy(RELAXATION, 1.0)
GROWTH = noisy(
    user_system("growth", grow, kind="flow", start=[1.0]), proportional, parameters={"s": 1.0}
)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.row("C3")
@pytest.mark.parametrize(("method", "expected"), [("EulerMaruyama", 0.5), ("Milstein", 1.0)])
def test_strong_order_of_geometric_brownian_motion(method, expected):
    finest, paths = 512, 1000
    path = math.sqrt(1 / finest) * rng(1).standard_normal((finest, paths, 1))
    # Higham's test: dX = 1.5·X·dt + X·dW from 1 has X(1) = exp(1 + W(1)).
    exact = np.exp(1.0 + path.sum(axis=0)[:, 0])
    errors, counts = [], [32, 64, 128, 256, 512]
    for count in counts:
        push = path.reshape(count, finest // count, paths, 1).sum(axis=1)
        run = follow_increments(
            GROWTH, push, starts=np.ones((paths, 1)), dt=1 / count, method=method
        )
        errors.append(abs(run.states[:, -1, 0] - exact).mean())
    slope = np.polyfit(np.log(counts), -np.log(errors), 1)[0]
    assert slope == pytest.approx(expected, abs=0.12)


@pytest.mark.parametrize("method", ["EulerMaruyama", "Milstein"])
def test_steps_are_the_ones_written_down(method):
    push = 0.1 * rng(2).standard_normal((20, 3, 1))
    run = follow_increments(GROWTH, push, dt=0.01, method=method)
    for path in range(3):
        x = 1.0
        for t in range(20):
            arguments = 0.01, push[t, path, 0], method == "Milstein"
            x = naive.noisy_step(lambda y: 1.5 * y, lambda y: y, lambda y: 1.0, x, *arguments)
            assert run.states[path, t + 1, 0] == pytest.approx(x, rel=1e-9)


@pytest.mark.row("C3")
@pytest.mark.parametrize(("theta", "sigma"), [(2.0, 1.0), (0.5, 0.3)])
def test_ornstein_and_uhlenbeck_settle_at_half_of_sigma_squared_by_theta(theta, sigma):
    system = replace(RELAXING, drift=RELAXING.drift.with_parameters(theta=theta))
    pace = {"paths": 2000, "dt": 0.01 / theta, "every": 500}
    run = simulate_noisy(system, 2000, noise=Noise("White", sigma), rng=rng(3), **pace)
    # Euler's step changes the variance by a share of θ·dt/2.
    assert run.states[:, -1].var() == pytest.approx(sigma**2 / (2 * theta), rel=0.1)
    assert run.states.shape == (2000, 5, 1)
    assert set(run.outcomes) == {"Complete"}


def test_a_field_and_a_system_slide_alike():
    well = potential_of(lambda x: x[:, 0] ** 2, 1, lambda x: 2 * x)
    places = slide(
        well, np.zeros((2000, 1)), 500, dt=0.01, noise=Noise("White"), rng=rng(4), every=500
    )
    assert places.shape == (2, 2000, 1)
    assert places[-1].var() == pytest.approx(1 / 4, rel=0.1)


def test_noise_carries_opinions_over_a_barrier_and_silence_does_not():
    field, starts = double_well(), np.full((200, 1), 0.8)
    still = slide(field, starts, 3000, dt=0.02)
    np.testing.assert_allclose(still[-1], 1.0, atol=1e-6)
    moved = slide(field, starts, 3000, dt=0.02, noise=Noise("White", 0.7), rng=rng(5), every=3000)
    assert 0.3 < (moved[-1] < 0).mean() < 0.7
    silent = slide(field, starts, 10, dt=0.02, noise=Noise("White", 0.0), rng=rng(5))
    np.testing.assert_array_equal(silent, still[:11])


def test_a_level_field_leaves_opinions_where_they_are():
    field = gaussian_wells([[0.0, 0.0]], 1.0, 0.0)
    starts = rng(6).normal(size=(5, 2))
    np.testing.assert_array_equal(slide(field, starts, 50)[-1], starts)


def test_correlated_noise_goes_on_from_piece_to_piece():
    flat = gaussian_wells([[0.0]], 1.0, 0.0)
    noise = Noise("White", 1.0, 500.0)
    places = slide(flat, [[0.0]], 3000, dt=1.0, noise=noise, rng=rng(7))
    expected = np.cumsum(noise.sample(3000, rng=rng(7)))
    np.testing.assert_allclose(places[1:, 0, 0], expected, rtol=1e-9)


def test_levy_noise_makes_long_jumps():
    levy = Noise("Levy", 1.0, stability=1.2)
    run = simulate_noisy(RELAXING, 5000, paths=20, dt=0.1, noise=levy, rng=rng(8))
    jumps = np.diff(run.states[:, :, 0], axis=1)
    assert tail_index(jumps, 800).index == pytest.approx(1.2, abs=0.2)


def test_paths_do_not_depend_on_how_many_steps_are_kept():
    system = noisy(known.double_well(0.5), [0.0, 0.3])
    full = simulate_noisy(system, 5000, paths=2, rng=rng(9))
    some = simulate_noisy(system, 5000, paths=2, rng=rng(9), every=100)
    np.testing.assert_array_equal(full.states[:, ::100], some.states)
    np.testing.assert_allclose(full.times[::100], some.times)


def test_a_path_that_escapes_ends_and_the_others_go_on():
    run = follow_increments(
        GROWTH, np.zeros((100, 2, 1)), starts=[[1.0], [0.0]], dt=0.1, bound=50.0
    )
    assert run.outcomes == ("Escaped", "Complete")
    assert np.isnan(run.states[0, -1]).all()
    np.testing.assert_array_equal(run.states[1], 0.0)
    last = np.nanmax(run.states[0])
    assert 50 / 1.2 < last <= 50


def test_a_noise_that_is_no_number_ends_a_path():
    run = follow_increments(GROWTH, np.full((3, 1, 1), np.nan))
    assert run.outcomes == ("NotFinite",)
    assert np.isnan(run.states[0, 1:]).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: noisy(known.henon(), 1.0),
        lambda: noisy(RELAXATION, [1.0, 2.0]),
        lambda: noisy(RELAXATION, np.nan),
        lambda: simulate_noisy(GROWTH, 5, rng=rng(), method="Milstein", noise=Noise("Pink")),
        lambda: simulate_noisy(GROWTH, 5, rng=rng(), method="Heun"),
        lambda: simulate_noisy(GROWTH, 5, rng=rng(), starts=[1.0]),
        lambda: simulate_noisy(GROWTH, 5, rng=rng(), starts=[[np.inf]]),
        lambda: simulate_noisy(GROWTH, -1, rng=rng()),
        lambda: simulate_noisy(GROWTH, 5, rng=5),
        lambda: follow_increments(GROWTH, np.zeros((3, 2, 2))),
        lambda: follow_increments(GROWTH, np.zeros((3, 2, 1)), starts=[[1.0]]),
        lambda: slide(double_well(), [[0.0]], 5, noise=Noise("White")),
    ],
)
def test_what_cannot_be_run_is_refused(make):
    with pytest.raises(InputError, match=r"allowed|paths of push"):
        make()


def test_paths_do_not_depend_on_threads():
    system, results = noisy(known.double_well(0.5), [0.0, 0.3]), []
    for threads in (1, 3):
        with use_threads(threads):
            # Enough paths and steps for several bands.
            results.append(simulate_noisy(system, 400, paths=3000, rng=rng(10), every=100).states)
    np.testing.assert_array_equal(*results)
