"""Control: the border of chaos from both sides, unstable points held, and what it is worth."""

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.control import fixed_point, hold_at_edge, ogy, pyragas
from swarmloom_protocols.consensus.chaos.lyapunov import lyapunov_spectrum
from swarmloom_protocols.consensus.chaos.reservoir import memory_capacity, network, weights

# Where the logistic map's period doublings end.
ACCUMULATION = 3.5699457
POINTS = {
    "logistic": (known.logistic(3.8), "r", [0.7], 0.05, [1 - 1 / 3.8]),
    "henon": (known.henon(), "a", [0.6, 0.2], 0.1, [0.631354477, 0.189406343]),
}


@pytest.mark.row("C8")
@pytest.mark.parametrize("begin", [3.56, 3.6, 3.7, 3.9, 4.0])
def test_the_exponent_settles_at_zero_from_both_sides(begin):
    run = hold_at_edge(known.logistic(begin), "r", low=2.8, high=4.0)
    # Measured afresh, with the parameter at rest.
    held = lyapunov_spectrum(known.logistic(run.value), steps=100_000, transient=20_000)
    assert abs(held.exponents[0]) < 0.05
    assert abs(run.exponent) < 0.05
    assert np.ptp(run.values[-500:]) < 0.01


def test_from_weak_chaos_it_rests_where_period_doubling_ends():
    run = hold_at_edge(known.logistic(3.6), "r", low=2.8, high=4.0)
    assert run.value == pytest.approx(ACCUMULATION, abs=2e-3)


@pytest.mark.row("C8")
def test_a_coupling_that_calms_is_held_too():
    system = known.coupled_logistic_maps(8, 3.9, 0.05)
    run = hold_at_edge(system, "coupling", low=0.0, high=0.4, rises=False)
    assert run.values[0] == 0.05
    assert run.exponents[:20].mean() > 0.3
    assert abs(run.exponent) < 0.05


def test_without_a_crossing_the_parameter_ends_at_its_bound():
    system = known.coupled_logistic_maps(8, 3.9, 0.6)
    run = hold_at_edge(system, "coupling", low=0.5, high=0.9, rises=False)
    assert run.values[-1] == 0.9
    assert run.exponent > 0.4


@pytest.mark.parametrize("method", [ogy, pyragas])
@pytest.mark.parametrize("name", POINTS)
@pytest.mark.row("C8")
def test_an_unstable_point_is_held_with_small_changes(method, name):
    system, parameter, guess, most, point = POINTS[name]
    run = method(system, parameter, guess, most=most)
    np.testing.assert_allclose(run.point, point, atol=1e-8)
    assert 0 < run.caught < 2_000
    np.testing.assert_allclose(run.states[-1], point, atol=1e-9)
    assert abs(run.changes).max() <= most
    assert abs(run.changes[-100:]).max() < 1e-9
    free = method(system, parameter, guess, most=1e-12)
    assert free.caught == -1
    assert np.ptp(free.states[:, 0]) > 0.5


@pytest.mark.parametrize("method", [ogy, pyragas])
def test_noise_is_held_against(method):
    rng = np.random.default_rng(0)
    run = method(known.logistic(3.8), "r", [0.7], most=0.05, noise=1e-5, rng=rng)
    assert run.caught > 0
    held = run.changes[run.caught :]
    assert 0 < abs(held).max() < 0.01


def test_fixed_points():
    assert fixed_point(known.logistic(3.0), [0.6])[0] == pytest.approx(2 / 3)
    with pytest.raises(InputError, match="maps"):
        fixed_point(known.lorenz(), [1.0, 1.0, 1.0])
    with pytest.raises(InputError, match="no fixed point"):
        fixed_point(known.circle_map(0.4, 0.0), [0.3])


def test_what_cannot_be_held_is_refused():
    with pytest.raises(InputError, match="0 unstable directions"):
        ogy(known.logistic(2.5), "r", [0.6], most=0.1)
    # At 0 the multiplier is r itself, and r moves nothing there.
    with pytest.raises(InputError, match="moves nothing"):
        ogy(known.logistic(3.8), "r", [0.0], most=0.1)
    with pytest.raises(InputError, match="between -3 and -1"):
        pyragas(known.henon(), "a", [-1.1, -0.3], most=0.1)
    with pytest.raises(InputError, match="no parameter 'q'"):
        ogy(known.henon(), "q", [0.6, 0.2], most=0.1)
    with pytest.raises(InputError, match="rng"):
        ogy(known.henon(), "a", [0.6, 0.2], most=0.1, noise=0.1)
    with pytest.raises(InputError, match="no parameter 'q'"):
        hold_at_edge(known.henon(), "q", low=0.0, high=1.0)
    with pytest.raises(InputError, match="a is"):
        hold_at_edge(known.henon(), "a", low=0.0, high=1.0)
    with pytest.raises(InputError, match="leaves all bounds"):
        hold_at_edge(known.henon(1.4), "a", low=1.0, high=9.0, rises=False, gain=50.0)


def test_a_network_without_gain_remembers_its_last_input_alone():
    matrix = weights(20, rng=np.random.default_rng(0))
    found = memory_capacity(matrix, 0.0, rng=np.random.default_rng(1))
    # Forty correlations of noise with noise add a little.
    assert found == pytest.approx(0.0, abs=0.2)
    line = np.diag(np.ones(9), -1)
    kept = memory_capacity(line, 1.0, rng=np.random.default_rng(1), input_scale=0.01)
    assert 8.5 < kept < 10.0


@pytest.mark.row("C8")
def test_the_tasks_metric_with_and_without_control():
    """Memory is best just below the border; held from the chaotic side it is worse than untuned."""
    matrix = weights(40, rng=np.random.default_rng(1))
    radius = abs(np.linalg.eigvals(matrix)).max()

    def held(gain):
        system = network(matrix, gain)
        return hold_at_edge(system, "gain", low=0.1, high=3.0, windows=300, window=50, gain=0.2)

    def memory(gain):
        return memory_capacity(matrix, gain, rng=np.random.default_rng(2))

    below, above = held(0.5), held(2.0)
    assert abs(below.exponent) < 0.05
    assert abs(above.exponent) < 0.05
    assert below.value == pytest.approx(1 / radius, abs=0.1)
    assert above.value > below.value + 0.1
    assert memory(below.value) > memory(0.5) + 5
    assert memory(above.value) < memory(0.9 / radius) - 5
    assert memory(2.0) < memory(above.value) + 5


def test_the_networks_jacobian_is_its_derivative():
    system = network(weights(5, rng=np.random.default_rng(3)), 1.3)
    state, width = np.linspace(-0.4, 0.6, 5), 1e-6
    columns = [
        (system(state + width * unit) - system(state - width * unit)) / (2 * width)
        for unit in np.eye(5)
    ]
    np.testing.assert_allclose(system.jacobian_at(state), np.column_stack(columns), atol=1e-8)
    assert math.isclose(system([0.0] * 5)[0], 0.0)


def test_too_few_steps_for_the_task_are_refused():
    with pytest.raises(InputError, match="more than 8"):
        memory_capacity(np.eye(4), 1.0, rng=np.random.default_rng(0), steps=8)
